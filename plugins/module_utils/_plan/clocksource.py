# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clocksource a guest should have, whether it has it, and what keeps it from having it.

A kernel that is left alone takes the best of the clocksources that it has and the host offers. That makes the rule:
nothing is forced, and what forces a wrong one is taken away. The kernel's own order, by version:

2.6.32
    Knows Hyper-V only as a staging driver, and has no clocksource for it.
since 2.6.36
    C(hyperv_clocksource), later C(hyperv_clocksource_msr): a register of the hypervisor. Right, but each reading leaves
    the guest.
since 4.9, 64 bit
    C(hyperv_clocksource_tsc_page): the same time, computed in the guest from the TSC and a page that the host keeps.
since 5.13
    C(tsc), where the host offers an invariant TSC (drivers/clocksource/hyperv_timer.c lowers the others then). Between
    5.5 and that C(tsc) is stable there as well, and the page is preferred. Without the offer the TSC is marked as
    unstable, for it is not scaled when the guest moves to another host.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import hypervisor as catalog
from .._formats import kernel_cmdline
from . import hypervisor
from . import kernel_cmdline as kernel_cmdline_plan
from .model import Finding, Plan, RuntimeSetting

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._formats.kernel_cmdline import Argument

TSC_PAGE = "hyperv_clocksource_tsc_page"
MSR = ("hyperv_clocksource_msr", "hyperv_clocksource")  # the second up to Linux 4.11
HYPERV_SOURCES = (TSC_PAGE, *MSR)
EMULATED = ("acpi_pm", "hpet", "pit", "jiffies", "refined-jiffies")
"""Timers that the host emulates one reading at a time, and the count of timer interrupts, some of which get lost."""

CURRENT = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

OBSOLETE: tuple[tuple[str, str], ...] = (
    ("clocksource=xen", "it exists on Xen alone, and there the kernel finds it by itself"),
    ("clocksource=acpi_pm", "an emulated timer; advice for hypervisors before Hyper-V"),
    ("clocksource=pit", "an emulated timer whose interrupts get lost; advice for hypervisors before Hyper-V"),
    ("clocksource=*jiffies", "a count of timer interrupts, of which a virtual machine loses some"),
    ("clocksource=hpet", "Hyper-V has no HPET"),
    ("clocksource=kvm-clock", "it exists on KVM alone"),
    (
        "clock=*",
        "the name that clocksource= had before Linux 2.6.18; clock=pit is Microsoft's advice for Virtual Server 2005",
    ),
    ("notsc", "it takes away the TSC, from which the clocksource of Hyper-V is computed"),
    ("divider=*", "Red Hat's kernels of 2007 slowed the tick by it; Debian's never knew it"),
    ("independent_wallclock*", "it is for paravirtual kernels of XenSource, and no other kernel knows it"),
    ("xen.independent_wallclock*", "a setting of XenSource's kernels (sysctl), and no argument of any kernel"),
)
"""Arguments that pin a clocksource, or once did, with what is wrong with them."""
_PINNED_TSC = (
    "clocksource=tsc",
    "right only where the host offers an invariant TSC, and there the kernel chooses it by itself",
)

