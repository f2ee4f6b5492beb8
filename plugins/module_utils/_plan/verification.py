# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a running guest has arrived: on the right hypervisor, by its synthetic devices, and as well as before."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import log_messages, xen
from .._formats import fstab
from . import clocksource, hypervisor, readiness
from .adaptation import HYPERVISORS
from .model import Finding

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Nic
    from .._formats.guest_state import LoggedError, State, Unit

MAX_MESSAGES = 20  # new kinds of errors that are listed
_STARTING = ("initializing", "starting")
_NEEDED_DEVICES = ("network", "scsi", "ide", "fibre-channel")
_SERVICE_DEVICES = ("timesync", "shutdown", "heartbeat", "kvp", "vss", "dynamic-memory")
_NOT_SYNTHETIC = ("legacy", "emulated", "xen")
_TIME_UNITS = re.compile(r"(?:chrony|chronyd|ntp|ntpd|ntpsec|openntpd|systemd-timesyncd|time-sync|ntpdate)\.")
_TIME_PORTS = (123, 323)
_CONSOLES = re.compile(r"(?:serial-|container-|console-)?getty@?")
_PASSING_INSTANCE = re.compile(r"user(?:-runtime-dir)?@|@\d+-[^-]*:\d+-")  # of a login, of a connection
_KEPT_RUNNING = ("enabled", "enabled-runtime", "generated", "alias", "linked", "linked-runtime")
_ACTIVE = ("active", "activating", "reloading")
_MOST_PORTS = 32768  # above, ports are given out by the kernel
_DHCP_PORTS = (68, 546)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """hypervisor: a key of HYPERVISORS. keep_legacy: the legacy adapter may stay attached, unused, for PXE."""

    hypervisor: str = "hyperv"
    keep_legacy: bool = False


@dataclasses.dataclass(frozen=True)
class Verification:
    """verified: no finding is an error. settled: the guest has finished its boot. proofs: what was shown, in
    sentences."""

    verified: bool
    settled: bool
    hypervisor: str
    has_baseline: bool
    findings: tuple[Finding, ...]
    proofs: tuple[str, ...]


def verify(facts: GuestFacts, wanted: Wanted) -> Verification:
    """The verdict on a running guest."""
    state = facts.state
    verdict = hypervisor.judge(facts.hypervisor)
    is_there = verdict.name in HYPERVISORS[wanted.hypervisor]
    findings: list[Finding] = []
    proofs: list[str] = []
    for check, proof in _checks(facts, wanted, is_there):
        found = list(check)
        findings += found
        if proof and all(finding.severity == "info" for finding in found):
            proofs.append(proof)
    judged = readiness.assess(facts)
    findings += judged.findings
    if judged.ready and not any(finding.severity == "error" for finding in judged.findings):
        proofs.append(f"it boots on Hyper-V again: generation {' and '.join(map(str, judged.generations))}")
    order = {"error": 0, "warning": 1, "info": 2}
    findings.sort(key=lambda finding: (order[finding.severity], finding.id, finding.subject))
    return Verification(
        verified=not any(finding.severity == "error" for finding in findings),
        settled=state is not None and state.phase not in _STARTING,
        hypervisor=verdict.name,
        has_baseline=facts.baseline is not None,
        findings=tuple(findings),
        proofs=tuple(proofs),
    )


Check = t.Tuple[t.Iterable[Finding], str]


def _checks(facts: GuestFacts, wanted: Wanted, is_there: bool) -> t.Iterator[Check]:
    """Each check, and what it shows when it finds nothing."""
    state = facts.state
    if state is None:
        yield _not_running(), ""
        return
    title = "Hyper-V" if wanted.hypervisor == "hyperv" else "Xen"
    yield _elsewhere(facts, wanted, is_there), f"it runs on {title}"
    yield _still_starting(state), ""
    if is_there and wanted.hypervisor == "hyperv":
        bound = [device for device in facts.hypervisor.vmbus if device.kind in (*_NEEDED_DEVICES, *_SERVICE_DEVICES)]
        yield _unbound_devices(facts), f"{len(bound)} devices on VMBus have their drivers" if bound else ""
        yield (
            _emulated_disks(facts, state),
            f"the root file system is on {', '.join(state.root_disks)}, by hv_storvsc" if state.root_disks else "",
        )
        used = sorted({nic for route in state.routes for nic in route.nics})
        if not wanted.keep_legacy:
            yield _idle_legacy_nics(facts, state), ""
        yield (
            _emulated_nics(facts, state),
            f"the default route leads through {', '.join(used)}, by hv_netvsc" if used else "",
        )
        yield _clocksource(facts), f"the clocksource is {facts.clock.current}"
    yield _failed_units(facts, state), "no unit has failed that had not before" if facts.baseline else "no unit failed"
    yield _new_errors(facts, state), "nothing new is logged as an error"
    if facts.baseline is None:
        yield _no_baseline(), ""
        yield _unmounted(facts, state), "everything in fstab is mounted"
        return
    before = facts.baseline.state
    yield _missing_disks(before, state), _all_there("file systems by their UUIDs", len(before.file_systems))
    yield _missing_mounts(before, state), _all_there("mounts and swap devices", len(before.mounts))
    yield _missing_addresses(before, state), _as_before("addresses", [held.address for held in before.addresses])
    yield _missing_routes(before, state), _as_before("gateways", [route.gateway for route in before.routes])
    yield _changed_nameservers(before, state), _as_before("name servers", before.nameservers)
    running = [unit for unit in before.units if _is_lasting(unit)]
    yield _stopped_units(running, state), _all_there("services, sockets and timers", len(running))
    yield _stopped_time_service(facts, before), ""
    yield _closed_ports(before, state), _all_there("open ports", len(before.listeners))


