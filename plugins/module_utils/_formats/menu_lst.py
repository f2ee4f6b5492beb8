# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""menu.lst of GRUB legacy, which pygrub reads as well, with the comments that Debian's update-grub reads.

update-grub writes the entries between two marks anew; the settings for that are comments there ("# kopt=root=... ro").
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError
from ._lines import line_ending, split_lines

_BEGIN = "### BEGIN AUTOMAGIC KERNELS LIST"
_END = "### END DEBIAN AUTOMAGIC KERNELS LIST"
_OPTION = re.compile(r"# ([A-Za-z0-9_.-]+)=([^\r\n]*)")
# GRUB takes blanks and an equals sign between a command and its arguments.
_COMMAND = re.compile(r"[ \t]*([^ \t=#\r\n][^ \t=\r\n]*)[ \t=]*([^\r\n]*)")
_FILE = re.compile(r"((?:--[^ \t]*[ \t]+)*)((?:\([^)]*\))?)([^ \t]*)([ \t]*)(.*)", re.DOTALL)


class Option(t.NamedTuple):
    """A setting of update-grub, which reads it anywhere in the file; start and end delimit its value."""

    name: str
    value: str
    start: int
    end: int
    line: int


class Command(t.NamedTuple):
    """One line of the menu; start and end delimit its arguments."""

    name: str
    value: str
    start: int
    end: int
    line: int


class Load(t.NamedTuple):
    """A kernel or module line: GRUB's device ("(hd0,0)" or ""), the file, its command line and where that stands."""

    device: str
    path: str
    command_line: str
    path_end: int
    start: int
    end: int
    line: int


@dataclasses.dataclass(frozen=True)
class Entry:
    title: str
    index: int
    line: int
    is_automagic: bool
    commands: tuple[Command, ...]

    def values(self, name: str) -> tuple[str, ...]:
        return tuple([command.value for command in self.commands if command.name == name])

    @property
    def root(self) -> str | None:
        """The argument of root or rootnoverify, "(hd0,0)"."""
        return _last(self.values("root") + self.values("rootnoverify"))

    @property
    def uuid(self) -> str | None:
        """The file system that Debian's "uuid" command makes the root."""
        return _last(self.values("uuid"))

    @property
    def kernel(self) -> Load | None:
        """The file of the kernel command: Linux, or the hypervisor of a Xen host."""
        return _last(self._loads("kernel"))

    @property
    def modules(self) -> tuple[Load, ...]:
        return self._loads("module") + self._loads("modulenounzip")

    @property
    def initrds(self) -> tuple[str, ...]:
        return tuple([load.path for load in self._loads("initrd")])

    @property
    def is_xen_hypervisor(self) -> bool:
        return self.kernel is not None and self.kernel.path.rsplit("/", 1)[-1].startswith("xen")

    @property
    def linux(self) -> Load | None:
        """The line that loads Linux: on a Xen host the first module."""
        return next(iter(self.modules), None) if self.is_xen_hypervisor else self.kernel

    @property
    def saves_default(self) -> bool:
        return any(command.name == "savedefault" for command in self.commands)

    def _loads(self, name: str) -> tuple[Load, ...]:
        return tuple([_load(command) for command in self.commands if command.name == name])


@dataclasses.dataclass(frozen=True)
class Document:
    """commands are those before the first entry; automagic is the place of update-grub's part, None without one."""

    text: str
    commands: tuple[Command, ...]
    entries: tuple[Entry, ...]
    options: tuple[Option, ...]
    automagic: tuple[int, int] | None

    @property
    def default(self) -> str | None:
        """The argument of default: a number, or "saved"."""
        return _last(tuple([command.value for command in self.commands if command.name == "default"]))

    @property
    def timeout(self) -> str | None:
        return _last(tuple([command.value for command in self.commands if command.name == "timeout"]))


def parse(text: str) -> Document:
    """A menu; every text is one."""
    commands: list[Command] = []
    entries: list[tuple[Command, bool, list[Command]]] = []
    options: list[Option] = []
    begin: int | None = None
    end: int | None = None
    place = 0
    for number, line in enumerate(split_lines(text), 1):
        if line.startswith(_BEGIN) and begin is None:
            begin = place + len(line)
        elif line.startswith(_END) and begin is not None and end is None:
            end = place
        option = _OPTION.match(line)
        command = _COMMAND.match(line)
        if option is not None:
            start = place + option.start(2)
            options.append(Option(option.group(1), option.group(2), start, place + option.end(2), number))
        elif command is not None:
            value = command.group(2).rstrip(" \t")
            start = place + command.start(2)
            found = Command(command.group(1), value, start, start + len(value), number)
            if found.name == "title":
                entries.append((found, begin is not None and end is None, []))
            elif entries:
                entries[-1][2].append(found)
            else:
                commands.append(found)
        place += len(line)
    return Document(
        text,
        tuple(commands),
        tuple(
            [
                Entry(title.value, index, title.line, automagic and end is not None, tuple(found))
                for index, (title, automagic, found) in enumerate(entries)
            ]
        ),
        tuple(options),
        None if begin is None or end is None else (begin, end),
    )


