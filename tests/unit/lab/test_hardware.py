# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab import LabError, hardware


def arguments(kind: str, *nics: str, disk: str = "/disk.raw") -> str:
    machine = hardware.choose(kind, nics)
    ports = dict.fromkeys(machine.networks, (20000, 20001, 20002, 20003))
    return "\n".join(machine.arguments(Path(disk), "raw", ports))


def networks(kind: str, *nics: str) -> list[str]:
    """The lines that are about network adapters and what they are connected to."""
    return [line for line in arguments(kind, *nics).split("\n") if re.search(r"user,|hub|netdev=", line)]


@pytest.mark.parametrize("kind", hardware.KINDS)
def test_every_kind_shows_the_disk_to_the_bios_and_to_the_guest(kind: str) -> None:
    by_bios = 0 if hardware.choose(kind).needs_direct_boot else 1
    assert arguments(kind).count("drive=disk0,") == by_bios + 1


def test_generation_2_has_nothing_emulated_and_starts_a_kernel_that_it_is_given() -> None:
    machine = hardware.choose("hyperv-gen2")
    boot = hardware.DirectBoot("vmlinuz", "initrd", "root=/dev/sda1, quiet")
    words = machine.arguments(Path("/disk.raw"), "raw", {"lan1": (1, 2, 3, 4)}, boot)
    text = "\n".join(words)
    assert "ide-hd" not in text
    assert "tulip" not in text
    assert "pc-q35" in text
    assert words[words.index("-append") + 1] == "root=/dev/sda1, quiet"


def test_a_hyperv_machine_has_the_synthetic_nic_unless_told_otherwise() -> None:
    text = arguments("hyperv-gen1")
    assert "hv-net," in text
    assert "tulip" not in text


def test_a_hyperv_machine_may_have_both_nics_in_the_order_asked_for_each_on_its_own_network() -> None:
    lan1, lan2, legacy, synthetic = networks("hyperv-gen1", "legacy", "synthetic")
    assert legacy == "tulip,dec21140=on,id=legacy,mac=00:15:5d:01:02:04,netdev=lan1"
    assert synthetic.startswith("hv-net,id=synthetic,mac=00:15:5d:01:02:03,")
    assert synthetic.endswith(",netdev=lan2")
    assert lan1.startswith("user,id=lan1,net=10.0.2.0/24,ipv6=off,hostfwd=tcp:127.0.0.1:20000-10.0.2.15:22")
    assert lan2.startswith("user,id=lan2,net=10.0.3.0/24,ipv6=off,hostfwd=tcp:127.0.0.1:20000-10.0.3.15:22")


def test_two_nics_on_one_segment_hear_each_other_and_its_host() -> None:
    host, host_port, *nics = networks("hyperv-gen1", "legacy@lan2", "synthetic@lan2")
    assert host.startswith("user,id=lan2,net=10.0.3.0/24,")
    assert host_port == "hubport,id=lan2-host,hubid=1,netdev=lan2"
    assert nics[::2] == ["hubport,id=port0,hubid=1", "hubport,id=port1,hubid=1"]
    assert [nic.rpartition(",")[2] for nic in nics[1::2]] == ["netdev=port0", "netdev=port1"]


def test_on_a_dead_switch_nobody_else_is() -> None:
    host, *nics = networks("hyperv-gen1", "legacy", "synthetic@dead", "synthetic@dead")
    assert host.startswith("user,id=lan1,")
    hubs = [line.rpartition("=")[2] for line in nics if line.startswith("hubport")]
    assert len(set(hubs)) == 2
    assert hardware.choose("hyperv-gen1", ["synthetic@dead"]).networks == ()


def test_a_segment_is_the_same_network_whichever_nics_a_machine_has() -> None:
    assert "net=10.0.4.0/24" in arguments("xenserver", "vif@lan3")


def test_a_second_nic_of_its_kind_has_a_name_and_an_address_of_its_own() -> None:
    (*_hosts, first, second) = networks("xenserver", "vif", "vif")
    assert first == "xen-net-device,id=vif,mac=00:16:3e:01:02:03,netdev=lan1"
    assert second == "xen-net-device,id=vif2,mac=00:16:3e:01:02:05,netdev=lan2"


def test_the_slot_of_a_nic_stays_when_its_address_changes() -> None:
    def instance(nic: str) -> str:
        return arguments("hyperv-gen1", nic).rpartition("instanceid=")[2].partition(",")[0]

    other = "synthetic,mac=00:16:3e:0a:0b:0c"
    assert "mac=00:16:3e:0a:0b:0c" in arguments("hyperv-gen1", other)
    # The first six bytes are what Hyper-V makes an instance of, too.
    assert instance(other) == instance("synthetic") == "00155d01-0203-0015-5d01-020300155d01"


def test_a_cable_may_be_out_from_the_start() -> None:
    nics = hardware.choose("hyperv-gen1", ["legacy", "synthetic@lan1,mac=00:15:5d:00:00:01,link=down"]).nics
    assert [nic.is_linked for nic in nics] == [True, False]


def test_the_name_of_a_disk_may_hold_a_comma() -> None:
    assert "filename=/a,,b.raw," in arguments("xenserver", disk="/a,b.raw")


@pytest.mark.parametrize(
    ("kind", "nic", "reason"),
    [
        ("hyperv-gen1", "vif", "has no NIC vif: there are synthetic, legacy"),
        ("xenserver", "legacy", "has no NIC legacy: there are vif"),
        ("xenserver", "vif@lan9", "no segment lan9: there are lan1, .*, dead"),
        ("xenserver", "vif,mac=00:16:3E:01:02:03", "lower case"),
        ("xenserver", "vif,vlan=3", "is no NIC"),
    ],
)
def test_a_nic_that_cannot_be_is_refused_with_what_can(kind: str, nic: str, reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        hardware.choose(kind, [nic])


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match="hyperv-gen1, hyperv-gen2, xenserver"):
        hardware.choose("hyperv-gen3")
