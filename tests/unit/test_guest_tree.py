# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import stat
import subprocess

import pytest
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

MODULES = """\
=== /lib/modules/4.19.0-27-amd64/ modules
drivers/hv/hv_vmbus
drivers/scsi/scsi_mod
drivers/scsi/scsi_transport_fc: scsi_mod
drivers/scsi/hv_storvsc: hv_vmbus scsi_transport_fc
drivers/hid/hid-hyperv: hv_vmbus
builtin drivers/net/loopback
"""


def tree(manifest: str, path: pathlib.Path) -> pathlib.Path:
    guest_tree.build(manifest, path)
    return path


def test_a_file_has_the_lines_below_its_header(tmp_path: pathlib.Path) -> None:
    tree("# a guest\n\n=== /etc/a mode=0600\n# one\n\ntwo\n\n=== /etc/b no-newline\nthree\n", tmp_path)
    assert (tmp_path / "etc/a").read_text() == "# one\n\ntwo\n"
    assert stat.S_IMODE((tmp_path / "etc/a").stat().st_mode) == 0o600
    assert (tmp_path / "etc/b").read_text() == "three"


def test_what_stands_before_the_first_header_is_the_description() -> None:
    assert guest_tree.description("# Boots\n# nowhere.\n\n=== /a\nb\n") == "Boots\nnowhere."


def test_links_directories_bytes_and_sparse_files(tmp_path: pathlib.Path) -> None:
    manifest = "=== /lib -> usr/lib\n=== /usr/lib/ mode=0700\n=== /b base64\nAAH/\n=== /swap size=10737418240\n"
    tree(manifest, tmp_path)
    assert os.readlink(tmp_path / "lib") == "usr/lib"
    assert stat.S_IMODE((tmp_path / "usr/lib").stat().st_mode) == 0o700
    assert (tmp_path / "b").read_bytes() == b"\0\1\xff"
    assert (tmp_path / "swap").stat().st_size == 10 << 30
    assert (tmp_path / "swap").stat().st_blocks == 0


def test_a_later_section_replaces_an_earlier_one(tmp_path: pathlib.Path) -> None:
    tree("=== /a\none\n=== /b -> a\n=== /a\ntwo\n=== /b\nthree\n", tmp_path)
    assert (tmp_path / "a").read_text() == "two\n"
    assert (tmp_path / "b").read_text() == "three\n"


