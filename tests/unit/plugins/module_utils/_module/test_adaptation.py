# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""guest_adaptation as Ansible calls it."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING
from ansible_collections.rehost.hyperv.plugins.module_utils._module import adaptation
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, small_guest
from ansible_collections.rehost.hyperv.tests.unit.plugins.module_utils._module import test_guest_module

call = test_guest_module.call
DEFAULTS = {name: given.get("default") for name, given in adaptation.ARGUMENTS.items()}
MOVED = "=== /etc/network/interfaces\nauto eth0\niface eth0 inet dhcp\n"


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """A guest of which nothing has to be built: its images hold every driver."""
    guest_tree.build(small_guest.BASE + MOVED, tmp_path)
    return tmp_path


def test_check_mode_says_what_is_done_then_and_once_is_enough(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree)
    said = call("guest_adaptation", root=str(tree), check=True, diff=True)
    assert (said.status, said.result["changed"]) == (0, True), said
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []
    assert {shown["before_header"] for shown in said.result["diff"]} == {"/boot/grub/grub.cfg", "/etc/default/grub"}
    done = call("guest_adaptation", root=str(tree))
    assert (done.result["changes"], done.result["commands"]) == (said.result["changes"], said.result["commands"])
    again = call("guest_adaptation", root=str(tree))
    assert (again.result["changed"], again.result["changes"]) == (False, [])


def test_the_verdict_is_told_as_it_is_before_and_after(tree: pathlib.Path) -> None:
    fstab = tree / "etc/fstab"
    fstab.write_text(fstab.read_text() + "UUID=c0a81f3e-2b7d-4e59-8f10-93d4b6a7e8f9 none swap sw 0 0\n")
    (tree / "etc/modprobe.d").mkdir()
    (tree / "etc/modprobe.d/x.conf").write_text("blacklist hv_netvsc\n")
    answer = call("guest_adaptation", root=str(tree))
    blocking = {
        when: {found["id"] for found in answer.result[when]["findings"] if found["blocks"]}
        for when in ("before", "after")
    }
    assert blocking == {"before": {"xen.blacklists-hyperv"}, "after": set()}
    assert answer.result["before"]["hypervisor"] == "unknown"


def test_a_guest_elsewhere_is_an_error_and_stays_as_it_is(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree)
    test_guest_module.check_is_clear(
        call("guest_adaptation", root=str(tree), hypervisors=["hyperv"]), "this is for a guest on Hyper-V"
    )
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_without_boot_nothing_is_done_unless_it_is_asked_for(tree: pathlib.Path) -> None:
    assert call("guest_adaptation", root=str(tree), boot=False).result["changed"] is False
    staged = call("guest_adaptation", root=str(tree), boot=False, network=True, check=True)
    assert any("net" in change["path"] for change in staged.result["changes"]), staged


def test_arguments_are_what_the_planner_wants(tree: pathlib.Path) -> None:
    facts = small_guest.look(tree / "guest", MOVED, parts=EVERYTHING)
    arguments: t.Dict[str, t.Any] = {**DEFAULTS, "consoles": ["ttyS1"], "modules": ["dm_crypt"], "keep_xen": False}
    texts = [getattr(change, "after", "") or "" for change in adaptation.plan(facts, arguments).changes]
    assert any("console=ttyS1" in text for text in texts)
    judged = adaptation.judge(facts, arguments)
    assert (judged["ready"], judged["adapters"], judged["host_actions"]) == (True, [], [])


def test_secrets_in_profiles_of_networkmanager_are_not_shown(tree: pathlib.Path) -> None:
    (tree / "etc/network/interfaces").unlink()
    profile = tree / "etc/NetworkManager/system-connections/lan.nmconnection"
    profile.parent.mkdir(parents=True)
    profile.write_text(
        "[connection]\nid=lan\ntype=ethernet\n[ethernet]\nmac-address=00:16:3E:00:00:01\n[ipv4]\nmethod=auto\n"
        "[802-1x]\npassword=open-sesame\n"
    )
    answer = call("guest_adaptation", root=str(tree), network=True, check=True, diff=True)
    assert any(shown["before_header"].endswith("lan.nmconnection") for shown in answer.result["diff"]), answer
    assert "open-sesame" not in str(answer.result)
