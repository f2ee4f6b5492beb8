# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(chronyc tracking) and C(chronyc sources) print: the text of chrony 1.2x to 4.x, and CSV (option -c, 2.4 and
later)."""

from __future__ import annotations

import re
import typing as t

from .._errors import MalformedError
from ._time_status import TimeSource, TimeStatus, integer, negated, number, seconds

_FIELD = re.compile(r"^([A-Z][A-Za-z ()]{1,20}?)\s*: ?(.*)$")
_LEAPS = {"normal": "normal", "insert second": "insert", "delete second": "delete", "not synchronised": "unset"}
_SOURCE = re.compile(
    r"^([\^=#])([*+\-?x~ ]) (\S+)\s+(\d{1,3})\s+(-?\d{1,2})(?:\s+([0-7]{1,3}))?\s+(?:\d{1,9}[mhdy]?|-)"
    r"\s+([-+]\S+?)\s*\[\s*\S+\]\s*\+/-\s*(\S+)$"
)
_MODES = {"^": "server", "=": "peer", "#": "refclock"}
_STATES = {
    "*": "selected",
    "+": "candidate",
    "-": "outlier",
    "x": "falseticker",
    "~": "jittery",
    "?": "unusable",
    " ": "unusable",
}
_TRACKING_FIELDS = 14
_SOURCE_FIELDS = 10


def parse_tracking(text: str) -> TimeStatus:
    """The answer to C(tracking). Raises MalformedError for what is none."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    for line in lines:
        fields = line.split(",")
        if len(fields) >= _TRACKING_FIELDS and re.fullmatch(r"[0-9A-F]{8}", fields[0]):
            # the system time is what has to be added to the clock, and the frequency is positive when it is fast
            return _status(
                _reference(fields[0], fields[1]),
                stratum=integer(fields[2]) or None,
                leap=_LEAPS.get(fields[13].strip().lower()),
                offset=negated(number(fields[4])),
                frequency=number(fields[7]),
                root_delay=number(fields[10]),
                root_dispersion=number(fields[11]),
            )
    found: dict[str, str] = {}
    for match in filter(None, map(_FIELD.match, lines)):
        found.setdefault(match.group(1), match.group(2).strip())
    if "Leap status" not in found or "Stratum" not in found:
        raise MalformedError("this is not the answer of chronyc to tracking")
    identifier, _space, name = found.get("Reference ID", "").partition(" ")
    return _status(
        _reference(identifier, name.strip("()")),
        stratum=integer(found["Stratum"]) or None,
        leap=_LEAPS.get(found["Leap status"].lower()),
        offset=_fast(found.get("System time")),
        frequency=_fast(found.get("Frequency")),
        root_delay=number(_first(found.get("Root delay"))),
        root_dispersion=number(_first(found.get("Root dispersion"))),
    )


def parse_sources(text: str) -> tuple[TimeSource, ...]:
    """The answer to C(sources); lines that are no source are left out."""
    return tuple([source for line in text.split("\n") for source in _source(line.rstrip("\r"))])


def _source(line: str) -> list[TimeSource]:
    fields = line.split(",")
    if len(fields) >= _SOURCE_FIELDS and fields[0] in _MODES and fields[1] in _STATES:
        return [
            TimeSource(
                fields[2],
                _MODES[fields[0]],
                _STATES[fields[1]],
                integer(fields[3]),
                integer(fields[5], 8),
                number(fields[7]),
                number(fields[9]),
            )
        ]
    match = _SOURCE.match(line)
    if match is None:
        return []
    mode, state, name, stratum, _poll, reach, offset, error = match.groups()
    return [
        TimeSource(
            name,
            _MODES[mode],
            _STATES[state],
            integer(stratum),
            integer(reach, 8),
            seconds(offset),
            seconds(error),
        )
    ]


def _reference(identifier: str, name: str) -> str | None:
    """What the clock follows: C(local) stands for the clock itself, by the directive of that name."""
    if identifier in ("", "00000000", "0.0.0.0"):
        return None
    return "local" if identifier in ("7F7F0101", "127.127.1.1") else name or identifier


def _status(source: str | None, **measured: t.Any) -> TimeStatus:
    leap = measured["leap"]
    is_synchronised = None if leap is None else leap != "unset" and source not in (None, "local")
    return TimeStatus(is_synchronised=is_synchronised, source=source, **measured)


def _fast(text: str | None) -> float | None:
    """C(0.000012 seconds fast of NTP time), C(12.345 ppm slow)."""
    match = re.match(r"(\S+) (?:seconds|ppm) (fast|slow)\b", text or "")
    value = number(match.group(1)) if match else None
    if match is None or value is None:
        return None
    return value if match.group(2) == "fast" else negated(value)


def _first(text: str | None) -> str:
    return (text or "").partition(" ")[0]
