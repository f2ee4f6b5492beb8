# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What every module of the collection has in common: where the guest is, and what comes back."""

    DOCUMENTATION = r"""
options:
  root:
    description:
      - Directory that holds the guest's root file system.
      - The default, V(/), is the machine on which the module runs. Anything else is a guest that is not running, whose
        file systems somebody has mounted there; nothing needs to be installed in it.
    type: path
    default: /
  image:
    description:
      - A raw disk image that holds the guest. The module mounts it for itself, where no other process sees it, and
        nothing stays mounted however the module ends. Needs root on the machine that has the image.
      - Mutually exclusive with O(root).
    type: path
  other_images:
    description:
      - Raw images of the guest's other disks, in their order, so that references to them can be judged. They are only
        read.
    type: list
    elements: path
    default: []
  root_device:
    description:
      - Which volume of O(image) holds the root file system, where there are several, as the guest would name it
        (V(/dev/xvda2), V(UUID=...), V(/dev/mapper/vg0-root)).
    type: str
  backend:
    description:
      - How O(image) is opened. V(loop) lets the kernel of this machine mount it, V(libguestfs) a small virtual machine.
      - V(auto) takes libguestfs where KVM makes it fast or the guest's volumes need it, and where O(keys) has a key to
        one of them, else loop mounts.
    type: str
    choices: [auto, loop, libguestfs]
    default: auto
  keys:
    description:
      - Passphrases of the encrypted volumes (LUKS1 and LUKS2) in O(image), which only libguestfs can open.
      - A volume without a key stays closed; that is an error if the guest's system is in it. So is a key that does not
        fit, or whose volume is not there or not encrypted.
      - Passphrases are neither logged nor returned, nor written anywhere.
    type: list
    elements: dict
    default: []
    suboptions:
      device:
        description:
          - The encrypted volume, as the guest's C(crypttab) or the guest itself names it (V(UUID=...), V(/dev/xvda3),
            V(/dev/mapper/vg0-root)). V(all) stands for every one. Keys are tried one after the other, those for V(all)
            last; for them it is no error if nothing is encrypted.
        type: str
        default: all
      key:
        description:
          - The passphrase, one line. Mutually exclusive with O(keys[].file); one of both is required.
        type: str
      file:
        description:
          - A file on the machine that has the image, which holds the passphrase, with or without a newline at its end.
            A key file with random bytes cannot be used. At most 8192 bytes.
        type: path
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what would change.
    support: full
  diff_mode:
    description: Returns the difference of every file that changes.
    support: full
  platform:
    description: Debian 6 to 13 as the guest. The machine on which the module runs needs Python 3.7 or later.
    support: full
    platforms: posix
"""

    READS = r"""
options: {}
attributes:
  check_mode:
    description: The module only reads.
    support: full
  diff_mode:
    description: The module only reads, so there is no difference.
    support: N/A
  platform:
    description: Debian 6 to 13 as the guest. The machine on which the module runs needs Python 3.7 or later.
    support: full
    platforms: posix
"""
