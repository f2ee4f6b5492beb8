# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decompressors in shared libraries of the machine that we run on, for what its Python has no module for.

Every Debian since 10 has those for zstd and lz4 (apt needs them), with or without the command-line tools, and that for
lzo with lzop; and nothing has to go through a pipe.  The dynamic linker finds them, so never in a guest's tree.
Importing this raises ImportError on a Python built without libffi.
"""

from __future__ import annotations

import ctypes
import typing as t

_OUTPUT_SIZE = 1 << 20


class ZstdError(Exception):
    """libzstd does not accept this data."""


class _Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer of <zstd.h>."""

    _fields_: t.ClassVar = [("start", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)]


def _load(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


_zstd = _load("libzstd.so.1")
if _zstd:
    _zstd.ZSTD_createDStream.restype = ctypes.c_void_p
    _zstd.ZSTD_createDStream.argtypes = ()
    _zstd.ZSTD_freeDStream.argtypes = (ctypes.c_void_p,)
    _zstd.ZSTD_decompressStream.restype = ctypes.c_size_t
    _zstd.ZSTD_decompressStream.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Buffer), ctypes.POINTER(_Buffer))
    _zstd.ZSTD_isError.argtypes = (ctypes.c_size_t,)
    _zstd.ZSTD_getErrorName.restype = ctypes.c_char_p
    _zstd.ZSTD_getErrorName.argtypes = (ctypes.c_size_t,)

_lz4 = _load("liblz4.so.1")
if _lz4:
    _lz4.LZ4_decompress_safe.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)

_lzo = _load("liblzo2.so.2")
if _lzo:
    _lzo.lzo1x_decompress_safe.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_size_t),
        ctypes.c_void_p,
    )


def has_zstd() -> bool:
    return _zstd is not None


def has_lz4() -> bool:
    return _lz4 is not None


def has_lzo() -> bool:
    return _lzo is not None


class ZstdDecompressor:
    """One zstd frame, with the interface of Python's bz2.BZ2Decompressor; where has_zstd() only.

    libzstd refuses a window of more than 128 MiB, which bounds its memory.
    """

    def __init__(self) -> None:
        self._library = t.cast("ctypes.CDLL", _zstd)
        self._stream = self._library.ZSTD_createDStream()
        if not self._stream:
            raise MemoryError("libzstd")
        self._output = bytearray(_OUTPUT_SIZE)
        self._array = (ctypes.c_char * _OUTPUT_SIZE).from_buffer(self._output)
        self._data = b""
        self._input = _Buffer()
        self.needs_input = True
        self.eof = False

    def __del__(self) -> None:
        if getattr(self, "_stream", None):
            self._library.ZSTD_freeDStream(self._stream)

    @property
    def unused_data(self) -> bytes:
        """What came behind the end of the frame."""
        return self._data[self._input.position :]

    def decompress(self, data: bytes, max_length: int) -> memoryview:
        """The next bytes, ``max_length`` or 1 MiB at most; they change with the next call.  Raises ZstdError.

        ``data`` is taken when needs_input says so, and has to be empty otherwise.
        """
        if self.needs_input:
            self._data = data
            self._input = _Buffer(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data), 0)
        output = _Buffer(ctypes.addressof(self._array), min(max_length, _OUTPUT_SIZE), 0)
        status = self._library.ZSTD_decompressStream(self._stream, ctypes.byref(output), ctypes.byref(self._input))
        if self._library.ZSTD_isError(status):
            raise ZstdError(self._library.ZSTD_getErrorName(status).decode("ascii", "replace"))
        self.eof = status == 0
        # With its output full, the library may have more without further input.
        self.needs_input = self._input.position == self._input.size and output.position < output.size
        return memoryview(self._output)[: output.position]


def decompress_lz4_block(data: bytes, output: bytearray) -> int:
    """Fill ``output`` with what one lz4 block unpacks to and tell its size, negative if damaged or too large.

    Where has_lz4() only.
    """
    array = (ctypes.c_char * len(output)).from_buffer(output)
    library = t.cast("ctypes.CDLL", _lz4)
    return int(library.LZ4_decompress_safe(data, ctypes.addressof(array), len(data), len(output)))


def decompress_lzo_block(data: bytes, output: bytearray) -> int:
    """Fill ``output`` with what one LZO1X block unpacks to and tell its size, negative if damaged or too large.

    Where has_lzo() only.
    """
    array = (ctypes.c_char * len(output)).from_buffer(output)
    size = ctypes.c_size_t(len(output))
    library = t.cast("ctypes.CDLL", _lzo)
    failed = library.lzo1x_decompress_safe(data, len(data), ctypes.addressof(array), ctypes.byref(size), None)
    return -1 if failed else size.value
