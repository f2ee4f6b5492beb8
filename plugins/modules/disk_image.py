#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_image
short_description: Copy a disk image into another format, checked
description:
  - Writes the disk in O(src) to O(dest) in the format that is asked for, sized to whole MiB as Hyper-V wants it, then
    checks the result and compares it with the source. O(src) is only read.
  - Until all of that has succeeded there is no O(dest), only a file with the suffix C(.partial) that goes when the
    module ends. What a killed run leaves of it, the next one replaces.
  - Images that refer to other files (backing files, differencing disks) are refused.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
options:
  src:
    description: The disk image to read.
    type: path
    required: true
  src_format:
    description:
      - Format of O(src). Without it the first and last bytes of the file decide, and what shows no format is raw.
      - Say V(raw) for an image that a guest could have written a foreign header into.
    type: str
    choices: [raw, qcow2, vhd, vhdx]
  dest:
    description: The disk image to write.
    type: path
    required: true
  format:
    description: Format of O(dest). Windows Server 2008 R2 knows V(vhd) only; V(vhdx) is for 2012 and later.
    type: str
    choices: [raw, qcow2, vhd, vhdx]
    default: vhdx
  subformat:
    description: Whether an image in format V(vhd) grows as it is filled, or takes its full size at once.
    type: str
    choices: [dynamic, fixed]
    default: dynamic
  replace:
    description: Whether a O(dest) with other content is replaced. Otherwise it is an error.
    type: bool
    default: false
  progress_file:
    description: Where the module writes how far it is. The action plugin of the same name uses it.
    type: path
attributes:
  check_mode:
    description: Can run in check mode and return whether O(dest) would be written.
    support: full
  diff_mode:
    description: There is nothing to show of a disk.
    support: none
  platform:
    description: Needs C(qemu-img) from the Debian package C(qemu-utils).
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: Make a raw copy that can be worked on
  rehost.hyperv.disk_image:
    src: /srv/export/web1.vhd
    dest: /srv/work/web1.raw
    format: raw

- name: Make the disk for Hyper-V
  rehost.hyperv.disk_image:
    src: /srv/work/web1.raw
    src_format: raw
    dest: /srv/hyperv/web1.vhdx
"""

RETURN = r"""
image:
  description: The image that was written, or was there already; in check mode the source.
  returned: success
  type: dict
  contains:
    format:
      description: As C(qemu-img) names it.
      type: str
      returned: always
    virtual_size:
      description: Size of the disk in bytes.
      type: int
      returned: always
    actual_size:
      description: What the file takes, in bytes.
      type: int
      returned: always
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.image_module import run


def main() -> None:
    run(
        {
            "src": {"type": "path", "required": True},
            "src_format": {"type": "str", "choices": ["raw", "qcow2", "vhd", "vhdx"]},
            "dest": {"type": "path", "required": True},
            "format": {"type": "str", "choices": ["raw", "qcow2", "vhd", "vhdx"], "default": "vhdx"},
            "subformat": {"type": "str", "choices": ["dynamic", "fixed"], "default": "dynamic"},
            "replace": {"type": "bool", "default": False},
            "progress_file": {"type": "path"},
        }
    )


if __name__ == "__main__":
    main()
