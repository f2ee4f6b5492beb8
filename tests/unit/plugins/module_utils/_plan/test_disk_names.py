# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import disk_names
from ansible_collections.rehost.hyperv.tests.unit.small_guest import device

UUID = "7b2d0f4c-91e5-4a38-b6c1-2f8e4d5a6b70"


@pytest.mark.parametrize(
    "spec",
    [
        "/dev/xvda1",
        "/dev/xvda",
        "/dev/sdb12",
        "/dev/hda5",
        "/dev/vdaa1",
        "/dev/disk/by-path/xen-vbd-51712-part1",
        "/dev/disk/by-id/ata-QEMU_HARDDISK_QM00001-part1",
        "/dev/disk/by-diskseq/1",
    ],
)
def test_a_name_by_hardware_is_unstable(spec: str) -> None:
    assert disk_names.is_unstable(spec)


@pytest.mark.parametrize(
    "spec",
    [
        f"UUID={UUID}",
        "LABEL=root",
        "PARTUUID=3d6a51c8-01",
        "/dev/mapper/vg0-root",
        "/dev/vg0/root",
        "/dev/md0",
        "/dev/sr0",
        "/dev/fd0",
        "/dev/disk/by-uuid/" + UUID,
        "/dev/disk/by-id/dm-name-vg0-root",
        "/dev/disk/by-id/md-uuid-0:1:2:3",
        "/dev/disk/by-id/lvm-pv-uuid-q3kZ0V",
        "proc",
        "server:/export",
        "/swapfile",
        "/dev/sdfoo/bar",
    ],
)
def test_a_name_by_content_is_stable(spec: str) -> None:
    assert not disk_names.is_unstable(spec)


@pytest.mark.parametrize(("pattern", "is_unstable"), [("/dev/xvd*", True), ("/dev/sd[ab]1", True), ("/dev/md*", False)])
def test_a_pattern_is_judged_by_its_beginning(pattern: str, is_unstable: bool) -> None:
    assert disk_names.is_unstable_pattern(pattern) is is_unstable


def test_a_device_is_found_under_the_name_of_any_hypervisor() -> None:
    disks = (device("a1"), device("a12"))
    for name in ("/dev/xvda1", "/dev/sda1", "/dev/hda1"):
        assert disk_names.find(disks, name) is disks[0]
    assert disk_names.find(disks, "/dev/xvda12") is disks[1]
    assert disk_names.find(disks, "/dev/xvda2") is None
    assert disk_names.find(disks, "/dev/disk/by-path/xen-vbd-51712-part1") is None


def test_the_uuid_is_the_first_choice() -> None:
    only = device("a1", "ext4", UUID, "root", "3d6a51c8-01")
    assert disk_names.stable_spec((only,), only) == f"UUID={UUID}"


def test_a_uuid_that_two_devices_have_is_not_used() -> None:
    disks = (device("a1", "ext4", UUID, "root"), device("b1", "ext4", UUID, "copy"))
    assert disk_names.stable_spec(disks, disks[0]) == "LABEL=root"


def test_a_label_that_two_devices_have_is_not_used() -> None:
    disks = (device("a1", "ext4", None, "root", "3d6a51c8-01"), device("b1", "ext4", None, "root", "3d6a51c8-02"))
    assert disk_names.stable_spec(disks, disks[1]) == "PARTUUID=3d6a51c8-02"


def test_a_label_with_blanks_is_not_used() -> None:
    only = device("a1", "ext4", None, "my root", "3d6a51c8-01")
    assert disk_names.stable_spec((only,), only) == "PARTUUID=3d6a51c8-01"


def test_a_partition_without_content_has_its_own_uuid() -> None:
    only = device("a1", "", partition_uuid="3d6a51c8-01")
    assert disk_names.stable_spec((only,), only) == "PARTUUID=3d6a51c8-01"


def test_two_disks_cloned_whole_cannot_be_told_apart() -> None:
    disks = tuple(device(name, "ext4", UUID, "root", "3d6a51c8-01") for name in ("a1", "b1"))
    assert disk_names.stable_spec(disks, disks[0]) is None
