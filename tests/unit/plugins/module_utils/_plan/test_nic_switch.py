# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Evidence, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import network_names, network_rules, nic_switch
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.switch_model import Rename
from ansible_collections.rehost.hyperv.tests.unit.network_guest import (
    MAC,
    MAC_2,
    XEN_MAC,
    XEN_MAC_2,
    build,
    carry_out,
    look,
    nic,
    pair,
    plan,
    running,
    texts,
)

INTERFACES = "/etc/network/interfaces"
ONE = f"=== {INTERFACES}\nauto lo\niface lo inet loopback\nauto enX0\niface enX0 inet dhcp\n"
ETH0 = ONE.replace("enX0", "eth0")
TWO = ONE + "auto enX1\niface enX1 inet static\n\taddress 192.0.2.2/24\n"
NETWORKD = "/etc/systemd/network/10-lan.network"
PROFILE = "/etc/NetworkManager/system-connections/wired.nmconnection"


def rules(*names: network_rules.Naming) -> str:
    return network_rules.render(names)


@pytest.mark.parametrize("name", ["enX0", "eth0", "ens3"])
def test_whichever_adapter_there_is_gets_the_configured_name_and_nothing_else_changes(
    name: str, tmp_path: pathlib.Path
) -> None:
    facts = build(tmp_path, ONE.replace("enX0", name))
    switch = plan(facts)
    assert texts(switch) == {network_rules.PATH: rules(network_rules.Naming(name))}
    assert switch.findings == ()
    assert [(found.configured, found.name, found.by) for found in switch.pairs] == [(name, name, "order")]
    after = carry_out(tmp_path, switch)
    assert not plan(after).plan


def test_names_of_xen_are_no_finding_once_the_rules_are_there(tmp_path: pathlib.Path) -> None:
    persistent = "/etc/udev/rules.d/70-persistent-net.rules"
    facts = build(
        tmp_path,
        ONE + f'=== {persistent}\nSUBSYSTEM=="net", ACTION=="add", ATTR{{address}}=="{XEN_MAC}", NAME="enX0"\n',
    )
    assert [found.id for found in network_names.find(facts)] == [*["network.xen-name"] * 2, "network.xen-mac"]
    assert all("nic_switch" in found.remedy for found in network_names.find(facts))
    assert network_names.find(carry_out(tmp_path, plan(facts))) == ()


@pytest.mark.parametrize(
    ("manifest", "after"),
    [
        (f"=== {NETWORKD}\n[Match]\nMACAddress={XEN_MAC}\n\n[Network]\nDHCP=yes\n", "[Match]\nName=net0\n"),
        (
            f"=== {PROFILE} mode=0600\n[connection]\nid=wired\ntype=ethernet\n\n[ethernet]\nmac-address={XEN_MAC}\n",
            "interface-name=net0\n",
        ),
    ],
)
def test_a_match_by_address_becomes_one_by_name(manifest: str, after: str, tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, manifest)
    assert [found.id for found in network_names.find(facts)] == ["network.xen-mac"]
    switch = plan(facts)
    path = manifest.split()[1]
    assert set(texts(switch)) == {network_rules.PATH, path}
    assert after in (texts(switch)[path] or "")
    assert XEN_MAC not in (texts(switch)[path] or "")
    changed = carry_out(tmp_path, switch)
    assert not plan(changed).plan
    assert network_names.find(changed) == ()


def test_adapters_that_are_matched_by_their_addresses_alone_get_names_of_their_own(tmp_path: pathlib.Path) -> None:
    second = NETWORKD.replace("10", "20")
    text = "=== %s\n[Match]\nMACAddress=%s\n\n[Network]\nDHCP=yes\n"
    switch = plan(build(tmp_path, text % (NETWORKD, XEN_MAC) + text % (second, XEN_MAC_2)))
    assert [(found.name, found.macs) for found in switch.pairs] == [("net0", (XEN_MAC,)), ("net1", (XEN_MAC_2,))]
    assert "Name=net0\n" in (texts(switch)[NETWORKD] or "")
    assert "Name=net1\n" in (texts(switch)[second] or "")
    assert not plan(carry_out(tmp_path, switch)).plan


