#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nic_switch
short_description: Move the network configuration to the synthetic adapter
description:
  - A guest from XenServer, or one with a legacy adapter on Hyper-V, configures its network for an adapter that goes.
    The synthetic one (C(hv_netvsc)) has another name, and mostly another address.
  - The module moves the name, and leaves the configuration as it is. Rules for udev make whichever adapter the host
    gives bear the name that the configuration says, on Hyper-V the synthetic one or the legacy one, on XenServer its
    own. VLANs, bridges, bonds, hooks and firewalls that say the name go on working, and the guest still boots on
    both.
  - Two things are edited in the files of C(ifupdown), C(systemd-networkd), C(netplan) and C(NetworkManager), and
    nothing else in them. A match by the address of an adapter becomes one by its name. Where O(pairs) asks for
    another name, the interface has that in every place.
  - Adapters are paired by O(pairs), by their address (one that keeps the address of the old adapter), or by order if
    there is exactly one on each side. Where nothing tells them apart, the module changes nothing and says so.
  - Virtual functions are left alone, and so are guests on Azure, containers, and guests without a network
    configuration.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  mode:
    description:
      - V(staged) changes files only. The switch takes place when the guest starts with the synthetic adapter; until
        then, and without one, the network is as it was.
      - V(live) switches the running guest, which must have the synthetic adapter already. A process of its own takes
        the network down, renames the adapters, brings the network up and checks it; what worked before has to work.
        When a check fails, or nobody confirms within O(timeout) that the guest can still be reached, it puts
        everything back. The action plugin confirms over a new connection.
      - With V(live), where no adapter has to be renamed, files are changed as with V(staged).
    type: str
    choices: [staged, live]
    default: staged
  pairs:
    description:
      - Which adapter stands for which configured interface, where it cannot be told, or another name is wanted.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description: The interface, by the name in the configuration or by the address of its adapter.
        type: str
        required: true
      to:
        description:
          - The address (MAC) of the synthetic adapter. It may be one that the virtual machine does not have yet.
        type: str
      name:
        description:
          - The name that the interface has afterwards, in the configuration and in the kernel, on both hypervisors.
          - Needed with several adapters named C(eth0), C(eth1) and so on, as these cannot be swapped safely.
        type: str
  keep_legacy:
    description:
      - The legacy adapter of a virtual machine of generation 1 stays, so that it can boot over the network (PXE). It
        is called C(legacy0), and NetworkManager and systemd-networkd are told to leave it alone.
    type: bool
    default: false
  vm_name:
    description:
      - What the host calls the virtual machine, for RV(host_actions). Without it, what the host says through
        key-value pairs is taken, where there is something.
    type: str
  timeout:
    description: With O(mode=live), after how many seconds without confirmation everything is put back.
    type: int
    default: 120
  targets:
    description:
      - With O(mode=live), further addresses as C(HOST:PORT) that must be reachable by TCP after the switch if they
        are before it. The gateways and name servers are checked in any case.
    type: list
    elements: str
    default: []
  confirm:
    description: The token of a live switch that is to be confirmed. Set by the action plugin.
    type: str
seealso:
  - module: rehost.hyperv.guest_info
  - module: rehost.hyperv.readiness_info
  - module: rehost.hyperv.rollback
"""

EXAMPLES = r"""
- name: Prepare a guest on XenServer for its start on Hyper-V
  rehost.hyperv.nic_switch:
  become: true

- name: Tell two adapters apart, and give their interfaces names of their own
  rehost.hyperv.nic_switch:
    pairs:
      - from: eth0
        to: 00:15:5d:01:02:03
        name: lan0
      - from: eth1
        to: 00:15:5d:01:02:04
        name: lan1
  become: true

- name: Switch a running guest on Hyper-V, where it must still reach its database
  rehost.hyperv.nic_switch:
    mode: live
    targets: [db.example.org:5432]
  become: true

- name: The same for a guest that is not running
  rehost.hyperv.nic_switch:
    image: /srv/images/web1.raw
