# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of Linux that Python's library lacks: mount(2), unshare(2), prctl(2), and loop devices (loop(4))."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import stat
import struct
import time
import typing as t

from .. import _errors

# <linux/mount.h>, <sched.h>, <linux/prctl.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 1, 2, 4, 0x4000, 1 << 18
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8
_CLONE_NEWNS = 0x00020000
_PR_SET_PDEATHSIG = 1

# <linux/loop.h>
_LOOP_SET_FD, _LOOP_CLR_FD, _LOOP_SET_STATUS64, _LOOP_GET_STATUS64 = 0x4C00, 0x4C01, 0x4C04, 0x4C05
_LOOP_CONFIGURE, _LOOP_CTL_GET_FREE = 0x4C0A, 0x4C82
_LO_FLAGS_READ_ONLY, _LO_FLAGS_AUTOCLEAR = 1, 4
_LOOP_MAJOR = 7
_LOOP_INFO = struct.Struct("=QQQQQIIII64s64s32sQQ")
_LOOP_CONFIG = struct.Struct("=II232s64x")
_ATTEMPTS = 64

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: t.Any) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter_private_mounts() -> None:
    """Gives this process mounts of its own: what it mounts from now on, only it and its children see, and it is
    unmounted when the last of them ends. OSError without the right to do so."""
    _call("unshare", ctypes.c_int(_CLONE_NEWNS))
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def mount(source: str, target: str, fs_type: str | None, flags: int, data: str = "") -> None:
    """mount(2); OSError. The target is followed if it is a link: give /proc/self/fd/N where that matters."""
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        None if fs_type is None else fs_type.encode(),
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )


def unmount(target: str, *, lazily: bool = False) -> None:
    """umount2(2), never through a symbolic link; OSError."""
    _call("umount2", os.fsencode(target), ctypes.c_int(_UMOUNT_NOFOLLOW | (_MNT_DETACH if lazily else 0)))


def die_with_parent() -> None:
    """To be called in a child: the kernel kills it when its parent ends, however that ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Loop(t.NamedTuple):
    """A loop device and its open descriptor. The device detaches itself when the last user is gone."""

    number: int
    path: str
    fd: int


@contextlib.contextmanager
def attached_loop(image: int, offset: int, size: int, *, writable: bool, directory: str) -> t.Iterator[Loop]:
    """Shows size bytes at offset of an open image as a block device, at least as long as the context lasts.

    What was mounted from it keeps it. directory: where to make a device node if /dev has none. GuestError when this
    machine has no loop devices to give.
    """
    try:
        control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _errors.GuestError(
            "this machine has no loop devices: /dev/loop-control: %s" % error.strerror,
            hint="load the module (modprobe loop), give the container access to it, or use the libguestfs back end",
        ) from error
    flags = _LO_FLAGS_AUTOCLEAR | (0 if writable else _LO_FLAGS_READ_ONLY)
    info = _LOOP_INFO.pack(0, 0, 0, offset, size, 0, 0, 0, flags, b"", b"", b"", 0, 0)
    try:
        loop = _attach(control, image, info, writable, directory)
    finally:
        os.close(control)
    try:
        yield loop
    finally:
        os.close(loop.fd)


def _attach(control: int, image: int, info: bytes, writable: bool, directory: str) -> Loop:
    for attempt in range(_ATTEMPTS):
        number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
        fd, path = _open_loop(number, directory, writable)
        try:
            _configure(fd, image, info)
            return Loop(number, path, fd)
        except OSError as error:
            os.close(fd)
            # Somebody else was faster, or the device of somebody else is just going away.
            if error.errno not in (errno.EBUSY, errno.ENXIO):
                raise
            time.sleep(0.001 * attempt)
    raise _errors.GuestError(
        "no loop device could be had in %d attempts: others take each one first" % _ATTEMPTS,
        hint="adapt fewer images at the same time on this machine",
    )


def _open_loop(number: int, directory: str, writable: bool) -> tuple[int, str]:
    path = "/dev/loop%d" % number
    try:
        present = os.stat(path).st_rdev == os.makedev(_LOOP_MAJOR, number)
    except FileNotFoundError:
        present = False
    if not present:
        # Without udev (a container) the kernel's new device gets no node in /dev.
        path = os.path.join(directory, "loop%d" % number)
        if not os.path.exists(path):
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(_LOOP_MAJOR, number))
    return os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC), path


def _configure(fd: int, image: int, info: bytes) -> None:
    try:
        fcntl.ioctl(fd, _LOOP_CONFIGURE, _LOOP_CONFIG.pack(image, 0, info))
        return
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise
    # Linux before 5.8 needs two calls; a process killed between them leaves a device that nobody uses.
    fcntl.ioctl(fd, _LOOP_SET_FD, image)
    try:
        fcntl.ioctl(fd, _LOOP_SET_STATUS64, info)
    except OSError:
        fcntl.ioctl(fd, _LOOP_CLR_FD, 0)
        raise


def is_attached(number: int, image: int) -> bool:
    """Whether loop device number still shows the file that is open as image, and that it was given."""
    try:
        with open("/sys/block/loop%d/loop/backing_file" % number, encoding="utf-8", errors="surrogateescape") as stream:
            backing = stream.read().rstrip("\n")
        # The kernel spells both, so that they agree also where the path leads nowhere: in a container, after a chroot.
        return backing == os.readlink("/proc/self/fd/%d" % image)
    except OSError:
        return False
