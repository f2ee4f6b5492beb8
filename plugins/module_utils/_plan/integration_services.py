# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Daemons, rules for devices and settings of the running kernel that a guest should have on Hyper-V.

What is written does nothing on another hypervisor: the rules match Hyper-V's disks, or memory that would otherwise lie
idle, and the daemons start when their device on VMBus appears. So it can be staged before the guest moves.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import integration as catalog
from .._formats import assignments, dpkg_status, initramfs_modules, kernel_cmdline, udev_rules
from . import hypervisor
from .model import Change, FileChange, Finding, LinkChange, Plan, RuntimeSetting
from .support import boot_kernels, debian_release, provides, version_of

if t.TYPE_CHECKING:
    from .._facts.model import DiskQueue, GuestFacts, Kernel, ServiceDaemon, TextFile

_HEADER = "# Hyper-V guest. Written by rehost.hyperv.integration_services, which replaces this file.\n"
_WANTS = "/etc/systemd/system/multi-user.target.wants"
_MASK = "/dev/null"
_SIZE = re.compile(r"(\d+)([KMG]?)")
_UNITS_OF_SIZE = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MIB = 1 << 20
_PUT_RIGHT = ("integration.daemons-missing", "integration.hot-add")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """daemons: services of catalog.SERVICES that are to run; others are left alone. disk_timeout: seconds, None leaves
    the kernel's own."""

    daemons: tuple[str, ...] = ("kvp", "vss")
    hot_add: bool = True
    no_scheduler: bool = True
    disk_timeout: int | None = None


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """The plan. Packages are not installed by it: what is missing is a finding."""
    is_there = _is_on_hyperv(facts)
    parts = (
        _plan_daemons(facts, wanted, is_there),
        _plan_rules(facts, wanted, is_there),
        Plan(findings=tuple(_memory_findings(facts))),
        Plan(findings=tuple(_foreign_findings(facts))),
        Plan(findings=tuple(_device_findings(facts, is_there))),
        Plan(findings=tuple(_kdump_findings(facts))),
    )
    return Plan(
        changes=tuple([change for part in parts for change in part.changes]),
        findings=tuple([finding for part in parts for finding in part.findings]),
    )


def concerns(facts: GuestFacts) -> tuple[Finding, ...]:
    """What somebody should know who asks whether the guest is fit for Hyper-V. What is put right on the way there, and
    does no harm until then, is left out."""
    is_there = _is_on_hyperv(facts)
    found = plan(facts, Wanted()).findings
    return tuple([finding for finding in found if is_there or finding.id not in _PUT_RIGHT])


def _is_on_hyperv(facts: GuestFacts) -> bool:
    return facts.is_live and _verdict(facts).name == "hyperv"


def _verdict(facts: GuestFacts) -> hypervisor.Verdict:
    return hypervisor.judge(facts.hypervisor)


# -- daemons


def _plan_daemons(facts: GuestFacts, wanted: Wanted, is_there: bool) -> Plan:
    version = dict(facts.integration.packages).get(catalog.PACKAGE)
    if not wanted.daemons:
        return Plan()
    if version is None and not any(daemon.service in wanted.daemons for daemon in facts.integration.daemons):
        return Plan(findings=(_missing_package(facts, is_there),))
    changes: list[Change] = []
    findings = []
    for service in wanted.daemons:
        daemons = [daemon for daemon in facts.integration.daemons if daemon.service == service]
        if not daemons and service == "fcopy":
            findings.append(_without_fcopy(version or ""))
        for daemon in daemons[:1]:
            step = _start_at_boot(daemon)
            if step is not None:
                changes.append(step)
            if not daemon.is_masked and daemon.is_running is False and is_there:
                findings.append(_not_running(daemon))
    return Plan(changes=tuple(changes), findings=tuple(findings))


