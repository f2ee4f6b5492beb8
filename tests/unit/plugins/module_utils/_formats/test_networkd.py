# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import networkd
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
from hypothesis import given
from hypothesis import strategies as st

STATIC = """\
# the office
[Match]
Name=enX0   ; not a comment here

[Network]
Address=192.0.2.10/24
Address=2001:db8::10/64
Gateway=192.0.2.1
DNS=192.0.2.53 2001:db8::53
VLAN=office
VLAN=guests
Bridge=br0

[Address]
Address=192.0.2.11/24
Label=enX0:1

[Route]
Gateway=192.0.2.254
Destination=198.51.100.0/24

[Route]
Gateway=2001:db8::1

[Link]
MTUBytes=9000
"""
BY_MAC = """\
[Match]
MACAddress=00:16:3E:0A:00:01 # the old adapter's\r
\r
[Network]\r
DHCP=yes\r
"""
FRAGMENTS = [
    "[Match]\n",
    "[Network]\n",
    "[NetDev]\n",
    "Name=",
    "VLAN=",
    "MACAddress=",
    "enX0",
    "!enX0",
    " ",
    "\n",
    "\\\n",
]
FRAGMENTS += ["00:16:3e:0a:00:01", "br0", "#", "en*", "="]
files = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


def one(text: str, *drop_ins: str, ending: str = ".network") -> Connection:
    documents = [networkd.parse(part) for part in drop_ins]
    (found,) = networkd.connections(networkd.parse(text), *documents, ending=ending)
    return found


def renamed(text: str, old: str, new: str) -> str:
    return networkd.render(networkd.with_renamed(networkd.parse(text), old, new))


def named(text: str, mac: str = "00:16:3e:0a:00:01", name: str = "enX0") -> str:
    return networkd.render(networkd.with_name_for_mac(networkd.parse(text), mac, name))


def test_a_static_configuration() -> None:
    found = one(STATIC.replace("   ; not a comment here", ""))
    assert found == Connection(
        kind="ethernet",
        name="enX0",
        uppers=("office", "guests", "br0"),
        addresses=("192.0.2.10/24", "2001:db8::10/64", "192.0.2.11/24"),
        gateways=("192.0.2.1", "2001:db8::1"),
        nameservers=("192.0.2.53", "2001:db8::53"),
    )


def test_a_comment_behind_a_value_is_part_of_it_as_for_systemd() -> None:
    assert one(STATIC).patterns == ("enX0", ";", "not", "a", "comment", "here")


@pytest.mark.parametrize(
    ("match", "name", "patterns"),
    [
        ("Name=en*", None, ("en*",)),
        ("Name=eth0 eth1", None, ("eth0", "eth1")),
        ("Name=!eth0 br*", None, ("!eth0", "!br*")),
        ("Name=! eth0", None, ("!eth0",)),
        ("Name=eth0\nName=\nName=eth1", "eth1", ()),
        ("", None, ()),
    ],
)
def test_names_and_patterns(match: str, name: str | None, patterns: tuple[str, ...]) -> None:
    found = one(f"[Match]\n{match}\n[Network]\nDHCP=ipv4\n")
    assert (found.name, found.patterns, found.uses_dhcp) == (name, patterns, True)


@pytest.mark.parametrize(
    ("match", "kind"),
    [
        ("Name=lo", "loopback"),
        ("Type=ether", "ethernet"),
        ("Type=!wlan", "ethernet"),
        ("Type=!ether wlan", "other"),
        ("Type=wlan", "other"),
        ("Name=vt-*\nDriver=tun", "other"),
        ("Driver=xen_netfront hv_netvsc", "ethernet"),
        ("Virtualization=container\nName=host0", "other"),
    ],
)
def test_what_no_ethernet_adapter_is_matched_by(match: str, kind: str) -> None:
    assert one(f"[Match]\n{match}\n").kind == kind


def test_addresses_of_adapters_are_lower_case_with_colons() -> None:
    found = one("[Match]\nMACAddress=0016.3E0A.0001 00-16-3e-0a-00-02\nPermanentMACAddress=00:16:3e:0a:00:03 x\n")
    assert found.macs == ("00:16:3e:0a:00:01", "00:16:3e:0a:00:02", "00:16:3e:0a:00:03")


def test_drop_ins_follow_the_file() -> None:
    found = one("[Match]\nName=eth0\n[Network]\nDNS=192.0.2.1\n", "[Network]\nDNS=\nDNS=192.0.2.2\nDHCP=yes\n")
    assert (found.name, found.nameservers, found.uses_dhcp) == ("eth0", ("192.0.2.2",), True)


@pytest.mark.parametrize("link", ["Unmanaged=yes", "ActivationPolicy=manual"])
def test_what_is_not_brought_up_is_not_automatic(link: str) -> None:
    assert not one(f"[Match]\nName=eth0\n[Link]\n{link}\n").is_automatic


