# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module guest_adaptation: what it is told, as its planner wants it, and what it tells besides its changes."""

from __future__ import annotations

import typing as t

from .._plan import adaptation, hypervisor, integration_services, nic_switch, readiness
from . import report

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._plan.model import Plan
    from .guest_module import Arguments

ARGUMENTS: dict[str, t.Any] = {
    "boot": {"type": "bool", "default": True},
    "keep_xen": {"type": "bool", "default": True},
    "consoles": {"type": "list", "elements": "str"},
    "modules": {"type": "list", "elements": "str", "default": []},
    "network": {"type": "bool", "default": False},
    "pairs": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"from": {"type": "str", "required": True}, "to": {"type": "str"}, "name": {"type": "str"}},
    },
    "keep_legacy": {"type": "bool", "default": False},
    "vm_name": {"type": "str"},
    "integration": {"type": "bool", "default": False},
    "baseline": {"type": "str", "choices": list(adaptation.BASELINES), "default": "none"},
    "hypervisors": {"type": "list", "elements": "str", "choices": list(adaptation.HYPERVISORS), "default": []},
}


def plan(facts: GuestFacts, arguments: Arguments) -> Plan:
    """The plan for these arguments."""
    return adaptation.plan(
        facts,
        adaptation.Wanted(
            boot=arguments["boot"],
            keep_xen=arguments["keep_xen"],
            consoles=None if arguments["consoles"] is None else tuple(arguments["consoles"]),
            modules=tuple(arguments["modules"]),
            network=_network(arguments),
            integration=integration_services.Wanted() if arguments["integration"] else None,
            baseline=arguments["baseline"],
            hypervisors=tuple(arguments["hypervisors"]),
        ),
    )


def judge(facts: GuestFacts, arguments: Arguments) -> dict[str, t.Any]:
    """What is told of a guest before and after."""
    network = _network(arguments)
    actions = nic_switch.plan(facts, network).host_actions if network is not None else ()
    return {
        "hypervisor": hypervisor.judge(facts.hypervisor).name,
        "adapters": sorted({nic.kind for nic in facts.nics}),
        "guest_tools": [name for name, _version in facts.xen.packages],
        "host_actions": [action.report() for action in actions],
        **report.readiness(readiness.assess(facts)),
    }


def _network(arguments: Arguments) -> nic_switch.Wanted | None:
    if not arguments["network"]:
        return None
    pairs = [nic_switch.WantedPair(pair["from"], pair["to"], pair["name"]) for pair in arguments["pairs"]]
    return nic_switch.Wanted(tuple(pairs), arguments["keep_legacy"], arguments["vm_name"])
