# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process does that switches the network of the running guest.

Nothing is written to the guest's configuration before the switch is confirmed: names of interfaces, the files that are
mounted over the configuration, and what is below /run are gone with the next boot. So a power cut at any step before
that leaves a guest that boots as it did. What is written then is the ordinary plan, in the order and with the journal
of every plan: a run after a power cut finishes it.

Two processes, as one may be killed: the first only waits, and puts all back when the second ends before its work does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import traceback
import typing as t

from .._errors import GuestError
from .._plan.model import FileChange, LinkChange, Plan
from .links import clear, find_link, give_names, read_links
from .network_checks import Target, announce, checks_of
from .network_stacks import BACK_ENDS, park, renamed, set_sysctls, unpark
from .plan import apply
from .runners import runner_for
from .trial_files import TrialFile, hide, show

if t.TYPE_CHECKING:
    from .._root import Root
    from .programs import Programs
    from .switch_state import SwitchDirectory, SwitchState

GO_WAIT = 60.0  # seconds for the controller to say that it has the report of the start
GRACE = 2.0  # seconds for its connection to become quiet, as it is about to be cut
_SETTLED = 0.6  # of the time limit: by then the network works on the new adapter, or is put back;
_LONGEST_WAIT = 45.0  # and after so many seconds: a switch port may take 30 to let traffic through, DHCP 20
_LONGEST_RESERVE = 0.25  # of the time limit, kept for putting back
_BACK_WAIT = 90.0  # seconds for the back ends to take up what they had let go of
_POLL = 0.2


