# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible and testinfra on the machines of the lab, as a user would run them."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import typing as t

import testinfra
from ansible_collections.rehost.hyperv.tests.lab.machine import Machine, ssh_command

LOCAL = f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}"
_PROGRAMS = pathlib.Path(sys.executable).parent
_SETTINGS = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1"}


def log_in(machine: Machine) -> t.Any:
    """testinfra's host for a machine."""
    options = shlex.join(ssh_command(machine.port)[1:-3])
    return testinfra.get_host(f"ssh://root@127.0.0.1:{machine.port}", ssh_extra_args=options)


def run_tasks(inventory: str, tasks: t.Mapping[str, t.Mapping[str, t.Any]]) -> t.Dict[str, t.Any]:
    """What each task returned, by its name. They run in one play, on the only host of the inventory."""
    with tempfile.TemporaryDirectory() as directory:
        results = pathlib.Path(directory, "results.json")
        kept = ", ".join(f"'{name}': {name}" for name in tasks)
        keep = {
            "ansible.builtin.copy": {"content": f"{{{{ {{{kept}}} | to_json }}}}", "dest": os.fspath(results)},
            "delegate_to": "localhost",
        }
        play = {
            "hosts": "all",
            "gather_facts": False,
            "tasks": [*({**task, "register": name} for name, task in tasks.items()), keep],
        }
        playbook = pathlib.Path(directory, "playbook.json")
        playbook.write_text(json.dumps([play]))
        run_playbook(os.fspath(playbook), inventory)
        found: t.Dict[str, t.Any] = json.loads(results.read_text())
        return found


def run_playbook(playbook: str, inventory: str, **variables: t.Any) -> str:
    """What ansible-playbook printed. AssertionError when it failed, with that."""
    with tempfile.TemporaryDirectory() as directory:
        hosts = pathlib.Path(directory, "hosts")
        hosts.write_text(inventory + "\n")
        command = [_PROGRAMS / "ansible-playbook", playbook, "-i", hosts, "-e", json.dumps(variables)]
        path = f"{_PROGRAMS}:{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **_SETTINGS, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if done.returncode:
        raise AssertionError(f"{playbook} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout
