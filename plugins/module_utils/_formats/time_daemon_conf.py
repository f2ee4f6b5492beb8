# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration of time daemons, a directive a line: chrony.conf(5), ntp.conf(5) of ntp and ntpsec, and ntpd.conf(5) of
openntpd.

What this collection adds to such a file stands in a block of its own at the end, between two comments.
"""

from __future__ import annotations

import typing as t

from ._lines import Document, append_line, line_ending, parse, render, split_ending, without_lines

__all__ = ["Block", "Directive", "Document", "block", "directives", "parse", "render", "with_block"]

BEGIN = "# BEGIN rehost.hyperv: what stands here, rehost.hyperv.time_sync replaces"
END = "# END rehost.hyperv"

_BLANKS = " \t\r\f\v"
_COMMENTS = (
    "#!;%"  # all of them at the beginning of a line for chronyd, "#" for the others, which know none of the rest
)


class Directive(t.NamedTuple):
    """A directive on line C(number), from 1; C(name) in lower case, as none of the daemons minds."""

    number: int
    name: str
    arguments: tuple[str, ...]


class Block(t.NamedTuple):
    """The block's C(line_count) lines from C(number) on, and those of them that are between the comments."""

    number: int
    line_count: int
    lines: tuple[str, ...]


def directives(document: Document) -> tuple[Directive, ...]:
    """The directives in the order of the file. A "#" also ends one, as ntp and openntpd have it; in chrony.conf no
    argument has one."""
    found = []
    for number, line in enumerate(document.lines, start=1):
        content = split_ending(line)[0].strip(_BLANKS)
        if content and content[0] not in _COMMENTS:
            words = content.partition("#")[0].split()
            found.append(Directive(number, words[0].lower(), tuple(words[1:])))
    return tuple(found)


def block(document: Document) -> Block | None:
    """The last block that begins and ends; None when there is none."""
    contents = [split_ending(line)[0] for line in document.lines]
    if BEGIN not in contents:
        return None
    start = len(contents) - 1 - contents[::-1].index(BEGIN)
    if END not in contents[start:]:
        return None
    end = contents.index(END, start)
    return Block(start + 1, end - start + 1, tuple(contents[start + 1 : end]))


def with_block(document: Document, lines: tuple[str, ...]) -> Document:
    """The document with these lines in its block, at its end; without lines it has none."""
    held = block(document)
    if held is not None and held.lines == lines and lines:
        return document
    rest = document if held is None else without_lines(document, held.number, held.line_count)
    if not lines:
        return rest
    text = render(rest)
    return parse(append_line(text, line_ending(text).join([BEGIN, *lines, END])))
