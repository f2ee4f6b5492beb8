#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_cmdline
short_description: Make sure which arguments and consoles the kernels get
description:
  - Changes kernel arguments in the settings from which the boot loader's menu is made (C(/etc/default/grub) and
    C(grub.d), the magic comments of GRUB legacy) and in the menu itself (C(grub.cfg), C(menu.lst), C(extlinux.conf)),
    so that the next boot and every later C(update-grub) give the same.
  - Nothing else in these files changes.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  present:
    description: Arguments that every kernel gets, each as it stands on the command line.
    type: list
    elements: str
    default: []
  absent:
    description: Patterns of arguments that no kernel gets, in the notation of the shell, such as V(clocksource=*).
    type: list
    elements: str
    default: []
  consoles:
    description:
      - The consoles that the kernel has, in this order; the last one is C(/dev/console). Others are removed.
      - Without this option consoles are left as they are.
    type: list
    elements: str
seealso:
  - module: rehost.hyperv.block_references
"""

EXAMPLES = r"""
- name: Show the boot on both hypervisors
  rehost.hyperv.kernel_cmdline:
    consoles: [hvc0, tty0, "ttyS0,115200n8"]
  become: true

- name: Drop advice that is obsolete
  rehost.hyperv.kernel_cmdline:
    absent: ["clocksource=*", "clock=pit", notsc]
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
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_cmdline


def main() -> None:
    run(
        {
            "present": {"type": "list", "elements": "str", "default": []},
            "absent": {"type": "list", "elements": "str", "default": []},
            "consoles": {"type": "list", "elements": "str"},
        },
        lambda facts, arguments: kernel_cmdline.plan(
            facts,
            kernel_cmdline.Wanted(
                present=tuple(arguments["present"]),
                absent=tuple(arguments["absent"]),
                consoles=None if arguments["consoles"] is None else tuple(arguments["consoles"]),
            ),
        ),
        frozenset(),
    )


if __name__ == "__main__":
    main()
