# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module kernel_build until the build has ended, and shows how far it is."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_TIMEOUT = 21600  # seconds, as the module has it
_LOOK = 20  # seconds that one call of the module waits

display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        given = self._task.args.get("timeout", _TIMEOUT)
        try:
            timeout = float(given)
        except (TypeError, ValueError) as error:
            raise AnsibleActionFail(f"timeout is a number of seconds, and not {given!r}") from error
        deadline = time.monotonic() + timeout
        shown = ""
        is_changed = False
        while True:
            left = max(0.0, deadline - time.monotonic())
            arguments = {**self._task.args, "timeout": int(min(_LOOK, left))}
            found: dict[str, t.Any] = self._execute_module(
                module_name="rehost.hyperv.kernel_build", module_args=arguments, task_vars=task_vars or {}
            )
            is_changed = is_changed or bool(found.get("changed"))
            is_over = found.get("failed") or found.get("state") != "building" or self._task.check_mode
            if is_over or timeout <= 0:
                break
            progress = f"{found['source_version']}: {found['step']} {found['percent']} %"
            if progress != shown:
                shown = progress
                display.display(progress)
            if time.monotonic() >= deadline:
                found["failed"] = True
                found["msg"] = (
                    f"the kernel is not built after {timeout:.0f} s; it is at {found['percent']} % ({found['step']})"
                    f" and goes on. Run the same task again to wait for it; {found['log']} on the build host has more."
                )
                break
        result.update(found, changed=is_changed)
        return result
