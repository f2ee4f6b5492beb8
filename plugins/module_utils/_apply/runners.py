# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs a plan's programs: the guest itself when it is running, an isolation on the worker when it is not."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import tempfile
import typing as t

from .._errors import GuestError
from .._plan.model import OUTPUT
from .isolation import MAX_LOG, OUTPUT_PATH, PACKAGES_PATH, run_isolated, run_on_tree

if t.TYPE_CHECKING:
    from .._plan.model import Command, Installation, PackageFile
    from .._root import Root

TIMEOUT = 3600  # seconds; an initramfs takes minutes on a slow guest
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"  # su without a login shell leaves out sbin
_ENVIRONMENT = {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
# a package is unpacked to its end once before the first one is: a damaged one then changes nothing
_INSTALL = """
for package in "$@"; do
    dpkg-deb --fsys-tarfile "$package" >/dev/null || exit
done
for package in "$@"; do
    dpkg --force-confdef --force-confold --install "$package" || exit
done
"""
_CONTINUE = ("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")


class Runner:
    """Runs the program of a command and hands over what it generated."""

    def generate(self, command: Command, target: t.BinaryIO) -> None:
        """Leaves the generated file in C(target). Raises GuestError with the end of the log when the program fails."""
        raise NotImplementedError

    def install(self, installation: Installation) -> None:
        """Lets the guest's dpkg install packages, or go on. Raises GuestError with the end of its log when it fails."""
        raise NotImplementedError


class LiveRunner(Runner):
    """Runs commands on the running guest; they write below a new directory in /var/tmp."""

    def generate(self, command: Command, target: t.BinaryIO) -> None:
        with tempfile.TemporaryDirectory(prefix="rehost-hyperv-", dir="/var/tmp") as scratch:
            output = os.path.join(scratch, "output")
            with open(os.path.join(scratch, "log"), "w+b") as log:
                status = _run(command, _argv(command, output), log)
                log.seek(max(0, log.seek(0, os.SEEK_END) - MAX_LOG))
                _check(command, status, log.read(MAX_LOG).decode("utf-8", "replace"))
            try:
                with open(output, "rb") as stream:
                    for chunk in iter(lambda: stream.read(1 << 20), b""):
                        target.write(chunk)
            except FileNotFoundError:
                pass  # the proof says that there is nothing

    def install(self, installation: Installation) -> None:
        """A running guest has apt for that, which the caller of a module uses."""
        raise GuestError(f"in a running guest packages are installed by apt: {installation.report()['command']}")


class OfflineRunner(Runner):
    """Runs commands of a guest that is not running, in an isolation on the worker."""

    def __init__(self, root: Root) -> None:
        self.root = root

    def generate(self, command: Command, target: t.BinaryIO) -> None:
        done = run_isolated(self.root.path, _argv(command, OUTPUT_PATH), command.inputs, target, TIMEOUT)
        _check(command, done.status, done.log)

    def install(self, installation: Installation) -> None:
        with contextlib.ExitStack() as stack:
            files = []
            for number, package in enumerate(installation.packages):
                stream = stack.enter_context(_opened(package))
                files.append((f"{number:02d}-{os.path.basename(package.path)}", stream))
            # one after the other: dpkg wants those configured that others pre-depend on
            argv = ("/bin/sh", "-c", _INSTALL, "sh", *[f"{PACKAGES_PATH}/{name}" for name, _stream in files])
            done = run_on_tree(self.root.path, argv if files else _CONTINUE, files, TIMEOUT)
        if done.status != 0:
            last = "\n".join(done.log.strip().splitlines()[-12:])
            raise GuestError(
                f"`{installation.report()['command']}` failed with status {done.status}. The kernel that started before"
                f" starts as it did. Its last words:\n{last}",
                path="/var/lib/dpkg",
                hint="Mend what it complains about and run again, with the same packages: dpkg then goes on.",
            )


@contextlib.contextmanager
def _opened(package: PackageFile) -> t.Iterator[t.BinaryIO]:
    """The package, if it still is what was looked at."""
    try:
        fd = os.open(package.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise GuestError(f"the package {package.path} cannot be read: {error.strerror}", path=package.path) from error
    with os.fdopen(fd, "rb") as stream:
        digest = hashlib.sha256()
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
        if digest.hexdigest() != package.sha256:
            raise GuestError(
                f"{package.path} changed while this run was looking at it; nothing was installed",
                path=package.path,
                hint="Run again.",
            )
        yield stream


def runner_for(root: Root) -> Runner:
    """The runner that fits the guest."""
    return LiveRunner() if root.is_live else OfflineRunner(root)


def _run(command: Command, argv: list[str], log: t.BinaryIO) -> int:
    """Exit status of a program. Its process group ends with the time that it has."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), _SYSTEM_PATH))
    environment = dict(os.environ, PATH=path, **_ENVIRONMENT)
    try:
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # run_command has no time limit
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    except OSError as error:
        raise GuestError(
            f"{command.argv[0]} cannot be run: {error.strerror}",
            hint="Install the package that it belongs to, or mend it, and run again.",
        ) from error
    try:
        return process.wait(TIMEOUT)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise GuestError(
                f"{command.argv[0]} did not end within {TIMEOUT} seconds and was stopped; {command.output} is "
                "as it was",
                path=command.output,
                hint="Run it by hand to see where it hangs.",
            ) from error
        raise


def _argv(command: Command, output: str) -> list[str]:
    return [output if argument == OUTPUT else argument for argument in command.argv]


def _check(command: Command, status: int, log: str) -> None:
    if status != 0:
        last = "\n".join(log.strip().splitlines()[-12:])
        raise GuestError(
            f"{command.argv[0]} failed with status {status} while it made {command.output}, which is as it was. "
            f"Its last words:\n{last}",
            path=command.output,
            hint="Mend what it complains about and run again.",
        )
