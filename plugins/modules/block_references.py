#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: block_references
short_description: Name disks by what does not change with the hypervisor
description:
  - Replaces kernel names of disks (C(/dev/xvda1), C(/dev/sda1), C(/dev/disk/by-path/...)) by UUIDs, else labels, in
    C(fstab), C(crypttab), the resume device of initramfs-tools, C(mdadm.conf), the device filters of LVM, and the
    command lines and settings of the boot loader.
  - The UUIDs are read from the disks themselves. Names that survive the move are left alone, and so is everything
    else in the files.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
notes:
  - When the resume device changes, the initramfs images have to be built anew. M(rehost.hyperv.initramfs_modules) does
    that, so run it afterwards.
seealso:
  - module: rehost.hyperv.readiness_info
  - module: rehost.hyperv.initramfs_modules
"""

EXAMPLES = r"""
- name: Name disks by their UUIDs
  rehost.hyperv.block_references:
  become: true

- name: Show what would change in the guest in a disk image
  rehost.hyperv.block_references:
    image: /srv/images/web1.raw
  become: true
  check_mode: true
  diff: true
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
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import block_references


def main() -> None:
    run({}, lambda facts, arguments: block_references.plan(facts), {"storage"})


if __name__ == "__main__":
    main()
