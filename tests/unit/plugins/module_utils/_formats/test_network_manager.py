# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import network_manager
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
from hypothesis import given
from hypothesis import strategies as st

# As nmcli of Debian 12 writes it.
STATIC = """\
[connection]
id=office
uuid=b1c8f7f2-7f0c-4d2c-9a0e-5f2f0f1f8a11
type=ethernet
interface-name=enX0

[ethernet]
cloned-mac-address=stable

[ipv4]
address1=192.0.2.10/24,192.0.2.1
address2=192.0.2.11/24
dns=192.0.2.53;192.0.2.54;
method=manual
route1=198.51.100.0/24,192.0.2.254

[ipv6]
addr-gen-mode=default
dns=2001:db8::53;
method=auto

[proxy]
"""
# As the installer of Debian 6 left it.
SQUEEZE = """\
[802-3-ethernet]
duplex=full
mac-address=0;22;62;10;0;1;

[connection]
id=Auto eth0
uuid=6a0e6b6e-0b35-4a31-8b4e-1d3c5f0b8b8d
type=802-3-ethernet
timestamp=1300000000

[ipv4]
method=manual
dns=192.0.2.53;
addresses1=192.0.2.10;24;192.0.2.1;
"""
MAC = "00:16:3e:0a:00:01"
FRAGMENTS = ["[connection]\n", "[ethernet]\n", "[match]\n", "[keyfile]\n", "interface-name=", "mac-address=", MAC]
FRAGMENTS += ["enX0", "lan", ";", "!", "\n", "type=ethernet\n", "unmanaged-devices=", "interface-name:", ",", " ", "#"]
files = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


def one(text: str) -> Connection:
    (found,) = network_manager.connections(network_manager.parse(text))
    return found


def renamed(text: str, old: str, new: str) -> str:
    return network_manager.render(network_manager.with_renamed(network_manager.parse(text), old, new))


def named(text: str, mac: str = MAC, name: str = "enX0") -> str:
    return network_manager.render(network_manager.with_name_for_mac(network_manager.parse(text), mac, name))


def profile(text: str, type_of: str = "ethernet") -> str:
    return f"[connection]\nid=x\nuuid=6a0e6b6e-0b35-4a31-8b4e-1d3c5f0b8b8d\ntype={type_of}\n{text}"


def test_a_static_profile() -> None:
    assert one(STATIC) == Connection(
        kind="ethernet",
        name="enX0",
        addresses=("192.0.2.10/24", "192.0.2.11/24"),
        gateways=("192.0.2.1",),
        nameservers=("192.0.2.53", "192.0.2.54", "2001:db8::53"),
    )


def test_a_profile_of_old() -> None:
    assert one(SQUEEZE) == Connection(
        kind="ethernet",
        macs=(MAC,),
        addresses=("192.0.2.10/24",),
        gateways=("192.0.2.1",),
        nameservers=("192.0.2.53",),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (profile("[vlan]\nid=7\nparent=enX0\ninterface-name=v7\n", "vlan"),
         Connection("vlan", "v7", lowers=("enX0",), uses_dhcp=True)),
        (profile("interface-name=br0\n", "bridge"), Connection("bridge", "br0", uses_dhcp=True)),
        (profile("interface-name=wg0\n", "wireguard"), Connection("other", "wg0")),
        (profile("master=br0\nslave-type=bridge\n"), Connection("ethernet", uppers=("br0",))),
        (profile("controller=br0\nmaster=br0\n"), Connection("ethernet", uppers=("br0",))),
        (profile("autoconnect=false\n"), Connection("ethernet", is_automatic=False, uses_dhcp=True)),
        (profile("[match]\ninterface-name=&en*;!enX1;\ndriver=hv*;\n"),
         Connection("ethernet", patterns=("en*", "!enX1"), drivers=("hv*",), uses_dhcp=True)),
        (profile("[ipv4]\nmethod=auto\n"), Connection("ethernet", uses_dhcp=True)),
        (profile("[ipv4]\nmethod=link-local\n[ipv6]\nmethod=auto\n"), Connection("ethernet")),
        (profile("[ipv4]\nroute1=0.0.0.0/0,192.0.2.3\n[ipv6]\ngateway=2001:db8::1\n"),
         Connection("ethernet", gateways=("192.0.2.3", "2001:db8::1"), uses_dhcp=True)),
    ],
)  # fmt: skip
def test_what_profiles_say(text: str, expected: Connection) -> None:
    assert one(text) == expected


