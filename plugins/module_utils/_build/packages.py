# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of a kernel, opened and looked at before they are called good."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import typing as t

from .._errors import GuestError, MalformedError
from .._formats import kernel_config, modules_dep
from .._plan import kernel_build
from . import programs
from .source import sha256_of

_FIELD = re.compile(r"^(Package|Version|Architecture):[ \t]*(.*)$", re.MULTILINE)
_BOOT_SIGNATURE = (0x202, b"HdrS")  # Documentation/arch/x86/boot.rst
_HEADERS = ("Makefile", ".config", "Module.symvers", "scripts/mod/modpost", "include/generated/autoconf.h")


class Package(t.NamedTuple):
    """`kind` is image or headers; `size` of the file in bytes."""

    kind: str
    path: str
    name: str
    version: str
    architecture: str
    size: int
    sha256: str


class Expected(t.NamedTuple):
    """What the packages are to be: release as uname -r will say, version of the packages, the symbols that the kernel
    was to have, and the drivers it must have, built in or as modules."""

    release: str
    version: str
    wanted: tuple[kernel_build.Wanted, ...]
    drivers: tuple[str, ...]


def check(paths: t.Sequence[str], expected: Expected, place: str) -> tuple[Package, ...]:
    """The packages of image and headers among C(paths); others (linux-libc-dev) are removed. MalformedError for one
    that is not as expected. They are unpacked below C(place), which needs room for it."""
    packages = []
    for path in paths:
        fields = dict(_FIELD.findall(programs.output_of("dpkg-deb", "--field", path)))
        kind = {
            f"linux-image-{expected.release}": "image",
            f"linux-headers-{expected.release}": "headers",
        }.get(fields.get("Package", ""))
        if kind is None:
            os.unlink(path)
            continue
        if fields.get("Version") != expected.version or fields.get("Architecture") != "amd64":
            raise MalformedError(f"the package is {fields}, not version {expected.version} for amd64", path=path)
        opened = tempfile.mkdtemp(prefix=".opened-", dir=place)
        try:
            programs.output_of("dpkg-deb", "--extract", path, opened)
            (_check_image if kind == "image" else _check_headers)(opened, expected, path)
        finally:
            shutil.rmtree(opened, ignore_errors=True)
        size = os.path.getsize(path)
        packages.append(
            Package(kind, path, fields["Package"], fields["Version"], fields["Architecture"], size, sha256_of(path))
        )
    for kind in ("image", "headers"):
        if kind not in [package.kind for package in packages]:
            raise MalformedError(f"the build left no package with the {kind} of {expected.release}", path=place)
    return tuple(packages)


def _check_image(opened: str, expected: Expected, package: str) -> None:
    release = expected.release
    boot = os.path.join(opened, "boot")
    config = kernel_config.read(_text(os.path.join(boot, f"config-{release}"), package))
    image = os.path.join(boot, f"vmlinuz-{release}")
    if not os.path.isfile(image):
        raise MalformedError(f"the package holds no /boot/vmlinuz-{release}", path=package)
    with open(image, "rb") as stream:
        head = stream.read(0x300)
    place, signature = _BOOT_SIGNATURE
    if head[place : place + len(signature)] != signature:
        raise MalformedError(f"/boot/vmlinuz-{release} is nothing that a boot loader can start", path=package)
    if config.is_enabled("EFI_STUB") and head[:2] != b"MZ":
        raise MalformedError(f"/boot/vmlinuz-{release} is no EFI program, though EFI_STUB is set", path=package)
    for one in expected.wanted:
        if not kernel_build.is_as_wanted(one, config):
            raise MalformedError(
                f"the packaged configuration does not have CONFIG_{one.symbol}={one.value}", path=package
            )
    found = modules_of(opened, release, os.path.join(boot, f"System.map-{release}"), package)
    missing = [name for name in expected.drivers if not found.knows(name)]
    if missing:
        raise MalformedError(
            f"the kernel has no {', '.join(missing)}, neither built in nor as a module",
            path=package,
            hint="The configuration must switch them on: CONFIG_HYPERV and its like in the fragment or the base.",
        )


def modules_of(opened: str, release: str, symbols: str, package: str) -> modules_dep.Modules:
    """The modules of an unpacked package, all of whose symbols are there. MalformedError otherwise."""
    directory = _modules_directory(opened, release)
    if directory is None:
        raise MalformedError(f"the package holds no /lib/modules/{release}", path=package)
    root = directory[: -len(f"/lib/modules/{release}")]
    done = programs.attempt("depmod", "--basedir", root, "--errsyms", "--filesyms", symbols, release)
    unresolved = kernel_build.unresolved(f"{done.output}\n{done.errors}")
    if unresolved or done.status != 0:
        what = "; ".join(unresolved[:5]) or " ".join(done.errors.split())[:500]
        raise MalformedError(f"modules need what is not there: {what}", path=package)
    return modules_dep.read(
        _text(os.path.join(directory, "modules.dep"), package),
        _text(os.path.join(directory, "modules.builtin"), package),
    )


def _modules_directory(opened: str, release: str) -> str | None:
    """In /lib, or in /usr/lib as newer kernels have it."""
    for above in ("", "/usr"):
        directory = f"{opened}{above}/lib/modules/{release}"
        if os.path.isdir(directory):
            return directory
    return None


def _check_headers(opened: str, expected: Expected, package: str) -> None:
    directory = os.path.join(opened, "usr", "src", f"linux-headers-{expected.release}")
    missing = [name for name in _HEADERS if not os.path.exists(os.path.join(directory, name))]
    if missing:
        raise MalformedError(f"the headers lack {', '.join(missing)}: no module could be built with them", path=package)


def _text(path: str, package: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise MalformedError(f"the package holds no {os.path.basename(path)}", path=package) from error


def still_good(packages: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
    """Whether packages that were found good once are there and the same."""
    try:
        return bool(packages) and all(sha256_of(one["path"]) == one["sha256"] for one in packages)
    except (OSError, KeyError, GuestError):
        return False
