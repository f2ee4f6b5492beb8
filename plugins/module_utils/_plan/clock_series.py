# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a series of comparisons between the guest's clocks and a reference tells.

The system clock is set and slewed by a time service, also while it is measured, so that its distance from a reference
is no straight line. The clocksource (CLOCK_MONOTONIC_RAW) is neither: against a good reference it runs straight. So the
line is laid through reference minus clocksource, where the network's noise is, and what the system clock does is taken
from its distance to the clocksource, which is known without any network.

- The slope of that line is the frequency error of the clocksource. Its confidence is that of weighted least squares
  (95 %, by Student's distribution), with what the reference itself is known to waver by.
- Jumps in system minus steady clock are somebody setting the clock, exactly, as both are slewed alike.
- Jumps in reference minus clocksource are time that the guest did not live through (a pause, a saved state), or the
  reference being set. What was before the last of them is not used.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t

if t.TYPE_CHECKING:
    from .._measure.model import Measurement, Reading, ReferenceSeries, Sample

_SECOND = 1e9
LEAST_STEP = 0.000_2  # seconds; less is not told from the time that reading the clocks takes
LEAST_GAP = 0.05  # seconds
_LEAST_FOR_LINE = 4  # samples
_SHORTEST_LINE = 1.0  # seconds
_LEAST_AGES = 1.5  # in less, the host may have told its time at the ends only, and what it gained meanwhile is not seen
_USUAL_DRIFT = 500e-6  # of a clocksource of which nothing is known: seconds that it is off in a second of true time
_WORST_DRIFT = 0.05  # that a clocksource is believed to have before its jumps are called gaps
_NOISE = 1e-6  # seconds; no sample is trusted more than this
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11)
"""Two-sided 95 % quantiles of Student's distribution for 1, 2, 3 ... degrees of freedom; 2.0 is near enough beyond."""


class Event(t.NamedTuple):
    """Something that happened to a clock: C(at) in seconds since 1970, C(amount) in seconds."""

    kind: str  # clock-set, leap-second or gap
    at: float
    amount: float  # by which the clock was set forward, or which the guest missed
    reference: str | None = None  # against which a gap was seen


@dataclasses.dataclass(frozen=True)
class Estimate:
    """How the guest's clock stands against one reference, at the end of the interval. Seconds and ppm.

    Offset and drift are positive when the system clock is ahead, or gains. Uncertainties are to both sides; that of
    the offset holds as long as the reference does not lie about its own error.
    """

    name: str
    kind: str
    offset: float
    uncertainty: float
    drift: float | None  # of the system clock, as it is kept
    drift_uncertainty: float | None
    frequency_error: float | None  # of the clocksource, as it runs by itself; positive: it is fast
    samples: int
    delay: float  # the shortest way there and back
    course: tuple[tuple[float, float, float], ...]  # time, offset and uncertainty of each sample


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Which references agree with each other. Without a majority nobody knows which of them are right."""

    trusted: tuple[str, ...]
    falsetickers: tuple[str, ...]
    has_majority: bool


def steps(measurement: Measurement) -> tuple[Event, ...]:
    """When the system clock was set, and by how much."""
    found = []
    is_leaping = _is_leaping(measurement)
    for one, two in zip(measurement.readings, measurement.readings[1:]):
        amount = ((two.system - two.steady) - (one.system - one.steady)) / _SECOND
        if abs(amount) > LEAST_STEP + (one.width + two.width) / _SECOND:
            is_leap = is_leaping and abs(abs(amount) - 1) < 0.01
            found.append(Event("leap-second" if is_leap else "clock-set", two.system / _SECOND, amount))
    return tuple(found)


def gaps(series: ReferenceSeries) -> tuple[Event, ...]:
    """Where the reference went on, and the guest's clocksource did not, or the reference was set."""
    return tuple([event for _index, event in _gaps(series)])


