# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import interfaces
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
from hypothesis import given
from hypothesis import strategies as st

SERVER = """\
# The loopback network interface \\
auto lo
iface lo inet loopback

source /etc/network/interfaces.d/*
source-directory interfaces.d

allow-hotplug eth0 eth1
iface eth0 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1
    up ip route add 198.51.100.0/24 \\
        via 192.0.2.254 dev eth0
    post-up echo 1 > /proc/sys/net/ipv4/conf/eth0/proxy_arp
iface eth0 inet6 static
\taddress 2001:db8::10
\tnetmask 64
auto eth0:1
iface eth0:1 inet static
    address 192.0.2.11
auto eth0.100
iface eth0.100 inet manual
auto vlan200
iface vlan200 inet manual
    vlan_raw_device eth0
auto br0
iface br0 inet dhcp
    bridge_ports eth0 eth1
    bridge-stp off
"""

FRAGMENTS = ["auto ", "iface ", "eth0", "eth0:1", " inet", " dhcp", "\n", "\\\n", "\\", " ", "\t", "# x", "mapping "]
FRAGMENTS += [
    "source x",
    "allow-hotplug ",
    "up ip dev eth0",
    "bridge_ports ",
    "\r\n",
    "\0",
    "\f",
    "inherits ",
    "rename a=eth0",
]
files = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


def renamed(text: str, old: str = "eth0", new: str = "enX0", **options: bool) -> str:
    return interfaces.render(interfaces.with_renamed(interfaces.parse(text), old, new, **options))


@given(files)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    document = interfaces.parse(text)
    assert interfaces.render(document) == text
    for statement in document.statements:
        for word in statement.words:
            assert text[word.start : word.end].replace("\\\n", "") == word.value


def test_stanzas_with_their_family_method_addresses_and_options() -> None:
    document = interfaces.parse(SERVER)
    four, six = interfaces.named(document, "eth0")
    assert (four.family, four.method, four.addresses) == ("inet", "static", ("192.0.2.10/24",))
    assert (six.family, six.method, six.addresses) == ("inet6", "static", ("2001:db8::10",))
    assert six.values("netmask") == ("64",)
    assert [option.name for option in four.options] == ["address", "gateway", "up", "post-up"]
    assert four.commands[0].arguments[-2:] == ("dev", "eth0")
    assert four.statement.line == 9
    assert four.options[3].line == 14
    assert interfaces.started_at_boot(document) == ("lo", "eth0", "eth1", "eth0:1", "eth0.100", "vlan200", "br0")
    assert [(line.kind, line.value) for line in interfaces.sources(document)] == [
        ("source", "/etc/network/interfaces.d/*"),
        ("source-directory", "interfaces.d"),
    ]
    (bridge,) = interfaces.named(document, "br0")
    assert bridge.values("bridge-ports") == ("eth0 eth1",)
    assert bridge.values("bridge_stp") == ("off",)


def test_a_comment_is_not_continued_and_a_continued_line_may_begin_with_a_hash() -> None:
    document = interfaces.parse("# comment \\\nauto eth0 \\\n# eth1\n  # indented\nauto eth2\n")
    assert [statement.arguments for statement in document.statements] == [("eth0", "#", "eth1"), ("eth2",)]


def test_a_word_may_be_broken_by_a_continuation() -> None:
    document = interfaces.parse("auto et\\\nh0 \\\n  eth1\n")
    assert document.statements[0].arguments == ("eth0", "eth1")
    assert renamed("auto et\\\nh0 \\\n  eth1\n") == "auto enX0 \\\n  eth1\n"


def test_inheritance_in_its_forms() -> None:
    text = (
        "iface a inet dhcp inherits b\niface c inherits d\niface e inet inherits f\niface g\n inherit h\ntemplate i\n"
    )
    found = interfaces.parse(text).interfaces
    assert [(one.family, one.method, one.inherits) for one in found] == [
        ("inet", "dhcp", ("b",)),
        (None, None, ("d",)),
        ("inet", None, ("f",)),
        (None, None, ("h",)),
        (None, None, ()),
    ]
    assert found[-1].is_template


def test_an_option_without_a_stanza_is_misplaced() -> None:
    kinds = [
        statement.kind
        for statement in interfaces.parse("address 1\nauto x\naddress 2\niface x inet dhcp\nmtu 9\n").statements
    ]
    assert kinds == ["misplaced", "auto", "misplaced", "iface", "option"]


def test_a_mapping_has_its_patterns_and_options() -> None:
    (mapping,) = interfaces.parse("mapping eth0 wlan*\n  script /usr/local/sbin/map\n  map home eth0-home\n").mappings
    assert mapping.patterns == ("eth0", "wlan*")
    assert [option.value for option in mapping.options] == ["/usr/local/sbin/map", "home eth0-home"]


