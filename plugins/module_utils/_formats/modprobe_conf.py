# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modprobe does with modules, modprobe.d(5)."""

from __future__ import annotations

import re
import typing as t

from ._lines import Document, parse, render, with_commented_lines, without_lines

__all__ = [
    "Document",
    "Entry",
    "blacklisted",
    "canonical",
    "entries",
    "parse",
    "render",
    "with_commented_out",
    "without",
]

_COMMANDS = frozenset(["alias", "blacklist", "config", "include", "install", "options", "remove", "softdep", "weakdep"])
# A carriage return separates nothing: kmod takes it as part of the word.
_WORD = re.compile(r"[^ \t]+")


class Entry(t.NamedTuple):
    """One command: `line_count` lines from line `number` (from 1) on, joined by backslashes at their ends.

    `subject` is the module, or the alias, as written (without "-" made "_"); `arguments` is the text behind it.
    """

    number: int
    line_count: int
    command: str
    subject: str
    arguments: str

    @property
    def module(self) -> str:
        """The canonical name of the module, or alias, that the command is about."""
        return canonical(self.subject)


def canonical(name: str) -> str:
    """The name the kernel uses: "-" and "_" are the same, except between brackets of a pattern."""
    return "".join(
        part if part.startswith("[") else part.replace("-", "_") for part in re.split(r"(\[[^\[\]]*\])", name)
    )


def entries(document: Document) -> tuple[Entry, ...]:
    """The commands in the order of the file; comments, empty and unknown lines are left out."""
    found = []
    index = 0
    while index < len(document.lines):
        start = index
        parts = []
        while True:
            line = document.lines[index]
            index += 1
            # kmod joins a line that ends in a backslash with the next one; comments too.
            if not line.endswith("\\\n") or index == len(document.lines):
                parts.append(line[:-1] if line.endswith("\n") else line)
                break
            parts.append(line[:-2])
        text = "".join(parts)
        words = [match.span() for match in _WORD.finditer(text)]
        if len(words) >= 2 and text[slice(*words[0])] in _COMMANDS:
            command, subject = (text[slice(*span)] for span in words[:2])
            found.append(Entry(start + 1, index - start, command, subject, text[words[1][1] :].strip(" \t")))
    return tuple(found)


def blacklisted(document: Document) -> tuple[str, ...]:
    """The canonical names of the modules that are not loaded by their aliases, each once.

    A module whose `install` command is /bin/true or /bin/false is not loaded at all: see entries.
    """
    return tuple(dict.fromkeys(entry.module for entry in entries(document) if entry.command == "blacklist"))


def with_commented_out(document: Document, entry: Entry) -> Document:
    """The document in which all lines of the entry are comments."""
    return with_commented_lines(document, entry.number, entry.line_count)


def without(document: Document, entry: Entry) -> Document:
    """The document without the lines of the entry."""
    return without_lines(document, entry.number, entry.line_count)
