# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import BlockDevice
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import block_references
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Finding, Plan
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import ROOT_UUID, SWAP_UUID, device

DATA = device("b1", "ext4", "7b2d0f4c-91e5-4a38-b6c1-2f8e4d5a6b70", "data", "3d6a51c8-01")
DISKS = (small_guest.ROOT_DISK, small_guest.SWAP_DISK, DATA)


def plan(path: pathlib.Path, changes: str, devices: t.Sequence[BlockDevice] = DISKS) -> Plan:
    return block_references.plan(small_guest.look(path, changes, devices))


def after(found: Plan, path: str) -> str:
    """The new text of a file."""
    (change,) = [change for change in found.changes if change.path == path]
    assert isinstance(change, FileChange)
    assert change.after is not None
    return change.after


def only(found: Plan) -> tuple[str, str, str, bool]:
    (finding,) = found.findings
    return (finding.id, finding.severity, finding.subject, finding.blocks)


def ids(found: t.Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.id, finding.subject) for finding in found]


def test_a_guest_that_names_no_disk_needs_nothing(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, "")
    assert not found
    assert found.findings == ()


def test_only_the_first_field_of_a_mount_changes(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, small_guest.fstab("# old", "/dev/xvda1\t/  ext4 defaults 0 1 # root", "proc /proc proc"))
    text = after(found, "/etc/fstab")
    assert text == f"# old\nUUID={ROOT_UUID}\t/  ext4 defaults 0 1 # root\nproc /proc proc\n"
    assert only(found) == ("storage.kernel-name", "error", "/dev/xvda1", True)
    assert "line 2" in found.findings[0].message


@pytest.mark.parametrize(
    ("line", "severity", "blocks"),
    [
        ("/dev/xvdb1 /srv ext4 defaults 0 2", "error", True),
        ("/dev/xvdb1 /srv ext4 noauto 0 2", "warning", False),
        ("/dev/xvdb1 /srv ext4 rw,nofail 0 2", "warning", False),
        ("/dev/xvdb1 none swap sw 0 0", "warning", False),
    ],
)
def test_what_a_boot_needs_blocks(line: str, severity: str, blocks: bool, tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, small_guest.fstab(small_guest.ROOT_LINE, line))
    assert only(found) == ("storage.kernel-name", severity, "/dev/xvdb1", blocks)
    assert f"UUID={DATA.content.uuid if DATA.content else ''} " in after(found, "/etc/fstab")


@pytest.mark.parametrize("blocks", [True, False])
def test_a_device_of_which_nothing_is_known_is_reported_and_left(blocks: bool, tmp_path: pathlib.Path) -> None:
    options = "defaults" if blocks else "nofail"
    found = plan(tmp_path, small_guest.fstab(small_guest.ROOT_LINE, f"/dev/xvde1 /srv ext4 {options}"))
    assert not found
    assert only(found) == ("storage.unknown-device", "error" if blocks else "warning", "/dev/xvde1", blocks)


def test_a_cdrom_that_is_not_mounted_at_boot_is_nobodys_business(tmp_path: pathlib.Path) -> None:
    line = "/dev/hdc /media/cdrom0 udf,iso9660 user,noauto 0 0"
    found = plan(tmp_path, small_guest.fstab(small_guest.ROOT_LINE, line, "/dev/sr0 /media/cdrom1 iso9660 ro 0 0"))
    assert not found
    assert found.findings == ()


def test_a_swap_file_is_left_alone(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, small_guest.fstab(small_guest.ROOT_LINE, "/swapfile none swap sw 0 0"))
    assert not found
    assert found.findings == ()


def test_the_label_stands_in_for_a_uuid_that_two_disks_have(tmp_path: pathlib.Path) -> None:
    disks = (device("a1", "ext4", ROOT_UUID, "one"), device("b1", "ext4", ROOT_UUID, "two"))
    found = plan(tmp_path, small_guest.fstab("/dev/xvda1 / ext4", "/dev/xvdb1 /srv ext4"), disks)
    assert after(found, "/etc/fstab") == "LABEL=one / ext4\nLABEL=two /srv ext4\n"


def test_a_missing_final_newline_stays_missing(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, "=== /etc/fstab no-newline\n/dev/xvda1 / ext4\n")
    assert after(found, "/etc/fstab") == f"UUID={ROOT_UUID} / ext4"


def test_a_luks_container_goes_by_its_uuid(tmp_path: pathlib.Path) -> None:
    disks = (*DISKS, device("c1", "crypto_LUKS", "0d8f7f0e-5a3c-4b8e-9f77-1c2d3e4f5a6b"))
    found = plan(tmp_path, "=== /etc/crypttab\ndata /dev/xvdc1 none luks\n", disks)
    assert after(found, "/etc/crypttab") == "data UUID=0d8f7f0e-5a3c-4b8e-9f77-1c2d3e4f5a6b none luks\n"
    assert only(found)[3] is True


