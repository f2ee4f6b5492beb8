# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING, ImageDisk, gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    BlockDevice,
    InitramfsConfig,
    Problem,
    Storage,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import IMAGE, VERSION


def test_everything_is_gathered_unless_parts_are_asked_for(tmp_path: pathlib.Path) -> None:
    guest_tree.build(small_guest.BASE, tmp_path)
    facts = gather(Root(str(tmp_path)))
    assert not facts.is_live
    assert [kernel.version for kernel in facts.kernels] == [VERSION]
    assert [image.path for image in facts.images] == [IMAGE]
    assert facts.storage.fstab is not None
    assert facts.initramfs.generators == ("initramfs-tools",)
    assert facts.history is None
    assert facts.problems == ()
    assert set(facts.free_bytes) == {"/", "/boot", "/var/tmp"}
    assert facts.free_bytes["/boot"] > 0
    assert facts.free_bytes["/var/tmp"] == 0  # there is none


@pytest.mark.parametrize("part", ["kernels", "images", "initramfs", "storage"])
def test_only_the_part_that_is_not_asked_for_is_empty(part: str, tmp_path: pathlib.Path) -> None:
    guest_tree.build(small_guest.BASE, tmp_path)
    root = Root(str(tmp_path))
    whole, rest = gather(root), gather(root, EVERYTHING - {part})
    empty = {
        "kernels": (),
        "images": (),
        "initramfs": InitramfsConfig((), None, (), False, ()),
        "storage": Storage(None, None, (), None, None, ()),
    }
    for name, nothing in empty.items():
        expected = nothing if name == part else getattr(whole, name)
        assert getattr(whole, name) != nothing
        assert getattr(rest, name) == expected
    assert (rest.boot, rest.system) == (whole.boot, whole.system)


def test_nothing_but_boot_and_system_is_gathered_unless_it_is_asked_for(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path, "=== /etc/modprobe.d/xen.conf\nalias eth0 xennet\n", parts=frozenset())
    assert (facts.kernels, facts.images, facts.storage.devices, facts.xen.modprobe) == ((), (), (), ())
    assert facts.boot.entries != ()


def test_images_are_those_of_the_menu_and_of_the_kernels(tmp_path: pathlib.Path) -> None:
    menu = small_guest.grub(small_guest.entry(VERSION, initrd="/boot/other.img"))
    facts = small_guest.look(tmp_path, menu + "=== /boot/other.img\n\n")
    assert {image.path for image in facts.images} == {"/boot/other.img", IMAGE}


def test_what_the_disk_shows_is_part_of_the_facts(tmp_path: pathlib.Path) -> None:
    guest_tree.build(small_guest.BASE, tmp_path)
    problem = Problem("/guest.img", "the backup of the partition table is damaged")
    disk = ImageDisk((BlockDevice(("sda",), None),), has_boot_code=False, has_esp=True, problems=(problem,))
    facts = gather(Root(str(tmp_path)), EVERYTHING, disk)
    assert facts.storage.devices == disk.devices
    assert (facts.boot.has_mbr_loader, facts.boot.has_esp) == (False, True)
    assert facts.problems == (problem,)


def test_without_a_disk_it_is_not_known_what_it_shows(tmp_path: pathlib.Path) -> None:
    guest_tree.build(small_guest.BASE, tmp_path)
    facts = gather(Root(str(tmp_path)))
    assert facts.boot.has_mbr_loader is None
    assert facts.storage.devices == ()


def test_what_cannot_be_read_is_a_problem_told_once(tmp_path: pathlib.Path) -> None:
    guest_tree.build(small_guest.BASE.replace("=== /etc/fstab", "=== /etc/other") + "=== /etc/fstab/\n", tmp_path)
    facts = gather(Root(str(tmp_path)))
    assert [problem.path for problem in facts.problems] == ["/etc/fstab"]
    assert facts.storage.fstab is None


def test_the_running_system_is_live() -> None:
    assert gather(Root("/"), frozenset()).is_live
