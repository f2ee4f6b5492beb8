# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest with nothing but what decides whether it boots, to vary in tests: ready for generation 1 as it is."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING, ImageDisk, gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import BlockDevice, GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.superblock import FileSystem
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

VERSION = "6.1.0-50-amd64"
IMAGE = f"/boot/initrd.img-{VERSION}"
ROOT_UUID = "5f1c9a52-6a3b-4f6e-9d0c-7e3b1a2c4d5e"
SWAP_UUID = "c0a81f3e-2b7d-4e59-8f10-93d4b6a7e8f9"

MODULES = """\
drivers/hv/hv_vmbus
drivers/scsi/scsi_mod
drivers/scsi/sd_mod: scsi_mod
drivers/scsi/scsi_transport_fc: scsi_mod
drivers/scsi/hv_storvsc: hv_vmbus scsi_transport_fc
drivers/net/hyperv/hv_netvsc: hv_vmbus
drivers/input/serio/hyperv-keyboard: hv_vmbus
drivers/ata/libata: scsi_mod
drivers/ata/ata_piix: libata
drivers/block/xen-blkfront
drivers/net/xen-netfront
drivers/md/dm-mod
fs/ext4/ext4
"""


def kernel(version: str, modules: str = MODULES, image: str = "*\n", attributes: str = "initramfs=gzip") -> str:
    """The sections of an installed kernel, its modules and its image."""
    return (
        f"=== /boot/vmlinuz-{version}\nMZ\n=== /lib/modules/{version}/ modules\n{modules}"
        f"=== /boot/initrd.img-{version} {attributes}\n{image}"
    )


def entry(version: str, cmdline: str = f"root=UUID={ROOT_UUID} ro quiet", title: str = "", initrd: str = "") -> str:
    """A menu entry of GRUB 2."""
    image = initrd or f"/boot/initrd.img-{version}"
    return f"menuentry '{title or version}' {{\n\tlinux\t/boot/vmlinuz-{version} {cmdline}\n\tinitrd\t{image}\n}}\n"


def grub(*entries: str, default: str = "0") -> str:
    return f'=== /boot/grub/grub.cfg\nset default="{default}"\n' + "".join(entries)


def defaults(linux: str = "", linux_default: str = "quiet", more: str = "") -> str:
    return (
        f'=== /etc/default/grub\nGRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="{linux_default}"\n'
        f'GRUB_CMDLINE_LINUX="{linux}"\n{more}'
    )


def fstab(*lines: str) -> str:
    return "=== /etc/fstab\n" + "".join(line + "\n" for line in lines)


def initramfs_tools(policy: str = "most") -> str:
    return (
        f"=== /etc/initramfs-tools/initramfs.conf\nMODULES={policy}\n=== /usr/sbin/mkinitramfs mode=0755\n#!/bin/sh\n"
    )


ROOT_LINE = f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1"
BASE = (
    kernel(VERSION)
    + grub(entry(VERSION))
    + defaults()
    + fstab(ROOT_LINE)
    + initramfs_tools()
    + "=== /var/lib/dpkg/status\nPackage: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12\n"
    + "=== /etc/udev/udev.conf\n# see udev.conf(5)\n"
)


def device(
    name: str,
    kind: str = "ext4",
    uuid: str | None = None,
    label: str | None = None,
    partition_uuid: str | None = None,
) -> BlockDevice:
    """A partition by the number behind the disk's letter (a1), under the names of every hypervisor."""
    names = tuple([prefix + name for prefix in ("xvd", "sd", "hd", "vd")])
    return BlockDevice(names, FileSystem(kind, uuid, label) if kind else None, partition_uuid)


ROOT_DISK = device("a1", "ext4", ROOT_UUID)
SWAP_DISK = device("a2", "swap", SWAP_UUID)


def look(
    path: pathlib.Path,
    changes: str = "",
    devices: t.Sequence[BlockDevice] = (ROOT_DISK, SWAP_DISK),
    *,
    has_boot_code: bool = True,
    has_esp: bool = False,
    without: t.Sequence[str] = (),
    parts: t.AbstractSet[str] = EVERYTHING,
) -> GuestFacts:
    """Facts of the guest with these sections replaced or added, and these paths removed."""
    guest_tree.build(BASE + changes, path)
    for name in without:
        (path / name.lstrip("/")).unlink()
    return gather(Root(str(path)), parts, ImageDisk(tuple(devices), has_boot_code, has_esp))


def gather_again(path: pathlib.Path) -> GuestFacts:
    """Facts of a guest that was built already, and changed since."""
    return gather(Root(str(path)), EVERYTHING, ImageDisk((ROOT_DISK, SWAP_DISK), has_boot_code=True, has_esp=False))