def test_networkmanager_conf_is_no_profile() -> None:
    assert network_manager.connections(network_manager.parse("[main]\nplugins=ifupdown,keyfile\n")) == ()


def test_a_file_that_networkmanager_refuses_is_an_error() -> None:
    with pytest.raises(_errors.MalformedError, match="does not take the file") as caught:
        one(profile("nonsense\n"))
    assert caught.value.line == 5


@given(files)
def test_a_rename_there_and_back_restores_the_bytes(text: str) -> None:
    assert network_manager.render(network_manager.parse(text)) == text
    try:
        there = renamed(text, "enX0", "lan0")
    except _errors.GuestError:
        return
    assert renamed(there, "lan0", "enX0") == text


def test_a_rename_reaches_every_place_and_no_other() -> None:
    text = profile(
        "interface-name=enX0\nmaster=enX0\n[match]\ninterface-name=!enX0;&enX0x;enX0 ;\n[vlan]\nparent=enX0\n"
    )
    text += "[keyfile]\nunmanaged-devices+=mac:x,interface-name:enX0;except:interface-name:=enX0;interface-name:enX*\n"
    text += "[ipv4]\ndhcp-hostname=enX0\n"
    assert renamed(text, "enX0", "lan") == text.replace("enX0", "lan").replace("lanx", "enX0x").replace(
        "hostname=lan", "hostname=enX0"
    )


def test_two_interfaces_do_not_become_one() -> None:
    with pytest.raises(_errors.GuestError, match="one interface"):
        renamed(profile("interface-name=eth0\nmaster=eth1\n"), "eth0", "eth1")


def test_an_address_becomes_a_name() -> None:
    assert named(SQUEEZE) == SQUEEZE.replace("mac-address=0;22;62;10;0;1;\n", "").replace(
        "type=802-3-ethernet\n", "type=802-3-ethernet\ninterface-name=enX0\n"
    )
    assert named(profile("interface-name=eth0\n[ethernet]\nmac-address=0016.3e0a.0001\ncloned-mac-address=stable")) == (
        profile("interface-name=enX0\n[ethernet]\ncloned-mac-address=stable")
    )
    assert named("[ethernet]\r\nmac-address=" + MAC + "\r\n[connection]\r\ntype=ethernet") == (
        "[ethernet]\r\n[connection]\r\ntype=ethernet\r\ninterface-name=enX0\r\n"
    )
    assert named(STATIC) == STATIC
    assert named(SQUEEZE, "00:16:3e:0a:00:02") == SQUEEZE


def test_of_two_addresses_the_last_one_counts() -> None:
    text = profile(f"[ethernet]\nmac-address={MAC}\nmac-address=00:16:3e:0a:00:02\n")
    assert named(text) == text
    assert one(named(text, "00:16:3e:0a:00:02")) == Connection("ethernet", "enX0", uses_dhcp=True)


@given(files)
def test_an_address_is_gone_once_it_is_a_name(text: str) -> None:
    try:
        after = named(text)
        if after != text:
            assert one(after).macs == ()
            assert one(after).name == "enX0"
    except (_errors.GuestError, ValueError):
        return


def test_secrets_are_not_shown() -> None:
    text = "[wifi-security]\npsk=open sesame\nwep-key0=1\nkey-mgmt=wpa-psk\npsk-flags=0\n"
    text += "[802-1x]\nprivate-key-password=x\n"
    shown = network_manager.render(network_manager.with_secrets_hidden(network_manager.parse(text)))
    assert shown == text.replace("open sesame", "(hidden)").replace("key0=1", "key0=(hidden)").replace(
        "password=x", "password=(hidden)"
    )


@pytest.mark.skipif(shutil.which("nmcli") is None, reason="nmcli is not installed")
@pytest.mark.parametrize("text", [STATIC, SQUEEZE, profile(f"[ethernet]\n mac-address = {MAC}\n")])
def test_networkmanager_reads_an_edited_profile_as_it_was_meant(text: str) -> None:
    edited = renamed(named(text), "enX0", "lan0")
    shown = subprocess.run(
        ["nmcli", "--offline", "connection", "modify", "ipv4.may-fail", "yes"],
        input=edited,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert one(shown) == one(edited)
    assert one(shown).name == "lan0"
