# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Software RAID arrays, mdadm.conf(5): statements of words; a line that starts with a blank goes on with the last."""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError
from ._lines import Document, parse, render, split_lines, with_commented_lines, with_lines, without_lines

__all__ = [
    "Document",
    "Statement",
    "parse",
    "render",
    "statements",
    "with_commented_out",
    "with_word",
    "without",
]

# In the order in which mdadm compares them: an abbreviation means the first that it fits.
_KEYWORDS = (
    *("DEVICE", "ARRAY", "MAILADDR", "MAILFROM", "PROGRAM", "CREATE", "HOMEHOST", "HOMECLUSTER", "AUTO", "POLICY"),
    *("PART-POLICY", "SYSFS", "MONITORDELAY", "ENCRYPTION_NO_VERIFY"),
)
# A comment, or a word in which quotes protect blanks up to the next quote of the same kind.
_WORD = re.compile(r"#[^\n]*|(?:[^ \t\r\n'\"]|'[^'\n]*(?:'|(?=\n)|$)|\"[^\"\n]*(?:\"|(?=\n)|$))+")
_QUOTED = re.compile(r"'([^'\n]*)'?|\"([^\"\n]*)\"?")


class Statement(t.NamedTuple):
    """One statement: `line_count` lines from line `number` (from 1) on.

    `keyword` is in capitals and not abbreviated, "" if mdadm does not know it; `words` are those behind it, without
    quotes.
    """

    number: int
    line_count: int
    keyword: str
    words: tuple[str, ...]

    def option(self, name: str) -> str | None:
        """The value of name=value among the words ("UUID", "devices"); None if it is not there."""
        for word in self.words:
            key, separator, value = word.partition("=")
            if separator and key.lower() == name.lower():
                return value
        return None


def statements(document: Document) -> tuple[Statement, ...]:
    """The statements in the order of the file; comments and empty lines are left out."""
    found = []
    index = 0
    while index < len(document.lines):
        start = index
        index += 1
        if not _words(document.lines[start]):
            continue
        while index < len(document.lines) and document.lines[index][0] in " \t":
            index += 1
        words = [_plain(match.group()) for match in _words("".join(document.lines[start:index]))]
        found.append(Statement(start + 1, index - start, _keyword(words[0]), tuple(words[1:])))
    return tuple(found)


def with_word(document: Document, statement: Statement, index: int, word: str) -> Document:
    """The document in which words[index] of the statement is another; quoted if it has to be.

    GuestError for what cannot be written as a word.
    """
    first = statement.number - 1
    text = "".join(document.lines[first : first + statement.line_count])
    match = _words(text)[index + 1]
    text = text[: match.start()] + _quote(word) + text[match.end() :]
    return with_lines(document, statement.number, statement.line_count, split_lines(text))


def with_commented_out(document: Document, statement: Statement) -> Document:
    """The document in which all lines of the statement are comments."""
    return with_commented_lines(document, statement.number, statement.line_count)


def without(document: Document, statement: Statement) -> Document:
    """The document without the lines of the statement."""
    return without_lines(document, statement.number, statement.line_count)


def _words(text: str) -> list[t.Match[str]]:
    return [match for match in _WORD.finditer(text) if not match.group().startswith("#")]


def _keyword(word: str) -> str:
    fitting = [keyword for keyword in _KEYWORDS if len(word) >= 3 and keyword.startswith(word.upper())]
    return fitting[0] if fitting else ""


def _plain(word: str) -> str:
    return _QUOTED.sub(lambda match: match.group(1) or match.group(2) or "", word)


def _quote(word: str) -> str:
    if not word or "\n" in word or ("'" in word and '"' in word):
        raise GuestError(f"{word!r} cannot be written as a word of mdadm.conf")
    if "'" in word:
        return f'"{word}"'
    return f"'{word}'" if re.search(r"[ \t\r\"]|^#", word) else word
