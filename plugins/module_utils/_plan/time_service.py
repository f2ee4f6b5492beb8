# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One service keeps the guest's clock, and it is told of the host's.

What is written takes effect where the clock of the host is, and nowhere else, so it can be staged before the guest
moves: chronyd, which ends when it cannot open a reference clock, is told of it by a file that udev's rules link into
place when the device appears. The administrator's files are left alone, but for a block at the end of those that
include no others.
"""

from __future__ import annotations

import dataclasses
import itertools
import posixpath
import re
import typing as t

from .._catalog import time_services as catalog
from .._errors import GuestError
from .._formats import dpkg_status, time_daemon_conf, unit_file
from . import hypervisor
from .clocksource import kernel_version
from .model import Change, FileChange, Finding, LinkChange, Plan

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, TimeServices
    from .._formats.time_daemon_conf import Directive, Document

AUTO = "auto"

_HEADER = "# Hyper-V guest. Written by rehost.hyperv.time_sync, which replaces this file.\n"
_OWN_UNITS = "/etc/systemd/system"
_MASK = "/dev/null"
_START = "S20"  # behind the network and the log, in whatever numbers a release counts
_TARGETS = {catalog.TIMESYNCD: "sysinit.target"}
_SOURCES = ("server", "servers", "pool", "peer")
_OTHER_FILES = ("sourcedir", "confdir", "include", "includefile")
_STEP_AFTER_CONF = (
    "# chrony.conf has a makestep of its own behind conf.d, for the first updates only: a guest that was paused has\n"
    "# to step later as well.\n"
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """C(service): one of catalog.SERVICES, or C(auto): of those that are installed the one that starts at boot, best
    first. C(servers): NTP servers besides those that are configured already. C(reference_clock): whether the host's
    clock is used where it can be."""

    service: str = AUTO
    servers: tuple[str, ...] = ()
    reference_clock: bool = True


def wanted_by(arguments: t.Mapping[str, t.Any]) -> Wanted:
    """What the arguments of the module ask for."""
    return Wanted(arguments["service"], tuple(arguments["servers"]), arguments["reference_clock"])


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """The plan; needs the facts C(hypervisor), C(clock) and C(time_services). Packages are not installed, and services
    neither started nor stopped by it: what is to be done is a finding."""
    _refuse_bad_names(wanted.servers)
    name = chosen(facts, wanted)
    if name is None:
        return Plan(findings=(_hindered(facts, wanted) or _missing(facts, wanted),))
    changes = (*_configuration(facts, wanted, name), *_one_master(facts, name))
    return Plan(
        changes=changes,
        findings=(
            *_master_findings(facts, name),
            *_state_findings(facts, name),
            *_reference_findings(facts, wanted, name),
            *_service_findings(facts, wanted, name),
        ),
    )


def report(facts: GuestFacts, wanted: Wanted) -> dict[str, t.Any]:
    """What keeps the time, and what it knows of the host's clock."""
    name = chosen(facts, wanted)
    return {
        "service": name,
        "installed": facts.clock.services,
        "enabled": facts.clock.enabled,
        "running": facts.clock.running,
        "reference_clock": _reference_state(facts, name),
        "host_clock": facts.clock.has_ptp_hyperv,
        "systemd": facts.time_services.has_systemd,
        "on_hyperv": is_on_hyperv(facts),
    }


def chosen(facts: GuestFacts, wanted: Wanted) -> str | None:
    """The service that is to keep the time; None when it is not installed, or would not start."""
    hindered = dict(facts.clock.hindered)
    if wanted.service != AUTO:
        return wanted.service if wanted.service in facts.clock.services and wanted.service not in hindered else None
    for names in (facts.clock.enabled, facts.clock.services):
        best = next((name for name in catalog.SERVICES if name in names and name not in hindered), None)
        if best is not None:
            return best
    return None


def is_on_hyperv(facts: GuestFacts) -> bool:
    return facts.is_live and hypervisor.judge(facts.hypervisor).name == "hyperv"


def _refuse_bad_names(servers: tuple[str, ...]) -> None:
    for server in servers:
        if not server or not all(character.isalnum() or character in ".:-_%" for character in server):
            raise GuestError(
                f"{server!r} is no name and no address of a server", hint="Name NTP servers, one an element."
            )


# -- configuration


