# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Clock
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._time_status import TimeSource, TimeStatus
from ansible_collections.rehost.hyperv.plugins.module_utils._measure.model import (
    KernelDiscipline,
    Measurement,
    Reading,
    ReferenceSeries,
    Sample,
    ServiceAnswer,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.time_sync import (
    Proof,
    Wanted,
    judge,
    says_synchronised,
)

SECOND = 1_000_000_000
START = 1_795_359_292 * SECOND
FOLLOWING = TimeStatus(
    is_synchronised=True,
    source="192.0.2.1",
    stratum=3,
    leap="normal",
    sources=(TimeSource("192.0.2.1", "server", "selected", 2, 255),),
)
KERNEL = KernelDiscipline(is_synchronised=True, leap="normal", frequency=0.0, max_error=0)
CLOCK = Clock("hyperv_clocksource_tsc_page", (), ("chrony",), ("chrony",), True, running=("chrony",))
TIMES = tuple(index * 10 / 7 for index in range(8))


def reading(now: float, *, ahead: float = 0.0, drift: float = 0.0, fast: float = 0.0) -> Reading:
    slewed = round(now * (1 + drift * 1e-6) * SECOND)
    raw = round(now * (1 + fast * 1e-6) * SECOND)
    return Reading(START + round(ahead * SECOND) + slewed, slewed, raw, 500)


def series(
    name: str = "192.0.2.1", *, wrong: float = 0.0, error: float = 0.001, kind: str = "server", **guest: float
) -> ReferenceSeries:
    samples = tuple(
        Sample(reading(now, **guest), START + round((now + wrong) * SECOND), round(error * SECOND)) for now in TIMES
    )
    return ReferenceSeries(name, kind, samples, stratum=2, leap="normal", asked=8)


def measured(
    *references: ReferenceSeries,
    status: t.Optional[TimeStatus] = FOLLOWING,
    problem: str = "",
    service: str = "chrony",
    **guest: float,
) -> Measurement:
    readings = tuple(reading(10 * step / 20, **guest) for step in range(21))
    answers = (ServiceAnswer(service, status, problem),)
    return Measurement(readings, references or (series(**guest),), answers, KERNEL)


def ids(proof: Proof) -> t.Set[str]:
    return {finding.id for finding in proof.findings}


def errors(proof: Proof) -> t.Set[str]:
    return {finding.id for finding in proof.findings if finding.severity == "error"}


def test_a_clock_that_is_right_is_proved_to_be() -> None:
    proof = judge(CLOCK, measured(), Wanted(max_offset=0.01, max_drift=1.0, max_stratum=3, require_source="192.0.2.1"))

    assert proof.is_synchronised
    assert proof.findings == ()
    assert proof.reason == ""
    assert (proof.service, proof.source, proof.stratum, proof.leap) == ("chrony", "192.0.2.1", 3, "normal")
    assert proof.against is not None
    assert proof.against.offset == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("ahead", "words"), [(0.5, "ahead of"), (-0.5, "behind")])
def test_a_clock_that_is_off_is_not_synchronised(ahead: float, words: str) -> None:
    proof = judge(CLOCK, measured(ahead=ahead), Wanted())

    assert errors(proof) == {"time.offset"}
    assert words in proof.reason
    assert proof.against is not None
    assert proof.against.offset == pytest.approx(ahead, abs=1e-6)


def test_what_cannot_be_shown_is_not_proved() -> None:
    proof = judge(CLOCK, measured(series(error=0.2)), Wanted(max_offset=0.1))

    assert errors(proof) == {"time.uncertain"}


def test_no_offset_need_be_asked_for() -> None:
    assert judge(CLOCK, measured(ahead=500.0), Wanted(max_offset=None)).is_synchronised


def test_a_second_off_may_be_a_leap_second() -> None:
    leaping = measured(ahead=1.0)
    leaping = dataclasses.replace(leaping, kernel=dataclasses.replace(KERNEL, leap="insert"))

    assert errors(judge(CLOCK, leaping, Wanted())) == {"time.leap-second"}
    assert errors(judge(CLOCK, measured(ahead=1.0), Wanted())) == {"time.offset"}


def test_nobody_keeps_the_clock() -> None:
    clock = dataclasses.replace(CLOCK, running=())
    proof = judge(clock, Measurement(measured().readings, (series(),), (), KERNEL), Wanted())

    assert errors(proof) == {"time.no-service"}
    assert (proof.service, proof.source) == (None, None)


