# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import chronyc
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._time_status import TimeSource, TimeStatus
from hypothesis import given
from hypothesis import strategies as st

TRACKING = """\
Reference ID    : 0A4D0002 (10.77.0.2)
Stratum         : 6
Ref time (UTC)  : Sun Nov 22 14:54:52 2026
System time     : 0.049995229 seconds slow of NTP time
Last offset     : -0.000000714 seconds
RMS offset      : 0.000011268 seconds
Frequency       : 0.276 ppm fast
Residual freq   : -0.014 ppm
Skew            : 1.564 ppm
Root delay      : 0.000013455 seconds
Root dispersion : 0.000002133 seconds
Update interval : 1.0 seconds
Leap status     : Normal
"""
TRACKING_CSV = (
    "0A4D0002,10.77.0.2,6,1795359292.646998448,0.049995229,-0.000000714,0.000011268,0.276,-0.014,1.564,"
    "0.000013455,0.000002133,1.0,Normal\n"
)
FOLLOWING = TimeStatus(True, "10.77.0.2", 6, "normal", -0.049995229, 0.276, 0.000013455, 0.000002133)
# of Debian 7: chrony 1.24
TRACKING_OLD = TRACKING.replace("0A4D0002 (10.77.0.2)", "10.77.0.2 (10.77.0.2)")
UNSET = """\
Reference ID    : 00000000 ()
Stratum         : 0
Ref time (UTC)  : Thu Jan 01 00:00:00 1970
System time     : 0.000000000 seconds fast of NTP time
Frequency       : 0.000 ppm slow
Root delay      : 1.000000000 seconds
Root dispersion : 1.000000000 seconds
Leap status     : Not synchronised
"""
UNSET_CSV = "00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.000000000,1.000000000,0.0,Not synchronised\n"
SOURCES = """\
MS Name/IP address         Stratum Poll Reach LastRx Last sample
===============================================================================
^x 10.77.0.1                     5   0   377     1  +2293ns[+2293ns] +/- 4755ns
^* 10.77.0.2                     5   6   377    34m   -46us[  -57us] +/-   12ms
#+ PHC0                          2   3   377     6   +345ns[ +1230ns] +/-  11us
^? 10.77.0.7                     0   7     0     -     +0ns[   +0ns] +/-    0ns
=- 2001:db8::1                   3  10    17  291m  -120.0s[-120.0s] +/- 5676ns
^~ ntp.example                   3  10    17   10h    +1ms[   +2ms] +/-    1s
"""
SOURCES_CSV = """\
^,x,10.77.0.1,5,0,377,1,0.000002293,0.000002293,0.000004755
^,*,10.77.0.2,5,6,377,2040,-0.000046000,-0.000057000,0.012000000
#,+,PHC0,2,3,377,6,0.000000345,0.000001230,0.000011000
^,?,10.77.0.7,0,7,0,4294967295,0.000000000,0.000000000,0.000000000
=,-,2001:db8::1,3,10,17,17460,-120.0,-120.0,0.000005676
^,~,ntp.example,3,10,17,36000,0.001,0.002,1.0
"""


@pytest.mark.parametrize("text", [TRACKING, TRACKING_CSV, TRACKING_OLD, TRACKING.replace("\n", "\r\n")])
def test_all_dialects_say_the_same_of_a_clock_that_follows(text: str) -> None:
    found = chronyc.parse_tracking(text)

    assert found == FOLLOWING


def test_a_clock_that_is_ahead_and_slow_has_the_other_signs() -> None:
    text = TRACKING.replace("slow of", "fast of").replace("ppm fast", "ppm slow")
    csv = TRACKING_CSV.replace(",0.049995229", ",-0.049995229").replace(",0.276,", ",-0.276,")

    assert chronyc.parse_tracking(text) == chronyc.parse_tracking(csv)
    assert chronyc.parse_tracking(csv)[4:6] == (0.049995229, -0.276)


@pytest.mark.parametrize("text", [UNSET, UNSET_CSV])
def test_a_clock_that_is_not_set_follows_nothing(text: str) -> None:
    found = chronyc.parse_tracking(text)

    assert (found.is_synchronised, found.source, found.stratum, found.leap) == (False, None, None, "unset")


@pytest.mark.parametrize("identifier", ["7F7F0101 ()", "127.127.1.1 ()", "127.127.1.1 (127.127.1.1)"])
def test_a_clock_that_follows_itself_is_not_synchronised(identifier: str) -> None:
    found = chronyc.parse_tracking(TRACKING.replace("0A4D0002 (10.77.0.2)", identifier))

    assert (found.is_synchronised, found.source) == (False, "local")


def test_a_refclock_is_named_by_its_identifier() -> None:
    found = chronyc.parse_tracking(TRACKING.replace("0A4D0002 (10.77.0.2)", "50484330 (PHC0)"))

    assert (found.is_synchronised, found.source) == (True, "PHC0")


@pytest.mark.parametrize(("told", "leap"), [("Insert second", "insert"), ("Delete second", "delete")])
def test_a_leap_second_to_come_is_no_fault(told: str, leap: str) -> None:
    found = chronyc.parse_tracking(TRACKING.replace("Normal", told))

    assert (found.is_synchronised, found.leap) == (True, leap)


def test_an_unknown_leap_status_tells_nothing() -> None:
    assert chronyc.parse_tracking(TRACKING.replace("Normal", "Maybe")).is_synchronised is None


@pytest.mark.parametrize(
    "text", ["", "506 Cannot talk to daemon\n", "501 Not authorised", "Unrecognized command\n", "1,2,3\n", SOURCES_CSV]
)
def test_what_is_no_tracking_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        chronyc.parse_tracking(text)


def test_sources_are_the_same_in_text_and_csv() -> None:
    text, csv = chronyc.parse_sources("210 Number of sources = 6\n" + SOURCES), chronyc.parse_sources(SOURCES_CSV)

    assert len(text) == 6
    for one, two in zip(text, csv):
        assert one[:5] == two[:5]
        assert one[5:] == pytest.approx(two[5:])
    assert [source.state for source in text] == [
        *("falseticker", "selected", "candidate", "unusable", "outlier", "jittery"),
    ]
    assert text[2] == TimeSource("PHC0", "refclock", "candidate", 2, 255, pytest.approx(345e-9), pytest.approx(11e-6))


def test_sources_without_the_column_of_reach_are_read() -> None:
    # chrony 1.24
    found = chronyc.parse_sources("^* 10.77.0.2                       2    6    34   -46us[  -57us] +/-   12ms\n")

    assert found == (
        TimeSource("10.77.0.2", "server", "selected", 2, None, pytest.approx(-46e-6), pytest.approx(0.012)),
    )


@given(
    st.text()
    | st.lists(st.sampled_from([*SOURCES.split("\n"), *TRACKING.split("\n"), ",", "x,", "^,*"])).map("\n".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    chronyc.parse_sources(text)
    try:
        found = chronyc.parse_tracking(text)
    except MalformedError:
        return
    assert found.leap in (None, "normal", "insert", "delete", "unset")


@given(st.integers(0, len(TRACKING)))
def test_a_truncated_answer_never_counts_as_synchronised(length: int) -> None:
    try:
        found = chronyc.parse_tracking(TRACKING[:length])
    except MalformedError:
        return
    assert length >= len(TRACKING) - 1 or found.is_synchronised is None
