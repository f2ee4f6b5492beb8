# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import os
import pathlib
import struct
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import superblock
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import (
    MIB,
    PASSPHRASE,
    Part,
    build_disk,
    make_file_system,
    run,
)
from hypothesis import given
from hypothesis import strategies as st

UUID = "5f0e5c1a-0a9b-4c57-9a53-4b6f2f6b7d01"


def blkid(path: pathlib.Path, offset: int = 0) -> dict[str, str]:
    """What blkid finds by probing, as tag -> value."""
    words = run("blkid", "-p", "-O", str(offset), "-o", "export", path).decode().splitlines()
    # The export form quotes for a shell: a backslash before what is not plain.
    return {name: value.replace("\\ ", " ") for name, value in (word.split("=", 1) for word in words if "=" in word)}


def identify(path: pathlib.Path, offset: int = 0, size: int | None = None) -> superblock.FileSystem | None:
    with path.open("rb") as stream:
        return superblock.identify(stream, offset, size)


def same_as_blkid(path: pathlib.Path) -> superblock.FileSystem:
    found, wanted = identify(path), blkid(path)
    assert found is not None
    assert (found.type, found.uuid, found.label) == (wanted["TYPE"], wanted.get("UUID"), wanted.get("LABEL"))
    if "VERSION" in wanted:
        assert found.version == wanted["VERSION"]
    return found


@pytest.mark.parametrize(
    ("fs", "options"),
    [
        ("ext2", ()),
        ("ext2", ("-r", "0")),
        ("ext3", ()),
        ("ext4", ()),
        ("ext4", ("-O", "^has_journal")),
        ("ext4", ("-O", "64bit,metadata_csum", "-b", "4096")),
        ("ext4", ("-b", "1024")),
        ("xfs", ()),
        ("xfs", ("-m", "crc=0")),
        ("btrfs", ()),
        ("swap", ()),
        ("swap", ("-p", "16384")),
        ("swap", ("-p", "65536")),
        ("vfat", ("-F", "12")),
        ("vfat", ("-F", "16")),
        ("vfat", ("-F", "32")),
        ("luks1", ()),
        ("luks2", ()),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_a_real_mkfs_made_is_identified_as_blkid_does(
    tmp_path: pathlib.Path, fs: str, options: tuple[str, ...], named: bool
) -> None:
    path = tmp_path / "image"
    label = ("ROOT 1" if fs == "vfat" else "root_1") if named and fs != "luks1" else None
    uuid = ("12AB-34CD" if fs == "vfat" else UUID) if named else None
    build_disk(path, None, [Part(48, fs, uuid=uuid, label=label, options=options)])
    found = same_as_blkid(path)
    if named:
        assert (found.uuid, found.label) == (uuid, label)
    size = path.stat().st_size
    if found.size is not None:
        assert size - 65536 <= found.size <= size
    assert not found.needs_recovery
    assert not found.problems
    assert not found.others


def test_a_partition_is_identified_at_its_offset(tmp_path: pathlib.Path) -> None:
    disk = build_disk(tmp_path / "disk", "dos", [Part(8, "swap", uuid=UUID), Part(8, "ext4", label="data")])
    swap, data = (identify(disk.path, place.start, place.size) for place in disk.placed)
    assert swap is not None
    assert data is not None
    assert (swap.type, swap.uuid, data.type, data.label) == ("swap", UUID, "ext4", "data")


def test_an_interrupted_re_encryption_is_a_problem(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(24, "luks2")])
    quick = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode")
    run("cryptsetup", "reencrypt", "--init-only", *quick, path, "--key-file", "-", stdin=PASSPHRASE)
    found = same_as_blkid(path)
    assert found.problems == ("its re-encryption was not finished",)


def test_nothing_is_found_in_nothing(tmp_path: pathlib.Path) -> None:
    assert superblock.identify(io.BytesIO()) is None
    assert superblock.identify(io.BytesIO(bytes(200000))) is None


def test_a_label_that_fills_its_field_is_read_whole(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(8, "ext4", label="sixteen-letters!")])
    assert same_as_blkid(path).label == "sixteen-letters!"


