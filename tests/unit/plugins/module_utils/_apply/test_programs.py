# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._apply.programs import Programs


def programs() -> t.Tuple[Programs, t.List[str]]:
    notes: t.List[str] = []
    return Programs(notes.append), notes


def test_what_a_program_says_and_how_it_ends_is_known() -> None:
    done = programs()[0].run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.status, done.output, done.is_good) == (3, "out\nerr\n", False)
    assert done.problem() == "`sh -c echo out; echo err >&2; exit 3` ended with status 3: out err"


def test_a_program_that_is_not_there_is_no_exception() -> None:
    done = programs()[0].run("no-such-program")
    assert done.status is None
    assert "there is no such program" in done.problem()


def test_a_program_that_does_not_end_is_ended_with_all_that_it_started() -> None:
    began = time.monotonic()
    done = programs()[0].run("sh", "-c", "sleep 60 & echo $!; wait", seconds=0.3)
    assert done.status is None
    assert time.monotonic() - began < 10
    pid = done.output.split()[0]
    time.sleep(0.1)
    assert programs()[0].run("sh", "-c", f"test ! -d /proc/{pid} || grep -q '^State:.Z' /proc/{pid}/status").is_good


def test_what_a_program_leaves_running_is_not_waited_for() -> None:
    began = time.monotonic()
    assert programs()[0].run("sh", "-c", "sleep 5 & echo started").output == "started\n"
    assert time.monotonic() - began < 4


def test_nothing_of_the_environment_of_the_caller_reaches_a_program() -> None:
    names = {line.partition("=")[0] for line in programs()[0].run("env").output.splitlines()}
    assert names == {"PATH", "LC_ALL", "HOME"}


def test_what_is_run_is_noted_and_what_is_asked_is_not() -> None:
    running, notes = programs()
    running.ask("true")
    running.run("false")
    assert [note.rpartition(",")[0] for note in notes] == ["false: status 1"]


def test_programs_are_found_where_the_system_has_them() -> None:
    assert programs()[0].has("sh")
    assert not programs()[0].has("no-such-program")
