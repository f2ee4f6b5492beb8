# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest on a machine of generation 2, with the small kernel."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guest"]


def test_it_knows_where_it_runs(host: t.Any) -> None:
    assert "Hypervisor detected: Microsoft Hyper-V" in host.run("dmesg").stdout
    clocksource = host.file("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    assert clocksource.content_string.strip() == "hyperv_clocksource_tsc_page"


def test_its_disk_and_network_need_no_module(host: t.Any) -> None:
    builtin = host.run("cat /lib/modules/$(uname -r)/modules.builtin").stdout
    for name in ("hv_vmbus", "hv_storvsc", "hv_netvsc", "tulip", "ext4", "sd_mod"):
        assert f"/{name}.ko" in builtin


def test_debian_has_what_it_asks_a_kernel_for(host: t.Any) -> None:
    assert host.run("systemctl is-system-running").stdout.strip() == "running"
    assert (
        host.run(
            "systemd-run --wait -p PrivateTmp=yes -p ProtectSystem=strict -p SystemCallFilter=@system-service true"
        ).rc
        == 0
    )
    assert "cgroup2" in host.run("cat /proc/filesystems").stdout
