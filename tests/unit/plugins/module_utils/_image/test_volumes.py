# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import superblock
from ansible_collections.rehost.hyperv.plugins.module_utils._image import volumes
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import Part, build_disk

UUID = "5f0e5c1a-0a9b-4c57-9a53-4b6f2f6b7d01"


def layout(path: pathlib.Path) -> volumes.Layout:
    with path.open("rb") as stream:
        return volumes.read_layout(stream, path.stat().st_size)


@pytest.mark.parametrize(
    "reference",
    [
        "/dev/xvda2",
        "/dev/sda2",
        "/dev/hda2",
        "/dev/vda2",
        "xvda2",
        "/dev/nvme0n1p2",
        "2",
        "UUID=" + UUID,
        "UUID=" + UUID.upper(),
        'UUID="%s"' % UUID,
        "LABEL=the root",
        "/dev/disk/by-uuid/" + UUID,
        r"/dev/disk/by-label/the\x20root",
        "PARTUUID=0badcafe-02",
        "/dev/disk/by-partuuid/0badcafe-02",
    ],
)
def test_a_partition_is_found_by_any_of_its_names(tmp_path: pathlib.Path, reference: str) -> None:
    parts = [Part(2), Part(8, "ext4", uuid=UUID, label="the root")]
    found = layout(build_disk(tmp_path / "disk", "dos", parts, identifier="0x0badcafe").path).find(reference)
    assert found is not None
    assert (found.name, found.number, found.type) == ("2", 2, "ext4")


@pytest.mark.parametrize(
    "reference", ["/dev/xvdb2", "/dev/xvda", "/dev/xvda20", "/dev/xvda2x", "UUID=", "LABEL=x", "proc", "", "/dev/sr0"]
)
def test_what_is_not_on_the_disk_is_not_found(tmp_path: pathlib.Path, reference: str) -> None:
    assert layout(build_disk(tmp_path / "disk", "dos", [Part(2), Part(8, "ext4")]).path).find(reference) is None


@pytest.mark.parametrize("reference", ["/dev/xvda", "/dev/xvda1", "sda", "disk", "UUID=" + UUID])
def test_a_disk_without_partitions_is_found_by_any_name(tmp_path: pathlib.Path, reference: str) -> None:
    found = layout(build_disk(tmp_path / "disk", None, [Part(8, "ext4", uuid=UUID)]).path).find(reference)
    assert found is not None
    assert (found.name, found.number, found.start) == ("disk", None, 0)


def test_of_two_volumes_with_one_uuid_none_is_meant(tmp_path: pathlib.Path) -> None:
    parts = [Part(8, "ext4", uuid=UUID), Part(8, "ext4", uuid=UUID)]
    assert layout(build_disk(tmp_path / "disk", "dos", parts).path).find("UUID=" + UUID) is None


def test_a_gpt_partition_is_found_by_its_label(tmp_path: pathlib.Path) -> None:
    partition = volumes.Volume("1", 0, 1, None, 1, partlabel="root")
    assert volumes.Layout(None, (partition,)).find("PARTLABEL=root") == partition


@pytest.mark.parametrize(
    "reference", ["/dev/mapper/my--group-the--root", "/dev/my-group/the-root", "my-group/the-root", "UUID=" + UUID]
)
def test_a_logical_volume_is_found_by_any_of_its_names(reference: str) -> None:
    root = volumes.Volume("my-group/the-root", 0, 1, superblock.FileSystem("ext4", uuid=UUID), group="my-group")
    assert volumes.Layout(None, (root,)).find(reference) == root


def test_an_empty_disk_has_no_volumes(tmp_path: pathlib.Path) -> None:
    assert layout(build_disk(tmp_path / "disk", None, [Part(8)]).path).volumes == ()
