# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps the time in a guest."""

from __future__ import annotations

import contextlib
import re
import typing as t

from .._errors import GuestError
from .._root import Root
from .model import Clock, Problem
from .sysfs import KernelReader

_CLOCKSOURCE = "/sys/devices/system/clocksource/clocksource0"
UNITS = ("/usr/lib/systemd/system", "/lib/systemd/system")
"""The second is a link to the first where /usr is merged."""
OWN_UNITS = "/etc/systemd/system"
RUN_LEVELS = ("2", "3", "4", "5")
_DAEMONS = {
    "chrony": ("/usr/sbin/chronyd",),
    "ntpsec": ("/usr/sbin/ntpd",),
    "ntp": ("/usr/sbin/ntpd",),
    "openntpd": ("/usr/sbin/openntpd", "/usr/sbin/ntpd"),  # the first up to Debian 7
    "systemd-timesyncd": ("/lib/systemd/systemd-timesyncd",),
}
"""The services of Debian that set the clock, under the names of their units and init scripts, and their programs."""
_COMMANDS = {
    "chronyd": ("chrony",),
    "ntpd": ("ntpsec", "ntp", "openntpd"),  # openntpd calls itself so, by whatever name it was started
    "openntpd": ("openntpd",),
    "systemd-timesyn": ("systemd-timesyncd",),
}
"""The services that a process can be, by its name as the kernel keeps it, of 15 characters."""


def gather(root: Root, note: t.Callable[[Problem], None]) -> Clock:
    """The clock source of the running kernel, and the services of which the files are there.

    Packages are not asked: C(ntp) of Debian 12 is an empty one that brings ntpsec.
    """
    reader = KernelReader(root, note)
    services = tuple(name for name in _DAEMONS if _is_installed(reader, name))
    has_systemd = starts_by_systemd(reader)
    return Clock(
        current=reader.line(f"{_CLOCKSOURCE}/current_clocksource"),
        available=tuple((reader.line(f"{_CLOCKSOURCE}/available_clocksource") or "").split()),
        services=services,
        enabled=tuple(name for name in services if _starts_at_boot(reader, name, has_systemd)),
        has_ptp_hyperv=_has_ptp_hyperv(reader),
        running=_running(root, reader, services),
        cmdline=reader.line("/proc/cmdline"),
        hindered=tuple(_hindered(reader, services)) if has_systemd else (),
    )


def starts_by_systemd(reader: KernelReader) -> bool:
    return reader.link_name("/sbin/init") == "systemd" or not reader.exists("/sbin/init")


def wanted_units(reader: KernelReader) -> frozenset[str]:
    """The units that another one wants or requires, as the administrator or a package has it."""
    return frozenset(
        name
        for directory in reader.names(OWN_UNITS)
        if directory.endswith((".wants", ".requires"))
        for name in reader.names(f"{OWN_UNITS}/{directory}")
    )


def _running(root: Root, reader: KernelReader, services: tuple[str, ...]) -> tuple[str, ...]:
    """The services that have a process, of the names that one process can be the first that is installed."""
    processes: set[str] = set()
    for process in reader.names("/proc"):
        if process.isdigit():
            # many come and go meanwhile, and that one of them is gone is no problem
            with contextlib.suppress(GuestError):
                processes.add((root.read_text(f"/proc/{process}/comm") or "").strip())
    found = []
    for name in sorted(processes & _COMMANDS.keys()):
        possible = [service for service in _COMMANDS[name] if service in services]
        found.append((possible or list(_COMMANDS[name]))[0])
    return tuple(dict.fromkeys(found))


def _is_installed(reader: KernelReader, name: str) -> bool:
    """Whether what starts it is there: a unit, which goes with its package and which systemd alone reads, or the init
    script, which stays behind when the package is removed. That of a removed package has no program, or one that
    another package brought since, with a unit."""
    if starts_by_systemd(reader) and _has_unit(reader, name):
        return True
    if not _is_executable(reader, f"/etc/init.d/{name}"):
        return False
    programs = [program for program in _DAEMONS[name] if reader.exists(program)]
    others = [other for other in _DAEMONS if other != name and set(programs) & set(_DAEMONS[other])]
    has_successor = not _has_unit(reader, name) and any(_has_unit(reader, other) for other in others)
    return bool(programs) and not has_successor


def _is_executable(reader: KernelReader, path: str) -> bool:
    found = reader.attempt(path, lambda: reader.root.stat(path))
    return found is not None and found.kind == "file" and bool(found.mode & 0o111)


def _has_unit(reader: KernelReader, name: str) -> bool:
    # a link from here leads to another name of the service, and one to /dev/null masks it
    own = f"{OWN_UNITS}/{name}.service"
    if reader.exists(own) and reader.link_name(own) is None:
        return True
    return any(reader.exists(f"{directory}/{name}.service") for directory in UNITS)


def _starts_at_boot(reader: KernelReader, name: str, has_systemd: bool) -> bool:
    if has_systemd and reader.link_name(f"{OWN_UNITS}/{name}.service") == "null":
        return False
    if not has_systemd or not _has_unit(reader, name):
        return any(
            re.fullmatch(rf"S\d\d{re.escape(name)}", found)
            for level in RUN_LEVELS
            for found in reader.names(f"/etc/rc{level}.d")
        )
    return f"{name}.service" in wanted_units(reader) and not any(_hindered(reader, (name,)))


def _hindered(reader: KernelReader, services: tuple[str, ...]) -> t.Iterator[tuple[str, str]]:
    """Services that do not start beside a program that is there, and that program."""
    for name in services:
        program = next((path for path in _excluded_by(reader, name) if _is_executable(reader, path)), None)
        if program is not None:
            yield name, program


def _excluded_by(reader: KernelReader, name: str) -> t.Iterator[str]:
    """Programs beside which a unit does not start: up to Debian 10, systemd-timesyncd gives way to other services."""
    for directory in UNITS:
        for part in reader.names(f"{directory}/{name}.service.d"):
            text = reader.content(f"{directory}/{name}.service.d/{part}")
            yield from re.findall(r"^ConditionFileIsExecutable=!(\S+)$", text, re.MULTILINE)


def _has_ptp_hyperv(reader: KernelReader) -> bool:
    clocks = [reader.line(f"/sys/class/ptp/{name}/clock_name") for name in reader.names("/sys/class/ptp")]
    return "hyperv" in clocks or reader.exists("/dev/ptp_hyperv")
