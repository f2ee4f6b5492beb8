# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import LimitError, MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import cpio
from ansible_collections.rehost.hyperv.tests.unit.initramfs_builder import Item, build_cpio, directory, link
from hypothesis import given
from hypothesis import strategies as st


def source(data, chunk_size=1 << 16, limit=1 << 30):
    return cpio.ByteSource((data[i : i + chunk_size] for i in range(0, len(data), chunk_size)), limit)


def entries(data, keep=cpio.nothing, **options):
    return list(cpio.read_archives(source(data, **options), keep))


def everything(_entry):
    return True


def with_field(data, number, text):
    """The archive with another value in the given field of its first header."""
    start = 6 + 8 * number
    return data[:start] + text + data[start + 8 :]


SIZE, NAME_SIZE = 6, 11


def test_entries_come_with_name_mode_and_size():
    data = build_cpio([directory("etc"), Item("etc/fstab", b"x" * 13), link("lib", "usr/lib")])
    assert entries(data) == [
        cpio.Entry("etc", 0o040755, 0),
        cpio.Entry("etc/fstab", 0o100644, 13),
        cpio.Entry("lib", 0o120777, 7),
    ]


def test_content_is_read_of_the_entries_asked_for():
    data = build_cpio([Item("a", b"one"), Item("b", b"three"), Item("c", b"seventeen")])
    read = entries(data, lambda entry: entry.name == "b" and entry.size == 5)
    assert [entry.content for entry in read] == [None, b"three", None]


def test_the_target_of_a_symbolic_link_is_its_content():
    assert entries(build_cpio([link("lib", "usr/lib")]), everything)[0].content == b"usr/lib"


def test_both_magic_numbers_are_read():
    assert entries(build_cpio([Item("a", b"1")], magic=b"070702")) == [cpio.Entry("a", 0o100644, 1)]


def test_a_name_in_any_bytes_keeps_them():
    name = os.fsdecode(b"caf\xe9\n\x1b")
    assert os.fsencode(entries(build_cpio([Item(name)]))[0].name) == b"caf\xe9\n\x1b"


def test_a_name_ends_at_its_first_nul():
    assert entries(build_cpio([Item("a\0\0\0\0", b"12345678")])) == [cpio.Entry("a", 0o100644, 8)]


def test_a_name_that_leads_out_is_only_a_name():
    assert entries(build_cpio([Item("../../etc/passwd", b"root")]))[0].name == "../../etc/passwd"


def test_hard_links_share_the_content_that_stands_with_the_last():
    items = [
        Item("one", inode=7, links=3),
        Item("two", inode=7, links=3),
        Item("other", b"zz"),
        Item("three", b"shared", inode=7, links=3),
    ]
    assert entries(build_cpio(items), lambda entry: entry.name == "one") == [
        cpio.Entry("other", 0o100644, 2),
        cpio.Entry("one", 0o100644, 6, b"shared"),
        cpio.Entry("two", 0o100644, 6, b"shared"),
        cpio.Entry("three", 0o100644, 6, b"shared"),
    ]


def test_hard_links_share_the_content_that_stands_with_the_first():
    items = [Item("one", b"shared", inode=7, links=2), Item("two", inode=7, links=2)]
    assert entries(build_cpio(items), everything) == [
        cpio.Entry("one", 0o100644, 6, b"shared"),
        cpio.Entry("two", 0o100644, 6, b"shared"),
    ]


def test_hard_links_of_an_empty_file_come_out_at_the_end():
    items = [Item("one", inode=7, links=2), Item("two", inode=7, links=2), Item("three")]
    assert [entry.name for entry in entries(build_cpio(items))] == ["three", "one", "two"]


def test_hard_links_do_not_reach_into_the_next_archive():
    first = build_cpio([Item("one", inode=7, links=2)])
    second = build_cpio([Item("two", b"else", inode=7, links=2)])
    assert [entry.size for entry in entries(first + second)] == [0, 4]


