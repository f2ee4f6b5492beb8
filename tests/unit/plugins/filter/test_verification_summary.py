# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.filter.verification_summary import FilterModule

summarise = FilterModule().filters()["verification_summary"]

WELL = {"verified": True, "has_baseline": True, "findings": [], "proofs": ["it runs on Hyper-V"]}
ALONE = {**WELL, "has_baseline": False, "proofs": []}
BROKEN = {
    "verified": False,
    "has_baseline": True,
    "findings": [
        {"severity": "error", "id": "verify.unit-failed", "message": "nginx has failed", "remedy": "look"},
        {"severity": "info", "id": "xen.sysctl", "message": "it is set", "remedy": "leave it"},
    ],
    "proofs": [],
}


def test_a_guest_that_is_well_shows_its_proofs() -> None:
    assert summarise({"web1": WELL}) == [
        "web1: verified, as it was before the move",
        "  it runs on Hyper-V",
        "1 of 1 verified",
    ]


def test_the_clock_is_told_with_what_is_certain_of_it() -> None:
    clock = {"synchronised": True, "reference": "/dev/ptp0", "offset": -0.0002504, "offset_uncertainty": 0.00004}
    told = "  the clock is right: -0.250 ms +/- 0.040 ms by /dev/ptp0"
    assert summarise({"web1": {**WELL, "clock": clock}})[2] == told


def test_a_clock_that_nothing_was_there_to_measure_against_is_the_word_of_its_service() -> None:
    clock = {"synchronised": True, "reference": None, "service": "openntpd", "offset": None}
    assert summarise({"web1": {**WELL, "clock": clock}})[2] == "  the clock is synchronised, says openntpd"


def test_a_clock_that_was_not_shown_to_be_right_is_told_with_the_reason_and_what_to_do() -> None:
    findings = [{"severity": "error", "remedy": "start chrony"}, {"severity": "info", "remedy": "name servers"}]
    clock = {"synchronised": False, "reason": "nothing keeps the clock", "findings": findings}
    assert summarise({"web1": {**ALONE, "clock": clock}})[1:-1] == [
        "  the clock was not shown to be right: nothing keeps the clock",
        "    -> start chrony",
    ]


def test_without_a_baseline_it_says_so() -> None:
    assert "no baseline" in summarise({"web1": ALONE})[0]


def test_what_is_wrong_is_told_with_a_remedy_and_information_is_left_out() -> None:
    assert summarise({"web1": BROKEN}) == [
        "web1: NOT VERIFIED",
        "  error verify.unit-failed: nginx has failed",
        "    -> look",
        "0 of 1 verified",
    ]


def test_the_order_of_hosts_is_kept_and_those_without_a_result_are_named() -> None:
    variables = {"a": {"migration_verify_result": WELL}, "b": {"migration_verify_result": None}, "c": {}}
    assert summarise(variables, ["b", "a", "d"]) == [
        "b: not looked at",
        "a: verified, as it was before the move",
        "  it runs on Hyper-V",
        "d: not looked at",
        "1 of 3 verified",
    ]
