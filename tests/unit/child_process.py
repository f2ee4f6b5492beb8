# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a part of a test in a process of its own: without root, in other namespaces, or until it is killed."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import traceback
import typing as t

NOBODY = 65534
NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_libc = ctypes.CDLL(None, use_errno=True)


def call(work: t.Callable[[], t.Any]) -> t.Any:
    """What C(work) returns, or raises, in a child process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            answer = pickle.dumps((True, work()))
        except BaseException as error:
            traceback.print_exc()
            answer = pickle.dumps((False, "{}: {}".format(type(error).__name__, error)))
        with os.fdopen(writer, "wb") as stream:
            stream.write(answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        raw = stream.read()
    _pid, status = os.waitpid(child, 0)
    assert raw, "the child ended with wait status {}".format(status)
    is_good, value = pickle.loads(raw)
    assert is_good, value
    return value


def run(work: t.Callable[[], t.Any]) -> int:
    """Wait status of a child process that does C(work) and ends with 0; 1 when it raised."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def was_killed(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def leave_mounts() -> None:
    """Gives this process mounts of its own; what it mounts is gone when it ends."""
    _check(_libc.unshare(NEW_MOUNTS))
    mount("none", "/", "", (1 << 18) | 0x4000)  # private, recursively


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, options.encode() or None)
    _check(_libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[4]))


def bind(source: str, target: str) -> None:
    mount(source, target, "", 4096)


def _check(done: int) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