def test_archives_behind_one_another_are_read_with_zeros_between():
    data = build_cpio([Item("a", b"1")]) + b"\0" * 512 + build_cpio([Item("b", b"22")]) + b"\0" * 36
    assert [entry.name for entry in entries(data)] == ["a", "b"]


def test_one_archive_leaves_the_source_behind_its_trailer():
    first = build_cpio([Item("a", b"1")])
    rest = source(first + b"rest")
    assert [entry.name for entry in cpio.read_archive(rest)] == ["a"]
    assert rest.offset == len(first)
    assert rest.take(4) == b"rest"


@pytest.mark.parametrize(
    ("magic", "name"), [(b"070707", "odc"), (b"\xc7\x71\x01\x02\x03\x04", "binary"), (b"\x71\xc7\0\0\0\0", "binary")]
)
def test_an_archive_in_an_old_format_is_named(magic, name):
    with pytest.raises(MalformedError, match=name) as raised:
        entries(magic + b"0" * 200)
    assert "cpio -H newc" in raised.value.hint


def test_an_archive_without_a_trailer_is_cut_off():
    with pytest.raises(MalformedError, match=r"at byte 116: 110 bytes are announced .* ends 110 bytes short"):
        entries(build_cpio([Item("a", b"1234")], trailer=False))
    with pytest.raises(MalformedError, match="ends 107 bytes short"):
        entries(build_cpio([Item("a", b"1234")], trailer=False) + b"070")


def test_anything_else_behind_an_entry_is_said_with_its_place():
    data = build_cpio([Item("a", b"1234")], trailer=False)
    with pytest.raises(MalformedError, match=r"at byte 116: b'garbag'"):
        entries(data + b"garbage")


@pytest.mark.parametrize(
    "text", [b"-0000001", b"+0000001", b"0x000001", b"  000001", b"00_00001", b"0000000g", b"\xff" * 8]
)
def test_a_number_that_is_not_plain_hexadecimal_is_refused(text):
    with pytest.raises(MalformedError, match="hexadecimal"):
        entries(with_field(build_cpio([Item("a", b"1")]), SIZE, text))


def test_a_size_beyond_the_end_is_refused():
    with pytest.raises(MalformedError, match="4,294,967,296 bytes are announced here"):
        entries(with_field(build_cpio([Item("a", b"1")]), SIZE, b"FFFFFFFD"))


def test_content_beyond_the_end_is_refused():
    with pytest.raises(MalformedError, match="announced here"):
        entries(with_field(build_cpio([Item("a", b"1")]), SIZE, b"000FFFFF"), everything)


def test_a_name_of_no_bytes_is_refused():
    with pytest.raises(MalformedError, match="NUL"):
        entries(with_field(build_cpio([Item("a", b"1")]), NAME_SIZE, b"00000000"))


def test_a_name_that_does_not_end_with_nul_is_refused():
    with pytest.raises(MalformedError, match="NUL"):
        entries(with_field(build_cpio([Item("abc", b"1")]), NAME_SIZE, b"00000003"))


def test_the_longest_name_is_read_and_a_longer_one_refused():
    assert len(entries(build_cpio([Item("n" * 4095)]))[0].name) == 4095
    with pytest.raises(LimitError, match="4,097"):
        entries(build_cpio([Item("n" * 4096)]))


def test_more_content_than_is_kept_is_refused():
    large = b"x" * (cpio.LARGEST_CONTENT + 1)
    assert entries(build_cpio([Item("a", large[1:])]), everything)[0].content == large[1:]
    with pytest.raises(LimitError, match="1,048,576"):
        entries(build_cpio([Item("a", large)]), everything)


def test_more_entries_than_allowed_are_refused():
    data = build_cpio([Item("a"), Item("b"), Item("c")])
    assert len(list(cpio.read_archive(source(data), allowance=cpio.Allowance(entries=4)))) == 3
    with pytest.raises(LimitError, match="more than 3 entries"):
        list(cpio.read_archive(source(data), allowance=cpio.Allowance(entries=3)))


