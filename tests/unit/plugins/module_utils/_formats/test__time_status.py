# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import _time_status as time_status
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-0.5", -0.5),
        ("+.5", 0.5),
        (" 3. ", 3.0),
        ("1e-3", 0.001),
        ("", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_a_number_is_a_decimal_one(text: str, value: t.Optional[float]) -> None:
    assert time_status.number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-46us", -46e-6),
        ("+2293ns", 2293e-9),
        ("-120.0s", -120.0),
        ("1min 4s", 64.0),
        ("34min 8.500s", 2048.5),
        ("12µs", 12e-6),
        ("0", 0.0),
        ("5", None),
        ("", None),
        ("1 fortnight", None),
        ("1s x", None),
        ("x 1s", None),
    ],
)
def test_a_span_has_its_unit(text: str, value: t.Optional[float]) -> None:
    assert time_status.seconds(text) == (None if value is None else pytest.approx(value))


@pytest.mark.parametrize(
    ("text", "base", "value"), [("377", 8, 255), ("378", 8, None), ("12", 10, 12), ("-1", 10, None)]
)
def test_a_whole_number_is_in_its_base(text: str, base: int, value: t.Optional[int]) -> None:
    assert time_status.integer(text, base) == value


def test_what_is_not_known_has_no_sign_and_no_scale() -> None:
    assert time_status.negated(None) is None
    assert time_status.scaled(None, 2.0) is None
    assert str(time_status.negated(0.0)) == "0.0"


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_none(text: str) -> None:
    for read in (time_status.number, time_status.seconds):
        value = read(text)
        assert value is None or abs(value) < 1e127
    for base in (8, 10):
        assert (time_status.integer(text, base) or 0) >= 0
