# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text as lines, as the programs that read configuration files see them."""

from __future__ import annotations

import dataclasses


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of text, each with its newline; only "\\n" ends a line, and "".join gives text back.

    str.splitlines also splits on carriage returns, form feeds and Unicode separators, which no reader of these
    files treats as the end of a line.
    """
    *complete, rest = text.split("\n")
    lines = tuple([line + "\n" for line in complete])
    return (*lines, rest) if rest else lines


def split_ending(line: str) -> tuple[str, str]:
    """A line as (content, ending); the ending is "\\n", "\\r\\n" or "" (last line without newline)."""
    if line.endswith("\r\n"):
        return line[:-2], "\r\n"
    if line.endswith("\n"):
        return line[:-1], "\n"
    return line, ""


def line_ending(text: str) -> str:
    """The ending that a line added to text takes: that of its first line, "\\n" if it has none."""
    first = text[: text.find("\n") + 1]
    return "\r\n" if first.endswith("\r\n") else "\n"


def append_line(text: str, content: str) -> str:
    """Text with one more line at its end; a missing newline before it is added."""
    ending = line_ending(text)
    glue = ending if text and not text.endswith("\n") else ""
    return text + glue + content + ending


@dataclasses.dataclass(frozen=True)
class Document:
    """A file of lines, each as it stands in the file, with its ending. Line numbers count from 1."""

    lines: tuple[str, ...]


def parse(text: str) -> Document:
    """The document of any text; nothing is rejected."""
    return Document(split_lines(text))


def render(document: Document) -> str:
    """The text of a document."""
    return "".join(document.lines)


def with_lines(document: Document, number: int, count: int, lines: tuple[str, ...]) -> Document:
    """The document in which `lines` stand in place of the `count` lines from `number` on."""
    start = number - 1
    return Document(document.lines[:start] + lines + document.lines[start + count :])


def without_lines(document: Document, number: int, count: int = 1) -> Document:
    """The document without the `count` lines from `number` on."""
    return with_lines(document, number, count, ())


def with_commented_lines(document: Document, number: int, count: int = 1) -> Document:
    """The document in which a "#" begins each of the `count` lines from `number` on."""
    start = number - 1
    lines = tuple(["#" + line for line in document.lines[start : start + count]])
    return with_lines(document, number, count, lines)


def with_appended(document: Document, content: str) -> Document:
    """The document with one more line (or several, separated by "\\n") at its end."""
    return parse(append_line(render(document), content))
