# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key-value pairs that the host shall see."""

from __future__ import annotations

import typing as t

from .._catalog import kvp
from .._errors import GuestError
from .._formats import kvp_pool
from .model import Change, Finding, Plan, PoolChange

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts


def plan(facts: GuestFacts, present: t.Mapping[str, t.Any], absent: t.Sequence[str] = ()) -> Plan:
    """The pairs that the guest shows to its host: these there with these values, those not; others stay.

    Values are text or numbers. Raises GuestError for a pair that the host would not see whole.
    """
    wanted = {str(key): _text(key, value) for key, value in present.items()}
    for key, value in wanted.items():
        kvp_pool.check(key, value)
    both = sorted(set(wanted) & set(absent))
    if both:
        raise GuestError(f"{both[0]!r} is to be both present and absent", hint="Decide for one of the two.")
    pool = facts.kvp.pools[kvp.GUEST]
    held = dict(pool.pairs or ())
    setting = tuple([(key, value) for key, value in wanted.items() if held.get(key) != value])
    removing = tuple([key for key in dict.fromkeys(absent) if key in held])
    changes: tuple[Change, ...] = ()
    if setting or removing:
        changes = (PoolChange(pool.path, pool.pairs, setting, removing, "the host shall see these pairs"),)
    findings = (_without_daemon(),) if wanted and not facts.kvp.has_daemon else ()
    return Plan(changes=changes, findings=findings)


def virtual_machine_name(facts: GuestFacts) -> str | None:
    """The name that the host has for this virtual machine; None when it has not said it."""
    return _said_by_host(facts, kvp.VIRTUAL_MACHINE_NAME)


def host_name(facts: GuestFacts) -> str | None:
    """The full name of the host; None when it has not said it."""
    return _said_by_host(facts, kvp.HOST_NAME)


def _text(key: t.Any, value: t.Any) -> str:
    if not isinstance(value, (str, int, float)):
        raise GuestError(
            f"the value of {key!r} is neither text nor a number, and the host knows nothing else",
            hint="Turn it into text, for instance with the filter to_json.",
        )
    return str(value)


def _said_by_host(facts: GuestFacts, key: str) -> str | None:
    return dict(facts.kvp.pools[kvp.HOST].pairs or ()).get(key) or None


def _without_daemon() -> Finding:
    return Finding(
        "kvp.no-daemon",
        "info",
        kvp.DAEMON,
        "there is no daemon in this guest that hands the pairs to the host, which does not see them until there is",
        "install hyperv-daemons; the role guest_integration does",
    )
