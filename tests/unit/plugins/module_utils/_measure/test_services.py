# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._time_status import TimeStatus
from ansible_collections.rehost.hyperv.plugins.module_utils._measure import programs, services

TRACKING_CSV = "0A4D0002,10.77.0.2,6,1795359292.6,0.001,0,0,0.276,0,1.5,0.1,0.2,1.0,Normal"
TRACKING = """\
Reference ID    : 0A4D0002 (10.77.0.2)
Stratum         : 6
System time     : 0.001 seconds slow of NTP time
Frequency       : 0.276 ppm fast
Root delay      : 0.1 seconds
Root dispersion : 0.2 seconds
Leap status     : Normal
"""
CHRONYC = (
    """\
case "$*" in
    "-c -n tracking") echo '%s' ;;
    "-c -n sources") echo '^,*,10.77.0.2,5,0,377,0,-0.000000413,-0.000001127,0.000006763' ;;
    *) exit 9 ;;
esac
"""
    % TRACKING_CSV
)
# chrony 1.30 takes -c for no option that it knows
OLD_CHRONYC = (
    """\
case "$*" in
    "-n tracking") cat <<END
%sEND
    ;;
    "-n sources") echo '^* 10.77.0.2     5   0   377   0    -413ns[-1127ns] +/- 6763ns' ;;
    *) echo "Unrecognized option -c" >&2; exit 1 ;;
esac
"""
    % TRACKING
)
NTPQ = """\
case "$*" in
    "-n -c rv") echo 'leap=00, stratum=6, refid=10.77.0.2, offset=-1.0, frequency=-0.276, rootdelay=9' ;;
    "-pn") echo '*10.77.0.2       127.127.1.1      5 u    5    8  377   0.0520   0.0140   0.0038' ;;
esac
"""
TIMEDATECTL = """\
case "$*" in
    "show") echo 'NTPSynchronized=yes' ;;
    "show-timesync --all") echo 'ServerAddress=10.77.0.2'; echo 'ServerName=x' ;;
esac
"""
OLD_TIMEDATECTL = """\
case "$*" in
    "status") echo 'NTP synchronized: yes' ;;
    *) echo "Unknown operation $1" >&2; exit 1 ;;
esac
"""
NTPCTL = "echo '1/1 peers valid, clock synced, stratum 6'"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> t.Callable[[str, str], None]:
    monkeypatch.setitem(programs._ENVIRONMENT, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("service", "program", "script"),
    [
        ("chrony", "chronyc", CHRONYC),
        ("chrony", "chronyc", OLD_CHRONYC),
        ("ntp", "ntpq", NTPQ),
        ("ntpsec", "ntpq", NTPQ),
        ("openntpd", "ntpctl", NTPCTL),
        ("systemd-timesyncd", "timedatectl", TIMEDATECTL),
        ("systemd-timesyncd", "timedatectl", OLD_TIMEDATECTL),
    ],
)
def test_every_service_is_asked_in_its_own_way(
    service: str, program: str, script: str, install: t.Callable[[str, str], None]
) -> None:
    install(program, script)
    found = services.ask(service)

    assert found.problem == ""
    assert found.status is not None
    assert found.status.is_synchronised is True
    if service in ("chrony", "ntp", "ntpsec"):
        assert (found.status.source, found.status.stratum) == ("10.77.0.2", 6)
        assert found.status.offset == pytest.approx(0.001 if service != "chrony" else -0.001)
        assert found.status.frequency == pytest.approx(0.276)
        assert [source.state for source in found.status.sources] == ["selected"]


@pytest.mark.parametrize(
    ("service", "program", "script", "problem"),
    [
        ("chrony", "chronyc", "echo '506 Cannot talk to daemon'; exit 1", "506 Cannot talk to daemon"),
        ("ntpsec", "ntpq", "echo '***Request timed out'", "Request timed out"),
        ("openntpd", "ntpctl", "echo 'ntpctl: connect: no socket' >&2; exit 1", "ntpctl: connect: no socket"),
        ("systemd-timesyncd", "timedatectl", "echo 'Failed to connect to bus' >&2; exit 1", "Failed to connect to bus"),
        ("chrony", "chronyc", "exit 0", "this is not the answer"),
    ],
)
def test_a_service_that_does_not_answer_says_why(
    service: str, program: str, script: str, problem: str, install: t.Callable[[str, str], None]
) -> None:
    install(program, script)
    found = services.ask(service)

    assert found.status is None
    assert problem in found.problem
    assert program in found.problem


def test_a_program_that_is_missing_is_named(install: t.Callable[[str, str], None]) -> None:
    assert services.ask("chrony").problem.endswith("chronyc is not installed")


def test_an_old_timedatectl_tells_no_server(install: t.Callable[[str, str], None]) -> None:
    install("timedatectl", OLD_TIMEDATECTL)

    assert services.ask("systemd-timesyncd").status == TimeStatus(is_synchronised=True)
