# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles guest_time and guest_clock on the virtual Hyper-V: chrony on the clock of the host, and a clocksource that is
pinned to an emulated timer which runs wrong by more than NTP can correct."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control
from ansible_collections.rehost.hyperv.tests.integration.lab.test_clock import CURRENT, TSC_PAGE, Observer
from ansible_collections.rehost.hyperv.tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

MAKE_REPOSITORY = pathlib.Path(__file__).resolve().parents[3] / "molecule" / "guest_integration" / "make_repository.py"
# chrony, and what a small guest lacks of what it needs
PACKAGES = (
    *(
        "apparmor",
        "chrony",
        "libcap2",
        "libedit2",
        "libbsd0",
        "libffi8",
        "libgnutls30",
        "libhogweed6",
        "libidn2-0",
        "libmd0",
    ),
    *("libnettle8", "libp11-kit0", "libseccomp2", "libtasn1-6", "libunistring2", "sensible-utils", "tzdata", "ucf"),
)
ALLOWED = 0.010  # seconds that the clock may be wrong after a pause
SOON = 30.0  # seconds after which it is right again
SKEW = 2000  # ppm
ROLES = {
    "guest_time": {"guest_time_service": "chrony", "guest_time_max_offset": ALLOWED},
    "guest_clock": {"guest_clock_restart": True},
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An archive with a repository for apt, as the guests have no network."""
    directory = tmp_path_factory.mktemp("packages")
    done = subprocess.run([sys.executable, MAKE_REPOSITORY, directory / "repository", *PACKAGES], check=False)
    if done.returncode:
        pytest.skip("the packages of the time service cannot be downloaded")
    archive = directory / "repository.tar"
    subprocess.run(["tar", "-C", directory, "-cf", archive, "repository"], check=True)
    return archive


@pytest.fixture(scope="module")
def machine() -> t.Iterator[Machine]:
    disk = lab.make_image("bookworm", "plain", extra_packages=("python3-apt",))
    with lab.start("hyperv-gen1", disk, overlay=True) as started:
        started.wait_for_ssh(600)
        yield started


def run_role(machine: Machine, role: str, directory: pathlib.Path) -> t.Dict[str, t.Any]:
    """What the role leaves in its variables, and what it printed."""
    results = {"guest_time": ("guest_time_result", "guest_time_proof"), "guest_clock": ("guest_clock_result",)}[role]
    kept = ", ".join(f"'{name}': {name}" for name in results)
    tasks = [
        {"ansible.builtin.include_role": {"name": f"rehost.hyperv.{role}", "public": True}, "vars": ROLES[role]},
        {
            "ansible.builtin.copy": {
                "content": f"{{{{ {{{kept}}} | to_json }}}}",
                "dest": str(directory / "kept.json"),
                "mode": "0600",
            },
            "delegate_to": "localhost",
            "changed_when": False,
        },
    ]
    playbook = directory / "playbook.json"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    printed = control.run_playbook(str(playbook), machine.inventory)
    found: t.Dict[str, t.Any] = json.loads((directory / "kept.json").read_text())
    return {**found, "printed": printed}


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
    machine.copy_in(repository, "/srv/repository.tar")
    machine.run("tar -C /srv -xf /srv/repository.tar")
    machine.run("echo 'deb [trusted=yes] file:/srv/repository ./' > /etc/apt/sources.list")

    # the kernel has AppArmor; with this, chronyd gets the profile that most guests have
    machine.run("apt-get -qq update && apt-get -qq install apparmor", timeout=200)

    first = run_role(machine, "guest_time", tmp_path)

    assert first["guest_time_result"]["after"]["service"] == "chrony"
    assert first["guest_time_result"]["after"]["reference_clock"] == "used"
    assert first["guest_time_result"]["after"]["running"] == ["chrony"]
    assert first["guest_time_proof"]["synchronised"]
    assert first["guest_time_proof"]["source"] == "PHC0"
    assert machine.run("cat /proc/$(pidof -s chronyd)/attr/current").stdout == "/usr/sbin/chronyd (enforce)\n"
    assert machine.run("cmp /etc/chrony/chrony.conf /usr/share/chrony/chrony.conf").returncode == 0


def test_a_second_run_changes_nothing(machine: Machine, tmp_path: pathlib.Path) -> None:
    again = run_role(machine, "guest_time", tmp_path)

    assert "changed=0" in again["printed"]
    assert again["guest_time_result"]["findings"] == []


def test_after_a_pause_the_clock_is_right_soon(machine: Machine) -> None:
    observer = Observer(machine)
    try:
        machine.pause()
        time.sleep(60)
        machine.resume()
        end = time.monotonic() + SOON
        seen = observer.look()
        while abs(seen.offset) + seen.error > ALLOWED and time.monotonic() < end:
            time.sleep(0.5)
            seen = observer.look()
        assert abs(seen.offset) + seen.error <= ALLOWED
    finally:
        observer.close()


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

    found = run_role(machine, "guest_clock", tmp_path)["guest_clock_result"]

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
