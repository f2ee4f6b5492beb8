# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import pathlib
import struct
import typing as t
import zlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import partition_table
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import MIB, Disk, Part, build_disk, run
from hypothesis import given, settings
from hypothesis import strategies as st


def read(path: pathlib.Path) -> partition_table.PartitionTable:
    with path.open("rb") as stream:
        table = partition_table.read_table(stream)
    assert table is not None
    return table


def same_as_sfdisk(path: pathlib.Path) -> partition_table.PartitionTable:
    """The table, after every fact of it was compared with what sfdisk says."""
    found = read(path)
    wanted = json.loads(run("sfdisk", "--json", path))["partitiontable"]
    sector = wanted.get("sectorsize", 512)
    assert (found.label, found.identifier) == (wanted["label"], wanted["id"])
    assert len(found.partitions) == len(wanted.get("partitions", ()))
    for partition, other in zip(found.partitions, wanted.get("partitions", ())):
        assert other["node"].endswith(str(partition.number))
        assert (partition.start, partition.size) == (other["start"] * sector, other["size"] * sector)
        assert partition.type == other["type"]
        if found.label == "dos":
            assert partition.is_active == other.get("bootable", False)
        else:
            assert (partition.uuid or "").upper() == other["uuid"]
            assert partition.name == other.get("name", "")
            assert partition.is_active == ("LegacyBIOSBootable" in other.get("attrs", ""))
    return found


def test_a_dos_table_is_read_as_sfdisk_reads_it(tmp_path: pathlib.Path) -> None:
    parts = [Part(2, type="83", bootable=True), Part(3, type="82"), Part(1, type="8e")]
    table = same_as_sfdisk(build_disk(tmp_path / "disk", "dos", parts, identifier="0x0badcafe").path)
    assert [partition.uuid for partition in table.partitions] == ["0badcafe-01", "0badcafe-02", "0badcafe-03"]
    assert not table.problems
    assert not table.warnings


def test_logical_partitions_are_numbered_from_5(tmp_path: pathlib.Path) -> None:
    parts = [Part(2), *(Part(1, type=kind, logical=True) for kind in ("83", "82", "83", "c"))]
    table = same_as_sfdisk(build_disk(tmp_path / "disk", "dos", parts).path)
    assert [partition.number for partition in table.partitions] == [1, 2, 5, 6, 7, 8]
    assert [partition.is_extended for partition in table.partitions] == [False, True, False, False, False, False]
    assert not table.problems


def test_a_gpt_is_read_as_sfdisk_reads_it(tmp_path: pathlib.Path) -> None:
    disk = build_disk(tmp_path / "disk", "gpt", [Part(2, "vfat"), Part(3, "swap"), Part(2)])
    run("sfdisk", "-q", "--part-label", disk.path, "3", "root ✓")
    run("sfdisk", "-q", "--part-attrs", disk.path, "3", "LegacyBIOSBootable")
    table = same_as_sfdisk(disk.path)
    assert [partition.is_esp for partition in table.partitions] == [True, False, False]
    assert table.partitions[2].name == "root ✓"
    assert not table.problems
    assert not table.warnings


def test_partitions_of_a_gpt_keep_their_numbers(tmp_path: pathlib.Path) -> None:
    disk = build_disk(tmp_path / "disk", "gpt", [Part(2), Part(2), Part(2)])
    run("sfdisk", "-q", "--delete", disk.path, "2")
    assert [partition.number for partition in same_as_sfdisk(disk.path).partitions] == [1, 3]


def test_a_gpt_with_sectors_of_4096_bytes_is_read(tmp_path: pathlib.Path) -> None:
    disk = build_disk(tmp_path / "disk", None, [Part(10)])
    run("fdisk", "-b", "4096", disk.path, stdin="g\nn\n1\n256\n767\nn\n2\n768\n1500\nw\n")
    table = read(disk.path)
    assert table.sector_size == 4096
    assert [(partition.start, partition.size) for partition in table.partitions] == [
        (MIB, 2 * MIB),
        (3 * MIB, 733 * 4096),
    ]
    assert not table.problems


@pytest.mark.parametrize("fs", ["ext4", "xfs", "swap", "vfat"])
def test_a_file_system_on_the_whole_disk_is_no_table(tmp_path: pathlib.Path, fs: str) -> None:
    disk = build_disk(tmp_path / "disk", None, [Part(16, fs)])
    with disk.path.open("rb") as stream:
        assert partition_table.read_table(stream) is None


