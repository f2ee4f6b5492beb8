# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import sntp
from hypothesis import given
from hypothesis import strategies as st

NONCE = b"\x11\x22\x33\x44\x55\x66\x77\x88"
NOW = 1_795_359_292_646_998_448
SECOND = 1_000_000_000


def answer(**changes: t.Any) -> bytes:
    """What a sound server of stratum 2 answers, but for the changes."""
    values: dict[str, t.Any] = {
        "leap": 0,
        "version": 4,
        "mode": 4,
        "stratum": 2,
        "precision": -24,
        "root_delay": 0.001,
        "root_dispersion": 0.002,
        "reference": b"\x0a\x4d\x00\x01",
        "origin": NONCE,
        "received": sntp.timestamp(NOW),
        "sent": sntp.timestamp(NOW + 50_000),
        **changes,
    }
    return struct.pack(
        "!BBbbII4s8s8s8s8s",
        values["leap"] << 6 | values["version"] << 3 | values["mode"],
        values["stratum"],
        6,
        values["precision"],
        int(values["root_delay"] * 65536),
        int(values["root_dispersion"] * 65536),
        values["reference"],
        sntp.timestamp(NOW - 10 * SECOND),
        values["origin"],
        values["received"],
        values["sent"],
    )


def test_a_request_shows_nothing_but_its_number() -> None:
    packet = sntp.request(NONCE)

    assert packet == b"\x23" + bytes(39) + NONCE


def test_a_sound_answer_is_read() -> None:
    found = sntp.parse(answer(), NONCE, NOW)

    assert (found.stratum, found.leap, found.reference) == (2, "normal", "10.77.0.1")
    assert abs(found.received - NOW) <= 1
    assert abs(found.sent - NOW - 50_000) <= 1
    assert abs(found.root_delay - 1_000_000) < 20_000
    assert abs(found.root_dispersion - 2_000_000) < 20_000
    assert found.precision == 59


def test_a_reference_of_stratum_1_has_a_name() -> None:
    assert sntp.parse(answer(stratum=1, reference=b"GPS\0"), NONCE, NOW).reference == "GPS"


@pytest.mark.parametrize(("bits", "leap"), [(1, "insert"), (2, "delete")])
def test_a_leap_second_to_come_is_told(bits: int, leap: str) -> None:
    assert sntp.parse(answer(leap=bits), NONCE, NOW).leap == leap


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"mode": 3}, "mode"),
        ({"mode": 5}, "mode"),
        ({"mode": 0}, "mode"),
        ({"stratum": 0, "reference": b"RATE"}, "kiss-of-death"),
        ({"stratum": 0, "reference": b"DENY", "leap": 3}, "kiss-of-death"),
        ({"leap": 3}, "unsynchronised"),
        ({"stratum": 16}, "unsynchronised"),
        ({"stratum": 255}, "unsynchronised"),
        ({"sent": bytes(8)}, "no-time"),
        ({"received": bytes(8)}, "no-time"),
        ({"sent": sntp.timestamp(NOW - SECOND)}, "backwards"),
        ({"root_dispersion": 16.0}, "root-distance"),
        ({"root_delay": 65535.0}, "root-distance"),
        ({"root_delay": 3.1}, "root-distance"),
    ],
)
def test_an_answer_that_must_not_be_believed_is_refused(changes: dict[str, t.Any], kind: str) -> None:
    with pytest.raises(sntp.RefusedError) as caught:
        sntp.parse(answer(**changes), NONCE, NOW)

    assert caught.value.kind == kind
    assert caught.value.is_final == (kind == "kiss-of-death")


def test_the_code_of_a_kiss_of_death_is_told() -> None:
    with pytest.raises(sntp.RefusedError, match="RATE"):
        sntp.parse(answer(stratum=0, reference=b"RATE"), NONCE, NOW)


@pytest.mark.parametrize(
    "packet",
    [b"", answer()[:47], answer(origin=bytes(8)), answer(origin=NONCE[::-1]), answer(stratum=0, origin=bytes(8))],
)
def test_what_does_not_answer_the_request_is_as_good_as_nothing(packet: bytes) -> None:
    with pytest.raises(sntp.ForeignError):
        sntp.parse(packet, NONCE, NOW)


def test_what_stands_behind_the_answer_is_no_matter() -> None:
    assert sntp.parse(answer() + b"extension field", NONCE, NOW) == sntp.parse(answer(), NONCE, NOW)


@given(st.integers(-(2**61), 2**62), st.integers(-(2**60), 2**60))
def test_times_of_all_eras_survive(instant: int, error: int) -> None:
    """Also of a guest whose own clock is wrong by years: up to 68 to both sides."""
    stamp = sntp.timestamp(instant)
    if not any(stamp):
        return  # means that there is no time
    found = sntp.parse(answer(received=stamp, sent=stamp), NONCE, instant + error)

    assert abs(found.sent - instant) <= 1


@given(st.binary(max_size=100) | st.binary(min_size=16, max_size=16).map(lambda head: head + answer()[16:]))
def test_any_packet_is_read_or_refused(packet: bytes) -> None:
    try:
        found = sntp.parse(packet, NONCE, NOW)
    except (sntp.ForeignError, sntp.RefusedError):
        return
    assert packet[24:32] == NONCE
    assert 0 < found.stratum < 16
    assert found.root_delay // 2 + found.root_dispersion <= sntp.MAX_ROOT_DISTANCE
    assert found.sent >= found.received