@pytest.mark.parametrize("key", ["/dev/urandom", "/dev/random"])
def test_what_is_encrypted_anew_at_every_boot_has_no_uuid_of_its_own(key: str, tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, f"=== /etc/crypttab\ncswap /dev/xvdb1 {key} swap\n")
    assert after(found, "/etc/crypttab") == f"cswap PARTUUID=3d6a51c8-01 {key} swap\n"


def test_random_swap_on_a_disk_without_partition_uuid_is_reported(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, "=== /etc/crypttab\ncswap /dev/xvda2 /dev/urandom swap,nofail\n")
    assert not found
    assert only(found) == ("storage.unknown-device", "warning", "/dev/xvda2", False)


def test_the_resume_device_goes_by_its_uuid(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, "=== /etc/initramfs-tools/conf.d/resume\nRESUME=/dev/xvda2\n")
    assert after(found, "/etc/initramfs-tools/conf.d/resume") == f"RESUME=UUID={SWAP_UUID}\n"
    assert only(found) == ("storage.kernel-name", "warning", "/dev/xvda2", False)


def test_a_resume_device_that_is_gone_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, "=== /etc/initramfs-tools/conf.d/resume\nRESUME=/dev/xvde1\n")
    assert after(found, "/etc/initramfs-tools/conf.d/resume") == "RESUME=none\n"


@pytest.mark.parametrize("value", ["none", "auto", f"UUID={SWAP_UUID}", "/dev/mapper/vg0-swap"])
def test_a_resume_device_that_stays_is_left(value: str, tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, f"=== /etc/initramfs-tools/conf.d/resume\nRESUME={value}\n")


def test_raid_members_are_looked_for_everywhere(tmp_path: pathlib.Path) -> None:
    conf = "DEVICE /dev/xvd*\nARRAY /dev/md0 devices=/dev/xvda1,/dev/xvdb1 UUID=0:1:2:3\nARRAY /dev/md1 UUID=4:5:6:7\n"
    found = plan(tmp_path, f"=== /etc/mdadm/mdadm.conf\n{conf}")
    assert after(found, "/etc/mdadm/mdadm.conf") == (
        "DEVICE partitions\nARRAY /dev/md0 devices=/dev/* UUID=0:1:2:3\nARRAY /dev/md1 UUID=4:5:6:7\n"
    )
    assert [finding.blocks for finding in found.findings] == [True, True]


def test_an_array_known_only_by_its_devices_is_left(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, "=== /etc/mdadm/mdadm.conf\nDEVICE partitions\nARRAY /dev/md0 devices=/dev/xvda1\n")


def test_an_lvm_filter_takes_scsi_disks_beside_those_of_xen(tmp_path: pathlib.Path) -> None:
    conf = '=== /etc/lvm/lvm.conf\ndevices {\n\tglobal_filter = [ "a|^/dev/xvd.*|", "r|.*|" ] # ours\n}\n'
    found = plan(tmp_path, conf)
    text = after(found, "/etc/lvm/lvm.conf")
    assert text.index('"a|^/dev/xvd.*|"') < text.index('"a|^/dev/sd.*|"') < text.index('"r|.*|"')
    assert text.endswith("# ours\n}\n")
    assert not plan(tmp_path, f"=== /etc/lvm/lvm.conf\n{text}")


def test_an_lvm_filter_without_xen_is_left(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, '=== /etc/lvm/lvm.conf\ndevices {\n\tfilter = [ "r|/dev/loop.*|" ]\n}\n')


def test_the_root_in_the_menu_goes_by_its_uuid(tmp_path: pathlib.Path) -> None:
    line = "root=/dev/xvda1 ro resume=/dev/xvda2 quiet"
    found = plan(tmp_path, small_guest.grub(small_guest.entry(small_guest.VERSION, line)))
    assert f"root=UUID={ROOT_UUID} ro resume=UUID={SWAP_UUID} quiet\n" in after(found, "/boot/grub/grub.cfg")
    assert {(item.subject, item.blocks) for item in found.findings} == {("/dev/xvda1", True), ("/dev/xvda2", False)}


@pytest.mark.parametrize("default", ["0", "1"])
def test_the_root_of_the_default_entry_blocks_wherever_it_stands(default: str, tmp_path: pathlib.Path) -> None:
    bad = small_guest.entry(small_guest.VERSION, "root=/dev/xvda1 ro", "one")
    found = plan(tmp_path, small_guest.grub(bad, bad.replace("one", "two"), default=default))
    assert only(found)[3] is True


