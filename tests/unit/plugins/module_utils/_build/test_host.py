# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError


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
