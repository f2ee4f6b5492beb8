# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import pathlib
import signal

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import programs
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError, ToolMissingError


def test_a_program_sees_little_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-j99")
    monkeypatch.setenv("ARCH", "arm")
    monkeypatch.setenv("CCACHE_DIR", "/cache")
    found = programs.environment({"TZ": "UTC"})
    assert not {"MAKEFLAGS", "ARCH"} & set(found)
    assert (found["CCACHE_DIR"], found["TZ"], found["LC_ALL"]) == ("/cache", "UTC", "C")


def test_the_systems_directories_are_always_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/compiler/bin")
    assert programs.environment({})["PATH"].startswith("/opt/compiler/bin:")
    assert "/usr/sbin" in programs.environment({})["PATH"].split(":")
    monkeypatch.delenv("PATH")
    assert "/sbin" in programs.environment({})["PATH"].split(":")


def test_what_a_program_prints_is_returned() -> None:
    assert programs.output_of("echo", "one", "two") == "one two\n"


def test_a_failure_is_an_error_with_what_was_said() -> None:
    with pytest.raises(GuestError, match="ended with status 3: no such luck"):
        programs.output_of("sh", "-c", "echo no such luck >&2; exit 3")


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolMissingError, match="no-such-program is not there"):
        programs.output_of("no-such-program")


def test_every_line_goes_to_the_log_and_to_the_caller(tmp_path: pathlib.Path) -> None:
    log = io.StringIO()
    lines: list[str] = []
    status = programs.follow(["sh", "-c", "echo a; echo b >&2; exit 4"], str(tmp_path), {}, log, lines.append)
    assert (status, lines) == (4, ["a", "b"])
    assert log.getvalue() == "$ sh -c echo a; echo b >&2; exit 4\na\nb\n"


def test_one_program_reads_what_another_prints() -> None:
    first, second = programs.pipe(["sh", "-c", "echo one; echo two >&2; exit 3"], ["tr", "a-z", "A-Z"])
    assert first == programs.Done(3, "", "two\n")
    assert second == programs.Done(0, "ONE\n", "")


def test_a_program_whose_reader_has_enough_ends_as_well() -> None:
    first, second = programs.pipe(["yes"], ["head", "-n", "1"])
    assert (first.status, second.output) == (-signal.SIGPIPE, "y\n")


def test_both_programs_of_a_pipe_are_named_when_they_are_not_there() -> None:
    for pair in ((["no-such-program"], ["cat"]), (["yes"], ["no-such-program"])):
        with pytest.raises(ToolMissingError, match="no-such-program is not there"):
            programs.pipe(*pair)
