# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes for the guest to be as it was before this collection first changed it."""

from __future__ import annotations

import typing as t

from .._catalog.paths import JOURNAL, STATE, STATE_PARENT
from .model import Finding, Forget, Plan, Restore

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Touched


def plan(facts: GuestFacts, force: bool = False) -> Plan:
    """Every path put back, the last one touched first, and then the journal removed. A path that somebody else changed
    since is left alone unless C(force), and then the journal stays for it."""
    if facts.history is None:
        damaged = [problem for problem in facts.problems if problem.path == JOURNAL]
        return Plan(findings=tuple([_unreadable(problem.message) for problem in damaged]))
    steps: list[Restore | Forget] = []
    findings = []
    for touched in reversed(facts.history.touched):
        if touched.original.path == STATE_PARENT or _is_as_before(touched):
            continue
        if not force and _was_changed_since(touched):
            findings.append(_changed_since(touched))
        else:
            steps.append(Restore(touched.original))
    if not findings:
        parent = next(item.original for item in facts.history.touched if item.original.path == STATE_PARENT)
        steps.append(Forget(STATE, parent.mtime_ns))
    return Plan(changes=tuple(steps), findings=tuple(findings))


def _is_as_before(touched: Touched) -> bool:
    original = touched.original
    if touched.kind != original.kind:
        return False
    if original.kind == "absent":
        return True
    if original.kind == "directory":
        return touched.metadata is not None and touched.metadata[3] == original.mtime_ns
    content = original.target if original.kind == "link" else original.sha256
    metadata = (original.mode, original.uid, original.gid, original.mtime_ns)
    return touched.state == content and touched.metadata == metadata


def _was_changed_since(touched: Touched) -> bool:
    """Whether what is there now is neither what was there first nor what this collection left there."""
    original = touched.original
    if original.kind == "directory" or touched.kind == "directory":
        return False
    before = {"file": original.sha256, "link": original.target}.get(original.kind)
    if touched.kind == original.kind and touched.state == before:
        return False
    return not (touched.was_written and touched.state == touched.written)


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
