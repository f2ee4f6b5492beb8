# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of modules to load: /etc/initramfs-tools/modules, /etc/modules and /etc/modules-load.d/*.conf.

One module per line, its options behind it. "#" begins a comment; in modules-load.d a line may begin with ";" as well.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError
from ._lines import Document, parse, render, split_ending, with_appended, without_lines

__all__ = ["Document", "Entry", "canonical", "entries", "names", "parse", "render", "with_modules", "without_modules"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")


class Entry(t.NamedTuple):
    """One module to load. `name` is as written; `number` is its line, from 1."""

    number: int
    name: str
    options: tuple[str, ...]


def canonical(name: str) -> str:
    """The name the kernel uses: "-" and "_" are the same in a module's name."""
    return name.replace("-", "_")


def entries(document: Document) -> tuple[Entry, ...]:
    """The modules in the order of the file, as often as they are named."""
    found = []
    for number, line in enumerate(document.lines, start=1):
        words = split_ending(line)[0].split("#", 1)[0].replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if words and not line.startswith(";"):
            found.append(Entry(number, words[0], tuple(words[1:])))
    return tuple(found)


def names(document: Document) -> tuple[str, ...]:
    """The canonical names, each once, in the order of the file."""
    return tuple(dict.fromkeys(canonical(entry.name) for entry in entries(document)))


def with_modules(document: Document, wanted: t.Iterable[str]) -> Document:
    """The document with a line at its end for each wanted module that it does not name yet.

    GuestError for what is no name of a module.
    """
    present = set(names(document))
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise GuestError(f"{name!r} is not the name of a kernel module")
        if canonical(name) not in present:
            present.add(canonical(name))
            document = with_appended(document, name)
    return document


def without_modules(document: Document, unwanted: t.Iterable[str]) -> Document:
    """The document without the lines of these modules."""
    gone = {canonical(name) for name in unwanted}
    for entry in reversed(entries(document)):
        if canonical(entry.name) in gone:
            document = without_lines(document, entry.number)
    return document