def test_a_boot_loader_before_a_file_system_on_the_whole_disk_is_no_table(tmp_path: pathlib.Path) -> None:
    disk = build_disk(tmp_path / "disk", None, [Part(16, "ext4")])
    disk.flip(0, b"\xeb\x63\x90" + bytes(507) + b"\x55\xaa")
    with disk.path.open("rb") as stream:
        assert partition_table.read_table(stream) is None


def test_an_empty_disk_has_no_table() -> None:
    assert partition_table.read_table(io.BytesIO()) is None
    assert partition_table.read_table(io.BytesIO(bytes(MIB))) is None


def test_a_stale_file_system_under_a_table_does_not_hide_the_table(tmp_path: pathlib.Path) -> None:
    stale = tmp_path / "stale"
    build_disk(stale, None, [Part(16, "ext4")])
    run("sfdisk", "-q", "--no-reread", "--wipe", "never", stale, stdin="label: dos\nstart=1MiB, size=8MiB, type=83\n")
    assert [partition.number for partition in read(stale).partitions] == [1]


def entry(kind: int, start: int, count: int, status: int = 0) -> bytes:
    return struct.pack("<B3xB3xII", status, kind, start, count)


def table_sector(*entries: bytes, identifier: int = 0) -> bytes:
    return (struct.pack("<440xI2x", identifier) + b"".join(entries)).ljust(510, b"\0") + b"\x55\xaa"


def on_disk(sectors: t.Mapping[int, bytes], size: int = 4 * MIB) -> partition_table.PartitionTable:
    raw = bytearray(size)
    for number, data in sectors.items():
        raw[number * 512 : number * 512 + len(data)] = data
    table = partition_table.read_table(io.BytesIO(bytes(raw)))
    assert table is not None
    return table


def test_a_chain_that_leads_back_ends_with_a_problem() -> None:
    table = on_disk(
        {
            0: table_sector(entry(0x0F, 100, 4000)),
            100: table_sector(entry(0x83, 10, 10), entry(5, 50, 100)),
            150: table_sector(entry(0x83, 10, 10), entry(5, 0, 100)),
        }
    )
    assert [partition.number for partition in table.partitions] == [1, 5, 6]
    assert table.problems == ("the chain of logical partitions leads back to sector 100",)


def test_a_chain_that_leads_beyond_the_disk_ends_with_a_problem() -> None:
    table = on_disk({0: table_sector(entry(5, 100, 4000)), 100: table_sector(entry(5, 0xFFFFFF00, 1))})
    assert "breaks off" in table.problems[0]


def test_an_endless_chain_is_cut() -> None:
    sectors = {0: table_sector(entry(5, 100, 8000))}
    for here in range(100, 8000):
        sectors[here] = table_sector(entry(0x83, 1, 1), entry(5, here + 1 - 100, 1))
    table = on_disk(sectors)
    assert len(table.partitions) == 1 + partition_table.MAXIMUM_LOGICAL
    assert any("more than 256" in problem for problem in table.problems)


def test_overlapping_partitions_are_a_problem() -> None:
    table = on_disk({0: table_sector(entry(0x83, 2048, 1000), entry(0x83, 5000, 100), entry(0x82, 3000, 1000))})
    assert table.problems == ("partitions 1 and 3 overlap",)


def test_an_overlap_is_found_behind_a_small_partition_in_between() -> None:
    table = on_disk({0: table_sector(entry(0x83, 2048, 5000), entry(0x83, 2100, 10), entry(0x83, 3000, 10))})
    assert table.problems == ("partitions 1 and 2 overlap", "partitions 1 and 3 overlap")


def test_a_logical_partition_that_overlaps_a_primary_one_is_a_problem() -> None:
    table = on_disk(
        {0: table_sector(entry(0x83, 4000, 1000), entry(5, 100, 3000)), 100: table_sector(entry(0x83, 10, 4500))}
    )
    assert "logical partition 5 lies outside of the extended partition" in table.problems
    assert "partitions 1 and 5 overlap" in table.problems


def test_a_partition_beyond_the_end_is_a_problem() -> None:
    table = on_disk({0: table_sector(entry(0x83, 2048, 0xFFFFFFFF))})
    assert "beyond the end of the disk" in table.problems[0]


def gpt_disk(tmp_path: pathlib.Path) -> Disk:
    return build_disk(tmp_path / "disk", "gpt", [Part(2), Part(3)])