def estimate(series: ReferenceSeries, readings: t.Sequence[Reading]) -> Estimate | None:
    """None when the reference never answered."""
    if not series.samples or not readings:
        return None
    found = _gaps(series)
    samples = series.samples[found[-1][0] + 1 if found else 0 :]
    end = readings[-1]
    age = series.age / _SECOND
    line = _line(samples, max(_SHORTEST_LINE, _LEAST_AGES * age))
    # between two words of the host its clock wavers by what the clocksource is wrong in that time
    spread = None if line is None else line.slope_spread + 2 * line.error * age / line.length
    wavering = age * (_USUAL_DRIFT if line is None or spread is None else abs(line.slope) + spread)
    if line is not None:
        behind = line.at(_raw(end, samples[0]))
        uncertainty = line.bound(_raw(end, samples[0]), samples)
    else:
        best = min(samples, key=lambda sample: sample.error)
        behind = _behind(best, samples[0])
        passed = abs(_raw(end, samples[0]) - _raw(best.at, samples[0])) / (1 - _USUAL_DRIFT)
        uncertainty = best.error / _SECOND + passed * _USUAL_DRIFT
    origin = samples[0].at
    ahead = ((end.system - end.raw) - (origin.system - origin.raw)) / _SECOND
    offset = ahead - behind + (origin.system - samples[0].reference) / _SECOND
    drift = _drift(line, readings, samples)
    return Estimate(
        name=series.name,
        kind=series.kind,
        offset=offset,
        uncertainty=uncertainty + series.root_error / _SECOND + wavering + end.width / _SECOND,
        drift=drift,
        drift_uncertainty=None if drift is None or spread is None else spread * 1e6,
        frequency_error=None if line is None else -line.slope / (1 + line.slope) * 1e6,
        samples=len(samples),
        delay=2 * min(sample.error for sample in samples) / _SECOND,
        course=tuple(
            [
                (
                    sample.at.system / _SECOND,
                    (sample.at.system - sample.reference) / _SECOND,
                    (sample.error + series.root_error) / _SECOND,
                )
                for sample in series.samples
            ]
        ),
    )


def agree(estimates: t.Sequence[Estimate]) -> Agreement:
    """Marzullo's algorithm: the time at which most of the intervals that the references allow overlap."""
    if not estimates:
        return Agreement((), (), has_majority=False)
    bounds = [(one.offset - one.uncertainty, one.offset + one.uncertainty) for one in estimates]
    # of overlaps of the same number the narrowest: its ends are ends of intervals
    best: tuple[int, float, list[int]] = (0, 0.0, [])
    for low, _high in bounds:
        inside = [index for index, (other_low, other_high) in enumerate(bounds) if other_low <= low <= other_high]
        width = min(bounds[index][1] for index in inside) - low
        if (len(inside), -width) > (best[0], -best[1]):
            best = (len(inside), width, inside)
    trusted = tuple([estimates[index].name for index in best[2]])
    false = tuple([one.name for index, one in enumerate(estimates) if index not in best[2]])
    return Agreement(trusted, false, has_majority=2 * len(trusted) > len(estimates))


class _Line(t.NamedTuple):
    """Seconds by which the reference gains on the clocksource, over the seconds of the clocksource since a start."""

    mean_x: float
    mean_y: float
    slope: float
    slope_spread: float
    length: float
    square: float  # weighted, of the distances from the mean

    @property
    def error(self) -> float:
        """How wrong the clocksource's frequency may be."""
        return abs(self.slope) + self.slope_spread

    def at(self, x: float) -> float:
        return self.mean_y + self.slope * (x - self.mean_x)

    def bound(self, x: float, samples: t.Sequence[Sample]) -> float:
        """What the line may be wrong by at most, if each sample is wrong by its error, in whichever direction is worst:
        packets may all take longer on the same half of their way, which their scatter does not show."""
        total = sum(_weight(sample) for sample in samples)
        return sum(
            _weight(sample)
            * abs(1 / total + (_raw(sample.at, samples[0]) - self.mean_x) * (x - self.mean_x) / self.square)
            * sample.error
            / _SECOND
            for sample in samples
        )


