# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    GuestFacts,
    VmbusDevice,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.guest_state import (
    Address,
    Baseline,
    Listener,
    LoggedError,
    Mount,
    Route,
    State,
    Unit,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import verification
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Finding
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.verification import Verification, Wanted
from ansible_collections.rehost.hyperv.tests.unit import arrived_guest, small_guest, state_builder
from ansible_collections.rehost.hyperv.tests.unit.arrived_guest import DISK, LEGACY, SYNTHETIC, XEN

UNITS = state_builder.make().units


@pytest.fixture
def arrived(tmp_path: pathlib.Path) -> GuestFacts:
    return arrived_guest.make(tmp_path)


def verify(facts: GuestFacts, **wanted: t.Any) -> Verification:
    return verification.verify(facts, Wanted(**wanted))


def of_its_own(verified: Verification) -> t.List[Finding]:
    """Not what readiness adds, as there is no package of Hyper-V's daemons."""
    return [finding for finding in verified.findings if finding.id.startswith("verify.")]


def found_in(verified: Verification) -> t.Set[t.Tuple[str, str, str]]:
    return {(finding.id, finding.severity, finding.subject) for finding in of_its_own(verified)}


def now(facts: GuestFacts, **changes: t.Any) -> GuestFacts:
    return dataclasses.replace(facts, state=state_builder.make(**changes))


def then(facts: GuestFacts, **changes: t.Any) -> GuestFacts:
    return dataclasses.replace(facts, baseline=Baseline("xen-hvm", state_builder.make(**changes)))


def test_a_guest_that_is_as_it_was_is_verified_with_its_proofs(arrived: GuestFacts) -> None:
    found = verify(arrived)
    assert (found.verified, found.settled, found.hypervisor, found.has_baseline) == (True, True, "hyperv", True)
    assert found_in(found) == set()
    assert set(found.proofs) == {
        "it runs on Hyper-V",
        "2 devices on VMBus have their drivers",
        "the root file system is on sda, by hv_storvsc",
        "the default route leads through eth0, by hv_netvsc",
        "the clocksource is hyperv_clocksource_tsc_page",
        "no unit has failed that had not before",
        "nothing new is logged as an error",
        "all is there that was before: file systems by their UUIDs (2)",
        "all is there that was before: mounts and swap devices (2)",
        "addresses are as before: 192.0.2.10",
        "gateways are as before: 192.0.2.1",
        "name servers are as before: 192.0.2.53",
        "all is there that was before: services, sockets and timers (2)",
        "all is there that was before: open ports (2)",
        "it boots on Hyper-V again: generation 1",
    }


def test_a_tree_cannot_be_verified(tmp_path: pathlib.Path) -> None:
    found = verify(small_guest.look(tmp_path))
    assert ("verify.not-running", "error", "/") in found_in(found)
    assert (found.verified, found.settled) == (False, False)


def test_a_guest_elsewhere_is_not_verified_and_devices_of_hyperv_are_not_asked_for(arrived: GuestFacts) -> None:
    on_xen = dataclasses.replace(
        arrived,
        hypervisor=dataclasses.replace(arrived.hypervisor, evidence=(XEN,), vmbus=()),
        nics=(dataclasses.replace(SYNTHETIC, kind="xen"),),
        disks=(dataclasses.replace(DISK, kind="xen"),),
        clock=dataclasses.replace(arrived.clock, current="xen", available=("xen", "tsc")),
    )
    assert found_in(verify(on_xen)) == {("verify.hypervisor", "error", "xen-hvm")}
    assert verify(on_xen, hypervisor="xen").verified
    assert "it runs on Xen" in verify(on_xen, hypervisor="xen").proofs
    assert found_in(verify(arrived, hypervisor="xen")) == {("verify.hypervisor", "error", "hyperv")}


def test_what_must_be_bound_is_an_error_and_what_serves_is_a_warning(arrived: GuestFacts) -> None:
    kinds = ("network", "heartbeat", "mouse", "remote-desktop")
    vmbus = tuple([VmbusDevice(kind, "", kind, None) for kind in kinds])
    facts = dataclasses.replace(arrived, hypervisor=dataclasses.replace(arrived.hypervisor, vmbus=vmbus))
    assert found_in(verify(facts)) == {
        ("verify.unbound-device", "error", "network"),
        ("verify.unbound-device", "warning", "heartbeat"),
    }


def test_an_emulated_disk_is_an_error_only_under_the_root(arrived: GuestFacts) -> None:
    emulated = dataclasses.replace(DISK, kind="emulated", driver="ata_piix")
    facts = dataclasses.replace(arrived, disks=(emulated, dataclasses.replace(emulated, name="sdb")))
    assert found_in(verify(facts)) == {
        ("verify.emulated-disk", "error", "sda"),
        ("verify.emulated-disk", "warning", "sdb"),
    }


def test_the_legacy_adapter_may_stay_for_pxe_while_nothing_uses_it(arrived: GuestFacts) -> None:
    idle = dataclasses.replace(arrived, nics=(SYNTHETIC, LEGACY))
    assert found_in(verify(idle)) == {("verify.legacy-adapter", "warning", "legacy0")}
    assert verify(idle).verified
    assert "the default route leads through eth0, by hv_netvsc" in verify(idle).proofs
    assert found_in(verify(idle, keep_legacy=True)) == set()
    routed = now(idle, routes=(Route(4, "br0", "192.0.2.1", ("legacy0",)),))
    assert found_in(verify(routed, keep_legacy=True)) == {("verify.emulated-nic", "error", "legacy0")}
    addressed = now(idle, addresses=(Address("eth0", "192.0.2.10", 24, False), Address("legacy0", "10.0.0.1", 8, True)))
    assert found_in(verify(addressed, keep_legacy=True)) == {("verify.emulated-nic", "error", "legacy0")}


def test_a_wrong_clocksource_is_an_error(arrived: GuestFacts) -> None:
    clock = dataclasses.replace(arrived.clock, current="acpi_pm")
    assert found_in(verify(dataclasses.replace(arrived, clock=clock))) == {("verify.clocksource", "error", "acpi_pm")}


def test_a_guest_that_still_starts_is_not_settled(arrived: GuestFacts) -> None:
    found = verify(now(arrived, phase="starting"))
    assert (found.settled, found.verified) == (False, False)


def test_a_unit_that_failed_before_is_no_trouble_of_the_move(arrived: GuestFacts) -> None:
    failed = Unit("nginx.service", "failed", "failed", "enabled")
    units = (UNITS[0], failed, Unit("xe-daemon.service", "failed", "failed", "enabled"))
    assert found_in(verify(now(arrived, units=units))) == {("verify.unit-failed", "error", "nginx.service")}
    both = then(now(arrived, units=units), units=units)
    assert found_in(verify(both)) == {("verify.unit-failed", "info", "nginx.service")}
    assert "no unit has failed that had not before" in verify(both).proofs
    alone = dataclasses.replace(now(arrived, units=units), baseline=None)
    assert ("verify.unit-failed", "warning", "nginx.service") in found_in(verify(alone))


@pytest.mark.parametrize(
    ("unit", "counts"),
    [
        (Unit("a.service", "active", "running", "enabled"), True),
        (Unit("a.service", "active", "running", "generated"), True),
        (Unit("a.socket", "active", "listening", "enabled"), True),
        (Unit("a.timer", "active", "waiting", "enabled"), True),
        (Unit("postgresql@15-main.service", "active", "running", ""), True),
        (Unit("a.service", "active", "running", "static"), False),
        (Unit("a.service", "active", "exited", "enabled"), False),
        (Unit("a.service", "inactive", "dead", "enabled"), False),
        (Unit("a.mount", "active", "mounted", "enabled"), False),
        (Unit("user@1000.service", "active", "running", ""), False),
        (Unit("ssh@3-192.0.2.1:22-192.0.2.2:4711.service", "active", "running", ""), False),
        (Unit("serial-getty@hvc0.service", "active", "running", ""), False),
        (Unit("getty@tty1.service", "active", "running", ""), False),
        (Unit("xe-linux-distribution.service", "active", "running", "enabled"), False),
        (Unit("chrony.service", "active", "running", "enabled"), False),
        (Unit("session-1.scope", "active", "running", "transient"), False),
    ],
)
def test_only_what_is_up_all_the_time_must_be_up_again(arrived: GuestFacts, unit: Unit, counts: bool) -> None:
    expected = {("verify.unit-inactive", "error", unit.name)} if counts else set()
    before = then(arrived, units=(*UNITS, unit))
    assert found_in(verify(before)) == expected
    stopped = now(before, units=(*UNITS, unit._replace(active="inactive")))
    assert found_in(verify(stopped)) == expected
    assert found_in(verify(now(before, units=(*UNITS, unit._replace(active="active"))))) == set()


def test_one_time_service_may_take_the_place_of_another_but_one_must_run(arrived: GuestFacts) -> None:
    had = then(arrived, units=(*UNITS, Unit("systemd-timesyncd.service", "active", "running", "enabled")))
    assert found_in(verify(had)) == set()
    without = dataclasses.replace(had, clock=dataclasses.replace(had.clock, running=()))
    assert found_in(verify(without)) == {("verify.no-time-service", "error", "systemd-timesyncd.service")}


@pytest.mark.parametrize(
    ("listener", "expected"),
    [
        (Listener("tcp", 443, False), {("verify.port-closed", "error", "tcp/443")}),
        (Listener("udp", 514, True), {("verify.port-closed", "warning", "udp/514")}),
        (Listener("udp", 68, False), set()),
        (Listener("udp", 123, False), set()),
        (Listener("tcp", 40000, False), set()),
    ],
)
def test_ports_that_were_open_are_open(arrived: GuestFacts, listener: Listener, expected: t.Any) -> None:
    before = then(arrived, listeners=(*state_builder.make().listeners, listener))
    assert found_in(verify(before)) == expected
    assert found_in(verify(now(before, listeners=(*state_builder.make().listeners, listener)))) == set()


def test_a_port_that_is_only_open_to_the_guest_itself_is_closed_to_others(arrived: GuestFacts) -> None:
    facts = now(arrived, listeners=(Listener("tcp", 22, False), Listener("tcp", 80, True)))
    assert found_in(verify(facts)) == {("verify.port-closed", "error", "tcp/80")}


def test_disks_mounts_and_swap_are_as_before(arrived: GuestFacts) -> None:
    facts = now(arrived, file_systems=(), mounts=())
    assert found_in(verify(facts)) == {
        ("verify.disk-missing", "error", state_builder.ROOT),
        ("verify.disk-missing", "error", state_builder.SWAP),
        ("verify.mount-missing", "error", "/"),
        ("verify.mount-missing", "warning", "swap"),
    }


def test_a_mount_by_a_kernel_name_may_have_another_one_now(arrived: GuestFacts) -> None:
    mounts = state_builder.make().mounts
    facts = then(
        now(arrived, mounts=(*mounts, Mount("/srv", "xfs", "/dev/sdb"))),
        mounts=(*mounts, Mount("/srv", "xfs", "/dev/xvdb")),
    )
    assert found_in(verify(facts)) == set()
    by_uuid = then(facts, mounts=(*mounts, Mount("/srv", "xfs", "UUID=1")))
    assert found_in(verify(by_uuid)) == {("verify.mount-missing", "error", "/srv")}


def test_an_address_by_dhcp_may_be_another_and_one_of_router_advertisements_will_be(arrived: GuestFacts) -> None:
    held = (Address("eth0", "192.0.2.11", 24, True), Address("eth0", "2001:db8::1", 64, True))
    facts = then(arrived, addresses=(*state_builder.make().addresses, *held))
    assert found_in(verify(facts)) == {("verify.address-missing", "warning", "192.0.2.11")}
    static = now(arrived, addresses=())
    assert found_in(verify(static)) == {("verify.address-missing", "error", "192.0.2.10")}


def test_a_default_route_is_there_and_another_gateway_is_told(arrived: GuestFacts) -> None:
    assert found_in(verify(now(arrived, routes=()))) == {("verify.route-missing", "error", "192.0.2.1")}
    another = now(arrived, routes=(Route(4, "eth0", "192.0.2.254", ("eth0",)),), nameservers=())
    assert found_in(verify(another)) == {
        ("verify.route-missing", "warning", "192.0.2.1"),
        ("verify.nameservers-changed", "warning", "/etc/resolv.conf"),
    }


def error(source: str, message: str) -> LoggedError:
    return LoggedError(source, message, message, 1)


def test_new_errors_are_told_and_those_that_endanger_data_are_errors(arrived: GuestFacts) -> None:
    errors: t.Tuple[LoggedError, ...] = (
        *state_builder.make().errors,
        error("kernel", "sd 0:0:0:0: [sda] Assuming drive cache: write through"),
        error("sshd", "error: kex_exchange_identification: Connection closed by remote host"),
        error("nginx", "Assuming drive cache: write through"),
        error("kernel", "hv_netvsc 0015: unable to open channel: -11"),
        error("kernel", "EXT4-fs error (device sda1): ext4_lookup"),
    )
    found = verify(now(arrived, errors=errors))
    assert [(finding.severity, finding.subject) for finding in of_its_own(found)] == [
        ("error", "kernel"),
        ("error", "kernel"),
        ("warning", "nginx"),
    ]
    many = tuple([error("job", f"failed {'x' * number}") for number in range(100)])
    assert len(of_its_own(verify(now(arrived, errors=many)))) == verification.MAX_MESSAGES


def test_without_a_baseline_the_guest_is_judged_as_it_is(arrived: GuestFacts) -> None:
    alone = dataclasses.replace(arrived, baseline=None)
    found = verify(alone)
    assert found.verified
    assert {finding.id for finding in of_its_own(found)} == {"verify.no-baseline", "verify.new-error"}
    assert "everything in fstab is mounted" in found.proofs
    lines = (
        *(small_guest.ROOT_LINE,),
        "UUID=1 none swap sw 0 0",
        "UUID=2 /srv xfs defaults 0 0",
        "UUID=3 /x xfs noauto",
    )
    table = dataclasses.replace(alone.storage.fstab, text="".join(line + "\n" for line in lines))  # type: ignore[type-var]
    unmounted = dataclasses.replace(
        alone,
        storage=dataclasses.replace(alone.storage, fstab=table),
        state=state_builder.make(mounts=state_builder.make().mounts[:1], errors=()),
    )
    assert found_in(verify(unmounted)) - {("verify.no-baseline", "info", "/var/lib/rehost-hyperv/baseline.json")} == {
        ("verify.mount-missing", "warning", "swap"),
        ("verify.mount-missing", "error", "/srv"),
    }


def test_what_readiness_finds_is_part_of_it(arrived: GuestFacts) -> None:
    assert "integration.daemons-missing" in {finding.id for finding in verify(arrived).findings}


def test_the_same_facts_give_the_same_verdict(arrived: GuestFacts) -> None:
    broken: t.Optional[State] = state_builder.make(mounts=(), units=(), listeners=(), routes=())
    facts = dataclasses.replace(arrived, state=broken)
    assert verify(facts) == verify(facts)
    assert not verify(facts).verified
