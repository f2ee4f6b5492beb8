#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: integration_services
short_description: Daemons, device rules and settings that a guest should have on Hyper-V
description:
  - Lets the daemons of C(hyperv-daemons) start, takes memory into use that Hyper-V adds, and leaves the order of disk
    accesses to the host. Judges what else works otherwise there, such as watchdogs, serial ports and crash dumps, and
    what Microsoft's own integration services left behind.
  - Where something of this is done already, by the kernel, by Debian or by the administrator, nothing is written.
  - Rules for devices take effect when a device appears. On a guest that runs on Hyper-V, disks that are there already
    get the same settings at once; no restart is needed.
  - On another hypervisor, on a mounted tree and in an image everything is staged. It does nothing until the guest runs
    on Hyper-V.
  - Packages are not installed. Where one is missing, the finding C(integration.daemons-missing) says so, and the role
    C(rehost.hyperv.guest_integration) installs it.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  daemons:
    description:
      - The services that are to run. A unit that is masked or does not start with the guest is made to; services that
        are not listed are left as they are.
      - V(kvp) tells the host the addresses and the system of the guest and exchanges key-value pairs, V(vss) freezes
        file systems for backups, V(fcopy) takes files from the host (up to Debian 12).
    type: list
    elements: str
    choices: [kvp, vss, fcopy]
    default: [kvp, vss]
  hot_add:
    description: Whether memory that Hyper-V adds is taken into use by a rule, unless the kernel or a rule does it.
    type: bool
    default: true
  no_scheduler:
    description:
      - Whether disks of Hyper-V get the I/O scheduler V(none), or V(noop) of older kernels, unless they have it or
        another rule of udev sets one.
    type: bool
    default: true
  disk_timeout:
    description:
      - Seconds that a command of a disk may take, such as V(300). Without it the kernel's own limit stays, which is 180
        seconds.
      - The driver starts the time anew whenever it is over, so this is of use with kernels before 3.14 only, or where a
        guideline asks for it.
    type: int
seealso:
  - module: rehost.hyperv.readiness_info
  - module: rehost.hyperv.kvp
"""

EXAMPLES = r"""
- name: Make the guest a good citizen of Hyper-V
  rehost.hyperv.integration_services:
  become: true
  register: integration

- name: Install the daemons where they are missing
  ansible.builtin.apt:
    name: hyperv-daemons
  become: true
  when: integration.findings | selectattr('id', 'eq', 'integration.daemons-missing')

- name: Follow a guideline that asks for 300 seconds
  rehost.hyperv.integration_services:
    disk_timeout: 300
  become: true
"""

RETURN = r"""
changes:
  description: Every file, link or setting that was changed, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path in the guest.
      type: str
      returned: always
    action:
      description: One of V(create), V(change), V(remove), V(restore).
      type: str
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
commands:
  description: Every program of the guest that was run, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    command:
      description: The command line.
      type: str
      returned: always
    output:
      description: The file that it made.
      type: str
      returned: always
    reason:
      description: Why.
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
      sample: integration.daemons-missing
    severity:
      description: One of V(error), V(warning), V(info).
      type: str
      returned: always
    subject:
      description: What it is about, such as a path, a kernel version or a device.
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

from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import integration_services


def main() -> None:
    run(
        {
            "daemons": {
                "type": "list",
                "elements": "str",
                "choices": ["kvp", "vss", "fcopy"],
                "default": ["kvp", "vss"],
            },
            "hot_add": {"type": "bool", "default": True},
            "no_scheduler": {"type": "bool", "default": True},
            "disk_timeout": {"type": "int"},
        },
        lambda facts, arguments: integration_services.plan(
            facts,
            integration_services.Wanted(
                daemons=tuple(arguments["daemons"]),
                hot_add=arguments["hot_add"],
                no_scheduler=arguments["no_scheduler"],
                disk_timeout=arguments["disk_timeout"],
            ),
        ),
        {"hypervisor", "kernels", "integration"},
    )


if __name__ == "__main__":
    main()
