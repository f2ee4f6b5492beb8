# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of file systems, fstab(5)."""

from __future__ import annotations

import re
import typing as t

from ._fields import Field, decode, encode, split_fields, tag_of, with_field
from ._lines import Document, parse, render, split_ending, with_lines

__all__ = ["Document", "Entry", "entries", "parse", "render", "tag_of", "with_options", "with_spec"]

_LEADING_NUMBER = re.compile(r"[0-9]{1,9}")


class Entry(t.NamedTuple):
    """One file system; values are decoded. `number` is its line, from 1.

    Missing options are (), which mount takes as "defaults"; missing numbers are 0.
    """

    number: int
    spec: str
    mount_point: str
    fs_type: str
    options: tuple[str, ...]
    dump: int
    passno: int

    @property
    def tag(self) -> tuple[str, str] | None:
        """("UUID", "...") and the like when the spec is a tag, None when it is a path or a name."""
        return tag_of(self.spec)


def entries(document: Document) -> tuple[Entry, ...]:
    """The entries in the order of the file. A line of fewer than three fields is none: libmount skips it."""
    found = []
    for number, line in enumerate(document.lines, start=1):
        fields = split_fields(line)
        if len(fields) >= 3:
            spec, mount_point, fs_type = (decode(field.raw) for field in fields[:3])
            found.append(
                Entry(number, spec, mount_point, fs_type, _options(fields), _number(fields, 4), _number(fields, 5))
            )
    return tuple(found)


def with_spec(document: Document, entry: Entry, spec: str) -> Document:
    """The document in which the entry's first field is spec."""
    return _with_line(document, entry, with_field(document.lines[entry.number - 1], 0, spec))


def with_options(document: Document, entry: Entry, options: t.Sequence[str]) -> Document:
    """The document in which the entry's options are these; a line of three fields gets its fourth."""
    line = document.lines[entry.number - 1]
    value = ",".join(options)
    if len(split_fields(line)) > 3:
        return _with_line(document, entry, with_field(line, 3, value))
    content, ending = split_ending(line)
    return _with_line(document, entry, content.rstrip(" \t") + "\t" + encode(value) + ending)


def _with_line(document: Document, entry: Entry, line: str) -> Document:
    return with_lines(document, entry.number, 1, (line,))


def _options(fields: tuple[Field, ...]) -> tuple[str, ...]:
    return tuple(decode(fields[3].raw).split(",")) if len(fields) > 3 else ()


def _number(fields: tuple[Field, ...], index: int) -> int:
    # mount before libmount (Debian 6) took the leading digits and ignored the rest, comments included.
    match = _LEADING_NUMBER.match(fields[index].raw) if len(fields) > index else None
    return int(match.group()) if match else 0
