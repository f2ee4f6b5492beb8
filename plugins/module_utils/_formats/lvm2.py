# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which volume group and logical volumes lie on an LVM2 physical volume, read from its metadata area.

The label in one of the first four sectors leads to a ring buffer that holds the whole group's description as text,
in LVM's configuration syntax (lvmsystemid(7), and the comments of LVM's format_text sources, describe both).
"""

from __future__ import annotations

import dataclasses
import re
import struct
import typing as t
import zlib

from .. import _errors
from .superblock import Window

MAXIMUM_TEXT = 1 << 20
MAXIMUM_DEPTH = 16
SECTOR = 512
Section = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Segment:
    """A run of a logical volume: size bytes at start of it, lying on the given stripes in the way its type says.

    stripes are (UUID of the physical volume, offset in bytes on that device); only a "striped" segment has them, and
    with one stripe it is what LVM calls linear.
    """

    type: str
    start: int
    size: int
    stripes: tuple[tuple[str, int], ...]


@dataclasses.dataclass(frozen=True)
class LogicalVolume:
    name: str
    uuid: str
    segments: tuple[Segment, ...]

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)


@dataclasses.dataclass(frozen=True)
class VolumeGroup:
    name: str
    uuid: str
    physical_volumes: tuple[str, ...]
    logical_volumes: tuple[LogicalVolume, ...]


def read_volume_group(stream: t.BinaryIO, offset: int = 0, size: int | None = None) -> VolumeGroup | None:
    """The group on the physical volume at offset; None when the volume belongs to no group or keeps no metadata.

    MalformedError: there is no LVM2 label, or what it leads to is damaged. LimitError: more than 1 MiB of text.
    """
    window = Window(stream, offset, size)
    for place, length in _metadata_areas(window):
        text = _read_text(window, place, length)
        if text is not None:
            return _volume_group(parse_text(text))
    return None


def _metadata_areas(window: Window) -> list[tuple[int, int]]:
    for sector in range(4):
        raw = window.read(sector * SECTOR, SECTOR)
        if raw[:8] == b"LABELONE" and raw[24:32] == b"LVM2 001" and len(raw) == SECTOR:
            break
    else:
        raise _errors.MalformedError("this is no LVM physical volume: there is no label in its first four sectors")
    place = struct.unpack_from("<I", raw, 20)[0] + 40  # behind the UUID and the size of the device
    areas: list[list[tuple[int, int]]] = [[], []]  # data areas, then metadata areas, each list ended by zeros
    for found in areas:
        while place + 16 <= SECTOR:
            start, length = struct.unpack_from("<QQ", raw, place)
            place += 16
            if not start:
                break
            found.append((start, length))
    return areas[1]


def _read_text(window: Window, place: int, length: int) -> str | None:
    """The current text of one metadata area, None when it holds none."""
    header = window.read(place, SECTOR)
    if len(header) < SECTOR or header[4:20] != b" LVM2 x[5A%r0N*>":
        raise _errors.MalformedError("the LVM metadata area at byte %d of the physical volume is damaged" % place)
    start, count, checksum = struct.unpack_from("<QQI", header, 40)
    if not start or not count:
        return None
    if count > MAXIMUM_TEXT:
        raise _errors.LimitError(
            "the LVM metadata claims %d bytes, more than the %d that are read" % (count, MAXIMUM_TEXT)
        )
    if not SECTOR <= start < length:
        raise _errors.MalformedError("the LVM metadata text lies outside of its area")
    # A text that reaches the end of the area continues behind the header of the area.
    raw = window.read(place + start, min(count, length - start))
    raw += window.read(place + SECTOR, count - len(raw))
    # LVM's checksum is the usual polynomial with a start value of its own and without the inversion at the end.
    if zlib.crc32(raw, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF != checksum:
        raise _errors.MalformedError("the checksum of the LVM metadata text is wrong")
    return raw.rstrip(b"\0").decode("utf-8", "surrogateescape")


TOKEN = re.compile(
    r'\s+|#[^\n]*|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?[0-9][0-9.]*)|(?P<name>[^\s{}\[\]=,#"]+)|(?P<sign>[{}\[\]=,])'
)


def parse_text(text: str) -> Section:
    """LVM's configuration syntax: sections as dictionaries, arrays as tuples, numbers as int. MalformedError."""
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise _errors.MalformedError("the LVM metadata text cannot be read at character %d" % place)
        if match.lastgroup:
            tokens.append((match.lastgroup, match.group()))
        place = match.end()
    tokens.append(("end", ""))
    section, place = _parse_section(tokens, 0, 0)
    if tokens[place][0] != "end":
        raise _errors.MalformedError("the LVM metadata text closes more sections than it opens")
    return section


