# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""extlinux.conf and syslinux.cfg, which pygrub reads as well. Keywords are the same in any case."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError
from ._lines import line_ending, split_lines

_LINE = re.compile(r"([ \t]*)([^ \t#\r\n][^ \t\r\n]*)[ \t]*([^\r\n]*)")
_KERNELS = ("kernel", "linux")


class Command(t.NamedTuple):
    """One line: its keyword in lower case, its argument and where that stands (start, end)."""

    name: str
    value: str
    indent: str
    start: int
    end: int
    line: int


@dataclasses.dataclass(frozen=True)
class Entry:
    """A label and its lines. inherited is the global APPEND, which holds for labels without their own."""

    label: str
    index: int
    line: int
    commands: tuple[Command, ...]
    inherited: str | None

    def last(self, *names: str) -> Command | None:
        found = [command for command in self.commands if command.name in names]
        return found[-1] if found else None

    @property
    def kernel(self) -> str | None:
        """The file that KERNEL or LINUX names, without arguments behind it."""
        command = self.last(*_KERNELS)
        return command.value.split(None, 1)[0] if command is not None and command.value else None

    @property
    def append(self) -> str | None:
        """The command line: the label's APPEND, else the global one; None when neither is there ("-" means none)."""
        command = self.last("append")
        if command is None:
            return self.inherited
        return None if command.value == "-" else command.value

    @property
    def initrds(self) -> tuple[str, ...]:
        """The files of INITRD, else those of initrd= in the command line; both are separated by commas."""
        command = self.last("initrd")
        if command is not None:
            return tuple([path for path in command.value.split(",") if path])
        given = [word[len("initrd=") :] for word in (self.append or "").split() if word.startswith("initrd=")]
        return tuple([path for path in given[-1].split(",") if path]) if given else ()

    @property
    def is_menu_default(self) -> bool:
        """Whether "MENU DEFAULT" stands in it."""
        return any(one.name == "menu" and one.value.lower().split()[:1] == ["default"] for one in self.commands)


@dataclasses.dataclass(frozen=True)
class Document:
    """commands are those before the first label."""

    text: str
    commands: tuple[Command, ...]
    entries: tuple[Entry, ...]

    @property
    def default(self) -> str | None:
        """The argument of the last DEFAULT, wherever it stands."""
        lines = [*self.commands, *[command for entry in self.entries for command in entry.commands]]
        found = [command.value for command in lines if command.name == "default"]
        return found[-1] if found else None

    @property
    def includes(self) -> tuple[str, ...]:
        """Files that INCLUDE and MENU INCLUDE name; what is in them is not part of this document."""
        lines = [*self.commands, *[command for entry in self.entries for command in entry.commands]]
        pairs = [(one.name, one.value) for one in lines]
        plain = [value for name, value in pairs if name == "include"]
        menus = [value.split(None, 1) for name, value in pairs if name == "menu"]
        return (*plain, *[words[1] for words in menus if len(words) == 2 and words[0].lower() == "include"])


def parse(text: str) -> Document:
    """A configuration; every text is one."""
    commands: list[Command] = []
    entries: list[tuple[Command, list[Command]]] = []
    place = 0
    for number, line in enumerate(split_lines(text), 1):
        match = _LINE.match(line)
        if match is not None:
            value = match.group(3).rstrip(" \t")
            start = place + match.start(3)
            found = Command(match.group(2).lower(), value, match.group(1), start, start + len(value), number)
            if found.name == "label":
                entries.append((found, []))
            elif entries:
                entries[-1][1].append(found)
            else:
                commands.append(found)
        place += len(line)
    shared = [command.value for command in commands if command.name == "append" and command.value != "-"]
    inherited = shared[-1] if shared else None
    return Document(
        text,
        tuple(commands),
        tuple(
            [
                Entry(label.value, index, label.line, tuple(found), inherited)
                for index, (label, found) in enumerate(entries)
            ]
        ),
    )


def render(document: Document) -> str:
    return document.text


def default_entry(document: Document) -> Entry | None:
    """The entry started by itself: the one DEFAULT names, else the one with MENU DEFAULT, else the first.

    None when DEFAULT names no label (it is then the name of a file or of a menu module) and no entry is marked.
    """
    wanted = document.default
    if wanted is not None:
        for entry in document.entries:
            if wanted.split()[:1] == [entry.label]:
                return entry
    for entry in document.entries:
        if entry.is_menu_default:
            return entry
    return document.entries[0] if wanted is None and document.entries else None


def with_append(document: Document, entry: Entry, command_line: str) -> Document:
    """The configuration with this command line as the APPEND of an entry; a missing line is added below its kernel.

    Raises GuestError when the entry is not of this document or loads no kernel.
    """
    if re.search(r"[\r\n]|^[ \t]|[ \t]$", command_line):
        raise GuestError(f"{command_line!r} cannot be an APPEND line: one line without blanks at its ends is needed")
    if document.entries[entry.index : entry.index + 1] != (entry,):
        raise GuestError(f"the label {entry.label!r} is not of this configuration")
    kernel = entry.last(*_KERNELS)
    if kernel is None:
        raise GuestError(f"the label {entry.label!r} loads no kernel", line=entry.line)
    text = document.text
    # "-" keeps the global APPEND from taking the place of an empty one.
    value = command_line or "-"
    append = entry.last("append")
    if append is not None and append.value:
        return parse(text[: append.start] + value + text[append.end :])
    if append is not None:
        place = append.start
        separator = "" if text[place - 1] in " \t" else " "
        return parse(text[:place] + separator + value + text[place:])
    ending = line_ending(text)
    newline = text.find("\n", kernel.end)
    place = len(text) if newline < 0 else newline + 1
    line = f"{kernel.indent}append {value}"
    return parse(text[:place] + (ending + line if newline < 0 else line + ending) + text[place:])
