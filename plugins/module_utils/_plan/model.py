# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._formats.rollback_journal import Original

OUTPUT = "{output}"
"""Stands in a command's arguments for the path of the file that it generates."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that the administrator of a guest should know; docs/reference/findings.md explains the ids."""

    id: str
    severity: str  # error, warning or info
    subject: str  # what it is about: a path, a kernel version, a device
    message: str  # what, where, and why it matters
    remedy: str  # what to do about it
    blocks: bool = False  # whether the guest does not come up on Hyper-V, or not completely, because of it

    def report(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class FileChange:
    """One text file, before and after. None stands for no file. C(mode) is given to a file that is new."""

    path: str
    before: str | None
    after: str | None
    reason: str
    mode: int = 0o644

    def report(self) -> dict[str, t.Any]:
        return {"path": self.path, "action": _action(self.before, self.after), "reason": self.reason}

    def diff(self) -> dict[str, str]:
        return {
            "before": self.before or "",
            "after": self.after or "",
            "before_header": self.path if self.before is not None else "/dev/null",
            "after_header": self.path if self.after is not None else "/dev/null",
        }


@dataclasses.dataclass(frozen=True)
class LinkChange:
    """One symbolic link, its target before and after. None stands for no link."""

    path: str
    before: str | None
    after: str | None
    reason: str

    def report(self) -> dict[str, t.Any]:
        return {"path": self.path, "action": _action(self.before, self.after), "reason": self.reason}

    def diff(self) -> dict[str, str]:
        return {
            "before": f"link to {self.before}\n" if self.before is not None else "",
            "after": f"link to {self.after}\n" if self.after is not None else "",
            "before_header": self.path,
            "after_header": self.path,
        }


@dataclasses.dataclass(frozen=True)
class RuntimeSetting:
    """A value of the running kernel, in a file of /sys or /proc/sys: it lasts until the guest stops or the device goes.

    Values are one line without its end. Of several in a file of which the chosen one stands in brackets, as in
    C([mq-deadline] none), C(before) is that one. Facts of a guest that is not running hold none of these files.
    """

    path: str
    before: str
    after: str
    reason: str

    def report(self) -> dict[str, t.Any]:
        return {"path": self.path, "action": "change", "reason": self.reason}

    def diff(self) -> dict[str, str]:
        return {
            "before": f"{self.before}\n",
            "after": f"{self.after}\n",
            "before_header": self.path,
            "after_header": self.path,
        }


@dataclasses.dataclass(frozen=True)
class PoolChange:
    """Key-value pairs in a pool that a daemon changes, too: written in place, under the daemon's lock, and no others.

    C(before) are all pairs that were there, None for no file.
    """

    path: str
    before: tuple[tuple[str, str], ...] | None
    present: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]
    reason: str

    @property
    def after(self) -> tuple[tuple[str, str], ...]:
        """All pairs that are there afterwards."""
        held = {key: value for key, value in self.before or () if key not in self.absent}
        return tuple({**held, **dict(self.present)}.items())

    def report(self) -> dict[str, t.Any]:
        return {"path": self.path, "action": "create" if self.before is None else "change", "reason": self.reason}

    def diff(self) -> dict[str, str]:
        return {
            "before": "".join([f"{key}: {value}\n" for key, value in self.before or ()]),
            "after": "".join([f"{key}: {value}\n" for key, value in self.after]),
            "before_header": self.path if self.before is not None else "/dev/null",
            "after_header": self.path,
        }


@dataclasses.dataclass(frozen=True)
class Restore:
    """What was at a path before this collection first changed it is put back."""

    original: Original

    @property
    def path(self) -> str:
        return self.original.path

    def report(self) -> dict[str, t.Any]:
        action = "remove" if self.original.kind == "absent" else "restore"
        return {"path": self.path, "action": action, "reason": "as it was before the first change"}

    def diff(self) -> dict[str, str]:
        after = "" if self.original.kind == "absent" else f"the {self.original.kind} from before the first change\n"
        return {"before": "as it is now\n", "after": after, "before_header": self.path, "after_header": self.path}


@dataclasses.dataclass(frozen=True)
class Forget:
    """Everything is rolled back: the journal and the copies in it go."""

    path: str
    parent_mtime_ns: int | None  # of the directory that holds it, before it was there; None: as it is now

    def report(self) -> dict[str, t.Any]:
        return {"path": self.path, "action": "remove", "reason": "nothing is left to roll back"}

    def diff(self) -> dict[str, str]:
        return {"before": "journal of changes\n", "after": "", "before_header": self.path, "after_header": self.path}


class Proof:
    """What a generated file must show before it takes the place of the one it replaces."""

    def problem_with(self, stream: t.BinaryIO) -> str:
        """Why the file is not good enough; empty when it is."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Command:
    """A program of the guest that generates one file.

    It writes to the path that takes the place of OUTPUT in C(argv), not to C(output) itself: that file is replaced
    only after C(proof) has nothing against the new one. C(inputs) are files (path, text, mode) that exist only
    while the command runs on a guest that is not running itself; they never become part of it. C(record) is a file
    that keeps the checksum of the output, in the form C(SHA-1, two spaces, path). C(stays) is for what belongs to a
    package that stays when all is rolled back: it is not in the journal.
    """

    argv: tuple[str, ...]
    output: str
    reason: str
    proof: Proof
    inputs: tuple[tuple[str, str, int], ...] = ()
    record: str | None = None
    stays: bool = False

    def report(self) -> dict[str, t.Any]:
        return {
            "command": " ".join(self.argv).replace(OUTPUT, self.output),
            "output": self.output,
            "reason": self.reason,
        }


class PackageFile(t.NamedTuple):
    """A package on the machine on which the module runs, and the SHA-256 of what was looked at in it."""

    path: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Installation:
    """What the dpkg of a guest that is not running does: it installs packages; without any, it ends what it was cut off
    in. It writes to the guest what dpkg and the scripts of these packages write. None of that is in the journal: a
    rollback leaves packages as they are."""

    packages: tuple[PackageFile, ...]
    reason: str

    def report(self) -> dict[str, t.Any]:
        names = [package.path.rsplit("/", 1)[-1] for package in self.packages]
        command = f"dpkg --install {' '.join(names)}" if names else "dpkg --configure -a"
        return {"command": command, "output": "/var/lib/dpkg/status", "reason": self.reason}


Change = t.Union[FileChange, LinkChange, RuntimeSetting, PoolChange, Restore, Forget]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What it takes for a guest to be as wanted, and what is to be said about it.

    Changes come before the installation, and that before commands. C(goes_on): what is left to be done can only be
    planned when this is.
    """

    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    findings: tuple[Finding, ...] = ()
    installation: Installation | None = None
    goes_on: bool = False

    def __bool__(self) -> bool:
        return bool(self.changes or self.commands or self.installation)

    @property
    def programs(self) -> tuple[Installation | Command, ...]:
        """What is run, in its order."""
        return (*((self.installation,) if self.installation else ()), *self.commands)


def _action(before: str | None, after: str | None) -> str:
    if before is None:
        return "create"
    return "remove" if after is None else "change"
