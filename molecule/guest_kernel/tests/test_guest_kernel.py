# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guest after a trial that passed and two that failed, by its own programs."""

from __future__ import annotations

import re
import typing as t

testinfra_hosts = ["ansible://guest"]


def test_the_kernel_that_was_chosen_runs_and_its_devices_are_bound(host: t.Any) -> None:
    assert "-cloud-amd64" in host.check_output("uname -r")
    drivers = host.check_output("basename -a $(readlink /sys/bus/vmbus/devices/*/driver)").split()
    assert {"hv_netvsc", "hv_storvsc"} <= set(drivers)
    assert "rehost-hyperv-kernel-trial" not in host.file("/proc/cmdline").content_string


def test_update_grub_made_it_the_default_again(host: t.Any) -> None:
    running = host.check_output("uname -r")
    defaults = re.findall(r'set default="(.*)"', host.file("/boot/grub/grub.cfg").content_string)
    assert [
        default
        for default in defaults
        if re.fullmatch(rf"gnulinux-advanced-.*>gnulinux-{re.escape(running)}-.*", default)
    ]
    assert "0" not in defaults


def test_apt_and_dpkg_keep_it(host: t.Any) -> None:
    running = host.check_output("uname -r")
    package = f"linux-image-{running}"
    assert " 1001" in host.check_output(f"apt-cache policy {package}")
    assert host.check_output(f"dpkg-query -W -f '${{db:Status-Want}}' {package}") == "hold"
    assert re.escape(package).replace(r"\-", "-") in host.check_output("apt-config dump APT::NeverAutoRemove")
    others = host.check_output("dpkg-query -W -f '${Package} ${db:Status-Want}\\n' 'linux-image-6*'").splitlines()
    assert [line for line in others if line.endswith(" hold")] == [f"{package} hold"]


def test_nothing_of_a_trial_is_left(host: t.Any) -> None:
    assert not host.file("/etc/rehost-hyperv/kernel-trial-guard").exists
    assert not host.file("/etc/grub.d/42_rehost-hyperv-kernel-trial").exists
    assert not host.file("/etc/systemd/system/sysinit.target.wants/rehost-hyperv-kernel-trial.service").is_symlink
    # GRUB itself empties it, and leaves the name
    assert not re.search(r"^next_entry=.", host.file("/boot/grub/grubenv").content_string, re.MULTILINE)
    assert "kernel-trial" not in host.file("/boot/grub/grub.cfg").content_string


def test_the_log_tells_of_all_three(host: t.Any) -> None:
    log = host.file("/var/log/rehost-hyperv-kernel-trial.log").content_string
    assert log.count("has reached user space") == 3
    assert log.count("nobody confirmed the trial") == 1
