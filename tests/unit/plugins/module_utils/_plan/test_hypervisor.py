# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

"""Every situation in fixtures/hypervisor has a verdict. What is before the first header there says which, by hand."""

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import hypervisor as facts
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Evidence, Hypervisor
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import hypervisor as plan
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

CASES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((pathlib.Path(__file__).parents[3] / "fixtures" / "hypervisor").glob("*.txt"))
}


def expected(manifest: str) -> dict[str, str]:
    lines = guest_tree.description(manifest).split("\n")[1:]
    return {key: value.strip() for key, _colon, value in (line.partition(":") for line in lines)}


def judge(manifest: str, path: pathlib.Path) -> plan.Verdict:
    guest_tree.build(manifest, path)
    log = path / "kernel-log"
    problems: list[object] = []
    verdict = plan.judge(facts.gather(Root(str(path)), problems.append, log.read_text() if log.exists() else None))
    assert problems == []
    return verdict


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_right(case: str, tmp_path: pathlib.Path) -> None:
    wanted = expected(CASES[case])

    verdict = judge(CASES[case], tmp_path)

    assert verdict.name == wanted["name"]
    assert str(verdict.generation or "none") == wanted["generation"]
    assert verdict.is_azure == (wanted.get("azure") == "yes")
    assert verdict.container_on == wanted.get("container on")
    against = {f"{evidence.source}={evidence.points_to}" for evidence in verdict.contradictions}
    assert against == (set() if wanted["contradictions"] == "none" else set(wanted["contradictions"].split("; ")))


@pytest.mark.parametrize("case", CASES)
def test_the_explanation_names_every_contradiction(case: str, tmp_path: pathlib.Path) -> None:
    verdict = judge(CASES[case], tmp_path)

    assert verdict.explanation.endswith(".")
    assert all(evidence.value in verdict.explanation for evidence in verdict.contradictions)
    assert ("contradicts itself" in verdict.explanation) == bool(verdict.contradictions)


@pytest.mark.parametrize("case", CASES)
def test_no_evidence_speaks_for_and_against(case: str, tmp_path: pathlib.Path) -> None:
    verdict = judge(CASES[case], tmp_path)

    assert not set(verdict.evidence) & set(verdict.contradictions)


def test_there_is_a_case_for_every_situation_that_fools_others() -> None:
    names = {expected(manifest)["name"] for manifest in CASES.values()}

    assert len(CASES) >= 38
    assert names == {
        "container",
        "hyperv",
        "hyperv-root-partition",
        "kvm",
        "physical",
        "qemu",
        "unknown",
        "virtualbox",
        "vmware",
        "wsl2",
        "xen-dom0",
        "xen-hvm",
        "xen-pv",
    }


def test_without_any_evidence_nothing_is_claimed() -> None:
    verdict = plan.judge(Hypervisor((), None, None, None, None, False, ()))

    assert verdict.name == "unknown"
    assert verdict.generation is None
    assert "not running" in verdict.explanation


def test_the_order_of_evidence_does_not_matter(tmp_path: pathlib.Path) -> None:
    guest_tree.build(CASES["xen-hvm-viridian"], tmp_path)
    found = facts.gather(Root(str(tmp_path)), pytest.fail)
    backwards = Hypervisor(found.evidence[::-1], None, found.features, None, found.is_uefi, False, ())

    assert plan.judge(backwards).name == "xen-hvm"


def test_a_pvh_domain_is_told_from_the_others() -> None:
    evidence = (
        Evidence("/sys/hypervisor/type", "xen", "xen", "interface"),
        Evidence("/sys/hypervisor/guest_type", "PVH", "xen-pvh", "interface"),
    )

    assert plan.judge(Hypervisor(evidence, None, None, None, None, False, ())).name == "xen-pvh"


def test_a_report_is_plain_data(tmp_path: pathlib.Path) -> None:
    report = judge(CASES["hyperv-gen1-debian12"], tmp_path).report()

    assert report["name"] == "hyperv"
    assert report["evidence"][0]["points_to"]


def test_this_machine_gets_a_verdict() -> None:
    problems: list[object] = []

    verdict = plan.judge(facts.gather(Root("/"), problems.append))

    assert verdict.explanation
