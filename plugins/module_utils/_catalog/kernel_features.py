# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel can have of Hyper-V, feature by feature: the modules, the configuration symbols, the first version.

Sources: drivers/hv, drivers/scsi/storvsc_drv.c, drivers/net/hyperv, drivers/input/serio/hyperv-keyboard.c, drivers/hid,
drivers/video/fbdev/hyperv_fb.c, drivers/gpu/drm/hyperv, drivers/pci/controller/pci-hyperv.c, net/vmw_vsock,
drivers/clocksource/hyperv_timer.c and their Kconfig files; the commits named below. Up to 3.1 everything was in
drivers/staging/hv, under the same symbols and names of modules.
"""

from __future__ import annotations

import typing as t


class Driver(t.NamedTuple):
    """A driver that provides a feature. Each of the symbols that the configuration knows can build it; of several that
    it knows, the first one decides."""

    module: str | None  # None: part of the kernel whenever the symbol is set
    symbols: tuple[str, ...]


class Feature(t.NamedTuple):
    """since: the upstream version that first had it. The first of the drivers that a kernel has counts. wants: a symbol
    that must be set, too. sign: a module that the driver depends on when it has the feature, which some distributions
    added to older kernels. is_needed: a guest is worse off without it, whatever it is used for."""

    name: str
    title: str
    since: str
    drivers: tuple[Driver, ...]
    is_needed: bool = False
    wants: str | None = None
    sign: str | None = None
    architectures: tuple[str, ...] = ()  # as dpkg names them; () for all


X86 = ("amd64", "i386")

# CONFIG_HYPERV built hv_vmbus up to 6.17; since 6.18 (commits e3ec97c3, 94b04355) it is a bool that only opens the menu
_VMBUS = ("CONFIG_HYPERV_VMBUS", "CONFIG_HYPERV")
_SERVICES = (Driver("hv_utils", ("CONFIG_HYPERV_UTILS",)),)

FEATURES = (
    Feature("vmbus", "VMBus", "2.6.32", (Driver("hv_vmbus", _VMBUS),), is_needed=True),
    Feature(
        "storage",
        "synthetic disks",
        "2.6.32",
        # IDE disks had a driver of their own in 2.6.32 to 3.1
        (Driver("hv_storvsc", ("CONFIG_HYPERV_STORAGE",)), Driver("hv_blkvsc", ("CONFIG_HYPERV_BLOCK",))),
        is_needed=True,
    ),
    Feature(
        "network",
        "synthetic network adapters",
        "2.6.32",
        (Driver("hv_netvsc", ("CONFIG_HYPERV_NET",)),),
        is_needed=True,
    ),
    # one driver, hv_utils, which began with these three
    Feature("shutdown", "shutdown by the host", "2.6.36", _SERVICES, is_needed=True),
    Feature("timesync", "time of the host", "2.6.36", _SERVICES, is_needed=True),
    Feature("heartbeat", "heartbeat", "2.6.36", _SERVICES),
    Feature("kvp", "key-value pairs", "2.6.38", _SERVICES),  # 245ba56a
    Feature("vss", "backups that freeze file systems", "3.10", _SERVICES),
    Feature("balloon", "dynamic memory", "3.8", (Driver("hv_balloon", ("CONFIG_HYPERV_BALLOON",)),)),  # 9aa8b50b
    # aed06b9c; the only keyboard of generation 2
    Feature("keyboard", "keyboard", "3.13", (Driver("hyperv_keyboard", ("CONFIG_HYPERV_KEYBOARD",)),)),
    Feature(
        "mouse",
        "mouse",
        "3.2",
        (Driver("hid_hyperv", ("CONFIG_HID_HYPERV_MOUSE", "CONFIG_HYPERV_MOUSE")), Driver("hv_mouse", ())),
    ),
    Feature(
        "screen",
        "screen",
        "3.10",  # 68a2d20b (hyperv_fb); 76c56a5a (hyperv_drm, 5.14)
        (Driver("hyperv_drm", ("CONFIG_DRM_HYPERV",)), Driver("hyperv_fb", ("CONFIG_FB_HYPERV",))),
    ),
    Feature(
        "pci",
        "PCI pass-through (DDA, SR-IOV)",
        "4.6",  # 4daace0d
        (Driver("pci_hyperv", ("CONFIG_PCI_HYPERV",)),),
        architectures=("amd64", "arm64"),
    ),
    Feature("sockets", "Hyper-V sockets", "4.14", (Driver("hv_sock", ("CONFIG_HYPERV_VSOCKETS",)),)),  # ae0078fc
    # arch/x86/kernel/cpu/mshyperv.c, with the TSC page in 4.9; the symbol HYPERV_TIMER is of 5.3
    Feature(
        "clocksource",
        "Hyper-V clocksource",
        "2.6.36",
        (Driver(None, ("CONFIG_HYPERV_TIMER", "CONFIG_HYPERV")),),
        is_needed=True,
        architectures=X86,
    ),
    Feature(
        "ptp",
        "host's clock as a PTP device",
        "4.11",  # 3716a49a
        _SERVICES,
        wants="CONFIG_PTP_1588_CLOCK",
        sign="ptp",
    ),
    Feature("legacy-network", "legacy network adapter", "2.6.32", (Driver("tulip", ("CONFIG_TULIP",)),)),
    Feature("legacy-storage", "emulated IDE disks", "2.6.32", (Driver("ata_piix", ("CONFIG_ATA_PIIX",)),)),
)
