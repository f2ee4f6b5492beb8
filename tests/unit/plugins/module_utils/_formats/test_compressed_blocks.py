# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import sys

import pytest
from ansible_collections.rehost.hyperv.plugins import module_utils
from ansible_collections.rehost.hyperv.plugins.module_utils import _libraries
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import compressed_blocks, cpio, initramfs
from ansible_collections.rehost.hyperv.tests.unit.initramfs_builder import (
    Item,
    build_cpio,
    can_compress,
    compress,
)


def read(data):
    return initramfs.read_image(io.BytesIO(data))


def with_tools_only(monkeypatch):
    """As where Python has neither module nor library for any compression."""
    for name in ("bz2", "lzma", "compression"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, _libraries.__name__, None)
    monkeypatch.delattr(module_utils, "_libraries")
    monkeypatch.setattr(compressed_blocks, "_libraries", None)


def compressed(compression, data):
    if not can_compress(compression):
        pytest.skip("no compressor for {} here".format(compression))
    return compress(compression, data)


@pytest.mark.parametrize("compression", ["zstd", "lz4", "lzo"])
def test_the_tool_is_given_one_segment(compression, monkeypatch):
    with_tools_only(monkeypatch)
    part = compressed(compression, build_cpio([Item("a", b"text" * 99999)])) + b"\0" * 4
    assert [segment.compression for segment in read(part + part).segments] == [compression] * 2


def test_the_frame_of_zstd_ends_where_the_next_segment_begins():
    frame = compressed("zstd", b"text" * 99999)
    source = cpio.ByteSource([frame + b"070701"], 1 << 30)
    assert b"".join(compressed_blocks.zstd_frame(source)) == frame
    assert source.take(6) == b"070701"


@pytest.mark.parametrize("block", [b"\x07\0\0", b"\xff\xff\xfd"])
def test_a_block_that_no_zstd_frame_may_have_is_refused(block):
    with pytest.raises(MalformedError, match="zstd block"):
        list(compressed_blocks.zstd_frame(cpio.ByteSource([b"\x28\xb5\x2f\xfd\x20\0" + block], 99)))


@pytest.mark.parametrize("decompressor", [compressed_blocks.lz4, compressed_blocks.lzo])
def test_a_block_larger_than_any_is_refused(decompressor):
    data = (
        b"\x02\x21\x4c\x18" + b"\xff" * 99
        if decompressor is compressed_blocks.lz4
        else (
            b"\x89LZO\0\r\n\x1a\n" + b"\x10\x30\x20\xa0\x09\x40\x01" + b"\x01" + b"\0" * 17 + b"\0" * 4 + b"\xff" * 99
        )
    )
    with pytest.raises(MalformedError, match="block"):
        list(decompressor()(cpio.ByteSource([data], 1 << 30)))
