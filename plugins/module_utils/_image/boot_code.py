# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a disk image has a program in its first sector, by which a BIOS starts it."""

from __future__ import annotations

import os

from .._errors import GuestError

_CODE = 440  # bytes before the disk's identifier and the partition table


def has_boot_code(image_path: str) -> bool:
    """Whether a BIOS would find anything to run. Raises GuestError when the image cannot be read."""
    try:
        with open(image_path, "rb") as image:
            return any(image.read(_CODE))
    except OSError as error:
        raise GuestError(f"the image cannot be read: {os.strerror(error.errno or 0)}", path=image_path) from error
