# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Clock, Disk, Nic, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import readiness
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.readiness import KernelVerdict, Readiness
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import IMAGE, MODULES, ROOT_UUID, VERSION, entry, kernel

XEN_ONLY = "ext4\nxen-blkfront\n"
OLD = "6.1.0-49-amd64"
NO_EFI = "the disk has no EFI system partition, and generation 2 boots by UEFI only"


def assess(path: pathlib.Path, changes: str = "", **more: t.Any) -> Readiness:
    return readiness.assess(small_guest.look(path, changes, **more))


def only(found: Readiness) -> KernelVerdict:
    (verdict,) = found.kernels
    return verdict


def ids(found: Readiness) -> list[str]:
    return [finding.id for finding in found.findings]


def without_modules(*names: str) -> str:
    return "".join(line + "\n" for line in MODULES.splitlines() if not any(name in line for name in names))


def test_a_guest_with_all_it_needs_is_ready_for_generation_1(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path)
    assert (found.ready, found.generations, found.findings) == (True, (1,), ())
    assert only(found) == KernelVerdict(
        VERSION,
        True,
        VERSION,
        readiness.Verdict(True, ("its root is found by hv_storvsc",)),
        readiness.Verdict(False, (NO_EFI,)),
        only(found).support,
    )


ESP = "=== /boot/efi/EFI/debian/grubx64.efi\nMZ\n"
FALLBACK = "=== /boot/efi/EFI/BOOT/BOOTX64.EFI\nMZ\n"


def test_the_fallback_loader_makes_it_ready_for_generation_2(tmp_path: pathlib.Path) -> None:
    assert assess(tmp_path / "both", ESP + FALLBACK).generations == (1, 2)
    assert assess(tmp_path / "efi", ESP + FALLBACK, has_boot_code=False).generations == (2,)
    found = assess(tmp_path / "none", ESP)
    assert found.generations == (1,)
    assert "BOOTX64.EFI" in only(found).generation2.why[0]


def test_a_kernel_without_uefi_support_is_for_generation_1(tmp_path: pathlib.Path) -> None:
    config = f"=== /boot/config-{VERSION}\n# CONFIG_EFI is not set\n"
    assert "no UEFI support" in only(assess(tmp_path, config + ESP + FALLBACK)).generation2.why[0]


def test_32_bits_are_for_generation_1(tmp_path: pathlib.Path) -> None:
    status = (
        "=== /var/lib/dpkg/status\nPackage: base-files\nStatus: install ok installed\nArchitecture: i386\nVersion: 9\n"
    )
    assert "64-bit" in only(assess(tmp_path, status + ESP + FALLBACK)).generation2.why[0]


def i386(version: str) -> str:
    status = (
        "=== /var/lib/dpkg/status\nPackage: base-files\nStatus: install ok installed\nArchitecture: i386\nVersion: 9\n"
    )
    return kernel(version) + small_guest.grub(entry(version)) + status


def test_4_9_for_i386_boots_nowhere(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, i386("4.9.0-19-686-pae"))
    assert (found.ready, found.generations) == (False, ())
    assert ids(found) == ["kernel.known-defect", "kernel.known-defect", "integration.memory-32bit"]
    assert "does not see the IDE disk" in found.findings[0].message
    assert assess(tmp_path / "newer", i386("4.19.0-27-686-pae")).ready


def test_a_disk_that_pygrub_booted_needs_a_loader(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, has_boot_code=False)
    assert (found.ready, found.generations, ids(found)) == (False, (), ["boot.no-loader"])


