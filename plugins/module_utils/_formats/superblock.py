# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a block device holds, read from its first bytes (and, for RAID, its last): type, UUID, label, size.

Types, versions, UUIDs and labels are spelled as blkid(8) spells them, because that is how fstab, crypttab and the
boot loader refer to them. Nothing here needs a device node, and no read is longer than 64 KiB.
"""

from __future__ import annotations

import dataclasses
import os
import struct
import typing as t
import uuid as uuids


@dataclasses.dataclass(frozen=True)
class FileSystem:
    """A file system, or what else fills a partition: swap, an LVM physical volume, LUKS, a RAID member.

    type            as blkid says it: ext4, xfs, btrfs, swap, swsuspend (swap that holds a hibernated system),
                    vfat, ntfs, crypto_LUKS, LVM2_member, linux_raid_member, iso9660, squashfs, reiserfs, jfs
    uuid, label     None where there is none; a FAT's serial number as XXXX-XXXX
    version         None where the type has no versions
    size            bytes that the file system believes to have, where its superblock says so
    needs_recovery  changes wait in a journal: it was not unmounted cleanly, or is in use
    problems        what else is wrong or unusual, in words
    others          types of further signatures, when more than one was found (older content, half overwritten)
    """

    type: str
    uuid: str | None = None
    label: str | None = None
    version: str | None = None
    size: int | None = None
    needs_recovery: bool = False
    problems: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def is_mountable(self) -> bool:
        """It is a file system with a tree of files, and not a container of other things or swap."""
        return self.type not in ("swap", "swsuspend", "crypto_LUKS", "LVM2_member", "linux_raid_member", "jbd")


class Window:
    """A part of a binary stream; reading beyond its end gives fewer bytes, never an error."""

    def __init__(self, stream: t.BinaryIO, offset: int = 0, size: int | None = None) -> None:
        if size is None:
            size = max(0, stream.seek(0, os.SEEK_END) - offset)
        self.stream = stream
        self.offset = offset
        self.size = size

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset >= self.size:
            return b""
        self.stream.seek(self.offset + offset)
        return self.stream.read(min(length, self.size - offset))


def identify(stream: t.BinaryIO, offset: int = 0, size: int | None = None) -> FileSystem | None:
    """What the size bytes at offset hold (size None: all up to the end); None when no signature is known there."""
    window = Window(stream, offset, size)
    found = [file_system for file_system in (probe(window) for probe in PROBES) if file_system is not None]
    if not found:
        return None
    return dataclasses.replace(found[0], others=tuple(other.type for other in found[1:]))


def _text(raw: bytes) -> str | None:
    """A label: up to the first NUL, without blanks at the end; bytes that are not UTF-8 as surrogates."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape").rstrip() or None


def _uuid(raw: bytes) -> str | None:
    return str(uuids.UUID(bytes=raw)) if any(raw) else None


# --- RAID, LVM, LUKS: containers come first, since what they contain may shine through ---

MD_MAGIC = 0xA92B4EFC
_LUKS2_METADATA = 4096


def _probe_md(window: Window) -> FileSystem | None:
    """Version 1.x lies at the start, 4 KiB behind it or at the end; 0.90 in the last full 64 KiB."""
    in_the_end = (((window.size >> 9) - 16) & ~7) << 9
    for minor, place in ((0, in_the_end), (1, 0), (2, 4096)):
        raw = window.read(place, 256)
        if len(raw) == 256 and struct.unpack_from("<II", raw) == (MD_MAGIC, 1):
            sector = struct.unpack_from("<Q", raw, 144)[0]
            if sector << 9 == place:
                return FileSystem("linux_raid_member", _uuid(raw[16:32]), _text(raw[32:64]), "1.%d" % minor)
    raw = window.read((window.size & ~0xFFFF) - 0x10000, 64)
    for order in "<>":
        if len(raw) == 64 and struct.unpack_from(order + "III", raw) == (MD_MAGIC, 0, 90):
            # The four words of the UUID are numbers in the byte order of the machine, shown most significant first.
            words = struct.unpack_from(order + "IIIIIIIIIII", raw, 20)
            uuid = struct.pack(">IIII", words[0], *words[8:11])
            return FileSystem(
                "linux_raid_member", _uuid(uuid), None, "0.90.%d" % struct.unpack_from(order + "I", raw, 12)[0]
            )
    return None


def _probe_lvm(window: Window) -> FileSystem | None:
    for sector in range(4):
        raw = window.read(sector * 512, 512)
        if raw[:8] != b"LABELONE" or raw[24:32] != b"LVM2 001" or len(raw) < 512:
            continue
        if struct.unpack_from("<Q", raw, 8)[0] != sector:
            continue
        header = struct.unpack_from("<I", raw, 20)[0]
        if not 32 <= header <= 512 - 40:
            continue
        uuid = raw[header : header + 32].decode("ascii", "replace")
        size = struct.unpack_from("<Q", raw, header + 32)[0]
        return FileSystem("LVM2_member", hyphenate(uuid), None, "LVM2 001", size)
    return None


