# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct
import typing as t

START = 0x40


def make(*, is_64_bit: bool = True, entries: int = 6, certificates: t.Tuple[int, int] = (0x8000, 0x600)) -> bytes:
    """The headers of a kernel with an EFI stub; certificates: where its signature is in the file, and its size."""
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", START)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664 if is_64_bit else 0x14C, 4, 0, 0, 0, 160, 0x206)
    optional = struct.pack("<H", 0x20B if is_64_bit else 0x10B).ljust(108 if is_64_bit else 92, b"\0")
    directories = b"\0" * 8 * 4 + struct.pack("<II", *certificates) + b"\0" * 8
    return dos.ljust(START, b"\0") + coff + optional + struct.pack("<I", entries) + directories[: 8 * entries]
