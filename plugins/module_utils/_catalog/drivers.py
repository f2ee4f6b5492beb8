# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules by what they are for, and the configuration symbols that build them in.

Sources: drivers/hv, drivers/scsi/storvsc_drv.c, drivers/net/hyperv and their Kconfig files; drivers/ata/ata_piix.c;
drivers/block/xen-blkfront.c; drivers/net/xen-netfront.c. Names are spelled with underscores.
"""

from __future__ import annotations

HYPERV_BOOT = ("hv_vmbus", "hv_storvsc")
"""Drivers of Hyper-V without which there is no disk."""

HYPERV_STORAGE = (*HYPERV_BOOT, "sd_mod")
"""What it takes to see a disk on Hyper-V."""

HYPERV_STAGING_STORAGE = ("hv_blkvsc",)
"""IDE disks of 2.6.32 to 3.1; merged into hv_storvsc for 3.2."""

HYPERV_NETWORK = ("hv_netvsc",)
HYPERV_KEYBOARD = ("hyperv_keyboard",)

HYPERV_SERVICES = ("hid_hyperv", "hv_utils", *HYPERV_KEYBOARD)
"""Time, shutdown and key-value exchange, keyboard and mouse. Not hv_balloon, hyperv_fb, hyperv_drm, pci_hyperv and
hv_sock: on Hyper-V, too, there are reasons to keep one of these away, so that is left to the administrator."""

EMULATED_STORAGE = ("ata_piix", "sd_mod")
"""What it takes to see an IDE disk of generation 1 without the synthetic drivers."""

XEN_STORAGE = ("xen_blkfront",)
XEN_NETWORK = ("xen_netfront",)

REPORTED = (
    "hv_vmbus",
    "hv_storvsc",
    "hv_netvsc",
    "hv_utils",
    "hv_balloon",
    "hyperv_keyboard",
    "sd_mod",
    "ata_piix",
    "tulip",
    "xen_blkfront",
    "xen_netfront",
)
"""Those that decide what a guest can use on either hypervisor."""

SYMBOLS = {
    "hv_vmbus": ("CONFIG_HYPERV_VMBUS", "CONFIG_HYPERV"),
    "hv_storvsc": ("CONFIG_HYPERV_STORAGE",),
    "hv_netvsc": ("CONFIG_HYPERV_NET",),
    "hv_utils": ("CONFIG_HYPERV_UTILS",),
    "hv_balloon": ("CONFIG_HYPERV_BALLOON",),
    "hyperv_keyboard": ("CONFIG_HYPERV_KEYBOARD",),
    "sd_mod": ("CONFIG_BLK_DEV_SD",),
    "ata_piix": ("CONFIG_ATA_PIIX",),
    "tulip": ("CONFIG_TULIP",),
    "xen_blkfront": ("CONFIG_XEN_BLKDEV_FRONTEND",),
    "xen_netfront": ("CONFIG_XEN_NETDEV_FRONTEND",),
    "dm_mod": ("CONFIG_BLK_DEV_DM",),
    "ext2": ("CONFIG_EXT2_FS",),
    "ext3": ("CONFIG_EXT3_FS",),
    "ext4": ("CONFIG_EXT4_FS",),
    "xfs": ("CONFIG_XFS_FS",),
    "btrfs": ("CONFIG_BTRFS_FS",),
    "jfs": ("CONFIG_JFS_FS",),
    "reiserfs": ("CONFIG_REISERFS_FS",),
}
"""The symbols of which one says y when the module is part of the kernel. CONFIG_HYPERV built hv_vmbus before 6.18."""

FILE_SYSTEM_DRIVERS = {"ext2": ("ext2", "ext4"), "ext3": ("ext3", "ext4")}
"""Drivers that serve a file system, the kernel's own first; any other is served by the one of its name."""
