# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a build is: a file that is written by the process that builds, and read by whoever asks."""

from __future__ import annotations

import fcntl
import json
import os
import time
import typing as t

FILE = "status.json"
_LOCK = "lock"


class Status(t.NamedTuple):
    """`state` is building, failed or built; `percent` 0 to 100; `message` and `hint` say why it failed; `lost` are the
    symbols that were not left as asked for; `started` and `updated` are seconds since 1970."""

    state: str
    step: str = ""
    percent: int = 0
    message: str = ""
    hint: str = ""
    lost: tuple[dict[str, str], ...] = ()
    pid: int = 0
    started: float = 0.0
    updated: float = 0.0


def write(directory: str, status: Status) -> None:
    """Replaces what is there; a reader sees the old or the new one."""
    write_json(os.path.join(directory, FILE), dict(status._asdict(), updated=time.time()))


def read(directory: str) -> Status | None:
    """None when nothing has been begun there."""
    found = read_json(os.path.join(directory, FILE))
    if found is None:
        return None
    return Status(**{name: found[name] for name in Status._fields if name in found})._replace(
        lost=tuple(found.get("lost", ()))
    )


def write_json(path: str, value: t.Any) -> None:
    with open(f"{path}.new", "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=2, sort_keys=True)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(f"{path}.new", path)


def read_json(path: str) -> dict[str, t.Any] | None:
    """None for what is not there, or was not written by this collection."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def take_lock(directory: str) -> int | None:
    """A descriptor that holds the build directory, for as long as it or a copy of it is open; None: somebody has it."""
    fd = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
