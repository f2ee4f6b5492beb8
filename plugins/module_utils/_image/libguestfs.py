# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The back end that lets the appliance of libguestfs, a small virtual machine, mount the guest's file systems.

No file system of the guest is interpreted by the kernel of this machine, which sees FUSE only, and the appliance
knows LVM, LUKS and every file system of Linux. Without KVM each start takes the best part of a minute.

One guestfish(1) does it all; it reads commands on its standard input. Where the kernel of this machine cannot be
used for the appliance, SUPERMIN_KERNEL, SUPERMIN_KERNEL_VERSION and SUPERMIN_MODULES name another one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import io
import os
import secrets
import select
import shutil
import subprocess
import time
import typing as t

from .. import _errors
from .._formats import superblock
from . import kernel, keys, loop, volumes
from .access import Access, UnmountableError

_LAUNCH = 600.0  # seconds; under software emulation on a busy machine a start was seen to take minutes
_COMMAND = 300.0
_UNLOCK = 1800.0  # a key that takes a processor two seconds takes an emulated one some minutes
_STOP = 30.0
_ANSWER = 4 << 20  # bytes of one answer; the appliance itself sends no longer file
_PIECE = 64 << 10  # bytes read at once of a device
_UNLOCKING = "cryptsetup-open"
_FUSE = "/dev/fuse"

# <linux/kvm.h>
_KVM_CREATE_VM, _KVM_CREATE_VCPU, _KVM_RUN = 0xAE01, 0xAE41, 0xAE80


def is_installed() -> bool:
    """guestfish is there; whether its appliance starts, only a start shows."""
    return shutil.which("guestfish") is not None


