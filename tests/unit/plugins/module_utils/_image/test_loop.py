# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._image import access, loop, volumes
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import Part, build_disk

InChild = t.Callable[[t.Callable[[], t.Any]], t.Any]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
    pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="this machine has no loop devices"),
]


def test_a_second_image_in_one_process_is_refused(in_child: InChild) -> None:
    def open_twice() -> None:
        with loop.private_directory(), loop.private_directory():
            pass

    with pytest.raises(_errors.GuestError, match="one at a time"):
        in_child(open_twice)


def test_one_image_after_another_is_opened(in_child: InChild) -> None:
    def open_in_turn() -> list[bool]:
        seen = []
        for _turn in range(2):
            with loop.private_directory() as directory:
                seen.append(os.path.ismount(directory))
            seen.append(os.path.ismount(directory))
        return seen

    assert in_child(open_in_turn) == [True, False, True, False]


def test_a_directory_that_is_a_link_is_not_used(
    tmp_path: pathlib.Path, in_child: InChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").symlink_to("/etc")
    monkeypatch.setattr(loop, "WORK", str(tmp_path / "work"))

    def open_it() -> None:
        with loop.private_directory():
            pass

    with pytest.raises(_errors.GuestError, match="not a directory of root"):
        in_child(open_it)


def refused(path: pathlib.Path, volume: volumes.Volume, fs: str | None = None) -> access.UnmountableError:
    """Why a volume of an image is not mounted; with fs, after it was made to claim that type."""
    with path.open("rb") as image, loop.open_access(image, writable=False) as opened:
        if fs is not None:
            file_system = volumes.superblock.FileSystem(fs)
            volume = volumes.Volume(volume.name, volume.start, volume.size, file_system)
        try:
            opened.mount(volume, "/", writable=False)
        except access.UnmountableError as error:
            return error
    raise AssertionError("it was mounted")


@pytest.mark.parametrize(
    ("fs", "said"), [("no-such-fs", "has no no-such-fs file system"), ("xfs", "cannot be mounted")]
)
def test_a_file_system_that_does_not_mount_is_told_with_the_reason(
    tmp_path: pathlib.Path, in_child: InChild, fs: str, said: str
) -> None:
    disk = build_disk(tmp_path / "disk", None, [Part(8, "ext4")])
    error = in_child(lambda: refused(disk.path, volumes.Volume("disk", 0, 8 << 20, None), fs))
    assert said in error.message
    assert error.hint


def test_a_volume_in_pieces_is_left_to_libguestfs(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = build_disk(tmp_path / "disk", None, [Part(8, "ext4")])
    error = in_child(lambda: refused(disk.path, volumes.Volume("guest/root", None, 8 << 20, None, group="guest")))
    assert "libguestfs" in error.hint
