#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verification_info
short_description: Prove that a guest has arrived on Hyper-V, as well as it was before
description:
  - Looks at the running guest and tells whether it runs on Hyper-V by its synthetic devices alone, has the right
    clocksource, and is as it was before the move, with disks, mounts, addresses, routes, services, open ports and the
    errors that are logged.
  - What was before is the baseline, which M(rehost.hyperv.guest_adaptation) wrote down in the guest. Without one the
    guest is judged as it is.
  - Its clock can be measured in the same call.
  - Changes nothing.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.reads
options:
  hypervisor:
    description: Where the guest should be. V(xen) is for one that was prepared and started again on XenServer.
    type: str
    choices: [hyperv, xen]
    default: hyperv
  keep_legacy:
    description: Whether a legacy network adapter may stay attached, unused, for instance to start by PXE.
    type: bool
    default: false
  wait:
    description: Whether to wait until the guest has finished its boot, for at most five minutes.
    type: bool
    default: false
  clock:
    description:
      - What to do about the clock of a guest that runs, where it should be on Hyper-V. With V(report) it is measured as
        M(rehost.hyperv.time_sync_info) does; with V(require) a guest of which it was not shown to be right is not
        verified.
    type: str
    choices: [ignore, report, require]
    default: ignore
  clock_wait:
    description: Seconds to wait until the clock is synchronised, beside the ten in which it is measured.
    type: int
    default: 60
  clock_max_offset:
    description: Seconds by which the clock may be wrong, the uncertainty of the measurement included.
    type: float
    default: 0.1
  clock_servers:
    description: NTP servers to measure the clock against, besides the clock of the host.
    type: list
    elements: str
    default: []
seealso:
  - module: rehost.hyperv.guest_adaptation
  - module: rehost.hyperv.time_sync_info
  - module: rehost.hyperv.readiness_info
"""

EXAMPLES = r"""
- name: Look at a guest that was moved
  rehost.hyperv.verification_info:
  become: true
  register: verification

- name: Stop when something is wrong
  ansible.builtin.assert:
    that: verification.verified
    fail_msg: "{{ {inventory_hostname: verification} | rehost.hyperv.verification_summary | join('\n') }}"
"""

RETURN = r"""
verified:
  description: Whether no finding is an error, and the clock right where that is required.
  returned: success
  type: bool
settled:
  description: Whether the guest has finished its boot. Before that more may be missing than later.
  returned: success
  type: bool
hypervisor:
  description: What it runs on, as M(rehost.hyperv.guest_info) names it.
  returned: success
  type: str
  sample: hyperv
has_baseline:
  description: Whether it was compared with how it was before.
  returned: success
  type: bool
proofs:
  description: What was shown, in sentences.
  returned: success
  type: list
  elements: str
  sample: ["the root file system is on sda, by hv_storvsc"]
clock:
  description: What M(rehost.hyperv.time_sync_info) returns; none where the clock was not looked at.
  returned: success
  type: dict
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

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING
from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run_info
from ansible_collections.rehost.hyperv.plugins.module_utils._module.verification import verify


def main() -> None:
    run_info(
        {
            "hypervisor": {"type": "str", "choices": ["hyperv", "xen"], "default": "hyperv"},
            "keep_legacy": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": False},
            "clock": {"type": "str", "choices": ["ignore", "report", "require"], "default": "ignore"},
            "clock_wait": {"type": "int", "default": 60},
            "clock_max_offset": {"type": "float", "default": 0.1},
            "clock_servers": {"type": "list", "elements": "str", "default": []},
        },
        verify,
        lambda arguments: EVERYTHING | ({"state", "settled"} if arguments["wait"] else {"state"}),
    )


if __name__ == "__main__":
    main()
