# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import io
import pathlib
import re
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import DRACUT_CONFIG, INITRAMFS_HOOK
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import initramfs_modules
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.initramfs_modules import ImageProof, Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import OUTPUT, FileChange, Plan
from ansible_collections.rehost.hyperv.tests.unit import initramfs_builder, small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import IMAGE, MODULES, VERSION, kernel

STORAGE = {"hv_vmbus", "hv_storvsc", "scsi_mod", "scsi_transport_fc", "sd_mod"}
XEN_ONLY = "ext4\nxen-blkfront\n"
HYPERV_AND_XEN = XEN_ONLY + "hv_storvsc\nsd_mod\n"


def plan(path: pathlib.Path, changes: str = "", wanted: Wanted = Wanted(), **more: t.Any) -> Plan:  # noqa: B008
    return initramfs_modules.plan(small_guest.look(path, changes, **more), wanted)


def ids(found: Plan) -> list[str]:
    return [finding.id for finding in found.findings]


def lacking(found: Plan) -> set[str]:
    """The modules that the only finding says are missing."""
    (finding,) = found.findings
    assert finding.id == "initramfs.missing-module"
    assert finding.blocks
    names = re.split(r":|, which", finding.message.split(" lacks ")[1])[0]
    return set(names.split(", "))


def xen_only(policy: str = "dep", image: str = XEN_ONLY) -> str:
    return kernel(VERSION, image=image) + small_guest.initramfs_tools(policy)


def written(found: Plan) -> dict[str, str]:
    changes = [change for change in found.changes if isinstance(change, FileChange)]
    return {change.path: change.after or "" for change in changes}


def test_a_guest_with_everything_in_its_image_needs_nothing(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path)
    assert not found
    assert found.findings == ()


def test_an_image_with_xens_drivers_only_is_built_anew(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only())
    assert lacking(found) == STORAGE
    (command,) = found.commands
    assert command.argv == ("mkinitramfs", "-o", OUTPUT, VERSION)
    assert command.output == IMAGE
    assert isinstance(command.proof, ImageProof)
    assert set(command.proof.modules) == STORAGE | {"ext4", "xen_blkfront"}
    assert "does not find its root on Hyper-V" in found.findings[0].message


def test_later_images_hold_the_drivers_too(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only())
    (change,) = found.changes
    assert isinstance(change, FileChange)
    assert (change.path, change.before, change.mode) == (INITRAMFS_HOOK, None, 0o755)
    assert "for module in hv_vmbus hv_storvsc sd_mod hv_blkvsc xen_blkfront; do" in (change.after or "")
    again = plan(tmp_path / "again", xen_only(image=HYPERV_AND_XEN) + f"=== {INITRAMFS_HOOK} mode=0755\n{change.after}")
    assert not again


@pytest.mark.parametrize("policy", ["dep", "list", "netboot"])
def test_a_guest_that_picks_its_modules_gets_the_hook_even_while_its_image_is_good(
    policy: str, tmp_path: pathlib.Path
) -> None:
    found = plan(tmp_path, xen_only(policy, HYPERV_AND_XEN))
    assert list(written(found)) == [INITRAMFS_HOOK]
    assert found.commands == ()
    assert found.findings == ()


def test_most_is_enough_as_long_as_nothing_is_missing(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, xen_only("most", HYPERV_AND_XEN))


def test_most_that_left_something_out_gets_the_hook(tmp_path: pathlib.Path) -> None:
    assert list(written(plan(tmp_path, xen_only("most")))) == [INITRAMFS_HOOK]


def test_a_hook_with_other_modules_is_written_anew(tmp_path: pathlib.Path) -> None:
    hook = f"=== {INITRAMFS_HOOK} mode=0755\n#!/bin/sh\n"
    assert "hv_storvsc" in written(plan(tmp_path, hook))[INITRAMFS_HOOK]


def test_the_last_policy_in_conf_d_is_in_force(tmp_path: pathlib.Path) -> None:
    changes = small_guest.initramfs_tools("most") + "=== /etc/initramfs-tools/conf.d/driver-policy\nMODULES=dep\n"
    assert list(written(plan(tmp_path, changes))) == [INITRAMFS_HOOK]


def test_what_xen_needs_is_missed_only_while_the_guest_must_boot_there(tmp_path: pathlib.Path) -> None:
    changes = xen_only("most", "ext4\nhv_storvsc\nsd_mod\n")
    assert lacking(plan(tmp_path / "both", changes)) == {"xen_blkfront"}
    assert not plan(tmp_path / "hyperv", changes, Wanted(keep_xen=False))


