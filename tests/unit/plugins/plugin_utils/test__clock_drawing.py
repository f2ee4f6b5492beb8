# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree

import pytest
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_drawing, _clock_figures
from ansible_collections.rehost.hyperv.tests.unit import clock_measurements as measured
from hypothesis import given
from hypothesis import strategies as st

SVG = "{http://www.w3.org/2000/svg}"


def history(*proofs: t.Mapping[str, t.Any]) -> _clock_figures.History:
    files = [measured.file(proof, day=day) for day, proof in enumerate(proofs, 1)]
    return _clock_figures.report(files, "title", {}).histories[0]


def drawn(proof: t.Mapping[str, t.Any]) -> xml.etree.ElementTree.Element:
    (moment,) = history(proof).moments
    (scale,) = _clock_drawing.scales([moment])
    assert scale is not None
    return xml.etree.ElementTree.fromstring(_clock_drawing.offset_drawing(moment, scale, "d1"))


def of_class(drawing: xml.etree.ElementTree.Element, name: str) -> list[xml.etree.ElementTree.Element]:
    return [element for element in drawing.iter() if name in element.get("class", "").split()]


def texts(drawing: xml.etree.ElementTree.Element) -> list[str]:
    return [element.text or "" for element in drawing.iter(SVG + "text")]


def numbers(drawing: xml.etree.ElementTree.Element) -> list[float]:
    names = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "points", "width")
    return [
        float(number)
        for element in drawing.iter()
        for name in names
        for number in re.split("[ ,]", element.get(name, "0"))
    ]


def offsets(*values: float, **more: t.Any) -> dict[str, t.Any]:
    return measured.proof(references=[measured.reference(measured.NTP, values, **more)])


@pytest.mark.parametrize(
    ("values", "uncertainty", "title"),
    [
        ((2e-8, 5e-8, 7e-8), 1e-8, "offset, ns"),
        ((2e-6, 5e-6, 7e-6), 1e-6, "offset, µs"),
        ((-0.002, 0.004), 0.001, "offset, ms"),
        ((0.0, 180.0), 0.01, "offset, s"),
        ((180.0001, 180.0002), 0.00005, "offset − 180.000150 s, in µs"),
        ((-180.0001, -180.0002), 0.00005, "offset + 180.000150 s, in µs"),
    ],
)
def test_the_scale_has_a_unit_that_fits_and_says_it(values: t.Sequence[float], uncertainty: float, title: str) -> None:
    drawing = drawn(offsets(*values, uncertainty=uncertainty))

    assert texts(drawing).count(title) == 1, texts(drawing)
    ticks = [element.text or "" for element in of_class(drawing, "end")]
    assert len(set(ticks)) == len(ticks) > 2
    assert max(len(tick) for tick in ticks) <= 7


def test_points_stand_where_their_figures_say() -> None:
    proof = offsets(0.0, 0.001, 0.004, uncertainty=0.0001)
    (moment,) = history(proof).moments
    (scale,) = _clock_drawing.scales([moment])
    assert scale is not None
    points = of_class(drawn(proof), "main")
    across = [float(point.get("cx", "")) for point in points]
    down = [float(point.get("cy", "")) for point in points]

    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    assert (down[0] - down[2]) == pytest.approx(4 * (down[0] - down[1]), abs=0.5)


def test_the_band_is_broken_where_the_clock_was_set() -> None:
    event = {"kind": "clock-set", "at": measured.BEGIN + 21, "amount": -4.0, "reference": None}
    references = [measured.reference(measured.NTP, [5.0, 5.0, 1.0, 1.0], every=14.0)]
    drawing = drawn(measured.proof(references=references, events=[event]))

    assert len(of_class(drawing, "band")) == 2
    assert len(of_class(drawing, "event")) == 1
    assert "the clock was set by −4.00 s" in (drawing.findtext(SVG + "desc") or "")