def _start_at_boot(daemon: ServiceDaemon) -> LinkChange | None:
    if daemon.is_masked:
        path = f"/etc/systemd/system/{daemon.unit}.service"
        return LinkChange(path, _MASK, None, f"{daemon.unit} is to run on Hyper-V and was masked")
    is_unit = daemon.path.endswith(".service")
    if daemon.is_enabled or daemon.is_started_by_rule or not is_unit:
        return None
    path = f"{_WANTS}/{daemon.unit}.service"
    return LinkChange(path, None, daemon.path, f"{daemon.unit} starts with the guest")


def _missing_package(facts: GuestFacts, is_there: bool) -> Finding:
    release = debian_release(facts)
    missing = (
        "the host learns neither addresses nor the system of this guest, and backups do not freeze its file systems"
    )
    if release is not None and release < catalog.FIRST_RELEASE:
        return Finding(
            "integration.daemons-unavailable",
            "info",
            catalog.PACKAGE,
            f"Debian {release} has no package {catalog.PACKAGE}. Without its daemons {missing}.",
            "Upgrade the guest, or do without.",
        )
    severity = "warning" if is_there else "info"
    return Finding(
        "integration.daemons-missing",
        severity,
        catalog.PACKAGE,
        f"The package {catalog.PACKAGE} is not installed. On Hyper-V, {missing}.",
        "Install it: the role guest_integration does, on a running guest. It may be there before the move: on another"
        " hypervisor the daemons do not start.",
    )


def _without_fcopy(version: str) -> Finding:
    return Finding(
        "integration.no-fcopy",
        "info",
        catalog.PACKAGE,
        f"{catalog.PACKAGE} {version} has no daemon that takes files from the host"
        + (": since 6.10 there is none." if _is_without_fcopy(version) else "."),
        "Copy files over the network, or attach a disk.",
    )


def _is_without_fcopy(version: str) -> bool:
    return dpkg_status.compare_versions(version or "0", ".".join(map(str, catalog.WITHOUT_FCOPY))) >= 0


def _not_running(daemon: ServiceDaemon) -> Finding:
    return Finding(
        "integration.daemon-not-running",
        "warning",
        f"{daemon.unit}.service",
        f"{daemon.unit} is installed, and does not run. Its device on VMBus may be missing, as when the service is"
        " switched off for this virtual machine on the host, or it has ended with an error.",
        f"Start it: systemctl start {daemon.unit}; and look at journalctl -u {daemon.unit}. On the host:"
        " Get-VMIntegrationService and Enable-VMIntegrationService.",
    )


# -- rules


def _plan_rules(facts: GuestFacts, wanted: Wanted, is_there: bool) -> Plan:
    own = next((file for file in facts.integration.rules if file.path == catalog.RULES), None)
    others = [file for file in facts.integration.rules if file.path != catalog.RULES]
    lines: list[str] = []
    findings = []
    if wanted.hot_add and not any(_onlines_memory(file) for file in others) and _needs_online_rule(facts):
        lines.append(catalog.MEMORY_RULE)
        if own is None or catalog.MEMORY_RULE not in own.text:
            findings.append(_memory_not_taken(is_there))
    changing = _queues_to_change(facts) if is_there and wanted.no_scheduler else ()
    is_left_to_others = any(_sets_scheduler(file) for file in others)
    if wanted.no_scheduler and not is_left_to_others:
        is_set_already = own is not None and catalog.SCHEDULER_RULES[0] in own.text
        if changing or is_set_already or not is_there:
            lines += catalog.SCHEDULER_RULES
    if wanted.disk_timeout is not None:
        lines.append(catalog.TIMEOUT_RULE % wanted.disk_timeout)
    changes: list[Change] = []
    after = _HEADER + "".join(f"{line}\n" for line in lines) if lines else None
    before = own.text if own is not None else None
    if before != after:
        changes.append(FileChange(catalog.RULES, before, after, "devices of Hyper-V are treated as Linux should"))
    if not is_left_to_others:
        changes += [_without_scheduler(queue) for queue in changing]
    if is_there and wanted.disk_timeout is not None:
        changes += [
            RuntimeSetting(
                f"/sys/block/{queue.name}/device/timeout",
                str(queue.timeout),
                str(wanted.disk_timeout),
                "a command of this disk may take as long",
            )
            for queue in facts.integration.queues
            if queue.timeout not in (None, wanted.disk_timeout)
        ]
    return Plan(changes=tuple(changes), findings=tuple(findings))


