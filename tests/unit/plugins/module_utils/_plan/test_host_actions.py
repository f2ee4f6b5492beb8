# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Nic
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import host_actions
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.switch_model import HostAction, Pair
from ansible_collections.rehost.hyperv.tests.unit.network_guest import MAC, MAC_2, XEN_MAC, nic

LEGACY = nic("legacy0", "legacy", MAC)
SYNTHETIC = nic("eth0", "synthetic", MAC_2)


def actions(
    *pairs: Pair, nics: t.Sequence[Nic] = (), generation: int | None = 1, **options: t.Any
) -> tuple[HostAction, ...]:
    defaults: dict[str, t.Any] = {"is_hyperv": True, "vm_name": "web1", "keep_legacy": False, **options}
    return host_actions.actions(pairs, nics, generation=generation, **defaults)


def paired(synthetic: Nic | None, *macs: str, old: Nic | None = None) -> Pair:
    return Pair("eth0", "eth0", "ifupdown", old, synthetic, "order", macs)


def test_an_adapter_that_is_missing_on_hyper_v_is_to_be_added_while_generation_1_is_off() -> None:
    [action] = actions(paired(None, XEN_MAC))
    lines = action.powershell.split("\n")
    assert lines[0] == "Stop-VM -Name 'web1'"
    assert lines[1].startswith("Add-VMNetworkAdapter -VMName 'web1' -Name 'eth0' -SwitchName ")
    assert lines[1].endswith("-StaticMacAddress '00163E000001'")
    assert action.microsoft_hyperv == {
        "module": "microsoft.hyperv.hv_network_adapter",
        "options": {
            "vm_name": "web1",
            "name": "eth0",
            "switch_name": host_actions.UNKNOWN_SWITCH,
            "state": "present",
            "mac_address": XEN_MAC,
        },
    }


def test_generation_2_need_not_be_off() -> None:
    assert "Stop-VM" not in actions(paired(None), generation=2)[0].powershell


def test_on_xen_the_host_has_something_to_do_only_where_addresses_are_to_be_kept() -> None:
    assert actions(paired(None), is_hyperv=False) == ()
    assert [action.action for action in actions(paired(None, XEN_MAC), is_hyperv=False)] == ["add-adapter"]


@pytest.mark.parametrize(("mac", "expected"), [(MAC_2, ["set-static-mac"]), (XEN_MAC, [])])
def test_an_address_of_hyper_v_s_own_is_to_be_made_static_where_the_guest_relies_on_it(
    mac: str, expected: list[str]
) -> None:
    assert [action.action for action in actions(paired(nic("eth0", "synthetic", mac), mac))] == expected
    assert actions(paired(nic("eth0", "synthetic", mac))) == ()


@pytest.mark.parametrize(
    ("synthetic", "keep_legacy", "expected"),
    [(SYNTHETIC, False, ["remove-legacy-adapter"]), (SYNTHETIC, True, []), (None, False, ["add-adapter"])],
)
def test_the_legacy_adapter_goes_when_the_synthetic_one_is_there_and_nobody_keeps_it(
    synthetic: Nic | None, keep_legacy: bool, expected: list[str]
) -> None:
    found = actions(paired(synthetic, old=LEGACY), nics=[LEGACY], keep_legacy=keep_legacy)
    assert [action.action for action in found] == expected


def test_what_the_collection_cannot_express_says_why() -> None:
    for action in actions(paired(SYNTHETIC, MAC_2), nics=[LEGACY, SYNTHETIC]):
        assert action.microsoft_hyperv is None
        assert action.why_not


def test_a_name_that_nobody_knows_is_left_to_fill_in() -> None:
    [action] = actions(paired(None), vm_name=None)
    assert f"'{host_actions.UNKNOWN_MACHINE}'" in action.powershell
