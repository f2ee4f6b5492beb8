# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_files


def test_files_come_sorted_with_their_text(tmp_path: pathlib.Path) -> None:
    (tmp_path / "b.json").write_text("é")
    (tmp_path / "a.json").write_text("{}")
    assert list(_clock_files.read_all(os.fspath(tmp_path))) == [
        {"name": "a.json", "text": "{}"},
        {"name": "b.json", "text": "é"},
    ]


def test_what_is_no_text_file_comes_with_the_reason(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clock_files, "LARGEST_FILE", 2**20)
    os.mkfifo(tmp_path / "1-pipe")
    (tmp_path / "2-directory").mkdir()
    (tmp_path / "3-dangling").symlink_to("nowhere")
    (tmp_path / "4-binary").write_bytes(b"\xff\x00")
    (tmp_path / "5-large").write_bytes(b"x" * (2**20 + 1))
    (tmp_path / "6-just-so").write_bytes(b"x" * 2**20)
    os.close(os.open(os.fspath(tmp_path).encode() + b"/7-\xff\n", os.O_CREAT | os.O_WRONLY))

    found = list(_clock_files.read_all(os.fspath(tmp_path)))

    assert [file.get("problem") for file in found] == [
        "it is no regular file",
        "it is no regular file",
        "it cannot be read: No such file or directory",
        "it is no text in UTF-8",
        "it is larger than 1 MiB",
        None,
        None,
    ]
    assert found[-1]["name"] == "7-\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


def test_a_directory_that_is_not_there_is_empty(tmp_path: pathlib.Path) -> None:
    assert list(_clock_files.read_all(os.fspath(tmp_path / "none"))) == []


def test_a_directory_that_is_none_is_told(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GuestError, match="cannot be read: Not a directory"):
        list(_clock_files.read_all(os.fspath(tmp_path / "file")))
