# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The partition table of a disk, MBR ("dos") or GPT, read as Linux reads it.

Sources: UEFI specification 2.10 chapter 5 (protective MBR, GPT header, entries, checksums), and for the chain of
logical partitions the behaviour of Linux' block/partitions/msdos.c.
"""

from __future__ import annotations

import dataclasses
import os
import struct
import typing as t
import uuid as uuids
import zlib

from .. import _errors

MBR_SECTOR = 512
EXTENDED_TYPES = (0x05, 0x0F, 0x85)
PROTECTIVE_TYPE = 0xEE
MAXIMUM_LOGICAL = 256
MAXIMUM_ENTRIES = 1 << 20  # bytes of GPT entries; the specification's usual table has 16 KiB

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"


@dataclasses.dataclass(frozen=True)
class Partition:
    """start and size are bytes. type and uuid are spelled as sfdisk spells types ("83", "C12A7328-...") and as
    /dev/disk/by-partuuid spells UUIDs ("1234abcd-01", lower case)."""

    number: int
    start: int
    size: int
    type: str
    uuid: str | None = None
    name: str | None = None
    is_active: bool = False

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def is_extended(self) -> bool:
        return len(self.type) <= 2 and int(self.type, 16) in EXTENDED_TYPES

    @property
    def is_esp(self) -> bool:
        return self.type in (ESP, "ef")


@dataclasses.dataclass(frozen=True)
class PartitionTable:
    """label is "dos" or "gpt"; identifier is the disk's (0x1234abcd, or a GUID in upper case).

    problems    damage: partitions that overlap, lie outside the disk, a chain that loops. Nothing should be written.
    warnings    worth telling, and harmless to the partitions: a backup GPT that is missing, a hybrid MBR
    """

    label: str
    identifier: str
    sector_size: int
    partitions: tuple[Partition, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def find(self, number: int) -> Partition | None:
        return next((partition for partition in self.partitions if partition.number == number), None)


def read_table(stream: t.BinaryIO, size: int | None = None) -> PartitionTable | None:
    """The table of a disk of size bytes (None: up to the end of the stream); None for a disk without one.

    A disk without a table may hold a file system as a whole. MalformedError: the disk says it has a GPT, and neither
    the GPT nor its backup is valid. Lesser damage is told in the table's problems. At most 256 logical partitions
    and 2 MiB of GPT entries are read.
    """
    if size is None:
        size = stream.seek(0, os.SEEK_END)
    mbr = _read_mbr(stream, size)
    protective = mbr is not None and any(entry.type == PROTECTIVE_TYPE for entry in mbr.entries)
    gpt = _read_gpt(stream, size)
    if protective:
        if gpt is None:
            raise _errors.MalformedError(
                "the disk announces a GUID partition table, and neither the table nor its backup is valid: "
                "no partition can be found",
                hint="restore the table with gdisk or sfdisk from a dump, or export the disk again",
            )
        if mbr is not None and sum(1 for entry in mbr.entries if entry.sectors) > 1:
            gpt = dataclasses.replace(
                gpt, warnings=(*gpt.warnings, "the MBR beside the GPT names partitions too (hybrid MBR)")
            )
        return _checked(gpt, size)
    if mbr is not None and (any(entry.sectors for entry in mbr.entries) or mbr.identifier):
        table = _read_dos(stream, size, mbr)
        if gpt is not None:
            table = dataclasses.replace(table, warnings=(*table.warnings, "a former GPT was left on the disk"))
        return _checked(table, size)
    if gpt is not None:
        problem = "there is no protective MBR: Linux and firmware do not see this GPT"
        return _checked(dataclasses.replace(gpt, problems=(*gpt.problems, problem)), size)
    return None


def _read(stream: t.BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)


def _checked(table: PartitionTable, size: int) -> PartitionTable:
    """The table with the problems of its geometry added."""
    problems = list(table.problems)
    extended = [partition for partition in table.partitions if partition.is_extended]
    if len(extended) > 1:
        problems.append("there is more than one extended partition")
    for partition in table.partitions:
        if partition.end > size:
            problems.append(
                "partition %d ends at byte %d, beyond the end of the disk at %d"
                % (partition.number, partition.end, size)
            )
        if table.label == "dos" and partition.number > 4:
            around = any(outer.start < partition.start and partition.end <= outer.end for outer in extended)
            if not around:
                problems.append("logical partition %d lies outside of the extended partition" % partition.number)
    # An extended partition contains the logical ones; anything else must not share a byte.
    logical = [partition for partition in table.partitions if table.label == "dos" and partition.number > 4]
    primary = [partition for partition in table.partitions if partition not in logical]
    data = sorted((p for p in table.partitions if not p.is_extended), key=lambda p: (p.start, p.number))
    for group in (data, sorted(primary, key=lambda p: (p.start, p.number))):
        furthest = None
        for partition in group:
            if furthest is not None and partition.start < furthest.end:
                lower, higher = sorted((furthest.number, partition.number))
                problems.append("partitions %d and %d overlap" % (lower, higher))
            if furthest is None or partition.end > furthest.end:
                furthest = partition
    return dataclasses.replace(table, problems=tuple(dict.fromkeys(problems)))


# --- MBR ---


class _Entry(t.NamedTuple):
    status: int
    type: int
    start: int
    sectors: int


class _Mbr(t.NamedTuple):
    identifier: int
    entries: tuple[_Entry, ...]


def _entries(sector: bytes) -> tuple[_Entry, ...]:
    entries = []
    for place in range(446, 510, 16):
        status, kind, start, count = struct.unpack_from("<B3xB3xII", sector, place)
        entries.append(_Entry(status, kind, start, count if kind else 0))
    return tuple(entries)


def _read_mbr(stream: t.BinaryIO, size: int) -> _Mbr | None:
    sector = _read(stream, 0, MBR_SECTOR) if size >= MBR_SECTOR else b""
    if len(sector) < MBR_SECTOR or sector[510:] != b"\x55\xaa":
        return None
    # The boot sector of a FAT or NTFS ends with the same signature; what would be its entries is program text.
    if sector[3:11] == b"NTFS    " or sector[54:57] == b"FAT" or sector[82:87] == b"FAT32":
        return None
    entries = _entries(sector)
    if any(entry.status not in (0, 0x80) for entry in entries):
        return None
    return _Mbr(struct.unpack_from("<I", sector, 440)[0], entries)


def _read_dos(stream: t.BinaryIO, size: int, mbr: _Mbr) -> PartitionTable:
    def partition(number: int, entry: _Entry, base: int) -> Partition:
        uuid = "%08x-%02x" % (mbr.identifier, number) if mbr.identifier else None
        start, length = (base + entry.start) * MBR_SECTOR, entry.sectors * MBR_SECTOR
        return Partition(number, start, length, "%x" % entry.type, uuid, None, entry.status == 0x80)

    partitions = [partition(number, entry, 0) for number, entry in enumerate(mbr.entries, 1) if entry.sectors]
    problems: list[str] = []
    number = 5
    for extended in [entry for entry in mbr.entries if entry.sectors and entry.type in EXTENDED_TYPES]:
        for entry, base in _chain(stream, size, extended, problems):
            partitions.append(partition(number, entry, base))
            number += 1
    return PartitionTable("dos", "0x%08x" % mbr.identifier, MBR_SECTOR, tuple(partitions), tuple(problems))


def _chain(stream: t.BinaryIO, size: int, extended: _Entry, problems: list[str]) -> t.Iterator[tuple[_Entry, int]]:
    """The logical partitions: entries with the sector they count from. What ends the chain early goes to problems."""
    here = extended.start
    visited: set[int] = set()
    while True:
        if here in visited:
            problems.append("the chain of logical partitions leads back to sector %d" % here)
            return
        if len(visited) == MAXIMUM_LOGICAL:
            problems.append("there are more than %d logical partitions" % MAXIMUM_LOGICAL)
            return
        visited.add(here)
        sector = _read(stream, here * MBR_SECTOR, MBR_SECTOR) if (here + 1) * MBR_SECTOR <= size else b""
        if len(sector) < MBR_SECTOR or sector[510:] != b"\x55\xaa":
            problems.append("the chain of logical partitions breaks off: sector %d holds no table" % here)
            return
        entries = [entry for entry in _entries(sector) if entry.sectors]
        for entry in entries:
            if entry.type not in EXTENDED_TYPES:
                yield entry, here
        link = next((entry for entry in entries if entry.type in EXTENDED_TYPES), None)
        if link is None:
            return
        here = extended.start + link.start


# --- GPT ---


class _Header(t.NamedTuple):
    """A GPT header whose checksums hold; positions in sectors."""

    sector_size: int
    alternate: int
    first_usable: int
    last_usable: int
    identifier: str
    entries: tuple[bytes, ...]


def _guid(raw: bytes) -> str:
    return str(uuids.UUID(bytes_le=raw)).upper()


def _read_header(stream: t.BinaryIO, size: int, sector_size: int, position: int) -> _Header | None:
    """None unless signature, position, bounds and both checksums are right."""
    if position < 1 or (position + 1) * sector_size > size:
        return None
    raw = _read(stream, position * sector_size, sector_size)
    if raw[:8] != b"EFI PART" or len(raw) < sector_size:
        return None
    length, checksum = struct.unpack_from("<II", raw, 12)
    if not 92 <= length <= sector_size:
        return None
    if zlib.crc32(raw[:16] + b"\0\0\0\0" + raw[20:length]) != checksum:
        return None
    here, alternate, first, last = struct.unpack_from("<QQQQ", raw, 24)
    place, count, entry_size, entries_checksum = struct.unpack_from("<QIII", raw, 72)
    total = count * entry_size
    if here != position or entry_size < 128 or entry_size % 8 or not 0 < total <= MAXIMUM_ENTRIES:
        return None
    if place * sector_size + total > size:
        return None
    entries = _read(stream, place * sector_size, total)
    if len(entries) < total or zlib.crc32(entries) != entries_checksum:
        return None
    split = tuple(entries[start : start + entry_size] for start in range(0, total, entry_size))
    return _Header(sector_size, alternate, first, last, _guid(raw[56:72]), split)


def _read_gpt(stream: t.BinaryIO, size: int) -> PartitionTable | None:
    problems, warnings = [], []
    for sector_size in (512, 4096):
        last_sector = size // sector_size - 1
        header = _read_header(stream, size, sector_size, 1)
        if header is not None:
            if _read_header(stream, size, sector_size, header.alternate) is None:
                warnings.append("the backup of the GPT is missing or broken")
            elif header.alternate != last_sector:
                warnings.append("the backup of the GPT is not at the end of the disk: the disk was enlarged")
            break
        header = _read_header(stream, size, sector_size, last_sector)
        if header is not None:
            problems.append("the primary GPT is broken; its backup at the end of the disk was read instead")
            break
    else:
        return None
    partitions = []
    for number, raw in enumerate(header.entries, 1):
        kind = _guid(raw[:16])
        first, last, attributes = struct.unpack_from("<QQQ", raw, 32)
        if not any(raw[:16]):
            continue
        if first > last:
            problems.append("partition %d ends before it begins" % number)
            continue
        if first < header.first_usable or last > header.last_usable:
            problems.append("partition %d lies outside of the sectors that the GPT may use" % number)
        # "Legacy BIOS bootable" is attribute bit 2.
        name = raw[56:128].decode("utf-16-le", "replace").split("\0", 1)[0]
        length = (last - first + 1) * sector_size
        uuid = _guid(raw[16:32]).lower()
        partitions.append(Partition(number, first * sector_size, length, kind, uuid, name, bool(attributes & 4)))
    return PartitionTable("gpt", header.identifier, sector_size, tuple(partitions), tuple(problems), tuple(warnings))