def test_a_disk_of_which_the_first_sector_is_not_known_is_not_doubted(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    facts = dataclasses.replace(facts, boot=dataclasses.replace(facts.boot, has_mbr_loader=None))
    assert readiness.assess(facts).ready


def test_without_a_menu_nothing_boots(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, without=["/boot/grub/grub.cfg"])
    assert (found.ready, ids(found)) == (False, ["boot.no-menu"])


def test_an_image_without_the_drivers_is_why_it_does_not_boot(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, image=XEN_ONLY))
    assert (found.ready, ids(found)) == (False, ["initramfs.missing-module"])
    why = f"the initramfs {IMAGE} lacks hv_storvsc, hv_vmbus, scsi_mod, scsi_transport_fc, sd_mod"
    assert only(found).generation1.why == (why,)


def test_an_image_without_the_root_file_system_does_not_do(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, image="hv_storvsc\nsd_mod\n"))
    assert only(found).generation1.why == (f"the initramfs {IMAGE} lacks ext4",)
    assert not found.ready


def test_xens_drivers_are_not_needed(tmp_path: pathlib.Path) -> None:
    assert assess(tmp_path, kernel(VERSION, image="ext4\nhv_storvsc\nsd_mod\n")).ready


def test_an_image_that_is_not_there_is_certain_and_one_that_cannot_be_read_is_not(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path / "absent", without=[IMAGE])
    assert only(found).generation1.boots is False
    assert ids(found) == ["initramfs.absent"]
    small_guest.look(tmp_path / "cut")
    image = tmp_path / "cut" / IMAGE[1:]
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    found = readiness.assess(small_guest.gather_again(tmp_path / "cut"))
    assert only(found).generation1.boots is None
    assert (found.ready, ids(found)) == (False, ["initramfs.unreadable"])


def test_a_blacklist_in_the_image_keeps_the_root_away(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, image="*\netc/modprobe.d/x.conf: blacklist hv_vmbus\n"))
    assert only(found).generation1.why == (f"the initramfs {IMAGE} holds a blacklist of hv_vmbus",)
    assert (found.ready, ids(found)) == (False, ["initramfs.blacklists-module"])


def test_only_the_kernel_that_starts_by_default_decides(tmp_path: pathlib.Path) -> None:
    old = kernel(OLD, image=XEN_ONLY)
    good = assess(tmp_path / "good", old + small_guest.grub(entry(VERSION), entry(OLD)))
    assert (good.ready, good.generations, ids(good)) == (True, (1,), ["initramfs.missing-module"])
    bad = assess(tmp_path / "bad", old + small_guest.grub(entry(OLD), entry(VERSION)))
    assert (bad.ready, bad.generations, ids(bad)) == (False, (), ["initramfs.missing-module"])
    assert {item.version: item.generation1.boots for item in bad.kernels} == {OLD: False, VERSION: True}


def test_the_saved_entry_is_the_default(tmp_path: pathlib.Path) -> None:
    menu = (
        '=== /boot/grub/grub.cfg\nif [ -s $prefix/grubenv ]; then\n  load_env\nfi\nset default="${saved_entry}"\n'
        + entry(VERSION, title="new")
        + entry(OLD, title="old")
        + "=== /boot/grub/grubenv no-newline\n"
        + "# GRUB Environment Block\nsaved_entry=old\n".ljust(1024, "#")
        + "\n"
    )
    found = assess(tmp_path, kernel(OLD, image=XEN_ONLY) + menu)
    assert [item.version for item in found.kernels if item.is_default] == [OLD]
    assert not found.ready


def test_a_default_that_cannot_be_told_is_said(tmp_path: pathlib.Path) -> None:
    doubt = "set default=0\nif cmostest 0x40:6; then\n\tset default=1\nfi\n"
    menu = "=== /boot/grub/grub.cfg\n" + doubt + entry(VERSION) + entry(OLD)
    found = assess(tmp_path / "bad", kernel(OLD, modules=without_modules("hv_storvsc", "ata_piix")) + menu)
    assert (found.ready, found.generations) == (False, ())
    assert "boot.default-unknown" in ids(found)
    # where every one of them boots, it does not matter
    found = assess(tmp_path / "good", kernel(OLD) + menu)
    assert (found.ready, found.generations) == (True, (1,))


