# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a guest's clock is synchronised, by what its time service says and by what was measured, and why not."""

from __future__ import annotations

import dataclasses
import typing as t

from . import clock_series
from .model import Finding

if t.TYPE_CHECKING:
    from .._facts.model import Clock
    from .._measure.model import Measurement, ReferenceSeries, ServiceAnswer
    from .clock_series import Agreement, Estimate, Event

CORRECTABLE = 500.0  # ppm; the kernel's own limit (MAXFREQ), which only chrony gets around, by bending the tick
PHC_NAMES = ("phc", "/dev/ptp_hyperv")
_ALMOST_A_SECOND = (0.9, 1.1)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is asked of the clock; None is not asked. Seconds, ppm, and the service's own stratum and source."""

    max_offset: float | None = 0.1
    max_drift: float | None = None
    max_stratum: int | None = None
    require_source: str | None = None


@dataclasses.dataclass(frozen=True)
class Proof:
    """The verdict. C(against) is the reference that the figures are taken from, the best one of those that agree."""

    is_synchronised: bool
    service: str | None
    source: str | None
    stratum: int | None
    leap: str | None
    against: Estimate | None
    estimates: tuple[Estimate, ...]
    agreement: Agreement
    events: tuple[Event, ...]
    findings: tuple[Finding, ...]

    @property
    def reason(self) -> str:
        """Why it is not synchronised; empty when it is."""
        return "; ".join([finding.message for finding in self.findings if finding.severity == "error"])


def judge(clock: Clock, measurement: Measurement, wanted: Wanted) -> Proof:
    """The verdict, from the services that are there, what they said, and what was measured."""
    estimates = tuple(
        [
            estimate
            for series in measurement.references
            for estimate in [clock_series.estimate(series, measurement.readings)]
            if estimate is not None
        ]
    )
    agreement = clock_series.agree(estimates)
    trusted = [one for one in estimates if one.name in agreement.trusted] if agreement.has_majority else []
    against = min(trusted, key=lambda one: one.uncertainty, default=None)
    drifting = min(
        [one for one in trusted if one.drift_uncertainty is not None],
        key=lambda one: one.drift_uncertainty or 0.0,
        default=None,
    )
    events = (*clock_series.steps(measurement), *_common_gaps(measurement.references))
    service = next((answer for answer in measurement.services if answer.status is not None), None)
    findings = (
        *_master_findings(clock, measurement),
        *_service_findings(measurement, wanted, is_measured=against is not None),
        *_reference_findings(measurement.references, estimates, agreement),
        *_offset_findings(against, wanted, is_leaping=_is_leaping(measurement)),
        *_drift_findings(drifting, clock, wanted, is_measured=against is not None),
        *_event_findings(events),
    )
    status = service.status if service else None
    return Proof(
        is_synchronised=not any(finding.severity == "error" for finding in findings),
        service=service.name if service else None,
        source=_source(service) if service else None,
        stratum=status.stratum if status else None,
        leap=status.leap if status else None,
        against=against if drifting is None or against is None else _with_drift(against, drifting),
        estimates=estimates,
        agreement=agreement,
        events=events,
        findings=findings,
    )


def says_synchronised(measurement: Measurement) -> bool:
    """Whether a service says so, as far as it is worth while to measure."""
    return any(answer.status is not None and answer.status.is_synchronised for answer in measurement.services)


def _with_drift(against: Estimate, drifting: Estimate) -> Estimate:
    """The figures of one reference, with the drift from the one against which it is known best."""
    return dataclasses.replace(
        against,
        drift=drifting.drift,
        drift_uncertainty=drifting.drift_uncertainty,
        frequency_error=drifting.frequency_error,
    )


def _master_findings(clock: Clock, measurement: Measurement) -> t.Iterator[Finding]:
    if not clock.running:
        is_kept = measurement.kernel is not None and measurement.kernel.is_synchronised
        known = ", ".join(clock.services) or "none"
        yield Finding(
            "time.no-service",
            "error",
            "time service",
            f"no time service runs (installed: {known}), so nobody keeps the clock right"
            + (", although the kernel was told that it is synchronised" if is_kept else ""),
            "install chrony, or start the service that is installed",
        )
    several = clock.running if len(clock.running) > 1 else clock.enabled
    if len(several) > 1:
        yield Finding(
            "time.two-masters",
            "error" if several == clock.running else "warning",
            ", ".join(several),
            f"{' and '.join(several)} {'run' if several == clock.running else 'start at boot'}, and each sets the "
            "clock as it thinks right: it jumps or swings between them",
            "keep one, and disable the others (systemctl disable --now)",
        )


def _service_findings(measurement: Measurement, wanted: Wanted, *, is_measured: bool) -> t.Iterator[Finding]:
    for answer in measurement.services:
        if answer.status is None:
            yield Finding(
                "time.unreachable-service",
                "warning" if is_measured else "error",
                answer.name,
                f"{answer.name} runs, but does not tell how it does ({answer.problem})",
                "look whether its control socket is closed (chrony: cmdport, bindcmdaddress; ntp: restrict), and "
                "whether the module runs as root",
            )
            continue
        yield from _status_findings(answer, wanted)
    if (wanted.max_stratum is not None or wanted.require_source is not None) and not says_something(measurement):
        yield Finding(
            "time.unknown-source",
            "error",
            "time service",
            "no time service tells its stratum and source, so it cannot be shown that they are as asked for",
            "see the other findings: the service has to run and to answer",
        )


