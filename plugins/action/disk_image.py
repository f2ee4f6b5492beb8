# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module disk_image and shows how far it is, as copying a disk takes minutes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_EVERY = 10  # per cent
_INTERVAL = 1.0  # seconds between two looks

display = Display()


class ActionModule(ActionBase):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        with contextlib.ExitStack() as stack:
            # only a module on this machine can be watched
            if self._connection.transport == "local" and "progress_file" not in arguments:
                arguments["progress_file"] = stack.enter_context(_watched(str(arguments.get("dest", ""))))
            result.update(
                self._execute_module(
                    module_name="rehost.hyperv.disk_image", module_args=arguments, task_vars=task_vars or {}
                )
            )
        return result


@contextlib.contextmanager
def _watched(name: str) -> t.Iterator[str]:
    """A file to write progress to, which is shown while it changes."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "progress")
        done = threading.Event()
        watcher = threading.Thread(target=_show, args=(path, os.path.basename(name), done), daemon=True)
        watcher.start()
        try:
            yield path
        finally:
            done.set()
            watcher.join()


def _show(path: str, name: str, done: threading.Event) -> None:
    shown = ("", -_EVERY)
    while not done.wait(_INTERVAL):
        with contextlib.suppress(OSError, ValueError):
            with open(path, encoding="ascii") as stream:
                step, _space, percent = stream.read().partition(" ")
            if step != shown[0] or int(percent) >= shown[1] + _EVERY:
                shown = (step, int(percent))
                display.display(f"{name}: {step} {shown[1]} %")
