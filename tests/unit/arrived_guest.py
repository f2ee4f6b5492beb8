# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    Clock,
    Disk,
    Evidence,
    GuestFacts,
    Nic,
    VmbusDevice,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.guest_state import Baseline
from ansible_collections.rehost.hyperv.tests.unit import small_guest, state_builder

HYPERV = Evidence("/sys/class/dmi/id/product_name", "Virtual Machine", "hyperv", "firmware")
XEN = Evidence("/sys/hypervisor/type", "xen", "xen-hvm", "interface")
SYNTHETIC = Nic("eth0", "00:15:5d:00:00:01", "hv_netvsc", "synthetic", "vmbus", "up", None)
LEGACY = Nic("legacy0", "00:15:5d:00:00:02", "tulip", "legacy", "pci", "down", None)
DISK = Disk("sda", "hv_storvsc", 1 << 30, "Msft", "Virtual Disk", "synthetic")


def make(directory: pathlib.Path) -> GuestFacts:
    """A guest on Hyper-V that is as it was on Xen."""
    facts = small_guest.look(directory, small_guest.fstab(small_guest.ROOT_LINE))
    return dataclasses.replace(
        facts,
        is_live=True,
        system=dataclasses.replace(facts.system, running_kernel="6.1.0-50-amd64"),
        hypervisor=dataclasses.replace(
            facts.hypervisor,
            evidence=(HYPERV,),
            features=0x2E7F,
            vmbus=(VmbusDevice("0015", "f861", "network", "hv_netvsc"), VmbusDevice("0016", "ba61", "scsi", "storvsc")),
        ),
        nics=(SYNTHETIC,),
        disks=(DISK,),
        clock=Clock(
            "hyperv_clocksource_tsc_page", ("hyperv_clocksource_tsc_page",), ("chrony",), (), True, ("chrony",), ""
        ),
        state=state_builder.make(boot_id="after"),
        baseline=Baseline("xen-hvm", state_builder.make()),
    )
