# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _libraries
from ansible_collections.rehost.hyperv.tests.unit.initramfs_builder import can_compress, compress

DATA = random.Random(5).getrandbits(8 * 100_000).to_bytes(100_000, "big") + b"text" * 150_000

zstd = pytest.mark.skipif(not (_libraries.has_zstd() and can_compress("zstd")), reason="no libzstd.so.1 or no zstd")
lz4 = pytest.mark.skipif(not (_libraries.has_lz4() and can_compress("lz4")), reason="no liblz4.so.1 or no lz4")
lzo = pytest.mark.skipif(not _libraries.has_lzo(), reason="no liblzo2.so.2")


def decompress(data, size, largest=1 << 20):
    """What comes out of a zstd frame fed in pieces of ``size``, and what is left of the last piece."""
    state = _libraries.ZstdDecompressor()
    pieces = (data[start : start + size] for start in range(0, len(data), size))
    output = b""
    while not state.eof:
        chunk = state.decompress(next(pieces) if state.needs_input else b"", largest)
        assert len(chunk) <= min(largest, 1 << 20)
        output += chunk
    return output, state.unused_data


@zstd
@pytest.mark.parametrize("size", [1000, 1 << 18, 1 << 30])
@pytest.mark.parametrize("largest", [1000, 1 << 20])
def test_a_frame_of_zstd_is_decompressed_in_bounded_chunks(size, largest):
    assert decompress(compress("zstd", DATA), size, largest) == (DATA, b"")


@zstd
def test_what_is_behind_a_frame_of_zstd_is_left():
    assert decompress(compress("zstd", b"text") + b"rest", 1 << 20) == (b"text", b"rest")


@zstd
def test_a_damaged_frame_of_zstd_is_refused_in_the_words_of_the_library():
    with pytest.raises(_libraries.ZstdError, match="Unknown frame descriptor"):
        decompress(b"\x28\xb5\x2f\xfe" + b"garbage" * 9, 1 << 20)


@zstd
def test_a_window_of_zstd_that_takes_too_much_memory_is_refused():
    # Window descriptor 0xA0: 2 to the power of 30 bytes (RFC 8878, section 3.1.1.1.2).
    with pytest.raises(_libraries.ZstdError, match="memory"):
        decompress(b"\x28\xb5\x2f\xfd\x00\xa0" + b"\x01\x00\x00", 1 << 20)


@lz4
def test_a_block_of_lz4_is_decompressed():
    block = compress("lz4", DATA)[8:]
    output = bytearray(len(DATA) + 5)
    assert _libraries.decompress_lz4_block(block, output) == len(DATA)
    assert output == DATA + b"\0" * 5


@lz4
def test_a_block_of_lz4_that_does_not_fit_or_is_damaged_is_refused():
    block = compress("lz4", DATA)[8:]
    assert _libraries.decompress_lz4_block(block, bytearray(len(DATA) - 1)) < 0
    assert _libraries.decompress_lz4_block(block[:-9], bytearray(len(DATA))) < 0


# LZO1X by hand: a first byte of 17 + n announces n bytes as they are; 0x11 0 0 ends the block.
LITERALS = bytes([17 + 5]) + b"bytes" + b"\x11\0\0"


@lzo
def test_a_block_of_lzo_is_decompressed():
    output = bytearray(9)
    assert _libraries.decompress_lzo_block(LITERALS, output) == 5
    assert output == b"bytes\0\0\0\0"


@lzo
def test_a_block_of_lzo_that_does_not_fit_or_is_damaged_is_refused():
    assert _libraries.decompress_lzo_block(LITERALS, bytearray(4)) < 0
    assert _libraries.decompress_lzo_block(LITERALS[:-1], bytearray(9)) < 0