def test_microcode_in_front_of_the_image_lacks_nothing(tmp_path: pathlib.Path) -> None:
    microcode = f"=== /boot/amd-ucode.img initramfs=none version={VERSION}\nkernel/x86/microcode/AuthenticAMD.bin: x\n"
    menu = small_guest.grub(entry(VERSION, initrd=f"/boot/amd-ucode.img {IMAGE}"))
    found = assess(tmp_path / "there", microcode + menu)
    assert (found.ready, found.findings) == (True, ())
    assert not assess(tmp_path / "gone", menu).ready


def test_the_menu_entry_of_xens_hypervisor_is_no_kernel_of_the_guest(tmp_path: pathlib.Path) -> None:
    xen = (
        "menuentry 'Debian, with Xen hypervisor' {\n\tmultiboot2 /boot/xen-4.17-amd64.gz\n"
        f"\tmodule2 /boot/vmlinuz-{OLD} placeholder root=UUID={ROOT_UUID} ro\n"
        f"\tmodule2 --nounzip /boot/initrd.img-{OLD}\n}}\n"
    )
    found = assess(tmp_path, kernel(OLD, image=XEN_ONLY) + small_guest.grub(entry(VERSION), xen))
    assert [item.version for item in found.kernels] == [VERSION]
    assert found.ready


def test_a_root_by_kernel_name_is_not_found(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, small_guest.grub(entry(VERSION, "root=/dev/xvda1 ro")))
    assert only(found).generation1.why == (
        "the boot loader says root=/dev/xvda1, and there is no such device on Hyper-V",
    )
    assert not found.ready


@pytest.mark.parametrize(("options", "is_ready"), [("defaults", False), ("nofail", True), ("noauto", True)])
def test_a_mount_that_a_boot_waits_for_is_in_the_way(options: str, is_ready: bool, tmp_path: pathlib.Path) -> None:
    changes = small_guest.fstab(small_guest.ROOT_LINE, f"/dev/xvdb1 /srv ext4 {options} 0 2")
    assert assess(tmp_path, changes).ready is is_ready


def test_swap_that_is_not_found_is_not_in_the_way(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, small_guest.fstab(small_guest.ROOT_LINE, "/dev/xvda2 none swap sw"))
    assert (found.ready, ids(found)) == (True, ["storage.kernel-name"])


def no_initrd(root: str) -> str:
    return small_guest.grub(f"menuentry 'own' {{\n\tlinux /boot/vmlinuz-{VERSION} root={root}\n}}\n")


BUILT_IN = "".join(f"builtin {line.split(':')[0]}\n" for line in MODULES.splitlines())


def test_a_kernel_with_everything_built_in_needs_no_image(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, BUILT_IN, "") + no_initrd("PARTUUID=3d6a51c8-01"), without=[IMAGE])
    assert (found.ready, found.findings) == (True, ())


def test_a_uuid_needs_an_image_even_then(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, BUILT_IN, "") + no_initrd(f"UUID={ROOT_UUID}"), without=[IMAGE])
    assert not found.ready
    assert "which only an initramfs understands" in only(found).generation1.why[0]


def test_modules_without_an_image_are_not_found(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, no_initrd("PARTUUID=3d6a51c8-01"))
    assert not found.ready
    assert "the boot loader loads no initramfs" in only(found).generation1.why[0]


def test_a_kernel_without_hv_storvsc_goes_by_the_emulated_disk(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, without_modules("hv_storvsc")) + ESP + FALLBACK)
    assert (found.ready, found.generations) == (True, (1,))
    assert "slow" in only(found).generation1.why[0]
    assert only(found).generation2.why == (f"kernel {VERSION} has no driver hv_storvsc",)


