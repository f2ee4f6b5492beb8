# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest that has arrived on Hyper-V, looked at with its own programs."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guests"]


def driver_of(host: t.Any, interface: str) -> str:
    return str(host.check_output("readlink /sys/class/net/%s/device/driver", interface)).rpartition("/")[2]


def default_interfaces(host: t.Any) -> t.List[str]:
    """Of each default route, the best one first: `default via 10.0.2.2 dev eth0 ...`."""
    lines = host.check_output("ip -4 route show default").splitlines()
    return [line.split()[4] for line in lines]


def test_it_runs_on_hyperv_and_nothing_has_failed(host: t.Any) -> None:
    assert host.check_output("systemd-detect-virt") == "microsoft"
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_its_only_default_route_is_on_the_synthetic_adapter(host: t.Any) -> None:
    (interface,) = default_interfaces(host)
    assert driver_of(host, interface) == "hv_netvsc"
    assert host.run("ping -qc 3 -W 5 10.0.2.2").rc == 0


def test_its_root_is_on_the_synthetic_controller(host: t.Any) -> None:
    device = host.check_output("findmnt -no SOURCE /").rpartition("/")[2].rstrip("0123456789")
    path = host.check_output("readlink -f /sys/block/%s/device", device)
    assert host.check_output("cat %s/../../../uevent", path).startswith("DRIVER=hv_storvsc\n")


def test_its_clocksource_is_the_one_of_hyperv(host: t.Any) -> None:
    current = host.file("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    assert current.content_string == "hyperv_clocksource_tsc_page\n"


def test_the_daemons_of_hyperv_run_where_they_are_installed(host: t.Any) -> None:
    is_installed = host.package("hyperv-daemons").is_installed
    assert is_installed or "integration.daemons-missing" in host.ansible.get_variables()["expected_findings"]
    for service in ("hv-kvp-daemon", "hv-vss-daemon"):
        assert host.service(service).is_running == is_installed
