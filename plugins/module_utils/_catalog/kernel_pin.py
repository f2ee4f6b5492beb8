# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that pin a kernel, and those of its trial boot."""

from __future__ import annotations

PREFERENCES = "/etc/apt/preferences.d/rehost-hyperv-kernel"
"""Which version of which kernel apt installs, and which it never does."""
KEPT = "/etc/apt/apt.conf.d/90rehost-hyperv-kernel"
"""Which kernel apt does not remove by itself."""
GRUB_SETTING = "/etc/default/grub.d/zz-rehost-hyperv-kernel.cfg"
"""Which menu entry the next update-grub makes the default."""

TRIAL = "/etc/rehost-hyperv/kernel-trial"
"""What is tried, or was and failed."""
GUARD = "/etc/rehost-hyperv/kernel-trial-guard"
"""The script that restarts a guest whose trial nobody confirms. A confirmation removes it."""
GUARD_UNIT = "/etc/systemd/system/rehost-hyperv-kernel-trial.service"
GUARD_WANTED = "/etc/systemd/system/sysinit.target.wants/rehost-hyperv-kernel-trial.service"
GUARD_SCRIPT = "/etc/init.d/rehost-hyperv-kernel-trial"
GUARD_STARTED = "/etc/rcS.d/S99rehost-hyperv-kernel-trial"
"""The same two for sysvinit."""
LOG = "/var/log/rehost-hyperv-kernel-trial.log"
GRUB_SNIPPET = "/etc/grub.d/42_rehost-hyperv-kernel-trial"
"""Prints the trial's menu entry for update-grub, between marks with this path, after all others. Without it the entry
would be gone from a menu that is made anew before the trial starts, and GRUB takes the first entry for one that is
gone: the newest kernel, unguarded."""
TRIAL_ENTRY = "rehost-hyperv-kernel-trial"
"""Id of the menu entry, and name of the kernel argument by which the guard knows a trial."""

# GRUB's manual, "Environment block": it cannot write to these. They are loaded by the menu entries of grub-mkconfig.
UNWRITABLE = {
    "lvm": "LVM",
    "mdraid09": "RAID",
    "mdraid09_be": "RAID",
    "mdraid1x": "RAID",
    "raid": "RAID",
    "diskfilter": "LVM or RAID",
    "dm_nv": "RAID",
    "ldm": "LDM",
    "cryptodisk": "an encrypted disk",
    "luks": "an encrypted disk",
    "luks2": "an encrypted disk",
    "btrfs": "btrfs",
    "zfs": "ZFS",
}
"""Modules of GRUB that say on what /boot is, where GRUB can read but not write its environment."""