"""

RETURN = r"""
changes:
  description: Every file that was changed, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path in the guest.
      type: str
      returned: always
    action:
      description: One of V(create), V(change), V(remove).
      type: str
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
commands:
  description: Always empty; this module runs no program of the guest to change it.
  returned: success
  type: list
  elements: dict
pairs:
  description: Every configured interface with hardware behind it, and its adapters.
  returned: success
  type: list
  elements: dict
  contains:
    configured:
      description: The name in the configuration.
      type: str
      returned: always
    name:
      description: The name in the configuration afterwards.
      type: str
      returned: always
    stack:
      description: What configures it, one of V(ifupdown), V(systemd-networkd), V(netplan), V(network-manager).
      type: str
      returned: always
    old:
      description: The legacy, emulated or Xen adapter with C(name), C(mac), C(driver) and C(kind); null without one.
      type: dict
      returned: always
    synthetic:
      description: The synthetic adapter; null when it is not there yet.
      type: dict
      returned: always
    by:
      description: What made them a pair, one of V(operator), V(mac), V(name), V(order).
      type: str
      returned: always
    macs:
      description: The addresses by which the rules for udev know its adapters; empty where there is only one.
      type: list
      elements: str
      returned: always
renames:
  description: The interfaces of the running kernel that have another name afterwards, C(before) and C(after).
  returned: success
  type: list
  elements: dict
host_actions:
  description: What is left to do on the Hyper-V host, in this order.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: One of V(add-adapter), V(set-static-mac), V(remove-legacy-adapter).
      type: str
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
    powershell:
      description: Commands to paste on the host. Names that the guest cannot know are written in capitals.
      type: str
      returned: always
    microsoft_hyperv:
      description: C(module) and C(options) of the collection C(microsoft.hyperv); null where it cannot express it.
      type: dict
      returned: always
    why_not:
      description: Why it cannot.
      type: str
      returned: always
live:
  description: What a live switch came to; null where none was needed, and with O(mode=staged).
  returned: success
  type: dict
  contains:
    phase:
      description: V(confirmed), V(put-back), V(abandoned) or V(interrupted) when it is over.
      type: str
      returned: always
    reason:
      description: Why it was put back.
      type: str
      returned: always
    checks:
      description: By the name of each check whether it passed before, and what is wrong with it now.
      type: dict
      returned: always
    connection:
      description: Over which interface and driver the confirmation came.
      type: dict
      returned: always
    log:
      description: Path of the log in the guest.
      type: str
      returned: always
findings:
  description: What the administrator should know. The ids are explained in the findings reference of the collection.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Stable name of the kind of finding.
      type: str
      returned: always
      sample: network.name-elsewhere
    severity:
      description: One of V(error), V(warning), V(info).
      type: str
      returned: always
    subject:
      description: What it is about, such as a path.
      type: str
      returned: always
    message:
      description: What was found, where, and why it matters.
      type: str
      returned: always
    remedy:
      description: What to do about it.
      type: str
      returned: always
    blocks:
      description: Whether the guest does not come up on Hyper-V, or not completely, because of it.
      type: bool
      returned: always
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.network_switch import run_switch
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import nic_switch


def main() -> None:
    pair = {"from": {"type": "str", "required": True}, "to": {"type": "str"}, "name": {"type": "str"}}
    run_switch(
        {
            "mode": {"type": "str", "choices": ["staged", "live"], "default": "staged"},
            "pairs": {"type": "list", "elements": "dict", "default": [], "options": pair},
            "keep_legacy": {"type": "bool", "default": False},
            "vm_name": {"type": "str"},
            "timeout": {"type": "int", "default": 120},
            "targets": {"type": "list", "elements": "str", "default": []},
            "confirm": {"type": "str", "no_log": False},
        },
        lambda facts, arguments: nic_switch.plan(
            facts,
            nic_switch.Wanted(
                pairs=tuple([nic_switch.WantedPair(one["from"], one["to"], one["name"]) for one in arguments["pairs"]]),
                keep_legacy=arguments["keep_legacy"],
                vm_name=arguments["vm_name"],
            ),
        ),
        frozenset({"hypervisor", "devices", "network", "connections", "kvp"}),
    )


if __name__ == "__main__":
    main()
