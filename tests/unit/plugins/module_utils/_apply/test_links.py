# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply import links
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.links import Address, Link
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.programs import Programs
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError, ToolMissingError
from ansible_collections.rehost.hyperv.tests.unit import child_process
from ansible_collections.rehost.hyperv.tests.unit.small_network import (
    NEW_MAC,
    OLD_MAC,
    ip,
    leave_for_new_namespaces,
    needs_namespaces,
)

PROGRAMS = Programs(print)


def in_a_guest(work: t.Callable[[], t.Any]) -> t.Any:
    """Does something where eth0 and eth1 are the only adapters, with a bridge and a macvlan on eth0."""
    needs_namespaces()

    def inside() -> t.Any:
        leave_for_new_namespaces()
        ip("link", "add", "eth0", "address", OLD_MAC, "type", "veth", "peer", "name", "far0")
        ip("link", "add", "eth1", "address", NEW_MAC, "type", "veth", "peer", "name", "far1")
        ip("link", "add", "br0", "type", "bridge")
        ip("link", "add", "mac0", "link", "br0", "type", "macvlan")
        ip("link", "set", "eth0", "master", "br0")
        ip("address", "add", "192.0.2.10/24", "dev", "br0")
        ip("address", "add", "192.0.2.11/24", "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
        return work()

    return child_process.call(inside)


def found() -> t.Dict[str, Link]:
    return {link.name: link for link in links.read_links(PROGRAMS)}


def test_links_are_read_with_what_they_are_made_of_and_their_addresses() -> None:
    shown = in_a_guest(found)
    assert (shown["eth0"].mac, shown["eth0"].master, shown["eth0"].lower) == (OLD_MAC, "br0", "")
    assert (shown["mac0"].kind, shown["mac0"].lower) == ("macvlan", "br0")
    assert shown["br0"].addresses == (Address("inet", "192.0.2.10", "global", is_lasting=True, is_usable=True),)
    assert [address.is_lasting for address in shown["eth0"].addresses] == [False]


def test_without_iproute2_the_error_says_what_is_missing() -> None:
    with pytest.raises(ToolMissingError, match="network interfaces cannot be read"):
        links.read_links(Programs(print, "/nowhere"))


def test_what_is_on_top_of_an_adapter_is_found_the_lowest_first() -> None:
    def names() -> t.List[str]:
        return [link.name for link in links.on_top_of(links.read_links(PROGRAMS), ["eth0"])]

    assert in_a_guest(names) == ["br0", "mac0"]


def test_a_virtual_function_and_its_synthetic_adapter_are_not_on_top_of_each_other() -> None:
    synthetic = Link(2, "eth0", NEW_MAC, True, "", "", "", ())
    function = Link(3, "enP1s2", NEW_MAC, True, "", "", "eth0", ())
    assert links.on_top_of([synthetic, function], ["eth0"]) == ()
    assert links.on_top_of([synthetic, function], ["enP1s2"]) == ()


def test_a_cleared_adapter_has_no_address_and_no_bridge_and_is_down() -> None:
    def work() -> t.Any:
        ip("link", "set", "eth0", "up")
        problems = links.clear(PROGRAMS, found()["eth0"].index)
        return problems, found()["eth0"], "br0" in found()

    problems, eth0, has_bridge = in_a_guest(work)
    assert (problems, eth0.addresses, eth0.master, eth0.is_up, has_bridge) == ([], (), "", False, True)


def test_what_is_made_of_a_cleared_adapter_goes() -> None:
    def work() -> bool:
        links.clear(PROGRAMS, found()["br0"].index)
        return "mac0" in found()

    assert not in_a_guest(work)


@pytest.mark.parametrize(
    ("first", "second"), [("legacy0", "eth0"), ("eth1", "eth0"), ("eth0", "lan0"), ("eth0", "eth1")]
)
def test_interfaces_get_their_names_whoever_has_them_now(first: str, second: str) -> None:
    def work() -> t.Any:
        ip("link", "set", "eth0", "up")
        before = found()
        links.give_names(PROGRAMS, {before["eth0"].index: first, before["eth1"].index: second})
        return {name: link.mac for name, link in found().items() if link.mac in (OLD_MAC, NEW_MAC)}

    named = in_a_guest(work)
    assert (named[first], named[second]) == (OLD_MAC, NEW_MAC)


def test_a_name_that_another_interface_has_is_an_error() -> None:
    def work() -> str:
        with pytest.raises(GuestError) as caught:
            links.give_names(PROGRAMS, {found()["eth0"].index: "br0"})
        return caught.value.message

    assert "cannot be named br0" in in_a_guest(work)


def test_only_lasting_addresses_that_no_file_has_are_unconfigured() -> None:
    def work() -> t.Any:
        ip("address", "add", "2001:db8::1:2/64", "dev", "br0")
        ip("address", "add", "2001:db8::215:5dff:fe00:1/64", "dev", "eth0")
        before = links.unconfigured_addresses(found().values())
        with open("/etc/network/interfaces", "w", encoding="utf-8") as stream:
            stream.write("  up ip address add 192.0.2.10/24 dev br0 # 2001:0DB8:0:0::1:0002\n")
        return before, links.unconfigured_addresses(found().values())

    before, after = in_a_guest(work)
    assert set(before) == {"192.0.2.10 on br0", "2001:db8::1:2 on br0"}
    assert after == ()


def test_an_interface_without_hardware_has_no_driver() -> None:
    assert links.driver_of("lo") == ""
    assert links.find_link([], 1) is None
