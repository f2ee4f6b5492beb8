# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module nic_switch: a plan like any other, which on a running guest can be tried out before it is kept."""

from __future__ import annotations

import dataclasses
import typing as t

from .._errors import GuestError
from .guest_module import Arguments, clean, difference, ending_errors, new_module, opened_guest

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._plan.switch_model import Switch
    from .._root import Root

Planner = t.Callable[["GuestFacts", Arguments], "Switch"]


def run_switch(argument_spec: dict[str, t.Any], planner: Planner, parts: t.AbstractSet[str]) -> None:
    """In mode C(staged): gather, plan, apply, and the same once more, which must come out empty. In mode C(live) what
    has to be renamed in the running kernel is handed to a process of its own, which puts all back unless a later call
    with C(confirm) says that the guest can be reached."""
    module = new_module(argument_spec)
    arguments = module.params
    is_live = arguments["mode"] == "live"
    with ending_errors(module), opened_guest(module, writable=not module.check_mode) as look:
        if is_live and not look.root.is_live:
            raise GuestError(
                "mode live is for a running guest, and this is the tree of one that does not run",
                hint="Use mode staged, which takes effect when the guest starts.",
            )
        if arguments["confirm"] is not None:
            report: dict[str, t.Any] | None = _confirm(look.root, arguments)
        else:
            report = None if module.check_mode or not look.root.is_live else _resume(look.root)
        if report is not None:
            _refuse_to_wait(arguments)
            module.exit_json(**clean({"changed": False, "live": report}))
        switch = planner(look(parts), arguments)
        if is_live:
            _refuse_incomplete(switch)
        left = switch
        live = None
        if not module.check_mode and is_live and switch.renames:
            live = _start(look.root, switch, arguments)
        elif not module.check_mode and switch.plan:
            _apply(look.root, switch)
            left = planner(look(parts), arguments)
            if left.plan:
                raise GuestError(
                    f"the guest is still not as asked for after the changes: {left.plan.changes[0].report()}",
                    hint="This is a defect of the collection, or something else changes the guest at the same time.",
                )
    result: dict[str, t.Any] = {
        "changed": bool(switch.plan) or (is_live and bool(switch.renames)),
        "changes": [change.report() for change in switch.plan.changes],
        "commands": [],
        "findings": [finding.report() for finding in left.findings],
        "pairs": [pair.report() for pair in left.pairs],
        "renames": [{"before": rename.before, "after": rename.after} for rename in switch.renames],
        "host_actions": [action.report() for action in left.host_actions],
        "live": live,
    }
    if module._diff:
        result["diff"] = [difference(change) for change in switch.plan.changes]
    module.exit_json(**clean(result))


def _refuse_to_wait(arguments: Arguments) -> None:
    if arguments["mode"] != "live":
        raise GuestError(
            "an earlier live switch of this guest was interrupted; a process puts everything back right now",
            hint="Run again in a minute.",
        )


def _resume(root: Root) -> dict[str, t.Any] | None:
    from .._apply import live_switch

    return live_switch.resume(root)


def _confirm(root: Root, arguments: Arguments) -> dict[str, t.Any]:
    from .._apply import live_switch

    return live_switch.confirm(root, arguments["confirm"])


def _start(root: Root, switch: Switch, arguments: Arguments) -> dict[str, t.Any]:
    from .._apply import live_switch

    renamed = {rename.before for rename in switch.renames}
    concerned = [pair for pair in switch.pairs if renamed & {nic.name for nic in (pair.old, pair.synthetic) if nic}]
    switch = dataclasses.replace(switch, pairs=tuple(concerned))
    return live_switch.start(root, switch, timeout=arguments["timeout"], targets=tuple(arguments["targets"]))


def _apply(root: Root, switch: Switch) -> None:
    from .._apply.plan import apply
    from .._apply.runners import runner_for

    apply(root, switch.plan, runner_for(root))


def _refuse_incomplete(switch: Switch) -> None:
    missing = [pair.configured for pair in switch.pairs if pair.synthetic is None]
    if missing:
        raise GuestError(
            f"mode live needs the synthetic adapters, and there is none for {', '.join(missing)}",
            hint="Attach it to the virtual machine (host_actions of mode staged say how), or use mode staged, which "
            "takes effect as soon as the guest starts with it.",
        )
