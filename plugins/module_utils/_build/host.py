# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the build host has: processors, memory, space, packages and a toolchain."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from .._errors import GuestError
from . import programs

# What they say of themselves is an input of the build: another compiler makes another kernel.
_TOOLCHAIN = ("gcc", "ld", "as", "make", "bison", "flex", "dpkg-deb")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def make_own(directory: str) -> None:
    """The directory is there, a new one for this user alone. GuestError when others could change what is in it."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass  # whose it is, is looked at in any case
    check_own(directory)


def check_own(directory: str) -> None:
    """GuestError when somebody else could change what is in the directory, which need not be there yet.

    In a place such as /var/tmp any user may have made it first.
    """
    try:
        link = os.lstat(directory)
    except FileNotFoundError:
        return
    found = os.stat(directory)  # an error for a link to nothing: who knows what it will be
    owners = {0, os.geteuid()}
    if link.st_uid not in owners or found.st_uid != os.geteuid():
        other = link.st_uid if link.st_uid not in owners else found.st_uid
        why = f"it belongs to the user with the number {other}, and the build runs as number {os.geteuid()}"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = f"its mode is {stat.S_IMODE(found.st_mode):04o}, so that other users can write there"
    elif not stat.S_ISDIR(found.st_mode):
        why = "it is no directory"
    else:
        return
    raise GuestError(
        f"no kernel is built in {directory}: {why}",
        path=directory,
        hint="Remove it or give another directory: who can write there decides what the kernel is made of.",
    )


def free_space(directory: str) -> int:
    """Bytes that a normal user may still write below the directory, which need not be there yet."""
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory) or "/"
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def available_memory() -> int | None:
    """Bytes, by the kernel's own estimate; None when it says nothing."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        found = _AVAILABLE.search(stream.read())
    return int(found.group(1)) * 1024 if found else None


def missing_packages(wanted: t.Iterable[str]) -> tuple[str, ...]:
    """Those of these Debian packages that are not installed."""
    names = tuple(wanted)
    done = programs.attempt("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *names)
    installed = {line.split()[0] for line in done.output.split("\n") if line.endswith(" installed")}
    return tuple(name for name in names if name not in installed)


def toolchain() -> dict[str, str]:
    """The first line of what each program says of its version."""
    return {name: programs.output_of(name, "--version").split("\n")[0] for name in _TOOLCHAIN}


def check_architecture() -> None:
    """GuestError unless what is compiled here runs on an x86-64 guest."""
    found = programs.output_of("dpkg", "--print-architecture").strip()
    if found != "amd64":
        raise GuestError(
            f"the build host's architecture is {found}; kernels are built for amd64 on amd64 only",
            hint="Use a build host with Debian for amd64.",
        )


def check_room(directory: str, space: int, memory: int, jobs: int) -> None:
    """GuestError when there is less of the one or the other than a build of this size takes."""
    free = free_space(directory)
    if free < space:
        raise GuestError(
            f"{_gib(free)} are free where the kernel is to be built, and the build takes up to {_gib(space)}",
            path=directory,
            hint="Make room there, or give another directory.",
        )
    available = available_memory()
    if available is not None and available < memory:
        raise GuestError(
            f"{_gib(available)} of memory are available, and {jobs} compilers at a time take up to {_gib(memory)}",
            hint="Give a smaller number of jobs, or the build host more memory.",
        )


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
