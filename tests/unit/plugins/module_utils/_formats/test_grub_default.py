# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import grub_cfg, grub_default
from ansible_collections.rehost.hyperv.tests.unit import guest_tree
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import NEW, OLD, advanced_id, menu
from hypothesis import given
from hypothesis import strategies as st

MENU = menu([NEW, OLD])


def started(text: str, environment: dict[str, str] | None = None) -> str:
    entry = grub_cfg.find_default(grub_cfg.parse(text), environment or {}, {"grub_platform": "pc"}).entry
    assert entry is not None
    assert entry.kernel is not None
    return entry.kernel.path + " " + entry.kernel.command_line


def test_the_default_is_set_and_nothing_else_changes() -> None:
    text = grub_default.with_default(MENU, advanced_id(OLD))
    assert started(MENU).startswith(f"/boot/vmlinuz-{NEW} ")
    assert started(text).startswith(f"/boot/vmlinuz-{OLD} ")
    assert text.replace(advanced_id(OLD), "0", 1) == MENU
    assert grub_default.with_default(text, "${saved_entry}").count('set default="${saved_entry}"') == 1


def test_the_entry_for_the_next_start_only_goes_first() -> None:
    assert grub_default.has_one_shot(MENU)
    text = grub_default.with_default(MENU, advanced_id(OLD))
    assert started(text, {"next_entry": advanced_id(NEW)}).startswith(f"/boot/vmlinuz-{NEW} ")
    assert not grub_default.has_one_shot(MENU.replace("save_env next_entry", ""))


@pytest.mark.parametrize("text", ["", 'set default="1"\nset default=2\n', "default=1\n"])
def test_a_menu_that_is_otherwise_is_refused(text: str) -> None:
    with pytest.raises(GuestError):
        grub_default.with_default(text, "0")


@pytest.mark.parametrize("wanted", ['a"b', "$x", "a\nb", "`id`"])
def test_what_grub_would_interpret_is_refused(wanted: str) -> None:
    with pytest.raises(GuestError):
        grub_default.with_default(MENU, wanted)


@given(st.text(), st.text("abc\n{}'"))
def test_a_block_goes_as_it_came(text: str, content: str) -> None:
    base = grub_default.with_block(text, "x", None)
    with_one = grub_default.with_block(base, "x", content + "\n")
    assert content in with_one
    assert grub_default.with_block(with_one, "x", None) in (base, base + "\n")
    assert grub_default.with_block(with_one, "x", content + "\n") == with_one


def copied(text: str, version: str) -> str:
    document = grub_cfg.parse(text)
    entries = [entry for entry in grub_cfg.all_entries(document) if version in entry.title and entry.kernel]
    return grub_default.copy_of(text, entries[0], "A trial", "trial", "panic=10 once")


def test_a_copy_starts_the_same_with_more_arguments() -> None:
    copy = copied(MENU, OLD)
    text = grub_default.with_block(MENU, "trial", copy)
    assert started(text, {"next_entry": "trial"}) == (
        f"/boot/vmlinuz-{OLD} root=UUID=5f1c9a52-6a3b-4f6e-9d0c-7e3b1a2c4d5e ro quiet panic=10 once"
    )
    assert started(text) == started(MENU)


def menu_of(name: str) -> str:
    _before, _header, rest = guest_tree.load(name).partition("=== /boot/grub/grub.cfg")
    return rest.partition("\n")[2].partition("\n===")[0] + "\n"


@pytest.mark.parametrize("name", [name for name in guest_tree.NAMES if "debian1" in name])
def test_the_entries_of_real_menus_are_copied(name: str) -> None:
    text = menu_of(name)
    document = grub_cfg.parse(text)
    entries = [entry for entry in grub_cfg.all_entries(document) if entry.kernel]
    assert entries
    for entry in entries:
        copy = grub_default.copy_of(text, entry, "A trial", "trial", "panic=10")
        if shutil.which("grub-script-check"):
            subprocess.run(["grub-script-check"], input=text + copy, text=True, check=True)


def test_a_twin_starts_the_other_kernel_and_nothing_else_changes() -> None:
    text = menu([OLD], advanced_id(OLD))
    entry = next(one for one in grub_cfg.all_entries(grub_cfg.parse(text)) if one.id_path == advanced_id(OLD))
    after = grub_default.with_twin(text, entry, OLD, NEW)
    assert started(after) == started(text)
    assert started(grub_default.with_default(after, advanced_id(NEW))) == started(text).replace(OLD, NEW)
    start = after.index(f"menuentry 'Debian GNU/Linux, with Linux {NEW}'")
    stop = after.index(f"menuentry 'Debian GNU/Linux, with Linux {OLD}'")
    assert after[:start] + after[stop:] == text
    twin = after[start:stop]
    assert OLD not in twin
    assert twin.replace(NEW, OLD) in text


@pytest.mark.parametrize(
    "entry",
    [
        "menuentry 'Debian' --id 'a' {\n\tlinux /boot/vmlinuz-1.0-a ro\n\tinitrd /boot/initrd.img-1.0-a\n}\n",
        "menuentry '1.0-a' --id 'a' {\n\tlinux /boot/vmlinuz-1.0-a ro\n\tinitrd /boot/initrd.img-1.0-a\n}\n",
        "menuentry '1.0-a' {\n\tlinux /vmlinuz ro\n\tinitrd /initrd.img-1.0-a\n}\n",
        "menuentry '1.0-a' {\n\tlinux /vmlinuz-1.0-a ro\n\tinitrd /initrd.img\n}\n",
        "menuentry '1.0-a' {\n\tlinux /vmlinuz-1.0-a ro\n}\n",
    ],
)
def test_an_entry_that_does_not_name_its_kernel_has_no_twin(entry: str) -> None:
    (found,) = grub_cfg.parse(entry).entries
    with pytest.raises(GuestError, match=r"does not name its kernel 1\.0-a"):
        grub_default.with_twin(entry, found, "1.0-a", "2.0-b")


@pytest.mark.parametrize("name", [name for name in guest_tree.NAMES if "debian1" in name])
def test_the_entries_of_real_menus_have_twins(name: str) -> None:
    text = menu_of(name)
    named = 0
    for entry in grub_cfg.all_entries(grub_cfg.parse(text)):
        version = entry.kernel.path.rpartition("/vmlinuz-")[2] if entry.kernel else ""
        if version and version in entry.title:
            named += 1
            after = grub_default.with_twin(text, entry, version, "9.9-other")
            found = grub_cfg.all_entries(grub_cfg.parse(after))
            (new,) = [one for one in found if one.kernel and "9.9-other" in one.kernel.path]
            assert new.kernel is not None
            assert entry.kernel is not None
            assert new.kernel.command_line == entry.kernel.command_line
            if shutil.which("grub-script-check"):
                subprocess.run(["grub-script-check"], input=after, text=True, check=True)
    assert named
