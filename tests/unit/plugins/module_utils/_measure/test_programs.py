# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._measure import programs


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    monkeypatch.setitem(programs._ENVIRONMENT, "PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def script(directory: pathlib.Path, text: str) -> None:
    path = directory / "speaker"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_program_is_heard(directory: pathlib.Path) -> None:
    script(directory, 'echo "said $1"; echo complained >&2; exit 3')

    assert programs.ask(("speaker", "this")) == programs.Said("said this\n", "complained\n", 3)


def test_a_program_speaks_english_and_knows_no_time_zone(
    directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    script(directory, 'echo "$LC_ALL $LANG $TZ"')

    assert programs.ask(("speaker",)).text == "C  UTC\n"


def test_a_program_that_hangs_is_stopped(directory: pathlib.Path) -> None:
    script(directory, "exec sleep 60")
    begin = time.monotonic()

    said = programs.ask(("speaker",), timeout=0.2)

    assert said.status is None
    assert "no answer within" in said.complaint
    assert time.monotonic() - begin < 10


def test_a_program_that_is_not_there_says_so() -> None:
    assert programs.ask(("no-such-program",)) == programs.Said("", "no-such-program is not installed", None)


def test_a_program_that_cannot_be_run_says_so(directory: pathlib.Path) -> None:
    (directory / "speaker").write_text("")

    assert programs.ask((str(directory / "speaker"),)).status is None


def test_bytes_of_no_encoding_and_too_many_of_them_do_no_harm(directory: pathlib.Path) -> None:
    script(directory, r"printf '\377'; head -c 1000000 /dev/zero")

    text = programs.ask(("speaker",)).text

    assert text.startswith("\ufffd")
    assert len(text) == 1 << 18
