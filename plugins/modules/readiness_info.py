#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: readiness_info
short_description: Tell whether a Debian guest boots on Hyper-V, and if not, why
description:
  - Judges every kernel that the boot loader offers, for generation 1 and generation 2, from the content of the
    initramfs image that the boot loader will really load and the dependencies of the modules in it.
  - Reports what else is in the way, with a remedy each, and what the guest gains by the synthetic devices. Changes
    nothing.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.reads
seealso:
  - module: rehost.hyperv.guest_info
  - module: rehost.hyperv.initramfs_modules
  - module: rehost.hyperv.block_references
  - module: rehost.hyperv.kernel_cmdline
  - module: rehost.hyperv.xen_leftovers
"""

EXAMPLES = r"""
- name: Judge a guest that still runs on XenServer
  rehost.hyperv.readiness_info:
  register: readiness

- name: Stop before anything is moved
  ansible.builtin.assert:
    that: readiness.ready
    fail_msg: "{{ readiness.findings | selectattr('blocks') | map(attribute='message') | list }}"
"""

RETURN = r"""
ready:
  description: Whether the default boot entry comes up on a generation of Hyper-V and nothing is in the way.
  returned: success
  type: bool
generations:
  description: The generations on which the default boot entry comes up.
  returned: success
  type: list
  elements: int
  sample: [1]
kernels:
  description: The verdict on every kernel that the boot loader offers.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: As C(uname -r) gives it.
      type: str
      returned: always
    is_default:
      description: Whether the boot loader starts it when nobody intervenes.
      type: bool
      returned: always
    title:
      description: The menu entry that starts it.
      type: str
      returned: always
    generation1:
      description: C(boots) is true, false, or null where it cannot be told; C(why) lists the reasons.
      type: dict
      returned: always
    generation2:
      description: The same for generation 2.
      type: dict
      returned: always
    support:
      description:
        - What the kernel has of Hyper-V - its C(package), C(flavour) and C(origin), C(features) with their C(state) and
          what says so, known C(defects) with their C(sources), a C(grade) (C(good), C(limited), C(unusable),
          C(unknown)) and the C(reasons) for it.
      type: dict
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
advice:
  description: What this guest gains by synthetic devices.
  returned: success
  type: list
  elements: str
kernel_advice:
  description: Whether the kernel that starts by default is good enough for Hyper-V, and what to do if it is not.
  returned: success
  type: dict
  contains:
    action:
      description:
        - V(keep) it; V(switch) to another installed one; install a V(newer) one of this release, or one of its
          V(backports); V(build) one.
      type: str
      returned: always
      sample: newer
    kernel:
      description: The installed kernel to keep or to switch to, else null.
      type: str
      returned: always
    package:
      description: The package to install, else null.
      type: str
      returned: always
      sample: linux-image-amd64
    reasons:
      description: Why, in the order of weight.
      type: list
      elements: str
      returned: always
    services:
      description:
        - Where the daemons of the integration services are to be had - in this V(release), in its V(backports), or
          V(unavailable). Their drivers are part of the kernel.
      type: str
      returned: always
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING
from ansible_collections.rehost.hyperv.plugins.module_utils._module import report
from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run_info
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import readiness


def main() -> None:
    run_info(
        {},
        lambda facts, arguments: report.readiness(readiness.assess(facts)),
        lambda arguments: EVERYTHING,
    )


if __name__ == "__main__":
    main()
