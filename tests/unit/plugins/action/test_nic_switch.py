# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin in a real play over Ansible's own SSH connection; what is not real is `ssh`, which runs commands
here or says that there is no route, and the module, which gives the answers that a guest would."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

pytestmark = pytest.mark.slow  # minutes, most of them waited
REAL = pathlib.Path(__file__).parents[4] / "plugins" / "action" / "nic_switch.py"
TOKEN = "0123456789abcdef"
SSH = """\
#!/bin/sh
case " $* " in *" -O "*) exit 0 ;; esac
case "$*" in *ServerAliveInterval=3*) echo short ;; *) echo usual ;; esac >> {guest}/patience
if [ -e {guest}/go ] && [ -s {guest}/away ]; then
    sed -i 1d {guest}/away
    exit 255
fi
for command; do :; done
GUEST={guest} exec sh -c "$command"
"""
MODULE = """\
#!/usr/bin/python
import json
import os
import pathlib

from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"mode": {}, "confirm": {"no_log": False}, "timeout": {"type": "int"}})
guest = pathlib.Path(os.environ["GUEST"])
calls = guest / "calls"
earlier = calls.read_text() if calls.exists() else ""
given = {name: value for name, value in module.params.items() if value is not None}
calls.write_text(earlier + json.dumps(given) + "\\n")
answers = json.loads((guest / "answers").read_text())
module.exit_json(**answers[min(earlier.count("\\n"), len(answers) - 1)])
"""


def live(phase: str, **more: t.Any) -> t.Dict[str, t.Any]:
    is_over = phase in ("confirmed", "put-back", "abandoned", "interrupted")
    report = {"phase": phase, "is_over": is_over, "token": TOKEN, "timeout": 30, "reason": "", "problems": []}
    return {**report, "log": "/var/log/of-the-switch", **more}


def answer(phase: str, **more: t.Any) -> t.Dict[str, t.Any]:
    return {"changed": phase == "waiting-to-begin", "live": live(phase, **more)}


NO_ROUTE = "the gateway does not answer"
REFUSAL = "the controller came in over another adapter"
GUESTS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "staged": {"mode": "staged", "answers": [{"changed": True, "live": None, "pairs": ["eth0"]}]},
    "nothing_to_switch": {"answers": [{"changed": False, "live": None}]},
    "failed": {"answers": [{"failed": True, "msg": "no adapter"}]},
    "confirmed": {"answers": [answer("waiting-to-begin"), answer("checking"), answer("confirmed")]},
    "away": {"away": 2, "answers": [answer("waiting-to-begin"), answer("confirmed")]},
    "put_back": {"answers": [answer("waiting-to-begin"), answer("put-back", reason=NO_ROUTE)]},
    "put_back_in_part": {"answers": [answer("waiting-to-begin"), answer("put-back", problems=["eth0 is down"])]},
    "refused": {
        "answers": [
            answer("waiting-to-begin"),
            answer("waiting"),
            {"failed": True, "msg": REFUSAL},
            answer("put-back", reason="nobody confirmed"),
        ]
    },
    "interrupted_before": {
        "answers": [
            answer("putting-back"),
            answer("putting-back"),
            answer("put-back"),
            answer("waiting-to-begin"),
            answer("confirmed"),
        ]
    },
    "not_begun": {"go": "nowhere/go", "answers": [answer("waiting-to-begin")]},
    "asynchronous": {"async": 60, "answers": [answer("waiting-to-begin")]},
}


class Guest(t.NamedTuple):
    result: t.Dict[str, t.Any]
    calls: t.List[t.Dict[str, t.Any]]  # of the module
    patience: t.List[str]  # with a dead connection, for each command
    go: str


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> t.Dict[str, Guest]:
    """All of them, after one play."""
    place = tmp_path_factory.mktemp("guests")
    plugins = place / "collections" / "ansible_collections" / "rehost" / "hyperv" / "plugins"
    (plugins / "action").mkdir(parents=True)
    (plugins / "modules").mkdir()
    shutil.copy(REAL, plugins / "action")
    (plugins / "modules" / "nic_switch.py").write_text(MODULE)
    hosts = {name: _make_guest(place / name, told) for name, told in GUESTS.items()}
    inventory = {"all": {"hosts": hosts, "vars": {"ansible_python_interpreter": sys.executable}}}
    switch = {
        "rehost.hyperv.nic_switch": None,
        "args": "{{ arguments }}",
        "async": "{{ limit }}",
        "register": "found",
        "ignore_errors": True,
    }
    after = {"ansible.builtin.raw": "true"}
    keep = {
        "ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": "{{ place }}/result"},
        "delegate_to": "localhost",
        "vars": {"ansible_connection": "local"},
    }
    play = {"hosts": "all", "gather_facts": False, "tasks": [switch, after, keep]}
    (place / "hosts.json").write_text(json.dumps(inventory))
    (place / "play.json").write_text(json.dumps([play]))
    done = subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.json", "play.json", "--forks", "12"],
        cwd=place,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": os.fspath(place / "collections"),
            "ANSIBLE_PIPELINING": "1",
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
    return {name: _read_guest(place / name) for name in GUESTS}