def says_something(measurement: Measurement) -> bool:
    """Whether any service told of its state."""
    return any(answer.status is not None for answer in measurement.services)


def _status_findings(answer: ServiceAnswer, wanted: Wanted) -> t.Iterator[Finding]:
    status = answer.status
    if status is None:
        return
    if status.leap == "unset":
        yield Finding(
            "time.leap-unset",
            "error",
            answer.name,
            f"{answer.name} has not set the clock yet: its leap status is the one of a clock that is not synchronised"
            f"{_sources_told(answer)}",
            "wait; if it stays so, see what is said of its sources",
        )
    elif status.is_synchronised is not True:
        what = "follows no source" if status.is_synchronised is False else "does not say whether it is synchronised"
        yield Finding(
            "time.unsynchronised",
            "error",
            answer.name,
            f"{answer.name} {what}{_sources_told(answer)}",
            "wait; if it stays so, see what is said of its sources",
        )
    for source in status.sources:
        if source.state == "falseticker":
            yield Finding(
                "time.service-falseticker",
                "warning",
                source.name,
                f"{answer.name} believes its source {source.name} to be wrong"
                + (f": it differs by {_span(source.offset)}" if source.offset is not None else ""),
                "take the source out of the configuration, or have it repaired",
            )
    if wanted.max_stratum is not None and (status.stratum is None or status.stratum > wanted.max_stratum):
        yield Finding(
            "time.stratum",
            "error",
            answer.name,
            f"{answer.name} says stratum {status.stratum or 'none'}, and at most {wanted.max_stratum} is asked",
            "give it sources of a lower stratum",
        )
    if wanted.require_source is not None and not _follows(answer, wanted.require_source):
        yield Finding(
            "time.source",
            "error",
            answer.name,
            f"{answer.name} follows {_source(answer) or 'nothing'}, and not {wanted.require_source} as is asked",
            "see why it does not select that source; of a refclock, whether the device is there",
        )


def _reference_findings(
    references: t.Sequence[ReferenceSeries], estimates: t.Sequence[Estimate], agreement: Agreement
) -> t.Iterator[Finding]:
    for series in references:
        said = "; ".join([message for _kind, message in series.refused])
        if not series.samples:
            yield Finding(
                "time.no-reply",
                "warning" if estimates else "error",
                series.name,
                f"{series.name} gave no time that can be used: {said or f'no reply to {series.asked} questions'}",
                "see whether it is the right address, whether a firewall drops UDP port 123, and how the server does",
            )
        elif said:
            yield Finding(
                "time.refused-answer",
                "warning",
                series.name,
                f"some answers of {series.name} were not believed: {said}",
                "see who answers in the place of the server, or what is wrong with it",
            )
    if estimates and not agreement.has_majority:
        listed = ", ".join([f"{one.name} says {_span(-one.offset)}" for one in estimates])
        yield Finding(
            "time.no-majority",
            "error",
            ", ".join([one.name for one in estimates]),
            f"the references contradict each other, and no majority tells which are right: for this clock {listed}",
            "name three servers or more, or the one that is trusted",
        )
        return
    for one in estimates:
        if one.name in agreement.falsetickers:
            what = "the clock of the host" if one.kind == "phc" else f"the server {one.name}"
            yield Finding(
                "time.falseticker",
                "warning",
                one.name,
                f"{what} is wrong: it differs by {_span(-one.offset)} from this clock, which the others agree "
                f"about ({', '.join(agreement.trusted)})",
                "have the time of the host repaired" if one.kind == "phc" else "do not use this server",
            )


def _offset_findings(against: Estimate | None, wanted: Wanted, *, is_leaping: bool) -> t.Iterator[Finding]:
    if against is None:
        yield Finding(
            "time.unmeasured",
            "info",
            "references",
            "there is nothing to measure the clock against (no clock of the host, no server that answers and is "
            "trusted): what is known is what the time service says",
            "name servers",
        )
        return
    if wanted.max_offset is None:
        return
    shown = f"{_span(against.offset)} +/- {_span(against.uncertainty, sign='')}"
    if abs(against.offset) - against.uncertainty > wanted.max_offset:
        if is_leaping and _ALMOST_A_SECOND[0] < abs(against.offset) < _ALMOST_A_SECOND[1]:
            yield Finding(
                "time.leap-second",
                "error",
                against.name,
                f"a leap second is due, and the clock and {against.name} are on different sides of it ({shown})",
                "measure again some seconds later",
            )
            return
        ahead = "ahead of" if against.offset > 0 else "behind"
        yield Finding(
            "time.offset",
            "error",
            against.name,
            f"the clock is {ahead} {against.name}: {shown}, and {wanted.max_offset:g} s is the most that is asked",
            "see what the time service says; after a pause it must be allowed to step (chrony: makestep 1 -1)",
        )
    elif abs(against.offset) + against.uncertainty > wanted.max_offset:
        yield Finding(
            "time.uncertain",
            "error",
            against.name,
            f"against {against.name} the clock can only be shown to be within {shown}, and {wanted.max_offset:g} s is "
            "the most that is asked",
            "name servers that are nearer, or ask for less",
        )


