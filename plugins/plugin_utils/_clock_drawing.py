# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawings of clocks as SVG: elements that stand in a page, coloured by the classes of its style sheet."""

from __future__ import annotations

import html
import math
import typing as t

from ._quantity import Unit, fixed, ppm, seconds, time_unit

if t.TYPE_CHECKING:
    from ._clock_figures import Course, History, Moment, Point

MOST_POINTS = 60  # drawn of one course; more of them are put together
LARGEST_CORRECTION = 500.0  # ppm, which NTP can correct
_LEAST_DRIFT = 0.01  # ppm; a scale finer than that shows nothing
_LINEAR_UP_TO = 10.0  # ppm; beyond, the scale of drift is logarithmic
_MOST_BARS = 30  # points of a course, each of which has a bar beside the band
_FINEST_SHARE = 1 / 8  # of the height of a common scale, below which a measurement gets one of its own

_WIDTH, _HEIGHT = 440, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 14, 46, 44
_ROW = 30


class Scale(t.NamedTuple):
    """Offsets from C(low) to C(high), in seconds, which are told in C(unit) from C(base) on."""

    low: float
    high: float
    ticks: tuple[float, ...]
    unit: Unit
    base: float
    decimals: int

    @property
    def title(self) -> str:
        if not self.base:
            return f"offset, {self.unit.name}"
        sign = "+" if self.base < 0 else "\N{MINUS SIGN}"
        return f"offset {sign} {fixed(abs(self.base), 6)} s, in {self.unit.name}"

    def label(self, tick: float) -> str:
        return fixed((tick - self.base) / self.unit.size, self.decimals)


