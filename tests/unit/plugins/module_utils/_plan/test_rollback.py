# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for one path; that it restores a guest is shown by the tests of _apply/plan.py."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import JOURNAL, STATE
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts, History, Problem, Touched
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.rollback_journal import Original
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import rollback
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Forget, Plan, Restore
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root

FILE = Original("/etc/a", "file", 0o644, 0, 0, 5, sha256="first")
LINK = Original("/etc/a", "link", 0o777, 0, 0, 5, target="first")
ABSENT = Original("/etc/a", "absent")
FIRST, OTHER_TIME = (0o644, 0, 0, 5), (0o644, 0, 0, 6)


@pytest.fixture
def facts(tmp_path: pathlib.Path) -> GuestFacts:
    return gather(Root(str(tmp_path)), frozenset())


def plan_for(facts: GuestFacts, *touched: Touched, force: bool = False) -> Plan:
    return rollback.plan(dataclasses.replace(facts, history=History(touched)), force)


def test_without_a_history_there_is_nothing_to_do(facts: GuestFacts) -> None:
    assert rollback.plan(facts) == Plan()


def test_a_journal_that_cannot_be_read_is_a_finding(facts: GuestFacts) -> None:
    plan = rollback.plan(dataclasses.replace(facts, problems=(Problem(JOURNAL, "why"), Problem("/other", "x"))))
    assert not plan
    assert [(finding.id, finding.subject) for finding in plan.findings] == [("rollback.journal-unreadable", JOURNAL)]
    assert "why" in plan.findings[0].message


CASES = {
    "what was written": (Touched(FILE, ("new",), "file", "new", OTHER_TIME), "restore"),
    "what was written before the last time": (Touched(FILE, ("new", "newer"), "file", "new", OTHER_TIME), "restore"),
    "the first content at another time": (Touched(FILE, ("new",), "file", "first", OTHER_TIME), "restore"),
    "all as it was first": (Touched(FILE, ("new",), "file", "first", FIRST), "nothing"),
    "announced and never written": (Touched(FILE, (), "file", "other", OTHER_TIME), "nothing"),
    "removed by us": (Touched(FILE, (None,), "absent", None, None), "restore"),
    "removed by others": (Touched(FILE, ("new",), "absent", None, None), "finding"),
    "changed by others": (Touched(FILE, ("new",), "file", "other", OTHER_TIME), "finding"),
    "back after it was removed": (Touched(FILE, (None,), "file", "other", OTHER_TIME), "finding"),
    "a fifo where we left nothing": (Touched(FILE, (None,), "special", None, OTHER_TIME), "finding"),
    "a directory where we left a file": (Touched(FILE, ("new",), "directory", None, OTHER_TIME), "finding"),
    "a new file": (Touched(ABSENT, ("new",), "file", "new", OTHER_TIME), "restore"),
    "a new file that is gone": (Touched(ABSENT, ("new",), "absent", None, None), "nothing"),
    "a new file changed by others": (Touched(ABSENT, ("new",), "file", "other", OTHER_TIME), "finding"),
    "a new directory": (Touched(ABSENT, (), "directory", None, OTHER_TIME), "restore"),
    "a new directory with what others put in": (Touched(ABSENT, (), "directory", None, OTHER_TIME, ("x",)), "nothing"),
    "a link of ours": (Touched(LINK, ("new",), "link", "new", OTHER_TIME), "restore"),
    "a link of others": (Touched(LINK, ("new",), "link", "other", OTHER_TIME), "finding"),
    "a file whose content is the target of a link": (Touched(LINK, ("new",), "file", "first", FIRST), "finding"),
    "a directory": (Touched(LINK._replace(kind="directory"), (), "directory", None, OTHER_TIME), "restore"),
    "a directory that is gone": (Touched(LINK._replace(kind="directory"), (), "absent", None, None), "nothing"),
}


@pytest.mark.parametrize(("touched", "expected"), CASES.values(), ids=CASES.keys())
def test_a_path_is_put_back_only_when_it_is_ours(facts: GuestFacts, touched: Touched, expected: str) -> None:
    plan = plan_for(facts, touched)
    restores = (Restore(touched.original),) if expected == "restore" else ()
    forgets = () if expected == "finding" else (Forget(STATE, None),)
    assert plan.changes == (*restores, *forgets)
    assert [finding.subject for finding in plan.findings] == (["/etc/a"] if expected == "finding" else [])
    forced = plan_for(facts, touched, force=True)
    assert forced.findings == ()
    assert forced.changes == (*(() if expected == "nothing" else (Restore(touched.original),)), Forget(STATE, None))


def test_the_last_change_is_undone_first_and_the_time_of_a_directory_after_what_is_in_it(facts: GuestFacts) -> None:
    parent = Original("/var/lib", "directory", mtime_ns=77)
    directory = Touched(Original("/etc", "directory", mtime_ns=5), (), "directory", None, FIRST)
    made = Touched(Original("/etc/d", "absent"), (), "directory", None, OTHER_TIME, ("a", ".a.rehost-new"))
    inside = Touched(Original("/etc/d/a", "absent"), ("new",), "file", "new", OTHER_TIME)
    plan = plan_for(facts, Touched(parent, (), "directory", None, OTHER_TIME), directory, made, inside)
    assert plan.changes == (
        Restore(inside.original),
        Restore(made.original),
        Restore(directory.original),
        Forget(STATE, 77),
    )
