# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key files of GLib (GKeyFile): [group], key=value, comments that begin with #.

Groups and keys may repeat; of a key the last value counts. GLib takes a file whole or not at all.
"""

from __future__ import annotations

import re
import typing as t

from ._lines import split_lines
from .unit_file import Document, Entry, Section, Word, render, value

__all__ = ["Document", "Entry", "Section", "Word", "items", "parse", "render", "value"]

_SPACE = " \t\n\v\f\r"
_ITEM = re.compile(r"[^;\\]*(?:\\.[^;\\]*)*", re.DOTALL)
_GROUP = re.compile(r"\[([^\[\]\x00-\x1f\x7f]+)\][ \t\v\f\r]*")


def parse(text: str) -> Document:
    """A document of any text. Its words are the items of a list (separated by semicolons), escaped as they are.

    refused_line: the first line that is no group, no assignment in a group and no comment.
    """
    sections: list[tuple[str, int, list[Entry]]] = []
    start = 0
    refused = None
    for number, line in enumerate(split_lines(text), 1):
        end = start + len(line)
        content = line.strip(_SPACE)
        begin = start + len(line) - len(line.lstrip(_SPACE))
        group = _GROUP.fullmatch(content)
        key, separator, _rest = content.partition("=")
        if group:
            sections.append((group.group(1), number, []))
        elif separator and key and sections and not content.startswith(("#", "[")):
            stop = start + len(line.rstrip("\r\n"))
            sections[-1][2].append(_entry(text, number, (start, begin, stop, end)))
        elif content and not content.startswith("#"):
            refused = refused or number
        start = end
    return Document(text, tuple([Section(name, line, tuple(found)) for name, line, found in sections]), refused)


def items(document: Document, section: str, key: str) -> tuple[str, ...]:
    """The items of the list that a key holds."""
    found = document.entries(section, key)
    return tuple([word.value for word in found[-1].words]) if found else ()


def _entry(text: str, line: int, places: tuple[int, int, int, int]) -> Entry:
    start, begin, stop, end = places
    equals = text.index("=", begin, stop)
    first = equals + 1
    while first < stop and text[first] in _SPACE:
        first += 1
    words = []
    place = first
    while place < stop:
        last = t.cast("re.Match[str]", _ITEM.match(text, place, stop)).end()
        item = text[place:last]
        if item.strip(_SPACE):
            skipped = len(item) - len(item.lstrip(_SPACE))
            words.append(Word(item.strip(_SPACE), place + skipped, place + len(item.rstrip(_SPACE))))
        place = last + 1
    key = text[begin:equals].rstrip(_SPACE)
    return Entry(key, text[first:stop], tuple(words), ((first, stop),), line, start, end, begin)