_FIRST_MSR = (2, 6, 36)
_FIRST_TSC_PAGE = (4, 9)
_FIRST_INVARIANT = (5, 5)
_FIRST_TSC_PREFERRED = (5, 13)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """C(force): a clocksource that is set and pinned whatever is said against it; None lets the kernel choose."""

    force: str | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the clocksource is, should be and could be. C(is_right) is None where nothing can be told: a guest that is
    not running, a hypervisor that this collection knows nothing of."""

    is_right: bool | None
    current: str | None
    available: tuple[str, ...]
    expected: str | None  # the best one; of a guest that is not running, on Hyper-V as far as it is known
    forced_by: tuple[str, ...]  # arguments of the running kernel that decide on the clocksource
    reason: str
    restart_needed: bool  # at its next start the kernel gets other arguments that decide on it

    def report(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)

    @property
    def is_settable(self) -> bool:
        """Whether the running kernel could be told to use a better one."""
        return self.is_right is False and self.expected in self.available


def judge(facts: GuestFacts) -> Verdict:
    """The verdict; needs the facts C(hypervisor) and C(clock)."""
    clock = facts.clock
    version = kernel_version(facts.system.running_kernel)
    forced_by = tuple([argument.text for argument in _deciding(clock.cmdline or "")])
    name = hypervisor.judge(facts.hypervisor)
    platform = name.container_on or name.name

    def verdict(is_right: bool | None, expected: str | None, reason: str) -> Verdict:
        restart_needed = _starts_otherwise(facts, forced_by)
        return Verdict(is_right, clock.current, clock.available, expected, forced_by, reason, restart_needed)

    if clock.current is None:
        return verdict(None, None, "The guest is not running, or its kernel does not tell its clocksource.")
    if platform != "hyperv":
        is_right = (
            None if platform == "unknown" else clock.current not in EMULATED or _has_nothing_else(clock.available)
        )
        better = next((name for name in clock.available if name not in EMULATED), None)
        return verdict(is_right, clock.current if is_right else better, _elsewhere(platform, clock.current, is_right))
    return verdict(*_on_hyperv(clock.current, clock.available, version, facts.hypervisor.features))


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """What it takes for the right clocksource to be used, now and after every boot; needs the facts of C(judge)."""
    verdict = judge(facts)
    stale = _stale(facts, wanted)
    boot = kernel_cmdline_plan.plan(
        facts,
        kernel_cmdline_plan.Wanted(
            present=(f"clocksource={wanted.force}",) if wanted.force else (),
            absent=tuple([pattern for pattern, _reason in stale]),
        ),
    )
    return Plan(
        changes=(*_settings(facts, verdict, wanted), *boot.changes),
        findings=(
            *_pin_findings(facts, stale),
            *_verdict_findings(verdict, wanted),
            *(finding for finding in boot.findings if finding.id.startswith("boot.")),
        ),
    )


def _starts_otherwise(facts: GuestFacts, forced_by: tuple[str, ...]) -> bool:
    default = facts.boot.default
    if facts.clock.cmdline is None or default is None:
        return False
    return {argument.text for argument in _deciding(default.cmdline)} != set(forced_by)


def _settings(facts: GuestFacts, verdict: Verdict, wanted: Wanted) -> t.Iterator[RuntimeSetting]:
    target = wanted.force or (verdict.expected if verdict.is_settable else None)
    if facts.is_live and verdict.current and target in verdict.available and target != verdict.current:
        reason = "asked for" if wanted.force else verdict.reason
        yield RuntimeSetting(CURRENT, verdict.current, target, reason)


def _stale(facts: GuestFacts, wanted: Wanted) -> tuple[tuple[str, str], ...]:
    """Patterns of arguments that no kernel of this guest should get, and why."""
    if wanted.force:
        others = [pattern for pattern in OBSOLETE if not pattern[0].startswith("clocksource=")]
        return (*others, *_pinned_otherwise(facts, wanted.force))
    if _has_invariant_tsc(facts):
        return OBSOLETE
    return (*OBSOLETE, _PINNED_TSC)


def _pinned_otherwise(facts: GuestFacts, force: str) -> list[tuple[str, str]]:
    # as far as the menu and the settings name them: a pattern for all but one there is none
    found = dict.fromkeys(
        [
            f"clocksource={value}"
            for text in (*(entry.cmdline for entry in facts.boot.entries), *(file.text for file in facts.boot.defaults))
            for value in re.findall(r"clocksource=([\w.-]+)", text)
            if value != force
        ]
    )
    return [(pattern, f"{force} is asked for") for pattern in found]


def _has_invariant_tsc(facts: GuestFacts) -> bool:
    features = facts.hypervisor.features
    return features is not None and bool(features & catalog.FEATURE_TSC_INVARIANT)


def _pin_findings(facts: GuestFacts, stale: tuple[tuple[str, str], ...]) -> t.Iterator[Finding]:
    found: dict[str, str] = {}
    for entry in facts.boot.entries:
        line = kernel_cmdline.parse(entry.cmdline)
        for pattern, reason in stale:
            kept = kernel_cmdline.without(line, pattern).kernel_arguments
            for argument in line.kernel_arguments:
                if argument.text not in [one.text for one in kept]:
                    found.setdefault(argument.text, reason)
    for text, reason in found.items():
        yield Finding(
            "clocksource.pinned",
            "warning",
            text,
            f"the boot loader gives the kernel {text}: {reason}",
            "clocksource removes it; the kernel then chooses by itself, on any hypervisor",
        )


def _verdict_findings(verdict: Verdict, wanted: Wanted) -> t.Iterator[Finding]:
    if wanted.force:
        if verdict.current is not None and wanted.force not in verdict.available:
            yield Finding(
                "clocksource.not-offered",
                "warning",
                wanted.force,
                f"{wanted.force} is asked for, and the running kernel has only {' '.join(verdict.available)}: it keeps "
                f"{verdict.current}",
                "ask for one that is there, or for none",
            )
        return
    if verdict.is_right is not False:
        return
    if verdict.is_settable:
        yield Finding(
            "clocksource.wrong",
            "warning",
            verdict.current or "",
            verdict.reason,
            "clocksource sets it, and removes what forces the wrong one",
        )
        return
    yield Finding(
        "clocksource.none",
        "warning",
        verdict.current or "",
        verdict.reason,
        "install a kernel that has a clocksource for this hypervisor; chrony holds more than other time services",
    )


def kernel_version(release: str | None) -> tuple[int, ...]:
    """The numbers at the beginning of C(uname -r); () where there are none."""
    match = re.match(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}", release or "")
    return tuple([int(number) for number in match.group().split(".")]) if match else ()


def _on_hyperv(
    current: str, available: tuple[str, ...], version: tuple[int, ...], features: int | None
) -> tuple[bool | None, str | None, str]:
    """Whether it is right, what is best, and why."""
    is_invariant = features is not None and bool(features & catalog.FEATURE_TSC_INVARIANT)
    prefers_tsc = is_invariant and version >= _FIRST_TSC_PREFERRED
    order = ("tsc", *HYPERV_SOURCES) if prefers_tsc else HYPERV_SOURCES
    expected = next((name for name in order if name in available), None)
    if expected is None:
        return _without_hyperv_source(current, available, version, features)
    why = _advantage(expected)
    if current == expected:
        return True, expected, f"{current} is the best that this kernel has on this host: {why}."
    if current in (TSC_PAGE, *(MSR if TSC_PAGE not in available else ())):
        return True, expected, f"{current} is right; {expected} would be a little cheaper to read."
    if current == "tsc" and is_invariant and version >= _FIRST_INVARIANT:
        return True, expected, "tsc is right: the host offers an invariant TSC, and this kernel knows what that means."
    return False, expected, f"{current} is wrong: {_fault(current)}. {expected} is there: {why}."


def _without_hyperv_source(
    current: str, available: tuple[str, ...], version: tuple[int, ...], features: int | None
) -> tuple[bool | None, str | None, str]:
    if version and version < _FIRST_MSR:
        reason = (
            f"This kernel ({'.'.join(map(str, version))}) has no clocksource for Hyper-V, and {current} is the best it "
            f"can do: {_fault(current)}. No setting changes that; a newer kernel does (3.2 of Debian 7 or later). "
            "Until then the clock gains or loses seconds a day, more under load, and NTP may be unable to hold it."
        )
        return False, None, reason
    if features is not None and not features & (catalog.FEATURE_TIME_REF_COUNT | catalog.FEATURE_REFERENCE_TSC):
        reason = f"The host offers no reference time (features 0x{features:x}), so {current} is what there is."
        return current not in EMULATED, None, reason
    reason = (
        f"The kernel offers no clocksource of Hyper-V, only {' '.join(available) or current}: it was built without "
        f"CONFIG_HYPERV_TIMER, or did not recognise the hypervisor. {current} is wrong: {_fault(current)}."
    )
    return False, None, reason


def _elsewhere(platform: str, current: str, is_right: bool | None) -> str:
    if is_right is None:
        return f"It is not known what this runs on, so nothing can be said of {current}."
    if is_right:
        return f"{current} is right here ({platform}); on Hyper-V the kernel chooses again at boot."
    return f"{current} is wrong here ({platform}): {_fault(current)}."


def _has_nothing_else(available: tuple[str, ...]) -> bool:
    return all(name in EMULATED for name in available)


def _advantage(name: str) -> str:
    if name == "tsc":
        return "the host offers an invariant TSC, which it scales when the guest moves to another host"
    if name == TSC_PAGE:
        return "it is the host's reference time, read without leaving the guest"
    return "it is the host's reference time, although each reading leaves the guest"


def _fault(name: str) -> str:
    if name in ("jiffies", "refined-jiffies", "pit"):
        return "it counts timer interrupts, and those that the guest misses while it does not run are lost for good"
    if name in EMULATED:
        return (
            "the host emulates this timer, each reading leaves the guest, and its rate is not that of the host's clock"
        )
    if name == "tsc":
        return "the host does not offer an invariant TSC, so its rate changes when the guest moves to another host"
    if name in MSR:
        return "each reading leaves the guest, which the page in the guest's memory spares"
    return "it does not belong to Hyper-V"


def _deciding(cmdline: str) -> list[Argument]:
    """The arguments of a kernel that decide on its clocksource."""
    names = ("clocksource", "clock", "notsc")
    arguments = kernel_cmdline.parse(cmdline).kernel_arguments
    return [argument for argument in arguments if argument.name in names]