def test_a_label_that_is_not_utf8_keeps_its_bytes(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    disk = build_disk(path, None, [Part(8, "ext4")])
    disk.flip(1024 + 120, b"\xe9t\xe9")
    found = identify(path)
    assert found is not None
    assert os.fsencode(found.label or "") == b"\xe9t\xe9"


def test_a_journal_that_waits_for_recovery_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(8, "ext4")])
    run("debugfs", "-w", "-R", "feature needs_recovery", path)
    found = identify(path)
    assert found is not None
    assert found.needs_recovery
    assert found.type == "ext4"


def test_recorded_errors_are_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(8, "ext4")])
    run("debugfs", "-w", "-R", "set_super_value state 2", path)
    found = identify(path)
    assert found is not None
    assert "errors" in found.problems[0]


def test_an_ext2_that_was_not_unmounted_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(8, "ext2")])
    run("debugfs", "-w", "-R", "set_super_value state 0", path)
    found = identify(path)
    assert found is not None
    assert "not unmounted cleanly" in found.problems[0]


def test_swap_that_holds_a_hibernated_system_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    disk = build_disk(path, None, [Part(8, "swap", uuid=UUID)])
    disk.flip(4086, b"S1SUSPEND\0")
    found = same_as_blkid(path)
    assert (found.type, found.uuid) == ("swsuspend", UUID)
    assert "hibernated" in found.problems[0]


def test_a_second_signature_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    disk = build_disk(path, None, [Part(8, "ext4")])
    disk.flip(4086, b"SWAPSPACE2")
    found = identify(path)
    assert found is not None
    assert {found.type, *found.others} == {"swap", "ext4"}


