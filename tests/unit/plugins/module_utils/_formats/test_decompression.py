# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import bz2
import io
import os
import random
import subprocess
import sys
import textwrap
import types

import pytest
from ansible_collections.rehost.hyperv.plugins import module_utils
from ansible_collections.rehost.hyperv.plugins.module_utils import _libraries
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError, ToolMissingError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import (
    compressed_blocks,
    cpio,
    decompression,
    initramfs,
)
from ansible_collections.rehost.hyperv.tests.unit.initramfs_builder import (
    COMPRESSIONS,
    Item,
    build_cpio,
    build_image,
    can_compress,
    compress,
    debian_items,
    directory,
)

KERNEL = "6.1.0-56-amd64"


def read(data):
    return initramfs.read_image(io.BytesIO(data))


def source_of(data):
    return cpio.ByteSource([data], 1 << 30)


def unpack(compression, data):
    return b"".join(map(bytes, decompression.decompressor_for(compression)(source_of(data))))


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


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_tool_serves_where_python_lacks_the_module(compression, monkeypatch):
    data = compressed(compression, build_cpio(debian_items(KERNEL)))
    with_tools_only(monkeypatch)
    assert read(build_image([("none", [directory("kernel")])]) + data).module_names(KERNEL) == {
        "hv_vmbus",
        "hv_storvsc",
    }


@pytest.mark.parametrize("by_tool", [False, True])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_large_and_incompressible_content_is_read(compression, by_tool, monkeypatch):
    noise = random.Random(3).getrandbits(8 * 700_000).to_bytes(700_000, "big")
    items = [Item("noise", noise), Item("text", b"text" * 3_000_000), Item("conf/last", b"x")]
    data = compressed(compression, build_cpio(items))
    if by_tool:
        with_tools_only(monkeypatch)
    image = read(data)
    assert image.names == ("noise", "text", "conf/last")
    assert image.content("conf/last") == b"x"


@pytest.mark.parametrize("compression", ["bzip2", "xz", "lzma", "zstd", "lz4", "lzo"])
def test_the_tool_complains_of_what_is_cut_off(compression, monkeypatch):
    data = compressed(compression, build_cpio(debian_items(KERNEL)))
    with_tools_only(monkeypatch)
    for size in range(10, len(data), len(data) // 5):
        with pytest.raises(MalformedError):
            read(data[:size])


@pytest.mark.parametrize(
    ("compression", "package"),
    [
        ("bzip2", "bzip2"),
        ("xz", "xz-utils"),
        ("lzma", "xz-utils"),
        ("zstd", "zstd"),
        ("lz4", "lz4"),
        ("lzo", "lzop"),
    ],
)
def test_a_missing_tool_is_named_with_its_package(compression, package, monkeypatch):
    data = compressed(compression, build_cpio([Item("a")]))
    with_tools_only(monkeypatch)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError) as raised:
        read(data)
    assert package in raised.value.hint


def test_a_compression_module_of_newer_python_is_used(monkeypatch):
    # compression.zstd has the interface of bz2, which stands in for it here: only the choice is tested.
    newer = types.ModuleType("compression")
    newer.zstd = types.SimpleNamespace(ZstdDecompressor=bz2.BZ2Decompressor, ZstdError=OSError)
    monkeypatch.setitem(sys.modules, "compression", newer)
    data = bz2.compress(b"text" * 99)
    assert unpack("zstd", data) == b"text" * 99


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
def test_the_source_stands_behind_the_segment_then(compression):
    source = source_of(compressed(compression, b"text" * 99999) + b"\0\0\0\0" + b"070701")
    assert b"".join(map(bytes, decompression.decompressor_for(compression)(source))) == b"text" * 99999
    assert source.skip_zeros()
    assert source.take(6) == b"070701"


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
def test_a_chunk_has_eight_mebibytes_at_most(compression):
    data = compressed(compression, b"\0" * (20 << 20))
    sizes = [len(chunk) for chunk in decompression.decompressor_for(compression)(source_of(data))]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= (8 if compression == "lz4" else 1) << 20


def test_what_an_image_does_not_need_is_not_imported():
    code = """
        import sys
        sys.path.insert(0, {path!r})
        import conftest
        from ansible_collections.rehost.hyperv.plugins.module_utils._formats import initramfs
        import io, gzip
        initramfs.read_image(io.BytesIO(gzip.compress(bytes.fromhex({archive!r}))))
        print(sorted(name.rpartition(".")[2] for name in sys.modules if ".module_utils." in name))
    """
    archive = build_cpio([Item("a")])
    tests = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 4))
    code = textwrap.dedent(code).format(path=tests, archive=archive.hex())
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "['_errors', '_formats', 'cpio', 'decompression', 'initramfs']"
