# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's environment block, /boot/grub/grubenv (grub-core/lib/envblk.c).

1024 bytes that GRUB rewrites in place: a signature line, NAME=value lines, and "#" up to the end. In a value a
backslash stands before a backslash or a newline.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError, MalformedError

SIZE = 1024
_SIGNATURE = "# GRUB Environment Block\n"
# A line ends at a newline that no backslash precedes; what never ends is not a variable to GRUB.
_LINE = re.compile(r"((?:[^\\\n]|\\[\s\S])*)\n")


class Variable(t.NamedTuple):
    """One variable; start and end delimit its line, newline included."""

    name: str
    value: str
    start: int
    end: int


class EnvironmentBlock(t.NamedTuple):
    """The block's text, one character for each byte (Latin-1 or surrogateescape), and what GRUB reads in it."""

    text: str
    variables: tuple[Variable, ...]


def parse(text: str) -> EnvironmentBlock:
    """A block; text without the signature has no variables for GRUB."""
    return EnvironmentBlock(text, tuple(_variables(text)))


def render(document: EnvironmentBlock) -> str:
    return document.text


def is_valid(document: EnvironmentBlock) -> bool:
    """Whether GRUB accepts the block."""
    return document.text.startswith(_SIGNATURE)


def variables(document: EnvironmentBlock) -> dict[str, str]:
    """Name to value as load_env leaves them: of a repeated name the last one."""
    return {variable.name: variable.value for variable in document.variables}


def with_value(document: EnvironmentBlock, name: str, value: str | None) -> EnvironmentBlock:
    """The block of the same size with this value for name; None removes the variable.

    Raises MalformedError when the block is damaged, GuestError when the value does not fit.
    """
    if not is_valid(document):
        raise MalformedError(
            "the GRUB environment block does not begin with its signature; GRUB ignores it",
            hint="grub-editenv /boot/grub/grubenv create",
        )
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise GuestError(f"{name!r} is not a name of a GRUB variable")
    if "\0" in (value or ""):
        raise GuestError(f"the value for {name} in the GRUB environment block holds a NUL byte")
    size = len(document.text)
    body = document.text.rstrip("#")
    if not body.endswith("\n"):
        raise MalformedError(
            "the GRUB environment block does not end with a whole line and padding; GRUB does not write to it",
            hint="grub-editenv /boot/grub/grubenv create",
        )
    line = None if value is None else name + "=" + re.sub(r"([\\\n])", r"\\\1", value) + "\n"
    pieces: list[str] = []
    place = 0
    for variable in document.variables:
        if variable.name == name:
            pieces.append(body[place : variable.start])
            place = variable.end
            if line is not None:
                pieces.append(line)
                line = None
    pieces.append(body[place:])
    if line is not None:
        pieces.append(line)
    text = "".join(pieces)
    if len(text.encode("utf-8", "surrogateescape")) > size:
        raise GuestError(
            f"the value for {name} does not fit into the GRUB environment block of {size} bytes",
            hint="remove variables that are not needed: grub-editenv - unset NAME",
        )
    written = parse(text + "#" * (size - len(text)))
    if variables(written).get(name) != value:
        raise MalformedError(
            "the GRUB environment block holds an unfinished line; what is added behind it would become part of it",
            hint="grub-editenv /boot/grub/grubenv create",
        )
    return written


def _variables(text: str) -> t.Iterator[Variable]:
    if not text.startswith(_SIGNATURE):
        return
    place = len(_SIGNATURE)
    while True:
        match = _LINE.match(text, place)
        if match is None:
            return
        line = match.group(1)
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            yield Variable(name, re.sub(r"\\([\s\S])", r"\1", value), match.start(), match.end())
        place = match.end()