def test_the_root_of_another_entry_does_not_block(tmp_path: pathlib.Path) -> None:
    bad = small_guest.entry(small_guest.VERSION, "root=/dev/xvda1 ro", "bad")
    found = plan(tmp_path, small_guest.grub(small_guest.entry(small_guest.VERSION), bad))
    assert only(found) == ("storage.kernel-name", "warning", "/dev/xvda1", False)
    assert found


def test_a_root_of_which_nothing_is_known_is_left(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, small_guest.grub(small_guest.entry(small_guest.VERSION, "root=/dev/xvde1 ro")))
    assert not found
    assert only(found) == ("storage.unknown-device", "error", "/dev/xvde1", True)


def test_update_grub_is_told_to_go_by_uuid(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, small_guest.defaults(more="GRUB_DISABLE_LINUX_UUID=true # for pygrub\n"))
    assert "GRUB_DISABLE_LINUX_UUID=false # for pygrub\n" in after(found, "/etc/default/grub")
    assert ids(found.findings) == [("storage.grub-disables-uuid", "/etc/default/grub")]


def test_a_resume_argument_in_the_settings_changes_with_the_switch(tmp_path: pathlib.Path) -> None:
    settings = small_guest.defaults("resume=/dev/xvda2", more="GRUB_DISABLE_LINUX_UUID=true\n")
    text = after(plan(tmp_path, settings), "/etc/default/grub")
    assert f'GRUB_CMDLINE_LINUX="resume=UUID={SWAP_UUID}"\nGRUB_DISABLE_LINUX_UUID=false\n' in text


MENU_LST = """\
=== /boot/grub/menu.lst
default 0
### BEGIN AUTOMAGIC KERNELS LIST
# kopt=root=/dev/xvda1 ro
# defoptions=quiet
### END DEBIAN AUTOMAGIC KERNELS LIST
title Debian
root (hd0,0)
kernel /boot/vmlinuz-{0} root=/dev/xvda1 ro quiet
initrd /boot/initrd.img-{0}
"""


def test_grub_legacy_has_the_root_in_the_entries_and_in_kopt(tmp_path: pathlib.Path) -> None:
    changes = MENU_LST.format(small_guest.VERSION)
    found = block_references.plan(small_guest.look(tmp_path, changes, DISKS, without=["/boot/grub/grub.cfg"]))
    assert after(found, "/boot/grub/menu.lst") == changes.partition("\n")[2].replace("/dev/xvda1", f"UUID={ROOT_UUID}")


def test_extlinux_has_the_root_in_append(tmp_path: pathlib.Path) -> None:
    menu = (
        f"DEFAULT l0\nLABEL l0\n  LINUX /boot/vmlinuz-{small_guest.VERSION}\n"
        f"  INITRD /boot/initrd.img-{small_guest.VERSION}\n  APPEND root=/dev/xvda1 ro\nLABEL local\n  LOCALBOOT 0\n"
    )
    changes = f"=== /boot/extlinux/extlinux.conf\n{menu}"
    found = block_references.plan(small_guest.look(tmp_path, changes, DISKS, without=["/boot/grub/grub.cfg"]))
    assert after(found, "/boot/extlinux/extlinux.conf") == menu.replace("/dev/xvda1", f"UUID={ROOT_UUID}")


def test_applying_the_plan_leaves_nothing_to_do(tmp_path: pathlib.Path) -> None:
    changes = (
        small_guest.fstab("/dev/xvda1 / ext4", "/dev/xvda2 none swap sw", "/dev/xvdb1 /srv ext4 noauto")
        + small_guest.grub(small_guest.entry(small_guest.VERSION, "root=/dev/xvda1 resume=/dev/xvda2"))
        + small_guest.defaults("resume=/dev/xvda2", more="GRUB_DISABLE_LINUX_UUID=true\n")
        + "=== /etc/initramfs-tools/conf.d/resume\nRESUME=/dev/xvda2\n=== /etc/mdadm/mdadm.conf\nDEVICE /dev/xvd*\n"
    )
    found = plan(tmp_path / "before", changes)
    done = "".join(f"=== {change.path}\n{after(found, change.path)}" for change in found.changes)
    again = plan(tmp_path / "after", changes + done)
    assert not again
    assert again.findings == ()


def test_a_kernel_without_initramfs_gets_the_uuid_of_the_partition(tmp_path: pathlib.Path) -> None:
    bare = f"menuentry 'own' {{\n\tlinux\t/boot/vmlinuz-{small_guest.VERSION} root=/dev/xvda1 ro\n}}\n"
    root = device("a1", "ext4", ROOT_UUID, partition_uuid="0a1b2c3d-01")
    found = plan(tmp_path, small_guest.grub(bare), [root])
    assert "root=PARTUUID=0a1b2c3d-01 ro\n" in after(found, "/boot/grub/grub.cfg")