def render(document: Document) -> str:
    return document.text


def option_values(document: Document, name: str) -> tuple[str, ...]:
    """Every value of one of update-grub's settings: kopt, kopt_2_6, groot, defoptions, xenhopt, xenkopt, altoptions."""
    return tuple([option.value for option in document.options if option.name == name])


def default_entry(document: Document, saved: int | None = None) -> Entry | None:
    """The entry that is started by itself; None when default names none.

    saved: the number in /boot/grub/default for "default saved"; None when there is no such file, which means 0.
    """
    wanted = document.default or "0"
    number = (saved or 0) if wanted == "saved" else int(wanted) if re.fullmatch(r"[0-9]{1,9}", wanted) else -1
    return document.entries[number] if 0 <= number < len(document.entries) else None


def with_option(document: Document, name: str, value: str) -> Document:
    """The menu with this value for a setting of update-grub, wherever it stands; a missing one is added.

    Raises GuestError when it is missing and the menu has no part that update-grub maintains.
    """
    _require_one_line(value)
    found = [option for option in document.options if option.name == name]
    if not found:
        if document.automagic is None:
            raise GuestError(
                f"menu.lst has no part that update-grub maintains, so the setting {name} would have no effect",
                hint="change the entries themselves",
            )
        # Behind the last setting there; a menu without any gets it first.
        place, end = document.automagic
        inside = [option for option in document.options if place <= option.start < end]
        if inside:
            place = document.text.index("\n", inside[-1].end) + 1
        added = f"# {name}={value}{line_ending(document.text)}"
        return parse(document.text[:place] + added + document.text[place:])
    return _replaced(document, [(option.start, option.end, value) for option in found])


def with_kopt(document: Document, command_line: str) -> Document:
    """The menu with this command line for every entry that update-grub will write: kopt and its kernel-specific forms.

    A form like kopt_2_6 that stands in the menu wins over kopt for its kernels and is changed with it.
    """
    for name in sorted({option.name for option in document.options if option.name.startswith("kopt_")}):
        document = with_option(document, name, command_line)
    return with_option(document, "kopt", command_line)


def with_defoptions(document: Document, arguments: str) -> Document:
    """The menu with these additional arguments for the default entries that update-grub will write."""
    return with_option(document, "defoptions", arguments)


def with_cmdline(document: Document, entry: Entry, command_line: str) -> Document:
    """The menu with this command line for the Linux of an entry.

    Raises GuestError when the entry is not of this document or loads no Linux.
    """
    _require_one_line(command_line)
    if document.entries[entry.index : entry.index + 1] != (entry,):
        raise GuestError(f"the menu entry {entry.title!r} is not of this menu.lst")
    load = entry.linux
    if load is None or not load.path:
        raise GuestError(f"the menu entry {entry.title!r} loads no Linux kernel", line=entry.line)
    if not command_line:
        return _replaced(document, [(load.path_end, load.end, "")])
    separator = "" if load.start > load.path_end else " "
    return _replaced(document, [(load.start, load.end, separator + command_line)])


def _load(command: Command) -> Load:
    match = t.cast("re.Match[str]", _FILE.match(command.value))
    place = command.start
    return Load(
        match.group(2),
        match.group(3),
        match.group(5),
        place + match.end(3),
        place + match.start(5),
        command.end,
        command.line,
    )


_Found = t.TypeVar("_Found")


def _last(found: tuple[_Found, ...]) -> _Found | None:
    return found[-1] if found else None


def _require_one_line(value: str) -> None:
    if re.search(r"[\r\n]|^[ \t]|[ \t]$", value):
        raise GuestError(f"{value!r} cannot stand in menu.lst: one line without blanks at its ends is needed")


def _replaced(document: Document, edits: list[tuple[int, int, str]]) -> Document:
    pieces: list[str] = []
    place = 0
    for start, end, value in edits:
        pieces += [document.text[place:start], value]
        place = end
    return parse("".join(pieces) + document.text[place:])
