# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this collection changed in the guest, from its journal, and what is there now."""

from __future__ import annotations

import functools
import typing as t

from .._catalog.paths import JOURNAL, STATE
from .._errors import GuestError
from .._formats import kernel_setting, rollback_journal
from .model import History, Problem, Touched
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._formats.rollback_journal import Original
    from .._root import Root


def gather(root: Root, note: Note) -> History | None:
    """The history; None when nothing was ever changed, or it is not known what was.

    It is empty where a run was killed before its first change, or at the very end of a rollback.
    """
    reader = Reader(root, note)
    try:
        text = root.read_text(JOURNAL)
        if text is None:
            return History(()) if root.exists(STATE) else None
        journal = rollback_journal.parse(text)
    except GuestError as error:
        note(Problem(JOURNAL, error.message))
        return None
    return History(tuple([_touched(reader, original, journal.written) for original in journal.originals]))


def _touched(reader: Reader, original: Original, written: t.Mapping[str, tuple[str | None, ...]]) -> Touched:
    path = original.path
    if original.kind == "setting":
        shown = reader.value(path)
        now = None if shown is None else kernel_setting.value(shown)
        return Touched(original, written.get(path, ()), "absent" if now is None else "setting", now, None)
    found = reader.attempt(path, functools.partial(reader.root.stat, path, follow=False))
    state = None
    if found is not None and found.kind == "link":
        state = reader.attempt(path, functools.partial(reader.root.read_link, path))
    elif found is not None and found.kind == "file":
        state = reader.attempt(path, functools.partial(reader.root.sha256, path))
    is_new_directory = original.kind == "absent" and found is not None and found.kind == "directory"
    return Touched(
        original=original,
        written=written.get(path, ()),
        kind=found.kind if found is not None else "absent",
        state=state,
        metadata=(found.mode, found.uid, found.gid, found.mtime_ns) if found is not None else None,
        names=reader.names(path) if is_new_directory else (),
    )