def _all_there(what: str, count: int) -> str:
    return f"all is there that was before: {what} ({count})" if count else ""


def _as_before(what: str, values: t.Sequence[str]) -> str:
    return f"{what} are as before: {', '.join(dict.fromkeys(values))}" if values else ""


def _not_running() -> t.Iterator[Finding]:
    yield Finding(
        "verify.not-running",
        "error",
        "/",
        "the guest is not running here, and only a running guest can be verified",
        "run the module on the guest itself",
    )


def _elsewhere(facts: GuestFacts, wanted: Wanted, is_there: bool) -> t.Iterator[Finding]:
    if not is_there:
        verdict = hypervisor.judge(facts.hypervisor)
        title = "Hyper-V" if wanted.hypervisor == "hyperv" else "Xen"
        yield Finding(
            "verify.hypervisor",
            "error",
            verdict.name,
            f"the guest is to be verified on {title}. {verdict.explanation}",
            "start it there; guest_info shows the evidence if the verdict is wrong",
        )


def _still_starting(state: State) -> t.Iterator[Finding]:
    if state.phase in _STARTING:
        yield Finding(
            "verify.still-starting",
            "error",
            "systemd",
            f"the guest has not finished its boot (systemd says {state.phase}), so that services may yet come up",
            "wait and verify again; systemctl list-jobs shows what it waits for",
        )


def _unbound_devices(facts: GuestFacts) -> t.Iterator[Finding]:
    for device in facts.hypervisor.vmbus:
        is_needed = device.kind in _NEEDED_DEVICES
        if device.driver is None and (is_needed or device.kind in _SERVICE_DEVICES):
            yield Finding(
                "verify.unbound-device",
                "error" if is_needed else "warning",
                device.id,
                f"no driver serves the device {device.kind} on VMBus ({device.id})",
                "load the module (modprobe hv_netvsc, hv_storvsc, hv_utils, hv_balloon) and look what the kernel log "
                "says; a blacklist in /etc/modprobe.d keeps it away, or the kernel does not have it",
            )


def _emulated_disks(facts: GuestFacts, state: State) -> t.Iterator[Finding]:
    for disk in facts.disks:
        is_root = disk.name in state.root_disks
        if disk.kind in ("emulated", "xen"):
            yield Finding(
                "verify.emulated-disk",
                "error" if is_root else "warning",
                disk.name,
                f"{disk.name}{', which holds the root file system,' if is_root else ''} is served by {disk.driver}, "
                "not by hv_storvsc: every access to it stops the guest",
                "initramfs_modules puts hv_storvsc into the initramfs; then restart the guest",
            )


def _emulated_nics(facts: GuestFacts, state: State) -> t.Iterator[Finding]:
    routed = {nic for route in state.routes for nic in route.nics}
    for nic in facts.nics:
        if nic.kind in _NOT_SYNTHETIC and nic.name in _used_nics(state):
            yield _emulated_nic(nic, nic.name in routed)


def _idle_legacy_nics(facts: GuestFacts, state: State) -> t.Iterator[Finding]:
    for nic in facts.nics:
        if nic.kind == "legacy" and nic.name not in _used_nics(state):
            yield Finding(
                "verify.legacy-adapter",
                "warning",
                nic.name,
                f"the legacy network adapter ({nic.name}) is still attached, and nothing uses it",
                "shut the guest down and remove it on the host (Remove-VMNetworkAdapter), or say that it is kept for "
                "PXE (keep_legacy)",
            )


