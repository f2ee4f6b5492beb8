# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying a plan and rolling it back, undisturbed and killed at every step."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import pathlib
import signal
import tempfile
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.guest import Guest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import Runner
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import BLOBS, JOURNAL, STATE, STATE_PARENT
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import rollback
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import (
    OUTPUT,
    Command,
    FileChange,
    Installation,
    LinkChange,
    Plan,
    PoolChange,
    Proof,
    RuntimeSetting,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import child_process, guest_tree

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
WORDS = bytes(range(256)).decode("utf-8", "surrogateescape")


class Says(Runner):
    """Generates one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def generate(self, command: Command, target: t.BinaryIO) -> None:
        target.write(self.text.encode("utf-8", "surrogateescape"))

    def install(self, installation: Installation) -> None:
        self.installed = installation


class HoldsA(Proof):
    """The file is good when this word is in it."""

    def __init__(self, word: str) -> None:
        self.word = word

    def problem_with(self, stream: t.BinaryIO) -> str:
        return "" if self.word.encode() in stream.read() else f"{self.word} is not in it"


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    return build(tmp_path / "guest")


@pytest.fixture
def memory(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A directory in memory, where there is one: the tests that kill would wait for the disk thousands of times."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield pathlib.Path(path)


def build(top: pathlib.Path) -> pathlib.Path:
    for directory in ("etc/default", "etc/udev", "boot", "usr/lib", "var/lib"):
        (top / directory).mkdir(parents=True)
    os.symlink("usr/lib", top / "lib")
    os.symlink("../etc/default/real", top / "etc/fstab-link")
    os.symlink("/etc/default/dangling", top / "etc/dangling")
    os.symlink("old-target", top / "etc/link")
    for number, path in enumerate(("etc/fstab", "etc/default/real", "etc/resume", "boot/initrd", "usr/lib/udev.rules")):
        (top / path).write_bytes(os.fsencode(WORDS + path))
        if IS_ROOT:
            os.chown(top / path, 100 + number, 200 + number)
        os.chmod(top / path, 0o4600 + number)
        try:
            os.setxattr(top / path, "user.comment", b"\0" + path.encode())
        except OSError:
            assert os.statvfs(top).f_frsize  # a file system without attributes
        os.utime(top / path, ns=(1, 1_111_111_111_111_111_111 + number))
    os.utime(top / "etc/link", ns=(1, 999_999_999_000_000_007), follow_symlinks=False)
    for number, path in enumerate(("etc/default", "etc/udev", "etc", "boot", "usr/lib", "var/lib", "var", ".")):
        os.utime(top / path, ns=(1, 1_222_222_222_000_000_000 + number))
    return top


def attributes(top: pathlib.Path) -> dict[str, dict[str, bytes]]:
    paths = [path for path in sorted(top.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path): {name: os.getxattr(path, name) for name in os.listxattr(path)} for path in paths}


def state(top: pathlib.Path) -> tuple[dict[str, guest_tree.Entry], dict[str, dict[str, bytes]]]:
    return guest_tree.snapshot(top), attributes(top)


FILES = ("/etc/fstab", "/etc/fstab-link", "/etc/dangling", "/lib/udev.rules", "/etc/new/deep/file", "/lib/new/rules")


def plan_for(root: Root, text: str) -> Plan:
    """All kinds of changes; what is as wanted already is left out."""
    changes: list[FileChange | LinkChange] = []
    for path in FILES:
        before = root.read_text(path)
        if before != text:
            changes.append(FileChange(path, before, text, "wanted", 0o640))
    resume = root.read_text("/etc/resume")
    if resume is not None:
        changes.append(FileChange("/etc/resume", resume, None, "stale"))
    for path, target in (("/etc/link", f"/to/{len(text)}"), ("/etc/more/links/one", "../../x"), ("/lib/link", "l")):
        held = root.read_link(path)
        if held != target:
            changes.append(LinkChange(path, held, target, "wanted"))
    commands: tuple[Command, ...] = ()
    if root.read_text("/boot/initrd") != text:
        record = "/var/lib/initramfs-tools/6.1"
        commands = (Command(("mkinitramfs", "-o", OUTPUT), "/boot/initrd", "", HoldsA("hv"), record=record),)
    return Plan(tuple(changes), commands)


def adapt(tree: pathlib.Path, text: str) -> None:
    root = Root(str(tree))
    apply(root, plan_for(root, text), Says(text))


def plan_back(tree: pathlib.Path, force: bool = False) -> Plan:
    return rollback.plan(gather(Root(str(tree)), {"history"}), force)


def roll_back(tree: pathlib.Path, force: bool = False) -> None:
    apply(Root(str(tree)), plan_back(tree, force), Says(""))


def differences(before: t.Any, tree: pathlib.Path) -> list[str]:
    after = state(tree)
    found = guest_tree.compare(before[0], after[0], directory_times=True)
    return found or [path for path in before[1] if before[1][path] != after[1][path]]


# -- undisturbed


def test_everything_is_as_planned_and_a_second_plan_is_empty(tree: pathlib.Path) -> None:
    adapt(tree, "hv " + WORDS)
    assert not plan_for(Root(str(tree)), "hv " + WORDS)
    assert (tree / "etc/fstab").read_bytes() == b"hv " + bytes(range(256))
    assert os.readlink(tree / "etc/link") == "/to/" + str(3 + len(WORDS))
    assert not (tree / "etc/resume").exists()
    line = hashlib.sha1((tree / "boot/initrd").read_bytes()).hexdigest() + "  /boot/initrd\n"
    assert (tree / "var/lib/initramfs-tools/6.1").read_text() == line


def test_a_file_keeps_owner_mode_and_attributes_and_a_new_one_gets_its_mode(tree: pathlib.Path) -> None:
    before = guest_tree.snapshot(tree), attributes(tree)
    old = os.umask(0o077)
    try:
        adapt(tree, "hv")
    finally:
        os.umask(old)
    after = guest_tree.snapshot(tree), attributes(tree)
    for path in ("/etc/fstab", "/etc/default/real", "/boot/initrd"):
        assert after[0][path][1:4] == before[0][path][1:4]
        assert after[1][str(tree) + path] == before[1][str(tree) + path]
    assert after[0]["/etc/new/deep/file"].mode == 0o640
    assert after[0]["/etc/new/deep"].mode == 0o755
    assert after[0][STATE].mode == 0o700
    assert after[0][JOURNAL].mode == 0o600


def test_links_stay_links_and_what_they_lead_to_is_changed_and_rolled_back(tree: pathlib.Path) -> None:
    before = state(tree)
    adapt(tree, "hv")
    assert os.readlink(tree / "etc/fstab-link") == "../etc/default/real"
    assert (tree / "etc/default/real").read_text() == "hv"
    assert os.readlink(tree / "etc/dangling") == "/etc/default/dangling"
    assert (tree / "etc/default/dangling").read_text() == "hv"
    assert (tree / "usr/lib/new/rules").read_text() == "hv"
    roll_back(tree)
    assert differences(before, tree) == []


@pytest.mark.parametrize("texts", [["hv"], ["hv 1", "hv 2"], ["hv 1", "hv 2", "hv 1"]])
def test_a_rollback_restores_every_byte_and_leaves_no_trace(tree: pathlib.Path, texts: list[str]) -> None:
    before = state(tree)
    for text in texts:
        adapt(tree, text)
    assert differences(before, tree) != []
    roll_back(tree)
    assert differences(before, tree) == []
    assert not plan_back(tree)
    roll_back(tree)
    assert differences(before, tree) == []


def test_a_rollback_of_nothing_changes_nothing(tree: pathlib.Path) -> None:
    before = state(tree)
    assert plan_back(tree) == Plan()
    assert differences(before, tree) == []


def test_names_of_any_bytes_are_changed_and_rolled_back(tree: pathlib.Path) -> None:
    name = "/etc/" + os.fsdecode(b"\xff\n \xc3\xa9\\x\x01")
    (tree / name[1:]).write_text("before")
    before = state(tree)
    root = Root(str(tree))
    changes = (
        FileChange(name, "before", WORDS, ""),
        FileChange(name + "2", None, "", ""),
        LinkChange(name + "3", None, name, ""),
    )
    apply(root, Plan(changes), Says(""))
    assert root.read_text(name) == WORDS
    assert root.read_link(name + "3") == name
    roll_back(tree)
    assert differences(before, tree) == []


# -- refused


@pytest.mark.parametrize("change", ["other", None])
def test_a_file_that_changed_since_it_was_read_is_refused(tree: pathlib.Path, change: str | None) -> None:
    root = Root(str(tree))
    plan = plan_for(root, "hv")
    if change is None:
        os.unlink(tree / "etc/resume")
    else:
        (tree / "etc/resume").write_text(change)
    before = state(tree)
    with pytest.raises(GuestError, match="/etc/resume changed while this run was looking") as caught:
        apply(root, plan, Says("hv"))
    assert caught.value.path == "/etc/resume"
    assert differences(before, tree) == []


def test_a_link_that_changed_since_it_was_read_is_refused(tree: pathlib.Path) -> None:
    root = Root(str(tree))
    plan = plan_for(root, "hv")
    os.unlink(tree / "etc/link")
    os.symlink("elsewhere", tree / "etc/link")
    before = state(tree)
    with pytest.raises(GuestError, match="/etc/link changed"):
        apply(root, plan, Says("hv"))
    assert differences(before, tree) == []


def test_a_file_that_changed_while_others_were_staged_is_refused(tree: pathlib.Path) -> None:
    def work() -> str:
        sync, root = os.fsync, Root(str(tree))
        plan = plan_for(root, "hv")

        def change_and_sync(fd: int) -> None:
            (tree / "etc/fstab").write_text("by another")
            sync(fd)

        os.fsync = change_and_sync
        try:
            apply(root, plan, Says("hv"))
        except GuestError as error:
            return error.message
        return ""

    assert child_process.call(work).startswith("/etc/fstab changed")
    assert (tree / "etc/fstab").read_text() == "by another"
    assert (tree / "etc/resume").exists()
    assert not list(tree.rglob(".*.rehost-new"))


def test_what_was_generated_without_proof_does_not_replace_what_is_there(tree: pathlib.Path) -> None:
    before = (tree / "boot/initrd").read_bytes()
    with pytest.raises(GuestError, match=r"hv is not in it\. The old one stays"):
        adapt(tree, "xen")
    assert (tree / "boot/initrd").read_bytes() == before
    assert os.listdir(tree / "boot") == ["initrd"]


def test_packages_come_after_files_and_before_commands(tree: pathlib.Path) -> None:
    seen = []

    class Sees(Says):
        def install(self, installation: Installation) -> None:
            seen.append((tree / "etc/new-file").read_text())
            seen.append(installation.reason)

        def generate(self, command: Command, target: t.BinaryIO) -> None:
            seen.append("generated")
            super().generate(command, target)

    command = Command(("make", OUTPUT), "/boot/made", "", HoldsA("hv"))
    change = FileChange("/etc/new-file", None, "first", "")
    plan = Plan((change,), (command,), installation=Installation((), "second"))
    assert plan.programs == (plan.installation, command)
    apply(Root(str(tree)), plan, Sees("hv"))
    assert seen == ["first", "second", "generated"]


def test_what_belongs_to_a_package_stays_when_all_is_rolled_back(tree: pathlib.Path) -> None:
    (tree / "var/lib/initramfs-tools").mkdir()
    before = state(tree)
    command = Command(
        ("make", OUTPUT), "/boot/made", "", HoldsA("hv"), record="/var/lib/initramfs-tools/made", stays=True
    )
    apply(Root(str(tree)), Plan((FileChange("/etc/new", None, "x", ""),), (command,)), Says("hv"))
    roll_back(tree)
    assert (tree / "boot/made").read_text() == "hv"
    assert (tree / "var/lib/initramfs-tools/made").read_text().endswith("  /boot/made\n")
    for path in ("boot/made", "var/lib/initramfs-tools/made"):
        (tree / path).unlink()
    after = state(tree)
    assert guest_tree.compare(before[0], after[0]) == []


def test_what_was_in_the_journal_before_stays_in_it(tree: pathlib.Path) -> None:
    before = state(tree)
    for text, stays in (("hv one", False), ("hv two", True)):
        command = Command(("make", OUTPUT), "/boot/initrd", "", HoldsA("hv"), stays=stays)
        apply(Root(str(tree)), Plan(commands=(command,)), Says(text))
    roll_back(tree)
    assert state(tree) == before


def test_two_runs_at_once_do_not_mix(tree: pathlib.Path) -> None:
    root = Root(str(tree))
    plan = plan_for(root, "hv")
    with Guest(root) as other:
        other.record("/etc/other")
        before = state(tree)
        with pytest.raises(GuestError, match="another run is changing this guest") as caught:
            apply(root, plan, Says("hv"))
        assert caught.value.hint
        with pytest.raises(GuestError, match="another run is changing this guest"):
            roll_back(tree)
        assert differences(before, tree) == []
    adapt(tree, "hv")
    assert not plan_for(root, "hv")


def test_a_journal_that_a_rollback_removed_just_now_is_not_written_to(tree: pathlib.Path) -> None:
    def work() -> str:
        real = fcntl.flock

        def lock(fd: int, operation: int) -> None:
            fcntl.flock = real
            os.unlink(str(tree) + JOURNAL)
            real(fd, operation)

        fcntl.flock = lock
        try:
            adapt(tree, "hv")
        except GuestError as error:
            return error.message
        return ""

    assert "another run is changing this guest" in child_process.call(work)
    assert (tree / "etc/fstab").read_bytes() == os.fsencode(WORDS + "etc/fstab")


# -- killed

CALLS = (
    *("rename", "unlink", "mkdir", "rmdir", "symlink", "fsync", "utime", "chmod", "fchmod", "chown", "fchown"),
    *("setxattr", "ftruncate", "write", "open"),
)


def kill_at(step: int, log: pathlib.Path) -> None:
    """From here on this process is killed at its so manieth call that changes something: before it, and when it is
    one that writes, in the middle of it."""
    count = 0

    def call(name: str, real: t.Callable[..., t.Any], *arguments: t.Any, **more: t.Any) -> t.Any:
        nonlocal count
        if name == "open" and not (len(arguments) > 1 and arguments[1] & os.O_CREAT):
            return real(*arguments, **more)
        count += 1
        if count == step:
            if name == "write":
                real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **more)
        log.write_text(f"{name} {arguments[0]}")
        return result

    for name in CALLS:
        setattr(os, name, functools.partial(call, name, getattr(os, name)))


# A directory cannot be made or removed and the time of the one that holds it recorded in one step.
NOT_RECORDED = ("mkdir " + os.path.basename(STATE), "rmdir " + os.path.basename(STATE))


def check_is_as_before(before: t.Any, tree: pathlib.Path, step: int, last: str) -> None:
    found = differences(before, tree)
    if last in NOT_RECORDED:
        found = [difference for difference in found if not difference.startswith(STATE_PARENT + " changed: mtime_ns")]
    assert found == [], f"killed at step {step} after {last}"


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [(), ("hv 1",)], ids=["first run", "second run"])
def test_a_run_killed_at_any_step_is_rolled_back_or_finished_by_the_next(
    memory: pathlib.Path, earlier: tuple[str, ...]
) -> None:
    log = memory / "last"
    step = 0
    was_killed = True
    while was_killed:
        step += 1
        tree = build(memory / f"guest{step}")
        before = state(tree)
        for text in earlier:
            adapt(tree, text)

        def work(tree: pathlib.Path = tree, step: int = step) -> None:
            kill_at(step, log)
            adapt(tree, "hv 2")

        status = child_process.run(work)
        was_killed = child_process.was_killed(status)
        assert was_killed or status == 0
        last = log.read_text() if log.exists() else ""
        if step % 2:
            adapt(tree, "hv 2")
            assert not plan_for(Root(str(tree)), "hv 2"), f"killed at step {step} after {last}"
        plan = plan_back(tree)
        assert plan.findings == (), f"killed at step {step} after {last}"
        apply(Root(str(tree)), plan, Says(""))
        check_is_as_before(before, tree, step, last)
        assert not plan_back(tree)
    assert step > 80


@pytest.mark.slow
def test_a_rollback_killed_at_any_step_is_finished_by_the_next(memory: pathlib.Path) -> None:
    log = memory / "last"
    step = 0
    was_killed = True
    while was_killed:
        step += 1
        tree = build(memory / f"guest{step}")
        before = state(tree)
        adapt(tree, "hv 1")

        def work(tree: pathlib.Path = tree, step: int = step) -> None:
            kill_at(step, log)
            roll_back(tree)

        status = child_process.run(work)
        was_killed = child_process.was_killed(status)
        assert was_killed or status == 0
        last = log.read_text() if log.exists() else ""
        if step % 3 == 0:  # a new run in between
            adapt(tree, "hv 2")
        plan = plan_back(tree)
        assert plan.findings == (), f"killed at step {step} after {last}"
        apply(Root(str(tree)), plan, Says(""))
        if step % 3 or os.path.basename(STATE) not in last:
            check_is_as_before(before, tree, step, last)
        assert not plan_back(tree)
    assert step > 60


# -- what others did since


def test_what_an_administrator_changed_since_is_left_alone_and_found(tree: pathlib.Path) -> None:
    before = state(tree)
    adapt(tree, "hv")
    (tree / "etc/fstab").write_text("by hand")
    os.unlink(tree / "etc/link")
    os.symlink("by-hand", tree / "etc/link")
    (tree / "etc/resume").write_text("back by hand")
    os.unlink(tree / "etc/new/deep/file")
    os.mkdir(tree / "etc/new/deep/file")
    os.unlink(tree / "boot/initrd")
    os.mkfifo(tree / "boot/initrd")
    plan = plan_back(tree)
    paths = {finding.subject for finding in plan.findings}
    assert paths == {"/etc/fstab", "/etc/link", "/etc/resume", "/etc/new/deep/file", "/boot/initrd"}
    assert {finding.id for finding in plan.findings} == {"rollback.changed-since"}
    roll_back(tree)
    assert (tree / "etc/fstab").read_text() == "by hand"
    assert os.readlink(tree / "etc/link") == "by-hand"
    assert (tree / "etc/resume").read_text() == "back by hand"
    assert (tree / "etc/default/real").read_bytes() == os.fsencode(WORDS + "etc/default/real")
    again = plan_back(tree)
    assert not again, "what was left alone is not tried again"
    assert {finding.subject for finding in again.findings} == paths
    assert (tree / JOURNAL[1:]).exists()
    os.rmdir(tree / "etc/new/deep/file")
    roll_back(tree, force=True)
    assert differences(before, tree) == []


def test_a_new_directory_in_which_others_put_files_stays(tree: pathlib.Path) -> None:
    adapt(tree, "hv")
    (tree / "etc/new/others").write_text("theirs")
    roll_back(tree)
    assert sorted(os.listdir(tree / "etc/new")) == ["others"]
    assert not (tree / STATE[1:]).exists()
    assert not plan_back(tree)


def test_a_directory_that_others_removed_is_no_obstacle(tree: pathlib.Path) -> None:
    root = Root(str(tree))
    apply(root, Plan((FileChange("/etc/udev/new", None, "x", ""),)), Says(""))
    os.unlink(tree / "etc/udev/new")
    os.rmdir(tree / "etc/udev")
    roll_back(tree)
    assert not (tree / STATE[1:]).exists()


def test_a_file_that_was_never_changed_is_not_rolled_back_over_its_owner(tree: pathlib.Path) -> None:
    """The run was killed before; what its owner did to the file since has nothing to do with it."""

    def work() -> None:
        real = os.rename
        os.rename = lambda *arguments, **more: os.kill(os.getpid(), signal.SIGKILL) or real(*arguments, **more)
        adapt(tree, "hv")

    assert child_process.was_killed(child_process.run(work))
    (tree / "etc/default/real").write_text("its owner's")
    assert plan_back(tree).findings == ()
    roll_back(tree)
    assert (tree / "etc/default/real").read_text() == "its owner's"
    assert not (tree / STATE[1:]).exists()


# -- damage


def test_a_last_line_that_was_cut_off_is_taken_away_by_the_next_run(tree: pathlib.Path) -> None:
    before = state(tree)
    adapt(tree, "hv 1")
    with open(tree / JOURNAL[1:], "ab") as stream:
        stream.write(b'{"written": {"path": "/etc/fst\xff')
    adapt(tree, "hv 2")
    assert not plan_for(Root(str(tree)), "hv 2")
    roll_back(tree)
    assert differences(before, tree) == []


@pytest.mark.parametrize(
    "damage", [b"\0\0\0\n", b"{}\n", b'{"original": {"path": 1, "kind": "file"}}\n', b"[" * 9999 + b"\n"]
)
def test_with_a_damaged_journal_nothing_is_touched(tree: pathlib.Path, damage: bytes) -> None:
    adapt(tree, "hv 1")
    with open(tree / JOURNAL[1:], "r+b") as stream:
        stream.write(damage)
    before = state(tree)
    plan = plan_back(tree)
    assert not plan
    assert [(finding.id, finding.subject, finding.severity) for finding in plan.findings] == [
        ("rollback.journal-unreadable", JOURNAL, "error")
    ]
    with pytest.raises(GuestError, match="line 1 of the rollback journal is damaged"):
        adapt(tree, "hv 2")
    assert differences(before, tree) == []


def test_a_journal_without_a_line_for_its_own_place_is_rolled_back(tree: pathlib.Path) -> None:
    before = state(tree)
    adapt(tree, "hv")
    lines = (tree / JOURNAL[1:]).read_bytes().splitlines(keepends=True)
    assert STATE_PARENT.encode() in lines[0]
    (tree / JOURNAL[1:]).write_bytes(b"".join(lines[1:]))
    roll_back(tree)
    found = differences(before, tree)
    assert [difference.split(" ")[0] for difference in found] in ([], [STATE_PARENT])


@pytest.mark.parametrize("damage", ["changed", "gone", "longer"])
def test_a_file_whose_copy_is_damaged_is_named_and_left_as_it_is(tree: pathlib.Path, damage: str) -> None:
    adapt(tree, "hv")
    for blob in (tree / BLOBS[1:]).iterdir():
        if blob.read_bytes().endswith(b"etc/fstab"):
            if damage == "gone":
                blob.unlink()
            else:
                blob.write_bytes(b"x" if damage == "changed" else blob.read_bytes() + b"x")
    with pytest.raises(GuestError, match=r"the copy of /etc/fstab .* is (damaged|gone)") as caught:
        roll_back(tree)
    assert caught.value.path == "/etc/fstab"
    assert caught.value.hint
    assert (tree / "etc/fstab").read_text() == "hv"
    assert not list(tree.rglob(".*.rehost-new"))


HOSTILE = {
    "a path out of the tree": '{"original": {"path": "/../../../outside", "kind": "file", "blob": "0000"}}',
    "a copy out of the tree": '{"original": {"path": "/etc/x", "kind": "file", "blob": "../../../../outside"}}',
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_journal_that_a_guest_made_up_does_not_lead_out(tree: pathlib.Path, line: str) -> None:
    outside = tree.parent / "outside"
    outside.write_text("secret")
    os.utime(outside, ns=(1, 1))
    (tree / BLOBS[1:]).mkdir(parents=True)
    written = (
        '{"written": {"path": "/etc/x", "state": null}}\n{"written": {"path": "/../../../outside", "state": null}}\n'
    )
    (tree / JOURNAL[1:]).write_text(line + "\n" + written)
    with pytest.raises(GuestError, match="is gone"):
        roll_back(tree, force=True)
    assert (outside.read_text(), outside.stat().st_mtime_ns) == ("secret", 1)
    assert not (tree / "etc/x").exists()


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_a_journal_that_is_no_file_is_refused_at_once(tree: pathlib.Path, kind: str) -> None:
    (tree / STATE[1:]).mkdir()
    {
        "fifo": lambda: os.mkfifo(tree / JOURNAL[1:]),
        "directory": lambda: os.mkdir(tree / JOURNAL[1:]),
        "link": lambda: os.symlink("/etc/fstab", tree / JOURNAL[1:]),
    }[kind]()
    before = state(tree)
    with pytest.raises(GuestError):
        adapt(tree, "hv")
    assert differences(before, tree) == []


# -- file systems


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("free", [0, 4096, 3 << 20])
def test_a_full_disk_is_an_error_that_says_so_and_nothing_is_changed(tmp_path: pathlib.Path, free: int) -> None:
    def work() -> tuple[str, str, list[str], list[str]]:
        child_process.leave_mounts()
        child_process.mount("tmpfs", str(tmp_path), "tmpfs", options="size=8m")
        tree = build(tmp_path / "guest")
        before = state(tree)
        with open(tmp_path / "filler", "wb", buffering=0) as filler:
            filler.write(b"x" * ((8 << 20) - free - 4096 * 64))
            try:
                while os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize > free:
                    filler.write(b"x" * 4096)
            except OSError:
                assert free == 0
        text = "hv" * (2 << 20)
        message, hint = "", ""
        try:
            adapt(tree, text)
        except GuestError as error:
            message, hint = error.message, error.hint
        left = [line for line in differences(before, tree) if not line.startswith((STATE, STATE_PARENT + " changed"))]
        os.truncate(tmp_path / "filler", 0)
        roll_back(tree)
        return message, hint, left, differences(before, tree)

    message, hint, left, at_last = child_process.call(work)
    assert "No space left" in message or "has no room" in message
    assert "Make room" in hint
    assert [line for line in left if not line.startswith("/etc changed: mtime_ns")] == []
    assert at_last == []


@needs_root
@pytest.mark.root
def test_a_file_system_that_is_read_only_is_an_error_that_says_so(tree: pathlib.Path) -> None:
    def work() -> tuple[str, str]:
        child_process.leave_mounts()
        child_process.bind(str(tree), str(tree))
        child_process.mount("none", str(tree), "", 4096 | 32 | 1)
        try:
            adapt(tree, "hv")
        except GuestError as error:
            return error.message, error.hint
        return "", ""

    before = state(tree)
    message, hint = child_process.call(work)
    assert "Read-only file system" in message
    assert "mounted writable" in hint
    assert differences(before, tree) == []


@needs_root
@pytest.mark.root
def test_without_root_nothing_is_changed_and_the_error_says_so(tree: pathlib.Path) -> None:
    for directory in (tree, *tree.parents):
        if str(directory).startswith("/tmp/"):
            os.chmod(directory, 0o755)
    before = state(tree)

    def work() -> tuple[str, str]:
        child_process.become_nobody()
        try:
            apply(Root(str(tree)), Plan((FileChange("/etc/new", None, "hv", ""),)), Says("hv"))
        except GuestError as error:
            return error.message, error.hint
        return "", ""

    message, hint = child_process.call(work)
    assert "Permission denied" in message
    assert "become: true" in hint
    assert differences(before, tree) == []


def test_what_is_no_debian_is_left_alone(tree: pathlib.Path) -> None:
    (tree / "var/lib").rmdir()
    before = state(tree)
    with pytest.raises(GuestError, match="/var/lib is missing"):
        adapt(tree, "hv")
    assert differences(before, tree) == []


def test_no_descriptor_is_left_open(tree: pathlib.Path) -> None:
    before = os.listdir("/proc/self/fd")
    adapt(tree, "hv 1")
    with pytest.raises(GuestError):
        adapt(tree, "bad")
    roll_back(tree)
    assert os.listdir("/proc/self/fd") == before


# -- settings of the running kernel; a file that keeps what is written to it stands for one


SCHEDULER = "/sys/block/sda/queue/scheduler"


def with_scheduler(tree: pathlib.Path, shown: str = "[mq-deadline] none\n") -> Root:
    (tree / "sys/block/sda/queue").mkdir(parents=True, exist_ok=True)
    (tree / SCHEDULER[1:]).write_text(shown)
    return Root(str(tree))


SETTING = RuntimeSetting(SCHEDULER, "mq-deadline", "none", "wanted")


def test_a_setting_is_written_in_place_and_set_back(tree: pathlib.Path) -> None:
    root = with_scheduler(tree)
    before = os.stat(tree / SCHEDULER[1:]).st_ino
    apply(root, Plan((SETTING,)), Says(""))
    assert (tree / SCHEDULER[1:]).read_text().startswith("none\n")
    assert os.stat(tree / SCHEDULER[1:]).st_ino == before, "sysfs knows no renaming"
    with_scheduler(tree, "mq-deadline [none]\n")
    roll_back(tree)
    assert (tree / SCHEDULER[1:]).read_text().startswith("mq-deadline\n")
    assert not (tree / STATE[1:]).exists()


@pytest.mark.parametrize("shown", ["[mq-deadline] none\n", "mq-deadline none [kyber]\n", ""])
def test_nothing_is_set_back_after_a_restart_or_somebody_elses_change(tree: pathlib.Path, shown: str) -> None:
    apply(with_scheduler(tree), Plan((SETTING,)), Says(""))
    if shown:
        with_scheduler(tree, shown)
    else:
        (tree / SCHEDULER[1:]).unlink()  # the disk is gone
    roll_back(tree)
    if shown:
        assert (tree / SCHEDULER[1:]).read_text() == shown
    else:
        assert not (tree / SCHEDULER[1:]).exists()
    assert not (tree / STATE[1:]).exists()


def test_a_setting_that_changed_meanwhile_is_refused(tree: pathlib.Path) -> None:
    root = with_scheduler(tree, "mq-deadline [kyber] none\n")
    with pytest.raises(GuestError, match="changed while"):
        apply(root, Plan((SETTING,)), Says(""))
    assert (tree / SCHEDULER[1:]).read_text() == "mq-deadline [kyber] none\n"


def test_a_setting_that_is_not_there_is_not_made(tree: pathlib.Path) -> None:
    root = with_scheduler(tree, "")
    (tree / SCHEDULER[1:]).unlink()
    with pytest.raises(GuestError, match="cannot be written"):
        apply(root, Plan((RuntimeSetting(SCHEDULER, "", "none", "wanted"),)), Says(""))
    assert not (tree / SCHEDULER[1:]).exists()


# -- key-value pairs


POOL = "/var/lib/hyperv/.kvp_pool_1"


def pair(key: str, value: str) -> bytes:
    return key.encode().ljust(512, b"\0") + value.encode().ljust(2048, b"\0")


def pool_change(present: dict[str, str], *absent: str) -> Plan:
    return Plan((PoolChange(POOL, (), tuple(present.items()), absent, "wanted"),))


def with_pool(tree: pathlib.Path, data: bytes) -> pathlib.Path:
    (tree / "var/lib/hyperv").mkdir(exist_ok=True)
    (tree / POOL[1:]).write_bytes(data)
    return tree / POOL[1:]


def test_pairs_are_changed_in_place_and_come_back(tree: pathlib.Path) -> None:
    pool = with_pool(tree, pair("a", "1") + pair("b", "2") + b"half")
    before = state(tree), pool.stat().st_ino
    apply(Root(str(tree)), pool_change({"c": "3", "a": "one"}, "b"), Says(""))
    assert pool.read_bytes() == pair("a", "one") + pair("c", "3")
    assert pool.stat().st_ino == before[1], "the daemon has it open"
    roll_back(tree)
    assert pool.read_bytes() == pair("a", "1") + pair("b", "2") + b"half"
    assert differences(before[0], tree) == []


def test_a_pool_that_was_not_there_is_made_and_goes_again(tree: pathlib.Path) -> None:
    before = state(tree)
    apply(Root(str(tree)), pool_change({"a": "1"}), Says(""))
    assert (tree / POOL[1:]).read_bytes() == pair("a", "1")
    assert (tree / POOL[1:]).stat().st_mode & 0o777 == 0o644
    roll_back(tree)
    assert differences(before, tree) == []


def test_a_pair_that_somebody_wrote_meanwhile_stays(tree: pathlib.Path) -> None:
    pool = with_pool(tree, pair("new", "from the daemon"))
    apply(Root(str(tree)), pool_change({"a": "1"}), Says(""))
    assert pool.read_bytes() == pair("new", "from the daemon") + pair("a", "1")


def test_the_lock_of_the_daemon_is_waited_for(tree: pathlib.Path) -> None:
    pool = with_pool(tree, b"")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # the daemon: writes while it holds the lock
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        with pool.open("r+b") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX)
            os.write(writing, b"locked")
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            signal.sigwait({signal.SIGALRM})
            stream.write(pair("b", "2"))
        os._exit(0)
    os.read(reading, 6)
    apply(Root(str(tree)), pool_change({"a": "1"}), Says(""))
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    assert pool.read_bytes() == pair("b", "2") + pair("a", "1")