def test_a_list_or_dep_image_is_built_on_the_worker_from_what_the_old_one_held(tmp_path: pathlib.Path) -> None:
    (command,) = plan(tmp_path, xen_only("dep")).commands
    (config, text, _mode), (hook, script, mode) = command.inputs
    assert (config, text) == ("/etc/initramfs-tools/conf.d/zzz-rehost-hyperv-build", "MODULES=list\n")
    assert (hook, mode) == ("/etc/initramfs-tools/hooks/zzz-rehost-hyperv-build", 0o755)
    assert "for module in ext4 xen_blkfront; do" in script


def test_what_an_image_by_list_held_stays_in_it(tmp_path: pathlib.Path) -> None:
    (command,) = plan(tmp_path, xen_only("list", "ext4\nxen-blkfront\nxen-netfront\n")).commands
    ((path, script, _mode),) = command.inputs
    assert path == "/etc/initramfs-tools/hooks/zzz-rehost-hyperv-build"
    assert "xen_netfront" in script
    assert isinstance(command.proof, ImageProof)
    assert "xen_netfront" in command.proof.modules


def test_dep_without_an_old_image_takes_most_drivers(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only("dep"), without=[IMAGE])
    assert ids(found) == ["initramfs.absent"]
    (command,) = found.commands
    assert command.inputs == (("/etc/initramfs-tools/conf.d/zzz-rehost-hyperv-build", "MODULES=most\n", 0o644),)


@pytest.mark.parametrize(
    "damage", [b"", b"\x1f\x8b\x08", b"no image at all", b"070701" + b"F" * 104], ids=["empty", "cut", "text", "lies"]
)
def test_an_image_that_cannot_be_read_is_built_anew(damage: bytes, tmp_path: pathlib.Path) -> None:
    small_guest.look(tmp_path)
    (tmp_path / IMAGE[1:]).write_bytes(damage)
    found = initramfs_modules.plan(small_guest.gather_again(tmp_path), Wanted())
    assert ids(found) in (["initramfs.unreadable"], ["initramfs.missing-module"])
    assert [command.output for command in found.commands] == [IMAGE]


def test_a_truncated_image_is_built_anew(tmp_path: pathlib.Path) -> None:
    small_guest.look(tmp_path)
    image = tmp_path / IMAGE[1:]
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    found = initramfs_modules.plan(small_guest.gather_again(tmp_path), Wanted())
    assert ids(found) == ["initramfs.unreadable"]
    assert found.findings[0].blocks


def test_an_image_of_another_kernel_counts_for_nothing(tmp_path: pathlib.Path) -> None:
    changes = kernel(VERSION, attributes="initramfs=gzip version=6.1.0-50-amd64") + kernel("6.1.0-51-amd64")
    changes += small_guest.grub(small_guest.entry("6.1.0-51-amd64", initrd=IMAGE))
    assert lacking(plan(tmp_path, changes)) == STORAGE | {"ext4", "xen_blkfront"}


def test_a_blacklist_in_the_image_alone_is_a_reason_to_build_it(tmp_path: pathlib.Path) -> None:
    image = "*\netc/modprobe.d/no-hyperv.conf: blacklist hv_vmbus\n"
    found = plan(tmp_path, kernel(VERSION, image=image))
    assert ids(found) == ["initramfs.blacklists-module"]
    assert found.findings[0].blocks
    assert len(found.commands) == 1


def test_a_blacklist_that_the_guest_still_has_would_come_back(tmp_path: pathlib.Path) -> None:
    image = "*\netc/modprobe.d/no-hyperv.conf: blacklist hv_vmbus\n"
    here = "=== /etc/modprobe.d/no-hyperv.conf\nblacklist hv_vmbus\n"
    assert not plan(tmp_path, kernel(VERSION, image=image) + here)


def test_a_blacklist_of_something_else_is_nobodys_business(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, kernel(VERSION, image="*\netc/modprobe.d/local.conf: blacklist pcspkr\n"))


RESUME = "=== /etc/initramfs-tools/conf.d/resume\nRESUME={}\n"
WAITING = kernel(VERSION, image="*\nconf/conf.d/resume: RESUME=/dev/xvda2\n")


def test_an_image_that_waits_for_an_old_swap_device_is_built_anew(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, WAITING + RESUME.format("none"))
    assert ids(found) == ["initramfs.stale-resume"]
    assert not found.findings[0].blocks
    assert len(found.commands) == 1
    assert found.changes == ()


