#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_pin
short_description: Choose a kernel, try it for one start, make it the default, and keep it
description:
  - Chooses a kernel of those that are installed, that apt offers, or that are in O(packages). Without further options
    that is the newest one that this release offers in the flavour of the guest's kernel, and has no known defect on
    Hyper-V.
  - Each call makes the next step, and says in RV(after.phase) what has to come before the one after that. The role
    C(rehost.hyperv.guest_kernel) goes through all of them.
  - Before packages are installed (V(install)), the kernel that runs is made the default by name, so that no
    C(update-grub) makes an unproven one the first entry.
  - A kernel that is installed is tried (V(restart)). GRUB starts it once, with arguments by which a panic ends in a
    restart. Unless this module is called again, and finds it running with its devices on VMBus, within O(trial_limit)
    seconds, the guest restarts with the old kernel.
  - A kernel that proved itself becomes the default (V(done)), and one that did not is not tried again (V(failed)).
  - apt is told to keep the kernel at its version, never to remove it by itself, and never to install those with known
    defects.
  - No kernel is ever removed. In a guest that runs, packages are not installed by this module, but by who calls it.
  - In a guest that does not run (O(root) or O(image)), O(packages) are installed by the call itself, with
    O(trial=false). The guest's own C(dpkg) does it, isolated from the machine on which the module runs and without a
    network, and without the hooks that packages of kernels have (C(/etc/kernel/postinst.d)). What the hooks do is done
    here. The image is built by the guest's own C(mkinitramfs) or C(dracut) and proved, and the menu of GRUB 2 gets an
    entry like that of the kernel that started before. Only then is the new kernel the default.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  state:
    description:
      - With V(absent), apt and the boot loader are as they would be without this module, and a trial that was not
        confirmed is called off. With GRUB legacy and extlinux the default stays where it is.
    type: str
    choices: [present, absent]
    default: present
  kernel:
    description:
      - The kernel to have, exactly, as C(uname -r) says it (V(6.1.0-50-amd64)) or by the version of its package
        (V(6.1.176-1)). It is taken also where something is known against it.
    type: str
  flavour:
    description:
      - The flavour, such as V(amd64), V(cloud-amd64), V(rt-amd64) or V(686-pae). Without it that of the kernel that
        runs, or of the default where none runs.
    type: str
  minimum:
    description:
      - The lowest version of its package that will do, such as V(6.1.123-1). A kernel that is there already and not
        older is taken, without looking for a newer one.
    type: str
  backports:
    description: Whether a kernel of the release's backports may be chosen, where the guest has them as a source.
    type: bool
    default: false
  upgrade:
    description: Whether a kernel that is pinned gives way to a newer one. Without it, it stays as long as it will do.
    type: bool
    default: false
  packages:
    description:
      - Paths of packages (C(.deb)) on the machine on which the module runs. The kernel is then chosen of those in them.
      - In a guest that runs, the caller installs them in the phase V(install).
      - In a guest that does not run they are installed by this call. They have to be packages of kernels
        (C(linux-image), C(linux-headers), C(linux-kbuild), C(linux-compiler), C(linux-base)) for the guest's
        architecture. What they depend on has to be in the guest, or among them. Nothing is downloaded.
    type: list
    elements: path
    default: []
  pin:
    description: Whether apt is told to keep the kernel, and to keep away those with known defects.
    type: bool
    default: true
  trial:
    description:
      - Whether a kernel that never ran here is tried before it becomes the default. Needs GRUB 2.00 or newer, with
        C(/boot) where it can write to its environment block (not on LVM, RAID, btrfs or ZFS), and a guest that runs.
      - Without it the kernel is the default at once, and the old one is in the boot loader's menu. That is also the way
        for a guest that is not running.
    type: bool
    default: true
  trial_limit:
    description:
      - Seconds from the start of the kernel in which the trial has to be confirmed by calling this module again.
        Between 30 and 86400.
    type: int
    default: 300
  retry:
    description: Whether a kernel of which a trial has failed is tried again. Not for the call that confirms a trial.
    type: bool
    default: false
  restart:
    description:
      - Whether a guest with a trial that is prepared (phase V(restart)) is restarted, and the trial confirmed as soon
        as the guest is back. RV(before) is then what was found before the restart, and RV(after) what is after the
        confirmation. Not in check mode, and not for a guest that does not run.
      - With several guests each is confirmed by itself. With a task of its own for the restart, no guest would be
        confirmed before all of them are back, and the trials of those that were back early would end.
    type: bool
    default: false
