# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a time service says of itself, in one form for all of them.

Offsets are in seconds and positive when the system clock is ahead, whatever the sign in the service's own output.
A frequency is in ppm and positive when the guest's oscillator is fast, so that the service has to slow it down.
"""

from __future__ import annotations

import re
import typing as t

_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?")
_WITH_UNIT = re.compile(rf"({_NUMBER.pattern})\s*([a-zµμ]{{1,7}})")
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "sec": 1.0,
    "min": 60.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "month": 2629800.0,
    "y": 31557600.0,
    "seconds": 1.0,
}
_BARE = "0"  # systemd writes no unit behind a zero


class TimeSource(t.NamedTuple):
    """One of the sources that a service knows."""

    name: str
    kind: str  # server, peer, refclock, other
    state: str  # selected, candidate, outlier, falseticker, jittery, unusable
    stratum: int | None = None
    reach: int | None = None  # the last eight polls, as bits; 255 when all were answered
    offset: float | None = None  # of the last sample
    error: float | None = None  # seconds, the bound of it


class TimeStatus(t.NamedTuple):
    """What a service says: None is what it does not say."""

    is_synchronised: bool | None = None
    source: str | None = None
    stratum: int | None = None
    leap: str | None = None  # normal, insert, delete or unset
    offset: float | None = None
    frequency: float | None = None
    root_delay: float | None = None  # seconds
    root_dispersion: float | None = None  # seconds
    sources: tuple[TimeSource, ...] = ()


LEAPS = ("normal", "insert", "delete", "unset")
"""By the two bits of NTP's leap indicator."""


def number(text: str | None) -> float | None:
    """A decimal number; None for anything else, infinities and NaN included."""
    text = (text or "").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def integer(text: str | None, base: int = 10) -> int | None:
    """A whole number of at most nine digits, not negative; None for anything else."""
    text = (text or "").strip()
    digits = "[0-7]{1,9}" if base == 8 else "[0-9]{1,9}"
    return int(text, base) if re.fullmatch(digits, text) else None


def seconds(text: str | None) -> float | None:
    """A span of time with its units (C(-46us), C(1min 4s), C(0)) in seconds; None for anything else."""
    text = (text or "").strip()
    if text == _BARE:
        return 0.0
    total = 0.0
    end = 0
    for match in _WITH_UNIT.finditer(text):
        if text[end : match.start()].strip() or match.group(2) not in _UNITS:
            return None
        total += float(match.group(1)) * _UNITS[match.group(2)]
        end = match.end()
    return total if end and not text[end:].strip() else None


def negated(value: float | None) -> float | None:
    """For a value that is given with the other sign; zero stays positive."""
    return None if value is None else 0.0 - value


def scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
