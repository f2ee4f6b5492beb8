# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for a guest's network adapters, as data."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._facts.model import Nic
    from .model import Finding, Plan


@dataclasses.dataclass(frozen=True)
class Pair:
    """A network interface that is configured, and the adapters that bear its name: one before, another on Hyper-V."""

    configured: str  # the name that the configuration says, or that the adapter has which it matches
    name: str  # the name that the configuration says afterwards; mostly the same
    stack: str  # ifupdown, systemd-networkd, netplan or network-manager
    old: Nic | None  # the legacy, emulated or Xen adapter; None when it is not there (any more)
    synthetic: Nic | None  # None when it is not there yet
    by: str  # what made them a pair: operator, mac, name (the synthetic one has it already) or order
    macs: tuple[str, ...] = ()  # by which udev tells its adapters from others, the synthetic one's first
    uppers: tuple[str, ...] = ()  # the configured VLANs, bridges and bonds on top of it, the lowest first

    def report(self) -> dict[str, t.Any]:
        return {
            "configured": self.configured,
            "name": self.name,
            "stack": self.stack,
            "old": _adapter(self.old),
            "synthetic": _adapter(self.synthetic),
            "by": self.by,
            "macs": self.macs,
        }


class Rename(t.NamedTuple):
    """An interface of the running kernel gets another name. It has to be down for that."""

    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class HostAction:
    """What is to be done on the Hyper-V host, or with its management, as no guest can."""

    action: str  # add-adapter, set-static-mac or remove-legacy-adapter
    reason: str
    powershell: str  # for an administrator to paste
    microsoft_hyperv: t.Mapping[str, t.Any] | None  # module and options of the collection microsoft.hyperv
    why_not: str = ""  # why microsoft_hyperv is None

    def report(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Switch:
    """All of it. C(renames) are in the order in which they can be done: each name is free when its turn comes. They are
    empty where nothing has to be renamed, or no kernel runs."""

    plan: Plan
    pairs: tuple[Pair, ...] = ()
    renames: tuple[Rename, ...] = ()
    stacks: tuple[str, ...] = ()  # those that configure the pairs, and what is on top of them
    host_actions: tuple[HostAction, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.plan.findings


def _adapter(nic: Nic | None) -> dict[str, t.Any] | None:
    return None if nic is None else {"name": nic.name, "mac": nic.mac, "driver": nic.driver, "kind": nic.kind}
