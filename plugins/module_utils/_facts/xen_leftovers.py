# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest has only because it runs on Xen."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .._catalog import xen
from . import packages
from .model import TextFile, XenLeftovers
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root

_UNITS = "/etc/systemd/system"
_GETTY = re.compile(r"[a-z-]*getty@[hx]vc[0-9]+\.service")


def gather(root: Root, note: Note) -> XenLeftovers:
    """The leftovers of one guest.

    Files are under their real paths, each once: /etc/sysctl.d/99-sysctl.conf and /etc/modules-load.d/modules.conf are
    links to others on Debian. C(modprobe) holds what decides on loading modules: modprobe.d, /etc/modules and
    modules-load.d. An inittab that no init reads, as systemd is in charge, is left out.
    """
    reader = Reader(root, note)
    return XenLeftovers(
        packages=packages.installed(reader, xen.TOOL_PACKAGES),
        files=packages.files_without_package(reader, xen.TOOL_FILES),
        inittab=None if _systemd_is_init(reader) else reader.text("/etc/inittab"),
        getty_links=_getty_links(reader),
        sysctl=_texts(reader, "/etc/sysctl.conf", *_parts(reader, "/etc/sysctl.d")),
        modprobe=_texts(
            reader,
            "/etc/modprobe.conf",
            *_parts(reader, "/etc/modprobe.d"),
            "/etc/modules",
            *_parts(reader, "/etc/modules-load.d"),
        ),
        securetty=reader.text("/etc/securetty"),
    )


def _systemd_is_init(reader: Reader) -> bool:
    target = _link_target(reader, "/sbin/init")
    return target is not None and posixpath.basename(target) == "systemd"


def _link_target(reader: Reader, path: str) -> str | None:
    target: str | None = reader.attempt(path, lambda: reader.root.read_link(path))
    return target


def _getty_links(reader: Reader) -> tuple[tuple[str, str], ...]:
    found = []
    for directory in reader.names(_UNITS):
        if not directory.endswith((".wants", ".requires")):
            continue
        for name in reader.names(f"{_UNITS}/{directory}"):
            if _GETTY.fullmatch(name):
                path = f"{_UNITS}/{directory}/{name}"
                target = _link_target(reader, path)
                if target is not None:
                    found.append((path, target))
    return tuple(found)


def _parts(reader: Reader, directory: str) -> tuple[str, ...]:
    # kmod, systemd and procps read *.conf only
    return tuple([f"{directory}/{name}" for name in reader.names(directory) if name.endswith(".conf")])


def _texts(reader: Reader, *paths: str) -> tuple[TextFile, ...]:
    """The regular files at these paths, links followed, each once and under its real path."""
    found: dict[str, TextFile] = {}
    for path in paths:
        real = _regular_file(reader, path)
        file = None if real is None else reader.text(real)
        if file is not None:
            found[file.path] = file
    return tuple(found.values())


def _regular_file(reader: Reader, path: str) -> str | None:
    """The real path of a regular file. A link to /dev/null, which hides a file of the same name, leads to none."""
    found = reader.attempt(path, lambda: reader.root.stat(path))
    if found is None or found.kind != "file":
        return None
    real: str | None = reader.attempt(path, lambda: reader.root.real_path(path))
    return real
