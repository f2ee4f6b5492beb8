# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network configuration of a guest belongs to the synthetic adapter: what that takes.

The name moves to the adapter, and the configuration stays as it is: rules for udev make whichever adapter the host
gives bear the name that the configuration says. So everything that says the name (VLANs, bridges, hooks, a firewall)
goes on working, on Hyper-V with either adapter, and on XenServer.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError
from . import host_actions, hypervisor, kvp, network_edits, network_pairs, network_rules
from .model import FileChange, Finding, Plan
from .network_pairs import WantedPair
from .switch_model import HostAction, Pair, Rename, Switch

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Nic

__all__ = ["HostAction", "Pair", "Rename", "Switch", "Wanted", "WantedPair", "find", "plan"]

_NOT_GUESTS = ("hyperv-root-partition", "wsl2", "xen-dom0", "physical")
_TEMPORARY = "rehost"
_SET_ADDRESS = re.compile(
    r"^[ \t]*(?:hwaddress(?:[ \t]+ether)?|MACAddress[ \t]*=|macaddress:|cloned-mac-address[ \t]*=)[ \t\"']*"
    r"([0-9a-fA-F]{1,2}(?:[:-][0-9a-fA-F]{1,2}){5})\b",
    re.MULTILINE,
)


@dataclasses.dataclass(frozen=True)
class Wanted:
    """pairs: the operator's. keep_legacy: the legacy adapter stays, for PXE. vm_name: what the host calls the virtual
    machine."""

    pairs: tuple[WantedPair, ...] = ()
    keep_legacy: bool = False
    vm_name: str | None = None


def plan(facts: GuestFacts, wanted: Wanted) -> Switch:
    """Everything that the switch takes, in the files, in the running kernel and on the host.

    Raises GuestError where the operator's pairs do not fit, where nothing tells which adapter stands for which
    interface, and where a file that configures the network cannot be read or edited.
    """
    where = hypervisor.judge(facts.hypervisor)
    if facts.hypervisor.is_container or where.is_azure or (facts.is_live and where.name in _NOT_GUESTS):
        _refuse_pairs(wanted, f"this is {where.name}, where the network is not the guest's own to arrange")
        return Switch(Plan())
    _refuse_unread(facts)
    pairs = network_pairs.find(facts, wanted.pairs)
    if pairs and not facts.has_udev:
        raise GuestError(
            "udev is not installed in this guest, and nothing else gives an adapter the name that is configured",
            hint="Install the package udev. Nothing was changed.",
        )
    stacks = tuple(dict.fromkeys(found.stack for found in facts.connections if found.connection.kind != "loopback"))
    changes: tuple[FileChange, ...] = ()
    is_at_home = _is_at_home(facts, pairs)
    if pairs and not is_at_home:
        changes = (*_rules(facts, pairs), *network_edits.edit(facts, pairs))
    changes += network_edits.leave_legacy_alone(facts, stacks, is_kept=bool(pairs) and wanted.keep_legacy)
    findings = (
        *network_edits.findings(facts, pairs),
        *network_edits.names_set_by_cloud_init(changes),
        *_set_addresses(facts, pairs),
    )
    return Switch(
        plan=Plan(changes=changes, findings=tuple(dict.fromkeys(findings))),
        pairs=pairs,
        renames=_renames(facts.nics, pairs),
        stacks=stacks,
        host_actions=host_actions.actions(
            () if is_at_home else pairs,
            facts.nics,
            is_hyperv=where.name == "hyperv",
            generation=where.generation,
            vm_name=wanted.vm_name or (kvp.virtual_machine_name(facts) if facts.kvp.pools else None),
            keep_legacy=wanted.keep_legacy,
        ),
    )


def find(facts: GuestFacts) -> tuple[Finding, ...]:
    """What stands in the way of a switch that nobody has asked for yet, and what it would leave to do."""
    try:
        return plan(facts, Wanted()).findings
    except GuestError as error:
        return (
            Finding(
                "network.cannot-be-switched",
                "warning",
                error.details().get("path") or "network",
                f"the network configuration cannot move to the synthetic adapter as it is: {error.message}",
                error.hint or "see to it, and run nic_switch",
            ),
        )


def _refuse_pairs(wanted: Wanted, reason: str) -> None:
    if wanted.pairs:
        raise GuestError(f"pairs: no adapter can be paired: {reason}", hint="Leave pairs out.")