def hyphenate(identifier: str) -> str:
    """An LVM UUID as LVM shows it: 32 characters in groups of 6-4-4-4-4-4-6."""
    ends = (0, 6, 10, 14, 18, 22, 26, 32)
    return "-".join(identifier[start:end] for start, end in zip(ends, ends[1:]))


def _probe_luks(window: Window) -> FileSystem | None:
    raw = window.read(0, 512)
    if raw[:6] != b"LUKS\xba\xbe" or len(raw) < 512:
        return None
    version = struct.unpack_from(">H", raw, 6)[0]
    if version != 2:
        return FileSystem("crypto_LUKS", _text(raw[168:208]), None, str(version))
    # The metadata are JSON, from byte 4096 up to the size of the header, which is 16 KiB by default.
    size = struct.unpack_from(">Q", raw, 8)[0]
    metadata = window.read(_LUKS2_METADATA, max(0, min(size - _LUKS2_METADATA, 0x10000)))
    problems = ("its re-encryption was not finished",) if b'"online-reencrypt' in metadata else ()
    return FileSystem("crypto_LUKS", _text(raw[168:208]), _text(raw[24:72]), "2", problems=problems)


# --- file systems and swap ---

EXT_HAS_JOURNAL = 0x4
EXT_RECOVER = 0x4
EXT_JOURNAL_DEVICE = 0x8
EXT_64BIT = 0x80
EXT2_INCOMPATIBLE = 0x2 | 0x10  # filetype, meta_bg
EXT3_INCOMPATIBLE = EXT2_INCOMPATIBLE | EXT_RECOVER
EXT3_READ_ONLY_COMPATIBLE = 0x1 | 0x2 | 0x4  # sparse_super, large_file, btree_dir


def _probe_ext(window: Window) -> FileSystem | None:
    raw = window.read(1024, 1024)
    if len(raw) < 1024 or raw[56:58] != b"\x53\xef":
        return None
    blocks, log_block_size = struct.unpack_from("<I", raw, 4)[0], struct.unpack_from("<I", raw, 24)[0]
    state = struct.unpack_from("<H", raw, 58)[0]
    minor, revision = struct.unpack_from("<H", raw, 62)[0], struct.unpack_from("<I", raw, 76)[0]
    compatible, incompatible, read_only = struct.unpack_from("<III", raw, 92)
    if log_block_size > 6:
        return None
    if incompatible & EXT_64BIT:
        blocks |= struct.unpack_from("<I", raw, 0x150)[0] << 32
    if incompatible & EXT_JOURNAL_DEVICE:
        kind = "jbd"
    elif incompatible & ~EXT3_INCOMPATIBLE or read_only & ~EXT3_READ_ONLY_COMPATIBLE:
        kind = "ext4"
    else:
        kind = "ext3" if compatible & EXT_HAS_JOURNAL else "ext2"
    problems = []
    if state & 2:
        problems.append("errors were found while the file system was in use")
    if not state & 1 and not compatible & EXT_HAS_JOURNAL and kind != "jbd":
        problems.append("it was not unmounted cleanly, and has no journal")
    return FileSystem(
        kind,
        _uuid(raw[104:120]),
        _text(raw[120:136]),
        "%d.%d" % (revision, minor),
        blocks << (10 + log_block_size),
        bool(incompatible & EXT_RECOVER),
        tuple(problems),
    )


def _probe_xfs(window: Window) -> FileSystem | None:
    raw = window.read(0, 512)
    if raw[:4] != b"XFSB" or len(raw) < 512:
        return None
    block_size, blocks = struct.unpack_from(">IQ", raw, 4)
    if block_size not in (1 << n for n in range(9, 17)):
        return None
    version = struct.unpack_from(">H", raw, 100)[0] & 0xF
    return FileSystem("xfs", _uuid(raw[32:48]), _text(raw[108:120]), str(version), block_size * blocks)


def _probe_btrfs(window: Window) -> FileSystem | None:
    raw = window.read(0x10000, 4096)
    if raw[64:72] != b"_BHRfS_M" or len(raw) < 4096:
        return None
    log_root, total, devices = (struct.unpack_from("<Q", raw, place)[0] for place in (96, 112, 136))
    problems = ("it spans %d devices" % devices,) if devices != 1 else ()
    return FileSystem("btrfs", _uuid(raw[32:48]), _text(raw[299:555]), None, total, bool(log_root), problems)


SUSPEND_SIGNATURES = {
    b"S1SUSPEND": "s1suspend",
    b"S2SUSPEND": "s2suspend",
    b"ULSUSPEND": "ulsuspend",
    b"LINHIB0001": "linhib0001",
    b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c": "tuxonice",
}


def _probe_swap(window: Window) -> FileSystem | None:
    """The signature ends the first page, whose size depends on the architecture that made it."""
    for page in (4096, 8192, 16384, 32768, 65536):
        signature = window.read(page - 10, 10)
        raw = window.read(1024, 44)
        uuid, label = _uuid(raw[12:28]), _text(raw[28:44])
        for start, name in SUSPEND_SIGNATURES.items():
            if signature.startswith(start):
                return FileSystem("swsuspend", uuid, label, name, problems=("it holds a hibernated system",))
        if signature == b"SWAP-SPACE":
            return FileSystem("swap", version="0")
        if signature == b"SWAPSPACE2":
            version, last_page = struct.unpack_from("<II", raw)
            if version == 1 << 24:
                version, last_page = struct.unpack_from(">II", raw)
            return FileSystem("swap", uuid, label, str(version), (last_page + 1) * page if version == 1 else None)
    return None


