# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes for the guest to be as it was before this collection first changed it."""

from __future__ import annotations

import posixpath
import typing as t

from .._catalog.paths import JOURNAL, STAGED_SUFFIX, STATE, STATE_PARENT
from .model import Finding, Forget, Plan, Restore

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Touched
    from .._formats.rollback_journal import Original


def plan(facts: GuestFacts, force: bool = False) -> Plan:
    """Every path put back, the last one touched first, and then the journal removed. A path that somebody else changed
    since is left alone unless C(force), and then the journal stays for it."""
    if facts.history is None:
        damaged = [problem for problem in facts.problems if problem.path == JOURNAL]
        return Plan(findings=tuple([_unreadable(problem.message) for problem in damaged]))
    steps: list[Restore | Forget] = []
    findings = []
    gone = {_staged_beside(touched.original.path) for touched in facts.history.touched}  # when the steps are done
    parent_mtime_ns: int | None = None
    for touched in reversed(facts.history.touched):
        original = touched.original
        if original.path == STATE_PARENT:
            parent_mtime_ns = original.mtime_ns
        elif original.kind == "setting":
            if _is_still_set(touched):
                steps.append(Restore(original))
        elif original.kind == "directory":
            if _has_other_time(touched) or any(posixpath.dirname(step.path) == original.path for step in steps):
                steps.append(Restore(original))
        elif not touched.written:  # announced only, or a directory that was made
            if touched.kind == "directory" and all(f"{original.path}/{name}" in gone for name in touched.names):
                steps.append(Restore(original))
                gone.add(original.path)
        elif _is_as_before(touched):
            continue
        elif not force and _was_changed_since(touched):
            findings.append(_changed_since(touched))
        else:
            steps.append(Restore(original))
            gone.add(original.path)
    if not findings:
        steps.append(Forget(STATE, parent_mtime_ns))
    return Plan(changes=tuple(steps), findings=tuple(findings))


def _is_still_set(touched: Touched) -> bool:
    """Whether the kernel still has a value that this collection set. It has not after a restart, or when somebody set
    another one, or when the device is gone; then nothing is owed."""
    return touched.state != touched.original.value and touched.state in touched.written and touched.kind == "setting"


def _staged_beside(path: str) -> str:
    """Where a run that was killed may have left new content; the next one that opens the journal removes it."""
    directory, name = posixpath.split(path)
    return posixpath.join(directory, f".{name}{STAGED_SUFFIX}")


def _has_other_time(touched: Touched) -> bool:
    # a directory that is none any more has no time to be given back
    if touched.kind != "directory" or touched.metadata is None:
        return False
    return touched.metadata[3] != touched.original.mtime_ns


def _is_as_before(touched: Touched) -> bool:
    original = touched.original
    if touched.kind != original.kind or original.kind == "absent":
        return touched.kind == original.kind
    metadata = (original.mode, original.uid, original.gid, original.mtime_ns)
    return touched.state == _content(original) and touched.metadata == metadata


def _was_changed_since(touched: Touched) -> bool:
    """Whether what is there now is neither what was there first nor what this collection left there."""
    if touched.kind not in ("file", "link", "absent"):
        return True
    is_first = touched.kind == touched.original.kind and touched.state == _content(touched.original)
    return not is_first and touched.state not in touched.written


def _content(original: Original) -> str:
    return original.target if original.kind == "link" else original.sha256


def _changed_since(touched: Touched) -> Finding:
    path = touched.original.path
    return Finding(
        "rollback.changed-since",
        "warning",
        path,
        f"{path} was changed by somebody else after this collection had changed it, and is left as it is",
        "compare it with its copy in /var/lib/rehost-hyperv, or let the module restore it with force: true",
    )


def _unreadable(message: str) -> Finding:
    return Finding(
        "rollback.journal-unreadable",
        "error",
        JOURNAL,
        f"it is not known what this collection changed on the guest: {message}",
        "run as root (become: true); if the journal is damaged, restore it from a backup",
    )
