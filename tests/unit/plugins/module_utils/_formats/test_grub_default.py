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


@pytest.mark.parametrize("name", [name for name in guest_tree.NAMES if "debian1" in name])
def test_the_entries_of_real_menus_are_copied(name: str) -> None:
    manifest = guest_tree.load(name)
    _before, _header, rest = manifest.partition("=== /boot/grub/grub.cfg")
    text = rest.partition("\n")[2].partition("\n===")[0] + "\n"
    document = grub_cfg.parse(text)
    entries = [entry for entry in grub_cfg.all_entries(document) if entry.kernel]
    assert entries
    for entry in entries:
        copy = grub_default.copy_of(text, entry, "A trial", "trial", "panic=10")
        if shutil.which("grub-script-check"):
            subprocess.run(["grub-script-check"], input=text + copy, text=True, check=True)
