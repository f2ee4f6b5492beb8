# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses of Xen's network adapter in the guest's configuration, which are others on Hyper-V."""

from __future__ import annotations

import re
import typing as t

from . import network_rules
from .model import Finding

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, TextFile

# systemd names Xen's adapter enX0 since version 251 (Debian 12); the synthetic one is eth0
_XEN_NAME = re.compile(r"\benX\d+\b")
# the range that belongs to Xen, which XenServer takes addresses from; Hyper-V's own is 00:15:5d
_XEN_MAC = re.compile(r"\b00:16:3[eE](?::[0-9a-fA-F]{2}){3}\b")


def find(facts: GuestFacts) -> tuple[Finding, ...]:
    """A finding for each name, and each address, in each file. Comments do not count, nor do a name that the rules of
    nic_switch give to whichever adapter is there, and what only serves to give it."""
    given = {naming.name for naming in network_rules.given(facts.network)}
    findings = []
    for file in facts.network:
        if file.path == network_rules.PATH:
            continue
        lines = [line for line in file.text.split("\n") if not line.lstrip().startswith(("#", ";"))]
        text = "\n".join(lines)
        findings += [_named(file.path, name) for name in dict.fromkeys(_XEN_NAME.findall(text)) if name not in given]
        if not _only_names(facts, file, given):
            findings += [_addressed(file.path, mac) for mac in dict.fromkeys(_XEN_MAC.findall(text))]
    return tuple(findings)


def _only_names(facts: GuestFacts, file: TextFile, given: t.Collection[str]) -> bool:
    """Whether all that a file does is to give adapters names that they have in any case."""
    if file.path.endswith(".rules"):
        names = [name for _mac, name in network_rules.names_by_mac([file])]
    elif file.path.endswith(".link"):
        found = [entry.connection.name for entry in facts.connections if entry.path == file.path]
        names = [name for name in found if name is not None]
    else:
        return False
    return bool(names) and all(name in given for name in names)


def _named(path: str, name: str) -> Finding:
    return Finding(
        "network.xen-name",
        "warning",
        path,
        f"{path} configures {name}, as Xen's adapter is called. On Hyper-V the synthetic one is eth0, so the guest "
        "comes up without this network",
        f"run nic_switch: it makes whichever adapter is there bear the name {name}, here and on Hyper-V",
    )


def _addressed(path: str, mac: str) -> Finding:
    return Finding(
        "network.xen-mac",
        "warning",
        path,
        f"{path} knows an adapter by {mac}, an address that XenServer gave it. Hyper-V gives another, and what hangs "
        "on the address does not apply there",
        "run nic_switch, which makes it a name where it stands for an adapter; or give the virtual machine there this "
        "address (Set-VMNetworkAdapter -StaticMacAddress)",
    )
