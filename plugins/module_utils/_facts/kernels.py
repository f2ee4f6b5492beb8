# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed kernels, and the initramfs image of each."""

from __future__ import annotations

import os
import re
import typing as t
import zlib

from .._errors import GuestError
from .._formats import kernel_config, modules_dep, pe
from . import packages
from .model import Initramfs, Kernel, Problem, TextFile
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root

# update-initramfs and dracut name the image of a kernel so; the last two are other distributions' habits
_IMAGE_NAMES = ("/boot/initrd.img-{}", "/boot/initramfs-{}.img", "/boot/initrd-{}")
_KERNEL_IMAGE = re.compile(r"(?:vmlinuz|vmlinux|kernel)-(.+)")
# Debian's; that of the tree in which it was built; Fedora's
_CONFIG_NAMES = ("/boot/config-{}", "/lib/modules/{}/build/.config", "/lib/modules/{}/config")
_LIVE_CONFIG = "/proc/config.gz"
_LARGEST_CONFIG = 4 << 20
_RUNNING = "/proc/sys/kernel/osrelease"
_PACKAGE_NAMES = ("linux-image-{}", "linux-image-{}-unsigned")
_NOT_AN_IMAGE = re.compile(r".*(?:\.(?:old|bak|dpkg-bak|dpkg-new|dpkg-dist|dpkg-tmp|new|efi\.signed|sig)|~)")


def gather(root: Root, note: Note, *, with_packages: bool = False) -> tuple[Kernel, ...]:
    """Every kernel that has an image in /boot or modules, in the order of their names. Their packages only on demand:
    reading what dpkg knows takes time."""
    reader = Reader(root, note)
    images = {}
    for name in reader.names("/boot"):
        match = _KERNEL_IMAGE.fullmatch(name)
        if match and not _NOT_AN_IMAGE.fullmatch(name):
            images[match.group(1)] = f"/boot/{name}"
    trees = [name for name in reader.names("/lib/modules") if reader.exists(f"/lib/modules/{name}/modules.dep")]
    versions = sorted({*images, *trees})
    owners = _packages(reader, versions) if with_packages else {}
    return tuple([_kernel(reader, version, images.get(version), owners.get(version)) for version in versions])


def _packages(reader: Reader, versions: t.Iterable[str]) -> dict[str, tuple[str, str]]:
    names = {name.format(version): version for version in versions for name in _PACKAGE_NAMES}
    return {names[name]: (name, version) for name, version in packages.unpacked(reader, names)}


def gather_images(root: Root, note: Note, paths: t.Iterable[str]) -> tuple[Initramfs, ...]:
    """The initramfs images at these paths, read; a path where nothing is gives none."""
    reader = Reader(root, note)
    images = (_read_image(reader, path) for path in dict.fromkeys(paths))
    return tuple([image for image in images if image is not None])


def _read_image(reader: Reader, path: str) -> Initramfs | None:
    from .._formats import initramfs

    size = 0
    try:
        stream = reader.root.open(path)
        if stream is None:
            return None
        with stream:
            size = os.fstat(stream.fileno()).st_size
            return Initramfs(path, size, initramfs.read_image(stream))
    except GuestError as error:
        return Initramfs(path, size, None, error.message)


def _kernel(reader: Reader, version: str, image: str | None, package: tuple[str, str] | None) -> Kernel:
    config = _config(reader, version)
    dep = reader.text(f"/lib/modules/{version}/modules.dep")
    builtin = reader.text(f"/lib/modules/{version}/modules.builtin")
    return Kernel(
        version=version,
        image=image,
        config=kernel_config.read(config.text) if config else None,
        modules=modules_dep.read(dep.text, builtin.text if builtin else None) if dep else None,
        initramfs=next((path for path in (name.format(version) for name in _IMAGE_NAMES) if reader.exists(path)), None),
        config_path=config.path if config else None,
        package=package,
        is_signed=reader.attempt(image, lambda: _is_signed(reader, image)) if image else None,
    )


def _is_signed(reader: Reader, image: str) -> bool | None:
    stream = reader.root.open(image)
    if stream is None:
        return None
    with stream:
        header = stream.read(pe.HEADER_SIZE)
    return pe.has_signature(header) if header else None


def _config(reader: Reader, version: str) -> TextFile | None:
    for name in _CONFIG_NAMES:
        found = reader.text(name.format(version))
        if found is not None:
            return found
    if reader.root.is_live and reader.value(_RUNNING) == version:
        return _live_config(reader)
    return None


def _live_config(reader: Reader) -> TextFile | None:
    """The configuration that the running kernel holds of itself, if it was built to."""
    packed = reader.attempt(_LIVE_CONFIG, lambda: reader.root.read_bytes(_LIVE_CONFIG))
    if packed is None:
        return None
    try:
        text = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(packed, _LARGEST_CONFIG)
    except zlib.error as error:
        reader.note(Problem(_LIVE_CONFIG, f"{_LIVE_CONFIG} is damaged: {error}"))
        return None
    return TextFile(_LIVE_CONFIG, text.decode("utf-8", "surrogateescape"))