def test_a_rename_reaches_every_name_and_nothing_else() -> None:
    result = renamed(SERVER)
    expected = SERVER
    for before, after in [
        ("allow-hotplug eth0", "allow-hotplug enX0"),
        ("iface eth0", "iface enX0"),
        ("auto eth0", "auto enX0"),
        ("vlan_raw_device eth0", "vlan_raw_device enX0"),
        ("bridge_ports eth0", "bridge_ports enX0"),
    ]:
        expected = expected.replace(before, after)
    assert result == expected
    assert "dev eth0\n" in result
    assert "conf/eth0/proxy_arp" in result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("auto eth0 eth01 xeth0 eth0-x eth0.x\n", "auto enX0 eth01 xeth0 eth0-x eth0.x\n"),
        ("auto\teth0=home home=eth0 /eth*\n", "auto\tenX0=home home=enX0 /eth*\n"),
        ("iface eth0.100:2 inet dhcp\r\n", "iface enX0.100:2 inet dhcp\r\n"),
        ("iface x inet dhcp inherits eth0", "iface x inet dhcp inherits enX0"),
        ("mapping eth0\n map eth0 y\n script eth0", "mapping enX0\n map enX0 y\n script eth0"),
        ("rename eth0=wan", "rename enX0=wan"),
        ("no-auto-down eth0\nno-scripts eth0\n", "no-auto-down enX0\nno-scripts enX0\n"),
        ("iface b inet dhcp\n bond-slaves eth0 eth1\n slaves eth0\n bond-primary eth0", None),
        ("iface eth0 inet dhcp\n hostname eth0\n", "iface enX0 inet dhcp\n hostname eth0\n"),
        ("# auto eth0\n", "# auto eth0\n"),
    ],
)
def test_where_a_name_is_a_name(text: str, result: str | None) -> None:
    assert renamed(text) == (text.replace("eth0", "enX0") if result is None else result)


def test_commands_are_reported_and_renamed_only_when_asked_to() -> None:
    text = 'iface eth0 inet dhcp\n up ip a dev eth0; x "eth0.5" conf.eth0.y eth01\n down y eth0:1 /eth0/\n'
    document = interfaces.parse(text)
    found = interfaces.mentions(document, "eth0")
    assert [(mention.statement.name, mention.is_word) for mention in found] == [
        ("up", True),
        ("up", True),
        ("up", False),
        ("down", True),
        ("down", False),
    ]
    assert all(text[mention.start : mention.end] == "eth0" for mention in found)
    assert renamed(text) == text.replace("iface eth0", "iface enX0")
    assert renamed(text, commands=True) == (
        'iface enX0 inet dhcp\n up ip a dev enX0; x "enX0.5" conf.eth0.y eth01\n down y enX0:1 /eth0/\n'
    )


def test_two_interfaces_do_not_become_one() -> None:
    with pytest.raises(_errors.GuestError, match="one interface"):
        renamed("iface eth0 inet dhcp\niface enX0 inet dhcp\n")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:1", ".", "sixteen-letters-", "a\n"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(_errors.GuestError, match="cannot be the name"):
        renamed("auto eth0\n", new=name)


@given(files, st.booleans())
def test_a_rename_holds_and_repeated_changes_nothing(text: str, commands: bool) -> None:
    once = interfaces.with_renamed(interfaces.parse(text), "eth0", "enX0", commands=commands)
    assert not interfaces.named(once, "eth0")
    assert "eth0" not in interfaces.started_at_boot(once)
    assert len(interfaces.named(once, "enX0")) == len(interfaces.named(interfaces.parse(text), "eth0"))
    assert interfaces.with_renamed(once, "eth0", "enX0", commands=commands) is once
    if "enX0" not in text and "\\\n" not in text:
        back = interfaces.with_renamed(once, "enX0", "eth0", commands=commands)
        assert interfaces.render(back) == text


