# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import menu_lst
from hypothesis import given
from hypothesis import strategies as st

MENU = """\
# default num
default\t\t0
timeout=5
color cyan/blue white/blue

### BEGIN AUTOMAGIC KERNELS LIST
## lines between the AUTOMAGIC KERNELS LIST markers will be modified
## e.g. kopt=root=/dev/hda1 ro
##      kopt_2_6_8=root=/dev/hdc1 ro
# kopt=root=/dev/xvda1 ro console=hvc0
# kopt_2_6=root=/dev/xvda1 ro
# groot=(hd0,0)
# alternative=true
# defoptions=quiet
# xenhopt=
# xenkopt=console=tty0
# altoptions=(single-user mode) single
## ## End Default Options ##

title\t\tDebian GNU/Linux, kernel 2.6.32-5-xen-amd64
root\t\t(hd0,0)
kernel\t\t/boot/vmlinuz-2.6.32-5-xen-amd64 root=/dev/xvda1 ro console=hvc0 quiet \n\
initrd\t\t/boot/initrd.img-2.6.32-5-xen-amd64
savedefault

title\t\tDebian GNU/Linux, kernel 2.6.32-5-xen-amd64 (single-user mode)
uuid\t\t0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0
kernel\t\t(hd0,0)/boot/vmlinuz-2.6.32-5-xen-amd64
initrd\t\t(hd0,0)/boot/initrd.img-2.6.32-5-xen-amd64
### END DEBIAN AUTOMAGIC KERNELS LIST

title Xen host
root=(hd0,1)
kernel --type=multiboot /boot/xen-3.2-1-amd64.gz dom0_mem=512M
module /boot/vmlinuz-2.6.26-2-xen-amd64 root=/dev/sda1 ro
module /boot/initrd.img-2.6.26-2-xen-amd64
title Windows
chainloader +1
"""

FRAGMENTS = [
    "title a\n",
    "kernel /v ro\n",
    "kernel",
    "=",
    " ",
    "\t",
    "\n",
    "\r\n",
    "# kopt=x\n",
    "default 1\n",
    "\0",
    "\f",
]
FRAGMENTS += [
    "### BEGIN AUTOMAGIC KERNELS LIST\n",
    "### END DEBIAN AUTOMAGIC KERNELS LIST\n",
    "module /m",
    "(hd0,0)",
    "--x",
]
menus = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))
command_lines = st.from_regex(r"[a-z]+=?[a-z/0-9]*( [a-z]+)*", fullmatch=True)


@given(menus)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    document = menu_lst.parse(text)
    assert menu_lst.render(document) == text
    menu_lst.default_entry(document)
    for command in document.commands:
        assert text[command.start : command.end] == command.value


def test_the_settings_of_update_grub_are_read() -> None:
    document = menu_lst.parse(MENU)
    assert menu_lst.option_values(document, "kopt") == ("root=/dev/xvda1 ro console=hvc0",)
    assert menu_lst.option_values(document, "kopt_2_6") == ("root=/dev/xvda1 ro",)
    assert menu_lst.option_values(document, "groot") == ("(hd0,0)",)
    assert menu_lst.option_values(document, "xenhopt") == ("",)
    assert menu_lst.option_values(document, "xenkopt") == ("console=tty0",)
    assert menu_lst.option_values(document, "altoptions") == ("(single-user mode) single",)
    assert menu_lst.option_values(document, "kopt_2_6_8") == ()
    assert document.automagic is not None
    begin, end = document.automagic
    assert MENU[:begin].endswith("### BEGIN AUTOMAGIC KERNELS LIST\n")
    assert MENU[end:].startswith("### END DEBIAN AUTOMAGIC KERNELS LIST\n")


def test_entries_with_their_files() -> None:
    document = menu_lst.parse(MENU)
    first, single, xen, windows = document.entries
    assert first.root == "(hd0,0)"
    assert first.kernel is not None
    assert (first.kernel.device, first.kernel.path) == ("", "/boot/vmlinuz-2.6.32-5-xen-amd64")
    assert first.kernel.command_line == "root=/dev/xvda1 ro console=hvc0 quiet"
    assert first.initrds == ("/boot/initrd.img-2.6.32-5-xen-amd64",)
    assert first.saves_default
    assert first.is_automagic
    assert single.uuid == "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
    assert single.root is None
    assert single.kernel is not None
    assert (single.kernel.device, single.kernel.command_line) == ("(hd0,0)", "")
    assert single.initrds == ("/boot/initrd.img-2.6.32-5-xen-amd64",)
    assert not first.is_xen_hypervisor
    assert xen.is_xen_hypervisor
    assert not xen.is_automagic
    assert xen.root == "(hd0,1)"
    assert xen.linux is not None
    assert xen.linux.command_line == "root=/dev/sda1 ro"
    assert windows.kernel is None
    assert windows.linux is None


