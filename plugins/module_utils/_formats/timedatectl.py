# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(timedatectl) prints: C(status) of all its generations, and since systemd 239 C(show) and C(show-timesync)."""

from __future__ import annotations

import re

from .._errors import MalformedError
from ._time_status import LEAPS, TimeStatus, integer, number, seconds

_STATUS_KEYS = ("NTP synchronized", "System clock synchronized", "NTPSynchronized")
_FIELD = re.compile(r"^\s*([A-Za-z][A-Za-z ]{0,30}): ?(.*)$")
_PROPERTY = re.compile(r"^([A-Za-z]{1,40})=(.*)$")
_MESSAGE = re.compile(r"\b([A-Za-z]{1,24})=([^,}]*)")
_FREQUENCY_UNIT = 65536.0  # the kernel's: ppm in 16.16 fixed point


def parse_status(text: str) -> bool:
    """Whether the kernel's clock counts as synchronised, by C(status) or C(show); any service may have said so.

    Raises MalformedError for what is neither.
    """
    for line in text.split("\n"):
        match = _FIELD.match(line.rstrip("\r")) or _PROPERTY.match(line.rstrip("\r"))
        if match and match.group(1) in _STATUS_KEYS and match.group(2).strip() in ("yes", "no"):
            return match.group(2).strip() == "yes"
    raise MalformedError("this is not the status that timedatectl prints")


def parse_timesync(text: str) -> TimeStatus:
    """What systemd-timesyncd says of its server, by C(show-timesync): not whether the clock is synchronised.

    Raises MalformedError for what is not its answer.
    """
    properties: dict[str, str] = {}
    for match in filter(None, map(_PROPERTY.match, text.replace("\r\n", "\n").split("\n"))):
        properties.setdefault(match.group(1), match.group(2).strip())
    if not properties.keys() & {"PollIntervalMinUSec", "ServerName", "SystemNTPServers"}:
        raise MalformedError("this is not what timedatectl says of systemd-timesyncd")
    message = dict(_MESSAGE.findall(properties.get("NTPMessage", "")))
    frequency = number(properties.get("Frequency"))
    leap = integer(message.get("Leap"))
    return TimeStatus(
        source=properties.get("ServerAddress") or properties.get("ServerName") or None,
        stratum=_one_more(integer(message.get("Stratum"))),
        leap=LEAPS[leap] if leap is not None and leap < len(LEAPS) else None,
        frequency=None if frequency is None else 0.0 - frequency / _FREQUENCY_UNIT,
        root_delay=seconds(message.get("RootDelay")),
        root_dispersion=seconds(message.get("RootDispersion")),
    )


def _one_more(stratum: int | None) -> int | None:
    """The guest's own stratum: one more than that of its server, which is what timesyncd tells."""
    return stratum + 1 if stratum else None
