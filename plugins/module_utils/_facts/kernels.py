# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installed kernels, and the initramfs image of each."""

from __future__ import annotations

import os
import re
import typing as t

from .._errors import GuestError
from .._formats import kernel_config, modules_dep
from .model import Initramfs, Kernel
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root

# update-initramfs and dracut name the image of a kernel so; the last two are other distributions' habits
_IMAGE_NAMES = ("/boot/initrd.img-{}", "/boot/initramfs-{}.img", "/boot/initrd-{}")
_KERNEL_IMAGE = re.compile(r"(?:vmlinuz|vmlinux|kernel)-(.+)")
_NOT_AN_IMAGE = re.compile(r".*(?:\.(?:old|bak|dpkg-bak|dpkg-new|dpkg-dist|dpkg-tmp|new|efi\.signed|sig)|~)")


def gather(root: Root, note: Note) -> tuple[Kernel, ...]:
    """Every kernel that has an image in /boot or modules, in the order of their names."""
    reader = Reader(root, note)
    images = {}
    for name in reader.names("/boot"):
        match = _KERNEL_IMAGE.fullmatch(name)
        if match and not _NOT_AN_IMAGE.fullmatch(name):
            images[match.group(1)] = f"/boot/{name}"
    trees = [name for name in reader.names("/lib/modules") if reader.exists(f"/lib/modules/{name}/modules.dep")]
    return tuple([_kernel(reader, version, images.get(version)) for version in sorted({*images, *trees})])


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


def _kernel(reader: Reader, version: str, image: str | None) -> Kernel:
    config = reader.text(f"/boot/config-{version}")
    dep = reader.text(f"/lib/modules/{version}/modules.dep")
    builtin = reader.text(f"/lib/modules/{version}/modules.builtin")
    return Kernel(
        version=version,
        image=image,
        config=kernel_config.read(config.text) if config else None,
        modules=modules_dep.read(dep.text, builtin.text if builtin else None) if dep else None,
        initramfs=next((path for path in (name.format(version) for name in _IMAGE_NAMES) if reader.exists(path)), None),
    )
