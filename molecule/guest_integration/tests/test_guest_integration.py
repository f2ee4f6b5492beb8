# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest on the virtual Hyper-V, by its own programs and by what the host sees."""

from __future__ import annotations

import os
import pathlib
import sys
import time
import typing as t

import pytest

sys.path.insert(0, str(pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "tests")))

import lab

testinfra_hosts = ["ansible://guest"]


@pytest.fixture(scope="module")
def machine() -> t.Any:
    return lab.Machine.find("molecule-guest_integration-guest")


def until(happened: t.Callable[[], bool]) -> bool:
    """Whether it happens within half a minute."""
    end = time.monotonic() + 30
    while not happened() and time.monotonic() < end:
        time.sleep(1)
    return happened()


@pytest.mark.parametrize("service", ["kvp", "vss"])
def test_the_daemons_run_as_the_package_starts_them(host: t.Any, service: str) -> None:
    assert host.service(f"hv-{service}-daemon").is_running
    assert not host.file(f"/etc/systemd/system/hv-{service}-daemon.service").exists


def test_memory_that_is_added_is_taken_into_use(host: t.Any) -> None:
    rules = host.file("/etc/udev/rules.d/80-rehost-hyperv.rules")
    assert 'SUBSYSTEM=="memory"' in rules.content_string
    told = host.run("udevadm test --action=add /sys/devices/system/memory/memory0 2>&1")
    assert "80-rehost-hyperv.rules" in told.stdout


def test_the_host_orders_the_accesses_to_disks(host: t.Any) -> None:
    shown = host.run("cat /sys/block/sd*/queue/scheduler").stdout.split("\n")
    assert {line for line in shown if line} == {next(line for line in shown if "[none]" in line)}


def test_the_host_knows_the_guest(host: t.Any, machine: t.Any) -> None:
    assert until(lambda: "OSName=Debian GNU/Linux" in machine.read("kvp", "guest-info"))


def test_what_the_host_says_arrives(host: t.Any, machine: t.Any) -> None:
    machine.write("kvp", "set", "greeting=grüß dich")
    assert until(lambda: host.ansible("rehost.hyperv.kvp_info")["pools"]["external"].get("greeting") == "grüß dich")


def test_what_the_guest_says_lies_where_the_daemon_reads_it(host: t.Any) -> None:
    assert host.ansible("rehost.hyperv.kvp_info")["pools"]["guest"] == {"role": "database", "größe": "3"}
    assert host.file("/var/lib/hyperv/.kvp_pool_1").size == 2 * 2560
