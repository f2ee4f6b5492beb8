#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_info
short_description: Tell everything that matters about a Debian guest on Hyper-V or XenServer
description:
  - Tells in one round trip on which hypervisor a guest runs and by what evidence, which of its devices are synthetic,
    emulated or Xen's, which kernels it has and what they can drive, what its boot loader starts, and what is really
    in the initramfs images.
  - Works on a running guest, on a mounted tree (O(root)) and on a disk image (O(image)).
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.reads
options:
  read_images:
    description:
      - Whether to read the initramfs images. Without them the module says nothing about their content, and takes less
        time.
    type: bool
    default: true
seealso:
  - module: rehost.hyperv.readiness_info
"""

EXAMPLES = r"""
- name: Look at a running guest
  rehost.hyperv.guest_info:
  register: look

- name: Look at the guest in a disk image
  rehost.hyperv.guest_info:
    image: /srv/images/web1.raw
  become: true
"""

RETURN = r"""
guest:
  description: All facts.
  returned: success
  type: dict
  contains:
    system:
      description: Distribution, release, architecture, running kernel, network configuration systems in use.
      type: dict
      returned: always
    release_support:
      description:
        - Until when Debian supports the guest's release (C(supported_until), C(lts_until)), which kernels it has, and
          what Microsoft says of it. Null for releases that are not known.
      type: dict
      returned: always
    hypervisor:
      description:
        - The verdict (C(name), C(generation), C(is_azure), C(explanation)), the C(evidence) it rests on, and the
          C(contradictions) among it; host build, feature bits and VMBus protocol where the kernel told them; and
          whether Secure Boot is on (C(secure_boot)).
      type: dict
      returned: always
    vmbus:
      description: Devices on VMBus with their instance and class GUIDs, kind and driver.
      type: list
      elements: dict
      returned: always
    nics:
      description: Network interfaces with hardware behind them, with MAC address, driver and kind.
      type: list
      elements: dict
      returned: always
    connections:
      description:
        - Interfaces as ifupdown, systemd-networkd, netplan and NetworkManager are told to configure them, by what they
          are matched (C(name), C(patterns), C(macs), C(drivers)) and what they are made of (C(lowers), C(uppers)).
      type: list
      elements: dict
      returned: always
    default_routes:
      description: Default routes of the running kernel, with interface, gateway and family.
      type: list
      elements: dict
      returned: always
    disks:
      description: Whole disks that the running kernel sees, with driver, kind and size in bytes.
      type: list
      elements: dict
      returned: always
    block_devices:
      description: Partitions with the type, UUID and label read from them.
      type: list
      elements: dict
      returned: always
    kernels:
      description:
        - Installed kernels with the drivers they have (C(builtin), C(module) or null), their initramfs, whether they
          have a signature for Secure Boot (C(is_signed)), and in C(support) what they have of Hyper-V by feature, their
          known defects, and a C(grade).
      type: list
      elements: dict
      returned: always
    boot:
      description: Boot loader, menu entries, and the entry that starts by default.
      type: dict
      returned: always
    initramfs:
      description: What makes initramfs images in this guest (C(generators)), and its C(policy).
      type: dict
      returned: always
    clock:
      description: Clock sources and time services.
      type: dict
      returned: always
    xen:
      description: What only makes sense on Xen.
      type: dict
      returned: always
    integration:
      description: Daemons, device rules, memory, disks, watchdogs and serial ports.
      type: dict
      returned: always
    free_bytes:
      description: Free space of the file systems that hold some directories, in bytes.
      type: dict
      returned: always
    problems:
      description: What could not be read, and is therefore not known.
      type: list
      elements: dict
      returned: always
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING
from ansible_collections.rehost.hyperv.plugins.module_utils._module import report
from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run_info


def main() -> None:
    run_info(
        {"read_images": {"type": "bool", "default": True}},
        lambda facts, arguments: {"guest": report.guest(facts)},
        lambda arguments: EVERYTHING if arguments["read_images"] else EVERYTHING - {"images"},
    )


if __name__ == "__main__":
    main()
