# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that outlives the module, the session and the connection that started it.

What it needs must be imported before: the archive that a module comes in is removed when the module ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import typing as t

from .._errors import GuestError

if t.TYPE_CHECKING:
    from .programs import Programs

_READY = b"ready"
_SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
_SCOPE_WAIT = 3.0  # seconds


def _nothing() -> None:
    pass


def detach(
    work: t.Callable[[], None], log: str, keep: t.Collection[int], prepare: t.Callable[[], None] = _nothing
) -> None:
    """Returns when a process of its own session has done C(prepare) and is about to do C(work).

    It keeps the descriptors C(keep); its output goes to the file C(log). Raises GuestError when it did not come up.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _leave(work, log, {*keep, writer}, prepare, writer)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as stream:
        if stream.read() != _READY:
            raise GuestError(
                f"the process that was to go on without this one did not start; {log} says why",
                path=log,
                hint="Nothing was begun. Look into that file, and at the memory and space left; then try again.",
            )


def _leave(
    work: t.Callable[[], None], log: str, keep: t.Collection[int], prepare: t.Callable[[], None], writer: int
) -> t.NoReturn:
    status = 1
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.chdir("/")
        os.umask(0o022)
        _redirect(log)
        _close_all_but(keep)
        prepare()
        os.write(writer, _READY)
        os.close(writer)
        work()
        status = 0
    finally:  # never back into the module, whatever was raised
        os._exit(status)


def _redirect(log: str) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # whatever the caller had put in their places, such as a buffer
    sys.stdout = sys.stderr = os.fdopen(1, "w", 1, "utf-8", "replace")


def _close_all_but(keep: t.Collection[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in keep:
            try:
                os.close(fd)
            except OSError:
                pass  # the one that the directory was read with


def leave_session(programs: Programs, unit: str) -> bool:
    """Whether systemd took this process out of its session into a scope of its own, so that it does not end with that
    (KillUserProcesses= of logind.conf). Without systemd there is nothing to leave."""
    if not os.path.isdir("/run/systemd/system"):
        return False
    properties = ("2", "Description", "s", "Switch of the network adapter", "PIDs", "au", "1", str(os.getpid()))
    call = (*_SYSTEMD, "StartTransientUnit", "ssa(sv)a(sa(sv))", f"{unit}.scope", "fail", *properties, "0")
    for bus in ((), ("--address=unix:path=/run/systemd/private",)):
        if programs.run("busctl", *bus, "call", *call, seconds=10.0).is_good:
            break
    else:
        return False
    deadline = time.monotonic() + _SCOPE_WAIT
    while time.monotonic() < deadline:
        with open("/proc/self/cgroup", encoding="utf-8") as stream:
            if f"{unit}.scope" in stream.read():
                return True
        time.sleep(0.05)
    return False
