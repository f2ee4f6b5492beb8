# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a live switch is: a file that is written before each step."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import typing as t

from .._errors import GuestError, MalformedError

OVER = ("confirmed", "put-back", "abandoned", "interrupted")
"""Phases after which nothing happens any more."""

UNTOUCHED = ("waiting-to-begin", *OVER)
"""Phases in which there is nothing to put back."""


@dataclasses.dataclass(frozen=True)
class Adapter:
    """A network adapter that is renamed. The index stays what it is until the next boot."""

    index: int
    before: str
    after: str
    was_up: bool


@dataclasses.dataclass(frozen=True)
class SwitchState:
    """All that is needed to put everything back, and to say what happened."""

    token: str
    boot: str  # id of the boot in which it happens
    timeout: float  # seconds from the beginning to the confirmation
    adapters: tuple[Adapter, ...] = ()
    names: t.Mapping[str, str] = dataclasses.field(default_factory=dict)  # of the configured adapters: before, after
    uppers: tuple[str, ...] = ()  # the configured interfaces on top of them, the lowest first, names of before
    back_ends: tuple[str, ...] = ()
    memory: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)  # of each back end
    shown: tuple[str, ...] = ()  # files over which others are mounted
    targets: tuple[t.Any, ...] = ()
    caller: str = ""  # the interface over which the module that started it was called; "" when that cannot be seen
    phase: str = "waiting-to-begin"
    reason: str = ""
    problems: tuple[str, ...] = ()
    before: t.Mapping[str, str] = dataclasses.field(default_factory=dict)  # check -> what was wrong
    now: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    connection: t.Mapping[str, str] | None = None
    seconds: t.Mapping[str, float] = dataclasses.field(default_factory=dict)  # phase -> when, from the beginning

    @property
    def required(self) -> tuple[str, ...]:
        """The checks that must pass, as they did before."""
        return tuple([check for check, problem in self.before.items() if not problem])

    @property
    def parked(self) -> tuple[str, ...]:
        """What the adapters that are given up are called."""
        return tuple([adapter.after for adapter in self.adapters if adapter.after not in self.names.values()])

    @property
    def is_over(self) -> bool:
        return self.phase in OVER

    def report(self) -> dict[str, t.Any]:
        return {
            "token": self.token,
            "phase": self.phase,
            "is_over": self.is_over,
            "timeout": self.timeout,
            "reason": self.reason,
            "problems": list(self.problems),
            "checks": {
                check: {"passed_before": not problem, "problem": self.now.get(check, "")}
                for check, problem in self.before.items()
            },
            "connection": dict(self.connection) if self.connection is not None else None,
            "seconds": dict(self.seconds),
        }


class SwitchDirectory:
    """Where the state of the last switch, its log and its lock are: a directory that only root may enter."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.log = os.path.join(path, "log")
        self.go = os.path.join(path, "go")
        self._state = os.path.join(path, "state.json")
        self._confirmation = os.path.join(path, "confirmation.json")

    def lock(self) -> int | None:
        """Descriptor that holds the lock; a process that is forked holds it as well. None when another one does."""
        fd = os.open(os.path.join(self.path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def is_locked(self) -> bool:
        if not os.path.isdir(self.path):
            return False
        fd = self.lock()
        if fd is not None:
            os.close(fd)
        return fd is None

    def write(self, state: SwitchState) -> None:
        """Durable when it returns. Raises OSError."""
        self._replace(self._state, dataclasses.asdict(state))

    def read(self) -> SwitchState | None:
        """None when there never was a switch. Raises GuestError."""
        fields = self._load(self._state)
        if fields is None:
            return None
        try:
            adapters = tuple([Adapter(**adapter) for adapter in fields.pop("adapters")])
            lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
            return SwitchState(**{**fields, **lists, "adapters": adapters})
        except (TypeError, KeyError) as error:
            raise self._damaged(self._state, error) from error

    def begin(self, state: SwitchState) -> None:
        """Forgets the switch before, and notes the new one."""
        for path in (self.go, self._confirmation):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self.write(state)

    def may_go(self, token: str) -> bool:
        try:
            with open(self.go, encoding="ascii", errors="replace") as stream:
                return stream.read().strip() == token
        except FileNotFoundError:
            return False

    def confirm(self, token: str, connection: t.Mapping[str, str]) -> None:
        self._replace(self._confirmation, {"token": token, "connection": dict(connection)})

    def confirmation(self, token: str) -> dict[str, str] | None:
        """The connection over which a switch was confirmed, None when it was not."""
        found = self._load(self._confirmation)
        if found is None or found.get("token") != token:
            return None
        return dict(found["connection"])

    def _load(self, path: str) -> dict[str, t.Any] | None:
        try:
            with open(path, encoding="utf-8") as stream:
                found = json.load(stream)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise self._damaged(path, error) from error
        if not isinstance(found, dict):
            raise self._damaged(path, "no object")
        return found

    def _damaged(self, path: str, why: object) -> GuestError:
        return MalformedError(
            f"{path} cannot be read ({why}), so it is not known what became of the last switch of the network",
            path=path,
            hint="Look at the network by hand; when it is well, remove the file.",
        )

    def _replace(self, path: str, content: t.Mapping[str, t.Any]) -> None:
        temporary = f"{path}.new"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(temporary, path)
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
