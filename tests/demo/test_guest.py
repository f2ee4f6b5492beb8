# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold inside the adapted guest on Hyper-V, and in the finished one.

GUEST_PORT and GUEST_SSH_OPTIONS say how to get in.
"""

from __future__ import annotations

import os

import pytest
import testinfra


@pytest.fixture(scope="module")
def guest():
    port, options = os.environ["GUEST_PORT"], os.environ["GUEST_SSH_OPTIONS"]
    return testinfra.get_host(f"ssh://root@127.0.0.1:{port}", ssh_extra_args=options)


def test_the_kernel_says_hyper_v(guest):
    assert guest.check_output("systemd-detect-virt") == "microsoft"


def test_the_root_disk_is_served_by_hv_storvsc(guest):
    host = guest.check_output("readlink -f /sys/class/block/sda/device")
    assert "VMBUS" in host or "vmbus" in host
    assert "hv_storvsc" in guest.check_output("lsmod")


def test_the_root_is_mounted_by_its_uuid(guest):
    assert "root=UUID=" in guest.file("/proc/cmdline").content_string
    assert "/dev/xvd" not in guest.file("/etc/fstab").content_string


def test_swap_is_in_use(guest):
    assert "/dev/sda2" in guest.file("/proc/swaps").content_string


def test_no_unit_failed(guest):
    assert guest.check_output("systemctl --failed --no-legend") == ""
    assert guest.check_output("systemctl is-system-running") == "running"


def test_the_clock_is_hyper_v_s(guest):
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert guest.file(path).content_string.strip() == "hyperv_clocksource_tsc_page"


class TestFinished:
    """Both adapters are attached, and the guest uses the synthetic one."""

    def test_the_default_route_is_over_hv_netvsc(self, guest):
        (route,) = guest.check_output("ip -4 route show default").splitlines()
        adapter = route.split(" dev ")[1].split()[0]
        assert driver(guest, adapter) == "hv_netvsc"

    def test_nothing_uses_the_legacy_adapter(self, guest):
        (adapter,) = [name for name in adapters(guest) if driver(guest, name) == "tulip"]
        assert guest.check_output("ip -brief address show dev %s", adapter).split()[1:] == ["DOWN"]

    def test_the_configured_name_belongs_to_the_synthetic_adapter_from_the_next_boot_on(self, guest):
        rules = guest.file("/etc/udev/rules.d/71-rehost-hyperv-net.rules").content_string
        assert 'DRIVERS=="hv_netvsc' in rules
        assert 'NAME="eth0"' in rules

    def test_the_gateway_answers(self, guest):
        assert guest.run("ping -c 1 -w 10 10.0.2.2").rc == 0


def adapters(guest):
    return guest.check_output("ls -d /sys/class/net/*/device | cut -d/ -f5").split()


def driver(guest, adapter):
    return guest.check_output("basename $(readlink /sys/class/net/%s/device/driver)", adapter)
