# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a report on the clocks of a fleet, from the records that are kept of them.

The time axis of a measurement is the clock of the reference: seconds since the first comparison with it. The guest's
own clock would not do, as it is what may be set meanwhile; the controller's had no part in the measurement.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..module_utils._errors import MalformedError
from . import _clock_record
from ._clock_record import Event, Finding, Record, Reference, printable

SCHEMA = "rehost.hyperv/clock-report"
VERSION = 1


class Point(t.NamedTuple):
    """Seconds on the time axis; offset of the guest's clock and what it may be wrong by, in seconds."""

    at: float
    offset: float
    uncertainty: float


class Mark(t.NamedTuple):
    """An event at its place on the time axis."""

    at: float
    event: Event


@dataclasses.dataclass(frozen=True)
class Course:
    """The offset over time against one reference."""

    reference: str
    kind: str
    trusted: bool
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True)
class Moment:
    """One measurement. C(courses): the reference of the figures first, then the others that are trusted; where none
    is, all of them. C(axis): the clock of the time axis, and what it showed at 0, in seconds since 1970; None where the
    references contradict each other, and each begins at 0 for itself."""

    file: str
    record: Record
    axis: tuple[str, float] | None
    length: float
    courses: tuple[Course, ...]
    marks: tuple[Mark, ...]


@dataclasses.dataclass(frozen=True)
class History:
    """The measurements of one guest, the oldest first by the controller's clock."""

    host: str
    moments: tuple[Moment, ...]


@dataclasses.dataclass(frozen=True)
class Report:
    """C(missing): guests that were not measured this time, and why. C(skipped): files that are no record, and why."""

    title: str
    histories: tuple[History, ...]
    missing: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]


def report(files: t.Iterable[t.Mapping[str, t.Any]], title: str, missing: t.Mapping[str, t.Any]) -> Report:
    """From files as the lookup clock_records gives them: C(name), and C(text) or C(problem)."""
    moments: list[Moment] = []
    skipped: list[tuple[str, str]] = []
    for file in files:
        name = printable(str(file.get("name", "")))
        problem = file.get("problem")
        if problem is None:
            try:
                moments.append(_moment(name, _clock_record.read(str(file.get("text", "")))))
            except MalformedError as error:
                problem = error.message
        if problem is not None:
            skipped.append((name, printable(str(problem))))
    moments.sort(key=lambda moment: (moment.record.host, moment.record.taken, moment.file))
    hosts = sorted({moment.record.host for moment in moments})
    return Report(
        title=printable(title),
        histories=tuple(
            [History(host, tuple([moment for moment in moments if moment.record.host == host])) for host in hosts]
        ),
        missing=tuple(sorted((printable(str(host)), printable(str(why))) for host, why in missing.items())),
        skipped=tuple(sorted(skipped)),
    )


def document(made: Report) -> dict[str, t.Any]:
    """The report as JSON; the README of the role clock_report describes it."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "title": made.title,
        "guests": [
            {
                "host": history.host,
                "before": history.moments[0].file if len(history.moments) > 1 else None,
                "after": history.moments[-1].file,
                "measurements": [_measurement(moment) for moment in history.moments],
            }
            for history in made.histories
        ],
        "missing": [{"host": host, "reason": why} for host, why in made.missing],
        "skipped": [{"file": file, "reason": why} for file, why in made.skipped],
    }


def _measurement(moment: Moment) -> dict[str, t.Any]:
    known = dataclasses.asdict(moment.record)
    for name in ("host", "references", "events"):
        del known[name]
    known["nics"] = list(moment.record.nics)
    known["findings"] = [finding._asdict() for finding in moment.record.findings]
    return {
        "file": moment.file,
        **known,
        "axis": {
            "clock": moment.axis[0] if moment.axis else None,
            "begin": moment.axis[1] if moment.axis else None,
            "length": moment.length,
        },
        "courses": [
            {
                "reference": course.reference,
                "kind": course.kind,
                "trusted": course.trusted,
                "points": [point._asdict() for point in course.points],
            }
            for course in moment.courses
        ],
        "events": [{"seconds": mark.at, **mark.event._asdict()} for mark in moment.marks],
    }


def errors(record: Record) -> tuple[Finding, ...]:
    """What the verdict rests on, and the warnings beside it."""
    return tuple([finding for finding in record.findings if finding.severity in ("error", "warning")])


def _moment(file: str, record: Record) -> Moment:
    measured = [one for one in record.references if one.samples]
    shown = sorted(
        [one for one in measured if one.trusted] or measured, key=lambda one: (one.name != record.reference, one.name)
    )
    main = shown[0] if shown and shown[0].trusted else None
    begin = min(sample.reference_time for one in shown for sample in one.samples) if main else None
    courses = tuple([_course(one, begin) for one in shown])
    length = max([0.0, *(point.at for course in courses for point in course.points)])
    marks = [Mark(_place(event, main, begin, length), event) for event in _distinct(record.events, main)]
    return Moment(
        file=file,
        record=record,
        axis=None if main is None or begin is None else (main.name, begin),
        length=length,
        courses=courses,
        marks=tuple(sorted(marks)),
    )


def _course(reference: Reference, begin: float | None) -> Course:
    zero = min(sample.reference_time for sample in reference.samples) if begin is None else begin
    points = [Point(one.reference_time - zero, one.offset, one.uncertainty) for one in reference.samples]
    return Course(reference.name, reference.kind, reference.trusted, tuple(sorted(points)))


def _distinct(events: t.Sequence[Event], main: Reference | None) -> list[Event]:
    """A pause shows against every reference; where it shows against the main one, that is told."""
    has_own = any(event.kind == "gap" and main and event.reference == main.name for event in events)
    return [event for event in events if event.kind != "gap" or not has_own or (main and event.reference == main.name)]


def _place(event: Event, main: Reference | None, begin: float | None, length: float) -> float:
    """Where an event is on the time axis. When somebody sets the guest's clock, the time that it then shows stands for
    two moments, or none; so the comparisons are sought between which the offset changed as told."""
    if main is None or begin is None:
        return 0.0
    if event.kind == "gap":
        at = event.at - begin
    else:
        pairs = list(zip(main.samples, main.samples[1:]))
        if pairs:
            before, after = min(pairs, key=lambda pair: abs(pair[1].offset - pair[0].offset - event.amount))
            if abs(after.offset - before.offset - event.amount) < abs(event.amount) / 2:
                at = event.at - after.offset - begin
                at = max(before.reference_time - begin, min(at, after.reference_time - begin))
            else:  # before the first comparison, or after the last
                nearest = min(main.samples, key=lambda sample: abs(sample.time - event.at))
                at = event.at - nearest.offset - begin
        else:
            at = event.at - main.samples[0].offset - begin
    return max(0.0, min(at, length))
