# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel parameters set at boot, sysctl.conf(5)."""

from __future__ import annotations

import typing as t

from ._lines import Document, parse, render, split_ending, with_commented_lines, without_lines

__all__ = ["Document", "Entry", "canonical", "entries", "parse", "render", "value", "with_commented_out", "without"]

_BLANKS = " \t\r\f\v"


class Entry(t.NamedTuple):
    """One parameter. `key` is canonical; `ignores_failure`: a "-" stands before it. `number` is its line, from 1.

    `value` is None for a line "-key", which keeps systemd-sysctl from setting what a pattern matches.
    """

    number: int
    key: str
    value: str | None
    ignores_failure: bool


def canonical(key: str) -> str:
    """The key with dots between its parts. The first separator decides: in net/ipv4/conf/eth0.5 "." is a name's."""
    for character in key:
        if character == ".":
            return key
        if character == "/":
            return key.translate({ord("/"): ".", ord("."): "/"})
    return key


def entries(document: Document) -> tuple[Entry, ...]:
    """The parameters in the order of the file; a line that is none (no "=") is left out."""
    found = []
    for number, line in enumerate(document.lines, start=1):
        content = split_ending(line)[0].strip(_BLANKS)
        if not content or content[0] in "#;":
            continue
        key, separator, text = content.partition("=")
        ignores_failure = key.startswith("-")
        key = key[1:].strip(_BLANKS) if ignores_failure else key.strip(_BLANKS)
        if key and (separator or ignores_failure):
            found.append(Entry(number, canonical(key), text.strip(_BLANKS) if separator else None, ignores_failure))
    return tuple(found)


def value(document: Document, key: str) -> str | None:
    """What the last line for key sets; None if there is none."""
    wanted = canonical(key)
    for entry in reversed(entries(document)):
        if entry.key == wanted:
            return entry.value
    return None


def with_commented_out(document: Document, key: str) -> Document:
    """The document in which every line for key is a comment."""
    for entry in _entries_for(document, key):
        document = with_commented_lines(document, entry.number)
    return document


def without(document: Document, key: str) -> Document:
    """The document without the lines for key."""
    for entry in reversed(_entries_for(document, key)):
        document = without_lines(document, entry.number)
    return document


def _entries_for(document: Document, key: str) -> tuple[Entry, ...]:
    wanted = canonical(key)
    return tuple([entry for entry in entries(document) if entry.key == wanted])