def _configuration(facts: GuestFacts, wanted: Wanted, name: str) -> t.Iterator[Change]:
    if name == catalog.CHRONY:
        yield from _chrony(facts, wanted)
    elif name == catalog.NTPSEC:
        lines = (catalog.NTP_LINE, *_servers(wanted))
        yield from _own_file(
            facts, catalog.NTPSEC_PART, "".join(f"{line}\n" for line in lines), "ntpd survives a pause"
        )
    elif name == catalog.NTP:
        yield from _block(facts, name, (catalog.NTP_LINE, *_servers(wanted)), "ntpd survives a pause")
    elif name == catalog.OPENNTPD:
        yield from _block(
            facts, name, tuple([f"server {server}" for server in wanted.servers]), "the servers asked for"
        )
    else:
        yield from _timesyncd(facts, wanted)


def _servers(wanted: Wanted) -> tuple[str, ...]:
    return tuple([f"server {server} iburst" for server in wanted.servers])


def _chrony(facts: GuestFacts, wanted: Wanted) -> t.Iterator[Change]:
    document = _document(facts, catalog.CHRONY)
    if document is None:
        return
    before, behind = _foreign_chrony_directives(facts, document)
    # the last one counts
    steps = [directive.arguments for directive in (*before, *behind) if directive.name == "makestep"]
    steps_always = any(limit.startswith("-") for arguments in steps[-1:] for limit in arguments[1:2])
    uses_clock = _uses_reference_clock(facts, wanted)
    lines = (
        *(() if steps_always else (catalog.STEP_LINE,)),
        *_servers(wanted),
        *((catalog.REFCLOCK_INCLUDE,) if uses_clock else ()),
    )
    reason = "chronyd steps the clock after a pause" + (", and follows the host's" if uses_clock else "")
    if _reads_parts(document):
        is_overridden = not steps_always and any(directive.name == "makestep" for directive in behind)
        is_last = is_overridden and not facts.time_services.has_systemd
        block = (catalog.STEP_LINE,) if is_last else ()
        yield from _block(facts, catalog.CHRONY, block, reason if is_last else "it stands in a file of its own")
        yield from _own_file(facts, catalog.CHRONY_PART, "".join(f"{line}\n" for line in lines), reason)
        command = f"ExecStartPost=-+/usr/bin/chronyc {catalog.STEP_LINE}"
        text = f"{_STEP_AFTER_CONF}[Service]\n{command}\n" if is_overridden and facts.time_services.has_systemd else ""
        yield from _own_file(facts, catalog.CHRONY_UNIT_PART, text, "chronyd steps the clock after a pause")
    else:
        yield from _block(facts, catalog.CHRONY, lines, reason)
    rules = "".join(f"{line}\n" for line in catalog.CLOCK_RULE_LINES) if uses_clock else ""
    reason = "chronyd follows the clock of the host, where there is one"
    yield from _own_file(facts, catalog.REFCLOCK, f"{catalog.REFCLOCK_LINE}\n" if uses_clock else "", reason)
    link = catalog.RUN_DIRECTORY if uses_clock else None
    if facts.time_services.link != link:
        yield LinkChange(catalog.RUN_LINK, facts.time_services.link, link, reason)
    yield from _own_file(facts, catalog.CLOCK_RULES, rules, reason)


def _uses_reference_clock(facts: GuestFacts, wanted: Wanted) -> bool:
    document = _document(facts, catalog.CHRONY)
    directives = itertools.chain(*_foreign_chrony_directives(facts, document)) if document is not None else ()
    has_own = any(one.name == "refclock" and one.arguments[:1] == ("PHC",) for one in directives)
    has_clock = _newest_kernel(facts) >= catalog.FIRST_KERNEL_WITH_PTP
    return wanted.reference_clock and has_clock and not has_own and not _has_old_chrony(facts)


def _has_old_chrony(facts: GuestFacts) -> bool:
    """Whether chronyd knows no patterns of files to include."""
    version = facts.time_services.chrony_version
    return version is not None and dpkg_status.compare_versions(version, catalog.FIRST_CHRONY_WITH_PATTERNS) < 0


def _newest_kernel(facts: GuestFacts) -> tuple[int, ...]:
    """Of those that the guest can start or has started; its version, () when none is known."""
    releases = [facts.system.running_kernel, *(entry.version for entry in facts.boot.entries)]
    return max(kernel_version(release) for release in releases)


def _reads_parts(document: Document) -> bool:
    return _place_of_parts(document) is not None


def _place_of_parts(document: Document) -> int | None:
    for directive in time_daemon_conf.directives(document):
        if directive.name == "confdir" and catalog.CHRONY_PARTS in [path.rstrip("/") for path in directive.arguments]:
            return directive.number
        if directive.name == "include" and directive.arguments == (catalog.CHRONY_PARTS + "/*.conf",):
            return directive.number
    return None


