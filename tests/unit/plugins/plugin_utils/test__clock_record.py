# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import clocksource
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_record
from ansible_collections.rehost.hyperv.tests.unit import clock_measurements as measured
from hypothesis import given
from hypothesis import strategies as st

TAKEN = "2026-10-01T12:00:00Z"


def made(**changes: t.Any) -> dict[str, t.Any]:
    return _clock_record.make(measured.proof(**changes), measured.guest(), host="web1", label="", taken=TAKEN)


def test_a_record_that_is_read_is_the_one_that_was_written() -> None:
    events = [{"kind": "gap", "at": measured.BEGIN, "amount": 60.0, "reference": measured.NTP}]
    findings = [
        {"id": "time.gap", "severity": "info", "subject": "", "message": "paused", "remedy": "", "blocks": False}
    ]
    document = made(events=events, findings=findings)

    record = _clock_record.read(json.dumps(document))

    assert _clock_record.write(record) == document
    assert (record.host, record.label, record.clocksource) == ("web1", "hyperv", "hyperv_clocksource_tsc_page")
    assert record.references[0].samples[1].reference_time == pytest.approx(measured.BEGIN + 10)
    assert record.events == (("gap", measured.BEGIN, 60.0, measured.NTP),)


@pytest.mark.parametrize(
    ("where", "label"),
    [
        (measured.guest("xen-hvm", "xen", ["xen"]), "xen"),
        (measured.guest("xen-pv", "xen", ["xen"]), "xen"),
        (measured.guest("xen-hvm", "xen", ["emulated"]), "xen-emulated"),
        (measured.guest(), "hyperv"),
        (measured.guest(nics=["legacy"]), "hyperv-emulated"),
        (measured.guest(nics=["legacy", "synthetic"]), "hyperv-emulated"),  # the default route is on the first
        (measured.guest(nics=["synthetic", "legacy"]), "hyperv"),
        (measured.guest(clocksource="acpi_pm"), "hyperv-emulated"),
        (measured.guest("physical", "hpet", ["other"]), "physical"),
        (dict(measured.guest(nics=["synthetic", "legacy"]), default_routes=[]), "hyperv"),
        ({}, "unknown"),
    ],
)
def test_the_moment_is_named_after_hypervisor_and_devices(where: t.Mapping[str, t.Any], label: str) -> None:
    assert _clock_record.moment(where) == label


def test_the_emulated_clocksources_are_those_of_the_verdict() -> None:
    assert _clock_record.EMULATED_CLOCKSOURCES == clocksource.EMULATED


def test_two_measurements_never_have_the_same_file() -> None:
    names = {
        _clock_record.file_name(_clock_record.make(proof, measured.guest(), host=host, label="", taken=TAKEN))
        for proof in (measured.proof(), measured.proof(drift=1.0))
        for host in ("a/b", "a_b", "a b", "../etc/passwd")
    }
    assert len(names) == 8
    assert not [name for name in names if "/" in name or name.startswith(".")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no object"),
        ("{}", "not a record of a clock"),
        ('{"schema": 1}', "schema"),
        (json.dumps({**made(), "version": 2}), "version 2"),
        (json.dumps({**made(), "version": None}), "version None"),
        (json.dumps({**made(), "host": ""}), "host"),
        (json.dumps({**made(), "taken": "yesterday"}), "taken"),
        (json.dumps({**made(), "clock": None}), "synchronised"),
        (json.dumps(made()).replace("0.05", "NaN"), "NaN"),
        (json.dumps(made()).replace("0.05", "-1"), "negative"),
        (json.dumps(made()).replace("0.05", "1e300"), "a clock could show"),
        (json.dumps(made()).replace("0.05", "1e999"), "a clock could show"),
        (json.dumps(made()).replace("0.05", "1" + "0" * 400), "a clock could show"),
        (json.dumps(made()).replace("0.05", "true"), "a number"),
        (json.dumps(made()).replace("0.05", '"0"'), "a number"),
    ],
)
def test_what_is_no_record_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        _clock_record.read(text)


def test_a_guest_cannot_fill_the_disk() -> None:
    with pytest.raises(MalformedError, match="more than"):
        made(references=[measured.reference(measured.NTP, [0.0] * 30_000)])
    with pytest.raises(MalformedError, match="more than"):
        made(findings=[{"id": "x", "severity": "error"}] * 1000)
    assert len(made(reason="x" * 10_000)["clock"]["reason"]) < 600


@given(st.text())
def test_what_is_shown_is_printable(text: str) -> None:
    shown = _clock_record.printable(text)
    assert shown.isprintable()
    assert _clock_record.printable(shown) == shown


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(measured.proof())), VALUES)
def test_whatever_a_guest_returns_is_kept_or_refused(name: str, value: t.Any) -> None:
    try:
        document = made(**{name: value})
    except MalformedError:
        return
    text = json.dumps(document, allow_nan=False)
    assert _clock_record.write(_clock_record.read(text)) == document
