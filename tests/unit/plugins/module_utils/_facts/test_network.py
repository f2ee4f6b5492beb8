# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._facts import network
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem, TextFile
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

MANIFEST = """\
=== /etc/network/interfaces
auto enX0
source interfaces.d/*
=== /etc/network/interfaces.d/extra
iface enX1 inet manual
=== /etc/systemd/network/10-lan.network
[Match]
=== /etc/systemd/network/README
not this one
=== /etc/netplan/50-cloud-init.yaml
network: {}
=== /etc/NetworkManager/system-connections/wired mode=0600
[connection]
=== /etc/udev/rules.d/70-persistent-net.rules
SUBSYSTEM=="net"
=== /etc/udev/rules.d/60-other.rules
not this one
"""


def test_every_system_s_files_are_found_and_no_others(tmp_path: pathlib.Path) -> None:
    guest_tree.build(MANIFEST, tmp_path)
    problems: list[Problem] = []
    files = network.gather(Root(str(tmp_path)), problems.append)
    assert [file.path for file in files] == [
        "/etc/network/interfaces",
        "/etc/network/interfaces.d/extra",
        "/etc/systemd/network/10-lan.network",
        "/etc/netplan/50-cloud-init.yaml",
        "/etc/NetworkManager/system-connections/wired",
        "/etc/udev/rules.d/70-persistent-net.rules",
    ]
    assert files[0] == TextFile("/etc/network/interfaces", "auto enX0\nsource interfaces.d/*\n")
    assert not problems


def test_a_guest_without_any_has_none(tmp_path: pathlib.Path) -> None:
    assert network.gather(Root(str(tmp_path)), lambda problem: None) == ()