def _probe_fat(window: Window) -> FileSystem | None:
    """FAT12, FAT16 and FAT32 differ by their number of clusters (Microsoft, FAT specification 1.03)."""
    raw = window.read(0, 512)
    if len(raw) < 512 or raw[510:] != b"\x55\xaa" or raw[0] not in (0xEB, 0xE9) or raw[3:11] == b"NTFS    ":
        return None
    sector, cluster, reserved, tables, entries, small = struct.unpack_from("<HBHBHH", raw, 11)
    media, table16 = struct.unpack_from("<BH", raw, 21)
    large, table32 = struct.unpack_from("<II", raw, 32)
    sectors, table = small or large, table16 or table32
    powers_of_two = sector in (512, 1024, 2048, 4096) and cluster in (1 << n for n in range(8))
    if not powers_of_two or not reserved or not 1 <= tables <= 4 or media < 0xF0 or not table or not sectors:
        return None
    root = (reserved + tables * table) * sector
    clusters = (sectors - reserved - tables * table - -(-entries * 32 // sector)) // cluster
    if table16 == 0:
        version, extended, length = "FAT32", 67, cluster * sector
        root += (struct.unpack_from("<I", raw, 44)[0] - 2) * cluster * sector
    else:
        version, extended, length = "FAT12" if clusters < 4085 else "FAT16", 39, entries * 32
    serial = label = None
    if raw[extended - 1] in (0x28, 0x29):
        number = struct.unpack_from("<I", raw, extended)[0]
        serial = "%04X-%04X" % (number >> 16, number & 0xFFFF)
    directory = window.read(root, min(length, 65536))
    for place in range(0, len(directory) - 31, 32):
        entry = directory[place : place + 32]
        if entry[0] == 0:
            break
        if entry[0] != 0xE5 and entry[11] & 0x3F == 0x08:  # a volume label, and no part of a long name
            label = _text(entry[:11])
            break
    return FileSystem("vfat", serial, label, version, sectors * sector)


def _probe_ntfs(window: Window) -> FileSystem | None:
    """The label is a file of its own inside (an attribute of $Volume) and is not read."""
    raw = window.read(0, 512)
    if raw[3:11] != b"NTFS    " or len(raw) < 512:
        return None
    sector, sectors, serial = (
        struct.unpack_from(code, raw, place)[0] for code, place in (("<H", 11), ("<Q", 40), ("<Q", 72))
    )
    return FileSystem("ntfs", "%016X" % serial, size=sector * sectors)


def _probe_iso9660(window: Window) -> FileSystem | None:
    raw = window.read(32768, 2048)
    if raw[:6] != b"\x01CD001" or len(raw) < 2048:
        return None
    blocks, block_size = struct.unpack_from("<I", raw, 80)[0], struct.unpack_from("<H", raw, 128)[0]
    return FileSystem("iso9660", label=_text(raw[40:72]), size=blocks * block_size)


def _probe_squashfs(window: Window) -> FileSystem | None:
    raw = window.read(0, 96)
    if raw[:4] != b"hsqs" or len(raw) < 96:
        return None
    return FileSystem(
        "squashfs", version="%d.%d" % struct.unpack_from("<HH", raw, 28), size=struct.unpack_from("<Q", raw, 40)[0]
    )


def _probe_reiserfs(window: Window) -> FileSystem | None:
    raw = window.read(0x10000, 204)
    magics = {b"ReIsErFs": "3.5", b"ReIsEr2Fs": "3.6", b"ReIsEr3Fs": "JR"}
    version = magics.get(raw[52:62].rstrip(b"\0"))
    if version is None or len(raw) < 204:
        return None
    blocks, block_size = struct.unpack_from("<I", raw)[0], struct.unpack_from("<H", raw, 44)[0]
    old = version == "3.5"  # which has neither
    uuid, label = (None, None) if old else (_uuid(raw[84:100]), _text(raw[100:116]))
    return FileSystem("reiserfs", uuid, label, version, blocks * block_size)


def _probe_jfs(window: Window) -> FileSystem | None:
    raw = window.read(32768, 184)
    if raw[:4] != b"JFS1" or len(raw) < 184:
        return None
    return FileSystem("jfs", _uuid(raw[136:152]), _text(raw[152:168]), str(struct.unpack_from("<I", raw, 4)[0]))


PROBES: tuple[t.Callable[[Window], FileSystem | None], ...] = (
    _probe_md,
    _probe_lvm,
    _probe_luks,
    _probe_swap,
    _probe_xfs,
    _probe_ext,
    _probe_btrfs,
    _probe_ntfs,
    _probe_fat,
    _probe_iso9660,
    _probe_squashfs,
    _probe_reiserfs,
    _probe_jfs,
)
