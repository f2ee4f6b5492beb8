# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import devices
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Disk, Nic
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

FIXTURES = pathlib.Path(__file__).parents[3] / "fixtures" / "hypervisor"


def nic(name: str, bus: str, driver: str, mac: str = "00:15:5d:01:02:03", pci: str = "") -> str:
    """A network interface in a manifest; pci is vendor:device."""
    device = f"/sys/devices/{bus}-of-{name}"
    ids = [f"=== {device}/{key}\n0x{number}\n" for key, number in zip(("vendor", "device"), pci.split(":")) if number]
    return (
        f"=== /sys/class/net/{name}/device -> {device}\n"
        f"=== {device}/driver -> ../../bus/{bus}/drivers/{driver}\n"
        f"=== {device}/subsystem -> ../../bus/{bus}\n"
        f"=== /sys/class/net/{name}/address\n{mac}\n"
        f"=== /sys/class/net/{name}/operstate\nup\n" + "".join(ids)
    )


def nics(manifest: str, path: pathlib.Path) -> tuple[Nic, ...]:
    guest_tree.build(manifest, path)
    return devices.gather_nics(Root(str(path)), pytest.fail)


def disks(manifest: str, path: pathlib.Path) -> tuple[Disk, ...]:
    guest_tree.build(manifest, path)
    return devices.gather_disks(Root(str(path)), pytest.fail)


