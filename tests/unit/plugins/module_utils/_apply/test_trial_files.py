# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.programs import Programs
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.trial_files import TrialFile, hide, is_shown, show
from ansible_collections.rehost.hyperv.tests.unit import child_process


@pytest.fixture
def run() -> t.Callable[[t.Callable[[Programs], t.Any]], t.Any]:
    """Does something with mounts and a /run of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root")

    def inside(work: t.Callable[[Programs], t.Any]) -> t.Any:
        child_process.leave_mounts()
        child_process.mount("tmpfs", "/run", "tmpfs")
        return work(Programs(print))

    return lambda work: child_process.call(lambda: inside(work))


def test_a_file_looks_as_it_would_be_and_is_not_written(run: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "with space"
    path.write_text("before\n")
    path.chmod(0o640)
    os.chown(path, 5, 6)

    def work(programs: Programs) -> t.Any:
        show(programs, [TrialFile(os.fspath(path), "after\udcff\n")])
        found = path.stat()
        seen = path.read_bytes(), found.st_mode & 0o7777, found.st_uid, found.st_gid, is_shown(os.fspath(path))
        problems = hide(programs, [os.fspath(path)])
        assert not os.path.exists("/run/rehost-hyperv")
        return seen, problems, path.read_text(), is_shown(os.fspath(path))

    seen, problems, after, is_left = run(work)
    assert seen == (b"after\xff\n", 0o640, 5, 6, True)
    assert (problems, after, is_left) == ([], "before\n", False)
    assert path.read_text() == "before\n"


def test_a_file_that_is_to_go_is_empty_for_the_trial(run: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "10-old.link"
    path.write_text("[Match]\n")

    def work(programs: Programs) -> str:
        show(programs, [TrialFile(os.fspath(path), None)])
        return path.read_text()

    assert run(work) == ""


def test_a_link_stays_and_its_target_is_shown_otherwise(run: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "target").write_text("before\n")
    (tmp_path / "link").symlink_to("target")

    def work(programs: Programs) -> t.Any:
        show(programs, [TrialFile(os.fspath(tmp_path / "link"), "after\n")])
        seen = (tmp_path / "target").read_text()
        return seen, hide(programs, [os.fspath(tmp_path / "link")]), (tmp_path / "target").read_text()

    assert run(work) == ("after\n", [], "before\n")


def test_hiding_what_is_not_shown_does_nothing(run: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    assert run(lambda programs: hide(programs, [os.fspath(tmp_path / "file"), "/no/such/file"])) == []