def escape(text: str) -> str:
    """Text as it may stand in an element or an attribute, of HTML and of XML."""
    return html.escape(text, quote=True)


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def drawn_points(course: Course) -> tuple[Point, ...]:
    """The points as they are drawn: neighbours put together where there are many. Then each stands where the middle one
    of them stands, and its uncertainty covers all of them."""
    points = course.points
    if len(points) <= MOST_POINTS:
        return points
    size = -(-len(points) // MOST_POINTS)
    found = []
    for first in range(0, len(points), size):
        group = points[first : first + size]
        middle = group[len(group) // 2]
        reach = max(abs(point.offset - middle.offset) + point.uncertainty for point in group)
        found.append(middle._replace(uncertainty=reach))
    return tuple(found)


def scales(moments: t.Sequence[Moment]) -> list[Scale | None]:
    """For each measurement its scale of offsets; the same for all, unless one of them would be too flat to be read.
    None where nothing was measured."""
    ranges = [_range(moment) for moment in moments]
    known = [one for one in ranges if one is not None]
    if not known:
        return [None for _moment in moments]
    low, high = min(one[0] for one in known), max(one[1] for one in known)
    is_common = all(one[1] - one[0] >= _FINEST_SHARE * (high - low) for one in known)
    common = _scale(low, high)
    return [None if one is None else common if is_common else _scale(*one) for one in ranges]


def offset_drawing(moment: Moment, scale: Scale, name: str) -> str:
    """Offset over time with its uncertainty; C(name) is unique in the page."""
    record = moment.record
    length = moment.length or 1.0
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def x(at: float) -> float:
        return _LEFT + (right - _LEFT) * at / length

    def y(offset: float) -> float:
        return bottom - (bottom - _TOP) * (offset - scale.low) / (scale.high - scale.low)

    parts = []
    for tick in scale.ticks:
        kind = "zero" if abs(tick) < (scale.high - scale.low) / 1e6 else "grid"
        parts.append(_line(_LEFT, y(tick), right, y(tick), kind))
        parts.append(_text(_LEFT - 6, y(tick) + 4, scale.label(tick), "tick end"))
    for tick, label in _time_ticks(length):
        parts.append(_line(x(tick), bottom, x(tick), bottom + 4, "axis"))
        parts.append(_text(x(tick), bottom + 17, label, "tick middle"))
    parts.append(_line(_LEFT, bottom, right, bottom, "axis"))
    parts.append(_text(8, 16, scale.title, "name"))
    clock = f"seconds by the clock of {shorten(moment.axis[0], 34)}" if moment.axis else "seconds by each reference"
    parts.append(_text((_LEFT + right) / 2, _HEIGHT - 8, clock, "name middle"))
    for number, course in reversed(list(enumerate(moment.courses))):
        parts.extend(_course(moment, course, x, y, is_main=number == 0))
    for number, mark in enumerate(moment.marks, 1):
        parts.append(_line(x(mark.at), _TOP - 8, x(mark.at), bottom, "event"))
        # neighbours stand on different lines, so that they can be told apart
        parts.append(_badge(x(mark.at), _TOP - 16 + (number % 2) * 10, str(number)))
    title = f"Offset of the clock of {record.host} over time, {record.label}, {record.taken}"
    return _svg(name, (_WIDTH, _HEIGHT), title, describe_offset(moment), parts)


def describe_offset(moment: Moment) -> str:
    record = moment.record
    if not moment.courses:
        return "Nothing was measured."
    parts = [
        f"{len(course.points)} comparisons with {course.reference} over {fixed(moment.length, 1)} s, offset from "
        f"{seconds(course.points[0].offset, course.points[0].uncertainty)} to "
        f"{seconds(course.points[-1].offset, course.points[-1].uncertainty)}"
        for course in moment.courses[:1]
    ]
    if record.offset is not None:
        parts.append(f"at the end {seconds(record.offset, record.offset_uncertainty)}")
    return "; ".join([*parts, *(event_words(mark.event.kind, mark.event.amount) for mark in moment.marks)]) + "."


def event_words(kind: str, amount: float) -> str:
    if kind == "gap":
        return f"the guest missed {seconds(amount).lstrip('+')}, or the reference was set"
    words = {"clock-set": "the clock was set by", "leap-second": "leap second of"}
    return f"{words.get(kind, kind)} {seconds(amount)}"


def drift_drawing(history: History, name: str) -> str:
    """The drift of each measurement with its confidence, on one scale, and what the clocksource does by itself."""
    records = [moment.record for moment in history.moments]
    reaches = [abs(one.drift) + (one.drift_uncertainty or 0.0) for one in records if one.drift is not None]
    reaches += [abs(one.frequency_error) for one in records if one.frequency_error is not None]
    largest = max([_LEAST_DRIFT, *reaches])
    is_linear = largest <= _LINEAR_UP_TO
    width, left, right, top = 900, 190, 660, 40
    bottom = top + _ROW * len(records)

    def place(value: float) -> float:
        if is_linear or abs(value) <= 1:
            return value
        return math.copysign(1 + math.log10(abs(value)), value)

    if is_linear:
        step = _step(2 * largest, 6)
        edge = math.ceil(largest / step - 1e-9) * step
        count = round(edge / step)
        ticks = [index * step for index in range(-count, count + 1)]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    else:
        edge, decimals = largest * 1.1, 0
        powers = [10.0**index for index in range(math.floor(math.log10(edge)) + 1)]
        ticks = [*(-power for power in reversed(powers)), 0.0, *powers]
    half = place(edge)

    def x(value: float) -> float:
        return left + (right - left) * (place(value) / half + 1) / 2

    parts = []
    for tick in ticks:
        parts.append(_line(x(tick), top - 4, x(tick), bottom, "grid" if tick else "zero"))
        parts.append(_text(x(tick), top - 10, fixed(tick, decimals, sign=True), "tick middle"))
    scale = "drift, ppm" if is_linear else "drift, ppm; logarithmic beyond \N{PLUS-MINUS SIGN}1"
    parts.append(_text(8, 14, scale, "name"))
    if edge >= LARGEST_CORRECTION:
        for limit in (-LARGEST_CORRECTION, LARGEST_CORRECTION):
            parts.append(_line(x(limit), top - 4, x(limit), bottom, "limit"))
    told = []
    for index, record in enumerate(records):
        middle = top + _ROW * (index + 0.5)
        parts.append(_text(8, middle + 4, f"{index + 1}  {shorten(record.label, 22)}", "row"))
        if record.frequency_error is not None:
            parts.append(_diamond(x(record.frequency_error), middle))
        if record.drift is None:
            parts.append(_text(right + 16, middle + 4, "not measured", "tick"))
            continue
        spread = record.drift_uncertainty or 0.0
        ends = [max(left, min(x(value), right)) for value in (record.drift - spread, record.drift + spread)]
        parts.append(
            f'<rect class="confidence" x="{ends[0]:.1f}" y="{middle - 4:.1f}" width="{ends[1] - ends[0]:.1f}" '
            'height="8" rx="1"/>'
        )
        parts.extend(_line(end, middle - 7, end, middle + 7, "bar") for end in ends)
        parts.append(f'<circle class="main" cx="{x(record.drift):.1f}" cy="{middle:.1f}" r="4"/>')
        parts.append(_text(right + 16, middle + 4, ppm(record.drift, record.drift_uncertainty), "row"))
        told.append(f"{record.label}: {ppm(record.drift, record.drift_uncertainty)}")
    parts.append(_line(left, bottom, right, bottom, "axis"))
    title = f"Drift of the clock of {history.host} in each measurement"
    return _svg(name, (width, bottom + 10), title, "; ".join(told) or "No drift was measured.", parts)


def _course(
    moment: Moment, course: Course, x: t.Callable[[float], float], y: t.Callable[[float], float], *, is_main: bool
) -> t.Iterator[str]:
    points = drawn_points(course)
    if not is_main:
        for point in points:
            yield _triangle(x(point.at), y(point.offset))
        return
    for piece in _pieces(points, [mark.at for mark in moment.marks]):
        upper = [(x(point.at), y(point.offset + point.uncertainty)) for point in piece]
        lower = [(x(point.at), y(point.offset - point.uncertainty)) for point in reversed(piece)]
        if len(piece) > 1:
            yield f'<polygon class="band" points="{_path([*upper, *lower])}"/>'
            yield f'<polyline class="course" points="{_path([(x(one.at), y(one.offset)) for one in piece])}"/>'
        for point, (across, high), (_same, low) in zip(piece, upper, reversed(lower)):
            if len(points) <= _MOST_BARS:
                yield _line(across, high, across, low, "bar")
            yield f'<circle class="main" cx="{across:.1f}" cy="{y(point.offset):.1f}" r="2.6"/>'


def _pieces(points: t.Sequence[Point], breaks: t.Sequence[float]) -> list[list[Point]]:
    """What lies between the events, as nothing is known of how the clock went from one to the next."""
    pieces: list[list[Point]] = []
    for point in points:
        if not pieces or any(pieces[-1][-1].at < at <= point.at + 1e-3 for at in breaks):
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _range(moment: Moment) -> tuple[float, float] | None:
    """Lowest and highest offset that is drawn."""
    values: list[float] = []
    for number, course in enumerate(moment.courses):
        for point in drawn_points(course):
            spread = point.uncertainty if number == 0 else 0.0
            values.extend((point.offset - spread, point.offset + spread))
    return (min(values), max(values)) if values else None


def _scale(low: float, high: float) -> Scale:
    """Zero is on it, unless everything is far from it."""
    if low > 0 and low < 2 * (high - low):
        low = 0.0
    if high < 0 and -high < 2 * (high - low):
        high = 0.0
    least = max(1e-9, abs(high) * 1e-12, abs(low) * 1e-12)
    if high - low < least:
        low, high = low - least / 2, high + least / 2
    step = _step(high - low, 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple([index * step for index in range(first, last + 1)])
    far = max(abs(ticks[0]), abs(ticks[-1]))
    base = 0.0
    if far > 1000 * (ticks[-1] - ticks[0]):
        base = round(ticks[len(ticks) // 2], 6)
    unit = time_unit(max(abs(ticks[0] - base), abs(ticks[-1] - base)))
    decimals = max(0, -math.floor(math.log10(step / unit.size) + 1e-9))
    return Scale(ticks[0], ticks[-1], ticks, unit, base, decimals)


def _step(length: float, count: int) -> float:
    """The round number that divides a length into about so many parts."""
    rough = length / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _time_ticks(length: float) -> t.Iterator[tuple[float, str]]:
    step = _step(length, 5)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    for index in range(int(length / step + 1e-6) + 1):
        yield index * step, fixed(index * step, decimals)


def _svg(name: str, size: tuple[float, float], title: str, description: str, parts: t.Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {size[0]:g} {size[1]:g}" '
        f'aria-labelledby="{name}-title {name}-desc">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n<desc id="{name}-desc">{escape(description)}</desc>\n'
        + "\n".join(parts)
        + "\n</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _badge(x: float, y: float, text: str) -> str:
    return f'<circle class="badge" cx="{x:.1f}" cy="{y:.1f}" r="8"/>' + _text(x, y + 4, text, "number middle")


def _triangle(x: float, y: float) -> str:
    return f'<polygon class="other" points="{_path([(x, y - 3.5), (x + 3.2, y + 2.5), (x - 3.2, y + 2.5)])}"/>'


def _diamond(x: float, y: float) -> str:
    return f'<polygon class="itself" points="{_path([(x, y - 9), (x + 9, y), (x, y + 9), (x - 9, y)])}"/>'


def _path(points: t.Iterable[tuple[float, float]]) -> str:
    return " ".join([f"{x:.1f},{y:.1f}" for x, y in points])
