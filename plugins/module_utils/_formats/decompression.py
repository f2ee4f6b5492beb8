# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compressions of initramfs images, one segment at a time.

Compressed data is read with Python's own modules where they exist, else (zstd, lz4, lzo) with the shared library, else
with the command-line tool.  Where the format tells the end of a segment (zstd, lz4, lzo), the tool is given exactly
that; where it does not (xz, lzma, bzip2 on a Python built without the module), a segment that the tool reads has to be
the last one.

On a guest every source is compiled anew at each call, so that only what this image needs is imported.
"""

from __future__ import annotations

import typing as t
import zlib

from .._errors import MalformedError
from . import cpio

_OUTPUT_SIZE = 1 << 20
_LARGEST_DICTIONARY = 128 << 20  # twice that of `xz -9`; zstd and the kernel stop at the same size

Output = t.Generator[cpio.Chunk, None, None]
Decompressor = t.Callable[[cpio.ByteSource], Output]


def decompressor_for(compression: str) -> Decompressor:
    """What unpacks a segment: it yields what the bytes at which an image stands unpack to, and leaves the image behind
    them.  It raises MalformedError for damaged data, and ToolMissingError when it needs a program that is not here.

    A chunk is valid until the next one, and has 1 MiB at most (of lz4: a block, 8 MiB).
    """
    if compression == "gzip":
        return _inflate
    if compression == "bzip2":
        return _bzip2()
    if compression == "zstd":
        return _zstd()
    if compression in ("xz", "lzma"):
        return _lzma(compression)
    from . import compressed_blocks

    return compressed_blocks.lz4() if compression == "lz4" else compressed_blocks.lzo()


def _bzip2() -> Decompressor:
    try:
        import bz2
    except ImportError:  # a Python built without libbz2
        return by_tool("bzip2", _all_that_follows)
    return _by_module("bzip2", bz2.BZ2Decompressor, (OSError,))


def _lzma(compression: str) -> Decompressor:
    try:
        import lzma
    except ImportError:  # a Python built without liblzma
        return by_tool(compression, _all_that_follows)
    container = lzma.FORMAT_XZ if compression == "xz" else lzma.FORMAT_ALONE
    return _by_module(
        compression,
        lambda: lzma.LZMADecompressor(container, memlimit=_LARGEST_DICTIONARY),
        (lzma.LZMAError, EOFError),
    )


def _zstd() -> Decompressor:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:  # before Python 3.14
        pass
    else:
        return _by_module("zstd", zstd.ZstdDecompressor, (zstd.ZstdError,))
    try:
        from .. import _libraries
    except ImportError:  # a Python built without libffi
        pass
    else:
        if _libraries.has_zstd():
            return _by_module("zstd", _libraries.ZstdDecompressor, (_libraries.ZstdError,))
    from . import compressed_blocks

    return by_tool("zstd", compressed_blocks.zstd_frame)


def _inflate(image: cpio.ByteSource) -> Output:
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with gzip's header and checksum
    while not decompressor.eof:
        data = decompressor.unconsumed_tail or image.take_chunk()
        if not data:
            raise _ends_within("gzip", image)
        try:
            yield decompressor.decompress(data, _OUTPUT_SIZE)
        except zlib.error as error:
            raise _damaged("gzip", image, error) from error
    image.untake(len(decompressor.unused_data))


def _by_module(name: str, decompressor: t.Any, errors: tuple[type[Exception], ...]) -> Decompressor:
    """Decompression by the interface that bz2, lzma and compression.zstd have in common."""

    def unpacked(image: cpio.ByteSource) -> Output:
        state = decompressor()
        while not state.eof:
            data = image.take_chunk() if state.needs_input else b""
            if state.needs_input and not data:
                raise _ends_within(name, image)
            try:
                yield state.decompress(data, _OUTPUT_SIZE)
            except errors as error:
                raise _damaged(name, image, error) from error
        image.untake(len(state.unused_data))

    return unpacked


def _ends_within(name: str, image: cpio.ByteSource) -> MalformedError:
    return MalformedError("the image ends at byte {:,}, within the {} data".format(image.offset, name))


def _damaged(name: str, image: cpio.ByteSource, error: Exception) -> MalformedError:
    return MalformedError("damaged {} data before byte {:,} of the image: {}".format(name, image.offset, error))


def by_tool(tool: str, frames: t.Callable[[cpio.ByteSource], t.Iterator[bytes]]) -> Decompressor:
    """Decompression by a program, which is fed with these frames."""
    from .. import _tools

    def unpacked(image: cpio.ByteSource) -> Output:
        return _tools.decompress(tool, frames(image))

    return unpacked


def _all_that_follows(image: cpio.ByteSource) -> t.Iterator[bytes]:
    return iter(image.take_chunk, b"")
