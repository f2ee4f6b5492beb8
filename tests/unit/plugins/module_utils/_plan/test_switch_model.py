# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Nic
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Finding, Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.switch_model import HostAction, Pair, Switch

LEGACY = Nic("eth0", "00:15:5d:00:00:01", "tulip", "legacy", "pci", "up", None)


def test_a_pair_reports_its_adapters_and_none_for_one_that_is_not_there() -> None:
    assert Pair("eth0", "lan0", "ifupdown", LEGACY, None, "order").report() == {
        "configured": "eth0",
        "name": "lan0",
        "stack": "ifupdown",
        "old": {"name": "eth0", "mac": "00:15:5d:00:00:01", "driver": "tulip", "kind": "legacy"},
        "synthetic": None,
        "by": "order",
        "macs": (),
    }


def test_a_host_action_reports_why_the_collection_cannot_do_it() -> None:
    action = HostAction("remove-legacy-adapter", "it is slow", "Get-VM", None, "it has no such option")
    assert action.report()["why_not"] == "it has no such option"
    assert action.report()["microsoft_hyperv"] is None


def test_a_switch_has_the_findings_of_its_plan() -> None:
    finding = Finding("network.xen-name", "warning", "/etc/network/interfaces", "it is named so", "rename it")
    assert Switch(Plan(findings=(finding,))).findings == (finding,)
