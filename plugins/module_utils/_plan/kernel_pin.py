# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel chosen, installed, tried, made the default and kept: what the next step is, from the guest's state alone.

Each call makes one step, and what comes in between is done by others: packages by apt, a restart by Ansible. A call
that is repeated after a power cut finds the state that it left, and goes on from there. In a guest that does not run
nobody else is there: what comes in between is part of the call.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import kernel_pin as catalog
from .._errors import GuestError
from .._formats import apt_preferences
from .._formats.kernel_trial import FAILED, Trial
from . import (
    hypervisor,
    kernel_choice,
    kernel_default,
    kernel_offline,
    kernel_packages,
    kernel_trial,
    readiness,
    secure_boot,
)
from .kernel_choice import INSTALLED, Candidate
from .model import Change, Command, FileChange, Finding, Installation, Plan

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts

DONE, INSTALL, REPAIR, RESTART, FAILED_TRIAL, REFUSED = "done", "install", "repair", "restart", "failed", "refused"
_HEADER = "# Written by rehost.hyperv.kernel_pin, which replaces this file.\n"
_PRIORITY, _NEVER = 1001, -1
_MIB = 1 << 20
_USUAL_IMAGE = 48 * _MIB  # an initramfs of Debian 12 with MODULES=most
_BESIDE_IMAGE = 24 * _MIB  # vmlinuz, System.map and config, and room to breathe
_MODULES = 500 * _MIB  # /lib/modules of one of Debian's kernels, and the package beside it
_NEEDED = ("network", "scsi", "ide")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """trial: seconds that a trial boot may take until it is confirmed, from the start of the kernel; None for no trial.
    retry: try a kernel again that failed. pin: whether apt is told. brought: packages at hand."""

    choice: kernel_choice.Wanted = dataclasses.field(default_factory=kernel_choice.Wanted)
    is_present: bool = True
    pin: bool = True
    trial: int | None = 300
    retry: bool = False
    brought: tuple[kernel_packages.Brought, ...] = ()

    @property
    def kernels(self) -> tuple[Candidate, ...]:
        """Those in the packages at hand."""
        return tuple(
            [
                Candidate(one.release, one.name, one.version, kernel_choice.BROUGHT)
                for one in self.brought
                if one.release is not None
            ]
        )


@dataclasses.dataclass(frozen=True)
class Step:
    """Where the guest is, and what brings it on."""

    phase: str
    kernel: Candidate | None
    default: str | None  # the kernel that starts by default when the changes are made
    why: str
    changes: tuple[Change, ...] = ()
    findings: tuple[Finding, ...] = ()
    commands: tuple[Command, ...] = ()
    installation: Installation | None = None
    goes_on: bool = False  # this call makes the step after it as well
    hold: tuple[str, ...] = ()
    release: tuple[str, ...] = ()

    def report(self, facts: GuestFacts) -> dict[str, t.Any]:
        trial = facts.packages.trial
        return {
            "phase": self.phase,
            "kernel": self.kernel.release if self.kernel else None,
            "package": self.kernel.package if self.kernel else None,
            "version": self.kernel.version if self.kernel else None,
            "origin": self.kernel.origin if self.kernel else None,
            "why": self.why,
            "default": self.default,
            "default_before": kernel_default.current(facts.boot),
            "running": facts.system.running_kernel if facts.is_live else None,
            "hold": list(self.hold),
            "release": list(self.release),
            "trial_log": kernel_trial.log_of(facts, trial) if trial is not None else "",
        }


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """The plan of the next step."""
    found = step(facts, wanted)
    return Plan(found.changes, found.commands, found.findings, found.installation, found.goes_on)


def step(facts: GuestFacts, wanted: Wanted) -> Step:
    """The next step. What cannot be done is a finding, and then nothing changes."""
    try:
        return _step(facts, wanted)
    except GuestError as error:
        finding = _cannot(error)
        return Step(REFUSED, None, kernel_default.current(facts.boot), "", findings=(finding,))