def _foreign_chrony_directives(facts: GuestFacts, document: Document) -> tuple[list[Directive], list[Directive]]:
    """What others tell chronyd before what this collection tells it, and behind that, as it reads them."""
    rest = time_daemon_conf.with_block(document, ())
    directives = time_daemon_conf.directives(rest)
    place = _place_of_parts(rest)
    if place is None:
        return list(directives), []
    before = [directive for directive in directives if directive.number < place]
    behind: list[Directive] = []
    for file in sorted(facts.time_services.files, key=lambda file: file.path):
        if posixpath.dirname(file.path) == catalog.CHRONY_PARTS and file.path != catalog.CHRONY_PART:
            side = before if file.path < catalog.CHRONY_PART else behind
            side.extend(time_daemon_conf.directives(time_daemon_conf.parse(file.text)))
    behind.extend(directive for directive in directives if directive.number > place)
    return before, behind


def _timesyncd(facts: GuestFacts, wanted: Wanted) -> t.Iterator[Change]:
    own = _document(facts, catalog.TIMESYNCD)
    documents = [unit_file.parse(time_daemon_conf.render(own))] if own is not None else []
    lines = ["[Time]"]
    if unit_file.value(documents, "Time", "PollIntervalMaxSec") is None:
        lines.append(f"PollIntervalMaxSec={catalog.LONGEST_POLL}")
    if wanted.servers:
        lines.append(f"NTP={' '.join(wanted.servers)}")
    text = "".join(f"{line}\n" for line in lines) if len(lines) > 1 else ""
    yield from _own_file(facts, catalog.TIMESYNCD_PART, text, "it steps soon after a pause")


def _own_file(facts: GuestFacts, path: str, text: str, reason: str) -> t.Iterator[FileChange]:
    """A file that belongs to this collection; without text there is none."""
    before = _text(facts, path)
    after = _HEADER + text if text else None
    if before != after:
        yield FileChange(path, before, after, reason)


def _block(facts: GuestFacts, name: str, lines: tuple[str, ...], reason: str) -> t.Iterator[FileChange]:
    """The block in a file that belongs to the administrator."""
    document = _document(facts, name)
    if document is None:
        return
    before, after = [time_daemon_conf.render(one) for one in (document, time_daemon_conf.with_block(document, lines))]
    if before != after:
        yield FileChange(catalog.CONFIGURATIONS[name], before, after, reason)


def _document(facts: GuestFacts, name: str) -> Document | None:
    text = _text(facts, catalog.CONFIGURATIONS[name])
    return None if text is None else time_daemon_conf.parse(text)


def _foreign_directives(document: Document) -> tuple[time_daemon_conf.Directive, ...]:
    """Those that do not stand in the block."""
    return time_daemon_conf.directives(time_daemon_conf.with_block(document, ()))


def _text(facts: GuestFacts, path: str) -> str | None:
    return next((file.text for file in facts.time_services.files if file.path == path), None)


# -- one master


def _one_master(facts: GuestFacts, name: str) -> t.Iterator[Change]:
    services = facts.time_services
    own = dict(services.own_units)
    others = [other for other in facts.clock.enabled if other != name]
    if not services.has_systemd:
        yield from _not_started(services.start_links, others)
        yield from _started(services, name)
        return
    for other in others:
        path = f"{_OWN_UNITS}/{other}.service"
        if other not in own or own[other] is not None:
            yield LinkChange(path, own.get(other), _MASK, f"{name} is to be the only service that sets the clock")
    if own.get(name) == _MASK:
        yield LinkChange(f"{_OWN_UNITS}/{name}.service", _MASK, None, f"{name} is to keep the time, and was masked")
    unit = dict(services.units).get(name)
    if unit is not None and name not in services.wanted:
        path = f"{_OWN_UNITS}/{_TARGETS.get(name, 'multi-user.target')}.wants/{name}.service"
        yield LinkChange(path, None, unit, f"{name} is to start with the guest")


def _started(services: TimeServices, name: str) -> t.Iterator[Change]:
    """The links that start it, where no run level has one; it is the same that is stopped there, if any is."""
    if any(_service_of(path) == name for path, _target in services.start_links):
        return
    reason = f"{name} is to start with the guest"
    stopping = [(path, target) for path, target in services.stop_links if _service_of(path) == name]
    for path, target in stopping:
        yield LinkChange(path, target, None, reason)
    places = [(posixpath.dirname(path), target) for path, target in stopping]
    for directory, target in places or [(f"/etc/rc{level}.d", f"../init.d/{name}") for level in "2345"]:
        yield LinkChange(f"{directory}/{_START}{name}", None, target, reason)


