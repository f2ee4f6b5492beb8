# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel said of its last boot, from the journal of a guest that is not running."""

from __future__ import annotations

import functools
import re
import typing as t

from .._errors import GuestError
from .._formats import journal
from .model import TextFile

if t.TYPE_CHECKING:
    from .sysfs import KernelReader

DIRECTORY = "/var/log/journal"
MOST_FILES = 32  # that are looked at, the newest first
BOOT_LENGTH = 512 << 10  # characters; kept of a boot
_MACHINE = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"system(?:@.*)?\.journal~?")
_FIRST_MESSAGE = "Linux version "


def last_boot(reader: KernelReader) -> TextFile | None:
    """The messages of the last boot, a line each, with the file that holds its beginning; None when none does."""
    for path in _newest_first(reader)[:MOST_FILES]:
        text = reader.attempt(path, functools.partial(_last_boot, reader, path))
        if text is not None:
            return TextFile(path, text)
    return None


def _newest_first(reader: KernelReader) -> list[str]:
    paths = [
        f"{DIRECTORY}/{machine}/{name}"
        for machine in reader.names(DIRECTORY)
        if _MACHINE.fullmatch(machine)
        for name in reader.names(f"{DIRECTORY}/{machine}")
        if _FILE.fullmatch(name)
    ]
    return sorted(paths, key=lambda path: -(reader.mtime(path) or 0))


def _last_boot(reader: KernelReader, path: str) -> str | None:
    stream = reader.root.open(path)
    if stream is None:
        return None
    lines: list[str] | None = None
    length = 0
    with stream:
        try:
            for message in journal.kernel_messages(stream):
                if message.startswith(_FIRST_MESSAGE):
                    lines, length = [], 0
                if lines is not None and length < BOOT_LENGTH:
                    lines.append(message.replace("\n", " "))
                    length += len(message) + 1
        except OSError as error:
            raise GuestError(f"{path} cannot be read: {error.strerror}", path=path) from error
    return None if lines is None else "\n".join(lines)
