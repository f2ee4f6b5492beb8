# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text as lines, as the programs that read configuration files see them."""

from __future__ import annotations


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
