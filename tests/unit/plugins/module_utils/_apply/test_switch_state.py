# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.switch_state import (
    Adapter,
    SwitchDirectory,
    SwitchState,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError

STATE = SwitchState(
    token="0123",
    boot="a-boot",
    timeout=90.0,
    adapters=(Adapter(2, "eth0", "legacy0", True), Adapter(3, "eth1", "eth0", False)),
    names={"eth0": "eth0"},
    uppers=("br0",),
    back_ends=("ifupdown",),
    memory={"ifupdown": {"up": ["eth0=eth0"], "spare": []}},
    before={"gateway inet": "", "name server": "no answer"},
)


def test_a_state_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    directory = SwitchDirectory(os.fspath(tmp_path))
    directory.write(STATE)
    assert directory.read() == STATE


def test_there_is_no_state_before_the_first_switch(tmp_path: pathlib.Path) -> None:
    assert SwitchDirectory(os.fspath(tmp_path)).read() is None
    assert SwitchDirectory(os.fspath(tmp_path / "absent")).read() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"adapters": 1}', '{"adapters": [{"index": 1}]}'])
def test_a_damaged_state_is_an_error_that_says_where(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(GuestError) as caught:
        SwitchDirectory(os.fspath(tmp_path)).read()
    assert caught.value.path == os.fspath(tmp_path / "state.json")


def test_what_passed_before_is_required_and_what_is_given_up_is_parked() -> None:
    assert STATE.required == ("gateway inet",)
    assert STATE.parked == ("legacy0",)


def test_a_report_says_which_checks_passed_before_and_what_is_wrong_now() -> None:
    report = dataclasses.replace(STATE, now={"gateway inet": "silence"}, phase="put-back").report()
    assert report["is_over"]
    assert report["checks"] == {
        "gateway inet": {"passed_before": True, "problem": "silence"},
        "name server": {"passed_before": False, "problem": ""},
    }


def test_the_lock_is_held_until_the_last_descriptor_of_it_is_closed(tmp_path: pathlib.Path) -> None:
    directory = SwitchDirectory(os.fspath(tmp_path))
    lock = directory.lock()
    assert lock is not None
    other = os.dup(lock)
    assert directory.lock() is None
    os.close(lock)
    assert directory.is_locked()
    os.close(other)
    assert not directory.is_locked()


def test_only_the_token_of_the_switch_begins_and_confirms_it(tmp_path: pathlib.Path) -> None:
    directory = SwitchDirectory(os.fspath(tmp_path))
    directory.begin(STATE)
    (tmp_path / "go").write_text("another")
    directory.confirm("another", {"interface": "eth0"})
    assert not directory.may_go("0123")
    assert directory.confirmation("0123") is None
    (tmp_path / "go").write_text("0123")
    directory.confirm("0123", {"interface": "eth0"})
    assert directory.may_go("0123")
    assert directory.confirmation("0123") == {"interface": "eth0"}


def test_a_new_switch_is_not_begun_or_confirmed_by_the_word_for_the_last(tmp_path: pathlib.Path) -> None:
    directory = SwitchDirectory(os.fspath(tmp_path))
    (tmp_path / "go").write_text("0123")
    directory.confirm("0123", {})
    directory.begin(STATE)
    assert not directory.may_go("0123")
    assert directory.confirmation("0123") is None
