# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import bz2
import gc
import lzma
import os
import random
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _tools
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError, ToolMissingError

DATA = random.Random(7).getrandbits(8 * 3_000_000).to_bytes(3_000_000, "little") + b"\0" * 5_000_000


def chunks(data, size=1 << 18):
    return (data[start : start + size] for start in range(0, len(data), size))


def open_files():
    gc.collect()
    return set(os.listdir("/proc/self/fd"))


def children():
    """The processes that we started and that are still there, running or not waited for."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())], stdout=subprocess.PIPE, text=True, check=False
    )
    return [line for line in listed.stdout.splitlines() if not line.endswith(" ps")]


@pytest.mark.parametrize("tool", ["xz", "bzip2"])
def test_a_stream_is_decompressed_in_bounded_chunks(tool):
    data = lzma.compress(DATA, preset=0) if tool == "xz" else bz2.compress(DATA, 1)
    output = list(_tools.decompress(tool, chunks(data)))
    assert b"".join(output) == DATA
    assert max(map(len, output)) <= 1 << 18


def test_small_chunks_do_as_well():
    assert b"".join(_tools.decompress("xz", chunks(lzma.compress(b"text" * 99), 7))) == b"text" * 99


def test_no_process_and_no_file_is_left():
    before = open_files()
    assert b"".join(_tools.decompress("xz", [lzma.compress(b"text")])) == b"text"
    assert open_files() == before
    assert children() == []


def test_stopping_early_ends_the_process():
    before = open_files()
    data = lzma.compress(b"\0" * (200 << 20), preset=0)
    output = _tools.decompress("xz", chunks(data))
    assert next(output)
    assert len(children()) == 1
    output.close()
    assert children() == []
    assert open_files() == before


def test_an_error_in_the_input_comes_through_and_ends_the_process():
    def fails():
        yield lzma.compress(b"text")[:20]
        raise MalformedError("cut off here")

    with pytest.raises(MalformedError, match="cut off here"):
        list(_tools.decompress("xz", fails()))
    assert children() == []


def test_what_the_tool_says_is_in_the_message():
    with pytest.raises(MalformedError, match=r"xz cannot decompress this: .*format not recognized"):
        list(_tools.decompress("xz", [b"garbage"]))


def test_a_tool_that_gives_up_on_endless_input_is_an_error():
    def endless():
        while True:
            yield b"garbage" * 10_000

    with pytest.raises(MalformedError, match="format not recognized"):
        list(_tools.decompress("xz", endless()))


def test_a_long_message_is_cut(tmp_path, monkeypatch):
    program = tmp_path / "xz"
    program.write_text("#!/bin/sh\n/usr/bin/yes complaint | /usr/bin/head -c 1000000 >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MalformedError, match="complaint") as raised:
        list(_tools.decompress("xz", [b"data"]))
    assert len(raised.value.message) < 2100


def test_a_tool_that_stops_before_the_end_of_its_input_is_an_error(tmp_path, monkeypatch):
    program = tmp_path / "xz"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MalformedError, match="stopped before the end"):
        list(_tools.decompress("xz", chunks(b"x" * 10_000_000)))


def test_the_tool_sees_neither_our_environment_nor_our_files(tmp_path, monkeypatch):
    program = tmp_path / "xz"
    program.write_text("#!/bin/sh\n/usr/bin/env\n/usr/bin/readlink /proc/self/cwd\n/bin/ls /proc/self/fd\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XZ_DEFAULTS", "--format=raw")
    with open(os.devnull, "rb") as opened:
        os.set_inheritable(opened.fileno(), True)
        lines = b"".join(_tools.decompress("xz", [])).decode().split()
    assert [line for line in lines if line.startswith(("XZ_", "LC_ALL="))] == ["LC_ALL=C"]
    assert "/" in lines
    assert lines[-4:] == ["0", "1", "2", "3"]  # 3 is the directory that ls reads


@pytest.mark.parametrize(
    ("tool", "package"),
    [
        ("bzip2", "bzip2"),
        ("lz4", "lz4"),
        ("lzop", "lzop"),
        ("xz", "xz-utils"),
        ("lzma", "xz-utils"),
        ("zstd", "zstd"),
    ],
)
def test_a_missing_tool_is_named_with_its_package(tool, package, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match="program {} ".format(tool)) as raised:
        next(_tools.decompress(tool, []))
    assert "package {} ".format(package) in raised.value.hint


def test_a_slow_source_does_not_cost_processor_time():
    def slow():
        data = lzma.compress(b"text")
        for start in range(0, len(data), 20):
            time.sleep(0.05)
            yield data[start : start + 20]

    start = time.process_time()
    assert b"".join(_tools.decompress("xz", slow())) == b"text"
    assert time.process_time() - start < 0.1
