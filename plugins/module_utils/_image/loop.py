# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The back end that lets the kernel of this machine mount the guest's file systems, by loop devices.

It is fast and needs root, and it gives the kernel a foreign file system to interpret: a hostile one attacks the
kernel. Partitions are attached by their offset, so no partition scan and no udev is needed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import typing as t

from .. import _errors
from .._root import Root
from . import kernel, volumes
from .access import Access, UnmountableError

WORK = "/run/rehost.hyperv"
_LET_GO = 10.0  # seconds that the kernel may take to detach a loop device after the last unmount
_EXT = ("ext2", "ext3", "ext4")


@contextlib.contextmanager
def open_access(image: t.BinaryIO, *, writable: bool) -> t.Iterator[LoopAccess]:
    """The calling process gets mounts of its own, for the rest of its life, and a tree in them.

    Mounts and loop devices end with the process, however it ends.
    """
    with private_directory() as directory:
        access = LoopAccess(image, directory, writable)
        try:
            yield access
        finally:
            access.unmount_all()


@contextlib.contextmanager
def private_directory() -> t.Iterator[str]:
    """A directory in memory that only this process and its children see. WORK stays behind, as an empty directory."""
    try:
        kernel.enter_private_mounts()
    except OSError as error:
        raise _errors.GuestError(
            "the guest's disk cannot be mounted: no mount namespace can be had: %s" % error.strerror,
            hint="run as root; in a container, with CAP_SYS_ADMIN",
        ) from error
    try:
        os.mkdir(WORK, 0o700)
    except FileExistsError:
        found = os.lstat(WORK)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
            raise _errors.GuestError("%s is not a directory of root" % WORK, path=WORK, hint="remove it") from None
    if os.path.ismount(WORK):
        raise _errors.GuestError("this process has an image open already; one at a time", path=WORK)
    kernel.mount("rehost.hyperv", WORK, "tmpfs", kernel.MS_NOSUID, "mode=0700,size=1m")
    try:
        yield WORK
    finally:
        kernel.unmount(WORK, lazily=True)


class LoopAccess(Access):
    name = "loop"

    def __init__(self, image: t.BinaryIO, directory: str, writable: bool) -> None:
        self.image = image
        self.directory = directory
        self.writable = writable
        self.layout = volumes.read_layout(image, os.fstat(image.fileno()).st_size)
        self.tree = os.path.join(directory, "guest")
        os.mkdir(self.tree)
        self._mounted: list[tuple[str, int]] = []  # mount point on this machine, number of the loop device

    def mount(self, volume: volumes.Volume, path: str, *, writable: bool, subvolume: str = "") -> tuple[str, ...]:
        if volume.start is None:
            raise UnmountableError(
                "%s lies on the disk in pieces, or beside snapshots, which only LVM can put together"
                % volume.describe(),
                hint="use the libguestfs back end",
            )
        kind = volume.type or ""
        if kind == "btrfs" and os.path.exists("/sys/fs/btrfs/%s" % volume.uuid):
            raise UnmountableError(
                "%s has the same UUID %s as a btrfs that is mounted on this machine; the kernel would confuse them"
                % (volume.describe(), volume.uuid),
                hint="adapt this image on another machine, or use the libguestfs back end",
            )
        with self._mount_point(path) as (target, place):
            with kernel.attached_loop(
                self.image.fileno(), volume.start, volume.size, writable=writable, directory=self.directory
            ) as loop:
                problems = self._mount_device(volume, loop.path, target, writable, subvolume)
            self._mounted.append((place, loop.number))
        return problems

    @contextlib.contextmanager
    def _mount_point(self, path: str) -> t.Iterator[tuple[str, str]]:
        """The directory at a guest's path: by a descriptor, which no link can redirect, and by its name here."""
        if path == "/":
            yield self.tree, self.tree
            return
        try:
            with Root(self.tree).open_parent(path) as (parent, name):
                fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        except OSError as error:
            raise UnmountableError("the guest has no directory %s to mount on: %s" % (path, error.strerror)) from error
        try:
            link = "/proc/self/fd/%d" % fd
            yield link, os.readlink(link)
        finally:
            os.close(fd)

    def _mount_device(
        self, volume: volumes.Volume, device: str, target: str, writable: bool, subvolume: str
    ) -> tuple[str, ...]:
        kind = volume.type or ""
        flags = kernel.MS_NOSUID | kernel.MS_NODEV | (0 if writable else kernel.MS_RDONLY)
        options = ["subvol=" + subvolume] if subvolume else []
        if kind == "xfs":
            options.append("nouuid")  # a copy of this disk may be mounted here too
        attempts = [options]
        if not writable:
            # Without these the kernel would replay the journal, and write.
            without_replay = {"xfs": "norecovery", "btrfs": "nologreplay", **dict.fromkeys(_EXT, "noload")}.get(kind)
            if without_replay and (volume.file_system and volume.file_system.needs_recovery):
                attempts = [[*options, without_replay]]
            elif kind == "xfs":
                attempts.append([*options, "norecovery"])  # only the kernel can tell whether its log is clean
        error = OSError()
        for attempt in attempts:
            try:
                kernel.mount(device, target, kind, flags, ",".join(attempt))
            except OSError as caught:
                error = caught
                continue
            if {"norecovery", "nologreplay", "noload"} & set(attempt):
                return (
                    "%s was not unmounted cleanly; it was read without the changes that wait in its journal, and "
                    "what was read may be inconsistent" % volume.describe(),
                )
            return ()
        if error.errno == errno.ENODEV:
            raise UnmountableError(
                "the kernel of this machine has no %s file system, so %s cannot be mounted" % (kind, volume.describe()),
                hint="load the module (modprobe %s), or use the libguestfs back end" % kind,
            )
        raise UnmountableError(
            "%s cannot be mounted: %s" % (volume.describe(), error.strerror),
            hint="the kernel's log (dmesg) has its reason; check the file system in a copy of the image",
        )

    def unmount_all(self) -> None:
        numbers = set()
        while self._mounted:
            place, number = self._mounted[-1]
            self._unmount(place)
            self._mounted.pop()
            numbers.add(number)
        # The last unmount writes to the loop device, and its detaching to the image.
        deadline = time.monotonic() + _LET_GO
        while any(kernel.is_attached(number, self.image.fileno()) for number in numbers):
            if time.monotonic() > deadline:
                raise _errors.GuestError(
                    "a process that was started in the guest's tree still runs and keeps the image in use",
                    hint="the image must not be used before that process has ended",
                )
            time.sleep(0.005)
        if numbers and self.writable:
            os.fsync(self.image.fileno())

    def _unmount(self, place: str) -> None:
        deadline = time.monotonic() + _LET_GO
        while True:
            try:
                kernel.unmount(place)
                return
            except OSError as error:
                if error.errno == errno.EBUSY and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                with contextlib.suppress(OSError):
                    kernel.unmount(self.tree, lazily=True)
                self._mounted = []
                raise _errors.GuestError(
                    "the guest's file system could not be unmounted: %s; the image must not be used" % error.strerror,
                    path=place,
                    hint="something still uses the tree; end it and start again from the original image",
                ) from error

    def exists(self, path: str) -> bool:
        return Root(self.tree).stat(path, follow=False) is not None

    def read_text(self, path: str) -> str | None:
        return Root(self.tree).read_text(path)

    def expose(self) -> str:
        return self.tree
