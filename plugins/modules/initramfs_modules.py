#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: initramfs_modules
short_description: Put the drivers for Hyper-V into every initramfs image
description:
  - Reads the initramfs images that the boot loader loads, and builds anew those that lack a driver (or something that
    it depends on) without which their kernel does not find its root on Hyper-V.
  - Makes sure that images built later hold them, too, by a hook for initramfs-tools or a file in C(dracut.conf.d).
  - A new image takes the place of the old one only after it has been read back and every wanted module was found in
    it. When it cannot be built, or the disk is full, or the run is killed, the old image is still there.
  - The images of a guest that is not running (O(root), O(image)) are built by the guest's own programs in an isolation
    on this machine, which needs root.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  keep_xen:
    description:
      - Whether the guest must still boot on Xen, so that Xen's drivers are kept in the images as well.
    type: bool
    default: true
  modules:
    description:
      - Further modules that every image should hold, as far as its kernel has them.
    type: list
    elements: str
    default: []
seealso:
  - module: rehost.hyperv.readiness_info
  - module: rehost.hyperv.rollback
"""

EXAMPLES = r"""
- name: Make a guest that runs on XenServer boot on both hypervisors
  rehost.hyperv.initramfs_modules:
  become: true

- name: The same for the guest in a disk image
  rehost.hyperv.initramfs_modules:
    image: /srv/images/web1.raw
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
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import initramfs_modules


def main() -> None:
    run(
        {
            "keep_xen": {"type": "bool", "default": True},
            "modules": {"type": "list", "elements": "str", "default": []},
        },
        lambda facts, arguments: initramfs_modules.plan(
            facts, initramfs_modules.Wanted(arguments["keep_xen"], tuple(arguments["modules"]))
        ),
        {"kernels", "images", "initramfs", "storage", "xen"},
    )


if __name__ == "__main__":
    main()