notes:
  - A kernel that hangs before user space without a panic does not restart by itself. Reset the virtual machine; the old
    kernel starts then.
  - A kernel that apt offers in the same package as an older one (same C(uname -r)) replaces it; there is nothing to
    fall back to.
  - C(dpkg) holds the package as well where the caller sets that (RV(after.hold)).
  - After M(rehost.hyperv.rollback) a package that was installed in a guest that did not run stays installed, with the
    image that was built for it. apt and the boot loader have what they had before.
seealso:
  - module: rehost.hyperv.readiness_info
  - module: rehost.hyperv.initramfs_modules
"""

EXAMPLES = r"""
- name: Say which kernel would be the default, and why
  rehost.hyperv.kernel_pin:
  become: true
  check_mode: true
  register: kernel

- name: Try the kernel that was installed beside the old one, and make it the default if it does
  rehost.hyperv.kernel_pin:
    kernel: 6.12.9+bpo-amd64
    restart: true
  become: true
  register: kernel

- name: Install a kernel in a guest that is not running, and make it the default
  rehost.hyperv.kernel_pin:
    image: /var/lib/migration/web1.vhdx
    packages:
      - /srv/packages/linux-image-6.12.9+bpo-amd64_6.12.9-1~bpo12+1_amd64.deb
    trial: false
  become: true

- name: Let apt and the boot loader decide again
  rehost.hyperv.kernel_pin:
    state: absent
  become: true
"""

RETURN = r"""
changes:
  description: Every file, link or setting that was changed, or in check mode would be.
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
      sample: kernel.trial-failed
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
before:
  description: The next step before anything was changed.
  returned: success
  type: dict
  contains: &step
    phase:
      description:
        - What comes next. V(done) - nothing. V(install) - the package has to be installed. V(repair) - dpkg was
          interrupted, and has to go on, or the kernel has no image or menu entry. V(restart) - the guest has to be
          restarted, which tries the kernel. V(failed) - the trial failed. V(refused) - it cannot be done; a finding
          says why.
        - In a guest that does not run the call makes the steps V(install) and V(repair) itself, and goes on. Check mode
          shows the first of them.
      type: str
      returned: always
    kernel:
      description: The kernel that was chosen, as C(uname -r).
      type: str
      returned: always
    package:
      description: Its package; null for one without.
      type: str
      returned: always
    version:
      description: The version of its package.
      type: str
      returned: always
    origin:
      description: Where it comes from, one of V(installed), V(release), V(backports), V(package), and V(other)
        for a source that is not of the guest's release, from which a kernel is taken only by name.
      type: str
      returned: always
    why:
      description: Why this kernel, and why this default.
      type: str
      returned: always
    default:
      description: The kernel that starts by default after the changes, a trial aside. Null where it cannot be told.
      type: str
      returned: always
    default_before:
      description: The one that starts by default now.
      type: str
      returned: always
    running:
      description: The kernel that runs.
      type: str
      returned: always
    hold:
      description: Packages that dpkg should hold, and does not yet.
      type: list
      elements: str
      returned: always
    release:
      description: Packages that were pinned before, and that dpkg should not hold any more.
      type: list
      elements: str
      returned: always
    trial_log:
      description: The end of what the guest wrote during a trial.
      type: str
      returned: always
after:
  description: The same as RV(before), after the changes. In check mode, nothing was changed.
  returned: success
  type: dict
  contains: *step
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module import kernel_pin
from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run


def main() -> None:
    run(kernel_pin.ARGUMENTS, kernel_pin.plan, kernel_pin.PARTS, kernel_pin.judge)


if __name__ == "__main__":
    main()
