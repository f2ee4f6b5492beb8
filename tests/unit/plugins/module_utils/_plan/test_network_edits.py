# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import network_edits, network_pairs
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange
from ansible_collections.rehost.hyperv.tests.unit.network_guest import XEN_MAC, build, pair

NETWORK = "/etc/systemd/network/10-lan.network"
NETPLAN = "/etc/netplan/50-cloud-init.yaml"
PROFILE = "/etc/NetworkManager/system-connections/wired.nmconnection"
INTERFACES = "/etc/network/interfaces"


def edit(facts: GuestFacts, *pairs: network_pairs.WantedPair) -> dict[str, str | None]:
    return {change.path: change.after for change in network_edits.edit(facts, network_pairs.find(facts, pairs))}


def test_nothing_is_edited_where_adapters_are_known_by_the_name_that_they_keep(tmp_path: pathlib.Path) -> None:
    text = f"=== {INTERFACES}\nauto enX0\niface enX0 inet dhcp\n=== {NETWORK}\n[Match]\nName=enX1\n"
    facts = build(tmp_path, text)
    assert edit(facts, pair("enX0", XEN_MAC), pair("enX1", "00:15:5d:00:00:09")) == {}


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            NETWORK,
            f"# the office\n[Match]\nMACAddress={XEN_MAC}\n\n[Network]\nVLAN=office\n",
            "# the office\n[Match]\nName=net0\n\n[Network]\nVLAN=office\n",
        ),
        (
            NETPLAN,
            f"network:\n  ethernets:\n    lan:\n      match: # it\n        macaddress: '{XEN_MAC}'\n      dhcp4: yes\n",
            "network:\n  ethernets:\n    lan:\n      match: # it\n        name: 'net0'\n      dhcp4: yes\n",
        ),
        (
            NETPLAN,
            f"network:\n  ethernets:\n    a:\n      match: {{macaddress: '{XEN_MAC}'}}\n      set-name: eth0\n",
            "network:\n  ethernets:\n    a:\n      match: {name: 'eth0'}\n      set-name: eth0\n",
        ),
        (
            PROFILE,
            f"[connection]\nid=wired\ntype=ethernet\n\n[ethernet]\nmac-address={XEN_MAC.upper()}\n",
            "[connection]\nid=wired\ntype=ethernet\ninterface-name=net0\n\n[ethernet]\n",
        ),
    ],
)
def test_a_match_by_address_becomes_one_by_name_and_the_rest_stays(
    path: str, before: str, after: str, tmp_path: pathlib.Path
) -> None:
    assert edit(build(tmp_path, f"=== {path} mode=0600\n{before}")) == {path: after}


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            INTERFACES,
            "auto enX0 br0\niface enX0 inet manual # port\niface br0 inet dhcp\n  bridge_ports enX0\n",
            "auto lan0 br0\niface lan0 inet manual # port\niface br0 inet dhcp\n  bridge_ports lan0\n",
        ),
        (NETWORK, "[Match]\nName=enX0\n\n[Network]\nDHCP=yes\n", "[Match]\nName=lan0\n\n[Network]\nDHCP=yes\n"),
        (
            NETPLAN,
            "network:\n  ethernets:\n    enX0: {dhcp4: true}\n",
            "network:\n  ethernets:\n    lan0: {dhcp4: true}\n",
        ),
        (
            PROFILE,
            "[connection]\nid=wired\ntype=ethernet\ninterface-name=enX0\n",
            "[connection]\nid=wired\ntype=ethernet\ninterface-name=lan0\n",
        ),
    ],
)
def test_another_name_is_said_in_every_place_and_the_rest_stays(
    path: str, before: str, after: str, tmp_path: pathlib.Path
) -> None:
    facts = build(tmp_path, f"=== {path} mode=0600\n{before}")
    assert edit(facts, pair("enX0", name="lan0")) == {path: after}


def test_a_file_that_cannot_be_edited_is_named(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, f"=== {NETWORK}\n[Match]\nMACAddress={XEN_MAC} 00:16:3e:00:00:09\n\n[Network]\nDHCP=yes\n")
    with pytest.raises(GuestError) as caught:
        edit(facts, pair(XEN_MAC, XEN_MAC), pair("net1", "00:16:3e:00:00:09"))
    assert caught.value.path == NETWORK
    assert caught.value.message.startswith(NETWORK)


@pytest.mark.parametrize(
    ("stacks", "paths"),
    [
        (("network-manager", "ifupdown"), {network_edits.LEGACY_NETWORK_MANAGER}),
        (("netplan",), {network_edits.LEGACY_NETWORKD}),
        (("ifupdown",), set()),
    ],
)
def test_only_what_is_in_use_is_told_to_leave_the_legacy_adapter_alone(
    stacks: tuple[str, ...], paths: set[str], tmp_path: pathlib.Path
) -> None:
    facts = build(tmp_path, "")
    assert {change.path for change in network_edits.leave_legacy_alone(facts, stacks, is_kept=True)} == paths
    assert network_edits.leave_legacy_alone(facts, stacks, is_kept=False) == ()


def test_commands_and_other_files_that_speak_of_a_name_are_found(tmp_path: pathlib.Path) -> None:
    text = f"=== {INTERFACES}\nauto enX0\niface enX0 inet dhcp\n\tup ethtool -K enX0 tso off\n"
    facts = build(tmp_path, text + "=== /etc/nftables.conf\n# enX0\niif enX0 accept\n")
    kept = network_edits.findings(facts, network_pairs.find(facts))
    assert list(kept) == []
    renamed = network_edits.findings(facts, network_pairs.find(facts, [pair("enX0", name="lan0")]))
    assert [found.subject for found in renamed] == [INTERFACES, "/etc/nftables.conf"]


def test_a_change_of_what_cloud_init_makes_is_found_by_path_and_by_what_the_file_says() -> None:
    said = "# This file is generated from information provided by the datasource. cloud-init made it\n"
    changes = [FileChange(INTERFACES, text, "", "") for text in (said, "# mine\n")]
    assert [found.subject for found in network_edits.names_set_by_cloud_init(changes)] == [INTERFACES]
    assert len(list(network_edits.names_set_by_cloud_init([FileChange(NETPLAN, "", "x", "")]))) == 1
