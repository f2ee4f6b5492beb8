# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of the build host."""

from __future__ import annotations

import os
import subprocess
import tempfile
import typing as t

from .._errors import GuestError, ToolMissingError

_SAID = 600  # characters of what a program said, in a message
# What a caller's shell may hold that would change a kernel's build: only these are handed on.
_KEPT = ("PATH", "HOME", "TMPDIR", "CCACHE_DIR", "CCACHE_MAXSIZE")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(more: t.Mapping[str, str]) -> dict[str, str]:
    """Of a program: little of the caller's, and C(more). The system's directories are always on the PATH (depmod)."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept["PATH"] = f"{kept['PATH']}:{_SYSTEM_PATH}" if kept.get("PATH") else _SYSTEM_PATH
    return {**kept, "LC_ALL": "C", **more}


def output_of(*words: str, cwd: str | None = None, stdin: t.IO[bytes] | None = None) -> str:
    """What a program prints. GuestError with what it said when it fails, ToolMissingError when it is not there."""
    done = attempt(*words, cwd=cwd, stdin=stdin)
    if done.status != 0:
        said = " ".join(done.errors.split())[-_SAID:]
        raise GuestError(f"`{' '.join(words)}` ended with status {done.status}: {said}")
    return done.output


class Done(t.NamedTuple):
    """How a program ended, and what it printed."""

    status: int
    output: str
    errors: str


def attempt(*words: str, cwd: str | None = None, stdin: t.IO[bytes] | None = None) -> Done:
    """Runs a program to its end, however that is."""
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # it also runs where no module does any more
            words,
            cwd=cwd,
            env=environment({}),
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
    except FileNotFoundError as error:
        raise _missing(words[0]) from error
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def _missing(name: str) -> ToolMissingError:
    return ToolMissingError(
        f"{name} is not there", hint="A build host is a Debian machine with dpkg-dev, apt and kmod."
    )


def follow(
    words: t.Sequence[str], cwd: str, more: t.Mapping[str, str], log: t.IO[str], each: t.Callable[[str], None]
) -> int:
    """The status of a program all of whose output goes to C(log), line by line, and to C(each)."""
    log.write(f"$ {' '.join(words)}\n")
    log.flush()
    with subprocess.Popen(  # pylint: disable=ansible-bad-function  # its progress is followed
        words,
        cwd=cwd,
        env=environment(more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            log.write(line)
            log.flush()
            each(line.rstrip("\n"))
    return process.returncode


def pipe(first: t.Sequence[str], second: t.Sequence[str]) -> tuple[Done, Done]:
    """How two programs ended, of which the second reads what the first prints. The output of the first is not kept.

    When the second does not read to the end, the first ends with the status -SIGPIPE.
    """
    with tempfile.TemporaryFile() as errors:  # a pipe that nobody reads meanwhile could fill up
        try:
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command keeps the output in memory
                first, env=environment({}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        except FileNotFoundError as error:
            raise _missing(first[0]) from error
        with process:
            read = attempt(*second, stdin=process.stdout)
            if process.stdout is not None:
                process.stdout.close()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace")
    return Done(process.returncode, "", said), read
