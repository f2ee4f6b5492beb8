# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import network_pairs
from ansible_collections.rehost.hyperv.tests.unit.network_guest import (
    MAC,
    MAC_2,
    XEN_MAC,
    XEN_MAC_2,
    build,
    nic,
    pair,
    running,
)

INTERFACES = "=== /etc/network/interfaces\nauto enX0\niface enX0 inet dhcp\n"
TWO = INTERFACES + "auto enX1\niface enX1 inet dhcp\n"


def test_adapters_are_described_with_what_tells_them_apart() -> None:
    assert network_pairs.described([nic("eth0", "legacy", MAC)]) == f"eth0 (legacy, {MAC})"
    assert network_pairs.described([]) == "none"


@pytest.mark.parametrize(
    ("wanted", "by", "adapter"),
    [((), "order", MAC), ((pair("enX0", MAC),), "operator", MAC)],
)
def test_one_on_each_side_is_a_pair_by_order_and_by_the_operator_s_word(
    wanted: tuple[network_pairs.WantedPair, ...], by: str, adapter: str, tmp_path: pathlib.Path
) -> None:
    facts = running(build(tmp_path, INTERFACES), "hyperv", nic("eth0", "synthetic", MAC))
    [found] = network_pairs.find(facts, wanted)
    assert found.synthetic is not None
    assert (found.by, found.synthetic.mac) == (by, adapter)


def test_an_address_that_was_kept_makes_a_pair(tmp_path: pathlib.Path) -> None:
    facts = running(
        build(tmp_path, TWO),
        "hyperv",
        nic("enX0", "legacy", MAC),
        nic("enX1", "legacy", MAC_2),
        nic("eth0", "synthetic", MAC_2),
        nic("eth1", "synthetic", MAC),
    )
    found = network_pairs.find(facts)
    assert [(one.configured, one.by, one.synthetic.name if one.synthetic else None) for one in found] == [
        ("enX0", "mac", "eth1"),
        ("enX1", "mac", "eth0"),
    ]


def test_one_that_is_left_over_is_a_pair_by_order(tmp_path: pathlib.Path) -> None:
    facts = running(
        build(tmp_path, TWO),
        "hyperv",
        nic("enX0", "legacy", XEN_MAC),
        nic("enX1", "legacy", XEN_MAC_2),
        nic("eth0", "synthetic", MAC),
        nic("eth1", "synthetic", MAC_2),
    )
    found = network_pairs.find(facts, [pair("enX1", MAC)])
    assert [(one.configured, one.by, one.macs) for one in found] == [
        ("enX0", "order", (MAC_2, XEN_MAC)),
        ("enX1", "operator", (MAC, XEN_MAC_2)),
    ]


def test_a_second_adapter_that_is_not_configured_is_told_from_the_first_by_its_address(tmp_path: pathlib.Path) -> None:
    facts = running(build(tmp_path, INTERFACES), "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))
    [found] = network_pairs.find(facts)
    assert (found.configured, found.macs) == ("enX0", (XEN_MAC,))


def test_what_is_passed_through_or_virtual_is_nobody_s_adapter(tmp_path: pathlib.Path) -> None:
    text = INTERFACES.replace("enX0", "eth0") + (
        "auto enP1s1\niface enP1s1 inet dhcp\nauto eth0.5\niface eth0.5 inet manual\n"
        "auto eth0:1\niface eth0:1 inet dhcp\n"
    )
    facts = running(
        build(tmp_path, text),
        "hyperv",
        nic("eth0", "synthetic", MAC),
        nic("enP1s1", "virtual-function", MAC),
        nic("enp9s0", "other", MAC_2),
    )
    [found] = network_pairs.find(facts)
    assert (found.configured, found.by, found.macs, found.uppers) == ("eth0", "name", (), ("eth0.5", "eth0:1"))


def test_the_adapter_of_a_bridge_s_port_is_paired_though_only_the_bridge_is_configured(tmp_path: pathlib.Path) -> None:
    bridge = "=== /etc/network/interfaces\nauto br0\niface br0 inet dhcp\n\tbridge_ports enX0\n"
    [found] = network_pairs.find(build(tmp_path, bridge))
    assert (found.configured, found.stack, found.uppers) == ("enX0", "ifupdown", ("br0",))
