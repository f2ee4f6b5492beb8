# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import network
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    ConfiguredConnection,
    DefaultRoute,
    Problem,
    TextFile,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
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


def facts(manifest: str, directory: pathlib.Path) -> tuple[tuple[ConfiguredConnection, ...], list[Problem]]:
    guest_tree.build(manifest, directory)
    problems: list[Problem] = []
    root = Root(str(directory))
    files = network.gather(root, problems.append)
    return network.gather_connections(root, problems.append, files), problems


def paths(manifest: str, directory: pathlib.Path) -> list[str]:
    guest_tree.build(manifest, directory)
    return [file.path for file in network.gather(Root(str(directory)), lambda problem: None)]


def test_included_files_are_found_where_the_source_lines_say(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/network/interfaces
source /srv/net/*/[ab].conf  /etc/network/one
source-directory more
source interfaces
source /etc/network/absent
=== /srv/net/x/a.conf
source ../y/c.conf
=== /srv/net/x/c.conf
no
=== /srv/net/y/b.conf
source /etc/network/interfaces
=== /srv/net/y/c.conf
auto c
=== /srv/net/.hidden/a.conf
no
=== /etc/network/one
auto one
=== /etc/network/more/good_name
auto good
=== /etc/network/more/bad.name
no
=== /etc/network/interfaces.d/unused
no
"""
    assert paths(manifest, tmp_path) == [
        "/etc/network/interfaces",
        "/srv/net/x/a.conf",
        "/srv/net/y/c.conf",
        "/srv/net/y/b.conf",
        "/etc/network/one",
        "/etc/network/more/good_name",
    ]


def test_an_endless_inclusion_ends(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "etc/network"
    directory.mkdir(parents=True)
    (directory / "interfaces").write_text("source /etc/network/*\n")
    for number in range(network.MAX_SOURCES + 1):
        (directory / f"f{number:04}").write_text("source /etc/network/*\n")
    problems: list[Problem] = []
    files = network.gather(Root(str(tmp_path)), problems.append)
    assert len(files) == network.MAX_SOURCES
    assert ["more than" in problem.message for problem in problems] == [True]


def test_drop_ins_rules_and_settings_are_files_of_the_network(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/systemd/network/10-lan.network
[Match]
=== /etc/systemd/network/10-lan.network.d/50-dns.conf
[Network]
=== /etc/systemd/network/99-default.link.d/x.conf
[Link]
=== /etc/systemd/network/br0.netdev
[NetDev]
=== /etc/NetworkManager/NetworkManager.conf
[main]
=== /etc/NetworkManager/conf.d/x.conf
[keyfile]
=== /etc/NetworkManager/system-connections/lan.nmconnection
[connection]
=== /etc/NetworkManager/system-connections/lan.nmconnection~
[connection]
=== /etc/udev/rules.d/10-mine.rules
KERNEL=="eth*", NAME="lan0"
=== /etc/udev/rules.d/20-disk.rules
KERNEL=="sda", SYMLINK+="disk"
"""
    assert paths(manifest, tmp_path) == [
        "/etc/systemd/network/10-lan.network",
        "/etc/systemd/network/br0.netdev",
        "/etc/systemd/network/10-lan.network.d/50-dns.conf",
        "/etc/systemd/network/99-default.link.d/x.conf",
        "/etc/NetworkManager/system-connections/lan.nmconnection",
        "/etc/NetworkManager/NetworkManager.conf",
        "/etc/NetworkManager/conf.d/x.conf",
        "/etc/udev/rules.d/10-mine.rules",
    ]


def test_an_interface_of_ifupdown_is_one_connection_over_all_files(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/network/interfaces
source interfaces.d/*
auto eth0
=== /etc/network/interfaces.d/six
iface eth0 inet6 static
 address 2001:db8::10/64
=== /etc/network/interfaces.d/vlan
iface eth0.7 inet dhcp
iface eth0 inet static
 address 192.0.2.10/24
"""
    found, problems = facts(manifest, tmp_path)
    assert found == (
        ConfiguredConnection(
            "ifupdown",
            "/etc/network/interfaces.d/six",
            Connection("ethernet", "eth0", addresses=("2001:db8::10/64", "192.0.2.10/24")),
        ),
        ConfiguredConnection(
            "ifupdown",
            "/etc/network/interfaces.d/vlan",
            Connection("vlan", "eth0.7", lowers=("eth0",), is_automatic=False, uses_dhcp=True),
        ),
    )
    assert not problems


def test_files_of_networkd_go_together(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/systemd/network/10-lan.network
[Match]
Name=en*
[Network]
VLAN=office
=== /etc/systemd/network/10-lan.network.d/50-dns.conf
[Network]
DHCP=yes
=== /etc/systemd/network/office.netdev
[NetDev]
Name=office
Kind=vlan
=== /etc/systemd/network/office.network
[Match]
Name=office
=== /etc/systemd/network/bad.network
[Match
=== /etc/systemd/network/50-masked.network -> /dev/null
=== /usr/lib/systemd/network/50-masked.network
[Match]
Name=eth0
=== /usr/lib/systemd/network/80-container-ve.network
[Match]
Name=ve-*
Driver=veth
=== /usr/lib/systemd/network/89-vendor.network
[Match]
Type=ether
[Network]
DHCP=yes
=== /run/systemd/network/10-netplan-eth0.network
[Match]
Name=eth0
"""
    found, problems = facts(manifest, tmp_path)
    assert found == tuple(
        ConfiguredConnection("systemd-networkd", path, connection)
        for path, connection in [
            (
                "/etc/systemd/network/10-lan.network",
                Connection("ethernet", None, patterns=("en*",), uppers=("office",), uses_dhcp=True),
            ),
            ("/usr/lib/systemd/network/89-vendor.network", Connection("ethernet", uses_dhcp=True)),
            ("/etc/systemd/network/office.netdev", Connection("vlan", "office")),
            ("/etc/systemd/network/office.network", Connection("vlan", "office")),
        ]
    )
    assert [problem.path for problem in problems] == ["/etc/systemd/network/bad.network"]


def test_profiles_of_networkmanager_name_one_another(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/NetworkManager/system-connections/bridge.nmconnection
[connection]
uuid=6a0e6b6e-0b35-4a31-8b4e-1d3c5f0b8b8d
type=bridge
interface-name=br0
=== /etc/NetworkManager/system-connections/port
[connection]
type=ethernet
interface-name=enX0
master=6a0e6b6e-0b35-4a31-8b4e-1d3c5f0b8b8d
=== /etc/NetworkManager/system-connections/broken
nonsense
=== /etc/NetworkManager/conf.d/x.conf
[main]
"""
    found, problems = facts(manifest, tmp_path)
    assert [entry.connection.uppers for entry in found] == [(), ("br0",)]
    assert {entry.stack for entry in found} == {"network-manager"}
    assert [problem.path for problem in problems] == ["/etc/NetworkManager/system-connections/broken"]


def test_files_of_netplan_are_one_configuration(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/netplan/50-cloud-init.yaml
network: {ethernets: {eth0: {dhcp4: true}}}
=== /etc/netplan/90-mine.yaml
network: {ethernets: {eth0: {dhcp4: false, addresses: [192.0.2.10/24]}}, vlans: {v: {id: 1, link: eth0}}}
=== /etc/netplan/91-match.yaml
network: {ethernets: {eth0: {match: {macaddress: "00:16:3e:0a:00:01"}, set-name: lan0}}}
=== /etc/netplan/95-anchor.yaml
network: &x {}
=== /lib/netplan/00-all.yaml
network: {renderer: NetworkManager}
=== /lib/netplan/90-mine.yaml
network: {ethernets: {eth9: {}}}
"""
    found, problems = facts(manifest, tmp_path)
    assert found == (
        ConfiguredConnection(
            "netplan",
            "/etc/netplan/91-match.yaml",
            Connection("ethernet", "lan0", macs=("00:16:3e:0a:00:01",), addresses=("192.0.2.10/24",)),
        ),
        ConfiguredConnection("netplan", "/etc/netplan/90-mine.yaml", Connection("vlan", "v", lowers=("lan0",))),
    )
    assert [(problem.path, "an anchor" in problem.message) for problem in problems] == [
        ("/etc/netplan/95-anchor.yaml", True)
    ]


def test_what_names_an_interface_elsewhere_is_found(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /etc/network/interfaces
iface enX0 inet dhcp
iface lo inet loopback
=== /etc/sysctl.d/net.conf
net.ipv4.conf.enX0.forwarding = 1
=== /etc/sysctl.conf
# net.ipv4.conf.enX0.forwarding = 1
net.ipv4.conf.enX01.forwarding = 1
net.ipv4.conf.lo.forwarding = 1
=== /etc/nftables.conf
  iifname "enX0" accept
=== /etc/network/if-up.d/route
ip route add 198.51.100.0/24 dev enX0
"""
    found, _problems = facts(manifest, tmp_path)
    mentions = network.gather_mentions(Root(str(tmp_path)), lambda problem: None, found)
    assert [file.path for file in mentions] == [
        "/etc/sysctl.d/net.conf",
        "/etc/network/if-up.d/route",
        "/etc/nftables.conf",
    ]
    assert network.gather_mentions(Root(str(tmp_path)), lambda problem: None, ()) == ()


def test_default_routes_of_both_families(tmp_path: pathlib.Path) -> None:
    gateway = "020012AC" if sys.byteorder == "little" else "AC120002"
    none = "0" * 32
    manifest = f"""\
=== /proc/net/route
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth1\t00000000\t00000000\t0001\t0\t0\t200\t00000000\t0\t0\t0
eth0\t00000000\t{gateway}\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t000012AC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0
=== /proc/net/ipv6_route
{none} 00 {none} 00 fe80000000000000021600fffe000001 00000400 00000001 00000000 00000003 eth0
{none} 00 {none} 00 {none} ffffffff 00000001 00000000 00200200 lo
20010db8{"0" * 24} 40 {none} 00 {none} 00000100 00000001 00000000 00000001 eth0
"""
    guest_tree.build(manifest, tmp_path)
    assert network.gather_default_routes(Root(str(tmp_path)), lambda problem: None) == (
        DefaultRoute("eth0", "172.18.0.2", "inet"),
        DefaultRoute("eth1", None, "inet"),
        DefaultRoute("eth0", "fe80::216:ff:fe00:1", "inet6"),
    )


@pytest.mark.skipif(shutil.which("ip") is None, reason="ip is not installed")
def test_this_machine_s_routes_are_those_that_ip_shows() -> None:
    shown = subprocess.run(["ip", "-4", "route", "show", "default"], capture_output=True, text=True, check=True).stdout
    found = network.gather_default_routes(Root("/"), lambda problem: None)
    assert [f"via {route.gateway} dev {route.interface}" in shown for route in found if route.family == "inet"] == [
        True for line in shown.splitlines() if line
    ]
