# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem, TextFile
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.reader import Reader
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root


@pytest.fixture
def problems() -> list[Problem]:
    return []


@pytest.fixture
def reader(tmp_path: pathlib.Path, problems: list[Problem]) -> Reader:
    (tmp_path / "conf.d").mkdir()
    return Reader(Root(str(tmp_path)), problems.append)


def test_a_text_has_the_path_that_was_asked_for(tmp_path: pathlib.Path, reader: Reader) -> None:
    (tmp_path / "file").write_bytes(b" a\xff\n")
    os.symlink("file", tmp_path / "link")
    assert reader.text("/link") == TextFile("/link", " a\udcff\n")
    assert reader.value("/link") == "a\udcff"


def test_what_is_absent_is_nothing_and_no_problem(reader: Reader, problems: list[Problem]) -> None:
    assert (reader.text("/no"), reader.value("/no"), reader.names("/no")) == (None, None, ())
    assert reader.texts("/no") == ()
    assert not reader.exists("/no")
    assert problems == []


def test_what_cannot_be_read_is_nothing_and_a_problem(
    tmp_path: pathlib.Path, reader: Reader, problems: list[Problem]
) -> None:
    os.mkfifo(tmp_path / "fifo")
    os.symlink("loop", tmp_path / "loop")
    assert reader.text("/fifo") is None
    assert reader.names("/loop") == ()
    assert not reader.exists("/loop")
    assert [problem.path for problem in problems] == ["/fifo", "/loop", "/loop"]
    assert "not a regular file" in problems[0].message


def test_the_texts_of_a_directory_are_its_visible_files_with_the_ending_by_name(
    tmp_path: pathlib.Path, reader: Reader, problems: list[Problem]
) -> None:
    for name in ("b.conf", "a.conf", ".hidden.conf", "c.txt", ".a.conf.rehost-new"):
        (tmp_path / "conf.d" / name).write_text(name)
    (tmp_path / "conf.d" / "d.conf").mkdir()
    os.mkfifo(tmp_path / "conf.d" / "e.conf")
    os.symlink("/no", tmp_path / "conf.d" / "f.conf")
    os.symlink("../conf.d/c.txt", tmp_path / "conf.d" / "g.conf")
    found = reader.texts("/conf.d", ".conf")
    assert [(file.path, file.text) for file in found] == [
        ("/conf.d/a.conf", "a.conf"),
        ("/conf.d/b.conf", "b.conf"),
        ("/conf.d/g.conf", "c.txt"),
    ]
    assert problems == []
