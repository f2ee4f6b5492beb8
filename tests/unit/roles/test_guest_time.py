# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role in a real play; what is not real are the two modules, which give the answers that a guest would."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
import yaml  # type: ignore[import-untyped]

pytestmark = pytest.mark.slow
ROLE = pathlib.Path(__file__).parents[3] / "roles" / "guest_time"
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


def judged(*findings: t.Dict[str, str], **after: t.Any) -> t.Dict[str, t.Any]:
    state = {"service": "chrony", "running": ["chrony"], "reference_clock": "used", "host_clock": True}
    return {"changed": False, "findings": list(findings), "after": {"on_hyperv": True, **state, **after}}


MISSING = {
    "id": "time-service.missing",
    "subject": "ntp",
    "message": "ntp is to keep the time, and is not installed.",
    "remedy": "Install it.",
}
GUESTS = {
    "without_service": judged(MISSING, service=None, running=["systemd-timesyncd"], reference_clock="none"),
    "stopped": judged(running=[]),
    "follows_host": judged(),
    "should_follow_host": judged(reference_clock="staged"),
    "without_host_clock": judged(reference_clock="staged", host_clock=False),
    "without_reference": judged(reference_clock="none"),
}


class Guest(t.NamedTuple):
    message: str  # why the role failed
    proof: t.Optional[t.Dict[str, t.Any]]  # arguments of time_sync_info


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> t.Dict[str, Guest]:
    """All of them, after one play."""
    place = tmp_path_factory.mktemp("guests")
    collection = place / "collections" / "ansible_collections" / "rehost" / "hyperv"
    (collection / "plugins" / "action").mkdir(parents=True)
    for name in ("time_sync", "time_sync_info", "keep"):
        (collection / "plugins" / "action" / f"{name}.py").write_text(ANSWER)
    (collection / "roles").mkdir()
    (collection / "roles" / "guest_time").symlink_to(ROLE)
    hosts = {
        name: {"place": os.fspath(place / name), "answers": {"time_sync": answer}} for name, answer in GUESTS.items()
    }
    for name in hosts:
        (place / name).mkdir()
    variables = {"ansible_connection": "local", "guest_time_install": False, "guest_time_become": False}
    tasks = {
        "block": [{"ansible.builtin.include_role": {"name": "rehost.hyperv.guest_time"}}],
        "rescue": [{"rehost.hyperv.keep": {"message": "{{ ansible_failed_result.msg }}"}}],
    }
    (place / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
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
    return {name: _read(place / name) for name in GUESTS}


def _read(place: pathlib.Path) -> Guest:
    kept = {path.name: json.loads(path.read_text()) for path in place.iterdir()}
    return Guest(kept.get("keep", {}).get("message", ""), kept.get("time_sync_info"))


def test_a_guest_that_got_no_time_service_fails_with_what_was_found(guests: t.Dict[str, Guest]) -> None:
    assert "ntp is to keep the time, and is not installed. Install it." in guests["without_service"].message
    assert guests["without_service"].proof is None


def test_a_service_that_does_not_run_in_the_end_fails(guests: t.Dict[str, Guest]) -> None:
    assert "not kept" in guests["stopped"].message


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("follows_host", "phc"),
        ("should_follow_host", "phc"),
        ("without_host_clock", None),
        ("without_reference", None),
    ],
)
def test_the_proof_asks_for_the_clock_of_the_host_wherever_it_is_to_be_followed(
    guests: t.Dict[str, Guest], name: str, required: t.Optional[str]
) -> None:
    proof = guests[name].proof
    assert guests[name].message == ""
    assert proof is not None
    assert proof.get("require_source") == required


def starting() -> t.List[t.Dict[str, t.Any]]:
    """The tasks that stop and start services."""
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    (found,) = [task["block"] for task in tasks if task["name"].startswith("Let one service run")]
    return list(found)


def test_udev_knows_the_rules_before_it_is_told_of_the_device() -> None:
    (udev,) = [task for task in starting() if "udevadm" in str(task)]
    assert [command.split()[1] for command in udev["loop"]] == ["control", "trigger", "settle"]


def test_only_the_reload_needs_systemd() -> None:
    needing = [task for task in starting() if "ansible.builtin.systemd_service" in task]
    assert [task["ansible.builtin.systemd_service"] for task in needing] == [{"daemon_reload": True}]
    assert "guest_time_before_start.after.systemd" in needing[0]["when"]
