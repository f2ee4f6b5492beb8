# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels that are known to fail on Hyper-V, each with where that is said.

Versions are those of Debian's packages: upstream's with a revision, so that upstream's are in the same order.
"""

from __future__ import annotations

import typing as t


class KnownBad(t.NamedTuple):
    """severity: error (it does not start, or not on this generation), warning (something fails), info (rarely matters).

    ranges: from, and up to but without; the latter None where no version has a fix. Empty tuples and None mean: any.
    C(hosts) are beginnings of the host's build. C(enabled) and C(disabled) are symbols of the configuration: where it
    is not known, such an entry says nothing.
    """

    id: str
    severity: str
    summary: str
    ranges: tuple[tuple[str, str | None], ...]
    sources: tuple[str, ...]
    feature: str | None = None  # matters only where the kernel has it
    generation: int | None = None  # 1: generation 2 is not affected, or not possible
    architectures: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()  # beginnings: rt, cloud
    hosts: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    remedy: str = ""  # where it is not just another kernel


KNOWN_BAD = (
    KnownBad(
        "staging-drivers",
        "warning",
        "has the first drivers of Hyper-V, from the staging tree: without the host's time, its shutdown and a Hyper-V "
        "clocksource",
        (("2.6.32", "2.6.36"),),
        ("Linux 2.6.32, drivers/staging/hv/TODO", "Debian 6: CONFIG_HYPERV_UTILS is not set"),
        feature="vmbus",
    ),
    KnownBad(
        "i386-no-ide-disk",
        "error",
        "does not see the IDE disk of generation 1, and generation 2 runs no 32-bit guests",
        (("4.9", "4.14"),),
        (
            "github.com/MicrosoftDocs/windowsserverdocs/issues/512: 4.9.0-6-686 fails, 4.14.0-0.bpo.3-686 works",
            "github.com/rancher/os/issues/1888: 32 bits, 4.0.7 to 4.9.30 fail, 4.11.6 works",
        ),
        generation=1,
        architectures=("i386",),
    ),
    KnownBad(
        "kvp-early-daemon",
        "warning",
        "can crash at boot when a daemon of the integration services (key-value pairs, backups) starts before hv_utils "
        "has opened its channel",
        (
            ("4.9", "5.4.289"),
            ("5.5", "5.10.233"),
            ("5.11", "5.15.176"),
            ("5.16", "6.1.122"),
            ("6.2", "6.6.68"),
            ("6.7", "6.12.7"),
        ),
        (
            "CVE-2024-55916; upstream commit 07a756a4",
            "Debian: linux 6.1.123-1, linux 6.12.8-1",
            "LISA log: 6.1.90-1~bpo11+1 of bullseye-backports crashes at boot",
        ),
        feature="kvp",
    ),
    KnownBad(
        "vmbus-not-built",
        "error",
        "was built without VMBus: since 6.18 CONFIG_HYPERV only opens the menu, and CONFIG_HYPERV_VMBUS, which its "
        "configuration leaves out, builds the driver",
        (("6.18", None),),
        (
            "github.com/void-linux/void-packages/issues/58165",
            "github.com/openwrt/openwrt/issues/22846",
            "github.com/zabbly/linux/issues/55",
        ),
        enabled=("CONFIG_HYPERV",),
        disabled=("CONFIG_HYPERV_VMBUS",),
        remedy="build it with CONFIG_HYPERV_VMBUS, or install a kernel of Debian",
    ),
    KnownBad(
        "vtl-mode",
        "error",
        "was built with CONFIG_HYPERV_VTL_MODE, for a service that runs beside a guest, and does not start as a guest: "
        "it stops before it says anything",
        (("0", None),),
        (
            "Linux, drivers/hv/Kconfig: such a kernel will not run as a normal guest",
            "github.com/vyos/vyos-build/pull/1236",
            "github.com/vyos/vyos-1x/pull/5312",
        ),
        enabled=("CONFIG_HYPERV_VTL_MODE",),
        remedy="build it without CONFIG_HYPERV_VTL_MODE, or install a kernel of Debian",
    ),
    KnownBad(
        "host-2008",
        "error",
        "does not connect to VMBus on Windows Server 2008 and 2008 R2: support for these hosts is gone since 5.19",
        (("5.19", None),),
        ("Linux, Documentation/virt/hyperv/overview.rst", "upstream commit a6b94c6b"),
        hosts=("6.0.", "6.1."),
        remedy="stay below 5.19 (Debian 11 has 5.10) until the host is newer",
    ),
    KnownBad(
        "rt-storage-sleeps",
        "warning",
        "sleeps where it must not in hv_storvsc (scheduling while atomic) when it is built with PREEMPT_RT",
        (("6.1", "6.1.170"), ("6.2", "6.12.85")),
        ("Debian: linux 6.1.170-1, linux 6.12.85-1 (scsi: storvsc: Fix scheduling while atomic on PREEMPT_RT)",),
        feature="storage",
        flavours=("rt-",),
    ),
    KnownBad(
        "network-packets-rejected",
        "info",
        "now and then hands the host a packet that it rejects; the network stack sends it again",
        (("6.1", "6.1.140"), ("6.2", "6.12.30")),
        (
            "upstream commit 41a6328b (hv_netvsc: Preserve contiguous PFN grouping in the page buffer array)",
            "Debian: linux 6.1.140-1, linux 6.12.30-1",
        ),
        feature="network",
    ),
    KnownBad(
        "namespace-with-vf",
        "info",
        "can crash when a network namespace goes that holds an adapter with a virtual function (SR-IOV)",
        (("6.1.115", "6.1.153"), ("6.11.6", "6.12.43")),
        ("CVE-2025-38683", "Debian: linux 6.1.153-1, linux 6.12.43-1"),
        feature="pci",
    ),
    KnownBad(
        "pci-interrupts",
        "info",
        "can crash while interrupts of a passed-through device are moved to another processor",
        (("6.1", "6.1.37"), ("6.2", "6.3.11")),
        ("Debian: linux 6.1.37-1, linux 6.3.11-1 (PCI: hv: Fix a race condition in hv_irq_unmask())",),
        feature="pci",
    ),
)
