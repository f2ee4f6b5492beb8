#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: xen_leftovers
short_description: Deal with what belonged to Xen
description:
  - Finds gettys on Xen's consoles, guest tools, sysctl settings, module options and blacklists that only make sense on
    Xen, or do harm elsewhere.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  state:
    description:
      - V(dual_boot) changes only what does harm on Hyper-V, and nothing that the guest needs on Xen.
      - V(absent) removes all of it, for a guest that does not go back. Packages are reported, not removed.
    type: str
    choices: [dual_boot, absent]
    default: dual_boot
seealso:
  - module: rehost.hyperv.readiness_info
"""

EXAMPLES = r"""
- name: Let the guest boot well on both hypervisors
  rehost.hyperv.xen_leftovers:
  become: true

- name: Clean up after the move was accepted
  rehost.hyperv.xen_leftovers:
    state: absent
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
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import xen_leftovers


def main() -> None:
    run(
        {"state": {"type": "str", "choices": ["dual_boot", "absent"], "default": "dual_boot"}},
        lambda facts, arguments: xen_leftovers.plan(facts, arguments["state"]),
        {"xen"},
    )


if __name__ == "__main__":
    main()
