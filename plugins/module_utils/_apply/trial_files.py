# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files as they would be, for a trial: mounted over the real ones, which nothing is written to.

Whatever happens during a trial, the next boot finds the files as they were. Files that do not exist yet are not shown.
"""

from __future__ import annotations

import os
import shutil
import typing as t

from .._errors import GuestError

if t.TYPE_CHECKING:
    from .programs import Programs

_DIRECTORY = "/run/rehost-hyperv"


class TrialFile(t.NamedTuple):
    """A file that is there, and the text that it is to have; None for no file, which an empty one stands for."""

    path: str
    text: str | None


def show(programs: Programs, files: t.Sequence[TrialFile]) -> None:
    """Raises GuestError or OSError."""
    os.makedirs(_DIRECTORY, mode=0o700, exist_ok=True)
    for number, file in enumerate(files):
        found = os.stat(file.path)
        copy = os.path.join(_DIRECTORY, f"{number:04d}")
        fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "wb") as stream:
            stream.write((file.text or "").encode("utf-8", "surrogateescape"))
            os.fchown(stream.fileno(), found.st_uid, found.st_gid)
            os.fchmod(stream.fileno(), found.st_mode & 0o7777)
        done = programs.run("mount", "--bind", copy, file.path)
        if not done.is_good:
            raise GuestError(f"{file.path} cannot be shown as it would be: {done.problem()}", path=file.path)


def hide(programs: Programs, paths: t.Iterable[str]) -> list[str]:
    """Shows the real files again, all of them; returns what did not work."""
    problems = []
    for path in paths:
        while is_shown(path):
            done = programs.run("umount", path)
            if not done.is_good:
                problems.append(done.problem())
                break
    if not problems:
        shutil.rmtree(_DIRECTORY, ignore_errors=True)  # they may hold secrets
    return problems


def is_shown(path: str) -> bool:
    """Whether one of our copies is mounted there."""
    place = os.path.realpath(path)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        points = [line.split(" ")[4] for line in stream]
    return _escape(place) in points


def _escape(path: str) -> str:
    """As the kernel writes it there."""
    return "".join(f"\\{ord(character):03o}" if character in " \t\n\\" else character for character in path)