def _queues_to_change(facts: GuestFacts) -> tuple[DiskQueue, ...]:
    return tuple(
        [
            queue
            for queue in facts.integration.queues
            if queue.scheduler not in catalog.NO_SCHEDULER and set(queue.schedulers) & set(catalog.NO_SCHEDULER)
        ]
    )


def _without_scheduler(queue: DiskQueue) -> RuntimeSetting:
    after = next(name for name in catalog.NO_SCHEDULER if name in queue.schedulers)
    path = f"/sys/block/{queue.name}/queue/scheduler"
    return RuntimeSetting(path, queue.scheduler, after, "the host orders the accesses to its disks itself")


def _sets_scheduler(file: TextFile) -> bool:
    rules = udev_rules.rules(udev_rules.parse(file.text))
    return any(rule.assigned("ATTR", "queue/scheduler") is not None for rule in rules)


def _onlines_memory(file: TextFile) -> bool:
    """Whether a rule takes added memory into use: by the attribute, or by a program, as older advice has it."""
    for rule in udev_rules.rules(udev_rules.parse(file.text)):
        if rule.matched("SUBSYSTEM") == "memory":
            program = rule.assigned("RUN") or rule.assigned("PROGRAM") or ""
            if (rule.assigned("ATTR", "state") or "").startswith("online") or "online" in program:
                return True
    return False


def _needs_online_rule(facts: GuestFacts) -> bool:
    """Whether a kernel that the guest may start takes memory from Hyper-V and leaves it idle."""
    if facts.is_live and facts.integration.memory is not None:
        policy = facts.integration.memory.online_policy
        running = facts.kernel(facts.system.running_kernel)
        if policy is not None and policy.startswith("online") and boot_kernels(facts) in ((), (running,)):
            return False
    return any(_leaves_memory_idle(facts, kernel) for kernel in boot_kernels(facts))


def _leaves_memory_idle(facts: GuestFacts, kernel: Kernel) -> bool:
    if _is_32bit(facts, kernel) or (kernel.modules is not None and provides(kernel, "hv_balloon") is None):
        return False
    lines = [entry.cmdline for entry in facts.boot.entries if entry.version == kernel.version]
    asked = [kernel_cmdline.values(kernel_cmdline.parse(line), "memhp_default_state")[-1:] for line in lines]
    if asked and all(value and value[0].startswith("online") for value in asked):
        return False
    config = kernel.config
    return config is None or not any(config.state(symbol) == "y" for symbol in catalog.ONLINE_SYMBOLS)


def _is_32bit(facts: GuestFacts, kernel: Kernel) -> bool:
    return facts.system.architecture == "i386" and not kernel.version.endswith("amd64")


def _memory_not_taken(is_there: bool) -> Finding:
    severity = "warning" if is_there else "info"
    return Finding(
        "integration.hot-add",
        severity,
        catalog.RULES,
        "Memory that Hyper-V adds while the guest runs (dynamic memory, or a new size) lies idle: neither the kernel"
        " nor a rule of udev takes it into use.",
        "The rule is written.",
    )


# -- findings


