# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Boot
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_default
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import NEW, OLD, Machine, advanced_id, menu

LEGACY = """=== /boot/grub/menu.lst
default\t\t0
timeout\t\t5
### BEGIN AUTOMAGIC KERNELS LIST
# kopt=root=/dev/xvda1 ro
# updatedefaultentry=false
title\t\tDebian GNU/Linux, kernel 3.2.0-4-amd64
root\t\t(hd0,0)
kernel\t\t/boot/vmlinuz-3.2.0-4-amd64 root=/dev/xvda1 ro
initrd\t\t/boot/initrd.img-3.2.0-4-amd64

title\t\tDebian GNU/Linux, kernel 2.6.32-5-amd64 (single-user mode)
root\t\t(hd0,0)
kernel\t\t/boot/vmlinuz-2.6.32-5-amd64 root=/dev/xvda1 ro single
initrd\t\t/boot/initrd.img-2.6.32-5-amd64

title\t\tDebian GNU/Linux, kernel 2.6.32-5-amd64
root\t\t(hd0,0)
kernel\t\t/boot/vmlinuz-2.6.32-5-amd64 root=/dev/xvda1 ro
initrd\t\t/boot/initrd.img-2.6.32-5-amd64
### END DEBIAN AUTOMAGIC KERNELS LIST
"""
EXTLINUX = """=== /boot/extlinux/extlinux.conf
DEFAULT l0
PROMPT 0
LABEL l0
  KERNEL ../vmlinuz-3.2.0-4-amd64
  APPEND root=/dev/xvda1 ro
LABEL l1
  KERNEL ../vmlinuz-2.6.32-5-amd64
  APPEND root=/dev/xvda1 ro
"""


def boot_of(path: pathlib.Path, manifest: str) -> Boot:
    guest_tree.build(manifest, path)
    return gather(Root(str(path)), frozenset()).boot


def after(path: pathlib.Path, boot: Boot, version: str) -> Boot:
    for change in kernel_default.changes(boot, version, "why"):
        assert change.after is not None
        file = path / change.path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(change.after)
    return gather(Root(str(path)), frozenset()).boot


@pytest.mark.parametrize("manifest", [LEGACY, EXTLINUX], ids=["grub-legacy", "extlinux"])
def test_the_default_moves_and_stays(tmp_path: pathlib.Path, manifest: str) -> None:
    boot = boot_of(tmp_path, manifest)
    assert kernel_default.current(boot) == "3.2.0-4-amd64"
    boot = after(tmp_path, boot, "2.6.32-5-amd64")
    assert kernel_default.current(boot) == "2.6.32-5-amd64"
    assert kernel_default.is_fixed(boot, "2.6.32-5-amd64")
    assert boot.default is not None
    assert "single" not in boot.default.cmdline


def test_update_grub_of_grub_legacy_keeps_the_entry(tmp_path: pathlib.Path) -> None:
    boot = boot_of(tmp_path, LEGACY)
    (change,) = kernel_default.changes(boot, "2.6.32-5-amd64", "why")
    assert boot.menu is not None
    wanted = boot.menu.text.replace("default\t\t0", "default\t\t2")
    assert change.after == wanted.replace("updatedefaultentry=false", "updatedefaultentry=true")


@pytest.mark.parametrize("name", guest_tree.NAMES)
def test_the_kernel_of_every_guest_can_be_made_its_default_and_given_back(tmp_path: pathlib.Path, name: str) -> None:
    boot = boot_of(tmp_path, guest_tree.load(name))
    version = kernel_default.current(boot)
    assert version is not None
    assert boot.default is not None
    assert version == boot.default.version
    fixed = after(tmp_path, boot, version)
    assert kernel_default.is_fixed(fixed, version)
    if boot.loader == "grub2":
        given_back = {change.path: change.after for change in kernel_default.undo(fixed, "why")}
        assert boot.menu is not None
        assert given_back[boot.menu.path] == boot.menu.text


def test_a_saved_default_is_given_back(tmp_path: pathlib.Path) -> None:
    machine = Machine(
        tmp_path, default="${saved_entry}", extra='=== /etc/default/grub\nGRUB_DEFAULT=0\nGRUB_DEFAULT="saved"\n'
    )
    boot = machine.look().boot
    after(tmp_path, boot, OLD)
    fixed = machine.look().boot
    given_back = {change.path: change.after for change in kernel_default.undo(fixed, "why")}
    assert given_back["/boot/grub/grub.cfg"] == menu([NEW, OLD], "${saved_entry}")


def test_the_entry_for_the_next_start_is_not_the_default(tmp_path: pathlib.Path) -> None:
    from ansible_collections.rehost.hyperv.plugins.module_utils._formats import grubenv

    machine = Machine(tmp_path)
    block = grubenv.with_value(
        grubenv.parse("# GRUB Environment Block\n".ljust(1024, "#")), "next_entry", advanced_id(OLD)
    )
    (tmp_path / "boot/grub/grubenv").write_text(grubenv.render(block))
    assert kernel_default.current(machine.look().boot) == NEW


def test_a_kernel_without_an_entry_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GuestError, match="has no entry"):
        kernel_default.changes(Machine(tmp_path).look().boot, "6.6.6-amd64", "why")
