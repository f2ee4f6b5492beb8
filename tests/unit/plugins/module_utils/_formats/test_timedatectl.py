# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import timedatectl
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._time_status import TimeStatus
from hypothesis import given
from hypothesis import strategies as st

JESSIE = """\
      Local time: Sun 2026-11-22 14:57:20 UTC
  Universal time: Sun 2026-11-22 14:57:20 UTC
        RTC time: Sun 2026-11-22 14:57:20
       Time zone: Etc/UTC (UTC, +0000)
     NTP enabled: yes
NTP synchronized: yes
 RTC in local TZ: no
      DST active: n/a
"""
STRETCH = """\
      Local time: Sun 2026-11-22 14:57:20 UTC
       Time zone: Etc/UTC (UTC, +0000)
 Network time on: yes
NTP synchronized: yes
 RTC in local TZ: no
"""
BOOKWORM = """\
               Local time: Sun 2026-11-22 14:57:20 UTC
                Time zone: Etc/UTC (UTC, +0000)
System clock synchronized: yes
              NTP service: active
          RTC in local TZ: no
"""
SHOW = "Timezone=Etc/UTC\nLocalRTC=no\nCanNTP=yes\nNTP=yes\nNTPSynchronized=yes\nTimeUSec=Sun 2026-11-22 14:57:20 UTC\n"
TIMESYNC = """\
LinkNTPServers=
SystemNTPServers=10.77.0.2
FallbackNTPServers=0.debian.pool.ntp.org 1.debian.pool.ntp.org
ServerName=10.77.0.2
ServerAddress=10.77.0.2
RootDistanceMaxUSec=5s
PollIntervalMinUSec=32s
PollIntervalMaxUSec=34min 8s
PollIntervalUSec=1min 4s
NTPMessage={ Leap=0, Version=4, Mode=4, Stratum=5, Precision=-24, RootDelay=1.2ms, \
RootDispersion=15us, Reference=7F7F0101, \
OriginateTimestamp=Sun 2026-11-22 14:57:20 UTC, Ignored=no, PacketCount=3, Jitter=0 }
Frequency=819200
"""


@pytest.mark.parametrize("text", [JESSIE, STRETCH, BOOKWORM, SHOW])
def test_every_generation_says_whether_the_clock_is_synchronised(text: str) -> None:
    assert timedatectl.parse_status(text) is True
    for key in ("NTP synchronized", "System clock synchronized", "NTPSynchronized"):
        text = text.replace(key + ": yes", key + ": no").replace(key + "=yes", key + "=no")
    assert timedatectl.parse_status(text) is False


@pytest.mark.parametrize(
    "text", ["", "Failed to query server: Connection timed out\n", "NTP enabled: yes\n", "NTP synchronized: perhaps\n"]
)
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        timedatectl.parse_status(text)


def test_timesyncd_tells_its_server() -> None:
    found = timedatectl.parse_timesync(TIMESYNC)

    assert found == TimeStatus(
        None,
        "10.77.0.2",
        6,
        "normal",
        None,
        -12.5,
        pytest.approx(0.0012),
        pytest.approx(15e-6),
    )


def test_timesyncd_that_has_no_answer_yet_tells_no_stratum() -> None:
    text = "SystemNTPServers=10.77.0.7\nServerName=10.77.0.7\nPollIntervalMinUSec=32s\nFrequency=0\n"

    assert timedatectl.parse_timesync(text) == TimeStatus(source="10.77.0.7", frequency=0.0)


@pytest.mark.parametrize("text", ["", "Unknown operation show-timesync\n", SHOW])
def test_what_is_not_of_timesyncd_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        timedatectl.parse_timesync(text)


LINES = [*TIMESYNC.split("\n"), *BOOKWORM.split("\n"), "NTPMessage={ Leap=9, Stratum=x", "Frequency=nan", "="]


@given(st.text() | st.lists(st.sampled_from(LINES)).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (timedatectl.parse_status, timedatectl.parse_timesync):
        try:
            parse(text)
        except MalformedError:
            continue
