# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import fcntl
import os
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._image import kernel

InChild = t.Callable[[t.Callable[[], t.Any]], t.Any]
MIB = 1 << 20

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may attach loop devices"),
    pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="this machine has no loop devices"),
]


@pytest.fixture
def image(tmp_path: pathlib.Path) -> t.Iterator[int]:
    path = tmp_path / "image"
    path.write_bytes(b"".join(bytes([number]) * MIB for number in range(8)))
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def show(image: int, offset: int, size: int, directory: pathlib.Path, *, writable: bool = False) -> bytes:
    """The content of the device."""
    with kernel.attached_loop(image, offset, size, writable=writable, directory=str(directory)) as loop:
        assert kernel.is_attached(loop.number, image)
        if writable:
            os.pwrite(loop.fd, b"W" * 4096, 0)
            os.fsync(loop.fd)
        return os.read(loop.fd, 8 * MIB)


def test_a_device_shows_exactly_its_part(image: int, tmp_path: pathlib.Path) -> None:
    assert show(image, 2 * MIB, MIB, tmp_path) == b"\2" * MIB


def test_what_is_written_arrives_at_its_place(image: int, tmp_path: pathlib.Path) -> None:
    show(image, 3 * MIB, MIB, tmp_path, writable=True)
    assert os.pread(image, 4097, 3 * MIB) == b"W" * 4096 + b"\3"
    assert os.pread(image, 1, 3 * MIB - 1) == b"\2"


def write_through(path: str) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.pwrite(fd, b"W" * 4096, 0)
        os.fsync(fd)
    finally:
        os.close(fd)


def test_a_device_that_is_read_only_takes_no_writes(image: int, tmp_path: pathlib.Path) -> None:
    with kernel.attached_loop(image, 0, MIB, writable=False, directory=str(tmp_path)) as loop, pytest.raises(OSError):
        write_through(loop.path)
    assert os.pread(image, 1, 0) == b"\0"


def test_a_device_is_free_again_after_use(image: int, tmp_path: pathlib.Path) -> None:
    with kernel.attached_loop(image, 0, MIB, writable=False, directory=str(tmp_path)) as loop:
        number = loop.number
    assert not kernel.is_attached(number, image)


def test_several_devices_of_one_image_are_told_apart(image: int, tmp_path: pathlib.Path) -> None:
    with kernel.attached_loop(image, MIB, MIB, writable=False, directory=str(tmp_path)) as first, kernel.attached_loop(
        image, 5 * MIB, MIB, writable=False, directory=str(tmp_path)
    ) as second:
        assert (os.read(first.fd, 1), os.read(second.fd, 1)) == (b"\1", b"\5")


def test_a_kernel_without_the_single_call_is_served_by_two(
    image: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A number that loop devices do not know, as LOOP_CONFIGURE was before Linux 5.8.
    monkeypatch.setattr(kernel, "_LOOP_CONFIGURE", 0x4C7F)
    assert show(image, 2 * MIB, MIB, tmp_path) == b"\2" * MIB
    show(image, 3 * MIB, MIB, tmp_path, writable=True)
    assert os.pread(image, 1, 3 * MIB) == b"W"


def test_a_device_without_a_node_in_dev_gets_one(image: int, in_child: InChild, tmp_path: pathlib.Path) -> None:
    def without_dev() -> bytes:
        kernel.enter_private_mounts()
        control = os.open("/dev/loop-control", os.O_RDWR)
        number = fcntl.ioctl(control, 0x4C82)
        bare = tmp_path / "dev"
        bare.mkdir()
        kernel.mount("none", str(bare), "tmpfs", 0)
        os.mknod(bare / "loop-control", 0o20600, os.fstat(control).st_rdev)
        kernel.mount(str(bare), "/dev", None, 4096)
        assert not os.path.exists("/dev/loop%d" % number)
        return show(image, 2 * MIB, MIB, bare)

    assert in_child(without_dev) == b"\2" * MIB


def test_a_mount_that_fails_says_why(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError) as caught:
        kernel.mount("none", str(tmp_path), "no-such-file-system", 0)
    assert caught.value.errno == errno.ENODEV
    with pytest.raises(OSError) as caught:
        kernel.unmount(str(tmp_path))
    assert caught.value.errno == errno.EINVAL