def test_a_match_by_address_gets_the_name_that_the_adapter_has(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, f"=== {NETWORKD}\n[Match]\nMACAddress={XEN_MAC}\n\n[Network]\nDHCP=yes\n")
    switch = plan(running(facts, "xen", nic("enX0", "xen", XEN_MAC)))
    assert "Name=enX0\n" in (texts(switch)[NETWORKD] or "")
    assert network_rules.Naming("enX0") in network_rules.parse(texts(switch)[network_rules.PATH] or "")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("en*", "enX0"),
        ("ens?", "ens0"),
        ("en[ps]*", "enp0"),
        ("!eth* !wl*", "enX0"),
        ("!wl*", None),
        ("eth*", None),
        ("e*", None),
    ],
)
def test_a_glob_gets_a_name_that_it_matches_unless_it_matches_the_synthetic_one_s(
    pattern: str, name: str | None, tmp_path: pathlib.Path
) -> None:
    switch = plan(build(tmp_path, f"=== {NETWORKD}\n[Match]\nName={pattern}\n\n[Network]\nDHCP=yes\n"))
    assert [found.name for found in switch.pairs] == ([] if name is None else [name])


def test_a_glob_is_for_the_adapters_that_it_matches(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, f"=== {NETWORKD}\n[Match]\nName=en*\n\n[Network]\nDHCP=yes\n")
    live = running(facts, "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))
    assert [(found.name, found.macs) for found in plan(live).pairs] == [("enX0", (XEN_MAC,)), ("enX1", (XEN_MAC_2,))]


def test_several_adapters_are_told_apart_by_address_and_the_host_is_to_keep_them(tmp_path: pathlib.Path) -> None:
    facts = running(build(tmp_path, TWO), "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))
    switch = plan(facts, vm_name="web1")
    named = network_rules.parse(texts(switch)[network_rules.PATH] or "")
    assert named == (network_rules.Naming("enX0", (XEN_MAC,)), network_rules.Naming("enX1", (XEN_MAC_2,)))
    assert [action.action for action in switch.host_actions] == ["add-adapter", "add-adapter"]
    assert "-StaticMacAddress '00163E000001'" in switch.host_actions[0].powershell


def test_the_second_run_on_hyper_v_with_everything_in_its_place_changes_nothing(tmp_path: pathlib.Path) -> None:
    build(tmp_path, TWO)
    xen = running(look(tmp_path), "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))
    carry_out(tmp_path, plan(xen))
    there = running(look(tmp_path), "hyperv", nic("enX1", "synthetic", XEN_MAC_2), nic("enX0", "synthetic", XEN_MAC))
    switch = plan(there)
    assert not switch.plan
    assert (switch.renames, switch.host_actions, switch.findings) == ((), (), ())
    assert {found.configured: found.synthetic.mac for found in switch.pairs if found.synthetic} == {
        "enX0": XEN_MAC,
        "enX1": XEN_MAC_2,
    }


def test_both_adapters_there_the_synthetic_one_takes_the_name_and_the_legacy_one_steps_back(
    tmp_path: pathlib.Path,
) -> None:
    facts = running(build(tmp_path, ETH0), "hyperv", nic("eth0", "legacy", MAC), nic("eth1", "synthetic", MAC_2))
    switch = plan(facts, vm_name="it's")
    assert switch.renames == (Rename("eth0", "legacy0"), Rename("eth1", "eth0"))
    [found] = switch.pairs
    assert found.old is not None
    assert found.synthetic is not None
    assert (found.old.name, found.synthetic.name, found.by, found.macs) == ("eth0", "eth1", "order", ())
    [action] = switch.host_actions
    assert action.action == "remove-legacy-adapter"
    assert "Get-VMNetworkAdapter -VMName 'it''s' | Where-Object IsLegacy | Remove-VMNetworkAdapter" in action.powershell
    assert action.microsoft_hyperv is None
    assert action.why_not


def test_after_the_switch_nothing_is_left_to_do_but_to_remove_the_legacy_adapter(tmp_path: pathlib.Path) -> None:
    carry_out(tmp_path, plan(build(tmp_path, ETH0)))
    facts = running(look(tmp_path), "hyperv", nic("legacy0", "legacy", MAC), nic("eth0", "synthetic", MAC_2))
    switch = plan(facts)
    assert not switch.plan
    assert switch.renames == ()
    assert [action.action for action in switch.host_actions] == ["remove-legacy-adapter"]
    alone = plan(running(look(tmp_path), "hyperv", nic("eth0", "synthetic", MAC_2)))
    assert (bool(alone.plan), alone.renames, alone.host_actions) == (False, (), ())


def test_an_adapter_that_was_told_by_its_address_stays_so_when_the_other_is_away(tmp_path: pathlib.Path) -> None:
    facts = running(build(tmp_path, ONE), "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))
    carry_out(tmp_path, plan(facts))
    switch = plan(running(look(tmp_path), "hyperv", nic("enX0", "synthetic", XEN_MAC)))
    assert not switch.plan
    assert [found.macs for found in switch.pairs] == [(XEN_MAC,)]


def test_rules_for_the_only_adapter_are_made_anew_when_there_is_another(tmp_path: pathlib.Path) -> None:
    carry_out(tmp_path, plan(build(tmp_path, ONE)))
    facts = running(look(tmp_path), "hyperv", nic("enX0", "synthetic", MAC), nic("eth1", "synthetic", MAC_2))
    named = network_rules.parse(texts(plan(facts))[network_rules.PATH] or "")
    assert named == (network_rules.Naming("enX0", (MAC,)),)


def test_a_guest_made_on_hyper_v_with_synthetic_adapters_needs_nothing(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, ETH0 + "auto eth1\niface eth1 inet dhcp\n")
    live = running(facts, "hyperv", nic("eth0", "synthetic", MAC), nic("eth1", "synthetic", MAC_2))
    switch = plan(live)
    assert (bool(switch.plan), switch.renames, switch.host_actions) == (False, (), ())


def test_a_guest_that_finds_its_synthetic_adapter_by_its_address_needs_nothing(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, f"=== {NETWORKD}\n[Match]\nMACAddress={MAC}\n\n[Network]\nDHCP=yes\n")
    switch = plan(running(facts, "hyperv", nic("eth0", "synthetic", MAC)))
    assert (bool(switch.plan), switch.renames, switch.host_actions) == (False, (), ())


def test_a_virtual_function_is_never_an_adapter_of_its_own(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, ETH0)
    live = running(facts, "hyperv", nic("eth0", "synthetic", MAC), nic("enP1s2", "virtual-function", MAC))
    assert not plan(live).plan
    assert [found.name for found in plan(live).pairs] == ["eth0"]


@pytest.mark.parametrize("source", ["enX0", XEN_MAC, XEN_MAC.upper().replace(":", "-")])
def test_a_new_name_is_said_everywhere_and_given_on_both_hypervisors(source: str, tmp_path: pathlib.Path) -> None:
    text = ONE + "\tup ip route add 198.51.100.0/24 dev enX0\nauto enX0.7\niface enX0.7 inet manual\n"
    build(tmp_path, text + "=== /etc/sysctl.d/50-lan.conf\nnet.ipv4.conf.enX0.forwarding = 1\n")
    live = running(look(tmp_path), "xen", nic("enX0", "xen", XEN_MAC))
    switch = plan(live, pair(source, name="lan0"))
    after = texts(switch)[INTERFACES] or ""
    assert "iface lan0 inet dhcp" in after
    assert "auto lan0.7\niface lan0.7 inet manual" in after
    assert {(found.id, found.subject) for found in switch.findings} == {
        ("network.name-elsewhere", INTERFACES),
        ("network.name-elsewhere", "/etc/sysctl.d/50-lan.conf"),
    }
    carry_out(tmp_path, switch)
    before_reboot = running(look(tmp_path), "xen", nic("enX0", "xen", XEN_MAC))
    assert not plan(before_reboot, pair(source, name="lan0")).plan
    after_reboot = running(look(tmp_path), "xen", nic("lan0", "xen", XEN_MAC))
    assert not plan(after_reboot, pair(source, name="lan0")).plan


def test_kernel_names_of_several_adapters_are_refused_and_taken_with_names_of_their_own(
    tmp_path: pathlib.Path,
) -> None:
    facts = build(tmp_path, TWO.replace("enX", "eth"))
    live = running(facts, "xen", nic("eth0", "xen", XEN_MAC), nic("eth1", "xen", XEN_MAC_2))
    with pytest.raises(GuestError, match="cannot swap them safely"):
        plan(live)
    pairs = (pair("eth0", name="lan0"), pair("eth1", name="lan1"))
    carry_out(tmp_path, plan(live, *pairs))
    waiting = running(look(tmp_path), "xen", nic("eth0", "xen", XEN_MAC), nic("eth1", "xen", XEN_MAC_2))
    assert not plan(waiting, *pairs).plan
    there = running(look(tmp_path), "hyperv", nic("eth1", "synthetic", XEN_MAC), nic("eth0", "synthetic", XEN_MAC_2))
    switch = plan(there, *pairs)
    assert not switch.plan
    assert switch.renames == (Rename("eth1", "lan0"), Rename("eth0", "lan1"))


def test_names_that_wait_for_each_other_go_through_a_temporary_one(tmp_path: pathlib.Path) -> None:
    carry_out(
        tmp_path,
        plan(running(build(tmp_path, TWO), "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))),
    )
    there = running(look(tmp_path), "hyperv", nic("enX1", "synthetic", XEN_MAC), nic("enX0", "synthetic", XEN_MAC_2))
    assert plan(there).renames == (Rename("enX1", "rehost0"), Rename("enX0", "enX1"), Rename("rehost0", "enX0"))


def test_a_legacy_adapter_that_is_kept_is_left_alone_by_what_configures_adapters_unasked(
    tmp_path: pathlib.Path,
) -> None:
    manifest = (
        f"=== {NETWORKD}\n[Match]\nName=eth0\n\n[Network]\nDHCP=yes\n"
        f"=== {PROFILE} mode=0600\n[connection]\nid=spare\ntype=ethernet\n"
    )
    build(tmp_path, manifest)
    kept = plan(look(tmp_path), keep_legacy=True)
    written = texts(kept)
    assert "Unmanaged=yes" in (written["/etc/systemd/network/05-rehost-hyperv-legacy.network"] or "")
    there = carry_out(tmp_path, kept)
    assert not plan(there, keep_legacy=True).plan
    live = running(there, "hyperv", nic("legacy0", "legacy", MAC), nic("eth0", "synthetic", MAC_2))
    assert plan(live, keep_legacy=True).host_actions == ()
    assert set(texts(plan(there))) >= {"/etc/systemd/network/05-rehost-hyperv-legacy.network"}
    assert not plan(carry_out(tmp_path, plan(there))).plan


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ((pair("eth7"),), "eth7 is not configured"),
        ((pair("enX0", name="a" * 16),), "cannot be the name"),
        ((pair("enX0", name="a/b"),), "cannot be the name"),
        ((pair("enX0", name="lo"),), "taken"),
        ((pair("enX0", name="enX1"),), "taken"),
        ((pair("enX0", name="br0"),), "taken"),
        ((pair("enX0", name="legacy0"),), "taken"),
        ((pair("enX0", name='a"b'),), "none that udev gives"),
        ((pair("enX0", name="a$b"),), "none that udev gives"),
        ((pair("enX0", "nonsense"),), "no address"),
        ((pair("enX0", MAC), pair("enX1", MAC)), "two interfaces"),
        ((pair("enX0", MAC), pair(XEN_MAC, MAC_2)), "named twice"),
        ((pair("enX0", name="lan0"), pair("enX1", name="lan0")), "taken"),
    ],
)
def test_pairs_that_cannot_be_are_refused(
    pairs: tuple[nic_switch.WantedPair, ...], message: str, tmp_path: pathlib.Path
) -> None:
    facts = build(tmp_path, TWO + "iface br0 inet manual\n\tbridge_ports enX1\n")
    live = running(facts, "xen", nic("enX0", "xen", XEN_MAC), nic("enX1", "xen", XEN_MAC_2))
    with pytest.raises(GuestError, match=message):
        plan(live, *pairs)


def test_the_address_of_a_synthetic_adapter_that_is_not_there_is_refused_where_others_are(
    tmp_path: pathlib.Path,
) -> None:
    facts = build(tmp_path, ONE)
    with pytest.raises(GuestError, match=f"no synthetic adapter {MAC_2}"):
        plan(running(facts, "hyperv", nic("eth0", "synthetic", MAC)), pair("enX0", MAC_2))
    assert plan(running(facts, "xen", nic("enX0", "xen", XEN_MAC)), pair("enX0", MAC_2)).pairs[0].by == "operator"


def test_what_nothing_tells_apart_is_refused_with_both_sides(tmp_path: pathlib.Path) -> None:
    live = running(build(tmp_path, TWO), "hyperv", nic("eth0", "synthetic", MAC), nic("eth1", "synthetic", MAC_2))
    with pytest.raises(GuestError, match=f"enX0, enX1.*{MAC}.*{MAC_2}"):
        plan(live)
    switch = plan(live, pair("enX0", MAC_2), pair("enX1", MAC))
    assert switch.renames == (Rename("eth1", "enX0"), Rename("eth0", "enX1"))
    [finding] = nic_switch.find(live)
    assert (finding.id, finding.blocks) == ("network.cannot-be-switched", False)


def test_addresses_that_nobody_knows_are_refused(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, TWO)
    with pytest.raises(GuestError, match="address of enX0 is not known"):
        plan(facts)
    switch = plan(facts, pair("enX0", MAC), pair("enX1", MAC_2))
    assert [found.macs for found in switch.pairs] == [(MAC,), (MAC_2,)]


def test_addresses_are_taken_from_the_rules_and_link_files_that_name_adapters(tmp_path: pathlib.Path) -> None:
    link = "=== /etc/systemd/network/10-b.link\n[Match]\nMACAddress=%s\n\n[Link]\nName=enX1\n"
    rule = '=== /etc/udev/rules.d/70-persistent-net.rules\nSUBSYSTEM=="net", ATTR{address}=="%s", NAME="enX0"\n'
    switch = plan(build(tmp_path, TWO + rule % XEN_MAC + link % XEN_MAC_2))
    assert [found.macs for found in switch.pairs] == [(XEN_MAC,), (XEN_MAC_2,)]
    assert set(texts(switch)) == {network_rules.PATH}


def test_what_stands_on_an_adapter_is_named_from_the_lowest_up(tmp_path: pathlib.Path) -> None:
    text = (
        f"=== {INTERFACES}\nauto br0\niface br0 inet dhcp\n\tbridge_ports bond0.5\n"
        "iface bond0 inet manual\n\tbond-slaves enX0\n\tbond-mode active-backup\n"
        "iface bond0.5 inet manual\n"
    )
    switch = plan(build(tmp_path, text))
    assert [(found.configured, found.uppers) for found in switch.pairs] == [("enX0", ("bond0", "bond0.5", "br0"))]


def test_an_interface_left_behind_when_its_adapter_went_is_no_obstacle(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, TWO)
    assert [found.name for found in plan(running(facts, "xen", nic("enX0", "xen", XEN_MAC))).pairs] == ["enX0"]


@pytest.mark.parametrize(
    "manifest", ["", f"=== {INTERFACES}\nauto lo\niface lo inet loopback\n", "=== /etc/netplan/README\nnothing\n"]
)
def test_a_guest_without_a_network_configuration_has_nothing_to_switch(manifest: str, tmp_path: pathlib.Path) -> None:
    assert plan(build(tmp_path, manifest)) == nic_switch.Switch(Plan())


def test_containers_azure_and_physical_machines_are_left_alone(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, ONE)
    container = dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, is_container=True))
    azure = running(facts, "hyperv", nic("eth0", "synthetic", MAC))
    tag = Evidence("/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure", "firmware")
    azure = dataclasses.replace(
        azure, hypervisor=dataclasses.replace(azure.hypervisor, evidence=(*azure.hypervisor.evidence, tag))
    )
    for found in (container, azure, running(facts, "physical", nic("eth0", "other", MAC))):
        assert not plan(found).plan
        assert plan(found).pairs == ()
        with pytest.raises(GuestError, match="no adapter can be paired"):
            plan(found, pair("enX0", MAC))


def test_a_file_that_cannot_be_read_stops_everything(tmp_path: pathlib.Path) -> None:
    facts = dataclasses.replace(build(tmp_path, ONE), problems=(Problem("/etc/netplan/01.yaml", "it is damaged"),))
    with pytest.raises(GuestError, match="it is damaged") as caught:
        plan(facts)
    assert caught.value.path == "/etc/netplan/01.yaml"


def test_a_guest_without_udev_is_refused(tmp_path: pathlib.Path) -> None:
    build(tmp_path, ONE)
    (tmp_path / "etc/udev/udev.conf").unlink()
    with pytest.raises(GuestError, match="udev is not installed"):
        plan(look(tmp_path))
    (tmp_path / "etc/udev/udev.conf").write_text("")
    assert plan(look(tmp_path)).plan


def test_another_problem_of_the_guest_does_not(tmp_path: pathlib.Path) -> None:
    facts = dataclasses.replace(build(tmp_path, ONE), problems=(Problem("/boot/initrd.img", "it is damaged"),))
    assert plan(facts).plan


def test_an_address_that_the_configuration_sets_is_a_finding(tmp_path: pathlib.Path) -> None:
    facts = build(tmp_path, ONE + f"\thwaddress ether {XEN_MAC}\n")
    [finding] = plan(facts).findings
    assert (finding.id, finding.subject) == ("network.sets-address", INTERFACES)
    there = running(facts, "hyperv", nic("enX0", "synthetic", XEN_MAC))
    assert plan(there).findings == ()


def test_a_file_that_cloud_init_makes_anew_is_a_finding_when_it_changes(tmp_path: pathlib.Path) -> None:
    path = "/etc/systemd/network/10-cloud-init-eth0.network"
    facts = build(tmp_path, f"=== {path}\n[Match]\nMACAddress={XEN_MAC}\n\n[Network]\nDHCP=yes\n")
    assert [(found.id, found.subject) for found in plan(facts).findings] == [("network.cloud-init", path)]


def test_another_kind_of_adapter_cannot_be_renamed_as_the_rules_do_not_cover_it(tmp_path: pathlib.Path) -> None:
    facts = running(build(tmp_path, ONE), "xen", nic("enX0", "virtio", MAC))
    assert plan(facts).plan
    with pytest.raises(GuestError, match="virtio"):
        plan(facts, pair("enX0", name="lan0"))
