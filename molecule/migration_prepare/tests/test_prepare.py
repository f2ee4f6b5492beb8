# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest that was prepared and started again on the virtual XenServer, looked at with its own programs."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

import pytest

testinfra_hosts = ["ansible://xenserver"]
BASELINE = "/var/lib/rehost-hyperv/baseline.json"


@pytest.fixture(scope="module")
def baseline(host: t.Any) -> t.Any:
    return json.loads(host.file(BASELINE).content_string)


def test_it_still_lives_on_its_xen_disk_by_uuid(host: t.Any) -> None:
    assert host.check_output("findmnt -no SOURCE /") == "/dev/xvda1"
    assert "root=UUID=" in host.file("/proc/cmdline").content_string
    assert host.check_output("systemctl is-system-running") == "running"


def test_its_image_holds_the_drivers_of_both(host: t.Any) -> None:
    listed = host.check_output("lsinitramfs /boot/initrd.img-$(uname -r)")
    for driver in ("hv_vmbus.ko", "hv_storvsc.ko", "xen-blkfront.ko"):
        assert f"/{driver}" in listed


def test_the_baseline_is_of_before_and_for_root_only(host: t.Any, baseline: t.Any) -> None:
    file = host.file(BASELINE)
    assert (file.user, file.mode) == ("root", 0o600)
    assert file.size < 64 << 10
    assert baseline["hypervisor"] == "xen-hvm"
    assert baseline["boot_id"] != host.file("/proc/sys/kernel/random/boot_id").content_string.strip()


def test_the_baseline_is_what_the_programs_of_the_guest_say(host: t.Any, baseline: t.Any) -> None:
    listed = host.check_output("systemctl list-units --type=service --state=running --plain --no-legend")
    running = {line.split()[0] for line in listed.splitlines() if "@" not in line}
    assert running == {
        row[0] for row in baseline["units"] if row[0].endswith(".service") and row[2] == "running" and "@" not in row[0]
    }
    assert ["tcp", 22, False] in baseline["listeners"]
    assert set(baseline["file_systems"]) == set(host.check_output("ls /dev/disk/by-uuid").split())
    assert host.check_output("hostname -I").split()[0] in [row[1] for row in baseline["addresses"]]
    gateway = host.check_output("ip -4 route show default").split()[2]
    assert [4, gateway] in [[row[0], row[2]] for row in baseline["routes"]]


def test_a_guest_that_needs_nothing_costs_at_most_three_round_trips() -> None:
    """Each module that runs on a guest is announced; with pipelining it is one exchange over SSH."""
    trips = {}
    for playbook in ("prepare", "verify", "migrate"):
        command = ["ansible-playbook", "-vvv", "-i", os.environ["MOLECULE_INVENTORY_FILE"], f"rehost.hyperv.{playbook}"]
        command += ["-e", json.dumps({"migration_finalize_packages": False})]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
        assert b"changed=0" in done.stdout
        trips[playbook] = done.stdout.count(b"Using module file")
    assert trips == {"prepare": 1, "verify": 1, "migrate": 2}


def test_a_guest_on_xen_is_neither_finished_nor_cleaned() -> None:
    for playbook in ("finalize", "clean"):
        command = ["ansible-playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], f"rehost.hyperv.{playbook}"]
        command += ["-e", json.dumps({"migration_clean_end_dual_boot": True, "migration_verify_hypervisor": "hyperv"})]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode != 0
        assert b"changed=0" in done.stdout
        assert b"Xen" in done.stdout
