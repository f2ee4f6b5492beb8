# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decompressors of the machine that we run on, as filters.

They are taken from PATH, never from a guest's tree, and run without a shell, with nothing of our environment and no
file but their three streams.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import shutil
import subprocess
import typing as t

from ._errors import MalformedError, ToolMissingError

# Debian package and arguments; each reads its standard input and writes its standard output.
_DECOMPRESSORS = {
    "bzip2": ("bzip2", ("-dc",)),
    "lz4": ("lz4", ("-dc", "-q")),
    "lzop": ("lzop", ("-dc",)),
    "xz": ("xz-utils", ("-dc", "--memlimit-decompress=128MiB")),
    "lzma": ("xz-utils", ("-dc", "--memlimit-decompress=128MiB")),
    "zstd": ("zstd", ("-dc", "-q")),
}
_READ_SIZE = 1 << 18
_PIPE_SIZE = 1 << 20  # fs.pipe-max-size, up to which any process may go
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of <linux/fcntl.h>; Python's fcntl has it since 3.10
_MESSAGE_SIZE = 2000


def decompress(tool: str, chunks: t.Iterable[bytes]) -> t.Generator[bytes, None, None]:
    """What the decompressor called ``tool`` makes of ``chunks``, in chunks of at most 256 KiB.

    Close the iterator to stop early: that kills the process.  Memory: a chunk of each, two pipes of 1 MiB, and what
    the tool itself takes (zstd and xz bound it to 128 MiB).
    Raises ToolMissingError when there is no such program, MalformedError with its message when it fails, and
    whatever ``chunks`` raises.
    """
    package, arguments = _DECOMPRESSORS[tool]
    program = shutil.which(tool)
    if program is None:
        raise ToolMissingError(
            "the program {} is needed to read this, and it is not installed here".format(tool),
            hint="Install the package {} on the machine that the module runs on.".format(package),
        )
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command is for modules, and no stream
        (program, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        bufsize=0,
    )
    message = bytearray()
    remaining = iter(chunks)
    try:
        yield from _pump(process, remaining, message)
        status = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
    if status:
        said = bytes(message).decode("utf-8", "replace").strip() or "status {}".format(status)
        raise MalformedError("{} cannot decompress this: {}".format(tool, said))
    for _chunk in remaining:
        raise MalformedError("{} stopped before the end of its input".format(tool))


def _pump(process: subprocess.Popen[bytes], chunks: t.Iterator[bytes], message: bytearray) -> t.Iterator[bytes]:
    """Feed the process and yield its output until both its outputs are closed; its messages go to ``message``."""
    stdin, stdout, stderr = (t.cast("t.IO[bytes]", s).fileno() for s in (process.stdin, process.stdout, process.stderr))
    for pipe in (stdin, stdout):
        _enlarge(pipe)
    os.set_blocking(stdin, False)
    pending = memoryview(b"")
    with selectors.DefaultSelector() as selector:
        selector.register(stdin, selectors.EVENT_WRITE)
        selector.register(stdout, selectors.EVENT_READ)
        selector.register(stderr, selectors.EVENT_READ)
        while selector.get_map():
            for key, _events in selector.select():
                if key.fd == stdin:
                    try:
                        pending = pending or memoryview(next(chunks))
                        pending = pending[os.write(stdin, pending) :]
                    except BlockingIOError:
                        pass
                    except (StopIteration, BrokenPipeError):
                        # All is fed, or the tool wants no more: its status will tell.
                        selector.unregister(stdin)
                        t.cast("t.IO[bytes]", process.stdin).close()
                    continue
                data = os.read(key.fd, _READ_SIZE)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == stdout:
                    yield data
                elif len(message) < _MESSAGE_SIZE:
                    message += data[: _MESSAGE_SIZE - len(message)]


def _enlarge(pipe: int) -> None:
    """A larger pipe, for fewer switches between the processes; the size that it has will do as well."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE_SIZE)
