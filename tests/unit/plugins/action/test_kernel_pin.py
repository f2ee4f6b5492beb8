# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin in a real play over Ansible's own SSH connection; what is not real is `ssh`, which runs commands
here, the restart, which nothing but a guest survives, and the module, which gives the answers that a guest would."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

pytestmark = pytest.mark.slow
REAL = pathlib.Path(__file__).parents[4] / "plugins" / "action" / "kernel_pin.py"
SSH = """\
#!/bin/sh
case " $* " in *" -O "*) exit 0 ;; esac
for argument; do
    case $argument in guest-*) GUEST=$argument ;; esac
    command=$argument
done
DIRECTORY={directory} GUEST=$GUEST exec sh -c "$command"
"""
MODULE = """\
#!/usr/bin/python
import os

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"restart": {"type": "bool"}, "retry": {"type": "bool"}}, supports_check_mode=True)
guest = os.environ["GUEST"]
log = os.path.join(os.environ["DIRECTORY"], "log")
retry = "again" if module.params["retry"] else "once"
with open(log) as lines:
    restarted = "%s restarts\\n" % guest in lines.read()
with open(log, "a") as lines:
    lines.write("%s is asked, %s\\n" % (guest, retry))
before = {"phase": "restart", "kernel": "6.12", "default": "6.1", "running": "6.1"}
if "tree" in guest:
    before["running"] = None
after = dict(before, phase="done", running="6.12") if restarted else before
module.exit_json(changed=True, changes=["confirm" if restarted else "stage"], before=after, after=after)
"""
REBOOT = """\
import os

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        guest = task_vars["inventory_hostname"]
        with open(os.path.join({directory!r}, "log"), "a") as lines:
            lines.write("%s restarts\\n" % guest)
        if "lost" in guest:
            return {{"failed": True, "rebooted": True, "msg": str(self._task.args["reboot_timeout"])}}
        return {{"changed": True, "rebooted": True}}
"""
PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - rehost.hyperv.kernel_pin: {restart: true, retry: true}
      register: found
    - debug:
        msg: "{{ inventory_hostname }}: {{ found.before.phase }} {{ found.after.phase }} {{ found.changes | join }}"
"""


def play(directory: pathlib.Path, guests: t.Sequence[str], *options: str) -> tuple[list[str], str]:
    """What happened in its order, and what Ansible said."""
    collection = directory / "collections" / "ansible_collections" / "rehost" / "hyperv" / "plugins"
    for name in ("action", "modules"):
        (collection / name).mkdir(parents=True)
    real = REAL.read_text()
    assert '"ansible.builtin.reboot"' in real
    (collection / "action" / "kernel_pin.py").write_text(
        real.replace('"ansible.builtin.reboot"', '"rehost.hyperv.restart"')
    )
    (collection / "action" / "restart.py").write_text(REBOOT.format(directory=str(directory)))
    (collection / "modules" / "kernel_pin.py").write_text(MODULE)
    (collection / "modules" / "restart.py").write_text("")
    ssh = directory / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH.format(directory=directory))
    ssh.chmod(0o755)
    (directory / "log").write_text("")
    (directory / "play.yml").write_text(PLAY)
    (directory / "inventory").write_text("".join([f"{guest} ansible_connection=ssh\n" for guest in guests]))
    said = subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", "-f", "1", "-i", "inventory", "play.yml", *options],
        cwd=directory,
        env={
            **os.environ,
            "PATH": f"{directory / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_REMOTE_TMP": str(directory / "remote"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return (directory / "log").read_text().splitlines(), said.stdout + said.stderr


@pytest.mark.skipif(shutil.which("ssh") is None, reason="Ansible looks for ssh")
def test_each_guest_is_confirmed_before_the_next_one_restarts(tmp_path: pathlib.Path) -> None:
    happened, said = play(tmp_path, ["guest-1", "guest-2"])
    one = ["guest-{0} is asked, again", "guest-{0} restarts", "guest-{0} is asked, once"]
    assert happened == [line.format(number) for number in (1, 2) for line in one], said
    assert "guest-1: restart done stageconfirm" in said
    assert "guest-2: restart done stageconfirm" in said


def test_a_guest_that_does_not_come_back_is_told_with_what_to_do(tmp_path: pathlib.Path) -> None:
    happened, said = play(tmp_path, ["guest-lost"])
    assert happened == ["guest-lost is asked, again", "guest-lost restarts"]
    assert "did not come back in 1200 seconds, neither with 6.12 nor with 6.1" in said


def test_neither_check_mode_nor_a_tree_restarts_anything(tmp_path: pathlib.Path) -> None:
    happened, said = play(tmp_path, ["guest-tree"])
    assert happened == ["guest-tree is asked, again"], said
    (tmp_path / "check").mkdir()
    happened, said = play(tmp_path / "check", ["guest-1"], "--check")
    assert happened == ["guest-1 is asked, again"], said
