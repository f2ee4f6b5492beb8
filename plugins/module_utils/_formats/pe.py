# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of a program for EFI (PE/COFF), such as a kernel with an EFI stub.

Source: Microsoft, PE Format, sections "MS-DOS Stub", "Optional Header" and "The Attribute Certificate Table".
"""

from __future__ import annotations

import struct

HEADER_SIZE = 4096  # bytes in which the headers of a kernel are; Linux has them in its first sector or page

_SIGNATURE_AT = 0x3C  # where the offset of the signature stands
_COFF_SIZE = 24  # the signature, and the COFF header
_DIRECTORIES_AT = {0x10B: 96, 0x20B: 112}  # in the optional header, by its magic: PE32, PE32+
_CERTIFICATES = 4  # the entry of the certificate table: offset in the file, and size
_ENTRY_SIZE = 8


def has_signature(header: bytes) -> bool:
    """Whether a file that begins with C(header) holds a signature for Secure Boot; by whom, this does not tell.

    A file that is no PE image holds none."""
    if len(header) < _SIGNATURE_AT + 4 or header[:2] != b"MZ":
        return False
    (start,) = struct.unpack_from("<I", header, _SIGNATURE_AT)
    optional = start + _COFF_SIZE
    if header[start : start + 4] != b"PE\0\0" or len(header) < optional + 2:
        return False
    directories = _DIRECTORIES_AT.get(struct.unpack_from("<H", header, optional)[0])
    if directories is None:
        return False
    count_at, entry = optional + directories - 4, optional + directories + _CERTIFICATES * _ENTRY_SIZE
    if len(header) < entry + _ENTRY_SIZE:
        return False
    (count,) = struct.unpack_from("<I", header, count_at)
    offset, size = struct.unpack_from("<II", header, entry)
    return bool(count > _CERTIFICATES and offset and size)