def _used_nics(state: State) -> set[str]:
    return {nic for route in state.routes for nic in route.nics} | {address.interface for address in state.addresses}


def _emulated_nic(nic: Nic, is_routed: bool) -> Finding:
    carries = "carries the default route" if is_routed else "has an address"
    return Finding(
        "verify.emulated-nic",
        "error",
        nic.name,
        f"{nic.name} {carries}, and is an adapter of the kind {nic.kind} (driver {nic.driver}), not the synthetic one",
        "nic_switch moves the network configuration to the synthetic adapter",
    )


def _clocksource(facts: GuestFacts) -> t.Iterator[Finding]:
    verdict = clocksource.judge(facts)
    if verdict.is_right is False:
        yield Finding(
            "verify.clocksource",
            "error",
            verdict.current or "clocksource0",
            verdict.reason,
            "take away what forces it from the kernel's command line (clocksource=, notsc) and restart the guest",
        )


def _failed_units(facts: GuestFacts, state: State) -> t.Iterator[Finding]:
    before = facts.baseline.state.units if facts.baseline else ()
    failed_before = {unit.name for unit in before if unit.active == "failed"}
    for unit in state.units:
        if unit.active == "failed" and not _belongs_to_xen(unit.name):
            is_known = unit.name in failed_before
            yield Finding(
                "verify.unit-failed",
                "info" if is_known else "error" if facts.baseline else "warning",
                unit.name,
                f"{unit.name} has failed" + (", as it had before the move" if is_known else ""),
                f"systemctl status {unit.name} says why",
            )


def _new_errors(facts: GuestFacts, state: State) -> t.Iterator[Finding]:
    known = {(error.source, error.pattern) for error in facts.baseline.state.errors} if facts.baseline else set()
    new = [error for error in state.errors if (error.source, error.pattern) not in known and not _is_harmless(error)]
    for error in sorted(new, key=lambda error: not _is_grave(error))[:MAX_MESSAGES]:
        times = f" ({error.times} times)" if error.times > 1 else ""
        yield Finding(
            "verify.new-error",
            "error" if _is_grave(error) else "warning",
            error.source,
            f"{error.source} logged an error in this boot{times}"
            f"{' that it had not before the move' if facts.baseline else ''}: {error.message}",
            "journalctl --boot --priority=err shows it with its time",
        )


def _is_harmless(error: LoggedError) -> bool:
    patterns = log_messages.HARMLESS_ON_HYPERV if error.source == "kernel" else log_messages.HARMLESS_OF_PROGRAMS
    return any(re.search(pattern, error.message) for pattern in patterns)


def _is_grave(error: LoggedError) -> bool:
    return error.source == "kernel" and any(re.search(pattern, error.message) for pattern in log_messages.GRAVE)


def _no_baseline() -> t.Iterator[Finding]:
    yield Finding(
        "verify.no-baseline",
        "info",
        "/var/lib/rehost-hyperv/baseline.json",
        "nobody wrote down how the guest was before the move, so that services, addresses and mounts were not compared",
        "prepare does, on guests that still run on XenServer",
    )


