# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
import yaml  # type: ignore[import-untyped]
from ansible_collections.rehost.hyperv.tests.unit import role_play
from ansible_collections.rehost.hyperv.tests.unit.role_play import Played

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> t.Dict[str, Played]:
    """All of them, after one play."""
    return role_play.play(
        tmp_path_factory.mktemp("guests"),
        "guest_time",
        modules=("time_sync", "time_sync_info"),
        guests={name: {"time_sync": answer} for name, answer in GUESTS.items()},
        result="guest_time_result",
        variables={"guest_time_install": False},
    )


def test_a_guest_that_got_no_time_service_fails_with_what_was_found(guests: t.Dict[str, Played]) -> None:
    assert "ntp is to keep the time, and is not installed. Install it." in guests["without_service"].message
    assert "time_sync_info" not in guests["without_service"].arguments


def test_a_service_that_does_not_run_in_the_end_fails(guests: t.Dict[str, Played]) -> None:
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
    guests: t.Dict[str, Played], name: str, required: t.Optional[str]
) -> None:
    assert guests[name].message == ""
    assert guests[name].arguments["time_sync_info"].get("require_source") == required


def starting() -> t.List[t.Dict[str, t.Any]]:
    """The tasks that stop and start services."""
    tasks = yaml.safe_load((role_play.ROLES / "guest_time" / "tasks" / "main.yml").read_text())
    (found,) = [task["block"] for task in tasks if task["name"].startswith("Let one service run")]
    return list(found)


def test_udev_knows_the_rules_before_it_is_told_of_the_device() -> None:
    (udev,) = [task for task in starting() if "udevadm" in str(task)]
    assert [command.split()[1] for command in udev["loop"]] == ["control", "trigger", "settle"]


def test_only_the_reload_needs_systemd() -> None:
    needing = [task for task in starting() if "ansible.builtin.systemd_service" in task]
    assert [task["ansible.builtin.systemd_service"] for task in needing] == [{"daemon_reload": True}]
    assert "guest_time_before_start.after.systemd" in needing[0]["when"]
