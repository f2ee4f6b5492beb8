# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_figures
from ansible_collections.rehost.hyperv.tests.unit import clock_measurements as measured


def moment(**changes: t.Any) -> _clock_figures.Moment:
    made = _clock_figures.report([measured.file(measured.proof(**changes))], "title", {})
    return made.histories[0].moments[0]


def seconds(course: _clock_figures.Course) -> list[float]:
    return [round(point.at, 3) for point in course.points]


def test_the_time_axis_is_the_clock_of_the_reference() -> None:
    # the guest's clock is three minutes ahead, and gains a second in each ten
    found = moment(references=[measured.reference(measured.NTP, [180.0, 181.0, 182.0])], offset=182.0)

    assert found.axis == (measured.NTP, pytest.approx(measured.BEGIN))
    assert seconds(found.courses[0]) == [0.0, 10.0, 20.0]
    assert found.length == pytest.approx(20.0)


def test_only_references_that_are_trusted_are_drawn_with_the_one_of_the_figures_first() -> None:
    wrong = measured.reference("wrong", [-180.0] * 3, trusted=False)
    other = measured.reference("another", [0.0] * 3)
    silent = measured.reference("silent", [])
    found = moment(references=[wrong, silent, other, measured.reference(measured.NTP, [0.001] * 3)])

    assert [course.reference for course in found.courses] == [measured.NTP, "another"]


def test_references_that_contradict_each_other_begin_each_for_itself() -> None:
    one, two = (measured.reference(name, [offset] * 3, trusted=False) for name, offset in (("a", 0.0), ("b", 180.0)))
    found = moment(references=[one, two], reference=None, offset=None)

    assert found.axis is None
    assert [seconds(course) for course in found.courses] == [[0.0, 10.0, 20.0], [0.0, 10.0, 20.0]]


@pytest.mark.parametrize("step", [-180.0, 15.0, -15.0, 0.4])
def test_a_step_of_the_clock_is_marked_where_the_offset_changes(step: float) -> None:
    # set 27 s after the first comparison; what the guest's clock then shows may stand for another moment as well
    offsets = [0.0, 0.0, 0.0, step, step, step]
    event = {"kind": "clock-set", "at": measured.BEGIN + 27 + step, "amount": step, "reference": None}
    found = moment(references=[measured.reference(measured.NTP, offsets)], events=[event])

    assert [round(mark.at, 3) for mark in found.marks] == [27.0]


def test_a_pause_is_marked_once_at_the_time_of_the_reference() -> None:
    events = [
        {"kind": "gap", "at": measured.BEGIN + 12, "amount": 5.0, "reference": name}
        for name in ("another", measured.NTP, "third")
    ]
    found = moment(events=events)

    assert [(mark.at, mark.event.reference) for mark in found.marks] == [(12.0, measured.NTP)]


def test_an_event_without_any_comparison_still_has_a_place() -> None:
    event = {"kind": "clock-set", "at": measured.BEGIN, "amount": 1.0, "reference": None}
    assert [mark.at for mark in moment(references=[], events=[event]).marks] == [0.0]
    assert [mark.at for mark in moment(references=[measured.reference(measured.NTP, [0.0])], events=[event]).marks] == [
        0
    ]


def test_measurements_are_ordered_by_the_time_of_the_controller() -> None:
    files = [measured.file(measured.proof(), host, f"day {day}", day) for host in ("b", "a") for day in (9, 2, 30)]
    made = _clock_figures.report(files, "title", {})

    assert [(history.host, [one.record.label for one in history.moments]) for history in made.histories] == [
        ("a", ["day 2", "day 9", "day 30"]),
        ("b", ["day 2", "day 9", "day 30"]),
    ]
    assert _clock_figures.report(reversed(files), "title", {}) == made


def test_a_damaged_file_is_named_and_the_others_are_read() -> None:
    good = measured.file(measured.proof())
    files = [{"name": "a", "text": good["text"][:-20]}, {"name": "b", "problem": "it is no regular file"}, good]
    made = _clock_figures.report(files, "title", {})

    assert [name for name, _why in made.skipped] == ["a", "b"]
    assert "no JSON" in made.skipped[0][1]
    assert len(made.histories) == 1


def test_the_document_says_what_it_is_and_holds_every_figure() -> None:
    files = [
        measured.file(measured.proof(), day=1, where=measured.guest("xen-hvm", "xen", ["xen"])),
        measured.file(measured.proof(drift=None, offset=None, references=[]), day=2),
    ]
    document = _clock_figures.document(_clock_figures.report(files, "title", {"old1": "not reached"}))

    assert (document["schema"], document["version"]) == ("rehost.hyperv/clock-report", 1)
    assert document["missing"] == [{"host": "old1", "reason": "not reached"}]
    (guest,) = document["guests"]
    first, second = guest["measurements"]
    assert (guest["before"], guest["after"]) == (first["file"], second["file"])
    assert (first["label"], first["clocksource"], first["service"], first["drift"]) == ("xen", "xen", "chrony", 0.02)
    assert first["axis"] == {"clock": measured.NTP, "begin": pytest.approx(measured.BEGIN), "length": pytest.approx(30)}
    assert [point["offset"] for point in first["courses"][0]["points"]] == [0.002] * 4
    assert (second["drift"], second["courses"], second["axis"]["clock"]) == (None, [], None)
    json.dumps(document, allow_nan=False)
