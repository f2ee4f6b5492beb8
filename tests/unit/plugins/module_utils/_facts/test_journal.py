# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import hypervisor, journal
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem, TextFile
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.sysfs import KernelReader
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit.journal_builder import Message, build_journal

DIRECTORY = "var/log/journal/0123456789abcdef0123456789abcdef"
XEN = [Message("Linux version 6.1.0-50-amd64"), Message("Hypervisor detected: Xen HVM")]
HYPERV = [Message("Linux version 6.1.0-56-amd64"), Message("Hypervisor detected: Microsoft Hyper-V")]


def write(root: pathlib.Path, name: str, messages: list[Message], time: int) -> pathlib.Path:
    path = root / DIRECTORY / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build_journal(messages))
    os.utime(path, (time, time))
    return path


def read(root: pathlib.Path, problems: list[Problem] | None = None) -> TextFile | None:
    return journal.last_boot(KernelReader(Root(str(root)), pytest.fail if problems is None else problems.append))


def test_a_guest_without_a_journal_has_none(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path) is None


def test_the_last_boot_of_a_file_counts(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system.journal", [*XEN, *HYPERV], 2)
    text = "\n".join(message.text for message in HYPERV)
    assert read(tmp_path) == TextFile(f"/{DIRECTORY}/system.journal", text)


def test_the_newest_file_that_holds_the_beginning_of_a_boot_counts(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system@0001-0002.journal", HYPERV, 1)
    write(tmp_path, "system@0003-0004.journal~", XEN, 2)
    write(tmp_path, "system.journal", [Message("hv_netvsc: late")], 3)
    found = read(tmp_path)
    assert found is not None
    assert found.path.endswith("~")


def test_journals_of_users_and_of_others_are_not_looked_at(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "user-1000.journal", XEN, 2)
    write(tmp_path, "../remote/system.journal", XEN, 2)
    assert read(tmp_path) is None


def test_a_message_of_two_lines_is_one_line(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system.journal", [XEN[0], Message("a\nLinux version 9")], 2)
    found = read(tmp_path)
    assert found is not None
    assert found.text.split("\n") == [XEN[0].text, "a Linux version 9"]


def test_a_boot_that_says_too_much_is_cut_off(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system.journal", [XEN[0], *[Message(f"{number:04}" * 1000) for number in range(300)]], 2)
    found = read(tmp_path)
    assert found is not None
    assert journal.BOOT_LENGTH <= len(found.text) < journal.BOOT_LENGTH + 5000


def test_a_file_that_is_no_journal_is_a_problem_and_the_next_is_read(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system@0001-0002.journal", XEN, 1)
    write(tmp_path, "system.journal", HYPERV, 2).write_bytes(b"nothing of the kind")
    problems: list[Problem] = []
    os.utime(tmp_path / DIRECTORY / "system.journal", (2, 2))
    found = read(tmp_path, problems)
    assert found is not None
    assert "Xen" in found.text
    assert [problem.path for problem in problems] == [f"/{DIRECTORY}/system.journal"]


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: pathlib.Path) -> None:
    outside = write(tmp_path / "outside", "system.journal", XEN, 1)
    inside = tmp_path / "guest" / DIRECTORY
    inside.mkdir(parents=True)
    (inside / "system.journal").symlink_to(outside)
    assert read(tmp_path / "guest") is None


def test_the_hypervisor_of_a_stopped_guest_without_text_logs_is_known(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system.journal", XEN, 2)
    evidence = hypervisor.gather(Root(str(tmp_path)), pytest.fail).evidence
    assert [(item.source, item.points_to) for item in evidence] == [(f"/{DIRECTORY}/system.journal", "xen-hvm")]


def test_a_text_log_is_preferred(tmp_path: pathlib.Path) -> None:
    write(tmp_path, "system.journal", XEN, 2)
    (tmp_path / "var/log/kern.log").write_text("\n".join(message.text for message in HYPERV))
    sources = {item.source for item in hypervisor.gather(Root(str(tmp_path)), pytest.fail).evidence}
    assert sources == {"/var/log/kern.log"}
