# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of fields between blanks (space, tab) with octal escapes, as fstab(5) and crypttab(5) have them."""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError
from ._lines import split_ending

_FIELD = re.compile(r"[^ \t]+")
_ESCAPES = re.compile(r"(?:\\[0-3][0-7]{2})+")
# Whatever would end the field, the line, or be taken for an escape itself.
_UNSAFE = re.compile(r"[ \t\n\r\\]")
_TAG = re.compile(r"(UUID|LABEL|PARTUUID|PARTLABEL|ID)=(.*)", re.DOTALL)


class Field(t.NamedTuple):
    """One field of a line: its columns there, and the text between them, escapes and all."""

    start: int
    end: int
    raw: str


def split_fields(line: str) -> tuple[Field, ...]:
    """The fields of a line, none for an empty line or a comment ("#" is its first character after blanks)."""
    content, _ending = split_ending(line)
    if content.lstrip(" \t").startswith("#"):
        return ()
    return tuple([Field(match.start(), match.end(), match.group()) for match in _FIELD.finditer(content)])


def decode(raw: str) -> str:
    """The value of a field: "\\ooo" stands for the byte with that octal number; other backslashes are themselves."""

    def to_text(match: t.Match[str]) -> str:
        octets = bytes(int(digits, 8) for digits in match.group()[1:].split("\\"))
        return octets.decode("utf-8", "surrogateescape")

    return _ESCAPES.sub(to_text, raw)


def encode(value: str) -> str:
    """The field that decodes to value; GuestError for an empty value, which no field can hold."""
    if not value:
        raise GuestError("an empty value cannot be written to a table of fields between blanks")
    escaped = _UNSAFE.sub(lambda match: f"\\{ord(match.group()):03o}", value)
    return "\\043" + escaped[1:] if escaped.startswith("#") else escaped


def with_field(line: str, index: int, value: str) -> str:
    """The line with another value in an existing field; the blanks around it stay."""
    field = split_fields(line)[index]
    return line[: field.start] + encode(value) + line[field.end :]


def tag_of(spec: str) -> tuple[str, str] | None:
    """("UUID", "...") of UUID=, LABEL=, PARTUUID=, PARTLABEL=, ID=, the value without its quotes; else None."""
    match = _TAG.fullmatch(spec)
    if match is None:
        return None
    name, value = match.groups()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return name, value