@pytest.mark.parametrize(
    ("running", "enabled", "severity"),
    [
        (("chrony", "systemd-timesyncd"), ("chrony",), "error"),
        (("chrony",), ("chrony", "ntpsec"), "warning"),
    ],
)
def test_two_services_fight(running: t.Tuple[str, ...], enabled: t.Tuple[str, ...], severity: str) -> None:
    proof = judge(dataclasses.replace(CLOCK, running=running, enabled=enabled), measured(), Wanted())

    assert [(finding.id, finding.severity) for finding in proof.findings] == [("time.two-masters", severity)]


def test_a_service_that_does_not_answer_is_no_fault_when_the_clock_was_measured() -> None:
    proof = judge(CLOCK, measured(status=None, problem="506 Cannot talk to daemon"), Wanted())

    assert proof.is_synchronised
    assert ids(proof) == {"time.unreachable-service"}


def test_a_service_that_does_not_answer_proves_nothing_by_itself() -> None:
    silent = Measurement(measured().readings, (), (ServiceAnswer("chrony", None, "506 Cannot talk to daemon"),), KERNEL)
    proof = judge(CLOCK, silent, Wanted(max_stratum=3))

    assert errors(proof) == {"time.unreachable-service", "time.unknown-source"}
    assert "506 Cannot talk" in proof.reason


def test_what_a_service_says_counts_when_nothing_can_be_measured() -> None:
    word = Measurement(measured().readings, (), measured().services, KERNEL)
    proof = judge(CLOCK, word, Wanted())

    assert proof.is_synchronised
    assert ids(proof) == {"time.unmeasured"}


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (FOLLOWING._replace(leap="unset", is_synchronised=False), "time.leap-unset"),
        (FOLLOWING._replace(is_synchronised=False), "time.unsynchronised"),
        (FOLLOWING._replace(is_synchronised=None), "time.unsynchronised"),
    ],
)
def test_a_service_that_is_not_there_yet_says_so(status: TimeStatus, found: str) -> None:
    proof = judge(CLOCK, measured(status=status), Wanted())

    assert errors(proof) == {found}
    assert not says_synchronised(measured(status=status))


def test_why_a_service_follows_nothing_is_told() -> None:
    sources = (
        TimeSource("192.0.2.1", "server", "unusable", 0, 0),
        TimeSource("192.0.2.2", "server", "falseticker", 2, 255, 120.0),
        TimeSource("192.0.2.3", "server", "jittery", 2, 255),
    )
    status = FOLLOWING._replace(leap="unset", is_synchronised=False, sources=sources)
    proof = judge(CLOCK, measured(status=status), Wanted())

    assert "no reply from 192.0.2.1; falseticker: 192.0.2.2; 1 of 3 sources answer" in proof.reason
    assert ids(proof) == {"time.leap-unset", "time.service-falseticker"}


@pytest.mark.parametrize(("asked", "is_fine"), [(3, True), (2, False)])
def test_the_stratum_is_the_guests_own(asked: int, is_fine: bool) -> None:
    assert judge(CLOCK, measured(), Wanted(max_stratum=asked)).is_synchronised is is_fine


PHC = FOLLOWING._replace(source="PHC0", sources=(TimeSource("PHC0", "refclock", "selected", 2, 255),))


@pytest.mark.parametrize(
    ("status", "asked", "is_fine"),
    [
        (FOLLOWING, "192.0.2.1", True),
        (FOLLOWING, "192.0.2.2", False),
        (FOLLOWING, "phc", False),
        (PHC, "phc", True),
        (PHC, "/dev/ptp_hyperv", True),
        (PHC, "PHC0", True),
        (PHC._replace(sources=()), "phc", True),
        (FOLLOWING._replace(source=None, sources=()), "192.0.2.1", False),
    ],
)
def test_the_source_is_the_one_that_is_asked_for(status: TimeStatus, asked: str, is_fine: bool) -> None:
    proof = judge(CLOCK, measured(status=status), Wanted(require_source=asked))

    assert errors(proof) == (set() if is_fine else {"time.source"})


SILENT = ReferenceSeries("192.0.2.7", "server", asked=8)
KISS = ReferenceSeries("192.0.2.8", "server", asked=1, refused=(("kiss-of-death", "the server refuses, code RATE"),))


def test_a_silent_server_beside_others_is_a_warning() -> None:
    proof = judge(CLOCK, measured(series(), SILENT, KISS), Wanted())

    assert proof.is_synchronised
    messages = {finding.subject: finding.message for finding in proof.findings if finding.id == "time.no-reply"}
    assert "no reply to 8 questions" in messages["192.0.2.7"]
    assert "RATE" in messages["192.0.2.8"]