def test_other_references_are_drawn_by_another_shape() -> None:
    references = [measured.reference(name, [0.0, 0.001]) for name in (measured.NTP, "another")]
    drawing = drawn(measured.proof(references=references))

    assert len(of_class(drawing, "other")) == 2
    assert {element.tag for element in of_class(drawing, "other")} == {SVG + "polygon"}
    assert {element.tag for element in of_class(drawing, "main")} == {SVG + "circle"}


def test_many_comparisons_are_put_together_and_the_bars_cover_all_of_them() -> None:
    values = [0.001 * (number % 7) for number in range(3000)]
    (moment,) = history(offsets(*values, every=1.0, uncertainty=0.0005)).moments
    (course,) = moment.courses
    points = _clock_drawing.drawn_points(course)

    assert len(points) <= _clock_drawing.MOST_POINTS
    assert points[0].at < 60
    assert points[-1].at > 2940
    for point in points:
        assert point.offset + point.uncertainty >= 0.006
        assert point.offset - point.uncertainty <= 0.0


def test_measurements_share_a_scale_unless_one_would_be_flat() -> None:
    alike = history(offsets(0.001, 0.002), offsets(-0.001, 0.001)).moments
    unlike = history(offsets(0.1, 0.2), offsets(-0.00001, 0.00001, uncertainty=1e-6)).moments
    nothing = history(measured.proof(references=[]), offsets(0.001, 0.002)).moments

    assert len(set(_clock_drawing.scales(alike))) == 1
    assert len(set(_clock_drawing.scales(unlike))) == 2
    assert [scale is None for scale in _clock_drawing.scales(nothing)] == [True, False]


def test_drift_is_drawn_with_its_confidence_on_one_scale() -> None:
    made = history(
        measured.proof(drift=1998.0, drift_uncertainty=8.0, frequency_error=2000.0),
        measured.proof(drift=0.02, drift_uncertainty=0.7, frequency_error=-1.2),
        measured.proof(drift=None, drift_uncertainty=None, frequency_error=None),
    )
    drawing = xml.etree.ElementTree.fromstring(_clock_drawing.drift_drawing(made, "d1"))
    dots = [float(dot.get("cx", "")) for dot in of_class(drawing, "main")]
    bars = of_class(drawing, "confidence")

    assert len(dots) == len(bars) == len(of_class(drawing, "itself")) == 2
    assert len(of_class(drawing, "limit")) == 2
    for dot, span in zip(dots, bars):
        left = float(span.get("x", ""))
        assert left - 0.1 <= dot <= left + float(span.get("width", "")) + 0.1
    assert {"+1998 ± 8 ppm", "0.0 ± 0.7 ppm", "not measured"} < set(texts(drawing))
    assert "drift, ppm; logarithmic beyond ±1" in texts(drawing)


def test_small_drifts_have_a_linear_scale_without_the_limit() -> None:
    made = history(measured.proof(drift=0.3, frequency_error=4.0))
    drawing = xml.etree.ElementTree.fromstring(_clock_drawing.drift_drawing(made, "d1"))
    assert "drift, ppm" in texts(drawing)
    assert of_class(drawing, "limit") == []


ANY = st.floats(-1e12, 1e12)


@given(st.lists(ANY, min_size=1, max_size=4), st.floats(0, 1e12), ANY, st.floats(0, 1e12), ANY)
def test_whatever_is_measured_can_be_drawn(
    values: list[float], uncertainty: float, drift: float, drift_uncertainty: float, error: float
) -> None:
    samples = [{"time": 1e9 + number, "offset": one, "uncertainty": uncertainty} for number, one in enumerate(values)]
    reference = {"name": measured.NTP, "kind": "server", "trusted": True, "samples": samples}
    event = {"kind": "clock-set", "at": error, "amount": drift, "reference": None}
    proof = measured.proof(
        references=[reference],
        drift=drift,
        drift_uncertainty=drift_uncertainty,
        frequency_error=error,
        events=[event],
    )
    drawing = drawn(proof)
    other = xml.etree.ElementTree.fromstring(_clock_drawing.drift_drawing(history(proof), "d2"))
    for number in (*numbers(drawing), *numbers(other)):
        assert -1 <= number <= 901
