# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""guest_info on every system, against what its own programs and /sys say."""

from __future__ import annotations

import typing as t

# What systemd-detect-virt calls them, where the names differ.
DETECTED = {"hyperv": "microsoft", "xen-hvm": "xen", "physical": "none"}

testinfra_hosts = ["ansible://all"]


def names_in(host: t.Any, directory: str) -> t.List[str]:
    return sorted(host.run("ls %s", directory).stdout.split())


def test_the_verdict_is_that_of_systemd_or_says_what_contradicts_it(host: t.Any, guest: t.Any) -> None:
    hypervisor = guest["hypervisor"]
    in_container = host.run("systemd-detect-virt --container").stdout.strip() != "none"
    points_to = {evidence["points_to"] for evidence in hypervisor["contradictions"]}
    assert in_container == (hypervisor["name"] == "container" or "container" in points_to)
    if hypervisor["name"] != "container":
        detected = host.run("systemd-detect-virt --vm").stdout.strip()
        assert detected == DETECTED.get(hypervisor["name"], hypervisor["name"])


def test_kernels_are_those_with_modules_or_images(host: t.Any, guest: t.Any) -> None:
    images = [name[len("vmlinuz-") :] for name in names_in(host, "/boot") if name.startswith("vmlinuz-")]
    assert [kernel["version"] for kernel in guest["kernels"]] == sorted({*images, *names_in(host, "/lib/modules")})


def test_disks_are_those_of_the_kernel(host: t.Any, guest: t.Any) -> None:
    with_hardware = host.run("ls -d /sys/block/*/device").stdout.split()
    disks = [path.split("/")[3] for path in with_hardware]
    assert [disk["name"] for disk in guest["disks"]] == sorted(disk for disk in disks if not disk.startswith("sr"))


def test_the_clocksource_is_that_of_the_kernel(host: t.Any, guest: t.Any) -> None:
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert guest["clock"]["current"] == host.file(path).content_string.strip()
