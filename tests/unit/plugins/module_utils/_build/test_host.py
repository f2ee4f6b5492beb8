# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import stat

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.tests.unit import child_process


def test_there_is_a_processor_and_memory() -> None:
    assert host.processors() >= 1
    assert (host.available_memory() or 0) > 1 << 20


def test_space_is_that_of_where_the_directory_will_be(tmp_path: pathlib.Path) -> None:
    assert host.free_space(str(tmp_path / "not" / "there" / "yet")) > 0


def test_what_is_not_installed_is_named_in_order() -> None:
    assert host.missing_packages(("dpkg", "no-such-package", "coreutils", "nor-this")) == (
        "no-such-package",
        "nor-this",
    )


def test_too_little_space_is_an_error_with_both_figures(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GuestError, match=r"are free where .* takes up to 1048576\.0 GiB"):
        host.check_room(str(tmp_path), 1 << 50, 0, 2)
    host.check_room(str(tmp_path), 1, 1, 2)


def test_too_little_memory_is_an_error_that_names_the_jobs(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GuestError, match="2 compilers at a time take up to") as caught:
        host.check_room(str(tmp_path), 1, 1 << 50, 2)
    assert "jobs" in caught.value.hint


@pytest.mark.skipif(bool(host.missing_packages(("gcc", "make", "bison", "flex"))), reason="no compiler is installed")
def test_each_program_says_its_version_in_one_line() -> None:
    found = host.toolchain()
    assert "gcc" in found["gcc"]
    assert all(text and "\n" not in text for text in found.values())


def test_a_directory_is_made_for_its_user_alone(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "above" / "kernel"
    host.check_own(str(directory))
    assert not directory.exists()
    host.make_own(str(directory))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    host.make_own(str(directory))
    host.check_own(str(directory))


@pytest.mark.parametrize(("mode", "is_refused"), [(0o755, False), (0o775, True), (0o757, True), (0o1777, True)])
def test_a_directory_in_which_others_can_write_is_refused(tmp_path: pathlib.Path, mode: int, is_refused: bool) -> None:
    directory = tmp_path / "kernel"
    directory.mkdir()
    directory.chmod(mode)
    for look in (host.check_own, host.make_own):
        if is_refused:
            with pytest.raises(GuestError, match=rf"its mode is {mode:04o}, so that other users can write there"):
                look(str(directory))
        else:
            look(str(directory))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_directory_that_somebody_else_made_first_is_refused(tmp_path: pathlib.Path) -> None:
    directory, link = tmp_path / "kernel", tmp_path / "link"
    directory.mkdir(mode=0o755)
    link.symlink_to(directory)
    host.make_own(str(link))
    os.lchown(link, child_process.NOBODY, child_process.NOBODY)
    with pytest.raises(
        GuestError, match="it belongs to the user with the number 65534, and the build runs as number 0"
    ):
        host.make_own(str(link))
    os.chown(directory, child_process.NOBODY, child_process.NOBODY)
    with pytest.raises(GuestError, match="belongs to the user with the number 65534"):
        host.check_own(str(directory))


def test_what_is_no_directory_and_a_link_to_nothing_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(GuestError, match="it is no directory"):
        host.make_own(str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError):
        host.make_own(str(tmp_path / "link"))
