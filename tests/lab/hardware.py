# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hardware of the lab's machines, as QEMU's command line spells it.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ._paths import LabError

KINDS = ("hyperv-gen1", "hyperv-gen2", "xenserver")
# Devices.  The first one is what a machine has unless told otherwise.
NICS = {"hyperv-gen1": ("synthetic", "legacy"), "hyperv-gen2": ("synthetic",), "xenserver": ("vif",)}
# Network n is 10.0.(n+1).0/24.  Its host is .2: DHCP server and gateway; names are asked of .3.
SEGMENTS = ("lan1", "lan2", "lan3", "lan4")
DEAD = "dead"  # a switch where nobody else is
# The addresses that the host of a network gives out first, and reaches port 22 of.
ADDRESSES = (15, 16, 17, 18)
CONSOLES = {"hyperv-gen1": ("ttyS0",), "hyperv-gen2": ("ttyS0",), "xenserver": ("ttyS0", "hvc0")}
# Of UEFI, in Debian's package ovmf: the program, and the variables that a new machine has.
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
MEMORY_RANGE = "memory-range.aml"  # in the directory that QEMU is started in: acpi.memory_range()

_CPU = "-svm,+ssse3,+sse4.1,+sse4.2,+popcnt,+x2apic"
# With the emulated face of the disk, for the BIOS and GRUB; the hypervisor's bus shows it once more.
_PC = (
    *("-M", "pc-i440fx-10.0,hpet=off", "-vga", "std"),
    *("-global", "PIIX4_PM.acpi-root-pci-hotplug=off"),
    *("-device", "ide-hd,drive=disk0,bus=ide.0,unit=0,share-rw=on,bootindex=1"),
)
_VIRTUAL_DISK = "drive=disk0,share-rw=on,vendor=Msft,product=Virtual Disk,ver=1.0"
_XEN_UUID = "5f3f2a1e-9d36-4c6b-8f0e-2b7d7c1a9e10"
_BALLOON_ID = "1eccfd72-4b41-45ef-b73a-4a6e44c12924"  # random at each start unless given
_NIC_DEVICES = {"synthetic": "hv-net", "legacy": "tulip,dec21140=on", "vif": "xen-net-device"}
_MACS = {"synthetic": "00:15:5d:01:02:{:02x}", "legacy": "00:15:5d:01:02:{:02x}", "vif": "00:16:3e:01:02:{:02x}"}
_FIRST_MAC = {"synthetic": 3, "legacy": 4, "vif": 3}
_NIC = re.compile(
    r"(?P<device>\w+)(@(?P<segment>\w+))?(,mac=(?P<mac>[0-9a-f]{2}(:[0-9a-f]{2}){5}))?(,link=(?P<link>up|down))?"
)


class Nic(NamedTuple):
    """`name` is the device's, then device2 and so on; so is the slot that it is in, whatever `mac` it is given."""

    device: str
    name: str
    mac: str
    segment: str
    is_linked: bool
    slot_mac: str


class DirectBoot(NamedTuple):
    """A kernel that is started past the boot loader."""

    kernel: str
    initrd: str
    command_line: str


