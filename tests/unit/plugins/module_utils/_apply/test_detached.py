# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import signal
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.detached import detach, leave_session
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.programs import Programs
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.tests.unit import child_process


def wait_for(path: pathlib.Path) -> str:
    deadline = time.monotonic() + 20
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.read_text()


def nothing() -> None:
    pass


def test_the_process_outlives_the_one_that_started_it_and_its_session(tmp_path: pathlib.Path) -> None:
    def work() -> None:
        time.sleep(0.3)
        (tmp_path / "done").write_text(f"{os.getsid(0)} {os.getppid()}")

    def starter() -> None:
        os.setsid()
        detach(work, os.fspath(tmp_path / "log"), (), nothing)
        (tmp_path / "session").write_text(str(os.getsid(0)))
        os.killpg(0, signal.SIGHUP)

    child_process.run(starter)
    session, _parent = wait_for(tmp_path / "done").split()
    assert session != (tmp_path / "session").read_text()


def test_no_pipe_of_the_caller_is_kept_open_but_those_that_are_asked_for(tmp_path: pathlib.Path) -> None:
    reader, writer = os.pipe()
    kept = os.open(os.fspath(tmp_path / "kept"), os.O_WRONLY | os.O_CREAT)

    def work() -> None:
        os.write(kept, b"kept")
        time.sleep(3)

    began = time.monotonic()
    detach(work, os.fspath(tmp_path / "log"), (kept,), nothing)
    os.close(writer)
    assert os.read(reader, 1) == b""
    assert time.monotonic() - began < 2
    assert wait_for(tmp_path / "kept") == "kept"
    os.close(reader)
    os.close(kept)


def test_output_and_errors_go_to_the_log(tmp_path: pathlib.Path) -> None:
    def work() -> None:
        print("what happens")
        raise ValueError("and what does not")

    detach(work, os.fspath(tmp_path / "log"), (), nothing)
    assert wait_for(tmp_path / "log").startswith("what happens\n")


def test_a_process_that_cannot_prepare_is_an_error_of_the_caller(tmp_path: pathlib.Path) -> None:
    def prepare() -> None:
        raise OSError("no room")

    with pytest.raises(GuestError) as caught:
        detach(nothing, os.fspath(tmp_path / "log"), (), prepare)
    assert caught.value.path == os.fspath(tmp_path / "log")


def test_without_systemd_there_is_no_scope_to_go_to() -> None:
    if os.path.isdir("/run/systemd/system"):
        pytest.skip("needs a machine without systemd")
    notes: t.List[str] = []
    assert not leave_session(Programs(notes.append), "rehost-hyperv-test")
    assert notes == []