def _unmounted(facts: GuestFacts, state: State) -> t.Iterator[Finding]:
    if facts.storage.fstab is None:
        return
    mounted = {mount.point for mount in state.mounts}
    for entry in fstab.entries(fstab.parse(facts.storage.fstab.text)):
        is_disk = entry.spec.startswith(("UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "/dev/"))
        is_wanted = is_disk and not {"noauto", "nofail", "bind", "rbind"} & set(entry.options)
        point = "swap" if entry.fs_type == "swap" else entry.mount_point
        if is_wanted and point not in mounted:
            yield _missing_mount(point, entry.spec)


def _missing_disks(before: State, state: State) -> t.Iterator[Finding]:
    for uuid in before.file_systems:
        if uuid not in state.file_systems:
            yield Finding(
                "verify.disk-missing",
                "error",
                uuid,
                f"the file system {uuid} was there before the move, and is not now",
                "attach the disk that holds it to the virtual machine",
            )


def _missing_mounts(before: State, state: State) -> t.Iterator[Finding]:
    now = {(mount.point, mount.source) for mount in state.mounts}
    points = {mount.point for mount in state.mounts if mount.kind != "swap"}
    for mount in before.mounts:
        is_same = (mount.point, mount.source) in now
        # a name without a UUID may be another on another hypervisor
        if not is_same and (mount.point not in points or mount.source.startswith("UUID=")):
            yield _missing_mount(mount.point, mount.source)


def _missing_mount(point: str, source: str) -> Finding:
    is_swap = point == "swap"
    return Finding(
        "verify.mount-missing",
        "warning" if is_swap else "error",
        point,
        f"the swap device {source} is not in use" if is_swap else f"{source} is not mounted at {point}",
        "journalctl --boot and systemctl --failed say why; mend /etc/fstab or attach the disk",
    )


def _missing_addresses(before: State, state: State) -> t.Iterator[Finding]:
    now = {held.address for held in state.addresses}
    for held in before.addresses:
        if held.address in now or (held.is_dynamic and ":" in held.address):
            continue  # IPv6 addresses of router advertisements are made from the MAC address
        given = "which it had by DHCP" if held.is_dynamic else "which is configured"
        yield Finding(
            "verify.address-missing",
            "warning" if held.is_dynamic else "error",
            held.address,
            f"the guest had the address {held.address}/{held.prefix} on {held.interface}, {given}, and has it no more",
            "keep the MAC address for the sake of the DHCP server (Set-VMNetworkAdapter -StaticMacAddress), or tell "
            "the server"
            if held.is_dynamic
            else "nic_switch moves the network configuration to the adapter that is there",
        )


def _missing_routes(before: State, state: State) -> t.Iterator[Finding]:
    now = {(route.family, route.gateway) for route in state.routes}
    families = {route.family for route in state.routes}
    for family, gateway in dict.fromkeys((route.family, route.gateway) for route in before.routes):
        if (family, gateway) in now:
            continue
        has_another = family in families
        yield Finding(
            "verify.route-missing",
            "warning" if has_another else "error",
            gateway or f"IPv{family}",
            f"the default route of IPv{family} through {gateway or 'the link'} from before the move is gone"
            + (", and there is another" if has_another else ", and there is none"),
            "look at the network configuration; ip route shows what there is",
        )


def _changed_nameservers(before: State, state: State) -> t.Iterator[Finding]:
    if set(before.nameservers) != set(state.nameservers):
        yield Finding(
            "verify.nameservers-changed",
            "warning",
            "/etc/resolv.conf",
            f"name servers are {', '.join(state.nameservers) or 'none'}; before the move they were "
            f"{', '.join(before.nameservers) or 'none'}",
            "look whether names are found; DHCP may give others on another network",
        )


def _stopped_units(running: t.Iterable[Unit], state: State) -> t.Iterator[Finding]:
    now = {unit.name: unit for unit in state.units}
    for before in running:
        unit = now.get(before.name)
        if unit is not None and (unit.active in _ACTIVE or unit.active == "failed"):
            continue  # those that failed are findings of their own
        yield Finding(
            "verify.unit-inactive",
            "error",
            before.name,
            f"{before.name} was active before the move, and is not now",
            f"systemctl status {before.name} says why",
        )


def _is_lasting(unit: Unit) -> bool:
    """Whether a unit is up all the time: not one that does its work and ends, or is started when it is asked for."""
    if unit.active != "active" or unit.sub not in ("running", "listening", "waiting"):
        return False
    if _belongs_to_xen(unit.name) or _TIME_UNITS.match(unit.name) or _CONSOLES.match(unit.name):
        return False
    if not unit.name.endswith((".service", ".socket", ".timer")):
        return False
    if unit.file:
        return unit.file in _KEPT_RUNNING
    return "@" in unit.name and _PASSING_INSTANCE.search(unit.name) is None


def _belongs_to_xen(name: str) -> bool:
    return name in xen.TOOL_UNITS or re.search(r"[hx]vc\d", name) is not None


def _stopped_time_service(facts: GuestFacts, before: State) -> t.Iterator[Finding]:
    had = [unit.name for unit in before.units if _TIME_UNITS.match(unit.name) and unit.sub == "running"]
    if had and not facts.clock.running:
        yield Finding(
            "verify.no-time-service",
            "error",
            had[0],
            f"{had[0]} kept the time before the move, and now no time service runs",
            f"systemctl status {had[0]} says why",
        )


def _closed_ports(before: State, state: State) -> t.Iterator[Finding]:
    for was in before.listeners:
        is_passing = was.port >= _MOST_PORTS or (was.protocol == "udp" and was.port in (*_DHCP_PORTS, *_TIME_PORTS))
        # one that was open to others must not be open to this host alone
        is_open = any(
            (now.protocol, now.port) == (was.protocol, was.port) and (was.is_local or not now.is_local)
            for now in state.listeners
        )
        if not is_passing and not is_open:
            yield Finding(
                "verify.port-closed",
                "error" if was.protocol == "tcp" else "warning",
                f"{was.protocol}/{was.port}",
                f"before the move something listened on {was.protocol} port {was.port}"
                f"{'' if was.is_local else ' for others'}, and now nothing does",
                "look at the service that used to: ss -lntup shows those that listen",
            )
