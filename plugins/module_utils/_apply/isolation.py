# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a program of a guest that is not running, so that it can harm neither the worker nor the guest.

The program sees the guest's tree under an overlay whose upper layer is memory and is thrown away, a C(/dev) of five
harmless devices that cannot get more, an empty C(/sys), and its own C(/proc). It has its own mount, process, network,
IPC and host name namespaces, no way to gain privileges and no capability beyond those over files. What it generates
is copied out of the overlay into an unnamed file. All of it, mounts and processes, ends with the process that asked
for it, however that ends. What remains is the attack surface of the kernel's system calls: see docs/security.md.

dpkg, which is there to change the guest, sees the same but the tree itself, and packages that are copied in; the hooks
that packages of kernels run are hidden.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import select
import signal
import stat
import struct
import time
import typing as t

from .._errors import GuestError

OUTPUT_PATH = "/tmp/rehost-hyperv-output"
MAX_OUTPUT = 1 << 30  # bytes of a generated file
MAX_LOG = 64 << 10  # bytes kept of what a program prints
OVERLAY_SIZE = "size=2g"  # bound of the memory that the program can fill
PACKAGES_PATH = "/tmp/rehost-hyperv"
# linux-base(7) and, before it, the scripts of the packages run what is in these: update-grub asks the devices of the
# running kernel, update-initramfs replaces images before they are known to be good, dkms compiles
_HOOKS = tuple(
    [
        f"{top}/{name}.d"
        for top in ("/etc/kernel", "/usr/share/kernel")
        for name in ("preinst", "postinst", "prerm", "postrm")
    ]
)

# <linux/mount.h>, <sched.h>, <linux/prctl.h>, <linux/capability.h>
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_RDONLY, _MS_REMOUNT = 2, 4, 8, 1, 32
_MS_BIND, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 4096, 0x4000, 1 << 18, 2
_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # mount, host name, IPC, process, network
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SYS_PIVOT_ROOT = {"x86_64": 155, "i686": 217, "i386": 217, "aarch64": 41}
# chown, dac_override, dac_read_search, fowner, fsetid, kill, setgid, setuid; mknod (27) is harmless where every
# file system is mounted nodev, and mkinitramfs of Debian 6 to 8 wants it
_KEPT_CAPABILITIES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 27})
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9))
# what speaks of the worker's disks: the resume hook of initramfs-tools would take the worker's swap for the guest's
_MASKED = ("/proc/cmdline", "/proc/mdstat", "/proc/partitions", "/proc/swaps")
_OWN_MOUNTS = (b"proc", b"sys", b"run", b"dev")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C",
    "DEBIAN_FRONTEND": "noninteractive",
}

_libc = ctypes.CDLL(None, use_errno=True)


class Finished(t.NamedTuple):
    """How a program ended: exit status (128 + signal when it was killed), and the end of what it printed."""

    status: int
    log: str


def run_isolated(
    root_path: str, argv: t.Sequence[str], inputs: t.Sequence[tuple[str, str, int]], output: t.BinaryIO, timeout: int
) -> Finished:
    """Runs a guest's program on an overlay of its tree; what it wrote to OUTPUT_PATH is then in C(output).

    root_path: the guest's root directory on the worker. inputs: path, text and mode of files that are there only for
    this run. timeout: seconds. Raises GuestError when the isolation cannot be set up or the program takes too long.
    """
    return _run(root_path, argv, timeout, inputs=inputs, output=output.fileno())


def run_on_tree(
    root_path: str, argv: t.Sequence[str], files: t.Sequence[tuple[str, t.BinaryIO]], timeout: int
) -> Finished:
    """Runs a guest's program on its tree itself, isolated from the worker in the same way.

    files: names below PACKAGES_PATH, and open files of the worker with what they hold during this run. The hooks that
    packages of kernels run are not there. Raises GuestError as run_isolated does.
    """
    return _run(root_path, argv, timeout, files=[(name, stream.fileno()) for name, stream in files])


def _run(
    root_path: str,
    argv: t.Sequence[str],
    timeout: int,
    *,
    inputs: t.Sequence[tuple[str, str, int]] = (),
    files: t.Sequence[tuple[str, int]] = (),
    output: int | None = None,
) -> Finished:
    guest = "the guest is unchanged" if output is not None else "what it wrote until then is in the guest"
    submounts = tuple(_submounts(root_path))
    caller = os.getpid()
    log_read, log_write = os.pipe()
    setup_read, setup_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(log_read)
        os.close(setup_read)
        _outer(_Job(caller, root_path, submounts, argv, inputs, files, output, log_write, setup_write))
    os.close(log_write)
    os.close(setup_write)
    try:
        log = _collect(log_read, time.monotonic() + timeout)
        if log is None:
            raise GuestError(
                f"{argv[0]} did not end within {timeout} seconds and was stopped; {guest}",
                hint="Run it in the guest by hand to see where it hangs.",
            )
        problem = os.read(setup_read, 4096).decode("utf-8", "replace")
    except BaseException:  # also when this process is told to end
        os.kill(child, signal.SIGTERM)
        raise
    finally:
        os.close(log_read)
        os.close(setup_read)
        _pid, status = os.waitpid(child, 0)
    if problem:
        raise GuestError(
            f"{argv[0]} could not be run in isolation: {problem}; {guest}",
            hint="This needs root on the worker, overlay and tmpfs file systems, and no container that forbids mounts.",
        )
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    return Finished(code, log)


