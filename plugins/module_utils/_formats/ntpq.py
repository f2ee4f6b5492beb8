# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(ntpq -pn) and C(ntpq -c rv) print, of ntp (4.2.6 and later) and of ntpsec."""

from __future__ import annotations

import re

from .._errors import MalformedError
from ._time_status import LEAPS, TimeSource, TimeStatus, integer, negated, number, scaled

_STATES = {
    "*": "selected",
    "o": "selected",
    "+": "candidate",
    "#": "candidate",
    "-": "outlier",
    ".": "outlier",
    "x": "falseticker",
    " ": "unusable",
}
_KINDS = {"u": "server", "s": "peer", "l": "refclock", "p": "other", "b": "other", "m": "other", "a": "other"}
_COLUMNS = 10  # remote refid st t when poll reach delay offset jitter; the last is called disp by older ones
_VARIABLE = re.compile(r'([A-Za-z_][A-Za-z0-9_]{0,31})=("[^"\n]*"|[^,\s]*)')
_NO_REFERENCE = ("INIT", "STEP", "", "0.0.0.0", "XFAC", "XTAC")
_MAX_STRATUM = 15


def parse_peers(text: str) -> tuple[TimeSource, ...]:
    """The answer to C(-pn). An address that is too long for its column has the rest on the next line."""
    sources: list[TimeSource] = []
    first_half = ""
    for line in text.split("\n"):
        tally, fields = line[:1], line[1:].split()
        if len(fields) == 1 and tally in _STATES and not fields[0].startswith("="):
            first_half = tally + fields[0]
            continue
        if first_half and tally == " ":
            tally, fields = first_half[0], [first_half[1:], *fields]
        first_half = ""
        if len(fields) == _COLUMNS and tally in _STATES:
            sources.extend(_source(tally, fields))
    return tuple(sources)


def parse_variables(text: str) -> TimeStatus:
    """The answer to C(-c rv). Raises MalformedError for what is none."""
    found = {name: value.strip('"') for name, value in _VARIABLE.findall(text)}
    if "leap" not in found or "stratum" not in found:
        raise MalformedError("this is not the answer of ntpq to rv")
    leap = LEAPS[int(found["leap"], 2)] if re.fullmatch("[01]{1,2}", found["leap"]) else None
    stratum = integer(found["stratum"])
    reference = found.get("refid", "").strip(".")
    has_reference = reference not in _NO_REFERENCE
    is_local = reference == "LOCL" or reference.startswith("127.127.1.")
    is_synchronised = None
    if leap is not None and stratum is not None:
        is_synchronised = leap != "unset" and 0 < stratum <= _MAX_STRATUM and has_reference and not is_local
    return TimeStatus(
        is_synchronised=is_synchronised,
        source=reference if has_reference else None,
        stratum=stratum if stratum is None or stratum <= _MAX_STRATUM else None,
        leap=leap,
        # what is to be added to the clock and to its frequency
        offset=negated(scaled(number(found.get("offset")), 1e-3)),
        frequency=negated(number(found.get("frequency"))),
        root_delay=scaled(number(found.get("rootdelay")), 1e-3),
        root_dispersion=scaled(number(found.get("rootdisp")), 1e-3),
    )


def _source(tally: str, fields: list[str]) -> list[TimeSource]:
    remote, _refid, stratum, kind, _when, _poll, reach, _delay, offset, jitter = fields
    if kind not in _KINDS or integer(stratum) is None:
        return []
    is_refclock = remote.startswith("127.127.") or kind == "l"
    return [
        TimeSource(
            remote,
            "refclock" if is_refclock else _KINDS[kind],
            _STATES[tally],
            integer(stratum),
            integer(reach, 8),
            negated(scaled(number(offset), 1e-3)),
            scaled(number(jitter), 1e-3),
        )
    ]
