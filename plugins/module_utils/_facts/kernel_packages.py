# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages with kernels, installed and offered; which one is pinned; the trial boot of one."""

from __future__ import annotations

import functools
import typing as t

from .. import _inquiry
from .._catalog import kernel_pin as catalog
from .._errors import GuestError
from .._formats import apt_cache, dpkg_status, kernel_release, kernel_trial
from .model import DkmsModule, KernelPackage, KernelPackages, Problem
from .sysfs import KernelReader

if t.TYPE_CHECKING:
    from .._root import Root

_STATUS = "/var/lib/dpkg/status"
_UPDATES = "/var/lib/dpkg/updates"
_DKMS = "/var/lib/dkms"
_FILES = (
    catalog.PREFERENCES,
    catalog.KEPT,
    catalog.GRUB_SETTING,
    catalog.TRIAL,
    catalog.GUARD,
    catalog.GUARD_UNIT,
    catalog.GUARD_SCRIPT,
    catalog.GRUB_SNIPPET,
)
_LINKS = (catalog.GUARD_WANTED, catalog.GUARD_STARTED)
_LOG_SIZE = 4096  # bytes of its end


def gather(root: Root, note: t.Callable[[Problem], None]) -> KernelPackages:
    """C(offered), C(log), C(boot_id) and C(has_systemd) are those of the running guest; none where none runs. C(all) is
    the other way round."""
    reader = KernelReader(root, note)
    known = _known(reader)
    files = [reader.text(path) for path in _FILES]
    links = [(path, reader.attempt(path, functools.partial(root.read_link, path))) for path in _LINKS]
    record = next((file for file in files if file is not None and file.path == catalog.TRIAL), None)
    return KernelPackages(
        installed=tuple(_installed(known)),
        offered=tuple(_offered(note)) if root.is_live else (),
        is_interrupted=any(name.isdigit() for name in reader.names(_UPDATES)),
        with_headers=tuple(
            [name for name in reader.names("/lib/modules") if reader.exists(f"/lib/modules/{name}/build/Makefile")]
        ),
        dkms=tuple(_dkms(reader)),
        files=tuple([file for file in files if file is not None]),
        links=tuple([(path, target) for path, target in links if target is not None]),
        trial=reader.attempt(catalog.TRIAL, functools.partial(kernel_trial.read, record.text)) if record else None,
        log=reader.tail(catalog.LOG, _LOG_SIZE),
        boot_id=reader.line("/proc/sys/kernel/random/boot_id"),
        has_systemd=reader.exists("/run/systemd/system"),
        all=() if root.is_live else tuple([one for packages in known.values() for one in packages]),
    )


def _known(reader: KernelReader) -> dict[str, tuple[dpkg_status.Package, ...]]:
    """The packages by name. What dpkg was cut off in is in its updates, each newer than those of a lower number, and
    than its status."""
    status = reader.text(_STATUS)
    found = dpkg_status.read(status.text) if status else {}
    for name in reader.names(_UPDATES):
        if name.isdigit():
            for package, updated in dpkg_status.read(reader.content(f"{_UPDATES}/{name}")).items():
                others = [one for one in found.get(package, ()) if one.architecture != updated[-1].architecture]
                found[package] = (*others, updated[-1])
    return found


def _installed(known: t.Mapping[str, tuple[dpkg_status.Package, ...]]) -> t.Iterator[KernelPackage]:
    for name, packages in known.items():
        if kernel_release.of_package(name) is not None:
            for package in packages:
                if package.state not in ("not-installed", "config-files", ""):
                    yield KernelPackage(name, package.version, package.state, package.is_held)


def _offered(note: t.Callable[[Problem], None]) -> t.Iterator[apt_cache.Offer]:
    try:
        names = (_inquiry.ask("kernel packages") or "").split()
        wanted = [name for name in sorted(names) if kernel_release.of_package(name) is not None]
        yield from apt_cache.read_madison((_inquiry.ask("offered versions", wanted) or "") if wanted else "")
    except GuestError as error:
        note(Problem("/var/lib/apt/lists", error.message))


def _dkms(reader: KernelReader) -> t.Iterator[DkmsModule]:
    for name in reader.names(_DKMS):
        for version in reader.names(f"{_DKMS}/{name}"):
            path = f"{_DKMS}/{name}/{version}"
            if reader.link_name(f"{path}/source") is not None:
                built = [kernel for kernel in reader.names(path) if kernel not in ("source", "build")]
                yield DkmsModule(name, version, tuple(built))
