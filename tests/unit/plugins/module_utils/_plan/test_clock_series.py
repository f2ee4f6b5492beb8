# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import random
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._measure.model import (
    KernelDiscipline,
    Measurement,
    Reading,
    ReferenceSeries,
    Sample,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import clock_series
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.clock_series import (
    Estimate,
    agree,
    estimate,
    gaps,
    steps,
)
from hypothesis import example, given
from hypothesis import strategies as st

SECOND = 1_000_000_000
START = 1_795_359_292 * SECOND


@dataclasses.dataclass
class World:
    """A guest whose clocks are known to the test: the true time is that of the references.

    fast: ppm by which the clocksource is fast. held: ppm by which the system clock gains, as a service keeps it.
    ahead: seconds by which the system clock is ahead at the start. sets: true second and amount of each time that the
    clock is set. pauses: true second and length of each time that the guest stands still.
    """

    fast: float = 0.0
    held: float = 0.0
    ahead: float = 0.0
    sets: t.Sequence[t.Tuple[float, float]] = ()
    pauses: t.Sequence[t.Tuple[float, float]] = ()

    def lived(self, now: float) -> float:
        """True seconds that the guest was running."""
        return now - sum(max(0.0, min(now, begin + length) - begin) for begin, length in self.pauses)

    def reading(self, now: float) -> Reading:
        lived = self.lived(now)
        slewed = round(lived * (1 + self.held * 1e-6) * SECOND)
        was_set = sum(amount for when, amount in self.sets if when <= now)
        return Reading(
            START + round((self.ahead + was_set) * SECOND) + slewed,
            7 * SECOND + slewed,
            3 * SECOND + round(lived * (1 + self.fast * 1e-6) * SECOND),
            500,
        )

    def offset(self, now: float) -> float:
        return (self.reading(now).system - START) / SECOND - now

    def series(
        self, times: t.Sequence[float], *, name: str = "server", wrong: float = 0.0, noise: float = 0.0, seed: int = 0
    ) -> ReferenceSeries:
        """wrong: seconds by which the reference is. noise: seconds that a packet takes at most, to each side."""
        chance = random.Random(seed)
        samples = []
        for now in times:
            there, back = chance.uniform(0, noise), chance.uniform(0, noise)
            seen = now + wrong + (there - back) / 2
            samples.append(Sample(self.reading(now), START + round(seen * SECOND), round((there + back) / 2 * SECOND)))
        return ReferenceSeries(name, "server", tuple(samples), asked=len(samples))

    def readings(self, end: float) -> t.Tuple[Reading, ...]:
        return tuple(self.reading(end * step / 25) for step in range(26))

    def estimate(self, end: float = 10.0, count: int = 8, **more: t.Any) -> Estimate:
        times = [end * index / (count - 1) for index in range(count)] if count > 1 else [end]
        found = estimate(self.series(times, **more), self.readings(end))
        assert found is not None
        return found


def measurement(world: World, end: float = 10.0, leap: str = "normal", **more: t.Any) -> Measurement:
    times = [end * index / 7 for index in range(8)]
    kernel = KernelDiscipline(is_synchronised=True, leap=leap, frequency=0.0, max_error=0)
    return Measurement(world.readings(end), (world.series(times, **more),), (), kernel)


WORLDS = st.builds(
    World,
    fast=st.floats(-2000, 2000),
    held=st.floats(-500, 500),
    ahead=st.floats(-1000, 1000),
)


@given(WORLDS, st.floats(0, 0.01), st.integers(0, 1000))
def test_the_offset_is_within_its_uncertainty(world: World, noise: float, seed: int) -> None:
    found = world.estimate(noise=noise, seed=seed)

    assert abs(found.offset - world.offset(10.0)) <= found.uncertainty


@given(
    WORLDS,
    st.lists(st.integers(10_000, 2_000_000), min_size=8, max_size=8),
    st.lists(st.sampled_from([1, -1]), min_size=8, max_size=8) | st.sampled_from([[1] * 8, [-1] * 8]),
)
@example(World(), [600_000] + [1_000_000] * 7, [1] * 8)
def test_the_offset_is_within_its_uncertainty_also_when_one_half_of_the_way_takes_all_the_time(
    world: World, errors: t.List[int], signs: t.List[int]
) -> None:
    samples = []
    for index, (error, sign) in enumerate(zip(errors, signs)):
        now = index * 10 / 7
        samples.append(Sample(world.reading(now), START + round(now * SECOND) + sign * error, error))

    found = estimate(ReferenceSeries("server", "server", tuple(samples), asked=8), world.readings(10.0))

    assert found is not None
    assert abs(found.offset - world.offset(10.0)) <= found.uncertainty


@given(WORLDS)
def test_without_noise_drift_and_frequency_are_exact(world: World) -> None:
    found = world.estimate()

    assert found.drift == pytest.approx(world.held, abs=0.5)
    assert found.frequency_error == pytest.approx(world.fast, abs=0.5)


def test_the_drift_is_within_its_uncertainty_as_often_as_it_says() -> None:
    world = World(fast=-40.0, held=3.0)
    estimates = [world.estimate(noise=0.002, seed=seed) for seed in range(400)]

    within = sum(abs((one.drift or 0.0) - world.held) <= (one.drift_uncertainty or 0.0) for one in estimates)

    assert within >= 0.93 * len(estimates)


@given(WORLDS, st.integers(1, 3))
@example(World(fast=-500.0, held=0.0, ahead=0.0), 2)
def test_few_samples_give_an_offset_and_no_drift(world: World, count: int) -> None:
    found = world.estimate(count=count)

    assert (found.drift, found.drift_uncertainty, found.frequency_error) == (None, None, None)
    # the clocksource may be wrong by what NTP can correct
    if abs(world.fast) <= 500:
        assert abs(found.offset - world.offset(10.0)) <= found.uncertainty


@given(WORLDS, st.floats(1, 8.4), st.floats(0.001, 500) | st.floats(-500, -0.001))
def test_a_clock_that_is_set_is_seen_to_be_and_measured_as_it_is_after_that(
    world: World, when: float, amount: float
) -> None:
    world = dataclasses.replace(world, sets=((when, amount),))
    found = world.estimate()
    events = steps(measurement(world))

    assert [event.kind for event in events] == ["clock-set"]
    assert events[0].amount == pytest.approx(amount, abs=1e-6)
    assert abs(found.offset - world.offset(10.0)) <= found.uncertainty
    assert found.drift == pytest.approx(world.held, abs=0.5)


def test_a_clock_that_is_only_slewed_is_not_seen_to_be_set() -> None:
    assert steps(measurement(World(fast=2000.0, held=-500.0))) == ()


@pytest.mark.parametrize(
    ("leap", "kind"), [("insert", "leap-second"), ("in-progress", "leap-second"), ("normal", "clock-set")]
)
def test_a_second_back_is_a_leap_second_when_one_is_due(leap: str, kind: str) -> None:
    events = steps(measurement(World(sets=((5.0, -1.0),)), leap=leap))

    assert [event.kind for event in events] == [kind]


@given(WORLDS, st.floats(2.2, 6.0), st.floats(1.0, 10_000.0))
def test_a_pause_is_seen_and_spoils_nothing(world: World, when: float, length: float) -> None:
    """Also when a service sets the clock right after it, within the same measurement."""
    world = dataclasses.replace(world, pauses=((when, length),), sets=((when + length + 0.01, length),))
    lived = [10.0 * index / 15 for index in range(16)]
    times = [now if now < when else now + length for now in lived]
    series = world.series(times)
    readings = tuple(world.reading(now) for now in times)
    found = estimate(series, readings)

    assert found is not None
    assert [event.amount for event in gaps(series)] == [pytest.approx(length, rel=0.01, abs=0.05)]
    assert abs(found.offset - world.offset(times[-1])) <= found.uncertainty
    assert found.drift is None or found.drift == pytest.approx(world.held, abs=0.5)
    assert found.samples < len(times)


@given(WORLDS, st.floats(0, 0.02), st.integers(0, 100))
def test_a_noisy_network_is_no_pause(world: World, noise: float, seed: int) -> None:
    assert gaps(world.series([index * 1.4 for index in range(8)], noise=noise, seed=seed)) == ()


def test_a_frequency_error_of_ten_percent_is_no_pause() -> None:
    assert gaps(World(fast=40_000.0).series([index * 1.4 for index in range(8)])) == ()


def test_what_the_host_says_seldom_is_less_certain_the_worse_the_clocksource_is() -> None:
    def uncertainty(fast: float, end: float) -> float:
        world = World(fast=fast)
        series = dataclasses.replace(world.series([index * end / 7 for index in range(8)]), age=5 * SECOND)
        found = estimate(series, world.readings(end))
        assert found is not None
        return found.uncertainty

    # 1.5 ms in five seconds, if the frequency is known; in ten seconds it is known to within itself
    assert uncertainty(300.0, 1000.0) == pytest.approx(0.0015, rel=0.05)
    assert uncertainty(300.0, 10.0) == pytest.approx(0.003, rel=0.05)
    assert uncertainty(1.0, 10.0) < 0.00002


def host_clock(world: World, end: float, phase: float, *, widest: float = 2e-5, seed: int = 0) -> ReferenceSeries:
    """What the guest reckons the time of the host to be, who tells it every five seconds and at that phase. C(widest):
    seconds that a sample may be wrong by at most; some are much better."""
    chance = random.Random(seed)
    samples = []
    for index in range(40):
        now = end * index / 39
        told = now - (now - phase) % 5.0
        at = world.reading(now)
        error = widest * chance.random() ** 4
        reference = START + round((told + chance.uniform(-error, error)) * SECOND) + at.raw - world.reading(told).raw
        samples.append(Sample(at, reference, round(error * SECOND)))
    return ReferenceSeries("/dev/ptp_hyperv", "phc", tuple(samples), root_error=100_000, age=5 * SECOND)


@given(
    st.one_of(
        st.tuples(st.floats(1.0, 7.0), st.floats(-500, 500)),
        st.tuples(st.floats(7.6, 60.0), st.floats(-5000, 5000)),
    ),
    st.floats(0.0, 5.0, exclude_max=True),
    st.floats(-500, 500),
    st.floats(-10, 10),
)
@example((5.2, 500.0), 0.1, 0.0, 0.0)  # the host tells the time once, and at the end of the interval
@example((4.0, 500.0), 4.5, 0.0, 0.0)  # never
@example((10.0, 2000.0), 0.0, 0.0, 0.0)
def test_what_is_told_of_the_host_clock_is_within_its_uncertainty(
    interval: t.Tuple[float, float], phase: float, held: float, ahead: float
) -> None:
    end, fast = interval
    world = World(fast=fast, held=held, ahead=ahead)

    found = estimate(host_clock(world, end, phase), world.readings(end))

    assert found is not None
    assert abs(found.offset - world.offset(end)) <= found.uncertainty
    if found.drift is not None:
        assert abs(found.drift - held) <= (found.drift_uncertainty or 0.0)
        assert abs((found.frequency_error or 0.0) - fast) <= (found.drift_uncertainty or 0.0)
    assert (found.drift is None) == (end < 7.5)


@given(
    st.floats(7.6, 30.0),
    st.floats(-5000, 5000),
    st.floats(0.0, 5.0, exclude_max=True),
    st.floats(1e-5, 1e-2),
    st.integers(0, 1000),
)
@example(8.9, 1675.0, 3.9, 0.005, 319)
def test_a_busy_guest_does_not_make_the_host_clock_seem_more_certain(
    end: float, fast: float, phase: float, widest: float, seed: int
) -> None:
    world = World(fast=fast)

    found = estimate(host_clock(world, end, phase, widest=widest, seed=seed), world.readings(end))

    assert found is not None
    assert abs(found.offset - world.offset(end)) <= found.uncertainty


def test_a_reference_that_never_answered_tells_nothing() -> None:
    assert estimate(ReferenceSeries("server", "server"), World().readings(1.0)) is None


def references(*differences: float, uncertainty: float = 0.01) -> t.List[Estimate]:
    return [
        Estimate(f"s{index}", "server", offset, uncertainty, None, None, None, 8, 0.0, ())
        for index, offset in enumerate(differences)
    ]


@pytest.mark.parametrize(
    ("differences", "trusted", "false", "has_majority"),
    [
        ((), (), (), False),
        ((120.0,), ("s0",), (), True),
        ((0.0, 0.001), ("s0", "s1"), (), True),
        ((0.0, 120.0), ("s0",), ("s1",), False),
        ((0.0, 120.0, 0.001), ("s0", "s2"), ("s1",), True),
        ((0.0, 120.0, 240.0), ("s0",), ("s1", "s2"), False),
        ((0.0, 120.0, 0.001, 120.001), ("s0", "s2"), ("s1", "s3"), False),
        ((0.0, 120.0, 0.001, 240.0, -0.005), ("s0", "s2", "s4"), ("s1", "s3"), True),
    ],
)
def test_the_majority_is_trusted(
    differences: t.Tuple[float, ...], trusted: t.Tuple[str, ...], false: t.Tuple[str, ...], has_majority: bool
) -> None:
    found = agree(references(*differences))

    assert found.has_majority is has_majority
    assert found.falsetickers == false or not has_majority
    assert found.trusted == trusted or not has_majority


@given(st.lists(st.floats(-0.009, 0.009), min_size=1, max_size=5), st.lists(st.floats(1, 1e6), max_size=4))
def test_the_true_ones_are_trusted_when_they_are_more(true: t.List[float], wrong: t.List[float]) -> None:
    """Of three that are wrong in the same way nobody can know; these are not."""
    wrong = [value * 10**index for index, value in enumerate(wrong)]
    if len(wrong) >= len(true):
        return
    found = agree(references(*true, *wrong))

    assert found.has_majority
    assert set(found.trusted) == {f"s{index}" for index in range(len(true))}


INSTANTS = st.integers(-(2**62), 2**63)
READINGS = st.builds(Reading, INSTANTS, INSTANTS, INSTANTS, st.integers(0, 2**40))


@given(
    st.lists(st.builds(Sample, READINGS, INSTANTS, st.integers(0, 2**62)), max_size=10),
    st.lists(READINGS, max_size=10),
)
def test_no_series_is_too_strange(samples: t.List[Sample], readings: t.List[Reading]) -> None:
    series = ReferenceSeries("server", "server", tuple(samples), age=5 * SECOND)
    found = estimate(series, readings)

    assert (found is None) == (not samples or not readings)
    steps(Measurement(tuple(readings), (series,), (), None))
    assert clock_series.agree([found] if found else []).falsetickers == ()
