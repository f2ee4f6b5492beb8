# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._image.disk import read_disk
from ansible_collections.rehost.hyperv.tests.unit import disk_builder


def test_partitions_are_shown_with_what_they_hold(tmp_path):
    disk = tmp_path / "disk.raw"
    disk_builder.build_disk(disk, "dos", [disk_builder.Part(16, "ext4", {}), disk_builder.Part(8, "swap", {})])
    shown = read_disk(str(disk))
    assert [(volume.number, volume.type) for volume in shown.layout.volumes] == [(1, "ext4"), (2, "swap")]
    assert all(volume.uuid for volume in shown.layout.volumes)


def test_a_program_in_the_first_sector_is_boot_code(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(b"\xeb\x63\x90" + bytes((1 << 20) - 3))
    assert read_disk(str(image)).has_boot_code


def test_a_partition_table_alone_is_no_boot_code(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(bytes(440) + b"\x12\x34\x56\x78" + bytes(66) + b"\x55\xaa" + bytes((1 << 20) - 512))
    assert not read_disk(str(image)).has_boot_code


def test_an_image_in_another_format_is_refused_with_the_way_out(tmp_path):
    image = tmp_path / "disk.vhdx"
    image.write_bytes(b"vhdxfile" + bytes(1 << 20))
    with pytest.raises(GuestError, match="vhdx") as problem:
        read_disk(str(image))
    assert "qemu-img" in problem.value.hint


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(GuestError) as problem:
        read_disk(str(tmp_path / "nothing"))
    assert problem.value.path == str(tmp_path / "nothing")
