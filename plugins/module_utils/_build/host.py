# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the build host has: processors, memory, space, packages and a toolchain."""

from __future__ import annotations

import os
import re
import typing as t

from .._errors import GuestError
from . import programs

# What they say of themselves is an input of the build: another compiler makes another kernel.
_TOOLCHAIN = ("gcc", "ld", "as", "make", "bison", "flex", "dpkg-deb")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


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
