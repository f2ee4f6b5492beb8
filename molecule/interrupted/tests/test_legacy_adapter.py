# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The legacy adapter of a guest that keeps it to start by PXE."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guests"]


def test_it_is_there_under_a_name_of_its_own_and_has_no_address(host: t.Any) -> None:
    assert host.check_output("readlink /sys/class/net/legacy0/device/driver").endswith("/tulip")
    assert host.check_output("ip -4 -oneline address show dev legacy0") == ""


def test_nothing_is_left_to_say(host: t.Any) -> None:
    judged = host.ansible("rehost.hyperv.verification_info", "wait=true keep_legacy=true", become=False)
    # a guest without a baseline is judged by all that it logs, with which Hyper-V has nothing to do
    ignored = [] if judged["has_baseline"] else ["verify.new-error"]
    expected = host.ansible.get_variables().get("expected_findings", [])
    assert sorted(finding["id"] for finding in judged["findings"] if finding["id"] not in ignored) == expected


def test_no_half_written_file_is_left(host: t.Any) -> None:
    assert host.check_output("find /etc /boot /var/lib/rehost-hyperv -name '*.rehost-new'") == ""
