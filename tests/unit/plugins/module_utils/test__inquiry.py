# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _inquiry
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError


def program(directory: pathlib.Path, name: str, script: str) -> None:
    path = directory / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(_inquiry, "_SYSTEM_PATH", str(tmp_path))
    return tmp_path


def test_the_answer_is_what_the_program_says_in_english(programs: pathlib.Path) -> None:
    program(programs, "ip", 'echo "$* $LC_ALL"; echo no answer >&2')
    assert _inquiry.ask("addresses") == "-json address show C\n"


def test_without_the_program_there_is_no_answer(programs: pathlib.Path) -> None:
    assert _inquiry.ask("units") is None


def test_a_program_that_fails_gives_its_reason(programs: pathlib.Path) -> None:
    program(programs, "journalctl", "echo no journal files >&2; exit 1")
    with pytest.raises(GuestError, match="status 1: no journal files"):
        _inquiry.ask("errors")


def test_the_state_of_systemd_is_told_with_a_status(programs: pathlib.Path) -> None:
    program(programs, "systemctl", "echo degraded; exit 1")
    assert _inquiry.ask("phase") == "degraded\n"


def test_a_program_that_hangs_is_not_waited_for(programs: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inquiry, "TIMEOUT", 0.2)
    program(programs, "ip", "exec /bin/sleep 60")
    with pytest.raises(GuestError, match="timed out"):
        _inquiry.ask("routes 4")