def _line(samples: t.Sequence[Sample], shortest: float) -> _Line | None:
    """Weighted least squares: what took long on its way counts little. None for fewer seconds than that."""
    points = [(_raw(sample.at, samples[0]), _behind(sample, samples[0])) for sample in samples]
    length = points[-1][0] - points[0][0]
    if len(points) < _LEAST_FOR_LINE or length < shortest:
        return None
    weights = [_weight(sample) for sample in samples]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _y) in zip(weights, points)) / total
    mean_y = sum(w * y for w, (_x, y) in zip(weights, points)) / total
    square = sum(w * (x - mean_x) ** 2 for w, (x, _y) in zip(weights, points))
    if square <= 0.0:
        return None
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points)) / square
    if slope <= -1.0:
        return None  # a reference that stands still, or goes backwards
    rest = sum(w * (y - mean_y - slope * (x - mean_x)) ** 2 for w, (x, y) in zip(weights, points)) / (len(points) - 2)
    # a few good samples among many bad ones leave less freedom than their number says (Kish's effective size)
    effective = max(1, round(total * total / sum(w * w for w in weights)) - 2)
    quantile = _STUDENT[effective - 1] if effective <= len(_STUDENT) else 2.0
    return _Line(
        mean_x,
        mean_y,
        slope,
        quantile * math.sqrt(rest / square) + 2 * _NOISE / length,
        length,
        square,
    )


def _weight(sample: Sample) -> float:
    return (sample.error / _SECOND + _NOISE) ** -2


def _drift(line: _Line | None, readings: t.Sequence[Reading], samples: t.Sequence[Sample]) -> float | None:
    """ppm by which the system clock gains on the reference, since it was last set."""
    if line is None:
        return None
    first = 0
    for index in range(1, len(readings)):
        one, two = readings[index - 1], readings[index]
        jump = abs((two.system - two.steady) - (one.system - one.steady)) / _SECOND
        if jump > LEAST_STEP + (one.width + two.width) / _SECOND or two.raw <= samples[0].at.raw:
            first = index
    begin, end = readings[first], readings[-1]
    passed = (end.raw - begin.raw) / _SECOND
    if passed < _SHORTEST_LINE:
        return None
    slewed = ((end.system - end.raw) - (begin.system - begin.raw)) / _SECOND / passed
    return (slewed - line.slope) / (1 + line.slope) * 1e6


def _gaps(series: ReferenceSeries) -> list[tuple[int, Event]]:
    """Each with the index of the last sample before it."""
    samples = series.samples
    pairs = []
    for one, two in zip(samples, samples[1:]):
        passed = (two.at.raw - one.at.raw) / _SECOND
        gained = ((two.reference - one.reference) - (two.at.raw - one.at.raw)) / _SECOND
        pairs.append((passed, gained, 3 * (one.error + two.error) / _SECOND, two))
    slopes = sorted(gained / passed for passed, gained, _error, _sample in pairs if passed > 0)
    is_known = len(slopes) >= _LEAST_FOR_LINE
    usual = slopes[len(slopes) // 2] if is_known else 0.0
    usual = max(-_WORST_DRIFT, min(usual, _WORST_DRIFT))
    found = []
    for index, (passed, gained, error, sample) in enumerate(pairs):
        amount = gained - usual * passed
        if abs(amount) > LEAST_GAP + error + (0.0 if is_known else _WORST_DRIFT * abs(passed)):
            found.append((index, Event("gap", sample.reference / _SECOND, amount, series.name)))
    return found


def _is_leaping(measurement: Measurement) -> bool:
    leaps = [series.leap for series in measurement.references]
    if measurement.kernel is not None:
        leaps.append(measurement.kernel.leap)
    return any(leap not in (None, "normal") for leap in leaps)


def _raw(reading: Reading, first: Sample) -> float:
    return (reading.raw - first.at.raw) / _SECOND


def _behind(sample: Sample, first: Sample) -> float:
    """Seconds by which the reference gained on the clocksource since the first sample."""
    return ((sample.reference - sample.at.raw) - (first.reference - first.at.raw)) / _SECOND
