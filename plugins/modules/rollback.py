#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback
short_description: Undo everything that this collection changed on a guest
description:
  - Puts back every file and link that modules of this collection changed, to the byte, with mode, owner, times and
    extended attributes, and removes what they added.
  - Everything is recorded in C(/var/lib/rehost-hyperv) in the guest before it is touched, so that this works on a
    running guest, on a mounted tree and on a disk image, also after a run that was killed half way.
  - A file that somebody else changed since is left alone, unless O(force) is set.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  force:
    description: Whether to restore also files that were changed by others since; their changes are lost.
    type: bool
    default: false
seealso:
  - module: rehost.hyperv.readiness_info
"""

EXAMPLES = r"""
- name: Undo everything
  rehost.hyperv.rollback:
  become: true

- name: Show what would be undone in the guest in a disk image
  rehost.hyperv.rollback:
    image: /srv/images/web1.raw
  become: true
  check_mode: true
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
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import rollback


def main() -> None:
    run(
        {"force": {"type": "bool", "default": False}},
        lambda facts, arguments: rollback.plan(facts, arguments["force"]),
        {"history"},
    )


if __name__ == "__main__":
    main()
