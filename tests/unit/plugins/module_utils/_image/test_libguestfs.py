# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._image import libguestfs


def answering(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a program called guestfish on the path, which stands for a broken installation."""
    program = tmp_path / "guestfish"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:/usr/bin:/bin" % tmp_path)


def test_without_libguestfs_the_package_is_named(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not libguestfs.is_installed()
    with pytest.raises(_errors.ToolMissingError) as caught, libguestfs.open_access("/dev/null", writable=False):
        pass
    assert "libguestfs-tools" in caught.value.hint


def test_without_fuse_no_appliance_is_started(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tmp_path, monkeypatch, "touch %s" % (tmp_path / "started"))
    monkeypatch.setattr(libguestfs, "_FUSE", str(tmp_path / "absent"))
    with pytest.raises(_errors.GuestError, match="No such file") as caught, libguestfs.open_access(
        "/dev/null", writable=False
    ):
        pass
    assert "modprobe fuse" in caught.value.hint
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "has ended"),
        ("echo 'libguestfs: error: no kernel was found' >&2; exit 1", "no kernel was found"),
        ("exec sleep 600", "did not answer"),
        ("while :; do echo 0123456789; done", "more than"),
    ],
)
def test_an_appliance_that_does_not_start_is_an_error_with_advice(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    answering(tmp_path, monkeypatch, script)
    monkeypatch.setattr(libguestfs, "_LAUNCH", 0.5 if "sleep" in script else 20.0)
    monkeypatch.setattr(libguestfs, "_ANSWER", 100_000)
    monkeypatch.setattr(libguestfs, "_STOP", 0.2)
    image = tmp_path / "image"
    image.write_bytes(bytes(4096))
    with pytest.raises(_errors.GuestError, match=said) as caught, libguestfs.Guestfish(
        str(image), str(tmp_path), False
    ):
        pass
    assert "libguestfs-test-tool" in caught.value.hint


def test_a_word_cannot_end_its_command() -> None:
    """Names come from a foreign disk; guestfish takes one command a line, and runs a shell on "!"."""
    quoted = libguestfs.quote('a"\n!reboot\\')
    assert "\n" not in quoted
    assert quoted == '"a\\"\\n!reboot\\\\"'


def test_whether_kvm_works_is_known_without_an_error() -> None:
    assert libguestfs.kvm_works() in (True, False)


@pytest.mark.parametrize("knows", [True, False])
def test_a_passphrase_is_only_told_to_who_will_take_it_for_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, knows: bool
) -> None:
    """An old guestfish would take it for a command, and run what begins with an exclamation mark."""
    told = tmp_path / "told"
    help_text = "echo NAME;" if knows else ""
    script = 'case "$line" in -help*) %s ;; echo*) echo "${line#echo }" ;; esac' % help_text
    answering(tmp_path, monkeypatch, 'while IFS= read -r line; do echo "$line" >> %s; %s; done' % (told, script))
    with libguestfs.Guestfish("image", str(tmp_path), False) as guestfish:
        if knows:
            guestfish.unlock("/dev/sda2", "crypt1", " !reboot ")
        else:
            with pytest.raises(_errors.ToolMissingError, match="does not know cryptsetup-open"):
                guestfish.unlock("/dev/sda2", "crypt1", " !reboot ")
    lines = told.read_text().splitlines()
    assert (" !reboot " in lines) == knows
    if knows:
        asked = lines.index('-cryptsetup-open "/dev/sda2" "crypt1" "crypttype:luks"')
        assert lines[asked + 1] == " !reboot "
        assert lines[asked + 2].startswith("echo ")
