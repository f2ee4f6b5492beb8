# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What dpkg knows: which packages are there, and which files belong to none."""

from __future__ import annotations

import re
import typing as t

from .._formats import dpkg_status

if t.TYPE_CHECKING:
    from .reader import Reader

_STATUS = "/var/lib/dpkg/status"
_INFO = "/var/lib/dpkg/info"
_MERGED = re.compile(r"^/usr(?=/(?:s?bin|lib)/)")


_NOTHING = ("not-installed",)
_NO_FILES = ("not-installed", "config-files")


def installed(reader: Reader, names: t.Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Name and version of those packages of which something is there, their configuration at least."""
    return _those_beyond(_NOTHING, reader, names)


def unpacked(reader: Reader, names: t.Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Name and version of those packages whose files are there, configured or not."""
    return _those_beyond(_NO_FILES, reader, names)


def _those_beyond(states: t.Sequence[str], reader: Reader, names: t.Iterable[str]) -> tuple[tuple[str, str], ...]:
    status = reader.text(_STATUS)
    known = dpkg_status.read(status.text) if status else {}
    return tuple(
        [(name, package.version) for name in names for package in known.get(name, ()) if package.state not in states]
    )


def files_without_package(reader: Reader, paths: t.Iterable[str]) -> tuple[str, ...]:
    """Those of the paths where something is that no package owns."""
    present = [path for path in paths if _is_there(reader, path)]
    if not present:
        return ()
    # dpkg keeps the path that the package has, which on a system with merged /usr is not the only one
    wanted = {_MERGED.sub("", path) for path in present}
    for name in reader.names(_INFO):
        if name.endswith(".list"):
            listed = reader.text(f"{_INFO}/{name}")
            if listed is not None:
                wanted -= {_MERGED.sub("", line) for line in listed.text.split("\n")}
    return tuple([path for path in present if _MERGED.sub("", path) in wanted])


def _is_there(reader: Reader, path: str) -> bool:
    return reader.attempt(path, lambda: reader.root.stat(path, follow=False)) is not None