def _make_guest(place: pathlib.Path, told: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    place.mkdir()
    go = os.fspath(place / told.get("go", "go"))
    answers = [
        {**one, "live": {**one["live"], "go": go}} if one.get("live") is not None else one for one in told["answers"]
    ]
    (place / "answers").write_text(json.dumps(answers))
    (place / "away").write_text("no route\n" * told.get("away", 0))
    (place / "ssh").write_text(SSH.format(guest=place))
    (place / "ssh").chmod(0o755)
    return {
        "place": os.fspath(place),
        "limit": told.get("async", 0),
        "arguments": {"mode": told.get("mode", "live"), "timeout": 30},
        "ansible_ssh_executable": os.fspath(place / "ssh"),
    }


def _read_guest(place: pathlib.Path) -> Guest:
    calls = (place / "calls").read_text().splitlines() if (place / "calls").exists() else []
    return Guest(
        json.loads((place / "result").read_text()),
        [json.loads(call) for call in calls],
        (place / "patience").read_text().splitlines(),
        (place / "go").read_text() if (place / "go").exists() else "",
    )


ASKED = {"mode": "live", "timeout": 30}
CONFIRMS = {"mode": "live", "confirm": TOKEN}


def test_the_staged_mode_is_one_call_of_the_module(guests: t.Dict[str, Guest]) -> None:
    guest = guests["staged"]
    assert guest.calls == [{"mode": "staged", "timeout": 30}]
    assert guest.result["pairs"] == ["eth0"]
    assert guest.result["changed"]


@pytest.mark.parametrize("name", ["nothing_to_switch", "failed"])
def test_where_nothing_is_switched_nothing_is_begun(name: str, guests: t.Dict[str, Guest]) -> None:
    guest = guests[name]
    assert guest.calls == [ASKED]
    assert guest.go == ""
    assert bool(guest.result["failed"]) == (name == "failed")


def test_a_switch_is_begun_by_its_token_and_asked_for_until_it_is_confirmed(guests: t.Dict[str, Guest]) -> None:
    guest = guests["confirmed"]
    assert guest.go == TOKEN
    assert guest.calls == [ASKED, CONFIRMS, CONFIRMS]
    assert guest.result["live"]["phase"] == "confirmed"
    assert guest.result["changed"]
    assert not guest.result["failed"]


def test_a_guest_that_cannot_be_reached_for_a_while_is_tried_again(guests: t.Dict[str, Guest]) -> None:
    guest = guests["away"]
    assert guest.calls == [ASKED, CONFIRMS]
    assert guest.result["live"]["phase"] == "confirmed"


def test_dead_connections_are_noticed_soon_during_the_switch_and_only_then(guests: t.Dict[str, Guest]) -> None:
    interrupted = ["usual", "short", "short"]
    switched = ["usual", "usual", "short"]  # the module, the word to begin, the confirmation
    assert guests["interrupted_before"].patience == [*interrupted, *switched, "usual"]


def test_a_switch_that_was_put_back_has_failed_and_changed_nothing(guests: t.Dict[str, Guest]) -> None:
    result = guests["put_back"].result
    assert result["failed"]
    assert not result["changed"]
    assert f"the network was not switched: {NO_ROUTE}. Everything was put back." in result["msg"]
    assert "/var/log/of-the-switch" in result["msg"]


def test_what_could_not_be_put_back_is_said(guests: t.Dict[str, Guest]) -> None:
    assert "Everything was put back, except for: eth0 is down." in guests["put_back_in_part"].result["msg"]


def test_why_the_guest_would_not_be_confirmed_is_said(guests: t.Dict[str, Guest]) -> None:
    assert f"nobody confirmed ({REFUSAL})" in guests["refused"].result["msg"]


def test_a_switch_that_was_interrupted_is_put_back_before_a_new_one(guests: t.Dict[str, Guest]) -> None:
    guest = guests["interrupted_before"]
    assert guest.calls == [ASKED, CONFIRMS, CONFIRMS, ASKED, CONFIRMS]
    assert guest.result["live"]["phase"] == "confirmed"
    assert guest.result["changed"]


def test_a_switch_that_cannot_be_begun_has_failed(guests: t.Dict[str, Guest]) -> None:
    guest = guests["not_begun"]
    assert guest.calls == [ASKED]
    assert "the switch was not begun" in guest.result["msg"]
    assert guest.result["failed"]
    assert not guest.result["changed"]


def test_a_live_switch_does_not_run_in_the_background(guests: t.Dict[str, Guest]) -> None:
    guest = guests["asynchronous"]
    assert guest.calls == []
    assert "cannot run with async" in guest.result["msg"]
