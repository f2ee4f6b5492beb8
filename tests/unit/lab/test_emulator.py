# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import LabError, emulator, find_emulator

LAB = "".join(f'name "{device}", bus vmbus\\n' for device in emulator.DEVICES)


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def empty_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(emulator.VARIABLE, raising=False)
    (tmp_path / "checkout").mkdir()
    monkeypatch.setattr(emulator, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr(emulator, "CACHE", tmp_path / "checkout" / ".cache" / "lab")
    return tmp_path


def built(root: Path) -> Path:
    return root / "checkout" / ".cache" / "lab" / "qemu" / "bin" / emulator.PROGRAM


def prebuilt(root: Path) -> Path:
    return root / "shared" / "lab" / "prebuilt" / "bin" / emulator.PROGRAM


def test_the_one_that_was_built_is_found(empty_checkout: Path) -> None:
    path = write_program(built(empty_checkout), f"printf '{LAB}'")
    assert find_emulator() == (path, "built by `make lab`")


def test_the_prebuilt_one_comes_before_the_built_one(empty_checkout: Path) -> None:
    write_program(built(empty_checkout), f"printf '{LAB}'")
    path = write_program(prebuilt(empty_checkout), f"printf '{LAB}'")
    assert find_emulator().path == path


def test_the_one_that_is_named_comes_first(empty_checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_program(prebuilt(empty_checkout), f"printf '{LAB}'")
    path = write_program(empty_checkout / "mine", f"printf '{LAB}'")
    monkeypatch.setenv(emulator.VARIABLE, os.fspath(path))
    assert find_emulator() == (path, "$REHOST_LAB_QEMU")


def test_the_directory_that_build_was_given_may_be_named(empty_checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_program(empty_checkout / "mine" / "bin" / emulator.PROGRAM, f"printf '{LAB}'")
    monkeypatch.setenv(emulator.VARIABLE, "../mine")  # from the checkout
    assert find_emulator().path.samefile(path)


def test_when_there_is_none_the_error_says_how_to_get_one() -> None:
    with pytest.raises(LabError, match="make lab"):
        find_emulator()


def test_a_named_one_that_does_not_exist_is_not_passed_over(
    empty_checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(prebuilt(empty_checkout), f"printf '{LAB}'")
    monkeypatch.setenv(emulator.VARIABLE, os.fspath(empty_checkout / "absent"))
    with pytest.raises(LabError, match=r"absent.*REHOST_LAB_QEMU.*does not run"):
        find_emulator()


def test_a_qemu_without_the_patches_is_refused(empty_checkout: Path) -> None:
    write_program(built(empty_checkout), "echo 'name \"hv-balloon\", bus vmbus'")
    with pytest.raises(LabError, match="has no hv-net, hv-ide, hv-timesync, xen-disk"):
        find_emulator()


def test_a_qemu_that_lacks_a_library_says_what_it_said(empty_checkout: Path) -> None:
    write_program(built(empty_checkout), "echo 'libslirp.so.0: cannot open' >&2; exit 127")
    with pytest.raises(LabError, match=r"libslirp.*packages\.txt"):
        find_emulator()
