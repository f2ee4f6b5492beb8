# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that it takes for a guest to boot on Hyper-V, and as long as it is wanted on Xen too, as one plan.

Each planner sees what those before it will have left: an initramfs image is judged by the configuration that it will be
built from, not by the one that is there.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._catalog.paths import BASELINE
from .._errors import GuestError
from .._facts.model import TextFile
from .._formats import guest_state
from . import (
    block_references,
    hypervisor,
    initramfs_modules,
    integration_services,
    kernel_cmdline,
    nic_switch,
    xen_leftovers,
)
from .model import Change, FileChange, Plan

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts

BASELINES = ("none", "first", "latest")
HYPERVISORS: t.Mapping[str, tuple[str, ...]] = {"xen": ("xen-hvm", "xen-pv", "xen-pvh"), "hyperv": ("hyperv",)}
"""What a guest may be required to run on, and the verdicts that fit."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """boot: what decides whether it boots. keep_xen: it must boot on Xen as well. consoles: None are those that fit
    C(keep_xen). network and integration: None leaves them alone. baseline: one of BASELINES. hypervisors: keys of
    HYPERVISORS, the guest must run on one of them; () asks for nothing."""

    boot: bool = True
    keep_xen: bool = True
    consoles: tuple[str, ...] | None = None
    modules: tuple[str, ...] = ()
    network: nic_switch.Wanted | None = None
    integration: integration_services.Wanted | None = None
    baseline: str = "none"
    hypervisors: tuple[str, ...] = ()


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """Disks by UUID, consoles, what belonged to Xen, drivers in the initramfs images; and the baseline. Raises
    GuestError when the guest runs on something else than it may."""
    _require_hypervisor(facts, wanted.hypervisors)
    consoles = wanted.consoles
    if consoles is None:
        consoles = kernel_cmdline.DUAL_BOOT_CONSOLES if wanted.keep_xen else kernel_cmdline.HYPERV_CONSOLES
    network, integration = wanted.network, wanted.integration
    steps: list[t.Callable[[GuestFacts], Plan]] = [lambda seen: _baseline(seen, wanted.baseline)]
    if network is not None:
        steps.append(lambda seen: _network(seen, network))
    if integration is not None:
        steps.append(lambda seen: integration_services.plan(seen, integration))
    if wanted.boot:
        steps += (
            block_references.plan,
            lambda seen: kernel_cmdline.plan(seen, kernel_cmdline.Wanted(consoles=consoles)),
            lambda seen: xen_leftovers.plan(seen, "dual_boot" if wanted.keep_xen else "absent"),
            lambda seen: initramfs_modules.plan(seen, initramfs_modules.Wanted(wanted.keep_xen, wanted.modules)),
        )
    plans = []
    for step in steps:
        plans.append(step(facts))
        facts = foresee(facts, plans[-1].changes)
    return merge(plans)


def merge(plans: t.Iterable[Plan]) -> Plan:
    """Several plans, each made for what the ones before it leave, as one: a file that several change changes once."""
    plans = tuple(plans)
    changes: dict[str, Change] = {}
    for change in [change for plan_ in plans for change in plan_.changes]:
        first = changes.get(change.path)
        if isinstance(first, FileChange) and isinstance(change, FileChange):
            reasons = dict.fromkeys([*first.reason.split("; "), change.reason])
            changes[change.path] = dataclasses.replace(first, after=change.after, reason="; ".join(reasons))
        else:
            changes[change.path] = change
    return Plan(
        changes=tuple([change for change in changes.values() if not _is_undone(change)]),
        commands=tuple([command for plan_ in plans for command in plan_.commands]),
        findings=tuple(dict.fromkeys([finding for plan_ in plans for finding in plan_.findings])),
    )


def _is_undone(change: Change) -> bool:
    return isinstance(change, FileChange) and change.before == change.after


def foresee(facts: GuestFacts, changes: t.Iterable[Change]) -> GuestFacts:
    """The facts with the text of each file as it will be after the changes. What was derived from the text (the
    entries of the boot menu) is as it was. A file that will be new is not seen."""
    after = {change.path: change.after for change in changes if isinstance(change, FileChange)}
    return t.cast("GuestFacts", _foreseen(facts, after)) if after else facts


def _foreseen(value: t.Any, after: t.Mapping[str, str | None]) -> t.Any:
    if isinstance(value, TextFile):
        if value.path not in after:
            return value
        text = after[value.path]
        return None if text is None else TextFile(value.path, text)
    if isinstance(value, tuple) and any(isinstance(item, TextFile) for item in value):
        return tuple([item for item in [_foreseen(item, after) for item in value] if item is not None])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        new = {name: _foreseen(item, after) for name, item in held.items()}
        changed = {name: item for name, item in new.items() if item is not held[name]}
        return dataclasses.replace(value, **changed) if changed else value
    return value


def _require_hypervisor(facts: GuestFacts, wanted: tuple[str, ...]) -> None:
    verdict = hypervisor.judge(facts.hypervisor)
    if wanted and not any(verdict.name in HYPERVISORS[name] for name in wanted):
        raise GuestError(
            f"this is for a guest on {' or '.join([_TITLES[name] for name in wanted])}, and nothing was changed. "
            f"{verdict.explanation.rstrip('.')}",
            hint="Take the host out of the play, or see guest_info for the evidence if the verdict is wrong.",
        )


_TITLES = {"xen": "Xen", "hyperv": "Hyper-V"}


def _network(facts: GuestFacts, wanted: nic_switch.Wanted) -> Plan:
    """Where nothing tells which adapter will stand for which interface, that is a finding: the guest boots without it.
    What the operator says of the adapters has to be right."""
    try:
        return nic_switch.plan(facts, wanted).plan
    except GuestError:
        if wanted.pairs:
            raise
        return Plan(findings=nic_switch.find(facts))


def _baseline(facts: GuestFacts, which: str) -> Plan:
    """The guest's state, kept in it: the first one stays, or one is taken anew at each boot."""
    if which == "none" or facts.state is None:
        return Plan()
    held = facts.baseline
    if held is not None and (which == "first" or held.state.boot_id == facts.state.boot_id):
        return Plan()
    if held is None and any(problem.path == BASELINE for problem in facts.problems):
        return Plan()  # one that cannot be read is not written over
    new = guest_state.Baseline(hypervisor.judge(facts.hypervisor).name, facts.state)
    before = None if held is None else guest_state.render(held)
    reason = "how the guest is before the move, to compare with afterwards"
    return Plan((FileChange(BASELINE, before, guest_state.render(new), reason, 0o600),))
