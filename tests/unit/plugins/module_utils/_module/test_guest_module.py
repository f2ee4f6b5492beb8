# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible calls them: a process that is given JSON on its standard input and answers with JSON."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing as t

import ansible
import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import JOURNAL
from ansible_collections.rehost.hyperv.plugins.module_utils._module import guest_module
from ansible_collections.rehost.hyperv.tests.unit import child_process, guest_tree

ANSIBLE = os.path.dirname(os.path.dirname(ansible.__file__))
MODULES = pathlib.Path(__file__).resolve().parents[5] / "plugins" / "modules"
GUEST = "debian12-hvm"
RESUME = "/etc/initramfs-tools/conf.d/resume"  # what block_references changes there
MODULES_WITH_CHANGES = {
    "kernel_cmdline": {"present": ["panic=5"]},
    "block_references": {},
    "xen_leftovers": {},
    "rollback": {},
}


class Answer(t.NamedTuple):
    status: int
    result: dict[str, t.Any]
    errors: str


def call(name: str, *, as_nobody: bool = False, check: bool = False, diff: bool = False, **arguments: t.Any) -> Answer:
    """What a module answers. ansible-core 2.19 and later want to be told the profile of the exchange."""
    arguments.update(_ansible_check_mode=check, _ansible_diff=diff, _ansible_remote_tmp="/tmp")
    start = (
        "import runpy, sys\n"
        "import ansible.module_utils.basic as basic\n"
        "basic._ANSIBLE_PROFILE = 'legacy'\n"
        "runpy.run_path(sys.argv.pop(), run_name='__main__')\n"
    )
    done = subprocess.run(
        [python_for(as_nobody), "-c", start, str(MODULES / f"{name}.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join((os.environ["ANSIBLE_COLLECTIONS_PATH"], ANSIBLE))),
        preexec_fn=child_process.become_nobody if as_nobody else None,
        check=False,
    )
    return Answer(done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode())


def python_for(as_nobody: bool) -> str:
    """This Python, or the system's when this one is in somebody's home."""
    if not as_nobody:
        return sys.executable

    def find() -> str | None:
        child_process.become_nobody()
        candidates = (sys.executable, "/usr/bin/python3")
        is_open = os.access(os.environ["ANSIBLE_COLLECTIONS_PATH"], os.X_OK) and os.access(ANSIBLE, os.X_OK)
        return next((path for path in candidates if is_open and os.access(path, os.X_OK)), None)

    return child_process.call(find) or pytest.skip("the Python that runs this, or the checkout, is closed to others")


@pytest.fixture
def tree() -> t.Iterator[pathlib.Path]:
    """A guest where everybody can get to."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="rehost-test-"))
    path.chmod(0o755)
    guest_tree.build_guest(GUEST, path / "guest")
    yield path / "guest"
    shutil.rmtree(path)


@pytest.mark.parametrize("name", MODULES_WITH_CHANGES)
def test_check_mode_says_what_would_be_done_and_leaves_the_tree_as_it_is(tree: pathlib.Path, name: str) -> None:
    if name == "rollback":
        assert call("block_references", root=str(tree)).result["changed"]
    before = guest_tree.snapshot(tree)
    said = call(name, root=str(tree), check=True, **MODULES_WITH_CHANGES[name])
    assert said.status == 0, said
    assert said.result["changed"]
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []
    done = call(name, root=str(tree), **MODULES_WITH_CHANGES[name])
    assert (done.result["changes"], done.result["commands"]) == (said.result["changes"], said.result["commands"])
    again = call(name, root=str(tree), **MODULES_WITH_CHANGES[name])
    assert not again.result["changed"]


def test_what_modules_changed_is_rolled_back_to_the_byte(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree)
    for name, arguments in MODULES_WITH_CHANGES.items():
        answer = call(name, root=str(tree), **arguments)
        assert answer.result["changed"], answer
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_diff_mode_shows_the_text_before_and_after(tree: pathlib.Path) -> None:
    resume = (tree / RESUME[1:]).read_text()
    answer = call("block_references", root=str(tree), diff=True, check=True)
    (shown,) = [diff for diff in answer.result["diff"] if diff.get("before_header") == RESUME]
    assert shown["before"] == resume
    assert shown["after"] != resume
    assert "diff" not in call("block_references", root=str(tree), check=True).result


def test_bytes_that_are_no_text_are_replaced_in_the_result_and_kept_in_the_file(tree: pathlib.Path) -> None:
    with open(tree / RESUME[1:], "ab") as stream:
        stream.write(b"# caf\xe9\n")
    answer = call("block_references", root=str(tree), diff=True)
    assert answer.status == 0, answer
    shown = json.dumps(answer.result, ensure_ascii=False)
    assert "# caf\ufffd" in shown
    shown.encode("utf-8")
    assert (tree / RESUME[1:]).read_bytes().endswith(b"# caf\xe9\n")


@pytest.mark.parametrize("name", ["guest_info", "readiness_info"])
def test_a_module_that_only_reads_changes_nothing(tree: pathlib.Path, name: str) -> None:
    before = guest_tree.snapshot(tree)
    answer = call(name, root=str(tree))
    assert (answer.status, answer.result["changed"]) == (0, False), answer
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def check_is_clear(answer: Answer, message: str) -> None:
    assert answer.status == 1
    assert answer.result["failed"]
    assert message in answer.result["msg"]
    assert "Traceback" not in answer.errors + json.dumps(answer.result)


@pytest.mark.parametrize("root", ["/no/such/root", "/etc/passwd", "/etc\0"])
@pytest.mark.parametrize("name", ["guest_info", "rollback"])
def test_a_root_that_is_no_directory_is_a_clear_error(name: str, root: str) -> None:
    answer = call(name, root=root)
    check_is_clear(answer, "is not a directory, so there is no guest in it")
    assert answer.result["path"] == root
    assert answer.result["hint"]
    assert answer.result["hint"] in answer.result["msg"]


def test_root_and_image_exclude_each_other(tree: pathlib.Path) -> None:
    check_is_clear(call("guest_info", root=str(tree), image="/no.img"), "root and image exclude each other")


def test_a_damaged_journal_is_an_error_with_its_line(tree: pathlib.Path) -> None:
    assert call("block_references", root=str(tree)).result["changed"]
    with open(tree / JOURNAL[1:], "r+b") as stream:
        stream.write(b"x")
    before = guest_tree.snapshot(tree)
    answer = call("kernel_cmdline", root=str(tree), present=["panic=5"])
    check_is_clear(answer, "line 1 of the rollback journal is damaged")
    assert answer.result["line"] == 1
    back = call("rollback", root=str(tree))
    assert (back.status, back.result["changed"]) == (0, False)
    assert [finding["id"] for finding in back.result["findings"]] == ["rollback.journal-unreadable"]
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_what_an_administrator_changed_since_is_a_finding_until_it_is_forced(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree)
    assert call("block_references", root=str(tree)).result["changed"]
    (tree / RESUME[1:]).write_text("by hand")
    answer = call("rollback", root=str(tree))
    assert [finding["subject"] for finding in answer.result["findings"]] == [RESUME]
    assert (tree / RESUME[1:]).read_text() == "by hand"
    assert call("rollback", root=str(tree), force=True).result["changed"]
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_without_root_reading_works_and_changing_is_a_clear_error(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree)
    answer = call("guest_info", root=str(tree), as_nobody=True)
    assert answer.status == 0, answer
    check_is_clear(call("block_references", root=str(tree), as_nobody=True), "Permission denied")
    assert guest_tree.compare(before, guest_tree.snapshot(tree), directory_times=True) == []


def test_values_become_what_json_can_hold() -> None:
    clean = guest_module.clean
    assert clean({"a\udcff": ("b\udcfe", b"\xff", {"z", "y"}, None, 1, True)}) == {
        "a\ufffd": ["b\ufffd", "\ufffd", ["y", "z"], None, 1, True]
    }
    assert clean(guest_module.BlockDevice(("sda",), None, None))["names"] == ["sda"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({"device": "all"}, "one of the following is required: key, file"),
        ({"key": "hidden words", "file": "/absent"}, "mutually exclusive: key|file"),
        ({"file": "/absent"}, "the key file cannot be read: No such file or directory"),
        ({"key": "hidden words\n"}, "the key for all has more than one line"),
        ({"key": "hidden words"}, "cannot be opened"),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_that_does_not_show_it(
    key: dict[str, str], said: str, tmp_path: pathlib.Path
) -> None:
    answer = call("readiness_info", image=str(tmp_path / "absent"), keys=[key])
    assert answer.status == 1
    assert said in answer.result["msg"]
    assert "hidden words" not in json.dumps(answer.result) + answer.errors