def _step(facts: GuestFacts, wanted: Wanted) -> Step:
    if not wanted.is_present:
        return _unpinned(facts)
    chosen = kernel_choice.choose(facts, wanted.choice, wanted.kernels)
    now = kernel_default.current(facts.boot)
    trial = facts.packages.trial
    # that which is not the end of this step is said beside it
    failed = [_trial_failed(facts, trial, ends=False)] if trial is not None and _has_just_failed(facts, trial) else []
    if chosen.kernel is None:
        return Step(REFUSED, None, now, "", findings=(*chosen.findings, *failed))
    taken = chosen.kernel
    found = _next(facts, wanted, taken, now)
    failed = [] if found.phase == FAILED_TRIAL else failed
    held = {package.name for package in facts.packages.installed if package.is_held}
    own = {pin.package for pin in kernel_choice.pinned(facts) if pin.priority > 0}
    is_kept = wanted.pin and found.phase not in (REFUSED, FAILED_TRIAL)
    is_there = any(one.name == taken.package and one.state == "installed" for one in facts.packages.installed)
    pins = tuple(_pins(facts, wanted, None if found.phase == FAILED_TRIAL else taken)) if found.phase != REFUSED else ()
    return dataclasses.replace(
        found,
        why="; ".join(text for text in (chosen.why, *[one.message for one in failed], found.why) if text),
        changes=(*found.changes, *pins),
        findings=(*chosen.findings, *found.findings, *failed, *_dkms(facts, taken)),
        hold=(taken.package,) if is_kept and taken.package and is_there and taken.package not in held else (),
        release=tuple(sorted((own & held) - ({taken.package} if is_kept else set()))),
    )


def _next(facts: GuestFacts, wanted: Wanted, taken: Candidate, now: str | None) -> Step:
    trial = facts.packages.trial
    judged = _judged(facts, wanted, trial, taken, now) if trial is not None else None
    if judged is not None:
        return judged
    is_proven = facts.is_live and facts.system.running_kernel == taken.release
    broken = "dpkg was interrupted" if facts.packages.is_interrupted else ""
    if taken.origin != INSTALLED and not broken:
        return _to_install(facts, taken, now) if facts.is_live else _to_install_offline(facts, wanted, taken, now)
    broken = broken or _broken(facts, taken)
    if broken:
        stage = None
        if not facts.is_live:
            stage = kernel_offline.to_finish(facts, taken, lambda: _fallback(facts, now, taken.release))
        if stage is not None:
            return _offline(REPAIR, taken, now, stage)
        return Step(REPAIR, taken, now, f"the default stays {now}", findings=(_interrupted(taken, broken),))
    is_default = not facts.is_live and now == taken.release
    if is_proven or is_default or wanted.trial is None or kernel_default.is_fixed(facts.boot, taken.release):
        problem, remedy = _does_not_boot(facts, taken.release) if facts.is_live and not is_proven else ("", "")
        if problem:
            raise GuestError(f"with {taken.release} {problem}", hint=remedy)
        return _made_default(facts, taken, is_proven)
    return _to_try(facts, wanted.trial, taken)


def _to_install(facts: GuestFacts, taken: Candidate, now: str | None) -> Step:
    lacking = tuple(_space(facts))
    if lacking:
        return Step(REFUSED, taken, now, "", findings=lacking)
    # the script of the package runs update-grub, which would make the new kernel the first entry
    stays = _fallback(facts, now, "")
    reason = f"{stays} stays the default while {taken.release} is installed"
    changes: tuple[Change, ...] = kernel_default.changes(facts.boot, stays, reason, kernel_trial.without_entry)
    trial = facts.packages.trial
    if trial is not None and trial.state != FAILED:
        record = trial._replace(state=FAILED) if _has_just_failed(facts, trial) else None
        changes += kernel_trial.cleaned(facts, "another kernel is wanted than the one that was to be tried", record)
    return Step(
        INSTALL, taken, stays, f"{stays} stays the default until {taken.release} is installed and proved", changes
    )


def _to_install_offline(facts: GuestFacts, wanted: Wanted, taken: Candidate, now: str | None) -> Step:
    problem, remedy = kernel_trial.problem_with(facts, taken.release)
    if wanted.trial is not None:
        return Step(REFUSED, taken, now, "", findings=(_no_trial(taken.release, problem, remedy),))
    return _offline(
        INSTALL, taken, now, kernel_offline.to_install(facts, taken, wanted.brought, _fallback(facts, now, ""))
    )


