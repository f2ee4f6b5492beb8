# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.superblock import FileSystem
from ansible_collections.rehost.hyperv.plugins.module_utils._image import keys, volumes
from ansible_collections.rehost.hyperv.plugins.module_utils._image.keys import Key

UUID = "0d8f7f0e-5a3c-4b8e-9f77-1c2d3e4f5a6b"
BOOT = volumes.Volume("1", 1 << 20, 8 << 20, FileSystem("ext2"), 1)
FIRST = volumes.Volume("2", 9 << 20, 8 << 20, FileSystem("crypto_LUKS", UUID, version="2"), 2)
SECOND = volumes.Volume("3", 17 << 20, 8 << 20, FileSystem("crypto_LUKS", version="1"), 3)
EMPTY = volumes.Volume("4", 25 << 20, 8 << 20, None, 4)
SHOWN = volumes.Layout(None, (BOOT, FIRST, SECOND, EMPTY))


def test_a_key_that_names_a_volume_is_tried_before_those_for_all() -> None:
    given = (Key("all", "a"), Key("/dev/xvda2", "b"), Key("UUID=" + UUID, "c"), Key("all", "d"))
    assert [key.passphrase for key in keys.keys_for(given, SHOWN, FIRST)] == ["b", "c", "a", "d"]
    assert [key.passphrase for key in keys.keys_for(given, SHOWN, SECOND)] == ["a", "d"]


def test_a_passphrase_is_not_shown() -> None:
    assert "hidden" not in repr(Key("all", "hidden"))


@pytest.mark.parametrize(
    ("passphrase", "said"), [("", "is empty"), ("a\nb", "more than one line"), ("a\n", "more than"), ("a\0b", "a NUL")]
)
def test_what_is_no_line_of_text_is_refused_without_showing_it(passphrase: str, said: str) -> None:
    with pytest.raises(_errors.GuestError, match=said) as caught:
        Key("/dev/xvda2", passphrase)
    assert "/dev/xvda2" in caught.value.message
    assert not passphrase or passphrase not in caught.value.message
    assert "luksAddKey" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "passphrase"),
    [(b"secret", "secret"), (b"secret\n", "secret"), (b" a b \n", " a b "), (b"caf\xe9\n", "caf\udce9")],
)
def test_the_newline_at_the_end_of_a_key_file_is_none_of_the_key(
    tmp_path: pathlib.Path, content: bytes, passphrase: str
) -> None:
    (tmp_path / "key").write_bytes(content)
    assert keys.read_key_file("all", str(tmp_path / "key")) == Key("all", passphrase)


def test_a_key_file_of_random_bytes_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "key").write_bytes(b"\x13\0\xff")
    with pytest.raises(_errors.GuestError, match="NUL byte"):
        keys.read_key_file("all", str(tmp_path / "key"))


def test_what_is_no_key_file_is_refused(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * 8193)
    for name, said in (("fifo", "regular file"), ("absent", "No such file"), ("large", "8192"), (".", "directory")):
        with pytest.raises(_errors.GuestError, match=said) as caught:
            keys.read_key_file("all", str(tmp_path / name))
        assert caught.value.path == str(tmp_path / name)
        assert caught.value.hint


@pytest.mark.parametrize("device", ["/dev/xvda1", "/dev/xvda4", "1"])
def test_a_key_to_what_is_not_encrypted_is_refused(device: str) -> None:
    with pytest.raises(_errors.GuestError, match=r"partition [14] \(.*\) is no LUKS volume") as caught:
        keys.check_names((Key(device, "x"),), SHOWN, complete=False)
    assert "detached" in caught.value.hint


def test_a_key_to_a_volume_that_is_not_there_is_refused() -> None:
    with pytest.raises(_errors.GuestError, match="/dev/xvda9, which the image does not have") as caught:
        keys.check_names((Key("/dev/xvda9", "x"),), SHOWN, complete=False)
    assert "partition 2 (crypto_LUKS)" in caught.value.hint


def test_what_is_not_there_may_be_in_what_another_key_opens() -> None:
    given = (Key("/dev/mapper/inner-var", "x"), Key("/dev/xvda2", "y"))
    keys.check_names(given, SHOWN, complete=False)
    with pytest.raises(_errors.GuestError, match="/dev/mapper/inner-var"):
        keys.check_names(given, SHOWN, complete=True)


def test_what_lies_in_pieces_may_be_encrypted() -> None:
    layout = dataclasses.replace(SHOWN, volumes=(volumes.Volume("guest/root", None, 8 << 20, None, group="guest"),))
    given = (Key("/dev/guest/root", "x"),)
    keys.check_names(given, layout, complete=False)
    with pytest.raises(_errors.GuestError, match="is no LUKS volume"):
        keys.check_names(given, layout, complete=True)


def test_a_key_for_all_is_no_error_where_nothing_is_encrypted() -> None:
    layout = dataclasses.replace(SHOWN, volumes=(BOOT,))
    keys.check_names((Key("all", "x"),), layout, complete=True)
    assert not keys.are_of_use((Key("all", "x"),), layout)
    assert keys.are_of_use((Key("all", "x"),), SHOWN)
    assert not keys.are_of_use((), SHOWN)


def test_a_volume_that_is_open_is_not_locked() -> None:
    inner = volumes.Volume("crypt1", None, 6 << 20, FileSystem("ext4"), container=FIRST)
    layout = dataclasses.replace(SHOWN, volumes=(*SHOWN.volumes, inner))
    assert layout.locked == (SECOND,)
    assert layout.content_of(FIRST) is inner
    assert layout.content_of(BOOT) is BOOT
    assert inner.describe() == "the encrypted content of partition 2 (ext4)"
