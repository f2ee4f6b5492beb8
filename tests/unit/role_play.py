# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role in a real play; what is not real are the modules, which give the answers that a guest would."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

ROLES = pathlib.Path(__file__).parents[2] / "roles"
ANSWER = """\
import json
import pathlib

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        kept = pathlib.Path(task_vars["place"]) / self._task.action.split(".")[-1]
        kept.write_text(json.dumps(self._task.args))
        return json.loads(json.dumps(task_vars["answers"].get(kept.name, {})))
"""


class Played(t.NamedTuple):
    message: str  # why the role failed
    arguments: t.Dict[str, t.Dict[str, t.Any]]  # of each module that was called
    result: t.Any  # what the variable held afterwards


def play(
    place: pathlib.Path,
    role: str,
    *,
    modules: t.Iterable[str],
    guests: t.Mapping[str, t.Mapping[str, t.Any]],
    result: str,
    variables: t.Optional[t.Mapping[str, t.Any]] = None,
) -> t.Dict[str, Played]:
    """The role on all guests, which answer: name of the module, and its result."""
    collection = place / "collections" / "ansible_collections" / "rehost" / "hyperv"
    (collection / "plugins" / "action").mkdir(parents=True)
    for name in (*modules, "keep_failure", "keep_result"):
        (collection / "plugins" / "action" / f"{name}.py").write_text(ANSWER)
    (collection / "roles").mkdir()
    (collection / "roles" / role).symlink_to(ROLES / role)
    hosts = {}
    for name, answers in guests.items():
        (place / name).mkdir()
        hosts[name] = {"place": os.fspath(place / name), "answers": answers}
    tasks = {
        "block": [{"ansible.builtin.include_role": {"name": f"rehost.hyperv.{role}", "public": True}}],
        "rescue": [{"rehost.hyperv.keep_failure": {"message": "{{ ansible_failed_result.msg }}"}}],
        "always": [{"rehost.hyperv.keep_result": {"value": f"{{{{ {result} }}}}"}}],
    }
    given = {"ansible_connection": "local", f"{role}_become": False, **(variables or {})}
    (place / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": given}}))
    (place / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [tasks]}]))
    done = subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.json", "play.json"],
        cwd=place,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": os.fspath(place / "collections"),
            "ANSIBLE_LOCAL_TEMP": os.fspath(place / "tmp"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return {name: _read(place / name) for name in guests}


def _read(place: pathlib.Path) -> Played:
    arguments = {path.name: json.loads(path.read_text()) for path in place.iterdir()}
    failure = arguments.pop("keep_failure", {"message": ""})
    return Played(failure["message"], arguments, arguments.pop("keep_result")["value"])
