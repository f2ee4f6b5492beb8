# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing to a guest: everything recorded first, staged beside, made durable, then renamed into place."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import stat
import typing as t

from .._catalog.paths import BLOBS, JOURNAL, LIVE_SWITCH, STAGED_SUFFIX, STATE, STATE_PARENT
from .._errors import GuestError
from .._formats import kernel_setting, rollback_journal
from .._formats.rollback_journal import Original, Written

if t.TYPE_CHECKING:
    from .._root import Root

_CHUNK = 1 << 20
_ACCESS_CONTROL = "system.posix_acl_access"


class Guest:
    """A guest's file system while it is being changed. Use as a context: it holds the lock on the journal.

    Every path is recorded in the journal before it is touched, once, as it was before this collection came.
    """

    def __init__(self, root: Root) -> None:
        self.root = root
        self._recorded: set[str] = set()
        self._journal: int | None = None

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_raised: object) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    # -- changes; their paths have no link but in the last component (Root.place_of)

    def write(self, path: str, chunks: t.Iterable[bytes], mode: int, *, is_recorded: bool = True) -> None:
        """Stages a file's new content and puts it in its place. What is not recorded stays when all is rolled back; its
        directory must be there."""
        staged = self.stage(path, chunks, mode, is_recorded=is_recorded)
        try:
            self.commit(staged, is_recorded=is_recorded)
        except BaseException:
            self.discard(staged)
            raise
        os.close(staged.parent)

    def stage(self, path: str, chunks: t.Iterable[bytes], mode: int, *, is_recorded: bool = True) -> Staged:
        """Writes a file's new content beside it, durable, with the owner, mode and attributes of the file that it
        will replace (C(mode), root's, when there is none). Nothing in the guest has changed for any reader yet."""
        self._lock()
        if is_recorded:
            self._make_directories(os.path.dirname(path))
            self.record(path)
        with self._errors(path), self.root.open_parent(path) as (parent, name):
            staged = _staged_name(name)
            _unlink_if_there(staged, parent)
            fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
            try:
                digest = hashlib.sha256()
                with os.fdopen(fd, "wb") as stream:
                    for chunk in chunks:
                        digest.update(chunk)
                        stream.write(chunk)
                    stream.flush()
                    _take_over(parent, name, stream.fileno(), mode)
                    os.fsync(stream.fileno())
            except BaseException:
                os.unlink(staged, dir_fd=parent)
                raise
            return Staged(os.dup(parent), name, staged, digest.hexdigest(), path)

    def commit(self, staged: Staged, *, is_recorded: bool = True) -> None:
        """Puts a staged file in its place; then, or when it is discarded, C(parent) is to be closed."""
        if is_recorded or staged.path in self._recorded:
            self._append(Written(staged.path, staged.sha256))
        with self._errors(staged.path):
            os.rename(staged.temporary, staged.name, src_dir_fd=staged.parent, dst_dir_fd=staged.parent)
            _sync_directory(staged.parent)

    def discard(self, staged: Staged) -> None:
        """Removes a staged file that is not wanted after all."""
        with contextlib.suppress(OSError):  # what stays is removed when the journal is opened the next time
            os.unlink(staged.temporary, dir_fd=staged.parent)
        os.close(staged.parent)

    def remove(self, path: str) -> None:
        """Removes a file or a link."""
        self.record(path)
        self._append(Written(path, None))
        with self._errors(path), self.root.open_parent(path, follow=False) as (parent, name):
            os.unlink(name, dir_fd=parent)
            _sync_directory(parent)

    def link(self, path: str, target: str) -> None:
        """Makes a symbolic link, or one that is there point elsewhere."""
        self._make_directories(os.path.dirname(path))
        self.record(path)
        self._append(Written(path, target))
        with self._errors(path), self.root.open_parent(path, follow=False) as (parent, name):
            temporary = _staged_name(name)
            _unlink_if_there(temporary, parent)
            os.symlink(target, temporary, dir_fd=parent)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            _sync_directory(parent)

    def rewrite_locked(self, path: str, edit: t.Callable[[bytes], bytes], mode: int) -> None:
        """Changes a file in place while it is locked, fcntl(2), for a program that writes to it as well and may have it
        open: no change of that program is lost. A power cut may leave the file half written."""
        self._make_directories(os.path.dirname(path))
        self.record(path)
        with self._errors(path), self.root.open_parent(path) as (parent, name):
            is_new = not self.root.exists(path)
            fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=parent)
            with os.fdopen(fd, "r+b") as stream:
                fcntl.lockf(stream, fcntl.LOCK_EX)
                if is_new:
                    os.fchmod(fd, mode)  # whatever the umask
                content = edit(stream.read())
                self._append(Written(path, hashlib.sha256(content).hexdigest()))
                stream.seek(0)
                stream.write(content)
                stream.truncate()
                stream.flush()
                os.fsync(fd)
            _sync_directory(parent)

    def set(self, path: str, value: str) -> None:
        """Sets a value of the running kernel. Raises GuestError when there is no such setting, or the kernel refuses
        the value."""
        self._lock()
        if path not in self._recorded:
            before = kernel_setting.value(self.root.read_text(path) or "")
            self._append(Original(path, "setting", value=before))
            self._recorded.add(path)
        self._append(Written(path, value))
        self._write_setting(path, value)

    def restore(self, original: Original) -> None:
        """Puts back what was at a path: content, owner, mode, times and extended attributes."""
        self._lock()
        if original.kind == "setting":
            self._write_setting(original.path, original.value)
            return
        with self._errors(original.path), self.root.open_parent(original.path, follow=False) as (parent, name):
            if original.kind == "absent":
                _remove(parent, name)
                _sync_directory(parent)
                return
            if original.kind == "link":
                temporary = _staged_name(name)
                _unlink_if_there(temporary, parent)
                os.symlink(original.target, temporary, dir_fd=parent)
                os.chown(temporary, original.uid, original.gid, dir_fd=parent, follow_symlinks=False)
                os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            elif original.kind == "file":
                self._restore_content(original, parent, name)
            os.utime(name, ns=(original.mtime_ns, original.mtime_ns), dir_fd=parent, follow_symlinks=False)
            _sync_directory(parent)

    def forget(self, parent_mtime_ns: int | None) -> None:
        """Removes the journal and all copies: there is nothing left to roll back. The directory that held them gets
        the time that it had before, or (None) keeps the one that it has."""
        self._lock()
        if parent_mtime_ns is None:
            held = self.root.stat(STATE_PARENT)
            parent_mtime_ns = held.mtime_ns if held is not None else 0
        self._set_time(STATE_PARENT, parent_mtime_ns)  # while the journal still knows it
        self._unlink(JOURNAL)  # before the copies: without them it would promise what cannot be kept
        for directory in (BLOBS, LIVE_SWITCH):
            for name in self.root.list_names(directory):
                self._unlink(f"{directory}/{name}")
            self._unlink(directory)
        with self._errors(STATE), self.root.open_parent(STATE, follow=False) as (parent, name):
            _remove(parent, name)
            self._set_time(STATE_PARENT, parent_mtime_ns)  # at once: nothing knows it any more
            _sync_directory(parent)

    # -- the journal

    def record(self, path: str) -> None:
        """Makes the journal know what is at a path now, unless it knows already what was there before."""
        self._lock()
        if path in self._recorded:
            return
        directory = os.path.dirname(path)
        if directory not in self._recorded and path != STATE_PARENT:
            held = self.root.stat(directory)
            if held is not None:
                self._append(Original(directory, "directory", held.mode, held.uid, held.gid, held.mtime_ns))
                self._recorded.add(directory)
        self._append(self._original(path))
        self._recorded.add(path)

    def _original(self, path: str) -> Original:
        found = self.root.stat(path, follow=False)
        if found is None:
            return Original(path, "absent")
        common = (found.mode, found.uid, found.gid, found.mtime_ns)
        if found.kind == "link":
            return Original(path, "link", *common, target=self.root.read_link(path) or "")
        if found.kind == "directory":
            return Original(path, "directory", *common)
        if found.kind != "file":
            raise GuestError(f"{path} is neither a file nor a link and is left alone", path=path)
        blob, sha256 = self._copy(path, found.size)
        with self._errors(path):
            return Original(path, "file", *common, blob=blob, sha256=sha256, xattrs=self._xattrs(path))

    def _copy(self, path: str, size: int) -> tuple[str, str]:
        free = self.root.free_bytes(BLOBS)
        if free < size + _CHUNK:
            raise GuestError(
                f"{path} ({size} bytes) is to be changed, and {BLOBS} has no room for the copy from which it would be "
                f"rolled back ({free} bytes free); nothing was changed",
                path=path,
                hint="Make room on that file system and run again.",
            )
        taken = self.root.list_names(BLOBS)
        blob = next(name for name in (f"{number:04d}" for number in itertools.count(len(taken))) if name not in taken)
        source = self.root.open(path)
        if source is None:
            raise GuestError(f"{path} vanished while it was read", path=path)
        digest = hashlib.sha256()
        with source, self._errors(path), self.root.open_parent(BLOBS) as (parent, name):
            directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                fd = os.open(blob, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=directory)
                with os.fdopen(fd, "wb") as target:
                    for chunk in iter(lambda: source.read(_CHUNK), b""):
                        digest.update(chunk)
                        target.write(chunk)
                    target.flush()
                    os.fsync(target.fileno())
                os.fsync(directory)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(blob, dir_fd=directory)
                raise
            finally:
                os.close(directory)
        return blob, digest.hexdigest()

    def _xattrs(self, path: str) -> tuple[tuple[str, str], ...]:
        stream = self.root.open(path)
        if stream is None:
            return ()
        with stream:
            return tuple(
                (name, base64.b64encode(value).decode("ascii")) for name, value in _extended_attributes(stream.fileno())
            )

    def _restore_content(self, original: Original, parent: int, name: str) -> None:
        source = self.root.open(f"{BLOBS}/{original.blob}")
        if source is None:
            raise GuestError(
                f"the copy of {original.path} ({BLOBS}/{original.blob}) is gone, so it cannot be rolled back",
                path=original.path,
                hint="Restore this file from a backup.",
            )
        temporary = _staged_name(name)
        _unlink_if_there(temporary, parent)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
        try:
            digest = hashlib.sha256()
            with source, os.fdopen(fd, "wb") as target:
                for chunk in iter(lambda: source.read(_CHUNK), b""):
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                if digest.hexdigest() != original.sha256:
                    raise GuestError(
                        f"the copy of {original.path} ({BLOBS}/{original.blob}) is damaged; the file is left as it is",
                        path=original.path,
                        hint="Restore this file from a backup.",
                    )
                os.fchown(target.fileno(), original.uid, original.gid)
                os.fchmod(target.fileno(), original.mode)
                attributes = [(attribute, base64.b64decode(value)) for attribute, value in original.xattrs]
                _set_extended_attributes(target.fileno(), attributes)
                os.fsync(target.fileno())
        except BaseException:
            os.unlink(temporary, dir_fd=parent)
            raise
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)

    def _write_setting(self, path: str, value: str) -> None:
        with self._errors(path), self.root.open_parent(path) as (parent, name):
            fd = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                os.write(fd, f"{value}\n".encode())
            finally:
                os.close(fd)

    def _lock(self) -> None:
        if self._journal is None:
            self._journal = self._open_journal()

    def _open_journal(self) -> int:
        """Descriptor of the journal, locked, and without the last line if that was cut off."""
        held = self.root.stat(STATE_PARENT)
        if held is None:
            raise GuestError(
                f"{STATE_PARENT} is missing, so this is no Debian system and nothing is changed", path=STATE_PARENT
            )
        found = self.root.stat(JOURNAL, follow=False)
        if found is not None and found.kind != "file":
            raise GuestError(f"{JOURNAL} is not a regular file, so nothing is changed", path=JOURNAL)
        with self._errors(JOURNAL):
            if self._make_directory(STATE, 0o700):
                # before anything is recorded in it, the state directory must not show in the time of its parent
                self._set_time(STATE_PARENT, held.mtime_ns)
            self._make_directory(BLOBS, 0o700)
            with self.root.open_parent(JOURNAL) as (parent, name):
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
                journal = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            with self._errors(JOURNAL):
                self._take_lock(journal)
                self._sync(STATE_PARENT)
                self._sync(STATE)
                text = self.root.read_text(JOURNAL) or ""
                complete = text.rfind("\n") + 1
                recorded = rollback_journal.parse(text)
                if complete < len(text):
                    os.ftruncate(journal, len(text[:complete].encode("utf-8", "surrogateescape")))
                self._recorded = {original.path for original in recorded.originals}
                for original in recorded.originals:
                    if original.kind != "setting":
                        self._clean(original.path)
                if STATE_PARENT not in self._recorded:
                    first = Original(STATE_PARENT, "directory", held.mode, held.uid, held.gid, held.mtime_ns)
                    _write_line(journal, first)
                    self._recorded.add(STATE_PARENT)
        except BaseException:
            os.close(journal)
            raise
        return journal

    def _take_lock(self, journal: int) -> None:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_locked = os.fstat(journal).st_nlink > 0  # else a rollback has just removed it
        except BlockingIOError:
            is_locked = False
        if not is_locked:
            raise GuestError(
                f"another run is changing this guest (it holds the lock on {JOURNAL})",
                path=JOURNAL,
                hint="Wait for it to end, then run again.",
            )

    def _clean(self, path: str) -> None:
        """Removes what a run that was killed may have staged beside a path."""
        absent = contextlib.suppress(FileNotFoundError, NotADirectoryError)
        with absent, self.root.open_parent(path, follow=False) as (parent, name):
            _unlink_if_there(_staged_name(name), parent)

    def _append(self, record: Original | Written) -> None:
        self._lock()
        if self._journal is not None:
            with self._errors(JOURNAL):
                _write_line(self._journal, record)

    # -- small parts

    def _make_directories(self, path: str) -> None:
        missing: list[str] = []
        while not self.root.exists(path):
            missing.append(path)
            path = os.path.dirname(path)
        for directory in reversed(missing):
            self.record(directory)
            with self._errors(directory):
                self._make_directory(directory, 0o755)
                with self.root.open_parent(directory) as (parent, name):
                    os.chmod(name, 0o755, dir_fd=parent)  # whatever the umask
                    _sync_directory(parent)

    def _make_directory(self, path: str, mode: int) -> bool:
        """Whether it was not there. Raises OSError."""
        with self.root.open_parent(path) as (parent, name):
            try:
                os.mkdir(name, mode, dir_fd=parent)
            except FileExistsError:
                return False
            return True

    def _sync(self, directory: str) -> None:
        with self.root.open_parent(directory) as (parent, name):
            _sync_directory(parent, name)

    def _set_time(self, path: str, mtime_ns: int) -> None:
        with self._errors(path), self.root.open_parent(path) as (parent, name):
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=parent, follow_symlinks=False)

    def _unlink(self, path: str) -> None:
        with self._errors(path), self.root.open_parent(path, follow=False) as (parent, name):
            _remove(parent, name)
            _sync_directory(parent)

    @contextlib.contextmanager
    def _errors(self, path: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = ""
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                hint = "Make room on that file system and run again: nothing was lost, the run starts where it stopped."
            elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                hint = "Run as root (become: true), on a file system that is mounted writable."
            raise GuestError(f"{path} cannot be written: {error.strerror}", path=path, hint=hint) from error


class Staged(t.NamedTuple):
    """A file's new content, beside its place: names below the open directory C(parent)."""

    parent: int
    name: str
    temporary: str
    sha256: str
    path: str


def _staged_name(name: str) -> str:
    return f".{name}{STAGED_SUFFIX}"


def _unlink_if_there(name: str, parent: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _take_over(parent: int, name: str, fd: int, mode: int) -> None:
    """Gives the file C(fd) owner, mode and extended attributes of the file that it will replace."""
    try:
        old = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        os.fchmod(fd, mode)
        return
    try:
        found = os.fstat(old)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        os.fchown(fd, found.st_uid, found.st_gid)
        os.fchmod(fd, stat.S_IMODE(found.st_mode))
        _set_extended_attributes(fd, _extended_attributes(old))
    finally:
        os.close(old)


def _extended_attributes(fd: int) -> tuple[tuple[str, bytes], ...]:
    try:
        return tuple((name, os.getxattr(fd, name)) for name in sorted(os.listxattr(fd)))
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise


def _set_extended_attributes(fd: int, attributes: t.Iterable[tuple[str, bytes]]) -> None:
    wanted = dict(attributes)
    if _ACCESS_CONTROL not in wanted and _ACCESS_CONTROL in dict(_extended_attributes(fd)):
        os.removexattr(fd, _ACCESS_CONTROL)  # came from the default of the directory
    for attribute, value in wanted.items():
        os.setxattr(fd, attribute, value)


def _remove(parent: int, name: str) -> None:
    """Removes a name if it is there; a directory only when it is empty, as others may have used it since."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                raise
    else:
        os.unlink(name, dir_fd=parent)


def _sync_directory(parent: int, name: str = ".") -> None:
    # an O_PATH descriptor cannot be synced
    directory = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=parent)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write_line(journal: int, record: Original | Written) -> None:
    view = memoryview(rollback_journal.line_of(record).encode("ascii"))
    while view:
        view = view[os.write(journal, view) :]
    os.fsync(journal)
