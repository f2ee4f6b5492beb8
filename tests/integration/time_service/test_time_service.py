# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles guest_time and guest_clock on the virtual Hyper-V: chrony on the clock of the host, and a clocksource that is
pinned to an emulated timer which runs wrong by more than NTP can correct."""

from __future__ import annotations

import pathlib
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control
from ansible_collections.rehost.hyperv.tests.integration.lab.test_clock import CURRENT, TSC_PAGE
from ansible_collections.rehost.hyperv.tests.integration.time_service import chrony_guest, outside
from ansible_collections.rehost.hyperv.tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

ALLOWED = 0.010  # seconds that the clock may be wrong after a pause
SOON = 30.0  # seconds after which it is right again
SKEW = 2000  # ppm
KEEPING_TIME = {"guest_time_service": "chrony", "guest_time_max_offset": ALLOWED}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    found = chrony_guest.make_repository(tmp_path_factory.mktemp("packages"))
    if found is None:
        pytest.skip("the packages of the time service cannot be downloaded")
    return found


@pytest.fixture(scope="module")
def machine() -> t.Iterator[Machine]:
    with chrony_guest.running() as started:
        yield started


def find_timer(machine: Machine) -> str:
    """The object of the emulated ACPI timer."""
    for child in machine.qmp("qom-list", path="/machine/unattached"):
        if not child["name"].startswith("device["):
            continue
        path = f"/machine/unattached/{child['name']}"
        for candidate in (path, f"{path}/pm"):
            try:
                machine.read(candidate, "acpi-pm-skew-ppm")
            except lab.LabError:
                continue
            return candidate
    raise AssertionError("no ACPI timer")


def test_the_role_installs_chrony_and_it_follows_the_host(
    machine: Machine, repository: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    chrony_guest.bring_packages(machine, repository)
    # the kernel has AppArmor; with this, chronyd gets the profile that most guests have
    machine.run("apt-get -qq update && apt-get -qq install apparmor", timeout=200)

    first = chrony_guest.run_role(machine, "guest_time", tmp_path, **KEEPING_TIME)

    assert first["guest_time_result"]["after"]["service"] == "chrony"
    assert first["guest_time_result"]["after"]["reference_clock"] == "used"
    assert first["guest_time_result"]["after"]["running"] == ["chrony"]
    assert first["guest_time_proof"]["synchronised"]
    assert first["guest_time_proof"]["source"] == "PHC0"
    assert machine.run("cat /proc/$(pidof -s chronyd)/attr/current").stdout == "/usr/sbin/chronyd (enforce)\n"
    assert machine.run("cmp /etc/chrony/chrony.conf /usr/share/chrony/chrony.conf").returncode == 0


def test_a_second_run_changes_nothing(machine: Machine, tmp_path: pathlib.Path) -> None:
    again = chrony_guest.run_role(machine, "guest_time", tmp_path, **KEEPING_TIME)

    assert "changed=0" in again["printed"]
    assert again["guest_time_result"]["findings"] == []


def test_after_a_pause_the_clock_is_right_soon(machine: Machine) -> None:
    with outside.Observer(machine) as observer:
        machine.pause()
        time.sleep(60)
        machine.resume()
        end = time.monotonic() + SOON
        seen = observer.look()
        while abs(seen.offset) + seen.error > ALLOWED and time.monotonic() < end:
            time.sleep(0.5)
            seen = observer.look()
        assert abs(seen.offset) + seen.error <= ALLOWED


def test_a_clock_that_is_pinned_to_a_timer_that_runs_wrong_is_repaired_by_a_restart(
    machine: Machine, tmp_path: pathlib.Path
) -> None:
    machine.run("sed -i 's/^GRUB_CMDLINE_LINUX=\"/&clocksource=acpi_pm /' /etc/default/grub")
    machine.run("sed -i '/^[[:blank:]]*linux[[:blank:]]/ s/$/ clocksource=acpi_pm/' /boot/grub/grub.cfg")
    machine.run("systemctl reboot", check=False)
    time.sleep(10)
    machine.wait_for_ssh(600)
    machine.write(find_timer(machine), "acpi-pm-skew-ppm", SKEW)
    wrong = prove(machine)
    assert machine.run(f"cat {CURRENT}").stdout == "acpi_pm\n"
    assert abs(wrong["frequency_error"] - SKEW) <= wrong["drift_uncertainty"] + 20
    assert "time.frequency-error" in [finding["id"] for finding in wrong["findings"]]

    found = chrony_guest.run_role(machine, "guest_clock", tmp_path, guest_clock_restart=True)["guest_clock_result"]

    assert found["after"]["is_right"]
    assert found["after"]["current"] == TSC_PAGE
    assert found["after"]["forced_by"] == []
    assert machine.read(find_timer(machine), "acpi-pm-skew-ppm") == SKEW
    right = prove(machine)
    assert abs(right["frequency_error"]) <= right["drift_uncertainty"] + 20
    assert "time.frequency-error" not in [finding["id"] for finding in right["findings"]]


def prove(machine: Machine) -> t.Dict[str, t.Any]:
    """What the guest measures by itself over half a minute."""
    task = {"rehost.hyperv.time_sync_info": {"interval": 30}}
    result: t.Dict[str, t.Any] = control.run_tasks(machine.inventory, {"proof": task})["proof"]
    return result
