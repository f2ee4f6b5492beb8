# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest with nothing but a network configuration, and the adapters that its kernel sees, for tests."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import runner_for
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Evidence, GuestFacts, Nic
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import nic_switch
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

PARTS = frozenset({"hypervisor", "devices", "network", "connections", "kvp"})
BASE = "=== /etc/udev/udev.conf\n# udev\n=== /var/lib/dpkg/status\n"
XEN_MAC = "00:16:3e:00:00:01"
XEN_MAC_2 = "00:16:3e:00:00:02"
MAC = "00:15:5d:00:00:01"
MAC_2 = "00:15:5d:00:00:02"

_KINDS = {
    "xen": ("xen-netfront", "xen"),
    "legacy": ("tulip", "pci"),
    "synthetic": ("hv_netvsc", "vmbus"),
    "virtual-function": ("mlx5_core", "pci"),
    "other": ("e1000e", "pci"),
    "virtio": ("virtio_net", "virtio"),
}
EVIDENCE = {
    "xen": Evidence("/sys/hypervisor/type", "xen", "xen-hvm", "interface"),
    "hyperv": Evidence("/sys/bus/vmbus/devices", "11 devices", "hyperv", "bus"),
    "physical": Evidence("/sys/class/dmi/id", "A maker", "physical", "firmware"),
}


def nic(name: str, kind: str, mac: str | None = None) -> Nic:
    driver, bus = _KINDS[kind]
    return Nic(name, mac, driver, kind, bus, "up", None)


def build(path: pathlib.Path, manifest: str) -> GuestFacts:
    """Facts of a guest that does not run."""
    guest_tree.build(BASE + manifest, path)
    return look(path)


def look(path: pathlib.Path) -> GuestFacts:
    return gather(Root(str(path)), PARTS)


def running(facts: GuestFacts, on: str, *nics: Nic) -> GuestFacts:
    """The same guest, running on a hypervisor with these adapters."""
    return dataclasses.replace(
        facts,
        is_live=True,
        nics=tuple(nics),
        hypervisor=dataclasses.replace(facts.hypervisor, evidence=(EVIDENCE[on],), is_container=False),
    )


def pair(source: str, target: str | None = None, name: str | None = None) -> nic_switch.WantedPair:
    return nic_switch.WantedPair(source, target, name)


def plan(facts: GuestFacts, *pairs: nic_switch.WantedPair, **wanted: t.Any) -> nic_switch.Switch:
    return nic_switch.plan(facts, nic_switch.Wanted(pairs=pairs, **wanted))


def carry_out(path: pathlib.Path, switch: nic_switch.Switch) -> GuestFacts:
    """What the guest is afterwards."""
    root = Root(str(path))
    apply(root, switch.plan, runner_for(root))
    return look(path)


def texts(switch: nic_switch.Switch) -> dict[str, str | None]:
    """The files that change, and what they hold afterwards."""
    return {change.path: change.after for change in switch.plan.changes if isinstance(change, FileChange)}
