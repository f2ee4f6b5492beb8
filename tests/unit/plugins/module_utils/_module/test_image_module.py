# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: a program that takes its arguments as JSON."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from ansible_collections.rehost.hyperv.plugins.modules import disk_image

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")

COLLECTIONS = pathlib.Path(disk_image.__file__).parents[5]


def run(check_mode=False, **arguments):
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}}
    done = subprocess.run(
        [sys.executable, disk_image.__file__],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.raw"
    path.write_bytes(b"boot" + bytes((2 << 20) - 4))
    return path


def test_check_run_check_run(source, tmp_path):
    arguments = {"src": str(source), "dest": str(tmp_path / "disk.vhdx")}
    assert run(check_mode=True, **arguments)["changed"]
    assert not (tmp_path / "disk.vhdx").exists()
    made = run(**arguments)
    assert made["changed"]
    assert made["image"]["format"] == "vhdx"
    assert made["image"]["virtual_size"] == 2 << 20
    assert not run(check_mode=True, **arguments)["changed"]
    assert not run(**arguments)["changed"]


def test_an_error_says_what_where_and_what_to_do(source, tmp_path):
    other = tmp_path / "other.raw"
    other.write_bytes(b"precious" + bytes((2 << 20) - 8))
    result = run(src=str(source), dest=str(other), format="raw")
    assert result["failed"]
    assert "another content" in result["msg"]
    assert "replace: true" in result["msg"]
    assert result["path"] == str(other)
