# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dracut puts into an initramfs, dracut.conf(5): bash assignments, most of which append words between blanks.

dracut reads its own defaults, /etc/dracut.conf and the files of dracut.conf.d in one shell, so what a file starts
from is what the files before it left: pass their values as `initial`.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError
from . import assignments
from .assignments import Document, render

__all__ = ["Document", "parse", "render", "value", "with_words", "words"]

_WORD = re.compile(r"[A-Za-z0-9_./:=-]+")
_MODULE_LISTS = frozenset(["add_drivers", "force_drivers", "drivers", "omit_drivers"])


def parse(text: str) -> Document:
    """The document of any text; nothing is rejected."""
    return assignments.parse(text, appending=True)


def value(document: Document, key: str, *, initial: str = "") -> str | None:
    """The value of key after the file; `initial` if the file does not set it, None if it cannot be known."""
    known = {key: initial}
    if assignments.is_dynamic(document, key, initial=known):
        return None
    return assignments.value(document, key, initial=known)


def words(document: Document, key: str, *, initial: str = "") -> tuple[str, ...] | None:
    """The words of a list such as add_drivers or filesystems; None if they cannot be known."""
    text = value(document, key, initial=initial)
    return None if text is None else tuple(text.split())


def with_words(document: Document, key: str, wanted: t.Sequence[str], *, initial: str = "") -> Document:
    """The document with a line at its end that appends the wanted words that the list does not hold yet.

    In the lists of drivers "-" and "_" are the same. GuestError when the list cannot be known.
    """
    present = words(document, key, initial=initial)
    if present is None:
        raise GuestError(
            f"{key} cannot be changed safely: its value in this file is only known by running the file",
            line=document.opaque_line,
            hint="set it in another file of dracut.conf.d that is read later",
        )
    missing = [word for word in dict.fromkeys(wanted) if _same(key, word) not in {_same(key, item) for item in present}]
    if not missing:
        return document
    if not all(_WORD.fullmatch(word) for word in missing):
        raise GuestError(f"{' '.join(missing)!r} are no words for {key}")
    glue = "\n" if document.text and not document.text.endswith("\n") else ""
    changed = parse(f'{document.text}{glue}{key}+=" {" ".join(missing)} "\n')
    if words(changed, key, initial=initial) != (*present, *missing):
        raise GuestError(f"{key} cannot be appended to: the last line of the file goes on", hint="complete that line")
    return changed


def _same(key: str, word: str) -> str:
    return word.replace("-", "_") if key in _MODULE_LISTS else word
