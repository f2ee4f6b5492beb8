# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._image.boot_code import has_boot_code


def test_a_disk_with_a_program_in_its_first_sector_has_boot_code(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(b"\xeb\x63\x90" + bytes(509))
    assert has_boot_code(str(image))


def test_a_partition_table_alone_is_no_boot_code(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(bytes(440) + b"\x12\x34\x56\x78" + bytes(66) + b"\x55\xaa")
    assert not has_boot_code(str(image))


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(GuestError) as problem:
        has_boot_code(str(tmp_path / "nothing"))
    assert problem.value.path == str(tmp_path / "nothing")
