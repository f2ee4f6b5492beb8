# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import glob
import gzip
import io
import lzma
import os
import resource
import shutil
import subprocess
import sys
import textwrap
import zlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import (
    LimitError,
    MalformedError,
    ToolMissingError,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import cpio, initramfs
from ansible_collections.rehost.hyperv.tests.unit.initramfs_builder import (
    COMPRESSIONS,
    Item,
    build_cpio,
    build_image,
    can_compress,
    compress,
    debian_items,
    directory,
    link,
)
from hypothesis import given, settings
from hypothesis import strategies as st

KERNEL = "6.1.0-56-amd64"
MICROCODE = [directory("kernel"), directory("kernel/x86"), Item("kernel/x86/microcode/GenuineIntel.bin", b"ucode" * 50)]


def read(data, *arguments, **options):
    return initramfs.read_image(io.BytesIO(data), *arguments, **options)


def compressed(compression, data):
    if not can_compress(compression):
        pytest.skip("no compressor for {} here".format(compression))
    return compress(compression, data)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_image_is_read_in_every_compression(compression):
    archive = build_cpio(debian_items(KERNEL))
    data = compressed(compression, archive)
    image = read(data + b"\0" * 4)
    assert image.segments == (initramfs.Segment(0, compression, len(data), len(archive), len(debian_items(KERNEL))),)
    assert image.names == tuple(item.name for item in debian_items(KERNEL))
    assert image.module_names(KERNEL) == {"hv_vmbus", "hv_storvsc"}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_segments_in_every_compression_are_read_behind_one_another(compression):
    first, second = build_cpio([Item("a", b"1")]), build_cpio([Item("b", b"22" * 9999)])
    parts = [compressed(compression, first), compressed(compression, second), compress("gzip", second)]
    data = b""
    offsets = []
    for part in parts:
        data += b"\0" * (-len(data) % 4)
        # The kernel takes any two lz4 streams without zeros between them for one.
        data += b"\0" * 4 if compression == "lz4" and data else b""
        offsets.append(len(data))
        data += part
    image = read(data)
    assert [(segment.offset, segment.compression) for segment in image.segments] == [
        (offsets[0], compression),
        (offsets[1], compression),
        (offsets[2], "gzip"),
    ]
    assert image.names == ("a", "b", "b")


def test_lz4_streams_directly_behind_one_another_are_one_segment():
    data = compressed("lz4", build_cpio([Item("a")])) + compressed("lz4", build_cpio([Item("b")]))
    image = read(data)
    assert [segment.compression for segment in image.segments] == ["lz4"]
    assert image.names == ("a", "b")


def test_microcode_stands_in_front():
    early = build_image([("none", MICROCODE)])
    main = compress("gzip", build_cpio(debian_items(KERNEL)))
    image = read(early + main)
    assert [(s.offset, s.compression, s.entries) for s in image.segments] == [
        (0, "none", 3),
        (1024, "gzip", len(debian_items(KERNEL))),
    ]
    assert image.segments[0].size == image.segments[0].unpacked_size == len(build_cpio(MICROCODE))
    assert "kernel/x86/microcode/GenuineIntel.bin" in image.names


def test_modules_are_gathered_from_all_segments():
    # The layout of initramfs-tools in Debian 13: what is compressed already stands outside of the compressed segment.
    modules = [Item("usr/lib/modules/{}/kernel/drivers/hv/hv_vmbus.ko.xz".format(KERNEL), b"xz")]
    main = debian_items(KERNEL, modules=["hv_storvsc"])
    image = read(build_image([("none", MICROCODE), ("none", modules), ("gzip", main)]))
    assert image.module_names(KERNEL) == {"hv_vmbus", "hv_storvsc"}


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst", ".bz2", ".lz4"])
@pytest.mark.parametrize("top", ["lib", "usr/lib", "./usr/lib", "/lib"])
def test_a_module_is_known_by_name_whatever_its_compression_and_place(top, suffix):
    path = "{}/modules/{}/kernel/drivers/hid/hid-hyperv.ko{}".format(top, KERNEL, suffix)
    image = read(build_cpio([Item(path, b"12345")]))
    assert image.modules == (initramfs.ModuleFile(path.lstrip("./"), KERNEL, "hid_hyperv", 5),)
    assert image.kernel_versions == (KERNEL,)


@pytest.mark.parametrize(
    "path",
    [
        "lib/modules/6.1/../6.2/hv_vmbus.ko",
        "../lib/modules/6.1/hv_vmbus.ko",
        "lib/modules/hv_vmbus.ko",
        "lib/modules/6.1/hv_vmbus.ko.orig",
        "opt/lib/modules/6.1/hv_vmbus.ko",
    ],
)
def test_what_only_looks_like_a_module_is_none(path):
    assert read(build_cpio([Item(path, b"12345")])).modules == ()


def test_a_link_is_no_module():
    assert read(build_cpio([link("lib/modules/6.1/hv_vmbus.ko", "/elsewhere")])).modules == ()


def test_a_module_that_is_hard_linked_has_its_size():
    items = [
        Item("lib/modules/6.1/a.ko", inode=5, links=2),
        Item("lib/modules/6.1/b.ko", b"12345", inode=5, links=2),
    ]
    assert [module.size for module in read(build_cpio(items)).modules] == [5, 5]


def test_every_kernel_in_the_image_is_found():
    items = [directory("lib/modules/5.10.0-1-amd64"), Item("lib/modules/6.1/a.ko"), Item("lib/modules/file")]
    assert read(build_cpio(items)).kernel_versions == ("5.10.0-1-amd64", "6.1")


def test_modules_of_one_kernel_are_not_those_of_another():
    image = read(build_cpio([Item("lib/modules/1/a.ko"), Item("lib/modules/2/b-c.ko")]))
    assert image.module_names("1") == {"a"}
    assert image.module_names("2") == {"b_c"}
    assert image.module_names("3") == frozenset()


@pytest.mark.parametrize(
    "path",
    [
        "conf/initramfs.conf",
        "conf/conf.d/resume",
        "cryptroot/crypttab",
        "etc/crypttab",
        "etc/modprobe.d/blacklist.conf",
        "etc/cmdline.d/90crypt.conf",
        "etc/conf.d/systemd.conf",
        "lib/modules/6.1/modules.dep",
        "usr/lib/modules/6.1/modules.builtin",
        "usr/lib/dracut/build-parameter.txt",
        "lib/dracut/hooks/cmdline/00-x.sh",
    ],
)
def test_configuration_is_kept(path):
    image = read(build_cpio([Item(path, b"text"), Item("bin/sh", b"program")]))
    assert image.files == ((path, b"text"),)


@pytest.mark.parametrize("path", ["lib/modules/6.1/modules.dep.bin", "lib/modules/6.1/modules.alias", "bin/sh", "conf"])
def test_what_is_no_configuration_is_not_kept(path):
    assert read(build_cpio([Item(path, b"text")])).files == ()


def test_the_caller_may_ask_for_other_files():
    image = read(build_cpio([Item("./a", b"1"), Item("b", b"2")]), lambda path: path == "a")
    assert image.files == (("a", b"1"),)


def test_content_is_found_on_merged_usr_and_before():
    for path in ("lib/modules/6.1/modules.dep", "usr/lib/modules/6.1/modules.dep"):
        image = read(build_cpio([Item(path, b"text")]))
        assert image.content("lib/modules/6.1/modules.dep") == b"text"
        assert image.content("usr/lib/modules/6.1/modules.dep") == b"text"
        assert image.content("lib/modules/6.2/modules.dep") is None


def test_a_later_file_takes_the_place_of_an_earlier_one():
    image = read(build_image([("none", [Item("conf/a", b"early")]), ("gzip", [Item("conf/a", b"late")])]))
    assert image.content("conf/a") == b"late"
    assert len(image.names) == 2


def test_a_file_too_large_to_keep_is_listed():
    items = [Item("conf/large", b"x" * (cpio.LARGEST_CONTENT + 1)), Item("conf/small", b"y")]
    image = read(build_cpio(items))
    assert image.not_kept == ("conf/large",)
    assert image.files == (("conf/small", b"y"),)


def test_files_beyond_the_bound_of_an_image_are_listed():
    items = [Item("conf/{}".format(number), b"x" * cpio.LARGEST_CONTENT) for number in range(9)]
    image = read(build_cpio(items))
    assert [path for path, _content in image.files] == ["conf/{}".format(number) for number in range(8)]
    assert image.not_kept == ("conf/8",)
    assert sum(len(content) for _path, content in image.files) == initramfs.KEPT_PER_IMAGE


def test_an_image_by_initramfs_tools_is_recognised():
    assert read(build_cpio(debian_items(KERNEL))).generator == "initramfs-tools"


@pytest.mark.parametrize("path", ["usr/lib/dracut/hooks", "lib/dracut-lib.sh", "usr/lib/dracut"])
def test_an_image_by_dracut_is_recognised(path):
    assert read(build_cpio([Item(path)])).generator == "dracut"


def test_an_image_that_says_both_or_nothing_is_by_unknown():
    assert read(build_cpio([*debian_items(KERNEL), Item("usr/lib/dracut-lib.sh")])).generator == "unknown"
    assert read(build_cpio([Item("init")])).generator == "unknown"


@pytest.mark.parametrize("data", [b"", b"\0" * 100])
def test_an_image_of_nothing_is_refused(data):
    with pytest.raises(MalformedError, match="empty"):
        read(data)


def test_something_else_is_refused():
    with pytest.raises(MalformedError, match=r"segment 1 \(at byte 0 of the image\).*no initramfs"):
        read(b"\x7fELF and so on")


def test_junk_behind_a_segment_is_refused_with_its_place():
    with pytest.raises(MalformedError, match=r"segment 2 \(at byte 1,024 of the image\): b'junk'"):
        read(build_image([("none", MICROCODE)]) + b"junk")


def test_junk_within_a_compressed_segment_is_refused():
    with pytest.raises(MalformedError, match=r"segment 1 \(gzip, at byte 0 of the image\): at byte 240: b'junkju'"):
        read(compress("gzip", build_cpio([Item("a", b"1")]) + b"junkjunk"))


def test_an_archive_that_is_not_aligned_is_refused():
    data = compress("gzip", build_cpio([Item("a", b"1")]))
    data += b"\0" * (5 - len(data) % 4)
    with pytest.raises(MalformedError, match="multiple of four"):
        read(data + build_cpio([Item("b")]))


@pytest.mark.parametrize("compression", ["gzip", "lz4"])
def test_a_segment_of_nothing_is_refused(compression):
    with pytest.raises(MalformedError, match="unpacks to nothing"):
        read(compressed(compression, b""))


def test_the_lz4_frame_format_is_refused_as_the_kernel_does():
    with pytest.raises(MalformedError, match="frame format") as raised:
        read(compressed("lz4-frame", build_cpio([Item("a")])))
    assert "lz4 -l" in raised.value.hint


def test_xz_with_a_check_that_the_kernel_lacks_is_refused():
    with pytest.raises(MalformedError, match="CRC32") as raised:
        read(lzma.compress(build_cpio([Item("a")]), check=lzma.CHECK_CRC64))
    assert "--check=crc32" in raised.value.hint
    assert read(lzma.compress(build_cpio([Item("a")]), check=lzma.CHECK_NONE)).names == ("a",)


def test_an_old_cpio_format_is_named():
    with pytest.raises(MalformedError, match="odc"):
        read(b"070707" + b"0" * 200)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_image_cut_off_anywhere_is_refused(compression):
    data = compressed(compression, build_cpio(debian_items(KERNEL)))
    for size in range(1, len(data), max(1, len(data) // 25)):
        with pytest.raises(MalformedError):
            read(data[:size])


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_damage_anywhere_is_read_or_refused(compression):
    data = compressed(compression, build_cpio(debian_items(KERNEL)))
    if compression == "lzma":
        data = compress("gzip", build_cpio([Item("a")])) + b"\0" * 8 + data

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def check(draw):
        damaged = bytearray(data)
        for _change in range(draw.draw(st.integers(1, 3))):
            damaged[draw.draw(st.integers(0, len(damaged) - 1))] ^= draw.draw(st.integers(1, 255))
        try:
            read(bytes(damaged))
        except (MalformedError, ToolMissingError):
            pass

    check()


@given(st.binary(max_size=200), st.sampled_from([magic for magic, _name in initramfs._COMPRESSIONS]))
@settings(max_examples=150, deadline=None)
def test_garbage_behind_any_magic_number_is_refused(garbage, magic):
    with pytest.raises((MalformedError, ToolMissingError)):
        read(magic + garbage)


def test_limits_are_those_asked_for():
    items = [Item("a", b"x" * 9000), Item("b")]
    data = build_image([("gzip", items), ("gzip", items)])
    assert len(read(data, limits=initramfs.Limits(segments=2, entries=6)).names) == 4
    for limits, message in (
        (initramfs.Limits(segments=1), "more than 1 segments"),
        (initramfs.Limits(entries=5), r"segment 2 \(gzip.*more than 5 entries"),
        (initramfs.Limits(unpacked=18000), r"segment 2 \(gzip.*bytes"),
        (initramfs.Limits(name_bytes=29), "more than 29 bytes of names"),
        (initramfs.Limits(image=500), "more than 500 bytes"),
    ):
        with pytest.raises(LimitError, match=message):
            read(data, limits=limits)


def bomb(compression, size):
    """An archive with one file of ``size`` zeros, compressed: thousands of times smaller."""
    archive = build_cpio([Item("zeros", b"x" * 8)], trailer=False)
    head = archive[:54] + b"%08X" % size + archive[62:120]
    if compression == "gzip":
        compressor = zlib.compressobj(9, wbits=31)
    else:
        compressor = lzma.LZMACompressor(check=lzma.CHECK_CRC32, preset=0)
    parts = [compressor.compress(head)]
    for _part in range(size >> 20):
        parts.append(compressor.compress(b"\0" * (1 << 20)))
    return b"".join([*parts, compressor.flush()])


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_a_bomb_stays_within_bounded_memory(compression, tmp_path):
    path = tmp_path / "bomb"
    if compression == "zstd":
        data = gzip.decompress(bomb("gzip", 150 << 20))
        path.write_bytes(compressed("zstd", data))
        del data
    else:
        path.write_bytes(bomb(compression, 150 << 20))
    assert path.stat().st_size < 1 << 20
    program = textwrap.dedent(
        """
        import resource, sys
        sys.path.insert(0, sys.argv[1])
        from ansible_collections.rehost.hyperv.plugins.module_utils._errors import LimitError
        from ansible_collections.rehost.hyperv.plugins.module_utils._formats import initramfs
        resource.setrlimit(resource.RLIMIT_AS, (120 << 20, 120 << 20))
        try:
            initramfs.read_image(open(sys.argv[2], "rb"), limits=initramfs.Limits(unpacked=128 << 20))
        except LimitError as error:
            print(error.message)
        """
    )
    collections = next(entry for entry in sys.path if os.path.isdir(os.path.join(entry, "ansible_collections/rehost")))
    result = subprocess.run(
        [sys.executable, "-c", program, collections, path], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert "more than 134,217,728 bytes" in result.stdout


def test_a_dictionary_too_large_is_refused_before_it_is_allocated():
    data = lzma.compress(
        build_cpio([Item("a")]),
        check=lzma.CHECK_CRC32,
        filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 20}],
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MalformedError, match=r"[Mm]emory"):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10


def listed(path):
    output = subprocess.run(["lsinitramfs", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return sorted(os.fsdecode(output).split("\n")[:-1])


@pytest.mark.parametrize("compression", [name for name in COMPRESSIONS if name not in ("none", "lzma")])
def test_lsinitramfs_lists_the_same(compression, tmp_path):
    # lsinitramfs does not know lzma, and takes uncompressed segments only in front.
    if not shutil.which("lsinitramfs"):
        pytest.skip("lsinitramfs (Debian package initramfs-tools-core) is not installed")
    path = tmp_path / "image"
    path.write_bytes(build_image([("none", MICROCODE)]) + compressed(compression, build_cpio(debian_items(KERNEL))))
    assert sorted(read(path.read_bytes()).names) == listed(path)


REAL_IMAGES = sorted(glob.glob(os.environ.get("INITRAMFS_IMAGES", "")))


@pytest.mark.skipif(not REAL_IMAGES, reason="INITRAMFS_IMAGES names no real images (a glob pattern)")
@pytest.mark.parametrize("path", REAL_IMAGES)
def test_lsinitramfs_lists_the_same_for_a_real_image(path):
    if not shutil.which("lsinitramfs"):
        pytest.skip("lsinitramfs (Debian package initramfs-tools-core) is not installed")
    with open(path, "rb") as stream:
        image = initramfs.read_image(stream)
    if image.segments[-1].compression != "lzma":  # which lsinitramfs does not know
        assert sorted(image.names) == listed(path)
    assert image.generator in ("initramfs-tools", "dracut")
    (version,) = image.kernel_versions
    assert {"scsi_mod", "sd_mod", "hv_storvsc"} <= image.module_names(version)
    assert image.content("lib/modules/{}/modules.dep".format(version)).count(b".ko") > 100
    assert image.not_kept == ()
