# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it, but in this process, on this machine, whatever time service it has."""

from __future__ import annotations

import io
import json
import sys
import time
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.rehost.hyperv.plugins.module_utils._module.time_sync import Patience
from ansible_collections.rehost.hyperv.plugins.modules import time_sync_info
from ansible_collections.rehost.hyperv.tests.unit.ntp_server import answer, serving


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Callable[..., t.Dict[str, t.Any]]:
    def call(**arguments: t.Any) -> t.Dict[str, t.Any]:
        given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        monkeypatch.setattr(sys, "argv", ["time_sync_info"])
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", given)
        if hasattr(basic, "_ANSIBLE_PROFILE"):
            monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy")
        with pytest.raises(SystemExit):
            time_sync_info.main()
        return t.cast("t.Dict[str, t.Any]", json.loads(capsys.readouterr().out))

    return call


def only(result: t.Mapping[str, t.Any], finding: str) -> t.List[t.Dict[str, t.Any]]:
    return [found for found in result["findings"] if found["id"] == finding]


def test_a_server_that_is_minutes_wrong_shows(
    run: t.Callable[..., t.Dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch) as start:
        start("127.0.0.1", lambda request: (answer(request, ahead=180.0),))
        result = run(servers=["127.0.0.1", "127.0.0.1"], interval=1)

    assert result["changed"] is False
    assert result["synchronised"] is False
    assert [one["name"] for one in result["references"] if one["kind"] == "server"] == ["127.0.0.1"]
    assert result["references"][-1]["offset"] == pytest.approx(-180.0, abs=0.1)
    assert len(result["references"][-1]["samples"]) == 8
    assert set(result["references"][-1]["samples"][0]) == {"time", "offset", "uncertainty"}


def test_of_three_servers_the_wrong_one_is_named(
    run: t.Callable[..., t.Dict[str, t.Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(monkeypatch) as start:
        start("127.0.0.1")
        start("127.0.0.2")
        start("127.0.0.3", lambda request: (answer(request, ahead=180.0),))
        result = run(servers=["127.0.0.1", "127.0.0.2", "127.0.0.3"], interval=2, max_offset=0.5)

    assert [found["subject"] for found in only(result, "time.falseticker")] == ["127.0.0.3"]
    assert result["reference"] in ("127.0.0.1", "127.0.0.2")
    assert abs(result["offset"]) <= result["offset_uncertainty"]
    # of 95 %, so that one of twenty measurements is further away, and more where the machine is busy
    assert abs(result["drift"]) <= 4 * result["drift_uncertainty"]
    assert [one["trusted"] for one in result["references"]] == [True, True, False]


def test_who_waits_fails_in_the_end_and_is_told_why(run: t.Callable[..., t.Dict[str, t.Any]]) -> None:
    begin = time.monotonic()
    result = run(wait=1, interval=1, max_stratum=0, servers=["127.99.0.1"])

    assert 1 <= time.monotonic() - begin < 30
    assert result["failed"]
    assert result["msg"].startswith("The clock is not synchronised after 1 s: ")
    assert result["reason"] in result["msg"]
    assert result["synchronised"] is False
    assert only(result, "time.no-reply")


def test_a_guest_that_was_paused_has_not_waited_that_long() -> None:
    patience = Patience(200.0, longest=61.0)
    for _attempt in range(3):
        patience.spend(3600.0)
        assert not patience.is_over
    patience.spend(16.0)
    assert not patience.is_over
    patience.spend(1.0)
    assert patience.is_over


@pytest.mark.parametrize("arguments", [{"interval": 0.5}, {"interval": 3601}, {"wait": -1}])
def test_what_makes_no_sense_is_refused(
    arguments: t.Dict[str, t.Any], run: t.Callable[..., t.Dict[str, t.Any]]
) -> None:
    result = run(**arguments)

    assert result["failed"]
    assert "an interval is 1 to 3600 s" in result["msg"]
