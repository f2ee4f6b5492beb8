# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time service of the guest on the virtual Hyper-V, by its own programs."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guest"]


def test_chrony_runs_alone_and_starts_with_the_guest(host: t.Any) -> None:
    assert host.service("chrony").is_running
    assert host.service("chrony").is_enabled
    assert not host.service("systemd-timesyncd").is_running


def test_chrony_follows_the_clock_of_the_host(host: t.Any) -> None:
    sources = host.check_output("chronyc -n -c sources").split("\n")
    assert [line.split(",")[:3] for line in sources if line.startswith("#")] == [["#", "*", "PHC0"]]


def test_the_file_of_the_administrator_is_as_debian_made_it(host: t.Any) -> None:
    assert host.run("cmp /etc/chrony/chrony.conf /usr/share/chrony/chrony.conf").rc == 0


def test_the_kernel_has_the_right_clocksource(host: t.Any) -> None:
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert host.file(path).content_string.strip() == "hyperv_clocksource_tsc_page"
