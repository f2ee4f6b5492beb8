# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_cmdline
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.boot_edit import BootEdit, edit_boot
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Finding
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import ROOT_UUID, VERSION

ADD_TTY0 = BootEdit(
    whole=lambda line: kernel_cmdline.with_argument(kernel_cmdline.without(line, "console=hvc*"), "console=tty0"),
    part=lambda line: kernel_cmdline.without(line, "console=hvc*"),
)
ROOT = f"root=UUID={ROOT_UUID} ro"
NO_GRUB = ["/boot/grub/grub.cfg"]


def edit(path: pathlib.Path, changes: str, **more: t.Any) -> tuple[dict[str, str], tuple[Finding, ...]]:
    boot = small_guest.look(path, changes, **more).boot
    done, findings = edit_boot(boot, ADD_TTY0, "because")
    assert all(isinstance(change, FileChange) and change.reason == "because" for change in done)
    return {change.path: change.after or "" for change in done}, findings


def drop_in(name: str, text: str) -> str:
    return f"=== /etc/default/grub.d/{name}\n{text}\n"


def test_every_entry_of_the_menu_is_edited_and_nothing_else(tmp_path: pathlib.Path) -> None:
    submenu = "submenu 'more' {\n" + small_guest.entry(VERSION, f"{ROOT} single") + "}\n"
    other = "menuentry 'Memory test' {\n\tlinux16 /boot/memtest86+.bin\n}\n"
    before = small_guest.grub(small_guest.entry(VERSION, f"{ROOT} console=hvc0"), submenu, other)
    texts, findings = edit(tmp_path, before)
    expected = (
        before.partition("\n")[2].replace("ro console=hvc0", "ro console=tty0").replace("single", "single console=tty0")
    )
    assert texts["/boot/grub/grub.cfg"] == expected
    assert findings == ()


def test_a_setting_of_a_later_file_is_the_one_that_counts(tmp_path: pathlib.Path) -> None:
    changes = small_guest.defaults("console=hvc0") + drop_in("10_cloud.cfg", 'GRUB_CMDLINE_LINUX="console=hvc0 quiet"')
    texts, findings = edit(tmp_path, changes)
    assert texts["/etc/default/grub.d/10_cloud.cfg"] == 'GRUB_CMDLINE_LINUX="quiet console=tty0"\n'
    assert 'GRUB_CMDLINE_LINUX=""\n' in texts["/etc/default/grub"]
    assert findings == ()


def test_what_adds_to_an_earlier_setting_is_left(tmp_path: pathlib.Path) -> None:
    """kdump-tools does so."""
    more = 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT crashkernel=384M-:128M"'
    texts, findings = edit(tmp_path, small_guest.defaults("", "quiet console=hvc0") + drop_in("kdump-tools.cfg", more))
    assert findings == ()
    assert "/etc/default/grub.d/kdump-tools.cfg" not in texts
    assert 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="console=tty0"\n' in texts["/etc/default/grub"]


def test_what_adds_to_the_arguments_of_every_entry_is_left(tmp_path: pathlib.Path) -> None:
    more = 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX net.ifnames=0"'
    texts, findings = edit(tmp_path, small_guest.defaults("console=hvc0") + drop_in("net.cfg", more))
    assert findings == ()
    assert "/etc/default/grub.d/net.cfg" not in texts
    assert 'GRUB_CMDLINE_LINUX="console=tty0"\n' in texts["/etc/default/grub"]


def test_what_is_there_already_in_any_file_is_not_added(tmp_path: pathlib.Path) -> None:
    changes = small_guest.defaults() + drop_in("a.cfg", 'GRUB_CMDLINE_LINUX="console=tty0"')
    texts, _findings = edit(tmp_path, changes)
    assert list(texts) == ["/boot/grub/grub.cfg"]


def test_only_files_that_update_grub_reads_count(tmp_path: pathlib.Path) -> None:
    changes = small_guest.defaults() + drop_in("a.cfg.dpkg-old", 'GRUB_CMDLINE_LINUX="console=hvc0"')
    texts, _findings = edit(tmp_path, changes)
    assert list(texts) == ["/boot/grub/grub.cfg", "/etc/default/grub"]


