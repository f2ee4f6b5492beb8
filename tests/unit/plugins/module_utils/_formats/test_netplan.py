# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import netplan, networkd
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
from hypothesis import given
from hypothesis import strategies as st

# As cloud-init writes it.
CLOUD = """\
# This file is generated from information provided by the datasource.
network:
    ethernets:
        enX0:
            dhcp4: true
            dhcp6: 'false'
            match:
                macaddress: 00:16:3e:0a:00:01
            set-name: enX0
    version: 2
"""
# VLANs on a bond, a bridge on one of them, by hand.
OFFICE = """\
network:
  version: 2
  renderer: networkd
  ethernets:
    eth0: {}          # left
    eth1: {mtu: 9000} # right
    spare: {match: {name: "en*", driver: [xen_netfront, "hv*"]}, optional: true, dhcp4: yes}
  bonds:
    bond0:
      interfaces: [eth0, 'eth1']
      parameters:
        mode: active-backup
        primary: eth0
  vlans:
    office:
      id: 7
      link: bond0
      addresses:
      - 192.0.2.10/24
      - "2001:db8::10/64"
      - 192.0.2.11/24: {label: "office:1"}
      gateway4: 192.0.2.1
      routes:
      - to: default
        via: 2001:db8::1
      - {to: 198.51.100.0/24, via: 192.0.2.254}
      nameservers:
        search: [example.org]
        addresses: [192.0.2.53]
    eth0.9: {id: 9, link: eth0, activation-mode: manual}
  bridges:
    br0:
      interfaces:
        - eth0.9
      parameters: {path-cost: {eth0.9: 10}, stp: false}
"""
MAC = "00:16:3e:0a:00:01"
FRAGMENTS = ["network:\n", "  ethernets:\n", "    enX0:\n", "    lan0: {}\n", "      match:\n", "        macaddress: "]
FRAGMENTS += [
    MAC + "\n",
    '"' + MAC + '"\n',
    "        name: en*\n",
    "      match: {macaddress: 0016.3e0a.0001, name: x}\n",
]
FRAGMENTS += [
    "        driver: [a, b]\n",
    "      set-name: enX0\n",
    "  vlans:\n",
    "    v: {id: 1, link: 'enX0'}\n",
    "# c\n",
]
files = st.lists(st.sampled_from(FRAGMENTS)).map("".join).map(lambda text: "network:\n  ethernets:\n" + text)
GENERATE = shutil.which("generate", path="/usr/libexec/netplan:/lib/netplan")


def read(*texts: str) -> tuple[Connection, ...]:
    return netplan.connections(*[netplan.parse(text) for text in texts])


def renamed(text: str, old: str, new: str) -> str:
    return netplan.render(netplan.with_renamed(netplan.parse(text), old, new))


def named(text: str, mac: str = MAC, name: str = "enX0") -> str:
    return netplan.render(netplan.with_name_for_mac(netplan.parse(text), mac, name))


def test_what_cloud_init_writes() -> None:
    assert read(CLOUD) == (Connection("ethernet", "enX0", macs=(MAC,), uses_dhcp=True),)


def test_bonds_bridges_and_vlans() -> None:
    assert read(OFFICE) == (
        Connection("ethernet", "eth0"),
        Connection("ethernet", "eth1"),
        Connection("ethernet", None, patterns=("en*",), drivers=("xen_netfront", "hv*"), uses_dhcp=True),
        Connection("bond", "bond0", lowers=("eth0", "eth1")),
        Connection(
            "vlan",
            "office",
            lowers=("bond0",),
            addresses=("192.0.2.10/24", "2001:db8::10/64", "192.0.2.11/24"),
            gateways=("192.0.2.1", "2001:db8::1"),
            nameservers=("192.0.2.53",),
        ),
        Connection("vlan", "eth0.9", lowers=("eth0",), is_automatic=False),
        Connection("bridge", "br0", lowers=("eth0.9",)),
    )


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("{}", Connection("ethernet", "id0")),
        ("", Connection("ethernet", "id0")),
        ("{match: {name: eth0}}", Connection("ethernet", "eth0")),
        ("{match: {name: eth0}, set-name: lan0}", Connection("ethernet", "lan0", patterns=("eth0",))),
        ("{match: {name: eth*}, set-name: lan0}", Connection("ethernet", "lan0", patterns=("eth*",))),
        ("{match: {macaddress: 00:16:3E:0A:00:01}}", Connection("ethernet", macs=(MAC,))),
        ("{match: {}}", Connection("ethernet", patterns=("*",))),
        ("{match: {driver: hv_netvsc}}", Connection("ethernet", drivers=("hv_netvsc",))),
    ],
)
def test_what_an_id_stands_for(definition: str, expected: Connection) -> None:
    assert read(f"network:\n  ethernets:\n    id0: {definition}\n") == (expected,)


def test_what_is_made_of_an_adapter_names_it_and_not_its_id() -> None:
    text = "network:\n  ethernets:\n    a: {match: {name: x0}}\n    b: {match: {name: 'x*'}}\n"
    text += "  bridges:\n    br0: {interfaces: [a, b, c]}\n"
    assert read(text)[2].lowers == ("x0", "c")