def test_archives_of_nothing_count_as_entries():
    with pytest.raises(LimitError, match="more than 4 entries"):
        list(cpio.read_archives(source(build_cpio([]) * 5), allowance=cpio.Allowance(entries=4)))


def test_hard_links_that_wait_for_content_count_as_entries():
    data = build_cpio([Item("a", inode=1, links=9)] * 5)
    with pytest.raises(LimitError, match="more than 4 entries"):
        next(cpio.read_archive(source(data), allowance=cpio.Allowance(entries=4)))


def test_more_bytes_of_names_than_allowed_are_refused():
    data = build_cpio([Item("n" * 99), Item("m" * 99)])
    assert len(list(cpio.read_archive(source(data), allowance=cpio.Allowance(name_bytes=211)))) == 2
    with pytest.raises(LimitError, match="more than 210 bytes of names"):
        list(cpio.read_archive(source(data), allowance=cpio.Allowance(name_bytes=210)))


def test_more_data_than_allowed_is_refused():
    data = build_cpio([Item("a", b"x" * 1000)])
    assert len(entries(data, limit=len(data))) == 1
    with pytest.raises(LimitError, match="bytes"):
        entries(data, limit=len(data) - 1, chunk_size=100)


NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name and name != b"TRAILER!!!")
ITEMS = st.lists(
    st.builds(
        Item,
        NAMES.map(os.fsdecode),
        st.binary(max_size=30),
        st.sampled_from([0o100644, 0o040755, 0o120777, 0o020600]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=8,
)


@given(ITEMS, st.integers(1, 300))
def test_every_entry_is_read_whatever_the_chunks(items, chunk_size):
    data = build_cpio(items) + b"\0" * 100
    read = entries(data, everything, chunk_size=chunk_size)
    assert sorted(entry.name for entry in read) == sorted(item.name for item in items)
    unlinked = [item for item in items if item.links < 2 or item.mode != 0o100644]
    single = {(item.name, item.mode, len(item.content), item.content) for item in unlinked}
    assert single <= set(map(tuple, read))


@given(ITEMS, st.data())
def test_a_prefix_is_refused(items, draw):
    data = build_cpio(items)
    with pytest.raises(MalformedError):
        entries(data[: draw.draw(st.integers(1, len(data) - 1))])


@given(ITEMS, st.data())
def test_damage_is_read_or_refused(items, draw):
    data = bytearray(build_cpio(items))
    for _change in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        entries(bytes(data), everything)
    except MalformedError:
        pass


def test_the_cpio_command_agrees(tmp_path):
    if not shutil.which("cpio"):
        pytest.skip("the cpio command is not installed")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/one").write_bytes(b"content\n" * 100)
    os.link(tree / "etc/one", tree / "etc/two")
    (tree / "empty").touch()
    (tree / "link").symlink_to("etc/one")
    os.mkfifo(tree / "fifo")
    names = "\n".join(os.fspath(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    data = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, input=names.encode(), stdout=subprocess.PIPE, check=True
    ).stdout
    read = {entry.name: entry for entry in entries(data, everything)}
    assert sorted(read) == names.split("\n")
    for name, entry in read.items():
        found = os.lstat(tree / name)
        assert entry.mode == found.st_mode
        if name in ("etc/one", "etc/two"):
            assert entry.content == b"content\n" * 100
    assert read["link"].content == b"etc/one"


def test_reading_is_linear_in_zeros_and_entries():
    def seconds(data):
        start = time.process_time()
        try:
            entries(data, chunk_size=len(data))
        except MalformedError:
            pass
        return time.process_time() - start

    for data in (build_cpio([Item("a")] * 3000), b"\0" * (8 << 20), (build_cpio([]) + b"\0" * 4) * 2000):
        assert min(seconds(data * 4) for _run in range(3)) < 12 * max(min(seconds(data) for _run in range(3)), 0.001)
