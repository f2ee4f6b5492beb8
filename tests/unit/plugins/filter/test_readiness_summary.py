# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.filter.readiness_summary import FilterModule

summarise = FilterModule().filters()["readiness_summary"]

READY = {"ready": True, "generations": [1, 2], "kernels": [], "findings": []}
NOT_READY = {
    "ready": False,
    "generations": [],
    "kernels": [
        {
            "version": "6.1.0-50-amd64",
            "is_default": True,
            "generation1": {"boots": False, "why": ["the initramfs lacks hv_storvsc"]},
            "generation2": {"boots": True, "why": ["its root is found by hv_storvsc"]},
        },
        {
            "version": "5.10.0-1-amd64",
            "is_default": False,
            "generation1": {"boots": False, "why": ["not asked for"]},
            "generation2": {"boots": False, "why": ["not asked for"]},
        },
    ],
    "findings": [
        {"severity": "error", "id": "initramfs.missing-module", "message": "it lacks one", "remedy": "put it in"},
        {"severity": "info", "id": "xen.guest-tools", "message": "they are there", "remedy": "leave them"},
    ],
}


def test_a_ready_guest_takes_one_line_with_its_generations():
    assert summarise({"web1": READY}) == ["web1: ready, boots on generation 1 and 2", "1 of 1 ready"]


def test_a_guest_that_is_not_ready_says_why_and_what_to_do():
    assert summarise({"web1": NOT_READY}) == [
        "web1: NOT READY",
        "  kernel 6.1.0-50-amd64, generation 1: the initramfs lacks hv_storvsc",
        "  error initramfs.missing-module: it lacks one",
        "    -> put it in",
        "0 of 1 ready",
    ]


def test_a_kernel_that_should_be_another_is_named():
    def line(action, **more):
        advice = {"action": action, "kernel": None, "package": None, "reasons": ["one", "two", "three"], **more}
        return summarise({"web1": {**READY, "kernel_advice": advice}})[1:-1]

    assert line("keep", kernel="6.1.0-50-amd64") == []
    assert line("switch", kernel="6.1.0-50-amd64") == ["  kernel: start kernel 6.1.0-50-amd64 by default: one; two"]
    assert line("newer", package="linux-image-amd64") == ["  kernel: install linux-image-amd64: one; two"]
    assert line("backports", package="linux-image-amd64") == [
        "  kernel: install linux-image-amd64 from this release's backports: one; two"
    ]
    assert line("build") == ["  kernel: build one: one; two"]


def test_the_variables_of_hosts_are_understood():
    hosts = {"b": {"migration_assess_readiness": READY}, "a": {"migration_assess_readiness": NOT_READY}}
    lines = summarise(hosts, ["b", "a"])
    assert lines[0].startswith("b: ready")
    assert lines[1] == "a: NOT READY"
    assert lines[-1] == "1 of 2 ready"


def test_a_host_that_did_not_answer_is_not_judged():
    assert summarise({"a": {}, "b": {"migration_assess_readiness": {"unreachable": True}}}) == [
        "a: not judged",
        "b: not judged",
        "0 of 2 ready",
    ]
