# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._build import status
from ansible_collections.rehost.hyperv.tests.unit import child_process


def test_what_is_written_is_read(tmp_path: pathlib.Path) -> None:
    written = status.Status("failed", "configure", 3, "why", "what to do", ({"symbol": "HYPERV"},), 7, 1.5)
    status.write(str(tmp_path), written)
    found = status.read(str(tmp_path))
    assert found is not None
    assert found.updated > 1.5
    assert found._replace(updated=0.0) == written


def test_nothing_begun_is_no_status(tmp_path: pathlib.Path) -> None:
    assert status.read(str(tmp_path)) is None


def test_a_damaged_file_is_no_status(tmp_path: pathlib.Path) -> None:
    for text in ("", "{", "[]"):
        (tmp_path / status.FILE).write_text(text)
        assert status.read(str(tmp_path)) is None


def test_one_at_a_time_has_the_lock(tmp_path: pathlib.Path) -> None:
    first = status.take_lock(str(tmp_path))
    assert first is not None
    assert status.take_lock(str(tmp_path)) is None
    os.close(first)
    again = status.take_lock(str(tmp_path))
    assert again is not None
    os.close(again)


def test_the_lock_ends_with_the_process_that_has_it(tmp_path: pathlib.Path) -> None:
    assert child_process.call(lambda: status.take_lock(str(tmp_path)) is not None)
    found = status.take_lock(str(tmp_path))
    assert found is not None
    os.close(found)