def _parse_section(tokens: list[tuple[str, str]], place: int, depth: int) -> tuple[Section, int]:
    if depth > MAXIMUM_DEPTH:
        raise _errors.LimitError("the LVM metadata nests deeper than %d sections" % MAXIMUM_DEPTH)
    section: Section = {}
    while tokens[place][0] not in ("end", "sign"):
        name, (kind, sign) = tokens[place][1], tokens[place + 1]
        if (kind, sign) == ("sign", "{"):
            section[name], place = _parse_section(tokens, place + 2, depth + 1)
            if tokens[place][1] != "}":
                raise _errors.MalformedError("the LVM metadata section %s is not closed" % name)
            place += 1
        elif (kind, sign) == ("sign", "="):
            section[name], place = _parse_value(tokens, place + 2)
        else:
            raise _errors.MalformedError("the LVM metadata gives %s no value" % name)
    return section, place


def _parse_value(tokens: list[tuple[str, str]], place: int) -> tuple[t.Any, int]:
    kind, word = tokens[place]
    if kind == "string":
        return re.sub(r"\\(.)", r"\1", word[1:-1]), place + 1
    if kind == "number":
        return int(word) if "." not in word and len(word) < 20 else word, place + 1
    if word != "[":
        raise _errors.MalformedError("the LVM metadata has a value that is neither text, number nor list")
    values = []
    place += 1
    while tokens[place][1] != "]":
        if tokens[place][1] == ",":
            place += 1
            continue
        if tokens[place][0] not in ("string", "number"):
            raise _errors.MalformedError("the LVM metadata has a list that does not end")
        value, place = _parse_value(tokens, place)
        values.append(value)
    return tuple(values), place + 1


def _section(parent: Section, name: str) -> Section:
    value = parent.get(name, {})
    if not isinstance(value, dict):
        raise _errors.MalformedError("the LVM metadata has no section %s where one must be" % name)
    return value


def _number(parent: Section, name: str) -> int:
    value = parent.get(name)
    if not isinstance(value, int) or value < 0:
        raise _errors.MalformedError("the LVM metadata has no number %s where one must be" % name)
    return value


def _volume_group(text: Section) -> VolumeGroup:
    groups = [(name, value) for name, value in text.items() if isinstance(value, dict)]
    if len(groups) != 1:
        raise _errors.MalformedError("the LVM metadata describes %d volume groups instead of one" % len(groups))
    name, group = groups[0]
    extent = _number(group, "extent_size") * SECTOR
    devices = {}
    for alias in _section(group, "physical_volumes"):
        device = _section(_section(group, "physical_volumes"), alias)
        devices[alias] = (str(device.get("id", "")), _number(device, "pe_start") * SECTOR)
    volumes = []
    for volume_name in _section(group, "logical_volumes"):
        volume = _section(_section(group, "logical_volumes"), volume_name)
        segments = []
        for key in volume:
            if re.match(r"segment[0-9]+\Z", key):
                segments.append(_segment(_section(volume, key), extent, devices))
        segments.sort(key=lambda segment: segment.start)
        volumes.append(LogicalVolume(volume_name, str(volume.get("id", "")), tuple(segments)))
    uuids = tuple(uuid for uuid, _start in devices.values())
    return VolumeGroup(name, str(group.get("id", "")), uuids, tuple(volumes))


def _segment(section: Section, extent: int, devices: dict[str, tuple[str, int]]) -> Segment:
    stripes = []
    listed = section.get("stripes", ())
    if not isinstance(listed, tuple):
        raise _errors.MalformedError("the LVM metadata has stripes that are no list")
    for alias, extents in zip(listed[::2], listed[1::2]):
        if alias not in devices or not isinstance(extents, int):
            raise _errors.MalformedError("the LVM metadata puts a volume on %s, which it does not describe" % (alias,))
        uuid, start = devices[alias]
        stripes.append((uuid, start + extents * extent))
    return Segment(
        str(section.get("type", "")),
        _number(section, "start_extent") * extent,
        _number(section, "extent_count") * extent,
        tuple(stripes),
    )