def _offline(phase: str, taken: Candidate, now: str | None, stage: kernel_offline.Stage) -> Step:
    """What follows is part of the same call, so that the kernel is the default at its end."""
    if stage.findings:
        return Step(REFUSED, taken, now, "", findings=stage.findings)
    return Step(
        phase,
        taken,
        taken.release,
        stage.why,
        stage.changes,
        commands=stage.commands,
        installation=stage.installation,
        goes_on=True,
    )


def _to_try(facts: GuestFacts, limit: int, taken: Candidate) -> Step:
    problem, remedy = kernel_trial.problem_with(facts, taken.release)
    if not problem:
        problem, remedy = _does_not_boot(facts, taken.release)
    now = kernel_default.current(facts.boot)
    if problem:
        return Step(REFUSED, taken, now, "", findings=(_no_trial(taken.release, problem, remedy),))
    stays = _fallback(facts, now, taken.release)
    trial = Trial(taken.release, stays, limit, facts.packages.boot_id or "")
    changes = kernel_trial.changes(facts, trial, f"{taken.release} is tried once; {stays} stays the default")
    return Step(RESTART, taken, stays, f"the next start tries {taken.release} once; {stays} stays the default", changes)


def _judged(facts: GuestFacts, wanted: Wanted, trial: Trial, taken: Candidate, now: str | None) -> Step | None:
    """A trial: not begun, passed, or failed. What it tried is judged also where another kernel is wanted meanwhile;
    None when that leaves nothing to do before what is wanted."""
    is_wanted = trial.kernel == taken.release
    running = facts.system.running_kernel if facts.is_live else None
    if trial.state == FAILED:
        if not is_wanted or wanted.retry or running == trial.kernel:
            return None
        return Step(FAILED_TRIAL, taken, now, f"{now} stays the default", findings=(_trial_failed(facts, trial),))
    if not _has_begun(facts, trial):
        if not is_wanted:
            return None
        why = f"the next start tries {trial.kernel} once; {trial.fallback} stays the default"
        reason = f"{trial.kernel} is tried once; {trial.fallback} stays the default"
        return Step(RESTART, taken, trial.fallback, why, kernel_trial.changes(facts, trial, reason))
    if _has_just_failed(facts, trial):
        if not is_wanted or wanted.retry:
            return None
        reason = f"the trial of {trial.kernel} failed"
        stays = _fallback(facts, trial.fallback, trial.kernel)
        changes = (
            *kernel_default.changes(facts.boot, stays, reason, kernel_trial.without_entry),
            *kernel_trial.cleaned(facts, reason, trial._replace(state=FAILED)),
        )
        return Step(FAILED_TRIAL, taken, stays, f"{stays} stays the default", changes, (_trial_failed(facts, trial),))
    missing = [
        f"{device.kind} {device.id}"
        for device in facts.hypervisor.vmbus
        if device.kind in _NEEDED and device.driver is None
    ]
    if missing:
        finding = _unhealthy(trial, missing)
        return Step(FAILED_TRIAL, taken, trial.fallback, f"{trial.fallback} stays the default", findings=(finding,))
    return _made_default(facts, taken, True) if is_wanted else None


def _has_begun(facts: GuestFacts, trial: Trial) -> bool:
    return facts.packages.boot_id not in (None, trial.boot)


def _has_just_failed(facts: GuestFacts, trial: Trial) -> bool:
    """Whether this start should have been that of the trial's kernel, or came after it, and nobody has noted it yet."""
    return trial.state != FAILED and _has_begun(facts, trial) and facts.system.running_kernel != trial.kernel


def _made_default(facts: GuestFacts, taken: Candidate, is_proven: bool) -> Step:
    reason = f"{taken.release} runs, and is the default from now on" if is_proven else f"{taken.release} is the default"
    changes = (
        *kernel_default.changes(facts.boot, taken.release, reason, kernel_trial.without_entry),
        *kernel_trial.cleaned(facts, reason),
    )
    findings = []
    if facts.is_live and not is_proven:
        findings.append(_not_running(taken.release, facts.system.running_kernel or "another kernel"))
    return Step(DONE, taken, taken.release, reason, changes, tuple(findings))