@pytest.mark.parametrize(
    ("bus", "driver", "pci", "kind"),
    [
        ("vmbus", "hv_netvsc", "", "synthetic"),
        ("vmbus", "netvsc", "", "synthetic"),  # Linux 2.6.32
        ("pci", "tulip", "1011:0009", "legacy"),
        ("pci", "de4x5", "1011:0009", "legacy"),
        ("pci", "tulip", "1011:0019", "emulated"),
        ("pci", "e1000", "8086:100e", "emulated"),
        ("pci", "8139cp", "10ec:8139", "emulated"),
        ("pci", "ixgbe", "8086:10fb", "other"),
        ("xen", "vif", "", "xen"),
        ("virtio", "virtio_net", "", "virtio"),
        ("usb", "r8152", "", "other"),
    ],
)
def test_the_kind_of_a_network_interface_is_known(bus: str, driver: str, pci: str, kind: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (found,) = nics(nic("eth0", bus, driver, pci=pci), tmp_path)

    assert (found.kind, found.bus, found.lower_of) == (kind, bus, None)


def test_everything_about_a_network_interface_is_gathered(tmp_path: pathlib.Path) -> None:
    manifest = nic("enX0", "xen", "vif", mac="00:16:3E:0A:0B:0C")

    assert nics(manifest, tmp_path) == (Nic("enX0", "00:16:3e:0a:0b:0c", "xen-netfront", "xen", "xen", "up", None),)


def test_an_interface_without_driver_is_still_there(tmp_path: pathlib.Path) -> None:
    (found,) = nics("=== /sys/class/net/eth0/device -> /sys/devices/x\n=== /sys/devices/x/\n", tmp_path)

    assert found == Nic("eth0", None, None, "other", None, None, None)


def test_interfaces_without_hardware_are_left_out(tmp_path: pathlib.Path) -> None:
    manifest = nic("eth0", "vmbus", "hv_netvsc") + "".join(
        f"=== /sys/class/net/{name}/address\n00:15:5d:01:02:03\n" for name in ("lo", "br0", "bond0", "eth0.7", "tap0")
    )

    assert [found.name for found in nics(manifest, tmp_path)] == ["eth0"]


def test_a_virtual_function_belongs_to_the_synthetic_interface_with_its_address(tmp_path: pathlib.Path) -> None:
    manifest = (FIXTURES / "azure-accelerated.txt").read_text(encoding="utf-8")

    assert nics(manifest, tmp_path) == (
        Nic("enP4s1", "00:0d:3a:01:02:03", "mlx5_core", "virtual-function", "pci", "up", "eth0"),
        Nic("eth0", "00:0d:3a:01:02:03", "hv_netvsc", "synthetic", "vmbus", "up", None),
    )


def test_a_legacy_interface_in_one_bond_with_a_synthetic_one_is_no_virtual_function(tmp_path: pathlib.Path) -> None:
    manifest = nic("eth0", "vmbus", "hv_netvsc") + nic("eth1", "pci", "tulip", pci="1011:0009")

    assert [found.kind for found in nics(manifest, tmp_path)] == ["synthetic", "legacy"]


def test_only_pci_has_virtual_functions(tmp_path: pathlib.Path) -> None:
    manifest = nic("eth0", "vmbus", "hv_netvsc") + nic("eth1", "usb", "r8152")

    assert [found.kind for found in nics(manifest, tmp_path)] == ["synthetic", "other"]


def test_two_pci_interfaces_with_one_address_are_no_virtual_functions(tmp_path: pathlib.Path) -> None:
    manifest = nic("eth0", "pci", "ixgbe") + nic("eth1", "pci", "ixgbe")

    assert [found.kind for found in nics(manifest, tmp_path)] == ["other", "other"]


CONTROLLER = "/sys/devices/VMBUS:00/00000000-0000-8899-0000-000000000000"
SYNTHETIC_DISK = f"""\
=== {CONTROLLER}/driver -> ../../../bus/vmbus/drivers/hv_storvsc
=== {CONTROLLER}/host0/target0:0:0/0:0:0:0/driver -> ../../../../../../bus/scsi/drivers/sd
=== {CONTROLLER}/host0/target0:0:0/0:0:0:0/vendor
Msft
=== {CONTROLLER}/host0/target0:0:0/0:0:0:0/model
Virtual Disk
=== /sys/block/sda/device -> {CONTROLLER}/host0/target0:0:0/0:0:0:0
=== /sys/block/sda/size
41943040
"""


def test_a_synthetic_disk_has_the_driver_of_its_controller(tmp_path: pathlib.Path) -> None:
    expected = Disk("sda", "hv_storvsc", 21474836480, "Msft", "Virtual Disk", "synthetic")

    assert disks(SYNTHETIC_DISK, tmp_path) == (expected,)


@pytest.mark.parametrize(
    ("name", "device", "driver", "kind"),
    [
        ("xvda", "vbd-51712", "vbd", "xen"),
        ("vda", "pci0000:00/0000:00:02.0/virtio1", "virtio_blk", "virtio"),
        ("sda", "pci0000:00/0000:00:07.1", "ata_piix", "emulated"),
        ("sda", "pci0000:00/0000:00:1f.2", "ahci", "other"),
        ("sda", "VMBUS:00/blkvsc0", "blkvsc", "synthetic"),  # Linux 2.6.32
        ("nvme0n1", "pci0000:00/0000:00:03.0", "nvme", "other"),
    ],
)
def test_the_kind_of_a_disk_is_known(name: str, device: str, driver: str, kind: str, tmp_path: pathlib.Path) -> None:
    manifest = (
        f"=== /sys/devices/{device}/driver -> ../../bus/x/drivers/{driver}\n"
        f"=== /sys/devices/{device}/below/of/it/type\n0\n"
        f"=== /sys/block/{name}/device -> ../../devices/{device}/below/of/it\n"
    )

    (found,) = disks(manifest, tmp_path)

    assert found.kind == kind
    assert found.driver == {"vbd": "xen-blkfront"}.get(driver, driver)
    assert found.size is None


def test_what_is_no_disk_is_left_out(tmp_path: pathlib.Path) -> None:
    virtual = "".join(f"=== /sys/block/{name}/size\n8\n" for name in ("loop0", "ram0", "dm-0", "md0", "zram0"))
    drives = "".join(f"=== /sys/block/{name}/device -> ../../devices/pci\n" for name in ("sr0", "fd0"))

    assert disks(virtual + drives + "=== /sys/devices/pci/type\n5\n", tmp_path) == ()


def test_a_guest_that_is_not_running_has_no_devices(tmp_path: pathlib.Path) -> None:
    assert nics("=== /etc/hostname\nweb01\n", tmp_path) == ()
    assert disks("=== /etc/hostname\nweb01\n", tmp_path) == ()


def test_this_machine_s_devices_are_gathered() -> None:
    problems: list[object] = []

    found = devices.gather_disks(Root("/"), problems.append)

    assert all(disk.size for disk in found)
    devices.gather_nics(Root("/"), problems.append)
