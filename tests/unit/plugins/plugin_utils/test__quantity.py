# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _quantity
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("value", "uncertainty", "shown"),
    [
        (-0.0012, 0.0003, "−1.2 ± 0.3 ms"),
        (0.0021, 0.00012, "+2.10 ± 0.12 ms"),
        (180.40021, 0.0006, "+180.4002 ± 0.0006 s"),
        (4.2e-8, 1.3e-8, "+42 ± 13 ns"),
        (3e-7, 2e-6, "+0.3 ± 2.0 µs"),
        (-2e-5, 0.011, "0 ± 11 ms"),
        (0.9996, 0.01, "+1.000 ± 0.010 s"),
        (31_536_000.0, 40.0, "+31536000 ± 40 s"),
        (0.0, 0.0, "0 ± 0 ns"),
        (-90.0, None, "−90.0 s"),
        (0.00123, None, "+1.230 ms"),
    ],
)
def test_seconds_have_the_digits_that_their_uncertainty_leaves(value: float, uncertainty: float, shown: str) -> None:
    assert _quantity.seconds(value, uncertainty) == shown


@pytest.mark.parametrize(
    ("value", "uncertainty", "shown"),
    [
        (1998.24, 8.1, "+1998 ± 8 ppm"),
        (-0.004, 0.05, "0.00 ± 0.05 ppm"),
        (0.02, None, "+0.02000 ppm"),
        (12.3, 0.096, "+12.30 ± 0.10 ppm"),
    ],
)
def test_drift_is_told_in_ppm(value: float, uncertainty: float, shown: str) -> None:
    assert _quantity.ppm(value, uncertainty) == shown


@given(st.floats(-1e12, 1e12), st.one_of(st.none(), st.floats(0, 1e12)))
def test_every_number_can_be_told(value: float, uncertainty: float | None) -> None:
    text = _quantity.seconds(value, uncertainty)
    assert text.endswith("s")
    assert "e" not in text
    assert "−0 " not in text


@given(st.floats(1e-6, 1e5), st.floats(1e-9, 1e3))
def test_what_is_told_is_within_a_part_of_the_uncertainty(value: float, uncertainty: float) -> None:
    shown, _sign, rest = _quantity.seconds(value, uncertainty).partition(" ± ")
    size = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[rest.split()[1]]
    assert abs(float(shown) * size - value) <= uncertainty / 5 + 1e-15 + value * 1e-12
