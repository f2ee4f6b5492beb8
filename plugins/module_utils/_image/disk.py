# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a raw disk image shows by itself, without anything being mounted."""

from __future__ import annotations

import os
import typing as t

from .._errors import GuestError
from . import image_format
from .volumes import Layout, read_layout

_CODE = 440  # bytes before the disk's identifier and the partition table


class ShownDisk(t.NamedTuple):
    """Partitions and what they hold; and whether a BIOS would find a program in the first sector."""

    layout: Layout
    has_boot_code: bool


def read_disk(path: str) -> ShownDisk:
    """The disk in a raw image. GuestError when it cannot be read or is in another format, MalformedError when its
    partition table says nothing that can be relied on."""
    try:
        with open(path, "rb") as image:
            found = image_format.detect(image)
            if found != "raw":
                raise GuestError(
                    f"the image is in the format {found}; only a raw one can be looked into",
                    path=path,
                    hint="Convert it first: module disk_image, or qemu-img convert -O raw.",
                )
            image.seek(0)
            has_code = any(image.read(_CODE))
            return ShownDisk(read_layout(image, image.seek(0, os.SEEK_END)), has_code)
    except OSError as error:
        raise GuestError(f"the image cannot be read: {error.strerror}", path=path) from error
