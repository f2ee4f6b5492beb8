# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import ntpctl
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._time_status import TimeSource
from hypothesis import given
from hypothesis import strategies as st

SYNCED = """\
2/3 peers valid, 1/1 sensors valid, clock synced, stratum 3

peer
   wt tl st  next  poll          offset       delay      jitter
10.77.0.1 from pool ntp.example
 *  1 10  2   12s   30s        -0.123ms     1.234ms     0.045ms
10.77.0.2
    1 10  2   12s   30s        50.002ms     1.234ms     0.045ms
10.77.0.7
    1  2  -   10s   15s             ---- peer not valid ----

sensor
   wt gd st  next  poll          offset  correction
nmea0  GPS
    1  1  0    9s   15s         1.500ms     0.000ms
"""
UNSYNCED = """\
0/1 peers valid, clock unsynced, clock offset is -1500.250ms

peer
   wt tl st  next  poll          offset       delay      jitter
10.77.0.7
    1  2  -   10s   15s             ---- peer not valid ----
"""


def test_a_clock_that_follows() -> None:
    found = ntpctl.parse(SYNCED)

    assert (found.is_synchronised, found.source, found.stratum, found.leap) == (True, "10.77.0.1", 3, "normal")
    assert found.offset == pytest.approx(0.000123)
    assert found.sources == (
        TimeSource("10.77.0.1", "server", "selected", 2, offset=pytest.approx(0.000123)),
        TimeSource("10.77.0.2", "server", "candidate", 2, offset=pytest.approx(-0.050002)),
        TimeSource("10.77.0.7", "server", "unusable", None),
        TimeSource("nmea0", "refclock", "candidate", 0, offset=pytest.approx(-0.0015)),
    )


def test_a_clock_that_does_not_follow() -> None:
    found = ntpctl.parse(UNSYNCED)

    assert (found.is_synchronised, found.source, found.stratum, found.leap) == (False, None, None, "unset")
    assert found.offset == pytest.approx(1.50025)
    assert [source.state for source in found.sources] == ["unusable"]


# OpenNTPD 6.2p3, which ends the line of an address with a blank
STARTING = (
    "1/2 peers valid, clock unsynced\n\npeer\n   wt tl st  next  poll          offset       delay      jitter\n"
    "10.77.0.1 \n    1  7  5    3s    6s         0.019ms     0.065ms     0.019ms\n"
    "10.77.0.77 \n    1  2  -  285s  300s             ---- peer not valid ----\n\n"
)


def test_a_clock_that_is_still_being_set() -> None:
    found = ntpctl.parse(STARTING)

    assert found.is_synchronised is False
    assert [(source.name, source.state, source.stratum) for source in found.sources] == [
        ("10.77.0.1", "candidate", 5),
        ("10.77.0.77", "unusable", None),
    ]


def test_line_ends_of_another_system_are_no_matter() -> None:
    assert ntpctl.parse(SYNCED.replace("\n", "\r\n")) == ntpctl.parse(SYNCED)


@pytest.mark.parametrize("text", ["", "ntpctl: connect: /var/run/ntpd.sock: No such file or directory\n"])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        ntpctl.parse(text)


@given(st.text() | st.lists(st.sampled_from([*SYNCED.split("\n"), *UNSYNCED.split("\n"), "x", " *"])).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = ntpctl.parse(text)
    except MalformedError:
        return
    assert found.is_synchronised is not None
