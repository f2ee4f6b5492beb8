# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compressed data that is a sequence of blocks with their sizes: where a stream of zstd, lz4 or lzo ends, and what the
blocks of lz4 and lzo unpack to.
"""

from __future__ import annotations

import struct
import typing as t
import zlib

from .._errors import MalformedError
from . import cpio, decompression

try:
    from .. import _libraries
except ImportError:  # pragma: no cover - a Python built without libffi
    _libraries = None  # type: ignore[assignment]

_LZ4 = b"\x02\x21\x4c\x18"


def lz4() -> decompression.Decompressor:
    """lz4 in the legacy format, by the library or the tool."""
    if _libraries and _libraries.has_lz4():
        return _lz4_by_library
    return decompression.by_tool("lz4", _lz4_stream)


def lzo() -> decompression.Decompressor:
    """What lzop writes, by the library or the tool."""
    if _libraries and _libraries.has_lzo():
        return _lzo_by_library
    return decompression.by_tool("lzop", _lzo_stream)


def zstd_frame(image: cpio.ByteSource) -> t.Iterator[bytes]:
    """The bytes of one zstd frame (RFC 8878, section 3.1.1)."""
    start = image.take(5)
    flags = start[4]
    single_segment = flags & 0x20
    header_size = (0 if single_segment else 1) + (0, 1, 2, 4)[flags & 3]
    header_size += (1 if single_segment else 0, 2, 4, 8)[flags >> 6]
    yield start + image.take(header_size)
    while True:
        header = image.take(3)
        value = int.from_bytes(header, "little")
        last, kind, size = value & 1, value >> 1 & 3, value >> 3
        if kind == 3 or size > 128 << 10:
            raise MalformedError("a damaged zstd block before byte {:,} of the image".format(image.offset))
        yield header + image.take(1 if kind == 1 else size)  # kind 1: one byte, repeated
        if last:
            break
    if flags & 4:
        yield image.take(4)


_LZ4_BLOCK = 8 << 20
_LZ4_LARGEST = _LZ4_BLOCK + _LZ4_BLOCK // 255 + 16  # what such a block takes when it cannot be compressed


def _lz4_blocks(image: cpio.ByteSource) -> t.Iterator[int]:
    """The size of each block of an lz4 stream in the legacy format, at whose first byte the image stands then.

    Goes up to where the kernel's lib/decompress_unlz4.c stops.
    """
    image.take(4)
    while True:
        header = image.peek(4)
        if len(header) < 4 or header == b"\0\0\0\0":
            break
        image.take(4)
        if header == _LZ4:
            continue  # streams behind one another are one
        size = int.from_bytes(header, "little")
        if size > _LZ4_LARGEST:
            raise MalformedError("a damaged lz4 block before byte {:,} of the image".format(image.offset))
        yield size


def _lz4_stream(image: cpio.ByteSource) -> t.Iterator[bytes]:
    yield _LZ4
    for size in _lz4_blocks(image):
        yield size.to_bytes(4, "little")
        yield from image.take_in_chunks(size)


def _lz4_by_library(image: cpio.ByteSource) -> decompression.Output:
    output = bytearray(_LZ4_BLOCK)
    for size in _lz4_blocks(image):
        unpacked_size = _libraries.decompress_lz4_block(image.take(size), output)
        if unpacked_size < 0:
            raise MalformedError("damaged lz4 data before byte {:,} of the image".format(image.offset))
        yield memoryview(output)[:unpacked_size]


_LZO_BLOCK = 256 << 10  # LZO_BLOCK_SIZE of the kernel's lib/decompress_unlzo.c, and what lzop writes


def _lzo_header(image: cpio.ByteSource) -> tuple[bytes, int]:
    """The header of an lzop file, in the layout that the kernel's lib/decompress_unlzo.c reads, and its flags."""
    header = image.take(9 + 7)
    recent = struct.unpack_from(">H", header, 9)[0] >= 0x0940
    header += image.take((1 if recent else 0) + 4)
    (flags,) = struct.unpack(">I", header[-4:])
    # filter, mode, time of the last change; the length of the name
    header += image.take((4 if flags & 0x800 else 0) + 4 + (8 if recent else 4) + 1)
    return header + image.take(header[-1] + 4), flags  # name and checksum of the header


def _lzo_blocks(image: cpio.ByteSource, flags: int) -> t.Iterator[tuple[bytes, int, int]]:
    """Of each block the header, its size and what it unpacks to; its first byte is where the image stands then.

    The last header is alone: a size of zero.
    """
    while True:
        header = image.take(4)
        unpacked_size = int.from_bytes(header, "big")
        if not unpacked_size:
            yield header, 0, 0
            break
        header += image.take(4)
        size = int.from_bytes(header[4:], "big")
        if not 0 < size <= unpacked_size <= _LZO_BLOCK:
            raise _damaged_lzo(image)
        checksums = sum(1 for flag in (0x1, 0x100) if flags & flag)
        if size < unpacked_size:
            checksums += sum(1 for flag in (0x2, 0x200) if flags & flag)
        yield header + image.take(4 * checksums), size, unpacked_size


def _damaged_lzo(image: cpio.ByteSource) -> MalformedError:
    return MalformedError("a damaged lzo block before byte {:,} of the image".format(image.offset))


def _lzo_stream(image: cpio.ByteSource) -> t.Iterator[bytes]:
    start, flags = _lzo_header(image)
    yield start
    for header, size, _unpacked_size in _lzo_blocks(image, flags):
        yield header + image.take(size)


def _lzo_by_library(image: cpio.ByteSource) -> decompression.Output:
    _start, flags = _lzo_header(image)
    output = bytearray(_LZO_BLOCK)
    for header, size, unpacked_size in _lzo_blocks(image, flags):
        block: cpio.Chunk = image.take(size)
        if size < unpacked_size:
            if _libraries.decompress_lzo_block(bytes(block), output) != unpacked_size:
                raise _damaged_lzo(image)
            block = memoryview(output)[:unpacked_size]
        if size and flags & 0x1 and zlib.adler32(block) != int.from_bytes(header[8:12], "big"):
            raise _damaged_lzo(image)
        yield block
