# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ctypes
import os
import pathlib
import struct
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._measure import clocks
from hypothesis import given
from hypothesis import strategies as st

SECOND = 1_000_000_000


def test_the_clocks_are_read_at_one_moment() -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    reading = clocks.read_clocks()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    assert before <= reading.steady <= after
    assert 0 <= reading.width <= after - before
    assert abs(reading.system - time.time_ns()) < SECOND
    assert abs(reading.raw - time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)) < SECOND


def test_the_kernel_tells_of_its_clock() -> None:
    found = clocks.read_discipline()

    assert found is not None
    assert found.leap in ("normal", "insert", "delete", "in-progress")
    assert abs(found.frequency) <= 100_500
    assert found.max_error >= 0


def test_the_structure_of_adjtimex_is_as_long_as_the_kernels() -> None:
    # 208 bytes on 64 bit, 128 on i386, of which 44 are reserved; the kernel must never write beyond it
    assert ctypes.sizeof(clocks._Timex) >= (208 if ctypes.sizeof(ctypes.c_long) == 8 else 128)


def test_the_numbers_of_the_ioctls_are_those_of_the_header() -> None:
    assert clocks._PTP_SYS_OFFSET == 0x43403D05
    assert clocks._PTP_SYS_OFFSET_EXTENDED == 0xC4C03D09


def test_a_machine_without_such_a_device_has_no_host_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(clocks, "PTP_HYPERV", str(tmp_path / "none"))
    monkeypatch.setattr(clocks, "_PTP_CLASS", str(tmp_path / "none"))

    with clocks.HostClock() as host:
        host.take()
        assert not host.is_there


def test_the_device_is_found_by_its_name_where_udev_knows_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    for name, shown in (("ptp0", "KVM virtual PTP\n"), ("ptp7", "hyperv\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "clock_name").write_text(shown)
    monkeypatch.setattr(clocks, "PTP_HYPERV", str(tmp_path / "none"))
    monkeypatch.setattr(clocks, "_PTP_CLASS", str(tmp_path))

    assert clocks._device() == "/dev/ptp7"


@pytest.mark.parametrize("kind", ["file", "device", "link to nothing"])
def test_what_is_no_ptp_device_gives_no_time(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "ptp_hyperv"
    if kind == "file":
        path.write_bytes(b"")
    else:
        os.symlink("/dev/null", path)
    monkeypatch.setattr(clocks, "PTP_HYPERV", str(path))
    with clocks.HostClock() as host:
        host.take()
        host.take()
        found = host.series()

    assert found.samples == ()
    assert len(found.refused) == 1
    assert found.refused[0][0] == "unreadable"


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, SECOND - 1)), min_size=15, max_size=15))
def test_times_of_the_kernel_are_read_in_their_order(times: list[tuple[int, int]]) -> None:
    buffer = bytearray(16) + b"".join(struct.pack("=qII", seconds, rest, 0) for seconds, rest in times)

    assert clocks._times(buffer, 15) == [seconds * SECOND + rest for seconds, rest in times]