def _not_started(links: tuple[tuple[str, str], ...], others: list[str]) -> t.Iterator[Change]:
    for path, target in links:
        name = _service_of(path)
        if name in others:
            reason = "another service sets the clock"
            yield LinkChange(path, target, None, reason)
            # where no link is left, the package's next version would make new ones
            yield LinkChange(f"{posixpath.dirname(path)}/K01{name}", None, target, reason)


def _service_of(link: str) -> str:
    """The service that a link of a run level, as S20chrony, starts or stops."""
    return posixpath.basename(link)[3:]


# -- findings


def _hindered(facts: GuestFacts, wanted: Wanted) -> Finding | None:
    program = dict(facts.clock.hindered).get(wanted.service)
    if program is None:
        return None
    return Finding(
        "time-service.hindered",
        "error",
        wanted.service,
        f"{wanted.service} is to keep the time, and its unit does not start where {program} is installed. Nothing is"
        " changed, for there would be no time service at all.",
        f"Remove the package of {program} first (dpkg -S {program}), or choose another service.",
    )


def _missing(facts: GuestFacts, wanted: Wanted) -> Finding:
    if wanted.service == AUTO:
        subject, message = "chrony", "No time service is installed that would start, so nobody keeps the clock right."
    else:
        subject, message = wanted.service, f"{wanted.service} is to keep the time, and is not installed."
    if wanted.service == catalog.NTP and catalog.NTPSEC in facts.clock.services:
        message += " ntpsec is, which since Debian 12 the package ntp brings."
    return Finding(
        "time-service.missing",
        "warning",
        subject,
        message,
        "Install it: the role guest_time does, on a running guest.",
    )


def _master_findings(facts: GuestFacts, name: str) -> t.Iterator[Finding]:
    own = dict(facts.time_services.own_units)
    for other in facts.clock.running:
        if other != name:
            yield Finding(
                "time-service.second-master",
                "warning",
                other,
                f"{other} runs beside {name}: each sets the clock as it thinks right, and it jumps or swings between"
                " them.",
                f"Stop it: systemctl stop {other}; the role guest_time does.",
            )
    for other in facts.clock.enabled:
        if other != name and facts.time_services.has_systemd and own.get(other, _MASK) is None:
            yield Finding(
                "time-service.own-unit",
                "warning",
                other,
                f"{other} starts at boot beside {name}, by a unit in {_OWN_UNITS} that somebody wrote and that is left"
                " alone.",
                f"systemctl disable --now {other}, or remove that unit.",
            )


def _state_findings(facts: GuestFacts, name: str) -> t.Iterator[Finding]:
    if not facts.is_live:
        return
    if name not in facts.clock.running:
        yield Finding(
            "time-service.not-running",
            "warning",
            name,
            f"{name} is to keep the time, and does not run.",
            f"systemctl restart {name}, and journalctl -u {name} if it does not stay; the role guest_time starts it.",
        )
    elif _is_stale(facts, name):
        yield Finding(
            "time-service.stale",
            "warning",
            name,
            f"{name} was started before its configuration was written, and does not know of it.",
            f"systemctl daemon-reload, systemctl restart {name}; the role guest_time does.",
        )


def _is_stale(facts: GuestFacts, name: str) -> bool:
    services = facts.time_services
    is_staged = name == catalog.CHRONY and _text(facts, catalog.REFCLOCK) is not None
    if is_staged and facts.clock.has_ptp_hyperv and _text(facts, catalog.RUN_REFCLOCK) is None:
        return True
    started = dict(services.started_ns).get(name)
    paths = {
        catalog.CHRONY: (catalog.CHRONY_PART, catalog.CHRONY_UNIT_PART, catalog.REFCLOCK),
        catalog.NTPSEC: (catalog.NTPSEC_PART,),
        catalog.TIMESYNCD: (catalog.TIMESYNCD_PART,),
    }.get(name, ())
    read = (catalog.CONFIGURATIONS[name], *paths)
    return started is not None and any(path in read and written > started for path, written in services.written_ns)


