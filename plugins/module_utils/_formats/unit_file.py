# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of systemd: sections of assignments, systemd.syntax(7), read as its conf-parser.c reads them.

A backslash at the end of a line joins the next one that is no comment, and stands for a space. Sections and keys may
repeat; an empty value resets a list.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

_SPACE = " \t\n\r"
_LINE = re.compile(r"([^\n\r\0]*)(\r\n|\n\r|[\n\r\0]|$)")
_WORD = re.compile(rf"[^{_SPACE}]+")


class Word(t.NamedTuple):
    """A word of a value, and its place in the text."""

    value: str
    start: int
    end: int


class Entry(t.NamedTuple):
    """An assignment. pieces: the places in the text that hold the value, one on each of its lines; line is from 1.

    start and end enclose the assignment with all its lines, and the end of the last one. key_start: place of the key.
    """

    key: str
    value: str
    words: tuple[Word, ...]
    pieces: tuple[tuple[int, int], ...]
    line: int
    start: int
    end: int
    key_start: int


class Section(t.NamedTuple):
    """A section, [name], and the assignments in it."""

    name: str
    line: int
    entries: tuple[Entry, ...]


@dataclasses.dataclass(frozen=True)
class Document:
    """A text and its sections. refused_line: that of a section's name without its bracket, for which systemd does
    not take the file at all."""

    text: str
    sections: tuple[Section, ...]
    refused_line: int | None = None

    def entries(self, section: str, key: str) -> tuple[Entry, ...]:
        """Every assignment of a key, in all sections of that name."""
        return tuple(
            [entry for found in self.sections if found.name == section for entry in found.entries if entry.key == key]
        )


def parse(text: str) -> Document:
    """A document of any text; what systemd ignores is kept."""
    sections: list[tuple[str, int, list[Entry]]] = []
    for line, start, end, pieces in _logical_lines(text):
        first = text[pieces[0][0] : pieces[0][1]].lstrip(_SPACE)
        if first.startswith("["):
            last = text[pieces[-1][0] : pieces[-1][1]].rstrip(_SPACE)
            if not last.endswith("]"):
                return Document(text, _sections(sections), line)
            whole = " ".join([text[begin:stop] for begin, stop in pieces]).strip(_SPACE)
            sections.append((whole[1:-1], line, []))
        elif "=" in first and sections:
            sections[-1][2].append(_entry(text, line, start, end, pieces))
    return Document(text, _sections(sections))


def render(document: Document) -> str:
    return document.text


def words(documents: t.Iterable[Document], section: str, key: str) -> tuple[str, ...]:
    """What a list of words holds after a file and its drop-ins were read in this order."""
    found: list[str] = []
    for document in documents:
        for entry in document.entries(section, key):
            if entry.value:
                found += [word.value for word in entry.words]
            else:
                found = []
    return tuple(found)


def value(documents: t.Iterable[Document], section: str, key: str) -> str | None:
    """The value that a key has after a file and its drop-ins were read in this order; None when it has none."""
    found = None
    for document in documents:
        for entry in document.entries(section, key):
            found = entry.value or None
    return found


def _sections(found: list[tuple[str, int, list[Entry]]]) -> tuple[Section, ...]:
    return tuple([Section(name, line, tuple(entries)) for name, line, entries in found])


def _logical_lines(text: str) -> t.Iterator[tuple[int, int, int, list[tuple[int, int]]]]:
    """(number, start, end, pieces) of each line that says something; its first piece is not blank."""
    pieces: list[tuple[int, int]] = []
    number = first = begin = end = 0
    for match in _LINE.finditer(text):
        number += 1
        content = match.group(1)
        stripped = content.strip(_SPACE)
        if stripped[:1] in ("#", ";"):
            continue  # also between two lines that are joined
        is_continued = (len(content) - len(content.rstrip("\\"))) % 2 == 1
        start, stop = match.span(1)
        start += number == 1 and content.startswith("\ufeff")
        stop -= is_continued
        if pieces or text[start:stop].strip(_SPACE):
            if not pieces:
                first, begin = number, start
            pieces.append((start, stop))
            end = match.end()
        if pieces and not is_continued:
            yield first, begin, end, pieces
            pieces = []
    if pieces:
        yield first, begin, end, pieces


def _entry(text: str, line: int, start: int, end: int, pieces: list[tuple[int, int]]) -> Entry:
    begin, stop = pieces[0]
    equals = text.index("=", begin, stop)
    key = text[begin:equals].strip(_SPACE)
    key_start = begin + len(text[begin:equals]) - len(text[begin:equals].lstrip(_SPACE))
    places = ((equals + 1, stop), *pieces[1:])
    value = " ".join([text[first:last] for first, last in places]).strip(_SPACE)
    found = tuple(
        [
            Word(match.group(), match.start(), match.end())
            for first, last in places
            for match in _WORD.finditer(text, first, last)
        ]
    )
    return Entry(key, value, found, places, line, start, end, key_start)
