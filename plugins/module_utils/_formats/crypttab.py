# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of encrypted devices, crypttab(5)."""

from __future__ import annotations

import typing as t

from ._fields import decode, split_fields, tag_of, with_field
from ._lines import Document, parse, render, split_ending, with_lines

__all__ = ["Document", "Entry", "entries", "parse", "render", "tag_of", "with_device", "with_option"]


class Entry(t.NamedTuple):
    """One encrypted device; values are decoded. `number` is its line, from 1.

    `key` is "none" where the key field is missing, "-" or "none": the passphrase is asked for.
    """

    number: int
    name: str
    device: str
    key: str
    options: tuple[str, ...]

    @property
    def tag(self) -> tuple[str, str] | None:
        """("UUID", "...") and the like when the device is a tag, None when it is a path."""
        return tag_of(self.device)


def entries(document: Document) -> tuple[Entry, ...]:
    """The entries in the order of the file. A line of one field names no device and is no entry."""
    found = []
    for number, line in enumerate(document.lines, start=1):
        values = [decode(field.raw) for field in split_fields(line)]
        if len(values) >= 2:
            key = values[2] if len(values) > 2 and values[2] != "-" else "none"
            options = tuple(values[3].split(",")) if len(values) > 3 else ()
            found.append(Entry(number, values[0], values[1], key, options))
    return tuple(found)


def with_device(document: Document, entry: Entry, device: str) -> Document:
    """The document in which the entry's second field is device."""
    line = with_field(document.lines[entry.number - 1], 1, device)
    return with_lines(document, entry.number, 1, (line,))


def with_option(document: Document, entry: Entry, option: str) -> Document:
    """The document in which the entry has an option more, unless it has it already."""
    if option in entry.options:
        return document
    line = document.lines[entry.number - 1]
    if len(split_fields(line)) > 3:
        changed = with_field(line, 3, ",".join((*entry.options, option)))
    else:
        content, ending = split_ending(line)
        key = "" if len(split_fields(line)) > 2 else " none"
        changed = f"{content.rstrip()}{key} {option}{ending}"
    return with_lines(document, entry.number, 1, (changed,))
