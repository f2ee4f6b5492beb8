# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which format a disk image file has, by its first and last bytes."""

from __future__ import annotations

import os
import typing as t

# (offset, bytes, name as qemu-img says it). A negative offset counts from the end.
_MAGICS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vpc"),
    (-512, b"conectix", "vpc"),
    (-511, b"conectix", "vpc"),  # the footer of Virtual PC before 2004 has 511 bytes
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"QED\0", "qed"),
    (257, b"ustar", "tar"),
)


def detect(image: t.BinaryIO) -> str:
    """qcow2, vhdx, vpc (VHD), vmdk, vdi, qed, tar (an XVA is one), or raw when it is none of these.

    A guest can write whatever it likes at the start of its own raw disk: do not let this decide about an image whose
    format is known.
    """
    size = image.seek(0, os.SEEK_END)
    for offset, magic, name in _MAGICS:
        place = offset if offset >= 0 else size + offset
        if place >= 0:
            image.seek(place)
            if image.read(len(magic)) == magic:
                return name
    return "raw"
