#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kvp_info
short_description: Key-value pairs that a guest and its Hyper-V host share
description:
  - Reads all pools in C(/var/lib/hyperv), which C(hv_kvp_daemon) keeps.
  - What the daemon says of the guest by itself (pool 2, "auto", with addresses and system) is made when the host asks,
    and is in no file.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.reads
seealso:
  - module: rehost.hyperv.kvp
"""

EXAMPLES = r"""
- name: Ask under which name the host knows this virtual machine
  rehost.hyperv.kvp_info:
  register: shared

- name: Show it
  ansible.builtin.debug:
    var: shared.virtual_machine_name
"""

RETURN = r"""
pools:
  description: The pools by their names.
  returned: success
  type: dict
  contains:
    external:
      description: What whoever administers the host has written for the guest (pool 0).
      type: dict
      returned: always
    guest:
      description: What the guest shows to the host (pool 1).
      type: dict
      returned: always
    auto:
      description: Empty; the daemon makes these pairs when it is asked (pool 2).
      type: dict
      returned: always
    host:
      description: What the host says of itself and of the virtual machine (pool 3).
      type: dict
      returned: always
    internal:
      description: Not used (pool 4).
      type: dict
      returned: always
virtual_machine_name:
  description: The name that the host has for the virtual machine; null when it has not said it.
  returned: success
  type: str
host_name:
  description: The full name of the host; null when it has not said it.
  returned: success
  type: str
has_daemon:
  description: Whether C(hv_kvp_daemon) is installed.
  returned: success
  type: bool
problems:
  description: What could not be read, and is therefore not known.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run_info
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kvp


def main() -> None:
    run_info(
        {},
        lambda facts, arguments: {
            "pools": {pool.name: dict(pool.pairs or ()) for pool in facts.kvp.pools},
            "virtual_machine_name": kvp.virtual_machine_name(facts),
            "host_name": kvp.host_name(facts),
            "has_daemon": facts.kvp.has_daemon,
            "problems": facts.problems,
        },
        lambda arguments: {"kvp"},
    )


if __name__ == "__main__":
    main()
