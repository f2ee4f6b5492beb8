# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import JOURNAL, STATE
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import history
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import History, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import rollback_journal
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.rollback_journal import Original, Written
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root


@pytest.fixture
def problems() -> list[Problem]:
    return []


def look(tree: pathlib.Path, problems: list[Problem], *records: Original | Written) -> History | None:
    (tree / STATE[1:]).mkdir(parents=True, exist_ok=True)
    if records:
        (tree / JOURNAL[1:]).write_text("".join(map(rollback_journal.line_of, records)))
    return history.gather(Root(str(tree)), problems.append)


def test_where_nothing_was_changed_there_is_no_history(tmp_path: pathlib.Path, problems: list[Problem]) -> None:
    assert history.gather(Root(str(tmp_path)), problems.append) is None
    assert problems == []


def test_a_run_that_was_killed_before_its_first_change_has_an_empty_one(
    tmp_path: pathlib.Path, problems: list[Problem]
) -> None:
    assert look(tmp_path, problems) == History(())
    assert problems == []


def test_a_damaged_journal_is_a_problem(tmp_path: pathlib.Path, problems: list[Problem]) -> None:
    look(tmp_path, problems)
    (tmp_path / JOURNAL[1:]).write_text("damaged\n")
    assert look(tmp_path, problems) is None
    assert [problem.path for problem in problems] == [JOURNAL]


def test_what_is_there_now_stands_beside_what_was_there_and_what_was_written(
    tmp_path: pathlib.Path, problems: list[Problem]
) -> None:
    (tmp_path / "file").write_text("now")
    os.symlink("/file", tmp_path / "link")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "one").touch()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "one").touch()
    kinds = {"/file": "file", "/link": "link", "/fifo": "file", "/new": "absent", "/old": "directory", "/gone": "file"}
    records = [Original(path, kind) for path, kind in kinds.items()]
    found = look(tmp_path, problems, *records, Written("/file", "1"), Written("/file", "2"), Written("/gone", None))
    assert found is not None
    now = {touched.original.path: touched for touched in found.touched}
    assert list(now) == list(kinds)
    expected = hashlib.sha256(b"now").hexdigest()
    assert (now["/file"].kind, now["/file"].state, now["/file"].written) == ("file", expected, ("1", "2"))
    assert (now["/link"].kind, now["/link"].state, now["/link"].written) == ("link", "/file", ())
    assert (now["/fifo"].kind, now["/fifo"].state) == ("special", None)
    assert (now["/new"].kind, now["/new"].names, now["/old"].names) == ("directory", ("one",), ())
    assert (now["/gone"].kind, now["/gone"].state, now["/gone"].metadata) == ("absent", None, None)
    assert now["/gone"].written == (None,)
    status = os.lstat(tmp_path / "file")
    assert now["/file"].metadata == (0o777 & status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns)
    assert problems == []
