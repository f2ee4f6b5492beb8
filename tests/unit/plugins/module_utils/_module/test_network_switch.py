# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import network_rules
from ansible_collections.rehost.hyperv.plugins.modules import nic_switch, rollback
from ansible_collections.rehost.hyperv.tests.unit import guest_tree
from ansible_collections.rehost.hyperv.tests.unit.network_guest import BASE, MAC, XEN_MAC

INTERFACES = "=== /etc/network/interfaces\nauto enX0\niface enX0 inet dhcp\n"
PROFILE = "/etc/NetworkManager/system-connections/wired.nmconnection"

Run = t.Callable[..., t.Dict[str, t.Any]]


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_module(main: t.Callable[[], None] = nic_switch.main, **arguments: t.Any) -> dict[str, t.Any]:
        passed = {"root": str(tmp_path), **arguments}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": passed}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit):
            main()
        result: dict[str, t.Any] = json.loads(capsys.readouterr().out)
        return result

    return run_module


def test_a_staged_switch_is_done_once_and_rolled_back_to_the_byte(run: Run, tmp_path: pathlib.Path) -> None:
    guest_tree.build(BASE + INTERFACES, tmp_path)
    before = guest_tree.snapshot(tmp_path)
    checked = run(_ansible_check_mode=True, _ansible_diff=True)
    assert checked["changed"] is True
    assert checked["diff"][0]["after_header"] == network_rules.PATH
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path), directory_times=True) == []
    first = run()
    assert (first["changed"], [change["path"] for change in first["changes"]]) == (True, [network_rules.PATH])
    assert (tmp_path / network_rules.PATH.lstrip("/")).read_text() == network_rules.render(
        [network_rules.Naming("enX0")]
    )
    second = run()
    assert (second["changed"], second["changes"], second["live"]) == (False, [], None)
    assert second["pairs"][0]["configured"] == "enX0"
    assert run(rollback.main)["changed"] is True
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path), directory_times=True) == []


def test_what_cannot_be_paired_fails_and_writes_nothing(run: Run, tmp_path: pathlib.Path) -> None:
    guest_tree.build(BASE + INTERFACES, tmp_path)
    before = guest_tree.snapshot(tmp_path)
    result = run(pairs=[{"from": "eth9", "to": MAC}])
    assert result["failed"] is True
    assert "eth9 is not configured" in result["msg"]
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path), directory_times=True) == []


def test_a_file_that_is_damaged_fails_and_nothing_is_written(run: Run, tmp_path: pathlib.Path) -> None:
    guest_tree.build(BASE + INTERFACES + "=== /etc/systemd/network/10-a.network\n[Match\nName=enX0\n", tmp_path)
    before = guest_tree.snapshot(tmp_path)
    result = run()
    assert result["failed"] is True
    assert result["path"] == "/etc/systemd/network/10-a.network"
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path), directory_times=True) == []


@pytest.mark.parametrize("arguments", [{"mode": "live"}, {"mode": "live", "confirm": "1234"}])
def test_only_a_running_guest_is_switched_live(run: Run, arguments: dict[str, str], tmp_path: pathlib.Path) -> None:
    guest_tree.build(BASE + INTERFACES, tmp_path)
    result = run(**arguments)
    assert result["failed"] is True
    assert "mode live is for a running guest" in result["msg"]


@pytest.mark.skipif(os.geteuid() != 0, reason="the profile is root's alone")
def test_the_difference_shows_no_secret(run: Run, tmp_path: pathlib.Path) -> None:
    profile = (
        "[connection]\nid=wired\ntype=ethernet\n\n[ethernet]\n"
        f"mac-address={XEN_MAC}\n\n[802-1x]\neap=peap;\nidentity=me\npassword=topsecret\n"
    )
    guest_tree.build(f"{BASE}=== {PROFILE} mode=0600\n{profile}", tmp_path)
    result = run(_ansible_diff=True)
    assert [change["path"] for change in result["changes"]] == [network_rules.PATH, PROFILE]
    assert "topsecret" not in json.dumps(result)
    assert "password=topsecret" in (tmp_path / PROFILE.lstrip("/")).read_text()
