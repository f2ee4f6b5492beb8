# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module nic_switch. A live switch is confirmed over a new connection, which is the proof that it works."""

from __future__ import annotations

import shlex
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_CUT_AFTER = 3.0  # seconds: what the guest waits before it takes its network down, and one more
_ROLLBACK = 10.0  # seconds after the time limit within which the guest can be reached again
_PATIENCE = 60.0  # seconds more, for a slow guest to say what happened
_PAUSE = 1.0  # seconds between two attempts
# A connection that was open while the network changed must not hang for minutes.
_ALIVE = "-o ServerAliveInterval=3 -o ServerAliveCountMax=3"

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        is_live = self._task.args.get("mode") == "live"
        if is_live and self._task.async_val:
            raise AnsibleError(
                "nic_switch with mode: live cannot run with async: the connection that confirms it is the proof that "
                "the guest can be reached. Remove async; timeout is the limit of its time."
            )
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        found = self._call(self._task.args, variables)
        if self._is_interrupted(found):
            display.display("an earlier switch of the network was interrupted; it is put back first")
            last = self._follow(found["live"], variables, confirms=False)
            if last is None or not last["is_over"]:
                result.update(found, failed=True, msg=_message("the earlier switch was not put back in time", last))
                return result
            found = self._call(self._task.args, variables)
        if is_live and not found.get("failed") and (found.get("live") or {}).get("phase") == "waiting-to-begin":
            found = self._switch(found, variables)
        result.update(found)
        return result

    @staticmethod
    def _is_interrupted(found: dict[str, t.Any]) -> bool:
        return not found.get("failed") and (found.get("live") or {}).get("phase") == "putting-back"

    def _switch(self, found: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        live = found["live"]
        token = shlex.quote(live["token"])
        # one short command, and nothing after it: the network goes down in two seconds
        execute: t.Any = self._low_level_execute_command  # without types in ansible-core
        begun = execute(f"printf %s {token} > {shlex.quote(live['go'])}")
        if begun["rc"] != 0:
            said = f"{begun['stdout']}{begun['stderr']}".strip()
            return {**found, "changed": False, "failed": True, "msg": f"the switch was not begun: {said}"}
        last = self._follow(live, variables, confirms=True)
        found["live"] = last if last is not None else live
        if last is not None and last["phase"] == "confirmed":
            return found
        found["changed"] = False
        return {**found, "failed": True, "msg": _message("the network was not switched", last)}

    def _follow(
        self, live: dict[str, t.Any], variables: dict[str, t.Any], *, confirms: bool
    ) -> dict[str, t.Any] | None:
        """The last report of a switch, over new connections, until it is over; None when the guest was not reached."""
        limit = time.monotonic() + (float(live["timeout"]) if confirms else 0.0) + _ROLLBACK + _PATIENCE
        last: dict[str, t.Any] | None = None
        refused = ""
        restore = self._hurry()
        try:
            time.sleep(_CUT_AFTER)
            while time.monotonic() < limit:
                try:
                    self._reset()
                    answer = self._call({"mode": "live", "confirm": live["token"]}, variables)
                except (AnsibleError, OSError) as error:
                    display.vvv(f"nic_switch: not reached yet: {error}")
                    time.sleep(_PAUSE)
                    continue
                if answer.get("live"):
                    last = answer["live"]
                    display.vvv(f"nic_switch: {last['phase']}")
                    if last["is_over"]:
                        break
                elif answer.get("failed"):
                    refused = str(answer.get("msg", ""))
                    display.vvv(f"nic_switch: {refused}")
                time.sleep(_PAUSE)
        finally:
            restore()
            self._reset()
        if last is not None and refused and last["phase"] != "confirmed":
            last = {**last, "reason": f"{last['reason']} ({refused})"}
        return last

    def _call(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module returned. Raises AnsibleConnectionFailure when the guest was not reached."""
        answer: dict[str, t.Any] = self._execute_module(
            module_name="rehost.hyperv.nic_switch", module_args=dict(arguments), task_vars=variables
        )
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(str(answer.get("msg", "")))
        return answer

    def _reset(self) -> None:
        """Forgets the connection, and the socket of one that is kept open for others to use."""
        try:
            self._connection.reset()
        except (AttributeError, NotImplementedError):
            self._connection.close()
        except (AnsibleError, OSError) as error:
            display.vvv(f"nic_switch: {error}")

    def _hurry(self) -> t.Callable[[], None]:
        """Makes SSH notice soon that a connection is dead; returns what undoes that."""
        try:
            before = self._connection.get_option("ssh_common_args")
        except (KeyError, AnsibleError):
            return lambda: None  # not SSH
        self._connection.set_option("ssh_common_args", f"{before or ''} {_ALIVE}".strip())
        return lambda: self._connection.set_option("ssh_common_args", before)


def _message(what: str, last: dict[str, t.Any] | None) -> str:
    if last is None:
        return (
            f"{what}: the guest was not reached any more, neither over the new adapter nor, after the time in which it "
            "puts everything back by itself, over the old one. Look at its console; its log is "
            "/var/lib/rehost-hyperv/live-switch/log"
        )
    if last["phase"] == "put-back":
        text = f"{what}: {last['reason']}. Everything was put back"
    else:
        text = f"{what}: it is in the phase {last['phase']}" + (f" ({last['reason']})" if last["reason"] else "")
    if last["problems"]:
        text += f", except for: {'; '.join(last['problems'])}"
    return f"{text}. The log in the guest is {last['log']}"
