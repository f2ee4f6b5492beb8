# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the services that set the clock are started and configured."""

from __future__ import annotations

import functools
import re
import time
import typing as t

from .._catalog import time_services as catalog
from . import packages
from .clock import OWN_UNITS, RUN_LEVELS, UNITS, starts_by_systemd, wanted_units
from .model import Problem, TextFile, TimeServices
from .sysfs import KernelReader

if t.TYPE_CHECKING:
    from .._root import Root

_LINK = re.compile(r"([SK])\d\d(.+)")


def gather(root: Root, note: t.Callable[[Problem], None]) -> TimeServices:
    """C(started_ns) and C(implicit) are of a running guest."""
    reader = KernelReader(root, note)
    files = tuple(_files(reader))
    return TimeServices(
        has_systemd=starts_by_systemd(reader),
        units=tuple(_units(reader)),
        own_units=tuple(_own_units(reader)),
        wanted=tuple(_wanted(reader)),
        start_links=tuple(_links(reader, "S")),
        stop_links=tuple(_links(reader, "K")),
        files=files,
        link=reader.attempt(catalog.RUN_LINK, lambda: root.read_link(catalog.RUN_LINK)),
        written_ns=tuple(_written(reader, files)),
        started_ns=tuple(_started(reader)),
        implicit=reader.line(catalog.IMPLICIT),
        chrony_version=_chrony_version(reader, files),
    )


def _chrony_version(reader: KernelReader, files: tuple[TextFile, ...]) -> str | None:
    if not any(file.path == catalog.CONFIGURATIONS[catalog.CHRONY] for file in files):
        return None
    return dict(packages.unpacked(reader, ("chrony",))).get("chrony")


def _units(reader: KernelReader) -> t.Iterator[tuple[str, str]]:
    for name in catalog.SERVICES:
        paths = [f"{directory}/{name}.service" for directory in UNITS]
        path = next((path for path in paths if reader.exists(path)), None)
        if path is not None:
            yield name, path


def _own_units(reader: KernelReader) -> t.Iterator[tuple[str, str | None]]:
    held = reader.names(OWN_UNITS)
    for name in catalog.SERVICES:
        if f"{name}.service" in held:
            path = f"{OWN_UNITS}/{name}.service"
            yield name, _target(reader, path)


def _wanted(reader: KernelReader) -> t.Iterator[str]:
    links = wanted_units(reader)
    for name in catalog.SERVICES:
        if f"{name}.service" in links:
            yield name


def _links(reader: KernelReader, letter: str) -> t.Iterator[tuple[str, str]]:
    for level in RUN_LEVELS:
        for name in reader.names(f"/etc/rc{level}.d"):
            match = _LINK.fullmatch(name)
            if match and match.group(1) == letter and match.group(2) in catalog.SERVICES:
                path = f"/etc/rc{level}.d/{name}"
                target = _target(reader, path)
                if target is not None:
                    yield path, target


def _files(reader: KernelReader) -> t.Iterator[TextFile]:
    dhcp = (*catalog.DHCP_CONFIGURATIONS.values(), catalog.NTPSEC_DEFAULTS)
    for path in (*catalog.CONFIGURATIONS.values(), *catalog.OWN_FILES, catalog.RUN_REFCLOCK, *dhcp):
        file = reader.text(path)
        if file is not None:
            yield file
    for file in reader.texts(catalog.CHRONY_PARTS, ".conf"):
        if file.path not in catalog.OWN_FILES:
            yield file


def _written(reader: KernelReader, files: tuple[TextFile, ...]) -> t.Iterator[tuple[str, int]]:
    now = time.time_ns()
    for path, written in _times(reader, [file.path for file in files], follow=True):
        # by a clock that has been set back since: it tells nothing of what was first
        if written <= now:
            yield path, written


def _started(reader: KernelReader) -> t.Iterator[tuple[str, int]]:
    links = {name: catalog.STARTED.format(name) for name in catalog.SERVICES}
    times = dict(_times(reader, links.values(), follow=False))
    for name, path in links.items():
        if path in times:
            yield name, times[path]


def _times(reader: KernelReader, paths: t.Iterable[str], *, follow: bool) -> t.Iterator[tuple[str, int]]:
    for path in paths:
        found = reader.attempt(path, functools.partial(reader.root.stat, path, follow=follow))
        if found is not None:
            yield path, found.mtime_ns


def _target(reader: KernelReader, path: str) -> str | None:
    found: str | None = reader.attempt(path, lambda: reader.root.read_link(path))
    return found