def _memory_findings(facts: GuestFacts) -> t.Iterator[Finding]:
    memory = facts.integration.memory
    kernels = boot_kernels(facts)
    if kernels and all(_is_32bit(facts, kernel) for kernel in kernels):
        yield Finding(
            "integration.memory-32bit",
            "info",
            "i386",
            "The guest is a 32-bit one, for which there is no dynamic memory: Hyper-V can neither add nor take any.",
            "Give the virtual machine a fixed size: Set-VMMemory -DynamicMemoryEnabled $false.",
        )
    if memory is None:
        return
    if memory.offline:
        first, count = memory.offline[0], len(memory.offline)
        size = f", {count * memory.block_bytes // _MIB} MiB" if memory.block_bytes else ""
        yield Finding(
            "integration.memory-offline",
            "warning",
            f"/sys/devices/system/memory/{first}",
            f"{count} blocks of memory{size} are there and not used.",
            "Take them into use (chmem --enable, or online into their file state), or restart the guest.",
        )
    has_balloon = any(device.kind == "dynamic-memory" for device in facts.hypervisor.vmbus)
    if has_balloon and memory.installed_bytes is not None and memory.installed_bytes % catalog.MEMORY_STEP:
        yield Finding(
            "integration.memory-step",
            "info",
            f"{memory.installed_bytes // _MIB} MiB",
            f"The memory of the virtual machine, {memory.installed_bytes // _MIB} MiB, is no multiple of 128 MiB. With"
            " dynamic memory the rest cannot be added, and adding may fail altogether.",
            "On the host, give startup, minimum and maximum as multiples of 128 MB (Set-VMMemory). With a fixed size"
            " nothing needs to be done.",
        )


def _foreign_findings(facts: GuestFacts) -> t.Iterator[Finding]:
    for name, version in facts.integration.packages:
        if name in catalog.FOREIGN_PACKAGES:
            yield Finding(
                "integration.foreign-package",
                "warning",
                name,
                f"Microsoft's own integration services are installed ({name} {version}). They are made for other"
                " distributions; Debian's kernels have these drivers, and newer ones.",
                f"Purge it (ansible.builtin.apt with name={name}, state=absent and purge=true), then build the"
                " initramfs images anew (update-initramfs -u -k all).",
            )
    if facts.integration.foreign_files:
        yield Finding(
            "integration.foreign-files",
            "warning",
            facts.integration.foreign_files[0],
            "Microsoft's own integration services were installed without a package:"
            f" {', '.join(facts.integration.foreign_files)}. They get in the way of Debian's.",
            "Disable their units, remove these files (ansible.builtin.file with state=absent), and install"
            f" {catalog.PACKAGE}.",
        )
    for kernel in facts.kernels:
        modules = kernel.modules.by_name if kernel.modules is not None else {}
        foreign = [
            modules[name].path
            for name in catalog.DRIVERS
            if name in modules and modules[name].path.startswith(catalog.FOREIGN_MODULES)
        ]
        if foreign:
            yield Finding(
                "integration.foreign-drivers",
                "warning",
                kernel.version,
                f"Kernel {kernel.version} does not take its own drivers for Hyper-V, but {', '.join(foreign)}.",
                f"Remove these files below /lib/modules/{kernel.version}, run depmod {kernel.version}, and build its"
                f" initramfs anew (update-initramfs -u -k {kernel.version}).",
            )


def _device_findings(facts: GuestFacts, is_there: bool) -> t.Iterator[Finding]:
    named = [(file.path, name) for file in facts.integration.watchdog_settings for name in _watchdogs_in(file)]
    for path, name in named if not facts.integration.watchdogs or not is_there else ():
        yield Finding(
            "integration.no-watchdog",
            "warning" if is_there else "info",
            path,
            f"A watchdog is asked for ({name}), and Hyper-V gives a guest none: nothing restarts it when it hangs.",
            "Load softdog instead (watchdog_module=softdog in /etc/default/watchdog, or a line softdog in"
            " /etc/modules), which cannot help when the kernel itself hangs, or let the host watch the heartbeat.",
        )
    ports = facts.integration.serial_ports
    default = facts.boot.default
    if is_there and ports is not None and default is not None and _verdict(facts).generation == 2:
        consoles = kernel_cmdline.values(kernel_cmdline.parse(default.cmdline), "console")
        absent = [name for name in (console.partition(",")[0] for console in consoles) if _is_absent_port(name, ports)]
        if absent:
            number = int(absent[0][len("ttyS") :]) + 1
            yield Finding(
                "integration.no-serial-port",
                "info",
                absent[0],
                f"The kernel's console is on {absent[0]}, and a virtual machine of generation 2 has no serial port"
                " unless it is given one.",
                f"On the host, while the machine is off: Set-VMComPort -VMName NAME -Number {number} -Path"
                f" \\\\.\\pipe\\NAME-com{number}; or leave it at that.",
            )


