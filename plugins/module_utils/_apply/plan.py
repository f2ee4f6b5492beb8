# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out a plan: files first, all of them staged before the first is put in its place, then packages, then
commands."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import typing as t

from .._errors import GuestError
from .._formats import kernel_setting
from .._plan.model import FileChange, Forget, LinkChange, PoolChange, Restore, RuntimeSetting
from .guest import Guest, Staged

if t.TYPE_CHECKING:
    from .._plan.model import Command, Plan
    from .._root import Root
    from .runners import Runner

_CHUNK = 1 << 20


def apply(root: Root, plan: Plan, runner: Runner) -> None:
    """Makes a guest as the plan wants it.

    Raises GuestError when a file is not as it was when the plan was made, or something cannot be written or run. All
    that was done until then is in the journal, and the next run starts where this one stopped.
    """
    with Guest(root) as guest:
        for change in plan.changes:
            _refuse_when_changed(guest, change)
        staged: dict[str, Staged] = {}
        try:
            for change in plan.changes:
                if isinstance(change, FileChange) and change.after is not None:
                    path = _place(root, change.path)
                    staged[change.path] = guest.stage(path, (_encode(change.after),), change.mode)
            for change in plan.changes:  # once more, now that the lock is held
                _refuse_when_changed(guest, change)
            for change in plan.changes:
                _carry_out(guest, change, staged)
        finally:
            for left in staged.values():
                guest.discard(left)
        if plan.installation is not None:
            runner.install(plan.installation)
        for command in plan.commands:
            _generate(guest, command, runner)


def _carry_out(guest: Guest, change: t.Any, staged: dict[str, Staged]) -> None:
    if isinstance(change, Restore):
        guest.restore(change.original)
    elif isinstance(change, Forget):
        guest.forget(change.parent_mtime_ns)
    elif isinstance(change, RuntimeSetting):
        guest.set(_place(guest.root, change.path), change.after)
    elif isinstance(change, PoolChange):
        guest.rewrite_locked(_place(guest.root, change.path), functools.partial(_with_pairs, change), 0o644)
    elif change.path in staged:
        guest.commit(staged[change.path])
        os.close(staged.pop(change.path).parent)
    elif change.after is None:
        guest.remove(_place(guest.root, change.path, follow=False))
    else:
        guest.link(_place(guest.root, change.path, follow=False), change.after)


def _with_pairs(change: PoolChange, content: bytes) -> bytes:
    from .._formats import kvp_pool  # only one module needs it

    pool = kvp_pool.parse(content)
    for key in change.absent:
        pool = kvp_pool.without_key(pool, key)
    for key, value in change.present:
        pool = kvp_pool.with_pair(pool, key, value)
    return kvp_pool.render(pool)


def _refuse_when_changed(guest: Guest, change: t.Any) -> None:
    if isinstance(change, FileChange):
        is_same = guest.root.read_text(change.path) == change.before
    elif isinstance(change, LinkChange):
        is_same = guest.root.read_link(change.path) == change.before
    elif isinstance(change, RuntimeSetting):
        is_same = kernel_setting.value(guest.root.read_text(change.path) or "") == change.before
    else:
        return
    if not is_same:
        raise GuestError(
            f"{change.path} changed while this run was looking at the guest; nothing was written",
            path=change.path,
            hint="Run again.",
        )


def _generate(guest: Guest, command: Command, runner: Runner) -> None:
    path = _place(guest.root, command.output)
    with _scratch_errors(command), tempfile.TemporaryFile() as made:
        runner.generate(command, made)
        made.seek(0)
        problem = command.proof.problem_with(made)
        if problem:
            raise GuestError(
                f"{command.argv[0]} made a new {command.output} that is no good: {problem}. The old one stays in place",
                path=command.output,
                hint="Run the command in the guest by hand and look at its output.",
            )
        made.seek(0)
        guest.write(path, iter(lambda: made.read(_CHUNK), b""), 0o644, is_recorded=not command.stays)
        if command.record is not None:
            made.seek(0)
            digest = hashlib.sha1()  # what update-initramfs compares, no security hangs on it
            for chunk in iter(lambda: made.read(_CHUNK), b""):
                digest.update(chunk)
            line = f"{digest.hexdigest()}  {command.output}\n"
            place = _place(guest.root, command.record)
            guest.write(place, (line.encode(),), 0o644, is_recorded=not command.stays)


@contextlib.contextmanager
def _scratch_errors(command: Command) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GuestError(
            f"{command.argv[0]} could not leave a new {command.output} in {tempfile.gettempdir()}: {error.strerror}. "
            "The old one stays in place",
            path=tempfile.gettempdir(),
            hint="Make room there, or set TMPDIR to a directory that has some, and run again.",
        ) from error


def _place(root: Root, path: str, *, follow: bool = True) -> str:
    """Where a file really is, or will be: a link stays a link, what it points to is changed. In the journal, a file
    has one name."""
    place = root.place_of(path, follow=follow)
    if place is None:  # its directory is yet to be made
        directory, name = os.path.split(path.rstrip("/"))
        return os.path.join(_place(root, directory), name)
    return place


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
