# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import network_names
from ansible_collections.rehost.hyperv.tests.unit import small_guest


def find(path: pathlib.Path, manifest: str) -> list[tuple[str, str]]:
    findings = network_names.find(small_guest.look(path, manifest))
    assert not any(finding.blocks for finding in findings)
    return [(finding.id, finding.subject) for finding in findings]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/network/interfaces", "auto enX0\niface enX0 inet dhcp\n"),
        ("/etc/systemd/network/10-lan.network", "[Match]\nName=enX0\n"),
        ("/etc/netplan/50-cloud-init.yaml", "network:\n  ethernets:\n    enX0:\n      dhcp4: true\n"),
        ("/etc/NetworkManager/system-connections/wired", "[connection]\ninterface-name=enX0\n"),
    ],
)
def test_the_name_of_xen_s_adapter_is_found_once_in_every_dialect(path: str, text: str, tmp_path: pathlib.Path) -> None:
    assert find(tmp_path, f"=== {path}\n{text}") == [("network.xen-name", path)]


def test_an_address_that_xenserver_gave_is_found(tmp_path: pathlib.Path) -> None:
    rules = "/etc/udev/rules.d/70-persistent-net.rules"
    text = 'SUBSYSTEM=="net", ATTR{address}=="00:16:3e:01:02:03", NAME="eth0"\n'
    assert find(tmp_path, f"=== {rules}\n{text}") == [("network.xen-mac", rules)]


@pytest.mark.parametrize(
    "text",
    ["# auto enX0\n", "auto eth0\niface eth0 inet dhcp\n", "auto enX\n", "hwaddress ether 00:15:5d:01:02:03\n"],
)
def test_comments_and_other_names_do_not_count(text: str, tmp_path: pathlib.Path) -> None:
    assert find(tmp_path, f"=== /etc/network/interfaces\n{text}") == []