def kvm_works() -> bool:
    """Whether /dev/kvm really runs a virtual CPU; where virtualisation is nested, its presence says little."""
    fds = []
    try:
        fds.append(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        fds.append(fcntl.ioctl(fds[-1], _KVM_CREATE_VM, 0))
        fds.append(fcntl.ioctl(fds[-1], _KVM_CREATE_VCPU, 0))
        # It has no memory, so it returns at its first instruction, with a reason that does not matter here.
        fcntl.ioctl(fds[-1], _KVM_RUN, 0)
    except OSError as error:
        return error.errno == errno.EINTR
    finally:
        for fd in reversed(fds):
            os.close(fd)
    return True


@contextlib.contextmanager
def open_access(path: str, *, writable: bool, given: t.Sequence[keys.Key] = ()) -> t.Iterator[LibguestfsAccess]:
    """Starts the appliance on a raw image, and opens the encrypted volumes to which there is a key.

    ToolMissingError without libguestfs, GuestError when it does not start, or a key does not fit.

    The calling process gets mounts of its own for the rest of its life; all ends with it, however it ends.
    """
    if not is_installed():
        raise _errors.ToolMissingError("guestfish is not installed", hint="install the package libguestfs-tools")
    try:
        os.close(os.open(_FUSE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise _errors.GuestError(
            "what libguestfs mounts cannot be shown on this machine: %s: %s" % (_FUSE, error.strerror),
            hint="load the module (modprobe fuse), give the container access to it, or use the loop back end",
        ) from error
    with open(path, "rb") as image:
        layout = volumes.read_layout(image, os.fstat(image.fileno()).st_size)
    keys.check_names(given, layout, complete=False)
    with loop.private_directory() as directory, Guestfish(path, directory, writable) as guestfish:
        access = LibguestfsAccess(guestfish, layout, directory, writable)
        access.unlock(given)
        try:
            yield access
        finally:
            access.unmount_all()
    if writable:
        with open(path, "rb") as image:
            os.fsync(image.fileno())


class LibguestfsAccess(Access):
    name = "libguestfs"

    def __init__(self, guestfish: Guestfish, layout: volumes.Layout, directory: str, writable: bool) -> None:
        self.guestfish = guestfish
        self.writable = writable
        self.tree = os.path.join(directory, "guest")
        os.mkdir(self.tree)
        identified = [self._identified(v) if v.group and v.start is None else v for v in layout.volumes]
        self.layout = dataclasses.replace(layout, volumes=tuple(identified))

    def _identified(self, volume: volumes.Volume) -> volumes.Volume:
        """With the file system of a volume that only the appliance can read."""
        device = _Device(self.guestfish, _device(volume), volume.size)
        with io.BufferedReader(device, _PIECE) as stream:
            return dataclasses.replace(volume, file_system=superblock.identify(stream, 0, volume.size))

    def unlock(self, given: t.Sequence[keys.Key]) -> None:
        """Opens every encrypted volume that there is a key for, and what is encrypted in those.

        The others stay as they are. GuestError when a key does not open what it is for.
        """
        count = 0
        while True:
            found = []
            for volume in self.layout.locked:
                fitting = keys.keys_for(given, self.layout, volume)
                if fitting:
                    count += 1
                    found.append(self._unlocked(volume, "crypt%d" % count, fitting))
            if not found:
                break
            self._add(found)
            if any(volume.type == "LVM2_member" for volume in found):
                self._add(self._new_logical_volumes())
        keys.check_names(given, self.layout, complete=True)

    def _add(self, found: t.Iterable[volumes.Volume]) -> None:
        self.layout = dataclasses.replace(self.layout, volumes=(*self.layout.volumes, *found))

    def _unlocked(self, volume: volumes.Volume, name: str, fitting: t.Sequence[keys.Key]) -> volumes.Volume:
        if self.writable and volume.file_system is not None and volume.file_system.problems:
            problems = "; ".join(volume.file_system.problems)
            raise _errors.GuestError(
                "nothing is written to this disk: %s: %s" % (volume.describe(), problems),
                hint="start the guest once, and let it finish that",
            )
        for key in fitting:
            try:
                self.guestfish.unlock(_device(volume), name, key.passphrase)
            except UnmountableError as error:
                said = error.message
            else:
                size = self._size("/dev/mapper/" + name)
                return self._identified(volumes.Volume(name, None, size, None, container=volume))
        why = "the key does not fit" if len(fitting) == 1 else "none of %d keys fits" % len(fitting)
        raise _errors.GuestError(
            "%s cannot be opened: %s, or its header is damaged: %s" % (volume.describe(), why, said),
            hint="see what cryptsetup luksDump says of it, and whether cryptsetup open takes the key in the guest",
        )

    def _new_logical_volumes(self) -> t.Iterator[volumes.Volume]:
        """The volumes of groups that came to light in a volume that was opened."""
        self.guestfish.ask("lvm-scan", "true")
        for path in self.guestfish.ask("lvs").split():
            name = path[len("/dev/") :]
            if all(volume.name != name for volume in self.layout.volumes):
                group = name.split("/", 1)[0]
                yield self._identified(volumes.Volume(name, None, self._size(path), None, group=group))

    def _size(self, device: str) -> int:
        return int(self.guestfish.ask("blockdev-getsize64", device))

    def mount(self, volume: volumes.Volume, path: str, *, writable: bool, subvolume: str = "") -> tuple[str, ...]:
        options = ["subvol=" + subvolume] if subvolume else []
        if not writable:
            options.append("ro")
            # A session that only reads works on an overlay, where a journal may be replayed; one that writes must
            # not, before all checks are done.
            if self.writable:
                options.extend(self._without_replay(volume))
        try:
            self.guestfish.ask("mount-options", ",".join(options), _device(volume), path)
        except UnmountableError as error:
            message = "%s cannot be mounted: %s" % (volume.describe(), error.message)
            raise UnmountableError(message) from error  # pylint: disable=bad-exception-cause  # it is one
        return ()

    @staticmethod
    def _without_replay(volume: volumes.Volume) -> t.Iterator[str]:
        if volume.type == "xfs":
            yield "norecovery"
        elif volume.file_system is not None and volume.file_system.needs_recovery:
            yield "nologreplay" if volume.type == "btrfs" else "noload"

    def unmount_all(self) -> None:
        if os.path.ismount(self.tree):
            try:
                kernel.unmount(self.tree)
            except OSError as error:
                raise _errors.GuestError(
                    "the guest's file system could not be unmounted: %s; the image must not be used" % error.strerror,
                    path=self.tree,
                    hint="something still uses the tree; end it and start again from the original image",
                ) from error
            # Whatever it was told to look up and did not find, it called an error; that is none of this session's.
            self.guestfish.wait(_COMMAND)
        self.guestfish.ask("umount-all")

    def exists(self, path: str) -> bool:
        return self.guestfish.ask("exists", path).strip() == "true"

    def read_text(self, path: str) -> str | None:
        if self.guestfish.ask("is-file", path, "followsymlinks:true").strip() != "true":
            return None
        return self.guestfish.ask("cat", path)

    def expose(self) -> str:
        mode = "readonly:false" if self.writable else "readonly:true"
        # Without hard_remove, libfuse only renames a file that is removed while it is open (to .fuse_hidden...): its
        # directory cannot be removed then, and a process that is killed leaves that name in the guest.
        self.guestfish.ask("mount-local", self.tree, mode, "options:hard_remove")
        self.guestfish.tell("mount-local-run")  # which serves the tree, and ends when it is unmounted
        return self.tree


def _device(volume: volumes.Volume) -> str:
    """As the appliance calls it, which has this disk only."""
    if volume.group:
        return "/dev/" + volume.name
    if volume.container is not None:
        return "/dev/mapper/" + volume.name
    return "/dev/sda" + ("" if volume.number is None else str(volume.number))


class _Device(io.RawIOBase):
    """The bytes of a block device of the appliance."""

    def __init__(self, guestfish: Guestfish, path: str, size: int) -> None:
        super().__init__()
        self.guestfish = guestfish
        self.path = path
        self.size = size
        self.position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self.position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.size}[whence]
        return self.position

    def readinto(self, buffer: t.Any) -> int:
        length = max(0, min(len(buffer), self.size - self.position))
        if length:
            answer = self.guestfish.ask("pread-device", self.path, str(length), str(self.position))
            data = answer.encode("utf-8", "surrogateescape")
            length = len(data)
            buffer[:length] = data
            self.position += length
        return length


class Guestfish:
    """A running guestfish with one image. Killed with this process, and its appliance with it.

    Its messages go to a file in directory, which is small: while it serves the tree, nobody reads them, and a pipe
    that is full would stop it.
    """

    def __init__(self, path: str, directory: str, writable: bool) -> None:
        self.path = path
        self.writable = writable
        self.messages = os.path.join(directory, "messages")
        self.has_started = False

    def __enter__(self) -> Guestfish:
        environment = {**os.environ, "LC_ALL": "C"}
        environment.setdefault("LIBGUESTFS_BACKEND", "direct")
        if not kvm_works():
            environment.setdefault("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg")
        self.marker = secrets.token_hex(16)  # which no content of the guest can contain
        with open(self.messages, "ab") as messages:
            self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # a dialogue, not a command
                [
                    *("guestfish", "--keys-from-stdin", "--format=raw", "--rw" if self.writable else "--ro"),
                    *("-a", os.path.abspath(self.path)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                env=environment,
                preexec_fn=kernel.die_with_parent,  # noqa: PLW1509  (no threads here)
                bufsize=0,
            )
        try:
            self.ask("run", seconds=_LAUNCH)
        except _errors.GuestError as error:
            self._stop()
            raise _errors.GuestError(
                "the appliance of libguestfs does not start: " + error.message,
                hint="see what libguestfs-test-tool says; on a machine without a usable kernel set SUPERMIN_KERNEL, "
                "SUPERMIN_KERNEL_VERSION and SUPERMIN_MODULES, or use the loop back end",
            ) from error
        except BaseException:
            self._stop()
            raise
        self.has_started = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: t.Any) -> None:
        try:
            if kind is None:
                self.ask("shutdown")  # until now the appliance may have kept writes to itself
        finally:
            self._stop()

    def _stop(self) -> None:
        # Asked to end, it ends its appliance too; killed, it leaves that to a watching process of libguestfs.
        t.cast("t.BinaryIO", self.process.stdin).close()
        try:
            self.process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        t.cast("t.BinaryIO", self.process.stdout).close()

    def unlock(self, device: str, name: str, passphrase: str) -> None:
        """Opens a LUKS volume as /dev/mapper/NAME. UnmountableError when that fails.

        The passphrase goes the way of the commands, as the line after the one that asks for it, so that no other
        program can see it.
        """
        # A guestfish that does not know the command would take the next line for a command.
        if not self.ask("help", _UNLOCKING):
            raise _errors.ToolMissingError(
                "this libguestfs does not know %s" % _UNLOCKING, hint="install libguestfs-tools 1.44 or later"
            )
        self.ask(_UNLOCKING, device, name, "crypttype:luks", key=passphrase, seconds=_UNLOCK)

    def ask(self, *words: str, key: str | None = None, seconds: float = _COMMAND) -> str:
        """What a command prints. UnmountableError with its message when it fails. key: what it reads as one line."""
        self.tell(*words, key=key)
        answer = self.wait(seconds)
        error = self._error()
        if error:
            raise UnmountableError(error)
        return answer

    def tell(self, *words: str, key: str | None = None) -> None:
        """Sends a command, and another one that says when it is done."""
        if self.has_started:  # before that it may have ended already, and its last words are all there is
            os.truncate(self.messages, 0)
        line = "-" + " ".join([words[0], *(quote(word) for word in words[1:])])
        lines = [line, *([] if key is None else [key]), "echo " + self.marker, ""]
        data = "\n".join(lines).encode("utf-8", "surrogateescape")
        with contextlib.suppress(BrokenPipeError):  # it has ended; wait() then says why
            t.cast("t.BinaryIO", self.process.stdin).write(data)

    def wait(self, seconds: float) -> str:
        """What the last command told prints, whether it fails or not."""
        stdout = t.cast("t.BinaryIO", self.process.stdout).fileno()
        answer = b""
        end = self.marker.encode() + b"\n"
        deadline = time.monotonic() + seconds
        while not answer.endswith(end):
            left = deadline - time.monotonic()
            if left < 0 or not select.select([stdout], [], [], left)[0]:
                raise _errors.GuestError("libguestfs did not answer within %d seconds" % seconds)
            data = os.read(stdout, 65536)
            if not data:
                raise _errors.GuestError("guestfish has ended: " + (self._error() or "it gave no reason"))
            answer += data
            if len(answer) > _ANSWER + len(end) + 1:
                raise _errors.LimitError("libguestfs gives an answer of more than %d bytes" % _ANSWER)
        return answer[: -len(end)].decode("utf-8", "surrogateescape")

    def _error(self) -> str:
        """The last error that it wrote since the last command, without what libguestfs puts before it."""
        with open(self.messages, encoding="utf-8", errors="replace") as messages:
            lines = [line for line in messages if "error:" in line]
        return lines[-1].split("error:", 1)[1].strip() if lines else ""


def quote(word: str) -> str:
    """A word for guestfish's own command language."""
    escaped = (
        word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )
    return '"%s"' % escaped
