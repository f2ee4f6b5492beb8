#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kvp
short_description: Key-value pairs that a guest shows to its Hyper-V host
description:
  - Writes to the pool that the host reads (pool 1, "guest"). Pairs of others in it stay as they are.
  - On the host the pairs are in C(GuestExchangeItems) of C(Msvm_KvpExchangeComponent). They are there once
    C(hv_kvp_daemon) runs in the guest, which asks for no restart.
  - The pool is written in place, under the lock of the daemon, so that no change of either is lost.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  present:
    description:
      - Keys and values that are to be there. A key may have up to 254 characters and 511 bytes in UTF-8, a value up to
        1022 characters and 2047 bytes; more than that does not reach the host, and is refused.
      - Everybody on the host who may look at the virtual machine can read them, and every user of the guest.
    type: dict
    default: {}
  absent:
    description: Keys that are not to be there.
    type: list
    elements: str
    default: []
seealso:
  - module: rehost.hyperv.kvp_info
  - module: rehost.hyperv.integration_services
"""

EXAMPLES = r"""
- name: Tell the host what this guest is for
  rehost.hyperv.kvp:
    present:
      role: database
      patched: "{{ ansible_date_time.date }}"
    absent: [maintenance]
  become: true
"""

RETURN = r"""
changes:
  description: The pool, if it was changed, or in check mode would be.
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
      sample: kvp.no-daemon
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
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kvp


def main() -> None:
    run(
        {
            "present": {"type": "dict", "default": {}},
            "absent": {"type": "list", "elements": "str", "default": []},
        },
        lambda facts, arguments: kvp.plan(facts, arguments["present"], arguments["absent"]),
        {"kvp"},
    )


if __name__ == "__main__":
    main()
