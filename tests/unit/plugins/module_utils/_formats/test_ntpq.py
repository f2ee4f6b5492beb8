# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import ntpq
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._time_status import TimeSource
from hypothesis import given
from hypothesis import strategies as st

HEAD = """\
     remote           refid      st t when poll reach   delay   offset   jitter
===============================================================================
"""
# ntpsec 1.2.2
PEERS = (
    HEAD
    + """\
+10.77.0.1       127.127.1.1      5 u    6    8  377   0.0454   0.0125   0.0043
*10.77.0.2       127.127.1.1      5 u    5    8  377   0.0520  -0.0140   0.0038
 10.77.0.7       .INIT.          16 u    -   64    0   0.0000   0.0000   0.0001
x192.0.2.9       .GPS.            1 u   23   64   37    1.234 -120000.    2.000
 0.pool.example  .POOL.          16 p    -   64    0    0.000    0.000   0.000
o127.127.22.0    .PPS.            0 l    7   16  377    0.000   -0.001   0.001
"""
)
VARIABLES = """\
associd=0 status=0618 leap_none, sync_ntp, 1 event, no_sys_peer,
leap=00, stratum=6, precision=-24, rootdelay=0.052, rootdisp=1.075,
refid=10.77.0.2, reftime=eead814b.8464f794 2026-11-22T14:57:15.517Z, tc=3,
peer=17768, offset=0.017609, frequency=12.5, sys_jitter=0.001804,
clk_jitter=0.004008, clock=eead8150.c4e0580b 2026-11-22T14:57:20.769Z,
processor="x86_64", system="Linux/6.1, leap=11", version="ntpd ntpsec-1.2.2", clk_wander=0.0, mintc=0
"""
# of ntp 4.2.8, which prints the time with commas in it
CLASSIC = """\
associd=0 status=c016 leap_alarm, sync_unspec, 1 event, restart,
version="ntpd 4.2.8p10@1.3728-o Sun Feb 25 21:22:55 UTC 2018 (1)",
processor="x86_64", system="Linux/4.9.0-19-amd64", leap=11, stratum=16,
precision=-24, rootdelay=0.000, rootdisp=0.045, refid=INIT,
reftime=00000000.00000000  Thu, Feb  7 2036  6:28:16.000,
clock=eead8150.c4e0580b  Sun, Nov 22 2026 14:57:20.769, peer=0, tc=3,
mintc=3, offset=0.000000, frequency=0.000, sys_jitter=0.000000,
clk_jitter=0.000, clk_wander=0.000
"""


def test_peers_have_their_state_and_our_sign() -> None:
    found = ntpq.parse_peers(PEERS)

    assert [source.state for source in found] == [
        *("candidate", "selected", "unusable", "falseticker", "unusable", "selected"),
    ]
    assert found[1] == TimeSource(
        "10.77.0.2", "server", "selected", 5, 255, pytest.approx(14e-6), pytest.approx(3.8e-6)
    )
    assert found[3].offset == 120.0
    assert [source.kind for source in found] == ["server", "server", "server", "server", "other", "refclock"]


def test_a_long_address_takes_two_lines() -> None:
    text = (
        HEAD
        + "*2001:db8:77::1234:5678\n                 .GPS.            1 u   23   64  377    0.123   -0.456   0.789\n"
    )
    found = ntpq.parse_peers(text)

    assert [(source.name, source.state, source.stratum) for source in found] == [
        ("2001:db8:77::1234:5678", "selected", 1)
    ]


def test_variables_of_a_clock_that_follows() -> None:
    found = ntpq.parse_variables(VARIABLES)

    assert (found.is_synchronised, found.source, found.stratum, found.leap) == (True, "10.77.0.2", 6, "normal")
    assert found.offset == pytest.approx(-17.609e-6)
    assert found.frequency == -12.5
    assert (found.root_delay, found.root_dispersion) == (pytest.approx(52e-6), pytest.approx(1.075e-3))


def test_variables_of_a_clock_that_is_not_set() -> None:
    found = ntpq.parse_variables(CLASSIC)

    assert (found.is_synchronised, found.source, found.stratum, found.leap) == (False, None, None, "unset")


@pytest.mark.parametrize(
    ("before", "after"), [("leap=00", "leap=11"), ("stratum=6", "stratum=16"), ("refid=10.77.0.2", "refid=LOCL")]
)
def test_one_sign_is_enough_for_not_synchronised(before: str, after: str) -> None:
    assert ntpq.parse_variables(VARIABLES.replace(before, after)).is_synchronised is False


@pytest.mark.parametrize("text", ["", "***Request timed out\n", "ntpq: read: Connection refused\n", PEERS])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        ntpq.parse_variables(text)


@given(
    st.text()
    | st.lists(st.sampled_from([*PEERS.split("\n"), *VARIABLES.split("\n"), "*", "leap=", "stratum="])).map("\n".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    ntpq.parse_peers(text)
    try:
        ntpq.parse_variables(text)
    except MalformedError:
        return
    assert "leap" in text