def _refuse_unread(facts: GuestFacts) -> None:
    directories = ("/etc/network/", "/etc/systemd/network/", "/etc/netplan/", "/etc/NetworkManager/", "/etc/udev/")
    for problem in facts.problems:
        if problem.path.startswith(directories):
            raise GuestError(
                f"{problem.path} cannot be read, so it is not known what the network is: {problem.message}",
                path=problem.path,
                hint="Mend the file, or move it away if it is not used. Nothing was changed.",
            )


def _is_at_home(facts: GuestFacts, pairs: t.Sequence[Pair]) -> bool:
    """Whether the guest was made on Hyper-V with synthetic adapters only, and needs nothing: each has its name from
    elsewhere, and none was renamed here."""
    return (
        facts.is_live
        and not network_rules.given(facts.network)
        and not any(nic.kind in network_pairs.OLD_KINDS for nic in facts.nics)
        and all(
            pair.synthetic is not None
            and pair.synthetic.name == pair.name == pair.configured
            and pair.by in ("name", "mac")
            for pair in pairs
        )
    )


def _rules(facts: GuestFacts, pairs: t.Sequence[Pair]) -> tuple[FileChange, ...]:
    for pair in pairs:
        kind = pair.old.kind if pair.old is not None else "xen"
        if pair.name != pair.configured and kind not in ("xen", "legacy"):
            raise GuestError(
                f"pairs: {pair.configured} cannot get another name here: its adapter ({kind}) is one that the rules "
                "for udev do not cover, so the guest would lose it before it moves",
                hint="Leave its name as it is.",
            )
    before = next((file.text for file in facts.network if file.path == network_rules.PATH), None)
    names = [network_rules.Naming(pair.name, pair.macs) for pair in pairs]
    given = {naming.name: naming.macs for naming in network_rules.given(facts.network)}
    # the order of addresses says nothing: what is there in another order stays
    names = [
        naming._replace(macs=given[naming.name])
        if set(naming.macs) == set(given.get(naming.name, ("",))) and naming.macs
        else naming
        for naming in names
    ]
    after = network_rules.render(names)
    if before == after:
        return ()
    return (FileChange(network_rules.PATH, before, after, "the adapter bears the name that is configured"),)


def _renames(nics: t.Sequence[Nic], pairs: t.Sequence[Pair]) -> tuple[Rename, ...]:
    """For the running kernel, where both adapters, or a synthetic one with another name, are there."""
    moving = [(pair, pair.synthetic) for pair in pairs if pair.synthetic is not None]
    taken = {nic.name for nic in nics}
    renames = []
    for index, pair in enumerate(pairs):
        if pair.old is not None and pair.synthetic is not None and pair.old.kind == "legacy":
            name = f"{network_rules.LEGACY_NAME}{index}"
            if pair.old.name != name and name not in taken:
                renames.append(Rename(pair.old.name, name))
                taken.discard(pair.old.name)
    todo = {nic.name: pair.name for pair, nic in moving if nic.name != pair.name}
    while todo:
        free = next((before for before, after in todo.items() if after not in taken), None)
        if free is None:  # each waits for another
            before = next(iter(todo))
            if not any(after in todo for after in todo.values()):
                break  # an adapter that is in no pair holds the name
            temporary = f"{_TEMPORARY}{len(renames)}"
            renames.append(Rename(before, temporary))
            todo[temporary] = todo.pop(before)
            taken.discard(before)
            continue
        after = todo.pop(free)
        renames.append(Rename(free, after))
        taken.discard(free)
        taken.add(after)
    return tuple(renames)


def _set_addresses(facts: GuestFacts, pairs: t.Sequence[Pair]) -> t.Iterator[Finding]:
    """Hyper-V drops what a guest sends from another address than its adapter has."""
    if not pairs:
        return
    matched = {mac for found in facts.connections for mac in found.connection.macs}
    present = {nic.mac for nic in facts.nics if nic.kind == "synthetic"}
    for file in facts.network:
        if file.path.endswith((".rules", ".link")):
            continue
        for mac in dict.fromkeys(found.lower().replace("-", ":") for found in _SET_ADDRESS.findall(file.text)):
            if mac not in matched and mac not in present:
                yield Finding(
                    "network.sets-address",
                    "warning",
                    file.path,
                    f"{file.path} gives an adapter the address {mac}. Hyper-V drops what is sent from an address that "
                    "is not the adapter's own there",
                    f"give the adapter this address (Set-VMNetworkAdapter -StaticMacAddress {mac.replace(':', '')}), "
                    "or allow it to use others (-MacAddressSpoofing On)",
                )