@pytest.mark.parametrize(
    ("default", "saved", "index"),
    [("0", None, 0), ("2", None, 2), ("saved", None, 0), ("saved", 3, 3), ("9", None, None), ("x", None, None)],
)
def test_the_default_entry(default: str, saved: int | None, index: int | None) -> None:
    document = menu_lst.parse(MENU.replace("default\t\t0", f"default\t\t{default}"))
    assert (document.default, document.timeout) == (default, "5")
    found = menu_lst.default_entry(document, saved)
    assert (None if found is None else found.index) == index


def test_a_command_line_is_replaced_in_its_own_bytes() -> None:
    document = menu_lst.parse(MENU)
    first, single, xen, windows = document.entries
    changed = menu_lst.with_cmdline(document, first, "root=UUID=1 ro")
    assert changed.text == MENU.replace("root=/dev/xvda1 ro console=hvc0 quiet \n", "root=UUID=1 ro \n")
    changed = menu_lst.with_cmdline(document, single, "ro")
    assert changed.text == MENU.replace(
        "(hd0,0)/boot/vmlinuz-2.6.32-5-xen-amd64", "(hd0,0)/boot/vmlinuz-2.6.32-5-xen-amd64 ro"
    )
    changed = menu_lst.with_cmdline(document, xen, "ro")
    assert changed.text == MENU.replace("root=/dev/sda1 ro", "ro")
    with pytest.raises(_errors.GuestError, match="no Linux"):
        menu_lst.with_cmdline(document, windows, "ro")
    with pytest.raises(_errors.GuestError, match="not of this"):
        menu_lst.with_cmdline(menu_lst.parse(""), first, "ro")
    with pytest.raises(_errors.GuestError, match="one line"):
        menu_lst.with_cmdline(document, first, "ro\nboot")


def test_the_settings_are_changed_in_every_form_that_stands_there() -> None:
    document = menu_lst.with_kopt(menu_lst.parse(MENU), "root=UUID=1 ro")
    assert document.text == MENU.replace("# kopt=root=/dev/xvda1 ro console=hvc0", "# kopt=root=UUID=1 ro").replace(
        "# kopt_2_6=root=/dev/xvda1 ro", "# kopt_2_6=root=UUID=1 ro"
    )
    assert menu_lst.with_defoptions(document, "").text == document.text.replace("# defoptions=quiet", "# defoptions=")


def test_a_missing_setting_is_added_behind_the_others() -> None:
    text = "### BEGIN AUTOMAGIC KERNELS LIST\r\n# groot=(hd0,0)\r\n\r\n### END DEBIAN AUTOMAGIC KERNELS LIST\r\n"
    changed = menu_lst.with_kopt(menu_lst.parse(text), "ro")
    assert changed.text == text.replace("(hd0,0)\r\n", "(hd0,0)\r\n# kopt=ro\r\n")


def test_without_a_part_of_update_grub_no_setting_is_added() -> None:
    document = menu_lst.parse("# kopt=ro\n### BEGIN AUTOMAGIC KERNELS LIST\n# groot=x\n")
    assert document.automagic is None
    assert menu_lst.with_kopt(document, "rw").text == document.text.replace("kopt=ro", "kopt=rw")
    with pytest.raises(_errors.GuestError, match="no effect"):
        menu_lst.with_defoptions(document, "quiet")


@given(menus, command_lines)
def test_edits_hold_and_repeated_change_nothing(text: str, wanted: str) -> None:
    document = menu_lst.parse(text)
    for entry in document.entries:
        try:
            changed = menu_lst.with_cmdline(document, entry, wanted)
        except _errors.GuestError:
            continue
        again = changed.entries[entry.index]
        assert again.linux is not None
        assert again.linux.command_line == wanted
        assert menu_lst.with_cmdline(changed, again, wanted).text == changed.text
    if document.automagic is not None:
        changed = menu_lst.with_kopt(document, wanted)
        assert set(menu_lst.option_values(changed, "kopt")) == {wanted}
        assert menu_lst.with_kopt(changed, wanted).text == changed.text


@pytest.mark.parametrize("piece", ["title a\n", "kernel /v ro\n", "=", "# a=b\n", "--x ", "(", "\n"])
def test_a_hostile_text_takes_bounded_time(piece: str) -> None:
    text = f"{menu_lst._BEGIN}\ntitle a\nkernel " + piece * (250_000 // len(piece)) + "\n" + menu_lst._END
    started = time.process_time()
    document = menu_lst.parse(text)
    assert document.entries[0].title == "a"
    assert document.entries[0].linux is not None
    assert document.text == text
    assert time.process_time() - started < 1
