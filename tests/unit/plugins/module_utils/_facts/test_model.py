# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import IMAGE, VERSION


def test_kernels_and_images_are_found_by_version_and_path(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    assert facts.kernel(VERSION) is facts.kernels[0]
    assert facts.kernel("7") is None
    assert facts.kernel(None) is None
    assert facts.image_at(IMAGE) is facts.images[0]
    assert facts.image_at(None) is None


def test_the_default_entry_is_the_one_that_starts_by_itself(tmp_path: pathlib.Path) -> None:
    menu = small_guest.grub(
        small_guest.entry(VERSION, title="one"), small_guest.entry(VERSION, title="two"), default="1"
    )
    default = small_guest.look(tmp_path / "two", menu).boot.default
    assert default is not None
    assert default.title == "two"
    assert small_guest.look(tmp_path / "none", without=["/boot/grub/grub.cfg"]).boot.default is None