def test_later_files_override_and_add() -> None:
    first = "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.1/24], dhcp4: true, gateway4: 192.0.2.2}\n"
    second = "network:\n  ethernets:\n    eth0: {addresses: [192.0.2.3/24], dhcp4: no}\n    eth1: {}\n"
    assert read(first, second) == (
        Connection("ethernet", "eth0", addresses=("192.0.2.1/24", "192.0.2.3/24"), gateways=("192.0.2.2",)),
        Connection("ethernet", "eth1"),
    )
    assert list(netplan.by_id(netplan.parse(second))) == ["eth0", "eth1"]
    assert read(first, "network: {ethernets: 1}\n") == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "network:\n", "network: {version: 2}\n", "other: 1\n", "~\n"])
def test_a_file_may_configure_nothing(text: str) -> None:
    assert read(text) == ()
    assert renamed(text, "eth0", "lan0") == text
    assert named(text) == text


def test_a_file_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(_errors.MalformedError, match="no mapping"):
        read("- network\n")


@pytest.mark.parametrize("group", ["vlans: 1", "ethernets: [a]", "ethernets: {a: [b]}", "bonds: {a: {interfaces: b}}"])
def test_what_has_the_wrong_shape_does_no_harm(group: str) -> None:
    text = f"network:\n  {group}\n"
    read(text)
    assert renamed(text, "x", "y") == text
    assert named(text) == text


@given(files)
def test_a_rename_there_and_back_restores_the_bytes(text: str) -> None:
    try:
        there = renamed(text, "enX0", "other0")
    except _errors.GuestError:
        return
    assert renamed(there, "other0", "enX0") == text


def test_a_rename_reaches_every_place_and_no_other() -> None:
    assert renamed(OFFICE, "eth0", "lan0") == OFFICE.replace("eth0:", "lan0:").replace("[eth0,", "[lan0,").replace(
        "primary: eth0", "primary: lan0"
    ).replace("link: eth0", "link: lan0")
    assert renamed(OFFICE, "eth1", "lan1") == OFFICE.replace("eth1", "lan1")
    assert renamed(OFFICE, "eth0.9", "lan9") == OFFICE.replace("eth0.9", "lan9")
    assert renamed(CLOUD, "enX0", "on") == CLOUD.replace("enX0", "'on'")


def test_two_interfaces_do_not_become_one() -> None:
    with pytest.raises(_errors.GuestError, match="one interface") as caught:
        renamed(OFFICE, "eth0", "eth1")
    assert caught.value.line == 6


def test_an_address_becomes_a_name_in_its_own_place() -> None:
    assert named(CLOUD) == CLOUD.replace(f"macaddress: {MAC}", "name: enX0")
    assert named(CLOUD.replace(MAC, '"00:16:3E:0A:00:01" # old')) == CLOUD.replace(
        f"macaddress: {MAC}", 'name: "enX0" # old'
    )
    assert named(CLOUD, "00:16:3e:0a:00:02") == CLOUD
    assert named(OFFICE) == OFFICE


@pytest.mark.parametrize(
    "match",
    [
        "{name: 'en*', macaddress: '00:16:3e:0a:00:01', driver: a}",
        "{'macaddress': 00:16:3e:0a:00:01, name: x, driver: [a, b], }",
        "{name: x, driver: [a, b], macaddress: 00:16:3e:0a:00:01}",
        "{macaddress: 00:16:3e:0a:00:01, macaddress: 00:16:3e:0a:00:01}",
        "\n        name: x # c\n        # kept\n        macaddress: 00:16:3e:0a:00:01\n        driver:\n        - a",
    ],
)
def test_what_was_asked_beside_the_address_is_asked_no_more(match: str) -> None:
    text = f"network:\n  ethernets:\n    id0:\n      match: {match}\n      mtu: 9000 # kept\n"
    after = named(text)
    assert read(after) == (Connection("ethernet", "enX0"),)
    assert "      mtu: 9000 # kept\n" in after
    assert "# kept" in after


@given(files)
def test_an_address_is_gone_once_it_is_a_name(text: str) -> None:
    try:
        after = named(text)
        found = read(after)
    except _errors.GuestError:
        return
    assert not any(MAC in connection.macs for connection in found)


def test_a_large_file_takes_no_time() -> None:
    started = time.monotonic()
    text = "network:\n  ethernets:\n    a:\n" + "      addresses: [b]\n" * 10_000
    assert read(text, text)[0].addresses == ("b",) * 20_000
    assert time.monotonic() - started < 5


@pytest.mark.skipif(GENERATE is None, reason="netplan is not installed")
@pytest.mark.parametrize("text", [CLOUD, OFFICE])
def test_netplan_makes_the_same_of_it_under_another_name(text: str, tmp_path: pathlib.Path) -> None:
    old = "eth0" if text == OFFICE else "enX0"
    edited = renamed(named(text, name=old), old, "lan0")
    directory = tmp_path / "etc/netplan"
    directory.mkdir(parents=True)
    (directory / "50.yaml").write_text(edited)
    (directory / "50.yaml").chmod(0o600)
    subprocess.run([str(GENERATE), "--root-dir", str(tmp_path)], check=True, capture_output=True)
    generated = tmp_path / "run/systemd/network/10-netplan-lan0.network"
    (found,) = networkd.connections(networkd.parse(generated.read_text()), ending=".network")
    assert (found.name, found.macs) == ("lan0", ())
    made = {path.stem for path in generated.parent.glob("*.network")}
    names = {connection.name or "spare" for connection in read(edited)}
    assert made == {f"10-netplan-{name}" for name in names}
