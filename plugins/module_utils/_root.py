# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

from ._errors import GuestError, LimitError

MAX_LINKS = 40  # as the kernel: path_resolution(7)
MAX_FILE = 16 << 20  # bytes; the largest configuration file, dpkg status or modules.dep is a few MiB
MAX_ENTRIES = 100_000  # names in one directory
_CHUNK = 1 << 18
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


class FileStat(t.NamedTuple):
    """What lstat(2) says of a path: mode is the permission bits, mtime_ns nanoseconds since the epoch."""

    kind: str  # file, directory, link or special
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    device: int


class Root:
    """One guest's file system, read only: C(/) when it is running, a mount point when it is not.

    Paths are the guest's own (absolute). Symbolic links are followed as the guest would follow them, component by
    component below an open directory, so that no link and no C(..) leads out of the tree. A path that is absent is
    None or (); one that cannot be read raises GuestError. Only regular files are ever opened: a device node or a
    fifo in a foreign tree is refused before it is touched.
    """

    def __init__(self, path: str = "/") -> None:
        self.path = "/" if "\0" in path else os.path.realpath(path)
        if "\0" in path or not os.path.isdir(self.path):
            raise GuestError(
                f"{path} is not a directory, so there is no guest in it",
                path=path,
                hint="Give the directory where the guest's root file system is mounted.",
            )

    @property
    def is_live(self) -> bool:
        """Whether this is the running system itself."""
        return self.path == "/"

    @contextlib.contextmanager
    def open_parent(self, path: str, *, follow: bool = True) -> t.Iterator[tuple[int, str]]:
        """Descriptor of the directory that holds C(path), and the name in it, links on the way (and, with C(follow),
        of the last component) resolved. The name is C(.) for the root itself; nothing needs to be there under the
        name. Raises OSError."""
        fds = [os.open(self.path, os.O_PATH | os.O_DIRECTORY)]
        try:
            todo = _parts(path)
            name = "."
            links = 0
            while todo:
                part = todo.pop(0)
                if part == "..":
                    if len(fds) > 1:
                        os.close(fds.pop())
                    continue
                if not todo and not follow:
                    name = part
                    break
                target = _link_target(part, fds[-1])
                if target is not None:
                    links += 1
                    if links > MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                    if target.startswith("/"):
                        while len(fds) > 1:
                            os.close(fds.pop())
                    todo = _parts(target) + todo
                elif todo:
                    fds.append(os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fds[-1]))
                else:
                    name = part
            yield fds[-1], name
        finally:
            for fd in fds:
                os.close(fd)

    def open(self, path: str) -> t.BinaryIO | None:
        """A regular file for reading; None when there is none."""
        with self._absent_or_error(path), self.open_parent(path) as (parent, name):
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                if not stat.S_ISREG(os.fstat(found).st_mode):
                    raise GuestError(f"{path} is not a regular file and is not read", path=path)
                # opening some devices has effects (a watchdog starts, a tape rewinds): only what was just looked at is
                # opened. O_NONBLOCK: a file of procfs must not make us wait
                return os.fdopen(os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
            finally:
                os.close(found)
        return None

    def read_bytes(self, path: str, limit: int = MAX_FILE) -> bytes | None:
        """Content of a file of at most C(limit) bytes; None when there is no such file."""
        stream = self.open(path)
        if stream is None:
            return None
        with stream, self._absent_or_error(path):
            data = bytearray()
            while len(data) <= limit:
                # a little at a time: files in /proc/sys refuse to be asked for more than a few MiB
                chunk = stream.read(min(_CHUNK, limit + 1 - len(data)))
                if not chunk:  # None from a file that would make us wait
                    return bytes(data)
                data += chunk
            raise LimitError(
                f"{path} is larger than {limit} bytes, more than any such file has",
                path=path,
                hint="Look what the file holds; it was not read.",
            )
        return None

    def read_text(self, path: str, limit: int = MAX_FILE) -> str | None:
        """Text of a file; None when there is no such file. Bytes that are not UTF-8 survive a round trip."""
        data = self.read_bytes(path, limit)
        return None if data is None else data.decode("utf-8", "surrogateescape")

    def list_names(self, path: str) -> tuple[str, ...]:
        """Names in a directory, sorted; () when there is no such directory."""
        with self._absent_or_error(path), self.open_parent(path) as (parent, name):
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                names: list[str] = []
                with os.scandir(fd) as entries:
                    for entry in entries:
                        names.append(entry.name)
                        if len(names) > MAX_ENTRIES:
                            raise LimitError(f"{path} holds more than {MAX_ENTRIES} names", path=path)
                return tuple(sorted(names))
            finally:
                os.close(fd)
        return ()

    def stat(self, path: str, *, follow: bool = True) -> FileStat | None:
        """What is at a path; None when nothing is."""
        with self._absent_or_error(path), self.open_parent(path, follow=follow) as (parent, name):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            return FileStat(
                _KINDS.get(stat.S_IFMT(found.st_mode), "special"),
                stat.S_IMODE(found.st_mode),
                found.st_uid,
                found.st_gid,
                found.st_size,
                found.st_mtime_ns,
                found.st_dev,
            )
        return None

    def exists(self, path: str) -> bool:
        """Whether something is at a path, links followed."""
        return self.stat(path) is not None

    def read_link(self, path: str) -> str | None:
        """Target of a symbolic link as it is written; None when the path is absent or no link."""
        with self._absent_or_error(path), self.open_parent(path, follow=False) as (parent, name):
            return _link_target(name, parent)
        return None

    def sha256(self, path: str) -> str | None:
        """SHA-256 of a file of any size, in hexadecimal; None when there is no such file."""
        stream = self.open(path)
        if stream is None:
            return None
        digest = hashlib.sha256()
        with stream, self._absent_or_error(path):
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                digest.update(chunk)
        return digest.hexdigest()

    def real_path(self, path: str) -> str | None:
        """The guest path without any link in it; None when nothing is there."""
        return self.place_of(path) if self.exists(path) else None

    def place_of(self, path: str, *, follow: bool = True) -> str | None:
        """The guest path without any link in it (the last component is left alone without C(follow)), whether or not
        something is there; None when there is no directory to hold it."""
        with self._absent_or_error(path), self.open_parent(path, follow=follow) as (parent, name):
            here = os.readlink(f"/proc/self/fd/{parent}")
            inside = "/" + os.path.relpath(here, self.path) if here != self.path else "/"
            return inside if name == "." else os.path.join(inside, name)
        return None

    def open_device(self, name: str) -> t.BinaryIO | None:
        """A block device of the running system by its kernel name, for reading; None when there is none, and always
        on a guest that is not running, whose device nodes mean nothing here."""
        if not self.is_live:
            return None
        path = "/dev/" + name.replace("!", "/")
        with self._absent_or_error(path), self.open_parent(path) as (parent, last):
            fd = os.open(last, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            if not stat.S_ISBLK(os.fstat(fd).st_mode):
                os.close(fd)
                raise GuestError(f"{path} is not a block device and is not read", path=path)
            return os.fdopen(fd, "rb")
        return None

    def kernel_log(self) -> str | None:
        """What the running kernel has logged, a line a message with its time in seconds, as dmesg shows it; None on a
        guest that is not running."""
        if not self.is_live:
            return None
        lines: list[str] = []
        with self._absent_or_error("/dev/kmsg"):
            fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
            try:
                while len(lines) < MAX_ENTRIES:
                    try:
                        record = os.read(fd, 8192).decode("utf-8", "replace")
                    except BrokenPipeError:
                        continue  # overwritten while it was read: the next one is there
                    except BlockingIOError:
                        break
                    head, _separator, message = record.partition(";")
                    microseconds = int(head.split(",")[2])
                    text = message.split("\n", 1)[0]
                    lines.append(f"[{microseconds // 1000000:5d}.{microseconds % 1000000:06d}] {text}")
            finally:
                os.close(fd)
        return "\n".join(lines)

    def free_bytes(self, path: str) -> int:
        """Bytes that can still be written to the file system that holds a directory (0 when it is absent)."""
        with self._absent_or_error(path), self.open_parent(path) as (parent, name):
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                found = os.fstatvfs(fd)
                return found.f_bavail * found.f_frsize
            finally:
                os.close(fd)
        return 0

    @contextlib.contextmanager
    def _absent_or_error(self, path: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _ABSENT:
                return
            if error.errno == errno.ELOOP:
                raise GuestError(f"{path} leads through a loop of symbolic links", path=path) from error
            raise GuestError(f"{path} cannot be read: {error.strerror}", path=path) from error
        except ValueError as error:  # a NUL in the name
            raise GuestError(f"{path!r} is no path: {error}", path=path) from error


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _link_target(name: str, parent: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):  # not a link, or nothing at all
            return None
        raise