def _drift_findings(
    drifting: Estimate | None, clock: Clock, wanted: Wanted, *, is_measured: bool
) -> t.Iterator[Finding]:
    drift = drifting.drift if drifting else None
    if drifting is None or drift is None:
        if wanted.max_drift is not None and is_measured:
            yield Finding(
                "time.drift-unknown",
                "error",
                "interval",
                "too little was measured in one piece to tell a drift",
                "ask for a longer interval",
            )
        return
    uncertainty = drifting.drift_uncertainty or 0.0
    error = drifting.frequency_error or 0.0
    if abs(error) - uncertainty > CORRECTABLE:
        can_bend = clock.running == ("chrony",)
        yield Finding(
            "time.frequency-error",
            "warning" if can_bend else "error",
            clock.current or "clocksource",
            f"the clocksource {clock.current or ''} runs {error:+.1f} +/- {uncertainty:.1f} ppm wrong, and NTP can "
            f"correct {CORRECTABLE:.0f} ppm at the most: "
            + ("chrony holds it only by bending the tick" if can_bend else "no service can hold this clock for long"),
            "set the right clocksource: the module clocksource says which, and what forces the wrong one",
        )
    if wanted.max_drift is not None and abs(drift) + uncertainty > wanted.max_drift:
        is_sure = abs(drift) - uncertainty > wanted.max_drift
        what = "drifts by" if is_sure else "cannot be shown to drift by less than is asked, only by"
        yield Finding(
            "time.drift",
            "error",
            drifting.name,
            f"against {drifting.name} the clock {what} {drift:+.2f} +/- {uncertainty:.2f} ppm, and at most "
            f"{wanted.max_drift:g} ppm is asked",
            "see the clocksource and the time service" if is_sure else "ask for a longer interval",
        )


def _event_findings(events: t.Sequence[Event]) -> t.Iterator[Finding]:
    for event in events:
        if event.kind == "clock-set":
            yield Finding(
                "time.clock-set",
                "warning",
                "system clock",
                f"the clock was set by {_span(event.amount)} while it was measured",
                "nothing, if it was the time service after a pause or at its start; measure again",
            )
        elif event.kind == "gap":
            yield Finding(
                "time.gap",
                "info",
                event.reference or "",
                f"the time of {event.reference} went on by {_span(event.amount)} more than the guest's clocksource: "
                "the guest was paused, or the reference was set; what was measured before is not used",
                "nothing, if the guest was paused",
            )


def _common_gaps(references: t.Sequence[ReferenceSeries]) -> tuple[Event, ...]:
    return tuple([event for series in references for event in clock_series.gaps(series)])


def _is_leaping(measurement: Measurement) -> bool:
    leaps = [series.leap for series in measurement.references]
    leaps.extend(answer.status.leap for answer in measurement.services if answer.status is not None)
    if measurement.kernel is not None:
        leaps.append(measurement.kernel.leap)
    return any(leap in ("insert", "delete", "in-progress") for leap in leaps)


def _source(answer: ServiceAnswer) -> str | None:
    """Name of what a service follows: of its sources the selected one, else what it calls it."""
    status = answer.status
    if status is None:
        return None
    return next((source.name for source in status.sources if source.state == "selected"), status.source)


def _follows(answer: ServiceAnswer, wanted: str) -> bool:
    status = answer.status
    if status is None:
        return False
    selected = [source for source in status.sources if source.state == "selected"]
    if wanted.lower() in PHC_NAMES:
        names = [source.name for source in selected if source.kind == "refclock"] or [status.source or ""]
        return any(name.upper().startswith("PHC") for name in names)
    return wanted in {*(source.name for source in selected), status.source}


def _sources_told(answer: ServiceAnswer) -> str:
    """What a service says of its sources, as the reason why it follows none."""
    sources = answer.status.sources if answer.status else ()
    if not sources:
        return ""
    silent = [source.name for source in sources if source.reach == 0]
    false = [source.name for source in sources if source.state == "falseticker"]
    parts = []
    if silent:
        parts.append(f"no reply from {', '.join(silent)}")
    if false:
        parts.append(f"falseticker: {', '.join(false)}")
    others = len(sources) - len(silent) - len(false)
    if others > 0:
        parts.append(f"{others} of {len(sources)} sources answer")
    return f" ({'; '.join(parts)})"


def _span(value: float, *, sign: str = "+") -> str:
    """Seconds in the unit in which they are read well."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if abs(value) < limit:
            return f"{value * factor:{sign}.1f} {unit}"
    return f"{value:{sign}.3f} s"
