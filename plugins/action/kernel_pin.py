# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module kernel_pin, and, if it may, restarts the guest for a trial and confirms that as soon as it is back.

Both are one task: with two, no guest would be confirmed before the last one of the play is back, and the guard of a
healthy one would end its trial meanwhile.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_LIMIT = 300  # seconds, as the module has it
_STARTS = 900  # seconds for the start that is tried, its end when nobody can confirm it, and the old kernel's start

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        may_restart = boolean(self._task.args.get("restart", False), strict=False)
        if may_restart and self._task.async_val:
            raise AnsibleError(
                "kernel_pin with restart: true cannot run with async: the call that confirms a trial is the proof that "
                "the guest can be reached. Remove async; trial_limit is the limit of its time."
            )
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        staged = self._call(self._task.args, variables)
        step = staged.get("after") or {}
        # an image or a tree that is not this guest's own is not restarted: nothing runs there
        if staged.get("failed") or self._task.check_mode or not may_restart or not step.get("running"):
            return {**result, **staged}
        if step.get("phase") != "restart":
            return {**result, **staged}
        problem = self._restart(step, variables)
        if problem:
            return {**result, **staged, "changed": True, "failed": True, "msg": problem}
        confirmed = self._call({**self._task.args, "retry": False}, variables)
        for name in ("changes", "commands", "diff"):
            if name in staged and name in confirmed:
                confirmed[name] = [*staged[name], *confirmed[name]]
        if "before" in confirmed:
            confirmed["before"] = staged["before"]
        return {**result, **confirmed, "changed": True}

    def _call(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = self._execute_module(
            module_name="rehost.hyperv.kernel_pin", module_args=dict(arguments), task_vars=variables
        )
        return answer

    def _restart(self, step: dict[str, t.Any], variables: dict[str, t.Any]) -> str:
        """Restarts the guest with Ansible's own action; why it is not back, or empty when it is."""
        patience = int(self._task.args.get("trial_limit", _LIMIT)) + _STARTS
        task = self._task.copy()
        task.args = {"reboot_timeout": patience, "msg": f"{step['kernel']} is tried"}
        display.v(f"{variables.get('inventory_hostname', 'the guest')} restarts with {step['kernel']}, once")
        action = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.reboot",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        found: dict[str, t.Any] = action.run(task_vars=variables)
        if not found.get("failed"):
            return ""
        if not found.get("rebooted"):
            return f"the guest was not restarted: {found.get('msg', 'it is not known why')}"
        return (
            f"The guest did not come back in {patience} seconds, neither with {step['kernel']} nor with"
            f" {step['default']}, which is still the default: the kernel may hang before its user space, or GRUB waits"
            " in its menu (Secure Boot refuses a kernel without a signature). Reset the virtual machine on the host"
            f" (Stop-VM -TurnOff, Start-VM); {step['default']} starts then. Its console (Connect-VM) shows how far it"
            " came. Then run this again, which says what the trial's log has."
        )
