# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the clocks of the running guest: its own, and the one that the host shows it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import stat
import struct
import time
import typing as t

from .._errors import GuestError
from .model import KernelDiscipline, Reading, ReferenceSeries, Sample

PTP_HYPERV = "/dev/ptp_hyperv"
_PTP_CLASS = "/sys/class/ptp"
SAMPLE_AGE = 5_000_000_000
"""The host sends its time every five seconds; the guest computes what lies between (drivers/hv/hv_util.c)."""

_SECOND = 1_000_000_000
_TRIES = 5
_NARROW = 20_000  # ns; a reading this narrow is not repeated
_OWN_ERROR = 100_000  # ns; of the host's time itself, on its way through VMBus

# <linux/ptp_clock.h>
_PTP_MAGIC = ord("=")
_TIME = struct.Struct("=qII")  # struct ptp_clock_time: seconds, nanoseconds, reserved
_MAX_SAMPLES = 25
_SAMPLES = 5
_OFFSET_SIZE = 16 + _TIME.size * (2 * _MAX_SAMPLES + 1)
_EXTENDED_SIZE = 16 + _TIME.size * 3 * _MAX_SAMPLES


def _write_request(number: int, size: int) -> int:
    """_IOW and _IOWR as every architecture of Debian but MIPS, PowerPC and SPARC has them."""
    return 1 << 30 | size << 16 | _PTP_MAGIC << 8 | number


_PTP_SYS_OFFSET = _write_request(5, _OFFSET_SIZE)
_PTP_SYS_OFFSET_EXTENDED = _write_request(9, _EXTENDED_SIZE) | 2 << 30

# <linux/timex.h>
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_LEAPS = {0: "normal", 1: "insert", 2: "delete", 3: "in-progress", 4: "normal"}
_USUAL_TICK = 10_000  # us, at 100 of them a second


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance", "seconds", "useconds", "tick")),
        ("rest", ctypes.c_char * 128),
    )


def read_clocks() -> Reading:
    """The guest's three clocks, read so often that the moment is known well."""
    best: Reading | None = None
    for _attempt in range(_TRIES):
        first = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        system = time.clock_gettime_ns(time.CLOCK_REALTIME)
        raw = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        last = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        reading = Reading(system, (first + last) // 2, raw, last - first)
        if best is None or reading.width < best.width:
            best = reading
        if best.width <= _NARROW:
            break
    return t.cast(Reading, best)


def read_discipline() -> KernelDiscipline | None:
    """What the kernel says of its clock; None where it cannot be asked."""
    found = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    tick = (found.tick - _USUAL_TICK) / _USUAL_TICK * 1e6
    return KernelDiscipline(
        is_synchronised=state != _TIME_ERROR and not found.status & _STA_UNSYNC,
        leap=_LEAPS.get(state, "normal"),
        frequency=found.freq / 65536 + tick,
        max_error=max(0, found.maxerror) * 1000,
    )


class HostClock:
    """The clock of the host, as hv_utils shows it in a PTP device. Use as a context; C(take) adds a sample."""

    def __init__(self) -> None:
        self._fd = -1
        self._path = ""
        self._asked = 0
        self._samples: list[Sample] = []
        self._problems: dict[tuple[str, str], None] = {}

    def __enter__(self) -> HostClock:
        self._path = _device()
        if self._path:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                if not stat.S_ISCHR(os.fstat(self._fd).st_mode):
                    raise GuestError(f"{self._path} is no device")
            except (OSError, GuestError) as error:
                self._note("unreadable", f"{self._path} cannot be opened: {error}")
                self._close()
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        self._close()

    @property
    def is_there(self) -> bool:
        return bool(self._path)

    def take(self) -> None:
        """Compares the host's clock with the guest's; a failure is noted."""
        if self._fd < 0:
            return
        self._asked += 1
        try:
            before = read_clocks()
            pairs = _compare(self._fd)
            after = read_clocks()
        except OSError as error:
            self._note("unreadable", _explain(self._path, error))
            return
        if abs((after.system - before.system) - (after.steady - before.steady)) > _NARROW + before.width + after.width:
            return  # somebody set the clock meanwhile
        for system, reference, width in pairs:
            # the driver compares with the system clock; what the others showed then follows from the reading before
            passed = system - before.system
            rate = (after.raw - before.raw) / max(1, after.system - before.system)
            at = Reading(system, before.steady + passed, before.raw + int(passed * rate), width)
            self._samples.append(Sample(at, reference, width // 2 + before.width))

    def series(self) -> ReferenceSeries:
        return ReferenceSeries(
            self._path,
            "phc",
            samples=tuple(self._samples),
            root_error=_OWN_ERROR,
            age=SAMPLE_AGE,
            asked=self._asked,
            refused=tuple(self._problems),
        )

    def _note(self, kind: str, message: str) -> None:
        self._problems[kind, message] = None

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _device() -> str:
    """Path of the device; empty when there is none. Before udev 247 or so it has no name of its own."""
    if os.path.exists(PTP_HYPERV):
        return PTP_HYPERV
    names = sorted(os.listdir(_PTP_CLASS)) if os.path.isdir(_PTP_CLASS) else []
    for name in names:
        with contextlib.suppress(OSError), open(f"{_PTP_CLASS}/{name}/clock_name", encoding="ascii") as stream:
            if stream.read(100).strip() == "hyperv":
                return f"/dev/{name}"
    return ""


def _compare(fd: int) -> list[tuple[int, int, int]]:
    """System clock, reference and width of the best of several comparisons that the kernel makes."""
    try:
        return [min(_extended(fd), key=lambda triple: triple[2])]
    except OSError:
        # before Linux 5.0, and for drivers that do not take time stamps themselves, hv_utils among them
        return [min(_plain(fd), key=lambda triple: triple[2])]


def _extended(fd: int) -> list[tuple[int, int, int]]:
    buffer = bytearray(struct.pack("=I", _SAMPLES).ljust(_EXTENDED_SIZE, b"\0"))
    fcntl.ioctl(fd, _PTP_SYS_OFFSET_EXTENDED, buffer)
    times = _times(buffer, 3 * _SAMPLES)
    return [((one + two) // 2, clock, two - one) for one, clock, two in zip(times[::3], times[1::3], times[2::3])]


def _plain(fd: int) -> list[tuple[int, int, int]]:
    buffer = bytearray(struct.pack("=I", _SAMPLES).ljust(_OFFSET_SIZE, b"\0"))
    fcntl.ioctl(fd, _PTP_SYS_OFFSET, buffer)
    times = _times(buffer, 2 * _SAMPLES + 1)
    return [((one + two) // 2, clock, two - one) for one, clock, two in zip(times[::2], times[1::2], times[2::2])]


def _times(buffer: bytearray, count: int) -> list[int]:
    found = [_TIME.unpack_from(buffer, 16 + _TIME.size * index) for index in range(count)]
    return [seconds * _SECOND + nanoseconds for seconds, nanoseconds, _reserved in found]


def _explain(path: str, error: OSError) -> str:
    return f"{path} gives no time: {error.strerror}"