def test_a_swap_device_that_is_configured_is_no_reason_to_build(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, WAITING + RESUME.format("/dev/xvda2"))


FILTER = 'devices/global_filter=["a|^/dev/xvd.*|","r|.*|"]'
LVM_IMAGE = kernel(VERSION, image=f"*\netc/lvm/lvm.conf: {FILTER}\n")


def test_an_image_with_the_lvm_filter_of_before_is_built_anew(tmp_path: pathlib.Path) -> None:
    mended = '=== /etc/lvm/lvm.conf\ndevices/global_filter=["a|^/dev/xvd.*|","a|^/dev/sd.*|","r|.*|"]\n'
    found = plan(tmp_path, LVM_IMAGE + mended)
    assert ids(found) == ["initramfs.stale-configuration"]
    assert found.findings[0].blocks
    assert len(found.commands) == 1


def test_an_lvm_filter_that_the_guest_still_has_is_no_reason_to_build(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, LVM_IMAGE + f"=== /etc/lvm/lvm.conf\n{FILTER}\n")


def test_an_image_with_the_crypttab_of_before_is_built_anew(tmp_path: pathlib.Path) -> None:
    image = kernel(VERSION, image="*\ncryptroot/crypttab: cr /dev/xvda2 none luks\n")
    mended = "=== /etc/crypttab\ncr UUID=0d8f7f0e-5a3c-4b8e-9f77-1c2d3e4f5a6b none luks\n"
    assert ids(plan(tmp_path, image + mended)) == ["initramfs.stale-configuration"]
    assert not plan(tmp_path / "same", image + "=== /etc/crypttab\ncr /dev/xvda2 none luks\n")


ENCRYPTED = (
    "=== /etc/crypttab\nsystem UUID=0d8f7f0e none luks,discard\nswap\tUUID=1c2d\nvar UUID=77c0 /etc/keys/var luks\n"
)


@pytest.mark.parametrize(
    "opens",
    ["cryptroot/crypttab: system UUID=0d8f7f0e none luks", "conf/conf.d/cryptroot: target=system,source=UUID=0d8f7f0e"],
    ids=["now", "before Debian 10"],
)
def test_a_new_image_opens_what_the_old_one_did(opens: str, tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only("most", f"{XEN_ONLY}{opens}\n") + ENCRYPTED)
    (command,) = found.commands
    assert command.inputs == (
        ("/etc/crypttab", ENCRYPTED.partition("\n")[2].replace("discard", "discard,initramfs"), 0o644),
    )
    assert isinstance(command.proof, ImageProof)
    assert command.proof.opens == ("system",)


def test_without_an_old_image_what_asks_for_a_passphrase_is_opened(tmp_path: pathlib.Path) -> None:
    (command,) = plan(tmp_path, xen_only("most") + ENCRYPTED, without=[IMAGE]).commands
    ((_path, table, _mode),) = command.inputs
    assert table == (
        "system UUID=0d8f7f0e none luks,discard,initramfs\nswap\tUUID=1c2d none initramfs\n"
        "var UUID=77c0 /etc/keys/var luks\n"
    )


def test_without_an_image_of_its_own_a_kernel_opens_what_the_others_do(tmp_path: pathlib.Path) -> None:
    other = "6.1.0-51-amd64"
    opens = f"{HYPERV_AND_XEN}hyperv-keyboard\ncryptroot/crypttab: system UUID=0d8f7f0e none luks\n"
    changes = (
        kernel(VERSION, image=opens)
        + kernel(other)
        + small_guest.grub(small_guest.entry(VERSION), small_guest.entry(other))
    )
    found = plan(tmp_path, changes + ENCRYPTED, without=[f"/boot/initrd.img-{other}"])
    (command,) = found.commands
    assert isinstance(command.proof, ImageProof)
    assert (command.output, command.proof.opens) == (f"/boot/initrd.img-{other}", ("system",))


def test_an_image_that_opens_nothing_is_built_without_that(tmp_path: pathlib.Path) -> None:
    (command,) = plan(tmp_path, xen_only("most") + ENCRYPTED).commands
    assert command.inputs == ()
    assert isinstance(command.proof, ImageProof)
    assert command.proof.opens == ()