class Hardware(NamedTuple):
    """`memory` is in MiB; `processor_options` are for QEMU's -cpu, such as hv-clock-skew-ppm=300."""

    kind: str
    nics: tuple[Nic, ...]
    memory: int
    processors: int
    processor_options: tuple[str, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """The segments that have a host, each once."""
        return tuple(dict.fromkeys(nic.segment for nic in self.nics if nic.segment != DEAD))

    @property
    def needs_direct_boot(self) -> bool:
        """Whether its firmware cannot read its disk."""
        return self.kind == "hyperv-gen2"

    def arguments(
        self,
        disk: Path,
        disk_format: str,
        ports: Mapping[str, Sequence[int]],
        direct_boot: DirectBoot | None = None,
    ) -> tuple[str, ...]:
        """QEMU's.  `ports`: network -> for each of ADDRESSES the port of this system that is forwarded to its port 22.

        Files other than the disk are relative to the directory that QEMU is started in.
        """
        hypervisor = {"hyperv-gen1": _generation1, "hyperv-gen2": _generation2, "xenserver": _xenserver}[self.kind]
        return (
            *("-name", self.kind),
            *("-accel", "tcg,thread=multi,tb-size=512"),
            *("-smp", str(self.processors), "-m", str(self.memory)),
            *("-nodefaults", "-display", "none"),
            *("-qmp", "unix:qmp.sock,server=on,wait=off"),
            *("-chardev", "file,id=ttyS0,path=ttyS0.log", "-serial", "chardev:ttyS0"),
            *("-blockdev", f"driver=file,filename={_escape(str(disk))},node-name=file0,cache.no-flush=on"),
            *("-blockdev", f"driver={disk_format},file=file0,node-name=disk0"),
            *hypervisor(self.processor_options),
            *_direct(direct_boot),
            *(part for network in self.networks for part in self._network(network, ports[network])),
            *(part for number, nic in enumerate(self.nics) for part in self._nic(nic, number)),
        )

    def _network(self, network: str, ports: Sequence[int]) -> tuple[str, ...]:
        number = SEGMENTS.index(network)
        subnet = f"10.0.{2 + number}"
        forwards = (
            f",hostfwd=tcp:127.0.0.1:{port}-{subnet}.{address}:22"
            for address, port in zip(ADDRESSES, ports, strict=True)
        )
        host = f"user,id={network},net={subnet}.0/24,ipv6=off{''.join(forwards)}"
        if not self._is_shared(network):
            return ("-netdev", host)
        return ("-netdev", host, "-netdev", f"hubport,id={network}-host,hubid={number},netdev={network}")

    def _nic(self, nic: Nic, number: int) -> tuple[str, ...]:
        instance = ""
        if nic.device == "synthetic":
            # Of the slot, as on a real host: it stays when the address changes.
            digits = nic.slot_mac.replace(":", "") * 3
            instance = f",instanceid={digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
        device = f"{_NIC_DEVICES[nic.device]},id={nic.name},mac={nic.mac}{instance}"
        if nic.segment != DEAD and not self._is_shared(nic.segment):
            return ("-device", f"{device},netdev={nic.segment}")
        hub = len(SEGMENTS) + number if nic.segment == DEAD else SEGMENTS.index(nic.segment)
        return ("-netdev", f"hubport,id=port{number},hubid={hub}", "-device", f"{device},netdev=port{number}")

    def _is_shared(self, segment: str) -> bool:
        return sum(nic.segment == segment for nic in self.nics) > 1


def choose(
    kind: str,
    nics: Sequence[str] = (),
    *,
    memory: int = 1024,
    processors: int = 2,
    processor_options: Sequence[str] = (),
) -> Hardware:
    """LabError when there is no such kind, or it has no such NIC; without `nics` it is the first of its kind.

    A NIC is spelled DEVICE[@SEGMENT][,mac=MAC][,link=down].  NICs of the same segment hear each other.  Without one the
    first NIC is on lan1, the second on lan2, and so on; `dead` is for each NIC a switch where nobody else is.
    """
    if kind not in KINDS:
        raise LabError(f"no machine of kind {kind}: there are {', '.join(KINDS)}")
    chosen: list[Nic] = []
    for spelled in nics or NICS[kind][:1]:
        chosen.append(_read_nic(kind, spelled, chosen))
    return Hardware(kind, tuple(chosen), memory, processors, tuple(processor_options))


def _read_nic(kind: str, spelled: str, before: Sequence[Nic]) -> Nic:
    match = _NIC.fullmatch(spelled)
    if match is None:
        raise LabError(f"{spelled!r} is no NIC: DEVICE[@SEGMENT][,mac=MAC][,link=down], MAC in lower case")
    device = match["device"]
    if device not in NICS[kind]:
        raise LabError(f"a {kind} has no NIC {device}: there are {', '.join(NICS[kind])}")
    if len(before) == len(SEGMENTS):
        raise LabError(f"a machine has at most {len(SEGMENTS)} NICs")
    segment = match["segment"] or SEGMENTS[len(before)]
    if segment not in (*SEGMENTS, DEAD):
        raise LabError(f"{spelled!r}: there is no segment {segment}: there are {', '.join((*SEGMENTS, DEAD))}")
    count = sum(nic.device == device for nic in before)
    slot_mac = _MACS[device].format(_FIRST_MAC[device] + 2 * count)
    name = device if count == 0 else f"{device}{count + 1}"
    return Nic(device, name, match["mac"] or slot_mac, segment, match["link"] != "down", slot_mac)


def _generation1(processor_options: Sequence[str]) -> tuple[str, ...]:
    """The DMI data is what makes Linux' ata_piix leave the emulated disk alone."""
    version = "version=7.0"
    return (
        *_PC,
        *("-smbios", "type=0,vendor=American Megatrends Inc.,version=090008,date=12/07/2018"),
        *_hyperv(version, processor_options),
        *("-device", "hv-ide,id=hvide0,channel=0,unit=0"),
        *("-device", f"scsi-hd,bus=hvide0.0,{_VIRTUAL_DISK}"),
    )


def _generation2(processor_options: Sequence[str]) -> tuple[str, ...]:
    """Nothing emulated but what the firmware and a serial console take."""
    version = "version=Hyper-V UEFI Release v4.0"
    return (
        *("-M", "pc-q35-10.0,hpet=off,smm=off,sata=off,smbus=off", "-vga", "none"),
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE}"),
        *("-drive", "if=pflash,format=raw,unit=1,file=variables.fd"),
        *("-smbios", f"type=0,vendor=Microsoft Corporation,{version},date=11/01/2019,uefi=on"),
        *_hyperv(version, processor_options),
        *("-device", "hv-scsi,id=hvscsi0"),
        *("-device", f"scsi-hd,bus=hvscsi0.0,{_VIRTUAL_DISK}"),
    )


