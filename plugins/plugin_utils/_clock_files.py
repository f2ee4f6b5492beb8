# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a directory on the controller, whatever lies in it."""

from __future__ import annotations

import os
import stat
import typing as t

from ..module_utils._errors import GuestError, LimitError, MalformedError
from ._clock_record import printable

LARGEST_FILE = 16 * 2**20  # bytes


def read_all(directory: str) -> t.Iterator[dict[str, str]]:
    """For each file its C(name), and C(text) or the C(problem) with it, sorted by name."""
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise GuestError(f"the directory {printable(directory)} cannot be read: {error.strerror}") from error
    for name in names:
        try:
            yield {"name": printable(name), "text": _read(os.path.join(directory, name))}
        except MalformedError as error:
            yield {"name": printable(name), "problem": error.message}
        except OSError as error:
            yield {"name": printable(name), "problem": f"it cannot be read: {error.strerror}"}


def _read(path: str) -> str:
    # a pipe, opened to be read, would wait for somebody to write into it
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise MalformedError("it is no regular file")
        with open(descriptor, "rb", closefd=False) as stream:
            content = stream.read(LARGEST_FILE + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST_FILE:
        raise LimitError(f"it is larger than {LARGEST_FILE >> 20} MiB")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("it is no text in UTF-8") from error
