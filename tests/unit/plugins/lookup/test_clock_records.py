# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.rehost.hyperv.plugins.lookup import clock_records


def test_the_files_of_all_directories_are_given(tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    lookup = clock_records.LookupModule()

    assert lookup.run([os.fspath(tmp_path / name) for name in ("two", "none", "one")]) == [
        {"name": "file", "text": "two"},
        {"name": "file", "text": "one"},
    ]


def test_a_directory_that_cannot_be_read_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AnsibleLookupError, match="Not a directory"):
        clock_records.LookupModule().run([os.fspath(tmp_path / "file")])