@pytest.mark.parametrize(
    "piece", ["auto eth0\n", "\\\n", "eth0 ", "\n", "iface eth0 inet dhcp\n up x eth0\n", "eth0.1", "\\"]
)
def test_a_hostile_text_takes_bounded_time(piece: str) -> None:
    text = "iface eth0 inet dhcp\n up " + piece * (250_000 // len(piece))
    started = time.process_time()
    document = interfaces.parse(text)
    interfaces.with_renamed(document, "eth0", "enX0", commands=True)
    assert document.text == text
    assert time.process_time() - started < 1.5


# As the installer of Debian 6 leaves it.
SQUEEZE = """\
# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
allow-hotplug eth0
iface eth0 inet static
\taddress 192.0.2.10
\tnetmask 255.255.255.0
\tnetwork 192.0.2.0
\tbroadcast 192.0.2.255
\tgateway 192.0.2.1
\t# dns-* options are implemented by the resolvconf package, if installed
\tdns-nameservers 192.0.2.53 192.0.2.54
\tdns-search example.org
"""
# As the installer of Debian 13 leaves it.
TRIXIE = """\
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug enX0
iface enX0 inet dhcp
# This is an autoconfigured IPv6 interface
iface enX0 inet6 auto
"""
# As cloud-init leaves it in interfaces.d.
CLOUD = """\
auto lo
iface lo inet loopback
    dns-nameservers 192.0.2.53

auto eth0
iface eth0 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1

# control-alias eth0
iface eth0 inet6 static
    address 2001:db8::10/64
    gateway 2001:db8::1
"""
# A server with VLANs on a bond.
BOND = """\
auto bond0
iface bond0 inet manual
    bond-slaves eth0 eth1
    bond-mode active-backup
    bond-miimon 100
auto bond0.7
iface bond0.7 inet static
    address 192.0.2.10/24
auto guests
iface guests inet manual
    vlan-raw-device bond0
"""
# A bridge as Proxmox VE has it.
BRIDGE = """\
iface eno1 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress 192.0.2.10/24
\tgateway 192.0.2.1
\tbridge-ports eno1
\tbridge-stp off
\tbridge-fd 0
"""


def read(text: str) -> tuple[Connection, ...]:
    return interfaces.connections(interfaces.parse(text))


LOOPBACK = Connection("loopback", "lo")


def test_what_installers_leave() -> None:
    assert read(SQUEEZE) == (
        LOOPBACK,
        Connection(
            "ethernet",
            "eth0",
            addresses=("192.0.2.10",),
            gateways=("192.0.2.1",),
            nameservers=("192.0.2.53", "192.0.2.54"),
        ),
    )
    assert read(TRIXIE) == (LOOPBACK, Connection("ethernet", "enX0", uses_dhcp=True))


def test_the_families_of_an_interface_are_one_connection() -> None:
    assert read(CLOUD)[1] == Connection(
        "ethernet", "eth0", addresses=("192.0.2.10/24", "2001:db8::10/64"), gateways=("192.0.2.1", "2001:db8::1")
    )


def test_bonds_bridges_vlans_and_aliases() -> None:
    assert read(BOND) == (
        Connection("bond", "bond0", lowers=("eth0", "eth1")),
        Connection("vlan", "bond0.7", lowers=("bond0",), addresses=("192.0.2.10/24",)),
        Connection("vlan", "guests", lowers=("bond0",)),
    )
    assert read(BRIDGE) == (
        Connection("ethernet", "eno1", is_automatic=False),
        Connection("bridge", "vmbr0", lowers=("eno1",), addresses=("192.0.2.10/24",), gateways=("192.0.2.1",)),
    )
    assert read("iface eth0:1 inet static\n address 192.0.2.11\n") == (
        Connection("other", "eth0:1", lowers=("eth0",), addresses=("192.0.2.11",), is_automatic=False),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iface eth0 inet manual\n bond-master bond0\n", Connection("ethernet", "eth0", uppers=("bond0",))),
        ("iface bond0 inet dhcp\n bond_mode 1\n bond-slaves none\n", Connection("bond", "bond0", uses_dhcp=True)),
        ("iface br0 inet manual\n bridge_ports none\n", Connection("bridge", "br0")),
        ("iface br0 inet manual\n bridge_ports eth0 regex veth.* noregex eth1\n",
         Connection("bridge", "br0", lowers=("eth0", "eth1"))),
        ("iface eth0 inet6 auto\n dhcp 1\n", Connection("ethernet", "eth0", uses_dhcp=True)),
        ("iface ppp0 inet ppp\n", Connection("other", "ppp0")),
        ("auto eth0=home\niface home inet dhcp\n", Connection("ethernet", "eth0", uses_dhcp=True)),
        ("auto /en*\niface enp0s3 inet manual\n", Connection("ethernet", "enp0s3")),
        ("auto /eth*=lan\niface lan inet manual\n", Connection("ethernet", None, patterns=("eth*",))),
        ("auto /mac/00:16:3E:0a:00:01=lan\niface lan inet manual\n",
         Connection("ethernet", None, macs=("00:16:3e:0a:00:01",))),
    ],
)  # fmt: skip
def test_what_a_stanza_says(text: str, expected: Connection) -> None:
    if not text.startswith("auto"):
        text = f"auto {text.split()[1]}\n{text}"
    assert read(text) == (expected,)


def test_templates_and_pieces_configure_nothing() -> None:
    assert read("template x\n mtu 9000\nauto eth0\naddress 192.0.2.1\n") == ()


@given(files)
def test_a_rename_renames_connections(text: str) -> None:
    document = interfaces.parse(text)
    after = interfaces.connections(interfaces.with_renamed(document, "eth0", "enX0"))
    assert len(after) == len(interfaces.connections(document))
    assert "eth0" not in [found.name for found in after]


@pytest.mark.parametrize("piece", ["auto eth%d\niface eth%d inet dhcp\n", "auto /*%d*a\niface x%d inet6 auto\n"])
def test_many_connections_take_bounded_time(piece: str) -> None:
    text = "".join([piece % (number, number) for number in range(5000)])
    started = time.process_time()
    assert len(read(text)) == 5000
    assert time.process_time() - started < 3