class SwitchProcess:
    """One switch, from where its state says that it is."""

    def __init__(
        self, root: Root, plan: Plan, directory: SwitchDirectory, state: SwitchState, programs: Programs
    ) -> None:
        self.root = root
        self.plan = plan
        self.directory = directory
        self.state = state
        self.programs = programs
        self._began = time.monotonic()

    def supervise(self) -> None:
        """Does all of it in a child; whatever becomes of that, the network works when this returns, or everything was
        tried."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                self.carry_out()
                status = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(status)
        _pid, status = os.waitpid(child, 0)
        state = self.directory.read()
        if state is None or state.is_over:
            return
        self.state = state
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
        self.programs.note(f"the process that switched the network ended with {how}")
        if state.phase == "writing":
            self.write()
        else:
            self.put_back(state.reason or f"the process that switched the network ended with {how}")

    def carry_out(self) -> None:
        if not self._may_begin():
            self._step("abandoned", reason=f"the controller did not say within {GO_WAIT:.0f} seconds that it was ready")
            return
        time.sleep(GRACE)
        try:
            self._switch()
        except (GuestError, OSError, ValueError, KeyError) as error:
            traceback.print_exc()
            self.put_back(str(error))
            return
        if self._is_confirmed():
            self.write()
        else:
            self.put_back(
                f"nobody confirmed within {self.state.timeout:.0f} seconds that the guest can be reached through "
                f"{', '.join(self.state.names.values())}"
            )

    def _may_begin(self) -> bool:
        deadline = time.monotonic() + GO_WAIT
        while not self.directory.may_go(self.state.token):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        self._began = time.monotonic()
        return True

    # -- there

    def _switch(self) -> None:
        """Raises GuestError or OSError when the network does not come up on the new adapter."""
        state = self.state
        settled = self._began + min(state.timeout * _SETTLED, _LONGEST_WAIT + GRACE)
        before = {name: name for name in state.names}
        self._step("taking-down")
        for name in reversed(state.back_ends):
            self._tell(BACK_ENDS[name].stop(self.programs, state.memory[name], before))
        for adapter in state.adapters:
            self._tell(clear(self.programs, adapter.index))
        self._step("renaming")
        give_names(self.programs, {adapter.index: adapter.after for adapter in state.adapters})
        park(self.programs, state.parked, state.back_ends)
        set_sysctls(self.programs, state.names.values())
        show(self.programs, trial_files(self.plan))
        self._step("bringing-up")
        for name in state.back_ends:
            self._tell(BACK_ENDS[name].start(self.programs, state.memory[name], state.names, settled))
        self._step("checking")
        announce(self.programs, self._interfaces())
        self._check(settled)
        wrong = [f"{check} ({self.state.now[check]})" for check in state.required if self.state.now.get(check)]
        if wrong:
            raise GuestError(f"what worked before does not work on the new adapter: {'; '.join(wrong)}")

    def _check(self, deadline: float) -> None:
        """Until all that passed before passes, or it is too late."""
        left = list(self.state.required)
        while left:
            checks = self._checks()
            now = {check: checks[check]() for check in left}
            self.state = dataclasses.replace(self.state, now={**self.state.now, **now})
            left = [check for check in left if now[check]]
            if left and time.monotonic() > deadline:
                break
            if left:
                time.sleep(_POLL)

    def _checks(self) -> dict[str, t.Callable[[], str]]:
        targets = [Target(*target) for target in self.state.targets]
        return checks_of(self.programs, self._interfaces(), targets)

    def _interfaces(self) -> list[str]:
        """The configured adapters and what is on top of them, as they are called now."""
        names = self._names_now()
        return [*names.values(), *(renamed(upper, names) for upper in self.state.uppers)]

    def _is_confirmed(self) -> bool:
        """Waits for it, as long as there is time enough to put back before the limit what took this long to do."""
        took = time.monotonic() - self._began - GRACE
        reserve = min(took, self.state.timeout * _LONGEST_RESERVE)
        self._step("waiting")
        deadline = self._began + self.state.timeout - reserve
        while True:
            connection = self.directory.confirmation(self.state.token)
            if connection is not None:
                self.state = dataclasses.replace(self.state, connection=connection)
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)

    # -- for good

    def write(self) -> None:
        """Makes the switch outlast the next boot; puts all back when that is not possible."""
        self._step("writing")
        try:
            stuck = hide(self.programs, self.state.shown)
            if stuck:
                raise GuestError("; ".join(stuck))
            left = tuple([change for change in self.plan.changes if not self._is_done(change)])
            apply(self.root, Plan(changes=left, commands=self.plan.commands), runner_for(self.root))
        except (GuestError, OSError) as error:
            reason = f"it was confirmed, but cannot be made permanent: {error}"
            self.programs.note(reason)
            self._unwrite()
            self.put_back(reason)
            return
        self._step("confirmed")

    def _is_done(self, change: t.Any) -> bool:
        if isinstance(change, FileChange):
            return self.root.read_text(change.path) == change.after
        return isinstance(change, LinkChange) and self.root.read_link(change.path) == change.after

    def _unwrite(self) -> None:
        done = [change for change in reversed(self.plan.changes) if self._is_done(change)]
        back = [
            dataclasses.replace(change, before=change.after, after=change.before, reason="the switch was put back")
            for change in done
            if isinstance(change, (FileChange, LinkChange)) and change.before != change.after
        ]
        try:
            apply(self.root, Plan(changes=tuple(back)), runner_for(self.root))
        except GuestError as error:
            self._note_problems([error.message])

    # -- and back

    def put_back(self, reason: str) -> None:
        """Makes the network what it was. A step that fails does not keep the others from being done."""
        state = self.state
        self._step("putting-back", reason=reason)
        names = self._names_now()
        for name in reversed(state.back_ends):
            with self._going_on():
                self._tell(BACK_ENDS[name].stop(self.programs, state.memory[name], names))
        for adapter in state.adapters:
            with self._going_on():
                self._tell(clear(self.programs, adapter.index))
        with self._going_on():
            self._note_problems(hide(self.programs, state.shown))
        with self._going_on():
            unpark(self.programs, state.back_ends)
        with self._going_on():
            give_names(self.programs, {adapter.index: adapter.before for adapter in state.adapters})
        before = {name: name for name in state.names}
        with self._going_on():
            set_sysctls(self.programs, before)
        deadline = time.monotonic() + _BACK_WAIT
        for name in state.back_ends:
            with self._going_on():
                start = BACK_ENDS[name].start
                self._note_problems(start(self.programs, state.memory[name], before, deadline, is_back=True))
        for adapter in state.adapters:
            if adapter.was_up:
                self.programs.run("ip", "link", "set", "dev", adapter.before, "up")
        with self._going_on():
            announce(self.programs, self._interfaces())
        with self._going_on():
            self._check(deadline)
            wrong = [f"{check}: {self.state.now[check]}" for check in state.required if self.state.now.get(check)]
            self._note_problems(wrong)
        self._step("put-back")

    def _names_now(self) -> dict[str, str]:
        """Of the configured adapters: the name of before, and the one that is in use."""
        by_after = {adapter.after: adapter for adapter in self.state.adapters}
        links = read_links(self.programs)
        names = {}
        for before, after in self.state.names.items():
            adapter = by_after.get(after)
            link = find_link(links, adapter.index) if adapter is not None else None
            names[before] = after if link is not None and link.name == after else before
        return names

    # -- small parts

    def _step(self, phase: str, reason: str = "") -> None:
        seconds = {**self.state.seconds, phase: round(time.monotonic() - self._began, 1)}
        self.state = dataclasses.replace(self.state, phase=phase, reason=reason or self.state.reason, seconds=seconds)
        self.programs.note(f"--- {phase}" + (f": {reason}" if reason else ""))
        self.directory.write(self.state)

    def _tell(self, problems: t.Iterable[str]) -> None:
        """What does not work on the way is only in the log: the checks say whether it matters."""
        for problem in problems:
            self.programs.note(problem)

    def _note_problems(self, problems: t.Iterable[str]) -> None:
        found = tuple(problems)
        self._tell(found)
        self.state = dataclasses.replace(self.state, problems=(*self.state.problems, *found))

    @contextlib.contextmanager
    def _going_on(self) -> t.Iterator[None]:
        try:
            yield
        except (GuestError, OSError, ValueError, KeyError) as error:
            traceback.print_exc()
            self._note_problems([str(error)])


def trial_files(plan: Plan) -> tuple[TrialFile, ...]:
    """The files that are there and that a plan changes."""
    return tuple(
        [
            TrialFile(change.path, change.after)
            for change in plan.changes
            if isinstance(change, FileChange) and change.before is not None
        ]
    )
