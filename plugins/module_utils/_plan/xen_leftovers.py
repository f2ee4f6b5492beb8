# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do about the things that a guest has only because it runs, or ran, on Xen.

C(dual_boot)
    The guest boots on XenServer and on Hyper-V. Only what harms on Hyper-V and is not needed on Xen changes.
C(absent)
    Hyper-V is there to stay. What is left of Xen in configuration files is commented out.
"""

from __future__ import annotations

import re
import typing as t

from .._catalog import drivers, xen
from .._formats import initramfs_modules, inittab, modprobe_conf, sysctl_conf
from .model import Change, FileChange, Finding, LinkChange, Plan

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, TextFile

STATES = ("dual_boot", "absent")

_XEN_CONSOLE = re.compile(r"[hx]vc[0-9]+")
_SCREEN = re.compile(r"tty[1-6]")
_ANY_SCREEN = re.compile(r"tty[0-9]+")
_OFF = frozenset({"/bin/false", "/bin/true", "/usr/bin/false", "/usr/bin/true", ":"})
_HYPERV_MODULES = (*drivers.HYPERV_BOOT, *drivers.HYPERV_NETWORK, *drivers.HYPERV_SERVICES)


def plan(facts: GuestFacts, state: str) -> Plan:
    """The plan for one of STATES. What it cannot do itself (packages, programs without a package) it says."""
    is_absent = state == "absent"
    leftovers = facts.xen
    parts = [_plan_getty_link(path, target) for path, target in leftovers.getty_links]
    if leftovers.inittab is not None:
        parts.append(_plan_inittab(leftovers.inittab, is_absent))
    parts += [_plan_sysctl(file, is_absent) for file in leftovers.sysctl]
    parts += [
        _plan_module_list(file, is_absent) if _is_module_list(file) else _plan_modprobe(file, is_absent)
        for file in leftovers.modprobe
    ]
    parts.append(Plan(findings=_tools(leftovers.packages, leftovers.files, is_absent)))
    return Plan(
        changes=tuple([change for part in parts for change in part.changes]),
        findings=tuple([finding for part in parts for finding in part.findings]),
    )


def _plan_getty_link(path: str, target: str) -> Plan:
    console = path[path.rindex("@") + 1 :].partition(".")[0]
    finding = Finding(
        id="xen.getty-hvc0",
        severity="warning",
        subject=path,
        message=(
            f"A login on {console} is enabled. Off Xen there is no {console}, and each boot waits for it until"
            " systemd gives up (90 seconds, unless configured otherwise)."
        ),
        remedy=(
            f"The link goes. On Xen a login on {console} stays: systemd-getty-generator starts one on each console that"
            " is there."
        ),
    )
    return Plan((LinkChange(path, target, None, f"no login is asked for on {console}"),), (), (finding,))


def _plan_inittab(file: TextFile, is_absent: bool) -> Plan:
    before = inittab.parse(file.text)
    gettys = [(entry, inittab.getty_of(entry)) for entry in inittab.entries(before)]
    enabled = [(entry, terminal) for entry, terminal in gettys if terminal and entry.is_enabled]
    on_xen = [(entry, terminal) for entry, terminal in enabled if _XEN_CONSOLE.fullmatch(terminal)]
    if not on_xen:
        return Plan()
    findings = [_inittab_finding(file.path, terminal, is_absent) for _entry, terminal in on_xen]
    after = before
    if not any(_ANY_SCREEN.fullmatch(terminal) for _entry, terminal in enabled):
        after = _with_screens(after)
        findings.append(
            Finding(
                id="xen.no-tty-getty",
                severity="warning",
                subject=file.path,
                message="Logins are asked for on Xen's console only: on Hyper-V the VM's screen would show none.",
                remedy="The entries for tty1 to tty6 are enabled; they do no harm on Xen.",
            )
        )
    if is_absent:
        for entry, _terminal in on_xen:
            after = inittab.with_commented_out(after, entry)
    return Plan(
        _file_change(file, inittab.render(after), "logins are asked for where there are terminals"), (), tuple(findings)
    )


def _with_screens(document: inittab.Document) -> inittab.Document:
    """The document in which tty1 to tty6 have the entries that were commented out, and tty1 has one in any case."""
    # init takes the first of several entries with the same identifier
    taken = {entry.identifier for entry in inittab.entries(document) if entry.is_enabled}
    served = set()
    for entry in inittab.entries(document):
        terminal = inittab.getty_of(entry)
        if terminal and _SCREEN.fullmatch(terminal) and not entry.is_enabled and entry.identifier not in taken:
            document = inittab.with_enabled(document, entry)
            taken.add(entry.identifier)
            served.add(terminal)
    if "tty1" not in served:
        document = inittab.with_entry(document, "tty1", "2345", "respawn", "/sbin/getty 38400 tty1")
    return document


def _inittab_finding(path: str, terminal: str, is_absent: bool) -> Finding:
    return Finding(
        id="xen.getty-hvc0",
        severity="warning" if is_absent else "info",
        subject=path,
        message=(
            f"init asks for a login on {terminal}, which is not there off Xen: every five minutes it logs that the"
            " entry respawns too fast."
        ),
        remedy="The entry is commented out." if is_absent else "It stays as long as the guest has to boot on Xen.",
    )


def _plan_sysctl(file: TextFile, is_absent: bool) -> Plan:
    document = sysctl_conf.parse(file.text)
    keys = dict.fromkeys(
        entry.key for entry in sysctl_conf.entries(document) if entry.key.startswith(xen.SYSCTL_PREFIX)
    )
    findings = []
    for key in keys:
        document = sysctl_conf.with_commented_out(document, key)
        findings.append(
            Finding(
                id="xen.sysctl",
                severity="warning" if is_absent else "info",
                subject=file.path,
                message=f"{key} is set, a kernel parameter of Xen. Off Xen there is none: an error is logged, no more.",
                remedy=(
                    "The line is commented out." if is_absent else "It stays as long as the guest has to boot on Xen."
                ),
            )
        )
    if not is_absent:
        return Plan(findings=tuple(findings))
    change = _file_change(file, sysctl_conf.render(document), "no kernel parameter of Xen is set")
    return Plan(change, (), tuple(findings))


def _plan_modprobe(file: TextFile, is_absent: bool) -> Plan:
    before = after = modprobe_conf.parse(file.text)
    findings = []
    for entry in modprobe_conf.entries(before):
        module = _module_kept_away(entry)
        if module in _HYPERV_MODULES:
            after = modprobe_conf.with_commented_out(after, entry)
            findings.append(_blacklist_finding(file.path, entry, module))
        elif _is_of_xen(entry):
            if is_absent:
                after = modprobe_conf.with_commented_out(after, entry)
            content = f"{entry.command} {entry.subject} {entry.arguments}".strip()
            findings.append(_options_finding(file.path, f'"{content}"', "On Hyper-V it has no effect.", is_absent))
    change = _file_change(file, modprobe_conf.render(after), "drivers are loaded by what the guest finds")
    return Plan(change, (), tuple(findings))


def _module_kept_away(entry: modprobe_conf.Entry) -> str:
    """The module that an entry keeps from being loaded; empty when it does no such thing."""
    words = entry.arguments.split()
    keeps_away = entry.command == "blacklist" or (entry.command == "install" and words[:1] and words[0] in _OFF)
    return entry.module if keeps_away else ""


def _is_of_xen(entry: modprobe_conf.Entry) -> bool:
    """Whether an entry is about a driver of a Xen guest: of an alias that is what it stands for."""
    if entry.command == "alias":
        return modprobe_conf.canonical(entry.arguments) in xen.MODULES
    return entry.command in ("blacklist", "install", "options") and entry.module in xen.MODULES


def _blacklist_finding(path: str, entry: modprobe_conf.Entry, module: str) -> Finding:
    if module in drivers.HYPERV_BOOT:
        effect = "the guest does not find its disks"
    elif module in drivers.HYPERV_NETWORK:
        effect = "the guest has no network"
    else:
        effect = "integration services or input devices do not work"
    blocks = module not in drivers.HYPERV_SERVICES
    return Finding(
        id="xen.blacklists-hyperv",
        severity="error" if blocks else "warning",
        subject=path,
        message=(
            f"Line {entry.number} ({entry.command} {entry.subject}) keeps {module} away, so that on Hyper-V {effect}."
        ),
        remedy=(
            "The line is commented out; on Xen the module is not loaded anyway. The initramfs images have a copy of"
            " the file and have to be built again."
        ),
        blocks=blocks,
    )


def _plan_module_list(file: TextFile, is_absent: bool) -> Plan:
    document = initramfs_modules.parse(file.text)
    entries = initramfs_modules.entries(document)
    named = [entry.name for entry in entries if initramfs_modules.canonical(entry.name) in xen.MODULES]
    effect = "On Hyper-V it cannot be loaded, which systemd-modules-load.service reports as a failure."
    findings = tuple([_options_finding(file.path, name, effect, is_absent) for name in named])
    if not is_absent:
        return Plan(findings=findings)
    after = initramfs_modules.render(initramfs_modules.without_modules(document, named))
    return Plan(_file_change(file, after, "no driver of Xen is loaded"), (), findings)


def _options_finding(path: str, content: str, effect: str, is_absent: bool) -> Finding:
    return Finding(
        id="xen.module-options",
        severity="warning" if is_absent else "info",
        subject=path,
        message=f"{content} is about a driver of Xen's devices. {effect}",
        remedy="The line goes." if is_absent else "It stays as long as the guest has to boot on Xen.",
    )


def _tools(packages: tuple[tuple[str, str], ...], files: tuple[str, ...], is_absent: bool) -> tuple[Finding, ...]:
    severity = "warning" if is_absent else "info"
    findings = [
        Finding(
            id="xen.guest-tools",
            severity=severity,
            subject=name,
            message=f"Xen's guest tools are installed ({name} {version}). They do nothing on Hyper-V.",
            remedy=(
                f"Purge the package: ansible.builtin.apt with name={name}, state=absent and purge=true."
                if is_absent
                else "They stay as long as the guest has to boot on Xen."
            ),
        )
        for name, version in packages
    ]
    if files:
        findings.append(
            Finding(
                id="xen.guest-tools-files",
                severity=severity,
                subject=files[0],
                message=f"Xen's guest tools were installed without a package: {', '.join(files)}.",
                remedy=(
                    "Stop the service xe-linux-distribution, remove its start links (update-rc.d"
                    " xe-linux-distribution remove) and then these files, with ansible.builtin.file and state=absent."
                    if is_absent
                    else "They stay as long as the guest has to boot on Xen; on Hyper-V they do nothing."
                ),
            )
        )
    return tuple(findings)


def _is_module_list(file: TextFile) -> bool:
    return file.path == "/etc/modules" or file.path.startswith("/etc/modules-load.d/")


def _file_change(file: TextFile, after: str, reason: str) -> tuple[Change, ...]:
    return (FileChange(file.path, file.text, after, reason),) if after != file.text else ()