def test_silent_servers_alone_prove_nothing() -> None:
    proof = judge(CLOCK, measured(SILENT), Wanted())

    assert errors(proof) == {"time.no-reply"}


def test_answers_that_were_not_believed_are_told() -> None:
    foreign = dataclasses.replace(series(), refused=(("foreign", "it is not from who was asked"),))

    assert ids(judge(CLOCK, measured(foreign), Wanted())) == {"time.refused-answer"}


def test_of_three_the_wrong_one_is_found_out() -> None:
    wrong = series("192.0.2.3", wrong=120.0)
    proof = judge(CLOCK, measured(series(), series("192.0.2.2"), wrong), Wanted())

    assert proof.is_synchronised
    assert [(finding.id, finding.subject) for finding in proof.findings] == [("time.falseticker", "192.0.2.3")]
    assert "+120.000 s" in proof.findings[0].message


def test_a_host_that_is_wrong_is_found_out_by_two_servers() -> None:
    host = series("/dev/ptp_hyperv", wrong=60.0, error=0.000_01, kind="phc")
    proof = judge(CLOCK, measured(host, series(), series("192.0.2.2")), Wanted())

    assert proof.is_synchronised
    assert "clock of the host" in proof.findings[0].message
    assert proof.against is not None
    assert proof.against.kind == "server"


def test_two_that_contradict_each_other_prove_nothing() -> None:
    proof = judge(CLOCK, measured(series(), series("192.0.2.3", wrong=120.0)), Wanted())

    assert errors(proof) == {"time.no-majority"}
    assert proof.against is None


def test_a_drift_that_is_too_much() -> None:
    proof = judge(CLOCK, measured(drift=50.0), Wanted(max_drift=10.0))

    assert errors(proof) == {"time.drift"}
    assert "drifts by +50.0" in proof.reason


def test_a_drift_that_is_not_certain_enough() -> None:
    samples = series().samples
    shaken = tuple(
        sample._replace(reference=sample.reference + (2_000_000 if index % 2 else -2_000_000))
        for index, sample in enumerate(samples)
    )
    proof = judge(CLOCK, measured(dataclasses.replace(series(), samples=shaken)), Wanted(max_drift=1.0))

    assert errors(proof) == {"time.drift"}
    assert "cannot be shown" in proof.reason


def test_a_drift_of_which_nothing_is_known() -> None:
    few = dataclasses.replace(series(), samples=series().samples[:2])

    assert errors(judge(CLOCK, measured(few), Wanted(max_drift=1.0))) == {"time.drift-unknown"}


@pytest.mark.parametrize(("running", "severity"), [("chrony", "warning"), ("ntpsec", "error")])
def test_a_clocksource_beyond_what_ntp_corrects(running: str, severity: str) -> None:
    clock = dataclasses.replace(CLOCK, current="acpi_pm", running=(running,), enabled=(running,))
    proof = judge(clock, measured(fast=2000.0), Wanted())

    assert [(finding.id, finding.severity) for finding in proof.findings] == [("time.frequency-error", severity)]
    assert "acpi_pm runs +2000.0" in proof.findings[0].message


def test_a_clocksource_within_what_ntp_corrects_is_held() -> None:
    proof = judge(CLOCK, measured(fast=300.0), Wanted(max_drift=1.0))

    assert proof.is_synchronised
    assert proof.findings == ()
    assert proof.against is not None
    assert proof.against.frequency_error == pytest.approx(300.0, abs=0.1)


def test_a_clock_that_was_set_meanwhile_is_told() -> None:
    before = measured(ahead=-5.0).readings[:10]
    after = tuple(
        one._replace(steady=two.steady)
        for one, two in zip(measured().readings[10:], measured(ahead=-5.0).readings[10:])
    )
    proof = judge(CLOCK, dataclasses.replace(measured(), readings=(*before, *after)), Wanted())

    assert proof.is_synchronised
    assert [finding.id for finding in proof.findings] == ["time.clock-set"]
    assert "+5.000 s" in proof.findings[0].message


def test_a_pause_meanwhile_is_told() -> None:
    jumped = tuple(
        sample if index < 3 else sample._replace(reference=sample.reference + 600 * SECOND)
        for index, sample in enumerate(series().samples)
    )
    proof = judge(CLOCK, measured(dataclasses.replace(series(), samples=jumped)), Wanted())

    assert "time.gap" in ids(proof)
    assert errors(proof) == {"time.offset"}
