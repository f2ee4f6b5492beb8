# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hardware of the lab's machines, as QEMU's command line spells it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ._paths import LabError

KINDS = ("hyperv-gen1", "xenserver")
# The first one is what a machine has unless told otherwise.
NICS = {"hyperv-gen1": ("synthetic", "legacy"), "xenserver": ("vif",)}
CONSOLES = {"hyperv-gen1": ("ttyS0",), "xenserver": ("ttyS0", "hvc0")}

_CPU = "-svm,+ssse3,+sse4.1,+sse4.2,+popcnt,+x2apic"
_XEN_UUID = "5f3f2a1e-9d36-4c6b-8f0e-2b7d7c1a9e10"
_BALLOON_ID = "1eccfd72-4b41-45ef-b73a-4a6e44c12924"  # random at each start unless given
_NIC_DEVICES = {
    "synthetic": "hv-net,id=synthetic,mac=00:15:5d:01:02:03",
    "legacy": "tulip,id=legacy,dec21140=on,mac=00:15:5d:01:02:04",
    "vif": "xen-net-device,id=vif,mac=00:16:3e:01:02:03",
}


class Hardware(NamedTuple):
    """`memory` is in MiB; `processor_options` are for QEMU's -cpu, such as hv-clock-skew-ppm=300."""

    kind: str
    nics: tuple[str, ...]
    memory: int
    processors: int
    has_outside: bool
    processor_options: tuple[str, ...]

    def arguments(self, disk: Path, disk_format: str, ports: Mapping[str, int]) -> tuple[str, ...]:
        """QEMU's.  `ports`: NIC -> host port that is forwarded to its port 22.

        Files other than the disk are relative to the directory that QEMU is started in.
        """
        hypervisor = _hyperv if self.kind == "hyperv-gen1" else _xenserver
        return (
            *("-name", self.kind),
            *("-accel", "tcg,thread=multi,tb-size=512"),
            *("-M", "pc-i440fx-10.0,hpet=off"),
            *("-smp", str(self.processors), "-m", str(self.memory)),
            *("-nodefaults", "-display", "none", "-vga", "std"),
            *("-qmp", "unix:qmp.sock,server=on,wait=off"),
            *("-chardev", "file,id=ttyS0,path=ttyS0.log", "-serial", "chardev:ttyS0"),
            *("-global", "PIIX4_PM.acpi-root-pci-hotplug=off"),
            *("-blockdev", f"driver=file,filename={_escape(str(disk))},node-name=file0,cache.no-flush=on"),
            *("-blockdev", f"driver={disk_format},file=file0,node-name=disk0"),
            # The emulated face of the disk, for the BIOS and GRUB; the hypervisor's bus shows it once more.
            *("-device", "ide-hd,drive=disk0,bus=ide.0,unit=0,share-rw=on,bootindex=1"),
            *hypervisor(self.processor_options),
            *(part for number, nic in enumerate(self.nics) for part in self._nic(nic, number, ports[nic])),
        )

    def _nic(self, nic: str, number: int, port: int) -> tuple[str, ...]:
        restrict = "off" if self.has_outside else "on"
        forward = f"hostfwd=tcp:127.0.0.1:{port}-:22"
        return (
            *("-netdev", f"user,id=net{number},net=10.0.{2 + number}.0/24,ipv6=off,restrict={restrict},{forward}"),
            *("-device", f"{_NIC_DEVICES[nic]},netdev=net{number}"),
        )


def choose(
    kind: str,
    nics: Sequence[str] = (),
    *,
    memory: int = 1024,
    processors: int = 2,
    has_outside: bool = False,
    processor_options: Sequence[str] = (),
) -> Hardware:
    """LabError when there is no such kind, or it has no such NIC; without `nics` it is the first of its kind."""
    if kind not in KINDS:
        raise LabError(f"no machine of kind {kind}: there are {', '.join(KINDS)}")
    strange = [nic for nic in nics if nic not in NICS[kind]]
    if strange or len(set(nics)) != len(nics):
        raise LabError(f"a {kind} has no NICs {', '.join(nics)}: there are {', '.join(NICS[kind])}, each once")
    return Hardware(kind, tuple(nics or NICS[kind][:1]), memory, processors, has_outside, tuple(processor_options))


def _hyperv(processor_options: Sequence[str]) -> tuple[str, ...]:
    """Generation 1.  The DMI data is what makes Linux' ata_piix leave the emulated disk alone."""
    vendor, product = "manufacturer=Microsoft Corporation", "product=Virtual Machine,version=7.0"
    return (
        *("-cpu", ",".join(("qemu64,hv-tcg=on", _CPU, *processor_options))),
        *("-smbios", "type=0,vendor=American Megatrends Inc.,version=090008,date=12/07/2018"),
        *("-smbios", f"type=1,{vendor},{product}"),
        *("-smbios", f"type=2,{vendor},{product}"),
        *("-smbios", f"type=3,{vendor},version=7.0,asset=5472-6110-8435-2281-9047-1163-42"),
        *("-device", "vmbus-bridge"),
        *("-device", f"hv-balloon,id=balloon,instanceid={_BALLOON_ID}"),
        *("-device", "hv-timesync,id=timesync"),
        *("-device", "hv-heartbeat,id=heartbeat"),
        *("-device", "hv-shutdown,id=shutdown"),
        *("-device", "hv-kvp,id=kvp"),
        *("-device", "hv-vss,id=vss"),
        *("-device", "hv-ide,id=hvide0,channel=0,unit=0"),
        *("-device", "scsi-hd,bus=hvide0.0,drive=disk0,share-rw=on,vendor=Msft,product=Virtual Disk,ver=1.0"),
    )


def _xenserver(processor_options: Sequence[str]) -> tuple[str, ...]:
    """A HVM domU of Xen 4.13, which is XenServer 8's and XCP-ng 8's."""
    return (
        *("-cpu", ",".join(("qemu64,xen-tcg=on,xen-version=0x4000d", _CPU, *processor_options))),
        *("-uuid", _XEN_UUID),
        *("-smbios", "type=0,vendor=Xen,version=4.13,date=12/07/2021"),
        *("-smbios", f"type=1,manufacturer=Xen,product=HVM domU,version=4.13,serial={_XEN_UUID}"),
        *("-smbios", "type=3,manufacturer=Xen"),
        *("-device", "xen-disk,id=xvda,drive=disk0,vdev=xvda,share-rw=on"),
        *("-chardev", "file,id=hvc0,path=hvc0.log", "-device", "xen-console,id=console,chardev=hvc0"),
    )


def _escape(value: str) -> str:
    """A value inside QEMU's comma-separated options."""
    return value.replace(",", ",,")