def test_a_kernel_with_neither_disk_driver_boots_nowhere(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, kernel(VERSION, without_modules("hv_storvsc", "ata_piix")))
    assert (found.ready, ids(found)) == (False, ["kernel.boots-nowhere", "kernel.no-storage-driver"])


def test_a_kernel_that_leaves_the_emulated_disk_alone_needs_hv_storvsc_in_its_image(tmp_path: pathlib.Path) -> None:
    """ata_piix of 3.2 and later does."""
    image = "ext4\nata_piix\nsd_mod\n"
    assert not assess(tmp_path / "new", kernel(VERSION, image=image)).ready
    old = "2.6.32-5-amd64"
    found = assess(tmp_path / "old", kernel(old, image=image) + small_guest.grub(entry(old)))
    assert only(found).generation1.boots is True


def test_a_kernel_whose_modules_are_gone_is_not_judged(tmp_path: pathlib.Path) -> None:
    menu = small_guest.grub(entry(OLD))
    found = assess(tmp_path, f"=== /boot/vmlinuz-{OLD}\nMZ\n=== /boot/initrd.img-{OLD}\n\n{menu}", without=[])
    assert only(found).generation1.boots is None
    assert not found.ready


def test_a_kernel_that_is_not_in_boot_does_not_boot(tmp_path: pathlib.Path) -> None:
    found = assess(tmp_path, without=[f"/boot/vmlinuz-{VERSION}"])
    assert only(found).generation1.why == (f"there is no image of kernel {VERSION} in /boot",)
    assert (found.ready, ids(found)) == (False, ["kernel.boots-nowhere"])


def test_no_kernel_at_all_is_said(tmp_path: pathlib.Path) -> None:
    facts = dataclasses.replace(small_guest.look(tmp_path), kernels=())
    found = readiness.assess(facts)
    assert (found.ready, found.kernels) == (False, ())
    assert "kernel.none" in ids(found)


def test_what_could_not_be_read_is_a_finding(tmp_path: pathlib.Path) -> None:
    facts = dataclasses.replace(small_guest.look(tmp_path), problems=(Problem("/etc/crypttab", "it is a fifo"),))
    found = readiness.assess(facts)
    assert [(item.id, item.severity, item.subject) for item in found.findings] == [
        ("guest.unreadable", "warning", "/etc/crypttab")
    ]


@pytest.mark.parametrize(("delay", "says"), [("300", True), ("11", True), ("10", False), ("soon", False), ("", False)])
def test_a_delay_that_every_start_waits_for_is_said(tmp_path: pathlib.Path, delay: str, says: bool) -> None:
    menu = small_guest.grub(entry(VERSION, f"root=UUID={ROOT_UUID} ro rootdelay={delay}"))
    found = assess(tmp_path, menu)
    assert found.ready
    assert [item.subject for item in found.findings] == ([f"rootdelay={delay}"] if says else [])


def test_errors_come_first(tmp_path: pathlib.Path) -> None:
    changes = kernel(VERSION, image=XEN_ONLY) + small_guest.fstab("/dev/xvda2 none swap sw", "/dev/xvda1 / ext4")
    order = [item.severity for item in assess(tmp_path, changes).findings]
    assert order == sorted(order, key=["error", "warning", "info"].index)
    assert {"error", "warning"} <= set(order)


def test_advice_is_about_what_is_emulated(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    assert readiness.assess(facts).advice == ()
    slow = dataclasses.replace(
        facts,
        nics=(
            Nic("eth0", None, "tulip", "legacy", "pci", "up", None),
            Nic("eth1", None, "hv_netvsc", "synthetic", None, None, None),
        ),
        disks=(Disk("sda", "ata_piix", None, None, None, "emulated"),),
        clock=Clock("acpi_pm", (), (), (), False),
    )
    nic, disk, clock = readiness.assess(slow).advice
    assert nic.startswith("eth0 is an emulated adapter")
    assert disk.startswith("sda is an emulated disk")
    assert "acpi_pm" in clock
