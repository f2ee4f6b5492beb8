# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import boot
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Boot, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

KERNEL = "=== /boot/vmlinuz-6.1.0-50-amd64\nMZ\n=== /boot/initrd.img-6.1.0-50-amd64\n\n"


def gather(path: pathlib.Path, manifest: str, **more: t.Any) -> Boot:
    guest_tree.build(manifest, path)
    return boot.gather(Root(str(path)), pytest.fail, **more)


def grub(*lines: str) -> str:
    return "=== /boot/grub/grub.cfg\n" + "".join(line + "\n" for line in lines)


def entry(title: str, kernel: str, *initrds: str, arguments: str = "ro") -> str:
    return f"menuentry '{title}' {{\n\tlinux {kernel} {arguments}\n\tinitrd {' '.join(initrds)}\n}}"


def test_nothing_is_known_of_an_empty_tree(tmp_path: pathlib.Path) -> None:
    found = gather(tmp_path, "=== /etc/hostname\nguest\n")
    assert found == Boot(None, None, (), None, (), (), None, (), False)
    assert found.default is None


def test_an_entry_of_grub_has_kernel_images_and_arguments(tmp_path: pathlib.Path) -> None:
    ucode = "=== /boot/ucode.img\n\n"
    menu = grub(entry("Debian", "/boot/vmlinuz-6.1.0-50-amd64", "/boot/ucode.img", "/boot/initrd.img-6.1.0-50-amd64"))
    found = gather(tmp_path, KERNEL + ucode + menu)
    assert found.loader == "grub2"
    (only,) = found.entries
    assert (only.title, only.kernel, only.version) == ("Debian", "/boot/vmlinuz-6.1.0-50-amd64", "6.1.0-50-amd64")
    assert only.initrds == ("/boot/ucode.img", "/boot/initrd.img-6.1.0-50-amd64")
    assert (only.cmdline, only.is_default, only.is_xen_hypervisor) == ("ro", True, False)
    assert found.default is only


def test_paths_of_a_boot_partition_begin_there(tmp_path: pathlib.Path) -> None:
    menu = grub(entry("Debian", "/vmlinuz-6.1.0-50-amd64", "/initrd.img-6.1.0-50-amd64"))
    (only,) = gather(tmp_path, KERNEL + menu).entries
    assert only.kernel == "/boot/vmlinuz-6.1.0-50-amd64"
    assert only.initrds == ("/boot/initrd.img-6.1.0-50-amd64",)


def test_an_image_that_is_not_there_is_looked_for_in_boot(tmp_path: pathlib.Path) -> None:
    kernel = "=== /boot/vmlinuz-6.1.0-50-amd64\nMZ\n"
    for number, path in enumerate(
        ("/initrd.img-x", "/boot/initrd.img-x", "/@rootfs/boot/initrd.img-x", "(hd0,1)/initrd.img-x")
    ):
        menu = grub(entry("Debian", "/vmlinuz-6.1.0-50-amd64", path))
        (only,) = gather(tmp_path / str(number), kernel + menu).entries
        assert only.initrds == ("/boot/initrd.img-x",), path


@pytest.mark.parametrize("prefix", ["/@/boot", "/@rootfs/boot", "(hd0,msdos1)/boot", "($root)/boot", "/boot", ""])
def test_a_device_or_a_subvolume_in_front_is_left_out(prefix: str, tmp_path: pathlib.Path) -> None:
    menu = grub(entry("Debian", f"{prefix}/vmlinuz-6.1.0-50-amd64", f"{prefix}/initrd.img-6.1.0-50-amd64"))
    (only,) = gather(tmp_path, KERNEL + menu).entries
    assert (only.kernel, only.version) == ("/boot/vmlinuz-6.1.0-50-amd64", "6.1.0-50-amd64")
    assert only.initrds == ("/boot/initrd.img-6.1.0-50-amd64",)


