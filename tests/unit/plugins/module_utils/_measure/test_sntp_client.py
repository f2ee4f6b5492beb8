# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._measure import sntp_client
from ansible_collections.rehost.hyperv.plugins.module_utils._measure.sntp_client import NtpServers
from ansible_collections.rehost.hyperv.tests.unit.ntp_server import Answering, Server, answer, serving

SECOND = 1_000_000_000


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Callable[..., Server]]:
    with serving(monkeypatch) as start:
        yield start


def test_a_server_is_compared_with_the_clock(serve: t.Callable[..., Server]) -> None:
    serve("127.0.0.1", lambda request: (answer(request, ahead=120.0),))
    with NtpServers(["127.0.0.1"]) as servers:
        servers.ask()
        servers.ask()
        (found,) = servers.series()

    assert len(found.samples) == 2
    for sample in found.samples:
        assert abs(sample.reference - sample.at.system - 120 * SECOND) <= sample.error
        assert 0 < sample.error < SECOND
    assert (found.stratum, found.leap, found.asked, found.refused) == (2, "normal", 2, ())


def test_several_servers_are_asked_at_once(serve: t.Callable[..., Server]) -> None:
    for address in ("127.0.0.1", "127.0.0.2", "::1"):
        serve(address)
    with NtpServers(["127.0.0.1", "127.0.0.2", "::1"]) as servers:
        begin = time.monotonic()
        servers.ask()
        assert time.monotonic() - begin < sntp_client.PATIENCE
        assert [len(series.samples) for series in servers.series()] == [1, 1, 1]


def test_nobody_waits_long_for_the_silent(serve: t.Callable[..., Server]) -> None:
    serve("127.0.0.1", lambda request: ())
    with NtpServers(["127.0.0.1"]) as servers:
        begin = time.monotonic()
        for _round in range(8):
            servers.ask()
        passed = time.monotonic() - begin
        (found,) = servers.series()

    assert passed < 2 * sntp_client.PATIENCE + 1
    assert (found.samples, found.asked, found.refused) == ((), 8, ())


def test_a_closed_port_is_told_at_once(serve: t.Callable[..., Server]) -> None:
    with NtpServers(["127.0.0.1"]) as servers:
        begin = time.monotonic()
        servers.ask()
        passed = time.monotonic() - begin
        (found,) = servers.series()

    assert passed < sntp_client.PATIENCE
    assert found.refused[0][0] == "unreachable"
    assert "no NTP server on it" in found.refused[0][1]


@pytest.mark.parametrize(
    ("answering", "kind"),
    [
        (lambda request: (answer(request, stratum=0),), "kiss-of-death"),
        (lambda request: (answer(request, leap=3),), "unsynchronised"),
        (lambda request: (answer(request, mode=3),), "mode"),
        (lambda request: (answer(request, dispersion=16 << 16),), "root-distance"),
        (lambda request: (answer(request, origin=b"attacker"),), "foreign"),
        (lambda request: (b"x" * 5000,), "foreign"),
        (lambda request: (b"",), "foreign"),
        (lambda request: (request,), "foreign"),
    ],
)
def test_an_answer_that_must_not_be_believed_is_no_sample(
    answering: Answering, kind: str, serve: t.Callable[..., Server]
) -> None:
    serve("127.0.0.1", answering)
    with NtpServers(["127.0.0.1"]) as servers:
        servers.ask()
        (found,) = servers.series()

    assert found.samples == ()
    assert [refused for refused, _message in found.refused] == [kind]


def test_who_was_told_off_does_not_ask_again(serve: t.Callable[..., Server]) -> None:
    server = serve("127.0.0.1", lambda request: (answer(request, stratum=0),))
    with NtpServers(["127.0.0.1"]) as servers:
        for _round in range(4):
            servers.ask()
        (found,) = servers.series()

    assert (server.asked, found.asked) == (1, 1)


def test_a_true_answer_behind_false_ones_is_taken(serve: t.Callable[..., Server]) -> None:
    serve("127.0.0.1", lambda request: (answer(request, origin=b"attacker", ahead=99.0), answer(request)))
    with NtpServers(["127.0.0.1"]) as servers:
        servers.ask()
        (found,) = servers.series()

    assert len(found.samples) == 1
    assert abs(found.samples[0].reference - found.samples[0].at.system) < SECOND
    assert [kind for kind, _message in found.refused] == ["foreign"]


def test_an_answer_that_comes_twice_counts_once(serve: t.Callable[..., Server]) -> None:
    serve("127.0.0.1", lambda request: (answer(request), answer(request, ahead=50.0)))
    with NtpServers(["127.0.0.1"]) as servers:
        for _round in range(3):
            servers.ask()
        (found,) = servers.series()

    assert len(found.samples) == 3
    assert all(abs(sample.reference - sample.at.system) < SECOND for sample in found.samples)


def test_names_are_looked_up(serve: t.Callable[..., Server]) -> None:
    assert sntp_client._address("192.0.2.1") == "192.0.2.1"
    assert sntp_client._address("2001:db8::1") == "2001:db8::1"
    assert sntp_client._address("localhost") in ("127.0.0.1", "::1")
    assert sntp_client._address("--help") is None
    assert sntp_client._address("no-such-name.invalid") is None


def test_a_name_that_nobody_knows_is_told() -> None:
    with NtpServers(["no-such-name.invalid"]) as servers:
        servers.ask()
        (found,) = servers.series()

    assert found.refused == (("unknown-name", "no address is known for no-such-name.invalid"),)
