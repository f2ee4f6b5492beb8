# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names by which hypervisors make themselves known."""

from __future__ import annotations

DMI_MACHINES: tuple[tuple[str, str], ...] = (
    ("Microsoft Corporation Virtual Machine", "hyperv"),
    ("Xen HVM domU", "xen-hvm"),
    ("Xen ", "xen"),
    ("QEMU ", "qemu"),
    ("Bochs ", "qemu"),
    ("Red Hat ", "kvm"),
    ("oVirt ", "kvm"),
    ("OpenStack Foundation ", "kvm"),
    ("Google Google Compute Engine", "kvm"),
    ("Amazon EC2 ", "kvm"),
    ("Nutanix AHV", "kvm"),
    ("DigitalOcean Droplet", "kvm"),
    ("Hetzner vServer", "kvm"),
    ("innotek GmbH ", "virtualbox"),
    ("Oracle Corporation VirtualBox", "virtualbox"),
    ("VMware", "vmware"),
)
"""How system vendor and product name begin, and what that points to. Any other machine is taken for a physical one.

Microsoft's vendor name alone proves nothing: it is on every Surface as well.
"""

DMI_UNSET = ("", "to be filled by o.e.m.", "system manufacturer", "default string", "not specified")
"""Vendor names, in lower case, of firmware that does not name its machine."""

HYPERV_UEFI = "Hyper-V UEFI Release"
"""How the firmware version of generation 2 begins. Those of generation 1 are not listed: there is no end of them."""

AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""The chassis of every virtual machine on Azure carries it, and no other on Hyper-V."""

ACPI_OEM_IDS: dict[str, str] = {"VRTUAL": "hyperv", "Xen": "xen", "VBOX": "virtualbox", "BOCHS": "qemu"}
"""Who made the ACPI tables, as the kernel logs them."""

ACPI_DEVICES: dict[str, str] = {"VMBUS": "hyperv", "MSFT1000": "hyperv", "XEN0000": "xen", "QEMU0002": "qemu"}
"""Hardware ids that only a hypervisor uses. Other MSFT ids are on physical machines (MSFT0101 is a TPM)."""

PCI_DEVICES: dict[str, tuple[str, ...]] = {
    "8086:7111": ("generation-1",),  # PIIX4 IDE; of use only where it is known that this is Hyper-V
    "1414:5353": ("hyperv", "generation-1"),  # the VGA adapter
    "5853:0001": ("xen-hvm",),  # the platform device
    "80ee:beef": ("virtualbox",),
    "80ee:cafe": ("virtualbox",),
}
"""PCI devices, vendor:device, and what they point to."""

CLOCKSOURCES: dict[str, str] = {
    "hyperv_clocksource": "hyperv",
    "hyperv_clocksource_tsc_page": "hyperv",
    "hyperv_clocksource_msr": "hyperv",
    "kvm-clock": "kvm",
    "xen": "xen",
}

DETECTED_NAMES: tuple[tuple[str, str], ...] = (
    ("Microsoft Hyper", "hyperv"),  # "Microsoft HyperV" up to Linux 4.14
    ("Xen HVM", "xen-hvm"),
    ("Xen PVH", "xen-pvh"),
    ("Xen PV", "xen-pv"),
    ("Xen", "xen"),
    ("KVM", "kvm"),
    ("VMware", "vmware"),
)
"""How the name in the kernel's line C(Hypervisor detected:) begins. Any other points to some virtual machine."""

XEN_GUEST_TYPES: dict[str, str] = {"HVM": "xen-hvm", "PV": "xen-pv", "PVH": "xen-pvh"}
"""/sys/hypervisor/guest_type, since Linux 4.13."""

WSL2_KERNEL = "microsoft-standard"
"""Part of the release of every kernel that Microsoft builds for the Windows Subsystem for Linux 2."""

# CPUID leaf 0x40000003: what a partition may do (include/asm-generic/hyperv-tlfs.h)
FEATURE_TIME_REF_COUNT = 1 << 1  # EAX; the reference time as a register
FEATURE_SYNIC = 1 << 2  # EAX; without the synthetic interrupt controller there can be no VMBus
FEATURE_REFERENCE_TSC = 1 << 9  # EAX; the reference time as a page, computed from the TSC
FEATURE_FREQUENCY_MSRS = 1 << 11  # EAX; the frequencies of TSC and APIC, which need not be measured then
FEATURE_TSC_INVARIANT = 1 << 15  # EAX
HIGH_CREATE_PARTITIONS = 1 << 0  # EBX
HIGH_CPU_MANAGEMENT = 1 << 12
HIGH_ISOLATION = 1 << 22

HIDDEN_MICROCODE = 0xFFFFFFFF
"""The microcode revision that Hyper-V shows to its guests, and so do others, such as Google's KVM."""

XEN_DRIVERS: dict[str, str] = {"vif": "xen-netfront", "vbd": "xen-blkfront"}
"""The Xen drivers' names on their bus, and the modules they come from."""

LEGACY_NIC = "1011:0009"
"""DECchip 21140: Hyper-V's legacy network adapter, generation 1 only."""

EMULATED_NICS = ("8086:100e", "8086:100f", "8086:10d3", "10ec:8029", "10ec:8139", "1011:0019", "1022:2000")
"""Other network adapters that hypervisors emulate: e1000, e1000e, NE2000, RTL8139, 21143, PCnet."""

EMULATED_DISK_DRIVERS = (
    "ata_piix",
    "pata_legacy",
    "ata_generic",
    "mptspi",
    "sym53c8xx",
    "BusLogic",
    "PIIX_IDE",
    "piix",
)
"""Drivers of disk controllers that hypervisors emulate and new physical machines do not have."""
