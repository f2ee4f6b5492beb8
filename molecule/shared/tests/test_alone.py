# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guest that has nothing but synthetic adapters, and none of Xen's settings any more."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guests"]


def test_the_legacy_adapter_and_its_driver_are_gone(host: t.Any) -> None:
    assert "tulip " not in host.check_output("lsmod")
    drivers = host.check_output("readlink /sys/class/net/*/device/driver").split()
    assert {path.rpartition("/")[2] for path in drivers} == {"hv_netvsc"}


def test_nothing_is_left_to_say(host: t.Any) -> None:
    judged = host.ansible("rehost.hyperv.verification_info", "wait=true", become=False)
    # a guest without a baseline is judged by all that it logs, with which Hyper-V has nothing to do
    ignored = [] if judged["has_baseline"] else ["verify.new-error"]
    expected = host.ansible.get_variables().get("expected_findings", [])
    assert sorted(finding["id"] for finding in judged["findings"] if finding["id"] not in ignored) == expected
    assert judged["verified"] is True


def test_nothing_of_xen_is_left(host: t.Any) -> None:
    assert "hvc0" not in host.file("/boot/grub/grub.cfg").content_string
    assert not host.package("xe-guest-utilities").is_installed
    assert not host.service("serial-getty@hvc0").is_enabled