def _hyperv(version: str, processor_options: Sequence[str]) -> tuple[str, ...]:
    """What both generations have."""
    vendor, product = "manufacturer=Microsoft Corporation", f"product=Virtual Machine,{version}"
    return (
        *("-cpu", ",".join(("qemu64,hv-tcg=on", _CPU, *processor_options))),
        *("-smbios", f"type=1,{vendor},{product}"),
        *("-smbios", f"type=2,{vendor},{product}"),
        *("-smbios", f"type=3,{vendor},{version},asset=5472-6110-8435-2281-9047-1163-42"),
        *("-device", "vmbus-bridge"),
        *("-acpitable", f"sig=SSDT,rev=2,oem_id=VRTUAL,oem_table_id=VMBUS,data={MEMORY_RANGE}"),
        *("-device", f"hv-balloon,id=balloon,instanceid={_BALLOON_ID}"),
        *("-device", "hv-timesync,id=timesync"),
        *("-device", "hv-heartbeat,id=heartbeat"),
        *("-device", "hv-shutdown,id=shutdown"),
        *("-device", "hv-kvp,id=kvp"),
        *("-device", "hv-vss,id=vss"),
    )


def _xenserver(processor_options: Sequence[str]) -> tuple[str, ...]:
    """A HVM domU of Xen 4.13, which is XenServer 8's and XCP-ng 8's."""
    return (
        *_PC,
        *("-cpu", ",".join(("qemu64,xen-tcg=on,xen-version=0x4000d", _CPU, *processor_options))),
        *("-uuid", _XEN_UUID),
        *("-smbios", "type=0,vendor=Xen,version=4.13,date=12/07/2021"),
        *("-smbios", f"type=1,manufacturer=Xen,product=HVM domU,version=4.13,serial={_XEN_UUID}"),
        *("-smbios", "type=3,manufacturer=Xen"),
        *("-device", "xen-disk,id=xvda,drive=disk0,vdev=xvda,share-rw=on"),
        *("-chardev", "file,id=hvc0,path=hvc0.log", "-device", "xen-console,id=console,chardev=hvc0"),
    )


def _direct(boot: DirectBoot | None) -> tuple[str, ...]:
    if boot is None:
        return ()
    return ("-kernel", boot.kernel, "-initrd", boot.initrd, "-append", boot.command_line)


def _escape(value: str) -> str:
    """A value inside QEMU's comma-separated options."""
    return value.replace(",", ",,")