def _collect(fd: int, deadline: float) -> str | None:
    """What is printed until every writer is gone; None when that does not happen in time."""
    data = b""
    while True:
        left = deadline - time.monotonic()
        ready = select.select([fd], [], [], max(0.0, left))[0]
        if not ready:
            return None
        chunk = os.read(fd, 65536)
        if not chunk:
            return data.decode("utf-8", "replace")
        data = (data + chunk)[-MAX_LOG:]


def _submounts(root_path: str) -> t.Iterator[str]:
    """Mount points below the guest's root, relative to it, in the order in which they were mounted, without those
    that the isolation has of its own."""
    prefix = os.fsencode(root_path.rstrip("/") + "/")
    with open("/proc/self/mountinfo", "rb") as stream:
        for line in stream:
            point = re.sub(rb"\\([0-7]{3})", lambda octal: bytes((int(octal.group(1), 8),)), line.split(b" ")[4])
            below = point[len(prefix) :]
            if point.startswith(prefix) and below.split(b"/")[0] not in _OWN_MOUNTS:
                yield os.fsdecode(below)


class _Job(t.NamedTuple):
    """What the children need to know; the last three are descriptors. Without an output the program runs on the tree
    itself."""

    caller: int  # its process id
    root_path: str
    submounts: t.Sequence[str]  # relative to the root
    argv: t.Sequence[str]
    inputs: t.Sequence[tuple[str, str, int]]
    files: t.Sequence[tuple[str, int]]  # names below PACKAGES_PATH, descriptors
    output: int | None
    log: int
    setup: int  # takes the reason when the program cannot be run


# Everything below runs in the children.


def _outer(job: _Job) -> t.NoReturn:
    """Takes new namespaces and becomes the parent of their first process."""
    status = 125
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != job.caller:  # it ended before that
            os._exit(status)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        _check(_libc.unshare(_NAMESPACES), "new namespaces")
        child = os.fork()
        if child == 0:
            _inner(job)
        # its end is waited for, so that nothing is left when this process ends
        signal.signal(signal.SIGTERM, lambda *_received: os.kill(child, signal.SIGKILL))
        os.close(job.log)
        _pid, ended = os.waitpid(child, 0)
        status = os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else 128 + os.WTERMSIG(ended)
    except OSError as error:
        os.write(job.setup, str(error).encode("utf-8", "replace"))
    finally:
        os._exit(status)


def _inner(job: _Job) -> t.NoReturn:
    """The first process of the new namespaces: builds the world, runs the program in it, takes the result out."""
    status = 125
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if job.output is None:
            _enter_tree(job.root_path, job.submounts)
            _bring(job.files)
        else:
            _enter_overlay(job.root_path, job.submounts)
            os.makedirs(os.path.dirname(OUTPUT_PATH), exist_ok=True)
        for path, text, mode in job.inputs:
            _write_input(path, text, mode)
        program = os.fork()
        if program == 0:
            _execute(job)
        ended = _wait_for(program)
        status = os.WEXITSTATUS(ended) if os.WIFEXITED(ended) else 128 + os.WTERMSIG(ended)
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # what it left running could still change the output
        if status == 0 and job.output is not None:
            _copy_out(job.output)
    except OSError as error:
        status = 125
        os.write(job.setup, str(error).encode("utf-8", "replace"))
    finally:
        os._exit(status)


def _enter_overlay(root_path: str, submounts: t.Sequence[str]) -> None:
    os.chdir(root_path)  # the lower layers are named from here, as the next mount may hide where the guest is mounted
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, OVERLAY_SIZE + ",mode=0700")
    os.mkdir("/tmp/new")
    for number, below in enumerate((".", *submounts)):
        upper, work = f"/tmp/upper{number}", f"/tmp/work{number}"
        os.mkdir(upper, 0o755)
        os.mkdir(work)
        lower = below.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        _mount("overlay", os.path.normpath(os.path.join("/tmp/new", below)), "overlay", _MS_NOSUID | _MS_NODEV, options)
    _leave_worker()
    os.makedirs("/dev", exist_ok=True)  # a tree that never ran may be without
    _furnish()


