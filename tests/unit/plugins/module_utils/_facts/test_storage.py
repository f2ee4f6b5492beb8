# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import storage
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import BlockDevice, Storage
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.superblock import FileSystem
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree


def gather(path: pathlib.Path, manifest: str, devices: tuple[BlockDevice, ...] | None = None) -> Storage:
    guest_tree.build(manifest, path)
    return storage.gather(Root(str(path)), pytest.fail, devices)


def test_an_empty_tree_names_no_disk(tmp_path: pathlib.Path) -> None:
    assert gather(tmp_path, "=== /etc/hostname\nguest\n") == Storage(None, None, (), None, None, ())


def test_every_file_that_names_disks_is_taken_as_it_is(tmp_path: pathlib.Path) -> None:
    paths = ("/etc/fstab", "/etc/crypttab", "/etc/mdadm/mdadm.conf", "/etc/lvm/lvm.conf")
    found = gather(tmp_path, "".join(f"=== {path}\n# {path}\n" for path in paths))
    files = (found.fstab, found.crypttab, found.mdadm, found.lvm)
    assert [(file.path, file.text) for file in files if file is not None] == [(path, f"# {path}\n") for path in paths]


def test_files_that_set_the_resume_device_are_found(tmp_path: pathlib.Path) -> None:
    base = "/etc/initramfs-tools"
    manifest = (
        f"=== {base}/initramfs.conf\nMODULES=most\nRESUME=/dev/xvda2\n=== {base}/conf.d/resume\nRESUME=none\n"
        f"=== {base}/conf.d/driver-policy\nMODULES=dep\n=== {base}/conf.d/commented\n#RESUME=/dev/sda2\n"
    )
    found = gather(tmp_path, manifest).resume
    assert [file.path for file in found] == [f"{base}/initramfs.conf", f"{base}/conf.d/resume"]


def test_bytes_that_are_not_utf_8_survive(tmp_path: pathlib.Path) -> None:
    guest_tree.build("=== /etc/hostname\nguest\n", tmp_path)
    (tmp_path / "etc/fstab").write_bytes(b"# caf\xe9\r\n")
    found = storage.gather(Root(str(tmp_path)), pytest.fail).fstab
    assert found is not None
    assert found.text.encode("utf-8", "surrogateescape") == b"# caf\xe9\r\n"


def test_the_devices_of_an_image_are_those_of_the_guest(tmp_path: pathlib.Path) -> None:
    disks = (BlockDevice(("xvda1", "sda1"), FileSystem("ext4", "1")),)
    assert gather(tmp_path, "=== /etc/hostname\nguest\n", disks).devices is disks
    assert gather(tmp_path / "none", "=== /etc/hostname\nguest\n", ()).devices == ()


def sysfs(*names: str) -> str:
    """/sys/class/block of these disks and partitions (disk/partition)."""
    lines = []
    for name in names:
        disk, _slash, partition = name.partition("/")
        place = f"/sys/devices/vbd-768/block/{name}"
        lines.append(f"=== /sys/class/block/{partition or disk} -> ../../devices/vbd-768/block/{name}\n")
        lines.append(f"=== {place}/size\n2048\n")
        if partition:
            lines.append(f"=== {place}/partition\n1\n")
    return "".join(lines)


def test_who_may_not_read_disks_knows_what_udev_found_out(tmp_path: pathlib.Path) -> None:
    links = "=== /dev/disk/by-uuid/0d8f-7f0e -> ../../xvda1\n=== /dev/disk/by-uuid/1234 -> ../../dm-0\n"
    found = gather(tmp_path, sysfs("xvda", "xvda/xvda1", "dm-0", "loop0", "sr0") + links)
    assert found.devices == (BlockDevice(("xvda1",), FileSystem("unknown", "0d8f-7f0e")),)


def test_a_disk_without_partitions_is_a_device_itself(tmp_path: pathlib.Path) -> None:
    found = gather(tmp_path, sysfs("xvdb") + "=== /dev/disk/by-uuid/0d8f-7f0e -> ../../xvdb\n")
    assert found.devices == (BlockDevice(("xvdb",), FileSystem("unknown", "0d8f-7f0e")),)


def test_device_nodes_of_a_guest_that_is_not_running_are_not_opened(tmp_path: pathlib.Path) -> None:
    guest_tree.build(sysfs("xvda"), tmp_path)
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/xvda")
    assert storage.gather(Root(str(tmp_path)), pytest.fail).devices == ()


def test_the_running_system_shows_its_own_disks() -> None:
    problems = []
    names = {name for device in storage.gather(Root("/"), problems.append).devices for name in device.names}
    assert not {name for name in names if name.startswith(("loop", "dm-", "ram"))}
    there = set(os.listdir("/sys/class/block")) if os.path.isdir("/sys/class/block") else set()
    assert names <= there
