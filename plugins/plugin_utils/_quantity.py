# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as a person reads them: with a unit, a sign, and no more digits than their uncertainty leaves."""

from __future__ import annotations

import math
import typing as t

MINUS = "\N{MINUS SIGN}"
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "\N{MICRO SIGN}s"), (1e-9, "ns"))
_SMALLEST_DECIMALS = 9  # of a second: what the kernel counts


class Unit(t.NamedTuple):
    """C(size) of one, in seconds."""

    size: float
    name: str


PPM = Unit(1.0, "ppm")


def time_unit(largest: float) -> Unit:
    """The unit in which seconds of that size have one to three digits before the point; from a second on, seconds."""
    for size, name in _TIMES:
        if abs(largest) >= size * 0.9995:
            return Unit(size, name)
    return Unit(*_TIMES[-1])


def seconds(value: float, uncertainty: float | None = None) -> str:
    """Such as C(-1.2 +/- 0.3 ms), with the signs that print has for it."""
    return quantity(value, uncertainty, time_unit(max(abs(value), uncertainty or 0.0)))


def ppm(value: float, uncertainty: float | None = None) -> str:
    return quantity(value, uncertainty, PPM)


def quantity(value: float, uncertainty: float | None, unit: Unit) -> str:
    """The value with its sign and, where it is known, its uncertainty, both to the digit that the latter leaves."""
    shown, spread = value / unit.size, None if uncertainty is None else uncertainty / unit.size
    decimals = _decimals(spread) if spread else _decimals(abs(shown) / 100)
    text = fixed(shown, decimals, sign=True)
    if spread is None:
        return f"{text} {unit.name}"
    return f"{text} \N{PLUS-MINUS SIGN} {fixed(spread, decimals)} {unit.name}"


def fixed(value: float, decimals: int, *, sign: bool = False) -> str:
    """With a minus sign that is as wide as a plus, and none before what is zero as it is shown."""
    text = f"{abs(value):.{decimals}f}"
    if not float(text):
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def _decimals(spread: float) -> int:
    """Those that show one significant digit of it, or two when the first is a 1 or a 2."""
    if spread <= 0:
        return 0
    if spread < 10**-_SMALLEST_DECIMALS:
        return _SMALLEST_DECIMALS
    exponent = math.floor(math.log10(spread))
    first = spread / 10**exponent
    return max(0, min(_SMALLEST_DECIMALS, -exponent + (1 if first < 2.95 else 0)))