def test_an_lvm_volume_is_identified_as_blkid_does(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    pvcreate(path)
    found = same_as_blkid(path)
    assert found.type == "LVM2_member"
    assert not found.is_mountable


def pvcreate(path: pathlib.Path) -> None:
    """A physical volume with the label that LVM writes; LVM itself accepts block devices only."""
    uuid = b"Zr1xYbQp0aB2cD3eF4gH5iJ6kL7mN8oP"
    header = uuid + struct.pack("<QQQQQQQQQ", 32 * MIB, MIB, 0, 0, 0, 4096, 1044480, 0, 0)
    tail = struct.pack("<I8s", 32, b"LVM2 001") + header
    tail = tail.ljust(512 - 20, b"\0")
    label = b"LABELONE" + struct.pack("<QI", 1, lvm_checksum(tail)) + tail
    with path.open("wb") as stream:
        stream.truncate(32 * MIB)
        stream.seek(512)
        stream.write(label)


def lvm_checksum(data: bytes) -> int:
    """Bit by bit: polynomial 0xedb88320, start 0xf597a6cf, no inversion."""
    value = 0xF597A6CF
    for byte in data:
        value ^= byte
        for _change in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    return value


def md_superblock(place: int, size: int) -> bytes:
    """A version 1 superblock: magic, major, features, pad, UUID, name, ctime, level, layout, size, chunk, disks ..."""
    head = struct.pack("<IIII", 0xA92B4EFC, 1, 0, 0) + bytes.fromhex(UUID.replace("-", ""))
    head += b"guest:0".ljust(32, b"\0") + struct.pack("<QiiQII", 0, 1, 0, size >> 9, 0, 2) + bytes(32)
    head = head.ljust(128, b"\0") + struct.pack("<QQQQ", 0, size >> 9, place >> 9, 0)
    raw = bytearray(head.ljust(256, b"\0"))
    raw[160:164] = struct.pack("<I", 0)
    # The sum of the words, folded to 32 bits, with the field itself taken as zero.
    total = sum(struct.unpack("<64I", bytes(raw)))
    raw[216:220] = struct.pack("<I", ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    return bytes(raw)


@pytest.mark.parametrize(("minor", "place"), [(0, 16 * MIB - 8192), (1, 0), (2, 4096)])
def test_a_raid_member_is_identified_as_blkid_does(tmp_path: pathlib.Path, minor: int, place: int) -> None:
    path = tmp_path / "image"
    disk = build_disk(path, None, [Part(16)])
    disk.flip(place, md_superblock(place, 16 * MIB))
    found = same_as_blkid(path)
    assert (found.type, found.uuid, found.label) == ("linux_raid_member", UUID, "guest:0")
    assert found.version == "1.%d" % minor


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_old_raid_member_is_identified_as_blkid_does(tmp_path: pathlib.Path, order: str) -> None:
    path = tmp_path / "image"
    disk = build_disk(path, None, [Part(16)])
    words = [0xA92B4EFC, 0, 90, 3, 0, 0x5F0E5C1A, 0, 1, 8192, 2, 2, 0, 0, 0x0A9B4C57, 0x9A534B6F, 0x2F6B7D01]
    disk.flip(16 * MIB - 65536, struct.pack(order + "16I", *words).ljust(4096, b"\0"))
    found = same_as_blkid(path)
    assert (found.type, found.version) == ("linux_raid_member", "0.90.3")


def test_what_a_raid_member_contains_does_not_win(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    disk = build_disk(path, None, [Part(16, "ext4")])
    disk.flip(16 * MIB - 8192, md_superblock(16 * MIB - 8192, 16 * MIB))
    found = identify(path)
    assert found is not None
    assert (found.type, found.others) == ("linux_raid_member", ("ext4",))


def test_an_ntfs_is_identified_as_blkid_does(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(8)])
    run("mkntfs", "-F", "-q", "-p", "0", "-H", "255", "-S", "63", "-s", "512", path)
    found = same_as_blkid(path)
    assert found.type == "ntfs"


def test_a_squashfs_is_identified_as_blkid_does(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tree").mkdir()
    run("mksquashfs", tmp_path / "tree", tmp_path / "image", "-quiet", "-no-progress")
    assert same_as_blkid(tmp_path / "image").version == "4.0"


def test_an_iso9660_is_identified(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tree").mkdir()
    run("genisoimage", "-quiet", "-V", "CDROM", "-o", tmp_path / "image", tmp_path / "tree")
    found, wanted = identify(tmp_path / "image"), blkid(tmp_path / "image")
    assert found is not None
    assert (found.type, found.label) == (wanted["TYPE"], wanted["LABEL"])
    assert found.size == (tmp_path / "image").stat().st_size


@pytest.mark.parametrize(
    ("tool", "words", "size"),
    [("mkreiserfs", ("-q", "-f", "-f"), 48), ("mkfs.jfs", ("-q",), 24)],
    ids=["reiserfs", "jfs"],
)
def test_the_file_systems_of_old_guests_are_identified(
    tmp_path: pathlib.Path, tool: str, words: tuple[str, ...], size: int
) -> None:
    path = tmp_path / "image"
    build_disk(path, None, [Part(size)])
    run(tool, *words, path)
    same_as_blkid(path)


def real_starts() -> t.Iterator[bytes]:
    ext = bytearray(2048)
    ext[1080:1082] = b"\x53\xef"
    yield bytes(ext)
    btrfs = bytearray(0x11000)
    btrfs[0x10040:0x10048] = b"_BHRfS_M"
    yield bytes(btrfs)
    yield (
        b"\xeb\x58\x90mkfs.fat"
        + struct.pack("<HBHBHHBHHHII", 512, 1, 1, 2, 512, 2880, 0xF8, 9, 18, 2, 0, 0)
        + bytes(474)
        + b"\x55\xaa"
    )
    yield (b"\0" * 512 + b"LABELONE" + struct.pack("<QII8s", 1, 0, 32, b"LVM2 001")).ljust(4096, b"\0")
    yield md_superblock(0, 65536)
    yield b"XFSB" + struct.pack(">IQ", 4096, 100) + bytes(496)
    yield (bytes(4086) + b"SWAPSPACE2").ljust(8192, b"\0")


@given(
    st.sampled_from(tuple(real_starts())),
    st.lists(st.tuples(st.integers(0, 0x11000), st.binary(max_size=16))),
    st.integers(0, 0x12000),
)
def test_damage_never_makes_it_fail(start: bytes, damage: list[tuple[int, bytes]], length: int) -> None:
    raw = bytearray(start)
    for place, data in damage:
        if place < len(raw):
            raw[place : place + len(data)] = data
    superblock.identify(io.BytesIO(bytes(raw[:length])))


@given(st.binary(max_size=70000))
def test_any_bytes_are_read_without_an_error(raw: bytes) -> None:
    superblock.identify(io.BytesIO(raw))


def test_a_file_system_is_made_with_its_content(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "image"
    make_file_system(path, Part(8, "ext4", {"etc/hostname": "guest\n"}))
    assert run("debugfs", "-R", "cat /etc/hostname", path) == b"guest\n"
