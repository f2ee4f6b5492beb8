# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import system
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem, System
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

BOOKWORM = """\
=== /etc/os-release -> ../usr/lib/os-release
=== /usr/lib/os-release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
=== /etc/debian_version
12.12
"""
STATUS = """\
=== /var/lib/dpkg/status
Package: adduser
Status: install ok installed
Architecture: all
Version: 3.134

Package: libc6
Status: install ok installed
Architecture: i386
"""


def gather(manifest: str, path: pathlib.Path) -> System:
    guest_tree.build(manifest, path)
    return system.gather(Root(str(path)), pytest.fail)


def test_everything_about_a_distribution_is_gathered(tmp_path: pathlib.Path) -> None:
    manifest = BOOKWORM + STATUS + "=== /proc/sys/kernel/osrelease\n6.1.0-50-amd64\n"

    assert gather(manifest, tmp_path) == System(
        "debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)", "i386", "6.1.0-50-amd64", ()
    )


def test_debian_6_is_known_by_its_version_file(tmp_path: pathlib.Path) -> None:
    found = gather("=== /etc/debian_version\n6.0.10\n", tmp_path)

    assert (found.id, found.version_id, found.codename) == ("debian", "6", "squeeze")


def test_an_empty_tree_is_no_distribution(tmp_path: pathlib.Path) -> None:
    assert gather("=== /srv/\n", tmp_path) == System(None, None, None, None, None, None, ())


def test_the_first_of_several_architectures_is_the_native_one(tmp_path: pathlib.Path) -> None:
    assert gather(STATUS + "=== /var/lib/dpkg/arch\namd64\ni386\n", tmp_path).architecture == "amd64"


def test_a_release_file_that_cannot_be_read_is_noted(tmp_path: pathlib.Path) -> None:
    guest_tree.build("=== /etc/os-release/\n=== /etc/debian_version\n12.1\n", tmp_path)
    problems: list[Problem] = []

    system.gather(Root(str(tmp_path)), problems.append)

    assert [problem.path for problem in problems] == ["/etc/os-release"]


INTERFACES = "=== /etc/network/interfaces\n"
ETH0 = "iface eth0 inet dhcp\n"


@pytest.mark.parametrize(
    ("manifest", "stacks"),
    [
        (INTERFACES + "auto lo\niface lo inet loopback\n", ()),
        (INTERFACES + ETH0, ("ifupdown",)),
        (INTERFACES + "# " + ETH0, ()),
        (INTERFACES + "source /etc/network/parts/*\n=== /etc/network/parts/eth0\n" + ETH0, ("ifupdown",)),
        (INTERFACES + "source parts/*.cfg\n=== /etc/network/parts/eth0\n" + ETH0, ()),
        (INTERFACES + "source-directory parts\n=== /etc/network/parts/eth0\n" + ETH0, ("ifupdown",)),
        (INTERFACES + "source-directory parts\n=== /etc/network/parts/eth0.bak\n" + ETH0, ()),
        (INTERFACES + "source interfaces\n", ()),
        ("=== /etc/systemd/network/10-lan.network\n[Match]\n", ("systemd-networkd",)),
        ("=== /etc/systemd/network/10-lan.link\n[Match]\n", ()),
        ("=== /etc/netplan/50-cloud-init.yaml\nnetwork: {}\n", ("netplan",)),
        ("=== /etc/NetworkManager/system-connections/lan.nmconnection mode=0600\n[ipv4]\n", ("network-manager",)),
        ("=== /etc/NetworkManager/system-connections/\n", ()),
        ("=== /etc/netplan/a.yaml\n{}\n" + INTERFACES + "iface eth0 inet6 auto\n", ("ifupdown", "netplan")),
    ],
)
def test_network_stacks_with_configuration_are_found(manifest: str, stacks: tuple[str, ...], tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert gather(manifest, tmp_path).network_stacks == stacks


def test_this_machine_is_a_distribution() -> None:
    problems: list[Problem] = []

    found = system.gather(Root("/"), problems.append)

    assert found.id
    assert found.running_kernel
