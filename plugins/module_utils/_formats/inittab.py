# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of processes of System V init, inittab(5)."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .._errors import GuestError
from ._lines import Document, parse, render, split_ending, with_appended, with_commented_lines, with_lines

__all__ = [
    "Document",
    "Entry",
    "entries",
    "getty_of",
    "parse",
    "render",
    "with_commented_out",
    "with_enabled",
    "with_entry",
]

# The comment in front may be no more than a switch: "#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100" is one entry.
_ENTRY = re.compile(r"[ \t]*(?:(#+)[ \t]*)?([^:#\s]{1,4}):([0-9A-Za-z]*):([a-z]+):(.*)", re.DOTALL)
_ACTION = re.compile(
    r"boot|bootwait|ctrlaltdel|initdefault|kbrequest|off|once|ondemand"
    r"|powerfail|powerfailnow|powerokwait|powerwait|respawn|sysinit|wait"
)
_GETTIES = frozenset(["getty", "agetty", "mgetty", "mingetty", "fgetty", "rungetty"])
_TERMINAL = re.compile(r"(?:/dev/)?((?:tty|hvc|xvc|hvsi|vport|console|duart)[A-Za-z0-9]*)")


class Entry(t.NamedTuple):
    """One entry. `number` is its line, from 1; `is_enabled` is False for an entry that is commented out."""

    number: int
    identifier: str
    runlevels: str
    action: str
    process: str
    is_enabled: bool


def entries(document: Document) -> tuple[Entry, ...]:
    """The entries in the order of the file, those that are commented out included."""
    found = []
    for number, line in enumerate(document.lines, start=1):
        match = _ENTRY.fullmatch(split_ending(line)[0])
        if match and _ACTION.fullmatch(match.group(4)):
            comment, identifier, runlevels, action, process = match.groups()
            found.append(Entry(number, identifier, runlevels, action, process, is_enabled=not comment))
    return tuple(found)


def getty_of(entry: Entry) -> str | None:
    """The terminal ("tty1", "hvc0") on which the entry's process asks for a login; None if it does not.

    getty takes the speed and the terminal in either order, mingetty the terminal alone, all behind options.
    """
    words = entry.process.lstrip("+").split()
    if not words or posixpath.basename(words[0]) not in _GETTIES:
        return None
    for word in words[1:]:
        match = _TERMINAL.fullmatch(word)
        if match:
            return match.group(1)
    return None


def with_commented_out(document: Document, entry: Entry) -> Document:
    """The document in which the entry is commented out."""
    return with_commented_lines(document, entry.number) if entry.is_enabled else document


def with_enabled(document: Document, entry: Entry) -> Document:
    """The document in which the entry is not commented out."""
    if entry.is_enabled:
        return document
    line = document.lines[entry.number - 1].lstrip("# \t")
    return with_lines(document, entry.number, 1, (line,))


def with_entry(document: Document, identifier: str, runlevels: str, action: str, process: str) -> Document:
    """The document in which the entry with this identifier is this one: changed in place, or a line at the end.

    GuestError when it is no valid entry.
    """
    content = f"{identifier}:{runlevels}:{action}:{process}"
    match = _ENTRY.fullmatch(content)
    wanted = (None, identifier, runlevels, action, process)
    if match is None or not _ACTION.fullmatch(action) or match.groups() != wanted or "\n" in process:
        raise GuestError(f"{content!r} is not an entry of inittab: id:runlevels:action:process")
    for entry in entries(document):
        if entry.identifier == identifier and entry.is_enabled:
            ending = split_ending(document.lines[entry.number - 1])[1]
            return with_lines(document, entry.number, 1, (content + ending,))
    return with_appended(document, content)