def test_a_broken_primary_gpt_is_a_problem_and_the_backup_is_read(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    intact = read(disk.path)
    disk.flip(512 + 40, b"\xff")
    table = read(disk.path)
    assert "primary GPT is broken" in table.problems[0]
    assert table.partitions == intact.partitions


def test_broken_entries_of_the_primary_gpt_are_noticed(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    disk.flip(1024 + 40, b"\xee")
    assert "primary GPT is broken" in read(disk.path).problems[0]


def test_a_broken_backup_is_a_warning(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    disk.flip(disk.path.stat().st_size - 512, b"gone")
    table = read(disk.path)
    assert not table.problems
    assert "backup of the GPT is missing" in table.warnings[0]


def test_a_disk_that_was_enlarged_is_a_warning(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    with disk.path.open("r+b") as stream:
        stream.truncate(disk.path.stat().st_size + MIB)
    assert "enlarged" in read(disk.path).warnings[0]


def test_a_gpt_broken_on_both_ends_is_refused(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    disk.flip(512, b"gone")
    disk.flip(disk.path.stat().st_size - 512, b"gone")
    with pytest.raises(_errors.MalformedError, match="neither the table nor its backup"):
        read(disk.path)


def test_a_gpt_without_protective_mbr_is_a_problem(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    disk.flip(0, bytes(512))
    assert "no protective MBR" in read(disk.path).problems[0]


def test_a_hybrid_mbr_is_a_warning_and_the_gpt_is_read(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    disk.flip(446 + 16, entry(0x83, 2048, 4096))
    table = read(disk.path)
    assert table.label == "gpt"
    assert "hybrid" in table.warnings[0]


def test_a_gpt_that_was_left_behind_is_a_warning(tmp_path: pathlib.Path) -> None:
    disk = gpt_disk(tmp_path)
    disk.flip(0, table_sector(entry(0x83, 2048, 100)))
    table = read(disk.path)
    assert table.label == "dos"
    assert "former GPT" in table.warnings[0]


def forged_gpt(count: int, size: int, first: int = 34, last: int = 100) -> bytes:
    """A GPT whose checksums hold, whatever it says; its one partition spans first to last."""
    entries = (b"\x01" * 32 + struct.pack("<QQQ", first, last, 0)).ljust(128, b"\0") * 4
    head = b"EFI PART" + struct.pack("<IIII", 0x10000, 92, 0, 0) + struct.pack("<QQQQ", 1, 1, 34, 1000)
    head += b"\x02" * 16 + struct.pack("<QIII", 2, count, size, zlib.crc32(entries))
    head = head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]
    return table_sector(entry(0xEE, 1, 0xFFFFFFFF)) + head.ljust(512, b"\0") + entries


@pytest.mark.parametrize(("count", "size"), [(0xFFFFFFFF, 128), (4, 0xFFFFFFF8), (4, 8), (0, 128), (4, 129)])
def test_a_gpt_of_absurd_size_is_not_read(count: int, size: int) -> None:
    with pytest.raises(_errors.MalformedError):
        on_disk({0: forged_gpt(count, size)})


def test_partitions_that_lie_where_none_may_are_problems() -> None:
    problems = on_disk({0: forged_gpt(4, 128, first=2, last=2**63)}).problems
    assert any("outside of the sectors" in problem for problem in problems)
    assert any("beyond the end" in problem for problem in problems)
    assert any("overlap" in problem for problem in problems)


def test_a_partition_that_ends_before_it_begins_is_a_problem() -> None:
    assert "ends before it begins" in on_disk({0: forged_gpt(4, 128, first=50, last=40)}).problems[0]


CHAIN = {
    0: table_sector(entry(0x83, 34, 10), entry(5, 100, 1000)),
    100: table_sector(entry(0x83, 10, 10), entry(5, 50, 100)),
    150: table_sector(entry(0x83, 10, 10), entry(5, 90, 100)),
}


@settings(deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 160 * 512), st.binary(min_size=1, max_size=8)), max_size=6),
    st.integers(0, 200 * 512),
)
def test_damage_gives_a_table_or_a_malformed_error(gpt: bool, damage: list[tuple[int, bytes]], length: int) -> None:
    raw = bytearray(200 * 512)
    for number, data in ({0: forged_gpt(4, 128)} if gpt else CHAIN).items():
        raw[number * 512 : number * 512 + len(data)] = data
    for place, data in damage:
        raw[place : place + len(data)] = data
    try:
        table = partition_table.read_table(io.BytesIO(bytes(raw[:length])))
    except _errors.MalformedError:
        return
    if table is not None:
        assert len({partition.number for partition in table.partitions}) == len(table.partitions)
        if not table.problems:
            assert all(partition.end <= length for partition in table.partitions)
