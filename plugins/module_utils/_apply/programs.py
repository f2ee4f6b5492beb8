# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the running guest, each with a limit of time."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_OUTPUT = 1 << 20
_PATIENCE = 2.0  # seconds that a program has to end by itself once it is told to
_TAIL = 300  # characters of the output in a message

Note = t.Callable[[str], None]


class Done(t.NamedTuple):
    """How a program ended. C(status) is None when it did not end in time, or is not there."""

    argv: tuple[str, ...]
    status: int | None
    output: str  # stdout and stderr together
    seconds: float

    @property
    def is_good(self) -> bool:
        return self.status == 0

    def problem(self) -> str:
        """What went wrong, for a person."""
        how = f"ended with status {self.status}" if self.status is not None else "could not be run or did not end"
        said = " ".join(self.output.split())[-_TAIL:]
        return f"`{' '.join(self.argv)}` {how}" + (f": {said}" if said else "")


class Programs:
    """Runs them one after the other, and notes each."""

    def __init__(self, note: Note, path: str = SYSTEM_PATH) -> None:
        self.note = note
        self.path = path
        # nothing of the caller's environment: a switch must not depend on who started it
        self._environment = {"PATH": path, "LC_ALL": "C", "HOME": "/root"}

    def has(self, name: str) -> bool:
        return shutil.which(name, path=self.path) is not None

    def run(self, *argv: str, seconds: float = 20.0) -> Done:
        """Runs a program to its end, or to that of its time; then its whole process group is ended."""
        done = self.ask(*argv, seconds=seconds)
        self.note(f"{' '.join(argv)}: status {done.status}, {done.seconds:.1f} s")
        if not done.is_good and done.output.strip():
            self.note("  " + done.output.strip().replace("\n", "\n  "))
        return done

    def ask(self, *argv: str, seconds: float = 20.0) -> Done:
        """The same for a program that changes nothing, which is not noted."""
        began = time.monotonic()
        # no pipe: what a program leaves running in the background would keep it open
        with tempfile.TemporaryFile() as output:
            status = self._status(argv, output, max(0.1, seconds))
            output.seek(0)
            text = output.read(_MAX_OUTPUT).decode("utf-8", "replace")
        return Done(argv, status, text, time.monotonic() - began)

    def _status(self, argv: t.Sequence[str], output: t.BinaryIO, seconds: float) -> int | None:
        found = shutil.which(argv[0], path=self.path)
        if found is None:
            output.write(b"there is no such program")
            return None
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # it runs where no module does any more
            [found, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=self._environment,
            cwd="/",
            start_new_session=True,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            output.seek(0, os.SEEK_END)
            output.write(f" (ended after {seconds:.0f} s)".encode())
            return None


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