def test_a_path_through_a_link_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="leads through the link"):
        guest_tree.build("=== /lib -> /\n=== /lib/escaped\nx\n", tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owners_are_those_of_the_manifest(tmp_path: pathlib.Path) -> None:
    tree("=== /a uid=1000 gid=50\n=== /b\n", tmp_path)
    assert ((tmp_path / "a").stat().st_uid, (tmp_path / "a").stat().st_gid) == (1000, 50)
    assert (tmp_path / "b").stat().st_uid == 0


def test_modules_dep_lists_everything_a_module_needs(tmp_path: pathlib.Path) -> None:
    modules = tree(MODULES, tmp_path) / "lib/modules/4.19.0-27-amd64"
    assert (
        "kernel/drivers/scsi/hv_storvsc.ko: kernel/drivers/hv/hv_vmbus.ko kernel/drivers/scsi/scsi_transport_fc.ko"
        " kernel/drivers/scsi/scsi_mod.ko\n"
    ) in (modules / "modules.dep").read_text()
    assert (modules / "modules.builtin").read_text() == "kernel/drivers/net/loopback.ko\n"
    assert (modules / "kernel/drivers/hid/hid-hyperv.ko").is_file()


@pytest.mark.parametrize("method", ["none", "gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "lzo"])
def test_an_initramfs_holds_the_modules_and_what_they_need(method: str, tmp_path: pathlib.Path) -> None:
    header = f"=== /boot/initrd.img-4.19.0-27-amd64 initramfs={method}"
    tree(f"{MODULES}{header}\nhv_storvsc\nconf/conf.d/resume: # none\nconf/conf.d/resume: RESUME=none\n", tmp_path)
    tools = {
        "none": ["cat"],
        "gzip": ["gzip", "-dc"],
        "bzip2": ["bzip2", "-dc"],
        "xz": ["xz", "-dc"],
        "lzma": ["xz", "-dc", "--format=lzma"],
        "zstd": ["zstd", "-dc"],
        "lz4": ["lz4", "-dc"],
        "lzo": ["lzop", "-dc"],
    }
    data = (tmp_path / "boot/initrd.img-4.19.0-27-amd64").read_bytes()
    archive = subprocess.run(tools[method], input=data, stdout=subprocess.PIPE, check=True).stdout
    listed = subprocess.run(["cpio", "-it", "--quiet"], input=archive, stdout=subprocess.PIPE, check=True).stdout
    names = listed.decode().split("\n")
    assert "lib/modules/4.19.0-27-amd64/kernel/drivers/scsi/scsi_transport_fc.ko" in names
    assert "lib/modules/4.19.0-27-amd64/kernel/drivers/hid/hid-hyperv.ko" not in names
    assert "conf/conf.d/resume" in names
    assert b"# none\nRESUME=none\n" in archive


def test_early_microcode_stands_in_front_of_the_image(tmp_path: pathlib.Path) -> None:
    tree(MODULES + "=== /boot/initrd.img-4.19.0-27-amd64 initramfs=gzip early merged\n*\n", tmp_path)
    data = (tmp_path / "boot/initrd.img-4.19.0-27-amd64").read_bytes()
    assert data.startswith(b"070701")
    assert b"kernel/x86/microcode/GenuineIntel.bin\0" in data
    assert b"\x1f\x8b" in data


def test_a_tree_is_built_the_same_every_time(tmp_path: pathlib.Path) -> None:
    manifest = MODULES + "=== /boot/initrd.img-4.19.0-27-amd64 initramfs=gzip\n*\n=== /a -> b\n"
    first = guest_tree.snapshot(tree(manifest, tmp_path / "first"))
    assert (
        guest_tree.compare(first, guest_tree.snapshot(tree(manifest, tmp_path / "second")), directory_times=True) == []
    )


def test_every_kind_of_change_is_seen(tmp_path: pathlib.Path) -> None:
    tree("=== /text\na\n=== /mode\n=== /link -> a\n=== /gone\n=== /hole size=104857600\n=== /same\n", tmp_path)
    before = guest_tree.snapshot(tmp_path)
    (tmp_path / "text").write_text("b\n")
    os.utime(tmp_path / "text", (guest_tree.BUILD_TIME, guest_tree.BUILD_TIME))
    (tmp_path / "mode").chmod(0o600)
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").mkdir()
    with (tmp_path / "hole").open("r+b") as stream:
        stream.seek(50 << 20)
        stream.write(b"x")
    found = guest_tree.compare(before, guest_tree.snapshot(tmp_path))
    assert [line.split()[0] for line in found] == ["/gone", "/hole", "/link", "/mode", "/new", "/text"]
    assert found[3] == "/mode changed: mode 0o644 -> 0o600"
    assert "/text changed: content" in found[5]


def test_bytes_and_holes_of_a_large_file_count(tmp_path: pathlib.Path) -> None:
    tree("=== /swap size=10737418240\n", tmp_path)
    contents = set()
    for offset, data in ((0, b""), (5 << 30, b"x" * (2 << 20)), ((5 << 30) + (1 << 20), b"y"), (9 << 30, b"x")):
        with (tmp_path / "swap").open("r+b") as stream:
            stream.seek(offset)
            stream.write(data)
        contents.add(guest_tree.snapshot(tmp_path)["/swap"].content)
    assert len(contents) == 4


def test_the_time_of_a_directory_counts_on_request(tmp_path: pathlib.Path) -> None:
    tree("=== /etc/a\n", tmp_path)
    before = guest_tree.snapshot(tmp_path)
    (tmp_path / "etc/b").touch()
    (tmp_path / "etc/b").unlink()
    after = guest_tree.snapshot(tmp_path)
    assert guest_tree.compare(before, after) == []
    assert [line.split()[0] for line in guest_tree.compare(before, after, directory_times=True)] == ["/etc"]


@pytest.mark.parametrize("name", guest_tree.NAMES)
def test_every_golden_guest_can_be_built_and_says_what_to_expect(name: str, tmp_path: pathlib.Path) -> None:
    guest_tree.build_guest(name, tmp_path)
    assert "Expected:" in guest_tree.description(guest_tree.load(name))
    assert (tmp_path / "etc/fstab").is_file()