def test_links_lead_to_the_version(tmp_path: pathlib.Path) -> None:
    links = "=== /vmlinuz -> boot/vmlinuz-6.1.0-50-amd64\n=== /initrd.img -> boot/initrd.img-6.1.0-50-amd64\n"
    (only,) = gather(tmp_path, KERNEL + links + grub(entry("Debian", "/vmlinuz", "/initrd.img"))).entries
    assert (only.kernel, only.version) == ("/boot/vmlinuz-6.1.0-50-amd64", "6.1.0-50-amd64")
    assert only.initrds == ("/boot/initrd.img-6.1.0-50-amd64",)


def test_a_path_that_leads_out_of_the_guest_stays_inside(tmp_path: pathlib.Path) -> None:
    menu = grub(entry("Debian", "/../../../etc/hostname", "/boot/initrd.img-6.1.0-50-amd64"))
    (only,) = gather(tmp_path, KERNEL + menu).entries
    assert only.kernel.startswith("/")
    assert only.version is None


def test_entries_without_a_kernel_are_left_out_and_those_without_an_image_are_not(tmp_path: pathlib.Path) -> None:
    setup = "menuentry 'Firmware' {\n\tfwsetup\n}"
    own = "menuentry 'Own' {\n\tlinux /boot/vmlinuz-6.1.0-50-amd64 ro\n}"
    (only,) = gather(tmp_path, KERNEL + grub(setup, own)).entries
    assert (only.title, only.initrds, only.is_default) == ("Own", (), False)


def test_entries_of_submenus_come_too(tmp_path: pathlib.Path) -> None:
    menu = grub("set default='1>0'", entry("a", "/vmlinuz"), "submenu 'more' {", entry("b", "/vmlinuz"), "}")
    found = gather(tmp_path, KERNEL + menu)
    assert [(item.title, item.is_default) for item in found.entries] == [("a", False), ("b", True)]


def test_the_saved_entry_comes_from_the_environment(tmp_path: pathlib.Path) -> None:
    environment = "=== /boot/grub/grubenv no-newline\n# GRUB Environment Block\nsaved_entry=b\n" + "#" * 987 + "\n"
    menu = grub("load_env", 'set default="${saved_entry}"', entry("a", "/vmlinuz"), entry("b", "/vmlinuz"))
    found = gather(tmp_path, KERNEL + environment + menu)
    assert found.default is not None
    assert found.default.title == "b"
    assert found.environment is not None
    assert found.environment.path == "/boot/grub/grubenv"


def test_a_default_that_is_decided_at_boot_is_unresolved(tmp_path: pathlib.Path) -> None:
    doubt = ["if cmostest 0x40:6; then", "set default=1", "fi"]
    found = gather(tmp_path, KERNEL + grub(*doubt, entry("a", "/vmlinuz"), entry("b", "/vmlinuz")))
    assert found.default is None
    assert [text for text in found.unresolved if text.startswith("default entry:")]


def test_a_custom_menu_counts_where_there_is_one(tmp_path: pathlib.Path) -> None:
    menu = grub(entry("a", "/vmlinuz"), "if [ -f $prefix/custom.cfg ]; then", "  source $prefix/custom.cfg", "fi")
    assert gather(tmp_path / "without", KERNEL + menu).unresolved == ()
    found = gather(tmp_path / "with", KERNEL + menu + "=== /boot/grub/custom.cfg\nset default=1\n")
    assert any("custom.cfg" in text for text in found.unresolved)


def test_an_entry_of_xens_hypervisor_is_known_as_such(tmp_path: pathlib.Path) -> None:
    xen = (
        "menuentry 'Xen' {\n\tmultiboot2 /boot/xen-4.17-amd64.gz placeholder\n"
        "\tmodule2 /boot/vmlinuz-6.1.0-50-amd64 placeholder ro\n\tmodule2 --nounzip /boot/initrd.img-6.1.0-50-amd64\n}"
    )
    (only,) = gather(tmp_path, KERNEL + grub(xen)).entries
    assert only.is_xen_hypervisor
    assert only.initrds == ("/boot/initrd.img-6.1.0-50-amd64",)
    assert only.version == "6.1.0-50-amd64"


