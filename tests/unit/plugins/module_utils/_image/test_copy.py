# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._image import qemu_img
from ansible_collections.rehost.hyperv.plugins.module_utils._image.copy import copy_image

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")

MIB = 1 << 20


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.raw"
    path.write_bytes(b"boot" + bytes(3 * MIB - 8) + b"tail")
    return str(path)


@pytest.mark.parametrize(("target_format", "known_as"), [("vhdx", "vhdx"), ("vhd", "vpc"), ("qcow2", "qcow2")])
def test_a_copy_has_the_format_and_the_content(source, tmp_path, target_format, known_as):
    target = str(tmp_path / "target")
    copied = copy_image(source, target, target_format)
    assert copied.changed
    assert copied.image.format == known_as
    qemu_img.compare(source, "raw", target, known_as)


def test_a_second_copy_changes_nothing(source, tmp_path):
    target = tmp_path / "target.vhdx"
    copy_image(source, str(target), "vhdx")
    before = target.stat().st_mtime_ns
    assert not copy_image(source, str(target), "vhdx").changed
    assert target.stat().st_mtime_ns == before


def test_a_dry_run_writes_nothing(source, tmp_path):
    assert copy_image(source, str(tmp_path / "target.vhdx"), "vhdx", dry_run=True).changed
    assert [path.name for path in tmp_path.iterdir()] == ["source.raw"]


def test_other_content_is_not_replaced_unasked(source, tmp_path):
    target = tmp_path / "target.raw"
    target.write_bytes(b"precious" * (MIB // 8))
    with pytest.raises(GuestError, match="another content"):
        copy_image(source, str(target), "raw")
    assert target.read_bytes().startswith(b"precious")


def test_other_content_is_replaced_when_asked(source, tmp_path):
    target = tmp_path / "target.raw"
    target.write_bytes(b"precious" * (MIB // 8))
    assert copy_image(source, str(target), "raw", replace=True).changed
    assert target.read_bytes().startswith(b"boot")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.raw", "target.raw"]


def test_what_was_to_be_replaced_comes_back_when_the_copy_fails(source, tmp_path):
    target = tmp_path / "target.raw"
    target.write_bytes(b"precious" * (MIB // 8))
    with pytest.raises(GuestError):
        copy_image(source, str(target), "raw", replace=True, subformat="fixed")
    assert target.read_bytes().startswith(b"precious")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.raw", "target.raw"]


def test_a_source_is_never_its_own_target(source):
    with pytest.raises(GuestError, match="same file"):
        copy_image(source, source, "raw", replace=True)


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GuestError) as problem:
        copy_image(str(tmp_path / "nothing"), str(tmp_path / "target"), "vhdx")
    assert problem.value.path == str(tmp_path / "nothing")


def test_progress_can_be_followed(source, tmp_path):
    progress = tmp_path / "progress"
    copy_image(source, str(tmp_path / "target.vhdx"), "vhdx", progress_file=str(progress))
    step, percent = progress.read_text().split()
    assert step in ("convert", "compare")
    assert 0 <= int(percent) <= 100
