# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock of a guest on Hyper-V: the real hv_utils, and an observer outside who knows the true time."""

from __future__ import annotations

import concurrent.futures
import subprocess
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control
from ansible_collections.rehost.hyperv.tests.lab.machine import Machine, ssh_command

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

TSC_PAGE = "hyperv_clocksource_tsc_page"
CURRENT = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
SAMPLES = 40
TELL_TIME = "import sys, time\nfor line in sys.stdin:\n    print(time.time_ns(), flush=True)\n"


class Observed(t.NamedTuple):
    """How far the guest's clock is ahead of this machine's, the host's: seconds, and by what that may be wrong."""

    at: float
    offset: float
    error: float


class Observer:
    """Asks a process in the guest for the time, and takes the answer that came soonest."""

    def __init__(self, machine: Machine) -> None:
        command = [*ssh_command(machine.port), "exec python3 -u -c '%s'" % TELL_TIME]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.look()

    def look(self) -> Observed:
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answering is not None
        found = []
        for _sample in range(SAMPLES):
            begin = time.time_ns()
            asking.write(b"\n")
            told = int(answering.readline())
            end = time.time_ns()
            found.append(Observed(end / 1e9, (told - (begin + end) / 2) / 1e9, (end - begin) / 2e9))
        return min(found, key=lambda one: one.error)

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)


@pytest.fixture(scope="module")
def machine() -> t.Iterator[Machine]:
    disk = lab.make_image("bookworm", "plain")
    with lab.start("hyperv-gen1", disk, overlay=True) as started:
        started.wait_for_ssh(600)
        # nobody else may touch the clock while it is measured
        started.run(
            "systemctl stop systemd-timesyncd chrony 2>/dev/null; systemctl is-system-running --wait", check=False
        )
        yield started


@pytest.fixture(scope="module")
def observer(machine: Machine) -> t.Iterator[Observer]:
    watching = Observer(machine)
    yield watching
    watching.close()


def prove(machine: Machine, **options: t.Any) -> t.Dict[str, t.Any]:
    task = {"rehost.hyperv.time_sync_info": {"interval": 15, **options}}
    result: t.Dict[str, t.Any] = control.run_tasks(machine.inventory, {"proof": task})["proof"]
    return result


def test_the_host_clock_is_read_and_agrees_with_the_observer(machine: Machine, observer: Observer) -> None:
    before = observer.look()
    proof = prove(machine)
    after = observer.look()

    assert proof["reference"] == "/dev/ptp_hyperv"
    (host,) = proof["references"]
    assert host["kind"] == "phc"
    assert len(host["samples"]) > 20
    ends = (before, after)
    margin = proof["offset_uncertainty"] + max(one.error for one in ends)
    assert min(one.offset for one in ends) - margin <= proof["offset"] <= max(one.offset for one in ends) + margin
    drift = (after.offset - before.offset) / (after.at - before.at) * 1e6
    seen = (before.error + after.error) / (after.at - before.at) * 1e6
    assert abs(proof["drift"] - drift) <= proof["drift_uncertainty"] + seen
    assert {finding["id"] for finding in proof["findings"]} == {"time.no-service"} or proof["service"]


def test_a_clock_of_the_host_that_is_stepped_meanwhile_is_a_gap(machine: Machine, observer: Observer) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        task = background.submit(prove, machine, interval=40)
        time.sleep(25)
        machine.step_host_clock(120)
        proof = task.result()
    machine.step_host_clock(-120)
    seen = observer.look()

    assert [round(event["amount"]) for event in proof["events"] if event["kind"] == "gap"] == [120]
    assert proof["offset"] == pytest.approx(seen.offset - 120, abs=0.05)


def test_a_pause_meanwhile_is_a_gap(machine: Machine, observer: Observer) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        task = background.submit(prove, machine, interval=40)
        time.sleep(20)
        machine.pause()
        time.sleep(15)
        machine.resume()
        proof = task.result()
    after = observer.look()

    gaps = [event["amount"] for event in proof["events"] if event["kind"] == "gap"]
    assert sum(gaps) == pytest.approx(15, abs=1)
    assert proof["offset"] == pytest.approx(after.offset, abs=proof["offset_uncertainty"] + after.error + 0.01)


def test_a_wrong_clocksource_is_set_right(machine: Machine) -> None:
    machine.run(f"echo acpi_pm > {CURRENT}")
    tasks = {
        name: {"rehost.hyperv.clocksource": {}, **more}
        for name, more in (("check", {"check_mode": True}), ("first", {}), ("again", {}))
    }
    found = control.run_tasks(machine.inventory, tasks)

    assert found["check"]["changed"]
    assert found["check"]["before"]["current"] == "acpi_pm"
    assert found["check"]["before"]["is_right"] is False
    assert found["first"]["changed"]
    assert found["first"]["after"]["current"] == TSC_PAGE
    assert found["first"]["findings"] == []
    assert not found["again"]["changed"]
    assert machine.run(f"cat {CURRENT}").stdout.strip() == TSC_PAGE


def test_a_skew_of_the_clocksource_is_measured(machine: Machine) -> None:
    machine.skew_clock(300)
    try:
        proof = prove(machine, interval=60)
    finally:
        machine.skew_clock(0)

    assert abs(proof["frequency_error"] - 300) <= proof["drift_uncertainty"]
    assert proof["drift_uncertainty"] < 120
