# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of LVM, lvm.conf(5): sections between braces, `name = value`, lists between brackets."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError
from ._lines import append_line

_TOKEN = re.compile(
    r"(?P<nothing>[\s\0]+|#[^\n]*)|(?P<mark>[{}\[\]=,])"
    r"|(?P<word>\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\0#{}\[\]=,\"']+)",
    re.DOTALL,
)
# LVM's own configuration has two levels.
_MAX_DEPTH = 8


class Setting(t.NamedTuple):
    """One setting: its path ("devices/filter"), its values without quotes, and the columns of the value in the text."""

    path: str
    values: tuple[str, ...]
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Document:
    """The text, its settings, and for each section where its content starts.

    `is_complete` is False where something is not understood; settings behind that are not found.
    """

    text: str
    settings: tuple[Setting, ...]
    sections: tuple[tuple[str, int], ...]
    is_complete: bool


class _Token(t.NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Document:
    """The document of any text; nothing is rejected."""
    tokens, is_complete = _tokens(text)
    settings: list[Setting] = []
    sections: list[tuple[str, int]] = []
    stack: list[str] = []
    name: str | None = None
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token.kind == "word" and name is None:
            name = _plain(token.text)
        elif token.text == "{" and name is not None and len(stack) < _MAX_DEPTH:
            stack.append(name)
            sections.append(("/".join(stack), token.end))
            name = None
        elif token.text == "}" and name is None and stack:
            stack.pop()
        elif token.text == "=" and name is not None:
            end = _end_of_value(tokens, index)
            if end is None:
                is_complete = False
                break
            value = tokens[index:end]
            values = tuple(_plain(item.text) for item in value if item.kind == "word")
            settings.append(Setting("/".join([*stack, name]), values, value[0].start, value[-1].end))
            name, index = None, end
        else:
            is_complete = False
            break
    return Document(text, tuple(settings), tuple(sections), is_complete and not stack and name is None)


def render(document: Document) -> str:
    """The text of a document."""
    return document.text


def values(document: Document, path: str) -> tuple[str, ...] | None:
    """The values of a setting ("devices/filter"), of the last one if it is there twice; None if it is not set."""
    setting = _find(document, path)
    return setting.values if setting else None


def with_values(document: Document, path: str, new: t.Sequence[str]) -> Document:
    """The document in which a setting is a list of these strings; it is added to its section if it is not set.

    GuestError when the file is not understood to its end, for then nothing can be said of what LVM makes of it.
    """
    if not document.is_complete:
        raise GuestError(
            f"{path} cannot be changed safely: the file is not understood to its end",
            hint="let LVM check the file: lvmconfig --validate",
        )
    section, _slash, name = path.rpartition("/")
    written = "[ " + ", ".join(_quote(value) for value in new) + " ]" if new else "[]"
    setting = _find(document, path)
    text = document.text
    if setting is not None:
        return parse(text[: setting.start] + written + text[setting.end :])
    for known, start in document.sections:
        if known == section:
            return parse(f"{text[:start]}\n\t{name} = {written}{text[start:]}")
    return parse(append_line(text, f"{section} {{\n\t{name} = {written}\n}}"))


def _find(document: Document, path: str) -> Setting | None:
    return next((setting for setting in reversed(document.settings) if setting.path == path), None)


def _tokens(text: str) -> tuple[list[_Token], bool]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            return found, False
        if match.lastgroup != "nothing":
            found.append(_Token(match.lastgroup, match.group(), position, match.end()))
        position = match.end()
    return found, True


def _end_of_value(tokens: t.Sequence[_Token], index: int) -> int | None:
    """Behind the value that starts at index: one word, or a list with its brackets; None if it is neither."""
    if index < len(tokens) and tokens[index].kind == "word":
        return index + 1
    if index < len(tokens) and tokens[index].text == "[":
        index += 1
        while index < len(tokens):
            if tokens[index].text == "]":
                return index + 1
            if tokens[index].kind != "word" and tokens[index].text != ",":
                return None
            index += 1
    return None


def _plain(word: str) -> str:
    if word.startswith("'"):
        return word[1:-1]
    if word.startswith('"'):
        return re.sub(r"\\(.)", r"\1", word[1:-1], flags=re.DOTALL)
    return word


def _quote(value: str) -> str:
    return '"' + re.sub(r'[\\"]', r"\\\g<0>", value) + '"'