def test_an_encrypted_root_needs_the_driver_for_that(tmp_path: pathlib.Path) -> None:
    modules = MODULES + "drivers/md/dm-crypt: dm-mod\n"
    changes = kernel(VERSION, modules, HYPERV_AND_XEN + "dm-mod\nhyperv-keyboard\n") + ENCRYPTED
    assert lacking(plan(tmp_path, changes + small_guest.fstab("/dev/mapper/system / ext4"))) == {"dm_crypt"}


def test_a_passphrase_needs_the_keyboard(tmp_path: pathlib.Path) -> None:
    changes = kernel(VERSION, image=HYPERV_AND_XEN) + "=== /etc/crypttab\ncr UUID=0d8f7f0e none luks\n"
    assert lacking(plan(tmp_path, changes)) == {"hyperv_keyboard"}


@pytest.mark.parametrize("hook", ["/usr/share/initramfs-tools/hooks/dropbear", "/etc/dropbear/initramfs/dropbear.conf"])
def test_an_unlock_over_the_network_needs_the_network(hook: str, tmp_path: pathlib.Path) -> None:
    changes = kernel(VERSION, image=HYPERV_AND_XEN) + f"=== {hook}\n#!/bin/sh\n"
    assert lacking(plan(tmp_path, changes)) == {"hv_netvsc", "xen_netfront"}


@pytest.mark.parametrize("spec", ["/dev/mapper/vg0-root", "/dev/vg0/root"])
def test_a_root_on_lvm_needs_the_device_mapper(spec: str, tmp_path: pathlib.Path) -> None:
    changes = kernel(VERSION, image=HYPERV_AND_XEN) + small_guest.fstab(f"{spec} / ext4")
    assert lacking(plan(tmp_path, changes)) == {"dm_mod"}


def test_modules_that_are_asked_for_are_had(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only("dep", HYPERV_AND_XEN), Wanted(extra=("hv-netvsc", "no-such-module")))
    assert lacking(found) == {"hv_netvsc"}
    assert "hv_netvsc no_such_module; do" in written(found)[INITRAMFS_HOOK]


BUILT_IN = "".join(f"builtin {line.split(':')[0]}\n" for line in MODULES.splitlines())


def test_a_kernel_with_everything_built_in_needs_no_image(tmp_path: pathlib.Path) -> None:
    menu = small_guest.grub(f"menuentry 'own' {{\n\tlinux /boot/vmlinuz-{VERSION} root=/dev/sda1\n}}\n")
    found = plan(tmp_path, kernel(VERSION, BUILT_IN, "") + menu, without=[IMAGE])
    assert not found
    assert found.findings == ()


def test_a_kernel_without_hv_storvsc_is_reported(tmp_path: pathlib.Path) -> None:
    modules = "".join(line + "\n" for line in MODULES.splitlines() if "hv_storvsc" not in line)
    found = plan(tmp_path, kernel(VERSION, modules))
    assert [(finding.id, finding.severity, finding.blocks) for finding in found.findings] == [
        ("kernel.no-storage-driver", "error", False)
    ]


def test_only_the_images_that_are_wrong_are_built(tmp_path: pathlib.Path) -> None:
    old = "6.1.0-49-amd64"
    changes = kernel(old, image=XEN_ONLY) + small_guest.grub(small_guest.entry(VERSION), small_guest.entry(old))
    found = plan(tmp_path, changes)
    assert [command.output for command in found.commands] == [f"/boot/initrd.img-{old}"]


def test_a_kernel_that_no_entry_starts_is_left(tmp_path: pathlib.Path) -> None:
    assert not plan(tmp_path, kernel("6.1.0-49-amd64", image=XEN_ONLY))


def test_without_a_menu_every_kernel_counts(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only(), without=["/boot/grub/grub.cfg"])
    assert [command.output for command in found.commands] == [IMAGE]


def test_no_image_can_be_built_without_a_generator(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, xen_only(), without=["/usr/sbin/mkinitramfs"])
    assert not found
    assert ids(found) == ["initramfs.missing-module", "initramfs.no-generator"]


def test_a_good_image_needs_no_generator(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, without=["/usr/sbin/mkinitramfs"])
    assert found.findings == ()


DRACUT = '=== /usr/bin/dracut mode=0755\n#!/bin/sh\n=== /etc/dracut.conf.d/10-host.conf\nhostonly="{}"\n'


