#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_adaptation
short_description: Make a Debian guest boot on Hyper-V, in one go
description:
  - Does what M(rehost.hyperv.block_references), M(rehost.hyperv.kernel_cmdline), M(rehost.hyperv.xen_leftovers) and
    M(rehost.hyperv.initramfs_modules) do, in this order, as one plan. The guest is looked at once, and each initramfs
    image is built at most once, from the configuration as the others leave it.
  - If asked, also stages what M(rehost.hyperv.nic_switch) and M(rehost.hyperv.integration_services) do.
  - Can write down how the guest is before the move (the baseline), with which M(rehost.hyperv.verification_info)
    compares it afterwards.
  - The guest boots on both hypervisors then, unless O(keep_xen) is false, which ends that.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  boot:
    description:
      - Whether what decides on booting is adapted at all. Without it only what O(network), O(integration) and
        O(baseline) ask for is done.
    type: bool
    default: true
  keep_xen:
    description:
      - Whether the guest must still boot on Xen. Without it what belonged to Xen goes, as far as it is in files;
        packages stay.
    type: bool
    default: true
  consoles:
    description:
      - The kernel's consoles in their order, the last one is C(/dev/console).
      - The default is V(hvc0), V(tty0), V(ttyS0,115200n8), without V(hvc0) if O(keep_xen) is false.
    type: list
    elements: str
  modules:
    description: Further modules that every initramfs image should hold, as far as its kernel has them.
    type: list
    elements: str
    default: []
  network:
    description:
      - Whether the network configuration is staged for the synthetic adapter, as M(rehost.hyperv.nic_switch) does in
        its mode V(staged). It takes effect when the guest starts with that adapter.
    type: bool
    default: false
  pairs:
    description:
      - Which adapter stands for which configured interface, where nothing tells by itself.
    type: list
    elements: dict
    default: []
    suboptions:
      from:
        description: The configured interface, by its name or the MAC address of its adapter.
        type: str
        required: true
      to:
        description: MAC address of the synthetic adapter.
        type: str
      name:
        description: Name that the configuration says afterwards.
        type: str
  keep_legacy:
    description: Whether the legacy adapter stays attached, unused, for instance to start by PXE.
    type: bool
    default: false
  vm_name:
    description: What the host calls the virtual machine, for RV(before.host_actions).
    type: str
  integration:
    description: Whether daemons, rules and settings are staged as M(rehost.hyperv.integration_services) does.
    type: bool
    default: false
  baseline:
    description:
      - Whether the state of a running guest is written to C(/var/lib/rehost-hyperv/baseline.json) in it.
      - V(first) keeps the one that is there. V(latest) takes a new one when the guest was started since the last.
    type: str
    choices: [none, first, latest]
    default: none
  hypervisors:
    description:
      - On what the guest must run. On anything else the module fails, before anything is changed. Nothing is required
        by default.
    type: list
    elements: str
    choices: [xen, hyperv]
    default: []
seealso:
  - module: rehost.hyperv.integration_services
  - module: rehost.hyperv.nic_switch
  - module: rehost.hyperv.verification_info
  - module: rehost.hyperv.rollback
"""

EXAMPLES = r"""
- name: Make a guest that runs on XenServer boot on both hypervisors, and remember how it was
  rehost.hyperv.guest_adaptation:
    baseline: first
    hypervisors: [xen]
  become: true

- name: The same for the guest in a disk image
  rehost.hyperv.guest_adaptation:
    image: /srv/images/web1.raw
  become: true

- name: On Hyper-V, when it does not go back
  rehost.hyperv.guest_adaptation:
    keep_xen: false
    hypervisors: [hyperv]
  become: true
"""

RETURN = r"""
changes:
  description: Every file or link that was changed, or in check mode would be.
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
      sample: initramfs.missing-module
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
before:
  description:
    - The verdict on the guest before the changes, with the keys that M(rehost.hyperv.readiness_info) returns.
  returned: success
  type: dict
  contains:
    ready:
      description: Whether it comes up on Hyper-V.
      type: bool
      returned: always
    hypervisor:
      description: What it runs on, as M(rehost.hyperv.guest_info) names it; V(unknown) for a guest that is not running
        and whose logs do not tell.
      type: str
      returned: always
      sample: xen-hvm
    adapters:
      description: The kinds of network adapters that the running guest has, as M(rehost.hyperv.guest_info) names them.
      type: list
      elements: str
      returned: always
      sample: [legacy, synthetic]
    guest_tools:
      description: Packages of Xen's guest tools that are installed.
      type: list
      elements: str
      returned: always
    host_actions:
      description: What is to be done on the Hyper-V host for the network, as M(rehost.hyperv.nic_switch) returns it.
      type: list
      elements: dict
      returned: always
    findings:
      description: Everything that the assessment found.
      type: list
      elements: dict
      returned: always
after:
  description: The same after the changes. In check mode nothing has changed, so that it equals RV(before).
  returned: success
  type: dict
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING
from ansible_collections.rehost.hyperv.plugins.module_utils._module import adaptation
from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run


def main() -> None:
    run(adaptation.ARGUMENTS, adaptation.plan, EVERYTHING | {"state", "kvp"}, adaptation.judge)


if __name__ == "__main__":
    main()