def _enter_tree(root_path: str, submounts: t.Sequence[str]) -> None:
    os.chdir(root_path)
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, "size=64k,mode=0700")
    os.mkdir("/tmp/new")
    for below in (".", *submounts):
        target = os.path.normpath(os.path.join("/tmp/new", below))
        _mount(below, target, "", _MS_BIND)
        held = os.statvfs(target).f_flag & (_MS_RDONLY | _MS_NOEXEC)  # the numbers of both are the same
        _mount("none", target, "", _MS_REMOUNT | _MS_BIND | _MS_NOSUID | _MS_NODEV | held)
    _leave_worker()
    for point in ("/dev", "/proc", "/tmp"):  # nothing is made that would be left in the guest
        if not os.path.isdir(point):
            raise OSError(errno.ENOENT, f"the guest has no directory {point}")
    _furnish()
    _mount("tmpfs", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV, OVERLAY_SIZE + ",mode=1777")
    for point in _HOOKS:
        if os.path.isdir(point):
            _mount("tmpfs", point, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "size=64k,mode=0755")


def _leave_worker() -> None:
    """From here on no path leads out of the guest."""
    os.chdir("/tmp/new")
    pivot_root = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if pivot_root is None:
        raise OSError(errno.ENOSYS, f"no isolation on {os.uname().machine}")
    _check(_libc.syscall(pivot_root, b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "leaving the worker's tree")
    os.chdir("/")


def _furnish() -> None:
    """Mounts what every program wants, with nothing of the worker in it."""
    for point, kind, flags, options in (
        # read only: to write to /proc/sys and /proc/sysrq-trigger it is enough to be the owner
        ("/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_RDONLY, ""),
        ("/sys", "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_RDONLY, "size=64k"),
        ("/run", "tmpfs", _MS_NOSUID | _MS_NODEV, "size=16m,mode=0755"),
        ("/dev", "tmpfs", _MS_NOSUID, "size=64k,mode=0755"),
    ):
        if os.path.isdir(point):
            _mount(kind, point, kind, flags, options)
    os.umask(0)
    for name, major, minor in _DEVICES:
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"/dev/{name}")
    _mount("tmpfs", "/dev", "tmpfs", _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID)
    for path in _MASKED:
        if os.path.exists(path):
            _mount("/dev/null", path, "", _MS_BIND)
    os.umask(0o022)


def _bring(files: t.Sequence[tuple[str, int]]) -> None:
    os.mkdir(PACKAGES_PATH)
    for name, source in files:
        os.lseek(source, 0, os.SEEK_SET)
        with open(f"{PACKAGES_PATH}/{name}", "xb") as target:
            for chunk in iter(functools.partial(os.read, source, 1 << 20), b""):
                target.write(chunk)


def _write_input(path: str, text: str, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # it may be a link or a fifo
    with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), mode)


def _execute(job: _Job) -> t.NoReturn:
    try:
        os.setsid()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(job.log, 1)
        os.dup2(job.log, 2)
        keep = os.dup2(job.setup, 3)
        os.set_inheritable(keep, False)
        os.closerange(4, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") > 0 else 65536)
        _drop_capabilities()
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        os.execvpe(job.argv[0], list(job.argv), _ENVIRONMENT)
    except OSError as error:
        os.write(3, f"{job.argv[0]}: {error.strerror}".encode("utf-8", "replace"))
    finally:
        os._exit(125)


def _drop_capabilities() -> None:
    capability = 0
    while _libc.prctl(23, capability, 0, 0, 0) >= 0:  # PR_CAPBSET_READ fails past the last one
        if capability not in _KEPT_CAPABILITIES:
            _prctl(_PR_CAPBSET_DROP, capability)
        capability += 1
    # what root gets by execve(2) is the bounding set and what is inheritable; some containers start with the latter
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    sets = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, sets), "capget")
    effective, permitted, _inheritable, effective_high, permitted_high, _ignored = struct.unpack("=6I", sets.raw)
    held = struct.pack("=6I", effective, permitted, 0, effective_high, permitted_high, 0)
    _check(_libc.capset(header, held), "capset")


def _wait_for(program: int) -> int:
    """Its wait status; the first process of a namespace is also the parent of all orphans in it."""
    while True:
        pid, status = os.wait()
        if pid == program:
            return status


def _copy_out(output: int) -> None:
    try:
        fd = os.open(OUTPUT_PATH, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "what it generated is not a regular file")
    if os.fstat(fd).st_size > MAX_OUTPUT:
        raise OSError(errno.EFBIG, f"what it generated is larger than {MAX_OUTPUT} bytes")
    left = MAX_OUTPUT
    for chunk in iter(lambda: os.read(fd, 1 << 20), b""):
        left -= len(chunk)
        if left < 0:
            raise OSError(errno.EFBIG, f"what it generates does not stop growing at {MAX_OUTPUT} bytes")
        view = memoryview(chunk)
        while view:
            view = view[os.write(output, view) :]


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    done = _libc.mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(done, f"mounting {kind or 'private'} at {target}")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), f"prctl {option}")


def _check(done: int, what: str) -> None:
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
