# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection changed in the guest, from its journal, and what is there now."""

from __future__ import annotations

import functools
import hashlib
import typing as t

from .._catalog.paths import JOURNAL
from .._formats import rollback_journal
from .model import History, Touched
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._formats.rollback_journal import Original
    from .._root import Root


def gather(root: Root, note: Note) -> History | None:
    """The history; None when nothing was ever changed."""
    reader = Reader(root, note)
    text = reader.text(JOURNAL)
    if text is None:
        return None
    journal = reader.attempt(JOURNAL, functools.partial(rollback_journal.parse, text.text))
    if journal is None:
        return None
    return History(tuple([_touched(reader, original, journal.written) for original in journal.originals]))


def _touched(reader: Reader, original: Original, written: t.Mapping[str, str | None]) -> Touched:
    path = original.path
    found = reader.attempt(path, functools.partial(reader.root.stat, path, follow=False))
    state = None
    if found is not None and found.kind == "link":
        state = reader.attempt(path, functools.partial(reader.root.read_link, path))
    elif found is not None and found.kind == "file":
        state = reader.attempt(path, functools.partial(_sha256, reader.root, path))
    return Touched(
        original=original,
        was_written=path in written,
        written=written.get(path),
        kind=found.kind if found is not None else "absent",
        state=state,
        metadata=(found.mode, found.uid, found.gid, found.mtime_ns) if found is not None else None,
    )


def _sha256(root: Root, path: str) -> str | None:
    stream = root.open(path)
    if stream is None:
        return None
    digest = hashlib.sha256()
    with stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