def _reference_findings(facts: GuestFacts, wanted: Wanted, name: str) -> t.Iterator[Finding]:
    if not wanted.reference_clock:
        return
    newest = _newest_kernel(facts)
    fallback = (
        " NTP servers keep the time; hv_utils sets the clock after a pause, if the host's time synchronisation is on."
    )
    if newest and newest < catalog.FIRST_KERNEL_WITH_PTP:
        yield Finding(
            "time-service.no-reference-clock",
            "info",
            "kernel",
            f"Linux {'.'.join(map(str, newest))} does not show the clock of the host (4.11 and later do): in the first"
            f" minutes after the start hv_utils sets the clock to the host's.{fallback}",
            "Leave the host's time synchronisation on. A newer kernel has the reference clock.",
        )
    elif name != catalog.CHRONY:
        yield Finding(
            "time-service.no-reference-clock",
            "info",
            name,
            f"{name} cannot use the clock of the host ({catalog.PTP_HYPERV}) as a reference; chrony can.{fallback}",
            "Use chrony: the role guest_time with guest_time_service: chrony.",
        )
    elif _has_old_chrony(facts):
        yield Finding(
            "time-service.no-reference-clock",
            "info",
            name,
            f"chrony {facts.time_services.chrony_version} cannot be told of the clock of the host so that it also"
            f" starts without one; chrony {catalog.FIRST_CHRONY_WITH_PATTERNS} and later can.{fallback}",
            "A newer chrony has the reference clock.",
        )
    elif is_on_hyperv(facts) and not facts.clock.has_ptp_hyperv:
        yield Finding(
            "time-service.host-clock-absent",
            "warning",
            catalog.PTP_HYPERV,
            "The kernel could show the clock of the host, and does not: hv_utils is not loaded, or time synchronisation"
            " is switched off for this virtual machine.",
            "modprobe hv_utils; on the host Enable-VMIntegrationService -Name 'Time Synchronization'. chrony uses the"
            " clock as soon as it is there.",
        )


def _service_findings(facts: GuestFacts, wanted: Wanted, name: str) -> t.Iterator[Finding]:
    document = _document(facts, name)
    if document is not None and name != catalog.TIMESYNCD and not wanted.servers and _has_no_servers(document):
        yield Finding(
            "time-service.no-servers",
            "warning",
            catalog.CONFIGURATIONS[name],
            f"{name} has no NTP servers: there is nothing to check the clock of the host by, or to fall back to.",
            "Name three or more, in servers.",
        )
    yield from _dhcp_findings(facts, wanted, name)
    if name == catalog.OPENNTPD:
        yield Finding(
            "time-service.cannot-step",
            "warning",
            name,
            "openntpd never steps the clock once it runs: what is lost in a pause that the host does not tell of, it"
            " makes up for by at most 500 ppm, 43 seconds a day.",
            "Use chrony: the role guest_time with guest_time_service: chrony.",
        )
    if facts.time_services.implicit == "Y":
        yield Finding(
            "time-service.host-steps",
            "warning",
            catalog.IMPLICIT,
            f"hv_utils sets the clock also without a pause (timesync_implicit), beside {name}.",
            "Take timesync_implicit out of /etc/modprobe.d and the kernel's command line.",
        )


def _dhcp_findings(facts: GuestFacts, wanted: Wanted, name: str) -> t.Iterator[Finding]:
    path = catalog.DHCP_CONFIGURATIONS.get(name)
    text = _text(facts, path) if path is not None and facts.is_live else None
    if text is None or _ignores_dhcp(facts, name):
        return
    # ntp's is a copy of its configuration, which may have been made since this was written there
    if all(line in text.split("\n") for line in (catalog.NTP_LINE, *_servers(wanted))):
        return
    yield Finding(
        "time-service.dhcp-servers",
        "warning",
        path or name,
        f"DHCP named NTP servers, and ntpd is started with {path} instead of the configuration of {name}: what is"
        " written there has no effect.",
        f"Write IGNORE_DHCP=yes to {catalog.NTPSEC_DEFAULTS} and restart ntpsec."
        if name == catalog.NTPSEC
        else f"Take ntp-servers out of what the DHCP client asks for, remove {path}, and restart ntp.",
    )


def _ignores_dhcp(facts: GuestFacts, name: str) -> bool:
    defaults = _text(facts, catalog.NTPSEC_DEFAULTS) or ""
    found = re.findall(r"^[ \t]*IGNORE_DHCP=[\"']?(\w*)", defaults, re.MULTILINE)
    return name == catalog.NTPSEC and found[-1:] == ["yes"]


def _has_no_servers(document: Document) -> bool:
    """Whether it names none, and no other files that might."""
    return not any(directive.name in (*_SOURCES, *_OTHER_FILES) for directive in _foreign_directives(document))


def _reference_state(facts: GuestFacts, name: str | None) -> str:
    """C(used), C(staged) or C(none)."""
    if name != catalog.CHRONY or _text(facts, catalog.REFCLOCK) is None:
        return "none"
    is_used = name in facts.clock.running and _text(facts, catalog.RUN_REFCLOCK) is not None
    return "used" if is_used and not _is_stale(facts, name) else "staged"