def _unpinned(facts: GuestFacts) -> Step:
    reason = "no kernel is pinned any more"
    changes: list[Change] = [
        *kernel_default.undo(facts.boot, reason, kernel_trial.without_entry),
        *kernel_trial.cleaned(facts, reason),
    ]
    for path in (catalog.PREFERENCES, catalog.KEPT):
        text = facts.packages.text(path)
        if text is not None:
            changes.append(FileChange(path, text, None, reason))
    own = {pin.package for pin in kernel_choice.pinned(facts) if pin.priority > 0}
    held = {package.name for package in facts.packages.installed if package.is_held}
    return Step(DONE, None, None, reason, tuple(changes), release=tuple(sorted(own & held)))


def _fallback(facts: GuestFacts, now: str | None, but: str) -> str:
    """The kernel that is to start when another one fails: the one that runs, as that is proven; else the default."""
    running = facts.system.running_kernel if facts.is_live else None
    for version in (running, now):
        if version is not None and version != but and kernel_default.has_entry(facts.boot, version):
            return version
    raise GuestError(
        "it cannot be told which kernel the guest starts now, so nothing can be kept as the one to fall back to",
        hint="Look at the boot loader's menu (guest_info shows it), and let update-grub make it anew.",
    )


# -- pins


def _pins(facts: GuestFacts, wanted: Wanted, taken: Candidate | None) -> t.Iterator[Change]:
    before = facts.packages.text(catalog.PREFERENCES)
    pins = []
    if wanted.pin and taken is not None and taken.package is not None:
        pins.append(
            apt_preferences.Pin(taken.package, f"version {taken.version}", _PRIORITY, "this kernel stays as it is")
        )
    known = {pin.pin: pin for pin in kernel_choice.pinned(facts) if pin.priority < 0}  # it may be offered again
    if wanted.pin:
        for version, why in kernel_choice.bad_versions(facts, taken):
            known[f"version {version}"] = apt_preferences.Pin("linux-image-*", f"version {version}", _NEVER, why)
        pins += [known[name] for name in sorted(known) if taken is None or name != f"version {taken.version}"]
    after = _HEADER + apt_preferences.render(pins) if pins else None
    if after != before:
        yield FileChange(
            catalog.PREFERENCES, before, after, "apt keeps the kernel that is pinned, and known-bad ones away"
        )
    before = facts.packages.text(catalog.KEPT)
    after = None
    if wanted.pin and taken is not None and taken.package is not None:
        after = f'{_HEADER}APT::NeverAutoRemove {{ "^{re.escape(taken.package)}$"; }};\n'.replace("\\-", "-")
    if after != before:
        yield FileChange(catalog.KEPT, before, after, "apt does not remove the kernel that is pinned by itself")


# -- what is wrong


def _broken(facts: GuestFacts, taken: Candidate) -> str:
    """What is unfinished about an installed kernel; empty when nothing is."""
    package = next((one for one in facts.packages.installed if one.name == taken.package), None)
    if package is not None and package.state == "half-installed":
        return f"{package.name} is {package.state}, which takes installing it again: apt-get install --reinstall"
    if package is not None and package.state != "installed":
        return f"dpkg was interrupted: {package.name} is {package.state}"
    kernel = facts.kernel(taken.release)
    entry = next((one for one in facts.boot.entries if one.version == taken.release), None)
    if kernel is not None and kernel.modules is None and package is not None:
        return f"/lib/modules/{taken.release} has no list of its modules"
    if entry is None:
        return "the boot loader's menu has no entry for it"
    for path in entry.initrds:
        image = facts.image_at(path)
        if image is None:
            return f"{path} is missing"
        if image.image is None:
            return f"{path} cannot be read: {image.problem}"
    if not entry.initrds and package is not None:
        return "its menu entry loads no initramfs"
    return ""