def test_a_netdev_makes_an_interface() -> None:
    assert one("[NetDev]\nName=office\nKind=vlan\n[VLAN]\nId=7\n", ending=".netdev") == Connection("vlan", "office")
    assert one("[NetDev]\nName=wg0\nKind=wireguard\n", ending=".netdev").kind == "other"


def test_a_link_gives_a_name() -> None:
    found = one("[Match]\nOriginalName=eth*\nMACAddress=00:16:3e:0a:00:01\n[Link]\nName=lan0\n", ending=".link")
    assert found == Connection("link", "lan0", ("eth*",), ("00:16:3e:0a:00:01",))


def test_a_file_without_a_match_configures_nothing() -> None:
    assert networkd.connections(networkd.parse("[Network]\nDHCP=yes\n"), ending=".network") == ()
    assert networkd.connections(networkd.parse(""), ending=".network") == ()
    assert networkd.connections(networkd.parse(""), ending=".netdev") == ()


def test_a_file_that_systemd_refuses_is_an_error() -> None:
    with pytest.raises(_errors.MalformedError, match="bracket") as caught:
        one("[Match\nName=eth0\n")
    assert caught.value.line == 1


@given(files)
def test_a_rename_there_and_back_restores_the_bytes(text: str) -> None:
    assert renamed(renamed(text, "enX0", "lan0"), "lan0", "enX0") == text


def test_a_rename_reaches_every_place_and_no_other() -> None:
    text = "[Match]\nName=br0 !x\\\n# br0\n br0 br0x br*\n[Network]\nBridge=br0\nDescription=br0\n[Link]\nAlias=br0\n"
    assert renamed(text, "br0", "lan") == (
        "[Match]\nName=lan !x\\\n# br0\n lan br0x br*\n[Network]\nBridge=lan\nDescription=br0\n[Link]\nAlias=br0\n"
    )
    assert renamed("[Match]\nName=!br0\n[NetDev]\nName=br0\n", "br0", "a") == "[Match]\nName=!a\n[NetDev]\nName=a\n"
    assert renamed("[Match]\nOriginalName=eth0\n", "eth0", "a") == "[Match]\nOriginalName=eth0\n"


def test_two_interfaces_do_not_become_one() -> None:
    with pytest.raises(_errors.GuestError, match="one interface"):
        renamed("[Match]\nName=eth0 eth1\n", "eth0", "eth1")


def test_an_address_becomes_a_name_in_its_own_place() -> None:
    assert named("[Match]\n MACAddress = 00:16:3E:0A:00:01 \r\n[Network]\r\nDHCP=yes\r\n") == (
        "[Match]\n Name = enX0 \r\n[Network]\r\nDHCP=yes\r\n"
    )
    assert (
        named("[Match]\nPermanentMACAddress=0016.3e0a.0001\nMACAddress=00:16:3e:0a:00:01\n") == ("[Match]\nName=enX0\n")
        or named("[Match]\nPermanentMACAddress=0016.3e0a.0001\nMACAddress=00:16:3e:0a:00:01\n").count("enX0") == 1
    )
    assert named(STATIC) == STATIC
    assert named("[Match]\nMACAddress=00:16:3e:0a:00:02\n") == "[Match]\nMACAddress=00:16:3e:0a:00:02\n"
    assert named("[Link]\nMACAddress=00:16:3e:0a:00:01\n") == "[Link]\nMACAddress=00:16:3e:0a:00:01\n"


def test_a_name_beside_the_address_is_replaced() -> None:
    assert named("[Match]\nMACAddress=00:16:3e:0a:00:01\nName=en* eth*\nType=ether\n") == (
        "[Match]\nName=enX0\nType=ether\n"
    )


def test_an_address_among_others_is_refused() -> None:
    with pytest.raises(_errors.GuestError, match="several adapters"):
        named("[Match]\nMACAddress=00:16:3e:0a:00:01 00:16:3e:0a:00:02\n")
    with pytest.raises(_errors.GuestError, match="several adapters"):
        named(BY_MAC)


@given(files)
def test_an_address_is_replaced_or_refused(text: str) -> None:
    try:
        after = named(text)
    except _errors.GuestError:
        return
    if after != text:
        for found in networkd.connections(networkd.parse(after), ending=".network"):
            assert found.macs == ()


def test_a_link_is_matched_by_something_else() -> None:
    text = "[Match]\nMACAddress=00:16:3e:0a:00:01\n[Link]\nMTUBytes=9000\n"
    document = networkd.with_match_for_mac(networkd.parse(text), "00:16:3e:0a:00:01", "Driver", "hv_netvsc")
    assert networkd.render(document) == "[Match]\nDriver=hv_netvsc\n[Link]\nMTUBytes=9000\n"