def test_settings_without_the_variable_get_it(tmp_path: pathlib.Path) -> None:
    texts, findings = edit(tmp_path, "=== /etc/default/grub\nGRUB_DEFAULT=0\n")
    assert "GRUB_CMDLINE_LINUX=" in texts["/etc/default/grub"]
    assert "console=tty0" in texts["/etc/default/grub"]
    assert findings == ()


@pytest.mark.parametrize(
    "text",
    [
        'if [ -e /etc/cloud ]; then\n\tGRUB_CMDLINE_LINUX="console=hvc0"\nfi\n',
        "GRUB_CMDLINE_LINUX=`cat /etc/arguments`\n",
        'GRUB_CMDLINE_LINUX="$(cat /etc/arguments)"\n',
        'GRUB_CMDLINE_LINUX="quiet"\n. /etc/more\n',
    ],
    ids=["condition", "backquotes", "substitution", "source"],
)
def test_settings_that_are_a_program_are_left_and_reported(text: str, tmp_path: pathlib.Path) -> None:
    texts, findings = edit(tmp_path, f"=== /etc/default/grub\n{text}")
    assert list(texts) == ["/boot/grub/grub.cfg"]
    assert [(item.id, item.subject, item.blocks) for item in findings] == [
        ("boot.cannot-edit", "/etc/default/grub", True)
    ]
    assert findings[0].remedy


def test_a_program_elsewhere_in_the_settings_is_no_matter(tmp_path: pathlib.Path) -> None:
    text = 'GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\nGRUB_CMDLINE_LINUX=""\n'
    texts, findings = edit(tmp_path, f"=== /etc/default/grub\n{text}")
    assert 'GRUB_CMDLINE_LINUX="console=tty0"' in texts["/etc/default/grub"]
    assert findings == ()


MENU_LST = """\
default 0
### BEGIN AUTOMAGIC KERNELS LIST
# kopt=root=UUID={1} ro console=hvc0
# kopt_2_6=root=UUID={1} ro
# defoptions=quiet console=hvc0
# altoptions=(single-user) single
### END DEBIAN AUTOMAGIC KERNELS LIST
title Debian
root (hd0,0)
kernel /boot/vmlinuz-{0} root=UUID={1} ro console=hvc0
initrd /boot/initrd.img-{0}

title Other
rootnoverify (hd0,1)
chainloader +1
"""


def test_grub_legacy_changes_in_its_entries_and_magic_comments(tmp_path: pathlib.Path) -> None:
    text = MENU_LST.format(VERSION, ROOT_UUID)
    texts, findings = edit(tmp_path, f"=== /boot/grub/menu.lst\n{text}", without=NO_GRUB)
    expected = (
        text.replace("quiet console=hvc0", "quiet")
        .replace("console=hvc0", "console=tty0")
        .replace(f"# kopt_2_6=root=UUID={ROOT_UUID} ro", f"# kopt_2_6=root=UUID={ROOT_UUID} ro console=tty0")
    )
    assert texts == {"/boot/grub/menu.lst": expected}
    assert findings == ()


def test_extlinux_changes_where_a_kernel_is_started(tmp_path: pathlib.Path) -> None:
    local = "LABEL local\n\tLOCALBOOT 0\n"
    text = f"DEFAULT l0\nLABEL l0\n\tLINUX /boot/vmlinuz-{VERSION}\n\tAPPEND {ROOT} console=hvc0\n{local}"
    texts, findings = edit(tmp_path, f"=== /boot/extlinux/extlinux.conf\n{text}", without=NO_GRUB)
    assert texts == {"/boot/extlinux/extlinux.conf": text.replace("hvc0", "tty0")}
    assert findings == ()


def test_settings_of_grub_2_are_left_where_something_else_boots(tmp_path: pathlib.Path) -> None:
    text = MENU_LST.format(VERSION, ROOT_UUID)
    changes = f"=== /boot/grub/menu.lst\n{text}" + small_guest.defaults("console=hvc0")
    texts, _findings = edit(tmp_path, changes, without=NO_GRUB)
    assert list(texts) == ["/boot/grub/menu.lst"]


def test_without_a_menu_there_is_nothing_to_edit(tmp_path: pathlib.Path) -> None:
    assert edit(tmp_path, small_guest.defaults("console=hvc0"), without=NO_GRUB) == ({}, ())