def _is_absent_port(console: str, ports: tuple[str, ...]) -> bool:
    return re.fullmatch(r"ttyS[01]", console) is not None and console not in ports


def _watchdogs_in(file: TextFile) -> t.Iterator[str]:
    """What in a file needs a watchdog of the machine."""
    if file.path.startswith("/etc/systemd/"):
        for value in re.findall(r"^[ \t]*RuntimeWatchdogSec[ \t]*=[ \t]*(\S+)", file.text, re.MULTILINE)[-1:]:
            if value not in ("0", "off", "infinity"):
                yield f"RuntimeWatchdogSec={value}"
    elif file.path == "/etc/default/watchdog":
        module = assignments.value(assignments.parse(file.text), "watchdog_module")
        if module in catalog.HARDWARE_WATCHDOGS:
            yield f"watchdog_module={module}"
    else:
        wanted = {initramfs_modules.canonical(name): name for name in catalog.HARDWARE_WATCHDOGS}
        for entry in initramfs_modules.entries(initramfs_modules.parse(file.text)):
            if initramfs_modules.canonical(entry.name) in wanted:
                yield entry.name


def _kdump_findings(facts: GuestFacts) -> t.Iterator[Finding]:
    file = facts.integration.kdump
    if file is None:
        return
    document = assignments.parse(file.text)
    texts = [assignments.value(document, key) or "" for key in ("KDUMP_CMDLINE", "KDUMP_CMDLINE_APPEND")]
    line = kernel_cmdline.parse(" ".join(texts))
    consoles = [value for value in kernel_cmdline.values(line, "console") if re.match(r"[hx]vc\d", value)]
    if consoles:
        yield Finding(
            "integration.kdump-console",
            "warning",
            file.path,
            f"The crash kernel is told to use Xen's console ({consoles[0]}): on Hyper-V it may hang instead of writing"
            " the dump.",
            f"Take console={consoles[0]} out of KDUMP_CMDLINE_APPEND in {file.path}, then kdump-config reload.",
        )
    reserved = _crash_bytes(facts)
    if reserved is not None and reserved < catalog.CRASH_MEMORY:
        yield Finding(
            "integration.kdump-memory",
            "warning",
            "crashkernel",
            f"{reserved // _MIB} MiB are kept for the crash kernel; on Hyper-V it needs 256 MiB, or it ends before it"
            " has written the dump.",
            "crashkernel=384M-:256M on the kernel command line (rehost.hyperv.kernel_cmdline with present), and a"
            " restart.",
        )
    kernels = boot_kernels(facts)
    is_left_alone = any(version_of(kernel.version) >= (3, 2, 0) for kernel in kernels)
    value = kernel_cmdline.values(line, "ata_piix.prefer_ms_hyperv")
    if is_left_alone and "0" not in value and _verdict(facts).generation != 2:
        yield Finding(
            "integration.kdump-disk",
            "info",
            file.path,
            "The crash kernel of a machine of generation 1 can write its dump to the emulated disk, which works also"
            " when VMBus does not any more; it is not told so.",
            f"Add ata_piix.prefer_ms_hyperv=0 to KDUMP_CMDLINE_APPEND in {file.path}, keeping what stands there by"
            " default, then kdump-config reload.",
        )


def _crash_bytes(facts: GuestFacts) -> int | None:
    """What is kept for the crash kernel now, or will be; None when it cannot be told."""
    if facts.integration.memory is not None:
        return facts.integration.memory.crash_bytes
    default = facts.boot.default
    if default is None:
        return None
    values = kernel_cmdline.values(kernel_cmdline.parse(default.cmdline), "crashkernel")
    sizes = [_SIZE.match(part.rpartition(":")[2]) for value in values for part in value.split(",")]
    found = [int(size.group(1)) * _UNITS_OF_SIZE[size.group(2)] for size in sizes if size is not None]
    return max(found) if found else 0
