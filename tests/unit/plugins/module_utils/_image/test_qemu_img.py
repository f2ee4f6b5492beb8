# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import signal
import struct
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._image import image_format, qemu_img
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import run

MIB = 1 << 20

pytestmark = pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-utils is not installed")


@pytest.fixture
def raw(tmp_path: pathlib.Path) -> pathlib.Path:
    """A disk of an odd size: 5 MiB and one sector, with content at its start, middle and end."""
    path = tmp_path / "disk.raw"
    content = random.Random(1).randbytes(4096)
    with path.open("wb") as stream:
        for place in (0, 3 * MIB, 5 * MIB + 512 - 4096):
            stream.seek(place)
            stream.write(content)
    return path


def names(directory: pathlib.Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


@pytest.mark.parametrize(
    ("target_format", "subformat", "size"),
    [
        ("vhdx", "dynamic", 6 * MIB),
        ("vpc", "dynamic", 6 * MIB),
        ("vpc", "fixed", 6 * MIB),
        ("qcow2", "dynamic", 5 * MIB + 512),
        ("raw", "dynamic", 5 * MIB + 512),
    ],
)
def test_a_disk_is_the_same_in_every_format(
    tmp_path: pathlib.Path, raw: pathlib.Path, target_format: str, subformat: str, size: int
) -> None:
    target, again = tmp_path / "disk.new", tmp_path / "again.raw"
    made = qemu_img.convert(str(raw), "raw", str(target), target_format, subformat=subformat)
    assert (made.format, made.virtual_size) == (target_format, size)
    said = json.loads(run("qemu-img", "info", "--output=json", "-f", target_format, target))
    assert said["virtual-size"] == size
    with target.open("rb") as stream:
        assert image_format.detect(stream) == target_format
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == {"disk.raw", "disk.new"}
    qemu_img.convert(str(target), target_format, str(again), "raw")
    assert again.read_bytes().rstrip(b"\0") == raw.read_bytes().rstrip(b"\0")


def test_a_vhdx_has_the_block_size_that_suits_ext4(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    qemu_img.convert(str(raw), "raw", str(tmp_path / "disk.vhdx"), "vhdx")
    # Region table at 192 KiB; the metadata region's item "file parameters" begins with the block size.
    content = (tmp_path / "disk.vhdx").read_bytes()
    metadata = content.index(b"metadata")
    item = content.index(bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b"), metadata)
    offset = struct.unpack_from("<I", content, item + 16)[0]
    assert struct.unpack_from("<I", content, metadata + offset)[0] == MIB


def test_a_fixed_vhd_is_the_disk_and_a_footer(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    qemu_img.convert(str(raw), "raw", str(tmp_path / "disk.vhd"), "vpc", subformat="fixed")
    content = (tmp_path / "disk.vhd").read_bytes()
    assert len(content) == 6 * MIB + 512
    assert content[6 * MIB :][:8] == b"conectix"
    assert struct.unpack_from(">Q", content, 6 * MIB + 48)[0] == 6 * MIB


def test_progress_is_told_step_by_step(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    told: list[tuple[str, float]] = []
    qemu_img.convert(
        str(raw), "raw", str(tmp_path / "disk"), "vhdx", progress=lambda step, percent: told.append((step, percent))
    )
    steps = [step for step, _percent in told]
    assert sorted(set(steps)) == ["compare", "convert"]
    assert steps == sorted(steps, reverse=True)
    for step in ("convert", "compare"):
        percents = [percent for name, percent in told if name == step]
        assert percents == sorted(percents)
        assert percents[-1] == 100.0


def test_a_raw_disk_that_looks_like_qcow2_stays_raw(tmp_path: pathlib.Path) -> None:
    """A guest can write a header that names a file of the machine at the start of its own disk."""
    secret, disk = tmp_path / "secret", tmp_path / "disk.raw"
    secret.write_bytes(b"secret".ljust(MIB, b"\0"))
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", disk)
    os.truncate(disk, MIB)
    made = qemu_img.convert(str(disk), "raw", str(tmp_path / "disk.vhdx"), "vhdx")
    assert made.virtual_size == MIB
    qemu_img.convert(str(tmp_path / "disk.vhdx"), "vhdx", str(tmp_path / "again.raw"), "raw")
    assert (tmp_path / "again.raw").read_bytes() == disk.read_bytes()
    with pytest.raises(_errors.GuestError, match="refers to another file"):
        qemu_img.info(str(disk))


def test_an_image_with_a_file_beside_it_is_refused(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    overlay, split = tmp_path / "overlay", tmp_path / "split"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", overlay)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=%s" % (tmp_path / "data"), split, "1M")
    for path in (overlay, split):
        with pytest.raises(_errors.GuestError, match="refers to another file"):
            qemu_img.convert(str(path), "qcow2", str(tmp_path / "new"), "raw")
    assert not (tmp_path / "new").exists()


def test_a_differencing_vhd_is_refused(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    vhd = tmp_path / "disk.vhd"
    qemu_img.convert(str(raw), "raw", str(vhd), "vpc")
    content = bytearray(vhd.read_bytes())
    content[len(content) - 512 + 60 : len(content) - 512 + 64] = struct.pack(">I", 4)
    vhd.write_bytes(content)
    with pytest.raises(_errors.GuestError, match="differencing"):
        qemu_img.info(str(vhd))


@pytest.mark.parametrize("kind", ["vmdk", "vdi", "qed"])
def test_other_formats_are_recognised_and_refused(tmp_path: pathlib.Path, raw: pathlib.Path, kind: str) -> None:
    run("qemu-img", "convert", "-f", "raw", "-O", kind, raw, tmp_path / "other")
    with pytest.raises(_errors.GuestError, match="in the format " + kind):
        qemu_img.info(str(tmp_path / "other"))


def test_a_target_that_exists_is_not_overwritten(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    target = tmp_path / "disk.vhdx"
    target.write_text("mine")
    with pytest.raises(_errors.GuestError, match="exists already"):
        qemu_img.convert(str(raw), "raw", str(target), "vhdx")
    with pytest.raises(_errors.GuestError, match="exists already"):
        qemu_img.convert(str(raw), "raw", str(raw), "vhdx")
    assert target.read_text() == "mine"


def test_a_rest_of_a_run_that_was_killed_is_replaced(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    (tmp_path / "disk.vhdx.partial").symlink_to(raw)
    before = raw.read_bytes()
    qemu_img.convert(str(raw), "raw", str(tmp_path / "disk.vhdx"), "vhdx")
    assert raw.read_bytes() == before
    assert names(tmp_path) == {"disk.raw", "disk.vhdx"}


def test_a_damaged_source_is_refused_before_anything_is_written(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    broken = tmp_path / "broken.qcow2"
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, broken)
    with broken.open("r+b") as stream:
        stream.seek(40)  # where the table of the clusters is
        stream.write(struct.pack(">Q", 1 << 40))
    with pytest.raises(_errors.MalformedError, match="damaged"):
        qemu_img.convert(str(broken), "qcow2", str(tmp_path / "new"), "raw")
    assert names(tmp_path) == {"disk.raw", "broken.qcow2"}


def test_a_conversion_that_fails_leaves_nothing(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    def fail(step: str, percent: float) -> None:
        assert names(tmp_path) == {"disk.raw", "new.partial"}
        raise ValueError(step, percent)

    with pytest.raises(ValueError, match="convert"):
        qemu_img.convert(str(raw), "raw", str(tmp_path / "new"), "vhdx", progress=fail)
    assert names(tmp_path) == {"disk.raw"}


def test_a_disk_that_is_too_large_for_a_vhd_is_refused(tmp_path: pathlib.Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate((2040 << 30) + 512)
    with pytest.raises(_errors.GuestError) as caught:
        qemu_img.convert(str(large), "raw", str(tmp_path / "new"), "vpc")
    assert "VHDX" in caught.value.hint


def test_a_damaged_image_is_found(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    image = tmp_path / "disk.qcow2"
    qemu_img.convert(str(raw), "raw", str(image), "qcow2")
    qemu_img.check(str(image), "qcow2")
    with image.open("r+b") as stream:
        stream.seek(65536)  # the table of reference counts
        stream.write(bytes(8))
    with pytest.raises(_errors.MalformedError):
        qemu_img.check(str(image), "qcow2")


def test_a_difference_is_found(tmp_path: pathlib.Path, raw: pathlib.Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(raw.read_bytes().replace(b"\0", b"\1", 1))
    with pytest.raises(_errors.MalformedError, match="differ"):
        qemu_img.compare(str(raw), "raw", str(other), "raw")


def test_a_file_name_is_never_taken_for_a_protocol(
    tmp_path: pathlib.Path, raw: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = "nbd:localhost:10809"
    shutil.copyfile(raw, tmp_path / odd)
    assert qemu_img.info(odd, "raw").virtual_size == 5 * MIB + 512


def test_qemu_img_ends_with_the_process_that_started_it(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "large.raw"
    with source.open("wb") as stream:
        stream.truncate(64 << 30)
    run("qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "full.qcow2", "64G")
    child = os.fork()
    if child == 0:
        try:
            while True:  # one pass over a sparse disk is soon over
                qemu_img.compare(str(source), "raw", str(tmp_path / "full.qcow2"), "qcow2")
        finally:
            os._exit(1)
    programs: list[int] = []
    deadline = time.monotonic() + 10
    while not programs and time.monotonic() < deadline:
        programs = children(child)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert programs
    deadline = time.monotonic() + 5
    while os.path.exists("/proc/%d" % programs[0]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists("/proc/%d" % programs[0])


def children(pid: int) -> list[int]:
    """The children of a process that run qemu-img by now."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = path.read_text().rsplit(") ", 1)
        except OSError:
            continue
        if int(rest.split()[1]) == pid and name.endswith("(qemu-img"):
            found.append(int(path.parts[2]))
    return found
