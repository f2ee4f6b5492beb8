# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The single steps; that they hold together when killed is shown by the tests of plan.py."""

from __future__ import annotations

import os
import pathlib
import struct

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.guest import Guest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import BLOBS, JOURNAL, STATE
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import rollback_journal
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "var" / "lib").mkdir(parents=True)
    (tmp_path / "etc" / "fstab").write_text("before")
    return tmp_path


def journal(tree: pathlib.Path) -> rollback_journal.Journal:
    return rollback_journal.parse((tree / JOURNAL[1:]).read_text())


def test_a_path_is_recorded_once_as_it_was_before_the_first_change(tree: pathlib.Path) -> None:
    os.utime(tree / "etc/fstab", ns=(1, 1_000_000_007))
    os.chmod(tree / "etc/fstab", 0o640)
    with Guest(Root(str(tree))) as guest:
        guest.write("/etc/fstab", (b"one", b" two"), 0o600)
        assert (tree / "etc/fstab").read_text() == "one two"
        guest.write("/etc/fstab", (b"three",), 0o600)
    with Guest(Root(str(tree))) as guest:
        guest.write("/etc/fstab", (b"four",), 0o600)
    held = [original for original in journal(tree).originals if original.path == "/etc/fstab"]
    assert [(original.kind, original.mode, original.mtime_ns) for original in held] == [("file", 0o640, 1_000_000_007)]
    assert (tree / BLOBS[1:] / held[0].blob).read_text() == "before"
    assert len(list((tree / BLOBS[1:]).iterdir())) == 1
    assert len(journal(tree).written["/etc/fstab"]) == 3
    assert [original.path for original in journal(tree).originals] == ["/var/lib", "/etc", "/etc/fstab"]


def test_what_is_staged_shows_to_nobody_until_it_is_committed(tree: pathlib.Path) -> None:
    with Guest(Root(str(tree))) as guest:
        staged = guest.stage("/etc/fstab", (b"after",), 0o644)
        assert (tree / "etc/fstab").read_text() == "before"
        assert "/etc/fstab" in {original.path for original in journal(tree).originals}
        guest.discard(staged)
    assert os.listdir(tree / "etc") == ["fstab"]
    assert journal(tree).written == {}


def test_content_that_ends_in_an_error_leaves_nothing_beside(tree: pathlib.Path) -> None:
    def chunks() -> object:
        yield b"half"
        raise GuestError("the rest is missing")

    with Guest(Root(str(tree))) as guest, pytest.raises(GuestError, match="the rest is missing"):
        guest.write("/etc/fstab", chunks(), 0o644)  # type: ignore[arg-type]
    assert os.listdir(tree / "etc") == ["fstab"]
    assert (tree / "etc/fstab").read_text() == "before"


def test_a_name_beside_a_file_is_not_followed(tree: pathlib.Path) -> None:
    (tree / "victim").write_text("kept")
    os.symlink("../victim", tree / "etc" / ".fstab.rehost-new")
    with Guest(Root(str(tree))) as guest:
        guest.write("/etc/fstab", (b"after",), 0o644)
    assert (tree / "victim").read_text() == "kept"
    assert not os.path.lexists(tree / "etc" / ".fstab.rehost-new")


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_file_is_not_replaced(tree: pathlib.Path, kind: str) -> None:
    path = tree / "etc" / "thing"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    with Guest(Root(str(tree))) as guest, pytest.raises(GuestError) as caught:
        guest.write("/etc/thing", (b"x",), 0o644)
    assert caught.value.path == "/etc/thing"
    assert sorted(os.listdir(tree / "etc")) == ["fstab", "thing"]


def test_copies_never_take_a_name_that_is_taken(tree: pathlib.Path) -> None:
    (tree / BLOBS[1:]).mkdir(parents=True)
    for name in ("0001", "0002", "other"):
        (tree / BLOBS[1:] / name).write_text("of a rollback that was killed")
    with Guest(Root(str(tree))) as guest:
        guest.write("/etc/fstab", (b"after",), 0o644)
    assert [original.blob for original in journal(tree).originals if original.blob] == ["0003"]


def test_the_access_control_list_of_a_file_is_not_that_of_its_directory(tree: pathlib.Path) -> None:
    # <linux/posix_acl_xattr.h>: version 2; owner, user 1234, group, mask, others
    entries = ((1, 7, -1), (2, 7, 1234), (4, 5, -1), (16, 7, -1), (32, 5, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.chmod(tree / "etc/fstab", 0o640)
    try:
        os.setxattr(tree / "etc", "system.posix_acl_default", acl)
    except OSError as error:
        pytest.skip(f"no access control lists here: {error.strerror}")
    root = Root(str(tree))
    with Guest(root) as guest:
        guest.write("/etc/fstab", (b"after",), 0o644)
        assert os.listxattr(tree / "etc/fstab") == []
        assert os.stat(tree / "etc/fstab").st_mode & 0o777 == 0o640
        (original,) = [original for original in journal(tree).originals if original.path == "/etc/fstab"]
        guest.restore(original)
    assert os.listxattr(tree / "etc/fstab") == []
    assert os.stat(tree / "etc/fstab").st_mode & 0o777 == 0o640


def test_what_a_killed_run_staged_is_removed_when_the_journal_is_opened(tree: pathlib.Path) -> None:
    with Guest(Root(str(tree))) as guest:
        guest.record("/etc/fstab")
        guest.record("/etc/gone/file")
    (tree / "etc" / ".fstab.rehost-new").write_text("half")
    with Guest(Root(str(tree))) as guest:
        guest.record("/etc/fstab")
    assert os.listdir(tree / "etc") == ["fstab"]


def test_forgetting_gives_the_directory_its_time_and_leaves_what_others_keep_there(tree: pathlib.Path) -> None:
    with Guest(Root(str(tree))) as guest:
        guest.record("/etc/fstab")
        (tree / STATE[1:] / "notes").write_text("of the administrator")
        guest.forget(1_234_000_000_000_000_007)
    assert (tree / "var/lib").stat().st_mtime_ns == 1_234_000_000_000_000_007
    assert os.listdir(tree / STATE[1:]) == ["notes"]


def test_nothing_is_made_before_something_is_changed(tree: pathlib.Path) -> None:
    with Guest(Root(str(tree))):
        assert not (tree / STATE[1:]).exists()