def _does_not_boot(facts: GuestFacts, version: str) -> tuple[str, str]:
    """Why Secure Boot does not let a kernel start; on Hyper-V also why it would not find its root here, as far as its
    image tells."""
    kernel = facts.kernel(version)
    if kernel is not None and secure_boot.refuses(facts, kernel):
        return "it has no signature, and Secure Boot is on", secure_boot.REMEDY
    verdict = hypervisor.judge(facts.hypervisor)
    if verdict.name != "hyperv":
        return "", ""
    judged = next((kernel for kernel in readiness.assess(facts).kernels if kernel.version == version), None)
    if judged is None:
        return "", ""
    on = judged.generation2 if verdict.generation == 2 else judged.generation1
    remedy = "Run rehost.hyperv.initramfs_modules, which puts in what is missing, and try again."
    return (f"the guest would not start: {'; '.join(on.why)}", remedy) if on.boots is False else ("", "")


def _space(facts: GuestFacts) -> t.Iterator[Finding]:
    largest = max([image.size for image in facts.images], default=_USUAL_IMAGE)
    # the new image is made beside the place it takes
    for path, needed in (("/boot", largest * 11 // 10 + _BESIDE_IMAGE), ("/", _MODULES)):
        free = facts.free_bytes.get(path)
        if free is not None and free < needed:
            yield kernel_offline.no_space(path, free, needed)


def _dkms(facts: GuestFacts, taken: Candidate) -> t.Iterator[Finding]:
    for module in facts.packages.dkms:
        if taken.release in module.kernels:
            continue
        headers = f"linux-headers-{taken.release}"
        has_headers = taken.release in facts.packages.with_headers
        yield Finding(
            "kernel.dkms-missing",
            "warning",
            f"{module.name}/{module.version}",
            f"The module {module.name} {module.version} is built by DKMS, and not for {taken.release}"
            + (": building it failed, or is still to come." if has_headers else f", as {headers} are not installed."),
            f"Install {headers} and run dkms autoinstall -k {taken.release}; what needs the module does not work with"
            " this kernel until then.",
        )


def _cannot(error: GuestError) -> Finding:
    return Finding(
        "kernel.cannot-set-default",
        "error",
        error.path or "boot loader",
        f"No kernel can be made the default: {error.message}.",
        error.hint or "Make it the default by hand.",
    )


def _interrupted(taken: Candidate, what: str) -> Finding:
    return Finding(
        "kernel.half-installed",
        "error",
        taken.release,
        f"{taken.release} is not completely installed: {what}. The default stays as it is.",
        f"Where it is half-installed: bring apt's lists of packages or its package (option packages), which installs it"
        f" anew. Else: dpkg --configure -a; update-initramfs -u -k {taken.release}; update-grub; the role guest_kernel"
        " does that.",
    )


def _no_trial(version: str, problem: str, remedy: str) -> Finding:
    return Finding(
        "kernel.no-trial",
        "error",
        version,
        f"{version} cannot be tried: {problem}.",
        remedy,
    )


def _trial_failed(facts: GuestFacts, trial: Trial, *, ends: bool = True) -> Finding:
    """C(ends): whether this is where it ends, and nothing else comes in place of that kernel."""
    running = facts.system.running_kernel or "another kernel"
    log = kernel_trial.log_of(facts, trial).split("\n")[-3:]
    said = f"The trial's log says: {' / '.join(log)}" if log != [""] else "It never reached user space"
    return Finding(
        "kernel.trial-failed",
        "error" if ends else "warning",
        trial.kernel,
        f"The trial of {trial.kernel} failed, and the guest is back on {running}. {said}.",
        "Look at the console and the journal of that start (journalctl -b -1), mend it, and try again with retry: true;"
        " or choose another kernel.",
    )


def _unhealthy(trial: Trial, missing: t.Sequence[str]) -> Finding:
    return Finding(
        "kernel.trial-unhealthy",
        "error",
        trial.kernel,
        f"{trial.kernel} runs on trial, and has no driver for {', '.join(missing)}. It is not confirmed: the guest"
        f" restarts with {trial.fallback} {trial.limit} seconds after its start.",
        "Choose a kernel that has these drivers.",
    )


def _not_running(version: str, running: str) -> Finding:
    return Finding(
        "kernel.restart-needed",
        "info",
        version,
        f"{version} starts by default, and {running} runs.",
        "Restart the guest.",
    )
