# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.rollback_journal import Original
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import (
    OUTPUT,
    Command,
    FileChange,
    Finding,
    Forget,
    LinkChange,
    Plan,
    Proof,
    Restore,
)

ABSENT, FILE = Original("/etc/a", "absent"), Original("/etc/a", "file")


def test_a_plan_is_true_when_there_is_something_to_do() -> None:
    finding = Finding("a.b", "info", "x", "y", "z")
    assert not Plan(findings=(finding,))
    assert Plan((FileChange("/a", None, "", ""),))
    assert Plan(commands=(Command(("x",), "/a", "", Proof()),))


@pytest.mark.parametrize(
    ("before", "after", "action"), [(None, "", "create"), ("", None, "remove"), ("a", "b", "change")]
)
def test_a_change_says_what_it_does(before: str | None, after: str | None, action: str) -> None:
    expected = {"path": "/a", "action": action, "reason": "why"}
    assert FileChange("/a", before, after, "why").report() == expected
    assert LinkChange("/a", before, after, "why").report() == expected


def test_a_file_that_is_not_there_is_dev_null_in_a_diff() -> None:
    new = FileChange("/a", None, "text\n", "").diff()
    assert (new["before_header"], new["after_header"]) == ("/dev/null", "/a")
    assert (new["before"], new["after"]) == ("", "text\n")
    gone = FileChange("/a", "text\n", None, "").diff()
    assert (gone["before_header"], gone["after_header"]) == ("/a", "/dev/null")
    assert LinkChange("/a", None, "b", "").diff()["after"] == "link to b\n"


def test_what_is_restored_is_told_apart_from_what_is_removed() -> None:
    assert Restore(FILE).path == Restore(ABSENT).path == "/etc/a"
    assert Restore(FILE).report()["action"] == "restore"
    assert Restore(ABSENT).report()["action"] == "remove"
    assert Restore(ABSENT).diff()["after"] == ""
    assert "file" in Restore(FILE).diff()["after"]
    assert Forget("/state", None).report()["action"] == "remove"
    assert Forget("/state", 5).diff()["after"] == ""


def test_a_command_is_shown_with_the_file_that_it_makes() -> None:
    command = Command(("mkinitramfs", "-o", OUTPUT, "6.1"), "/boot/initrd", "why", Proof())
    assert command.report() == {"command": "mkinitramfs -o /boot/initrd 6.1", "output": "/boot/initrd", "reason": "why"}


def test_a_proof_has_to_be_told_what_it_proves() -> None:
    with pytest.raises(NotImplementedError):
        Proof().problem_with(io.BytesIO())


def test_a_finding_is_reported_with_all_its_fields() -> None:
    finding = Finding("a.b", "error", "x", "y", "z", blocks=True)
    assert finding.report() == {
        "id": "a.b", "severity": "error", "subject": "x", "message": "y", "remedy": "z", "blocks": True
    }  # fmt: skip
