# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(ntpctl -s all) of OpenNTPD prints."""

from __future__ import annotations

import re

from .._errors import MalformedError
from ._time_status import TimeSource, TimeStatus, integer, negated, seconds

_SUMMARY = re.compile(r"\bclock (un)?synced\b(?:, stratum (\d{1,3}))?")
_OFFSET = re.compile(r"\bclock offset is ([-+]?[\d.]+)ms")
_MEASURED = re.compile(
    r"^ ([* ])\s+\d{1,3}\s+\d{1,3}\s+(\d{1,3}|-)\s+\S+\s+\S+\s+"
    r"(?:([-+]?[\d.]+ms)\s+[-+]?[\d.]+ms\s+[-+]?[\d.]+ms|([-+]?[\d.]+ms)\s+[-+]?[\d.]+ms|---- \w+ not valid ----)$"
)


def parse(text: str) -> TimeStatus:
    """The answer. Raises MalformedError for what is none."""
    summary = _SUMMARY.search(text)
    if summary is None:
        raise MalformedError("this is not the answer of ntpctl")
    sources = tuple(_sources(text))
    chosen = next((source for source in sources if source.state == "selected"), None)
    is_synchronised = summary.group(1) is None
    said = _OFFSET.search(text)
    offset = negated(seconds(f"{said.group(1)}ms")) if said else chosen.offset if chosen else None
    return TimeStatus(
        is_synchronised=is_synchronised,
        source=chosen.name if chosen else None,
        stratum=integer(summary.group(2)) if is_synchronised else None,
        leap="normal" if is_synchronised else "unset",
        offset=offset,
        sources=sources,
    )


def _sources(text: str) -> list[TimeSource]:
    found = []
    kind = "server"
    name = ""
    for line in text.replace("\r\n", "\n").split("\n"):
        if line in ("peer", "sensor"):
            kind = "refclock" if line == "sensor" else "server"
            name = ""
            continue
        match = _MEASURED.match(line)
        if match is None:
            # an address alone, or behind it the pool that it comes from
            name = line.split(" ")[0] if line[:1] not in ("", " ") else ""
        elif name:
            mark, stratum, offset, sensor_offset = match.groups()
            measured = offset or sensor_offset
            state = "unusable" if measured is None else "selected" if mark == "*" else "candidate"
            found.append(
                TimeSource(name, kind, state, integer(stratum), offset=negated(seconds(measured)) if measured else None)
            )
            name = ""
    return found