def test_settings_are_those_that_update_grub_reads_in_its_order(tmp_path: pathlib.Path) -> None:
    drop_ins = "".join(f"=== /etc/default/grub.d/{name}\nA=1\n" for name in ("b.cfg", "a.cfg", "c.cfg.old", ".d.cfg"))
    found = gather(tmp_path, "=== /etc/default/grub\nA=0\n" + drop_ins)
    assert [file.path for file in found.defaults] == [
        "/etc/default/grub",
        "/etc/default/grub.d/a.cfg",
        "/etc/default/grub.d/b.cfg",
    ]


MENU_LST = (
    "default 1\ntitle a\nroot (hd0,0)\nkernel /vmlinuz-1 ro\ninitrd /initrd.img-1\n"
    "title b\nkernel /vmlinuz-2 ro\ntitle c\nchainloader +1\n"
)


@pytest.mark.parametrize("path", ["/boot/grub/menu.lst", "/boot/grub/grub.conf"])
def test_grub_legacy_is_read_where_there_is_no_grub_2(path: str, tmp_path: pathlib.Path) -> None:
    found = gather(tmp_path, f"=== {path}\n{MENU_LST}")
    assert found.loader == "grub-legacy"
    assert found.menu is not None
    assert found.menu.path == path
    assert [(item.title, item.version, item.is_default) for item in found.entries] == [
        ("a", "1", False),
        ("b", "2", True),
    ]
    assert found.entries[0].initrds == ("/boot/initrd.img-1",)


def test_grub_2_comes_before_what_was_there_earlier(tmp_path: pathlib.Path) -> None:
    assert gather(tmp_path, f"=== /boot/grub/menu.lst\n{MENU_LST}" + grub(entry("a", "/vmlinuz"))).loader == "grub2"


@pytest.mark.parametrize("path", ["/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/extlinux.conf"])
def test_extlinux_is_read(path: str, tmp_path: pathlib.Path) -> None:
    menu = (
        "DEFAULT l1\nLABEL l0\n LINUX /vmlinuz-1\n APPEND initrd=/initrd.img-1 ro\n"
        "LABEL l1\n KERNEL /vmlinuz-2\n INITRD /initrd.img-2\n"
    )
    found = gather(tmp_path, f"=== {path}\n{menu}LABEL local\n LOCALBOOT 0\n")
    assert found.loader == "extlinux"
    assert [(item.title, item.version, item.initrds, item.is_default) for item in found.entries] == [
        ("l0", "1", ("/boot/initrd.img-1",), False),
        ("l1", "2", ("/boot/initrd.img-2",), True),
    ]


def test_loaders_in_the_esp_are_found(tmp_path: pathlib.Path) -> None:
    files = ("EFI/BOOT/BOOTX64.EFI", "EFI/debian/grubx64.efi", "EFI/debian/grub.cfg", "startup.nsh", "a/b/c/d/e/f.efi")
    manifest = "".join(f"=== /boot/efi/{name}\nMZ\n" for name in files)
    found = gather(tmp_path, manifest)
    assert sorted(found.esp_loaders) == ["EFI/BOOT/BOOTX64.EFI", "EFI/debian/grubx64.efi"]
    assert found.has_esp


def test_what_the_disk_shows_is_handed_in(tmp_path: pathlib.Path) -> None:
    found = gather(tmp_path, KERNEL, has_mbr_loader=False, has_esp=True)
    assert (found.has_mbr_loader, found.has_esp, found.esp_loaders) == (False, True, ())


def test_a_menu_that_cannot_be_read_is_a_problem(tmp_path: pathlib.Path) -> None:
    guest_tree.build("=== /boot/grub/grub.cfg/\n", tmp_path)
    problems: list[Problem] = []
    found = boot.gather(Root(str(tmp_path)), problems.append)
    assert found.loader is None
    assert [problem.path for problem in problems] == ["/boot/grub/grub.cfg"]