@pytest.mark.parametrize(("hostonly", "is_written"), [("yes", True), ("no", False)])
def test_dracut_that_builds_for_the_host_gets_a_configuration(
    hostonly: str, is_written: bool, tmp_path: pathlib.Path
) -> None:
    found = plan(tmp_path, DRACUT.format(hostonly), without=["/usr/sbin/mkinitramfs"])
    assert list(written(found)) == ([DRACUT_CONFIG] if is_written else [])
    assert found.commands == ()


@pytest.mark.parametrize(("hostonly", "option"), [("yes", "--drivers"), ("no", "--add-drivers")])
def test_dracut_builds_on_the_worker_for_any_host_and_with_what_the_image_held(
    hostonly: str, option: str, tmp_path: pathlib.Path
) -> None:
    changes = kernel(VERSION, image=XEN_ONLY, attributes="initramfs=gzip generator=dracut") + DRACUT.format(hostonly)
    found = plan(tmp_path, changes, without=["/usr/sbin/mkinitramfs"])
    (command,) = found.commands
    names = "ext4 hv_storvsc hv_vmbus scsi_mod scsi_transport_fc sd_mod xen_blkfront"
    assert command.argv == ("dracut", "--force", "--no-hostonly", option, names, "--kver", VERSION, OUTPUT)
    assert 'add_drivers+=" hv_vmbus hv_storvsc sd_mod hv_blkvsc xen_blkfront "' in written(found)[DRACUT_CONFIG]


def test_dracut_without_an_old_image_takes_all_drivers(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, DRACUT.format("yes"), without=["/usr/sbin/mkinitramfs", IMAGE])
    (command,) = found.commands
    assert "--add-drivers" in command.argv


def test_initramfs_tools_is_in_charge_where_both_are_installed(tmp_path: pathlib.Path) -> None:
    (command,) = plan(tmp_path, xen_only() + DRACUT.format("yes")).commands
    assert command.argv[0] == "mkinitramfs"


def test_the_checksum_is_kept_where_update_initramfs_keeps_one(tmp_path: pathlib.Path) -> None:
    changes = xen_only() + f"=== /var/lib/initramfs-tools/{VERSION}\n0  {IMAGE}\n"
    (command,) = plan(tmp_path, changes).commands
    assert command.record == f"/var/lib/initramfs-tools/{VERSION}"
    (command,) = plan(tmp_path / "none", xen_only()).commands
    assert command.record is None


def image(*names: str, init: bool = True) -> t.BinaryIO:
    items = [item for item in initramfs_builder.debian_items(VERSION, names) if init or item.name != "init"]
    return io.BytesIO(initramfs_builder.build_image([("gzip", items)]))


PROOF = ImageProof(VERSION, ("hv_storvsc", "hv_vmbus"))


def test_a_proof_is_an_image_with_all_modules_and_an_init() -> None:
    assert PROOF.problem_with(image("hv_vmbus", "hv_storvsc", "ext4")) == ""
    assert PROOF.problem_with(image("hv_vmbus")) == "it lacks hv_storvsc"
    assert PROOF.problem_with(image("hv_vmbus", "hv_storvsc", init=False)) == "there is no init in it"
    assert ImageProof("6.1.0-51-amd64", ("hv_vmbus",)).problem_with(image("hv_vmbus")) == "it lacks hv_vmbus"


@pytest.mark.parametrize("content", [b"", b"junk", image("hv_vmbus", "hv_storvsc").read()[:-400]])
def test_what_is_no_image_proves_nothing(content: bytes) -> None:
    assert PROOF.problem_with(io.BytesIO(content)) != ""


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, "it does not open the encrypted system"),
        ({"cryptroot/crypttab": "other UUID=0d8f none luks\n"}, "it does not open the encrypted system"),
        ({"cryptroot/crypttab": "system UUID=0d8f none luks\n"}, "cryptsetup is not in it"),
        ({"cryptroot/crypttab": "system UUID=0d8f none luks\n", "usr/sbin/cryptsetup": "ELF"}, ""),
        ({"conf/conf.d/cryptroot": "target=system,source=UUID=0d8f,key=none\n", "sbin/cryptsetup": "ELF"}, ""),
    ],
)
def test_a_proof_can_ask_for_what_opens_the_root(more: t.Mapping[str, str], problem: str) -> None:
    items = initramfs_builder.debian_items(VERSION)
    items += [initramfs_builder.Item(name, content.encode()) for name, content in more.items()]
    built = io.BytesIO(initramfs_builder.build_image([("gzip", items)]))
    assert dataclasses.replace(PROOF, opens=("system",)).problem_with(built) == problem
