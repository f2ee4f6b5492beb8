# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import functools
import glob
import hashlib
import os
import pathlib
import signal
import subprocess
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._image import guest, kernel, libguestfs
from ansible_collections.rehost.hyperv.plugins.module_utils._image.keys import Key
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import (
    Disk,
    Link,
    Part,
    Tree,
    add_logical_volumes,
    build_disk,
    build_tree,
    require,
    run,
)

InChild = t.Callable[[t.Callable[[], t.Any]], t.Any]

ROOT_UUID = "5f0e5c1a-0a9b-4c57-9a53-4b6f2f6b7d01"
BOOT_UUID = "0d9aa032-3182-4682-9d56-59bd5a564ff0"

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
    pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="this machine has no loop devices"),
]


def debian(fstab: str, **more: str | Link) -> Tree:
    """The least that is recognised as the root of a guest, with mount points."""
    return {
        "etc/fstab": fstab,
        "etc/os-release": Link("../usr/lib/os-release"),
        "usr/lib/os-release": "ID=debian\n",
        "boot/": "",
        "var/": "",
        **more,
    }


def simple_disk(tmp_path: pathlib.Path, table: str | None = "dos", fs: str = "ext4") -> Disk:
    return build_disk(tmp_path / "disk.raw", table, [Part(24, fs, debian("/dev/xvda1 / ext4 defaults 0 1\n"))])


def attached(path: pathlib.Path) -> list[str]:
    """The loop devices that show a file."""
    found = []
    for backing in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            name = backing.read_text().rstrip("\n")
        except OSError:
            continue
        if name == str(path):
            found.append(backing.parts[3])
    return found


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(params=["loop", "libguestfs"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every test with this argument runs over both back ends."""
    name: str = request.param
    if name == "libguestfs":
        if not os.environ.get("REHOST_TEST_LIBGUESTFS"):
            pytest.skip("set REHOST_TEST_LIBGUESTFS=1 to run it on libguestfs: each start may take a minute")
        if not libguestfs.is_installed():
            pytest.skip("libguestfs-tools is not installed")
    return name


class Seen(t.NamedTuple):
    """What a test looks at, out of the child that had the guest open."""

    mounts: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    files: dict[str, str]
    backend: str


def look(path: pathlib.Path, backend: str = "loop", files: t.Sequence[str] = ("etc/fstab",), **options: t.Any) -> Seen:
    with guest.open_guest(str(path), backend=backend, **options) as disk:
        content = {name: pathlib.Path(disk.mount_point, name).read_text() for name in files}
        mounts = tuple((place, volume.name) for place, volume in disk.mounts)
        return Seen(mounts, disk.problems, disk.warnings, content, disk.backend)


def write(path: pathlib.Path, backend: str, files: t.Mapping[str, str]) -> tuple[str, ...]:
    with guest.open_guest(str(path), backend=backend, writable=True) as disk:
        for name, content in files.items():
            pathlib.Path(disk.mount_point, name).write_text(content)
        return disk.problems


@pytest.mark.parametrize("table", ["dos", "gpt", None])
def test_the_root_is_found_and_read(tmp_path: pathlib.Path, in_child: InChild, backend: str, table: str | None) -> None:
    disk = simple_disk(tmp_path, table)
    before = digest(disk.path)
    seen = in_child(lambda: look(disk.path, backend))
    assert seen.mounts == (("/", "1" if table else "disk"),)
    assert seen.files["etc/fstab"].startswith("/dev/xvda1 /")
    assert seen.backend == backend
    assert seen.problems == ()
    assert digest(disk.path) == before
    assert attached(disk.path) == []


@pytest.mark.parametrize("fs", ["ext2", "ext3", "xfs", "btrfs"])
def test_every_root_file_system_is_mounted(tmp_path: pathlib.Path, in_child: InChild, backend: str, fs: str) -> None:
    disk = simple_disk(tmp_path, fs=fs)
    assert in_child(lambda: look(disk.path, backend)).mounts == (("/", "1"),)
    in_child(lambda: write(disk.path, backend, {"etc/new": "text"}))
    assert in_child(lambda: look(disk.path, backend, ["etc/new"])).files == {"etc/new": "text"}


def separate_disk(tmp_path: pathlib.Path, boot: str, table: str = "dos") -> Disk:
    fstab = "%s /boot ext2 defaults 0 2\nUUID=%s / ext4 defaults 0 1\n/dev/xvda6 /var ext3 defaults 0 2\n"
    return build_disk(
        tmp_path / "disk.raw",
        table,
        [
            Part(8, "ext2", {"vmlinuz": "kernel"}, uuid=BOOT_UUID, label="boot"),
            Part(8, "swap", logical=table == "dos"),
            Part(8, "ext3", {"lib/dpkg/status": "Package: base\n"}, logical=table == "dos"),
            Part(24, "ext4", debian(fstab % (boot, ROOT_UUID)), uuid=ROOT_UUID),
        ],
    )


@pytest.mark.parametrize(
    "boot", ["/dev/xvda1", "/dev/sda1", "UUID=" + BOOT_UUID, "LABEL=boot", "/dev/disk/by-label/boot"]
)
def test_separate_file_systems_are_mounted_by_any_name(tmp_path: pathlib.Path, in_child: InChild, boot: str) -> None:
    disk = separate_disk(tmp_path, boot)
    seen = in_child(lambda: look(disk.path, "loop", ["boot/vmlinuz", "var/lib/dpkg/status"]))
    assert seen.mounts == (("/", "3"), ("/boot", "1"), ("/var", "6"))
    assert seen.files == {"boot/vmlinuz": "kernel", "var/lib/dpkg/status": "Package: base\n"}


def test_what_is_written_arrives_on_the_right_file_systems(
    tmp_path: pathlib.Path, in_child: InChild, backend: str
) -> None:
    disk = separate_disk(tmp_path, "UUID=" + BOOT_UUID)
    problems = in_child(lambda: write(disk.path, backend, {"boot/new": "boot", "etc/new": "root", "var/new": "var"}))
    assert problems == ()
    assert attached(disk.path) == []
    for number, name in ((1, "new"), (6, "new"), (3, "etc/new")):
        placed = next(place for place in disk.placed if place.number == number)
        image = tmp_path / ("part%d" % number)
        with disk.path.open("rb") as stream:
            stream.seek(placed.start)
            image.write_bytes(stream.read(placed.size))
        assert run("debugfs", "-R", "cat " + name, image).decode() in ("boot", "root", "var")
        run("e2fsck", "-fn", image)


def test_a_directory_can_be_removed_while_what_was_in_it_is_open(
    tmp_path: pathlib.Path, in_child: InChild, backend: str
) -> None:
    disk = simple_disk(tmp_path)

    def remove() -> list[str]:
        with guest.open_guest(str(disk.path), backend=backend, writable=True) as opened:
            directory = pathlib.Path(opened.mount_point, "new")
            directory.mkdir()
            with (directory / "file").open("w") as stream:
                stream.write("x")
                stream.flush()
                (directory / "file").unlink()
                directory.rmdir()
            return sorted(os.listdir(opened.mount_point))

    assert in_child(remove) == ["boot", "etc", "lost+found", "usr", "var"]


def test_nothing_can_be_written_unless_asked(tmp_path: pathlib.Path, in_child: InChild, backend: str) -> None:
    disk = simple_disk(tmp_path)

    def try_to_write() -> str:
        with guest.open_guest(str(disk.path), backend=backend) as opened:
            try:
                pathlib.Path(opened.mount_point, "new").write_text("x")
            except OSError as error:
                return str(error.strerror)
        return "written"

    assert in_child(try_to_write) == "Read-only file system"


def test_only_the_process_sees_the_mounts(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path)
    ours = pathlib.Path("/proc/self/mountinfo").read_text()

    def share_mounts_as_systemd_does() -> t.Any:
        kernel.enter_private_mounts()
        kernel.mount("none", "/", None, kernel.MS_REC | 1 << 20)
        return in_child(look_outside)

    def look_outside() -> tuple[bool, bool]:
        parent = pathlib.Path("/proc/%d/mountinfo" % os.getppid())
        with guest.open_guest(str(disk.path), backend="loop") as opened:
            return opened.mount_point in parent.read_text(), opened.mount_point in pathlib.Path(
                "/proc/self/mountinfo"
            ).read_text()

    assert in_child(share_mounts_as_systemd_does) == (False, True)
    assert pathlib.Path("/proc/self/mountinfo").read_text() == ours


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_killed_leaves_neither_mount_nor_loop_device(
    tmp_path: pathlib.Path, backend: str, stop: signal.Signals
) -> None:
    disk = separate_disk(tmp_path, "/dev/xvda1")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with guest.open_guest(str(disk.path), backend=backend, writable=True) as opened:
                pathlib.Path(opened.mount_point, "etc/half").write_text("x")
                os.write(writer, b"open")
                time.sleep(600)
        finally:
            os._exit(1)
    os.close(writer)
    assert os.read(reader, 4) == b"open"
    if backend == "loop":
        assert len(attached(disk.path)) == 3
    ours = pathlib.Path("/proc/self/mountinfo").read_text()
    os.kill(child, stop)
    os.waitpid(child, 0)
    os.close(reader)
    deadline = time.monotonic() + 20
    while (attached(disk.path) or users_of(disk.path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert attached(disk.path) == []
    assert users_of(disk.path) == []
    assert pathlib.Path("/proc/self/mountinfo").read_text() == ours


def users_of(path: pathlib.Path) -> list[str]:
    """The processes that have a file open."""
    found = []
    for link in glob.glob("/proc/[0-9]*/fd/*"):  # Path.glob fails when a process ends while it looks
        try:
            if os.readlink(link) == str(path):
                found.append(link.split("/")[2])
        except OSError:
            continue
    return found


def test_an_error_inside_leaves_nothing_behind(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path)

    def fail() -> None:
        with guest.open_guest(str(disk.path), backend="loop", writable=True):
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        in_child(fail)
    assert attached(disk.path) == []


def test_a_program_that_still_uses_the_tree_is_told(
    tmp_path: pathlib.Path, in_child: InChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = simple_disk(tmp_path)
    monkeypatch.setattr(guest.loop, "_LET_GO", 0.2)

    def leave_a_program() -> None:
        program = None
        try:
            with guest.open_guest(str(disk.path), backend="loop") as opened:
                program = subprocess.Popen(["sleep", "600"], cwd=opened.mount_point)
        finally:
            if program is not None:
                program.kill()
                program.wait()

    with pytest.raises(_errors.GuestError, match="could not be unmounted"):
        in_child(leave_a_program)


def test_an_esp_that_cannot_be_mounted_is_left_out_and_told(tmp_path: pathlib.Path, in_child: InChild) -> None:
    fstab = "/dev/sda2 / ext4 defaults 0 1\nUUID=12AB-34CD /boot/efi vfat umask=0077 0 1\n"
    root = debian(fstab, **{"boot/efi/": ""})
    disk = build_disk(tmp_path / "disk", "gpt", [Part(34, "vfat", uuid="12AB-34CD"), Part(24, "ext4", root)])
    seen = in_child(functools.partial(look, disk.path, writable=True))
    if any(line.split()[-1] == "vfat" for line in pathlib.Path("/proc/filesystems").read_text().splitlines()):
        assert seen.mounts == (("/", "2"), ("/boot/efi", "1"))
    else:
        assert seen.mounts == (("/", "2"),)
        assert "/boot/efi was left out: the kernel of this machine has no vfat" in seen.problems[0]


def test_a_root_in_a_subvolume_is_mounted_as_the_root(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = build_disk(tmp_path / "disk.raw", "dos", [Part(110, "btrfs")])
    require("btrfs")

    def move_into_subvolume() -> None:
        kernel.enter_private_mounts()
        top = tmp_path / "top"
        top.mkdir()
        with disk.path.open("r+b") as image, kernel.attached_loop(
            image.fileno(), disk.placed[0].start, disk.placed[0].size, writable=True, directory=str(tmp_path)
        ) as loop:
            kernel.mount(loop.path, str(top), "btrfs", 0)
        run("btrfs", "subvolume", "create", top / "@rootfs")
        build_tree(top / "@rootfs", debian("/dev/xvda1 / btrfs defaults,subvol=@rootfs 0 0\n"))
        kernel.unmount(str(top))

    in_child(move_into_subvolume)
    assert in_child(lambda: look(disk.path)).files["etc/fstab"].startswith("/dev/xvda1 / btrfs")
    in_child(lambda: write(disk.path, "loop", {"etc/new": "text"}))
    assert in_child(lambda: look(disk.path, "loop", ["etc/new"])).files == {"etc/new": "text"}


def lvm_disk(tmp_path: pathlib.Path, fstab: str = "/dev/mapper/guest-root / ext4 defaults 0 1\n") -> Disk:
    """As Debian's installer makes it: /boot on a partition, the rest on a group in a logical partition."""
    fstab += "UUID=%s /boot ext2 defaults 0 2\n/dev/mapper/guest-swap_1 none swap sw 0 0\n" % BOOT_UUID
    parts = [Part(8, "ext2", {"vmlinuz": "kernel"}, uuid=BOOT_UUID), Part(64, "lvm", logical=True)]
    disk = build_disk(tmp_path / "disk.raw", "dos", parts)
    volumes = [("root", Part(24, "ext4", debian(fstab))), ("swap_1", Part(8, "swap")), ("var-log", Part(8, "ext4"))]
    add_logical_volumes(disk, 5, "guest", volumes)
    return disk


def test_a_root_on_a_logical_volume_is_mounted(tmp_path: pathlib.Path, in_child: InChild, backend: str) -> None:
    disk = lvm_disk(tmp_path)
    seen = in_child(lambda: look(disk.path, backend, ["boot/vmlinuz"]))
    assert seen.mounts == (("/", "guest/root"), ("/boot", "1"))
    in_child(lambda: write(disk.path, backend, {"etc/new": "text"}))
    assert in_child(lambda: look(disk.path, backend, ["etc/new"])).files == {"etc/new": "text"}
    assert attached(disk.path) == []


def test_a_root_in_pieces_is_refused_by_the_loop_back_end(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = build_disk(tmp_path / "disk", "dos", [Part(64, "lvm")])
    volumes = [("root", Part(16)), ("other", Part(8)), ("root", Part(8))]
    add_logical_volumes(disk, 1, "guest", volumes)
    error = refusal(disk, in_child)
    assert "guest/root" in error.message
    assert "libguestfs" in error.hint


# --- refusals: an error with a reason, and not one byte changed ---


def refusal(disk: Disk, in_child: InChild, backend: str = "loop", **options: t.Any) -> _errors.GuestError:
    before = digest(disk.path)
    with pytest.raises(_errors.GuestError) as caught:
        in_child(functools.partial(look, disk.path, backend, (), writable=True, **options))
    assert digest(disk.path) == before
    assert attached(disk.path) == []
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("kind", ["luks1", "luks2"])
def test_an_encrypted_root_is_refused(tmp_path: pathlib.Path, in_child: InChild, backend: str, kind: str) -> None:
    disk = build_disk(tmp_path / "disk", "dos", [Part(8, "ext2", {"vmlinuz": "kernel"}), Part(8, kind)])
    error = refusal(disk, in_child, backend)
    assert "encrypted, and there is no key" in error.message
    assert "keys" in error.hint


def encrypted_disk(tmp_path: pathlib.Path) -> Disk:
    """/boot, an encrypted partition, and one that holds nothing that is known: as LUKS with a detached header does."""
    return build_disk(tmp_path / "disk", "dos", [Part(8, "ext2", {"vmlinuz": "kernel"}), Part(18, "luks2"), Part(8)])


def test_the_loop_back_end_refuses_a_key_with_advice(tmp_path: pathlib.Path, in_child: InChild) -> None:
    error = refusal(encrypted_disk(tmp_path), in_child, keys=[Key("/dev/xvda2", "x")])
    assert error.message.startswith("partition 2 (crypto_LUKS) is encrypted")
    assert "libguestfs" in error.hint


@pytest.mark.parametrize(
    ("chosen", "device"),
    [("loop", "/dev/xvda3"), ("auto", "/dev/xvda1"), ("libguestfs", "/dev/xvda3"), ("libguestfs", "UUID=" + ROOT_UUID)],
)
def test_a_key_that_opens_nothing_is_refused_before_anything_is_started(
    tmp_path: pathlib.Path, in_child: InChild, chosen: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen == "libguestfs" and not libguestfs.is_installed():
        pytest.skip("libguestfs-tools is not installed")
    monkeypatch.setattr(libguestfs, "_FUSE", "/dev/null")  # where the machine has no FUSE
    monkeypatch.setattr(libguestfs, "_LAUNCH", 0.0)
    error = refusal(encrypted_disk(tmp_path), in_child, chosen, keys=[Key(device, "x")])
    assert "there is a key for " + device in error.message


def test_with_a_key_only_libguestfs_will_do(
    tmp_path: pathlib.Path, in_child: InChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(_errors.ToolMissingError) as caught:
        in_child(functools.partial(look, encrypted_disk(tmp_path).path, "auto", keys=[Key("all", "x")]))
    assert "libguestfs-tools" in caught.value.hint


def test_a_key_for_all_does_not_matter_where_nothing_is_encrypted(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path)
    assert in_child(functools.partial(look, disk.path, keys=[Key("all", "x")])).mounts == (("/", "1"),)


def test_a_disk_with_nothing_on_it_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = build_disk(tmp_path / "disk", None, [Part(8)])
    assert "neither a partition table nor" in refusal(disk, in_child).message


def test_a_disk_without_a_root_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = build_disk(tmp_path / "disk", "dos", [Part(8, "ext4", {"srv/data": "x"}), Part(8, "swap"), Part(8)])
    message = refusal(disk, in_child).message
    assert "partition 1 (ext4)" in message
    assert "partition 3 (nothing known)" in message


def two_roots(tmp_path: pathlib.Path) -> Disk:
    parts = [Part(16, "ext4", debian("/dev/xvda%d / ext4 defaults 0 1\n" % number)) for number in (1, 2)]
    return build_disk(tmp_path / "disk", "dos", parts)


def test_several_roots_are_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    error = refusal(two_roots(tmp_path), in_child)
    assert "partition 1 (ext4), partition 2 (ext4)" in error.message
    assert "root_device" in error.hint


def test_of_several_roots_the_one_that_is_named_is_taken(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = two_roots(tmp_path)
    for name in ("2", "/dev/xvda2", "sda2"):
        assert in_child(functools.partial(look, disk.path, root_device=name)).mounts == (("/", "2"),)


def test_a_root_device_that_is_not_there_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    error = refusal(simple_disk(tmp_path), in_child, root_device="/dev/xvda9")
    assert "partition 1 (ext4)" in error.hint


def test_a_broken_partition_table_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path)
    disk.flip(446 + 16, bytes.fromhex("00000000 83000000 000c0000 00100000"))  # from sector 3072: within partition 1
    assert "overlap" in refusal(disk, in_child).message
    assert "overlap" in in_child(lambda: look(disk.path)).problems[0]


def test_a_gpt_that_is_gone_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path, "gpt")
    disk.flip(512, bytes(512))
    disk.flip(disk.path.stat().st_size - 512, bytes(512))
    assert "neither the table nor its backup" in refusal(disk, in_child).message


def test_a_separate_boot_on_another_disk_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = separate_disk(tmp_path, "/dev/xvdb1")
    error = refusal(disk, in_child)
    assert "/boot from /dev/xvdb1" in error.message
    assert error.line == 1


def test_a_hibernated_guest_is_refused_for_writing_and_told_for_reading(
    tmp_path: pathlib.Path, in_child: InChild
) -> None:
    disk = build_disk(tmp_path / "disk", "dos", [Part(16, "ext4", debian("")), Part(8, "swap")])
    disk.flip(disk.placed[1].start + 4086, b"S1SUSPEND\0")
    assert "hibernated" in refusal(disk, in_child).message
    assert "hibernated" in in_child(lambda: look(disk.path)).problems[0]


def test_recorded_file_system_errors_are_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path, None)
    run("debugfs", "-w", "-R", "set_super_value state 2", disk.path)
    assert "errors were found" in refusal(disk, in_child).message


@pytest.mark.parametrize(
    ("place", "magic", "name"),
    [(0, b"QFI\xfb\0\0\0\3", "qcow2"), (0, b"vhdxfile", "vhdx"), (-512, b"conectix", "vpc"), (257, b"ustar", "tar")],
)
def test_another_format_is_refused_with_advice(
    tmp_path: pathlib.Path, in_child: InChild, place: int, magic: bytes, name: str
) -> None:
    disk = simple_disk(tmp_path)
    disk.flip(place if place >= 0 else disk.path.stat().st_size + place, magic)
    error = refusal(disk, in_child)
    assert name in error.message
    assert ("XVA" if name == "tar" else "qemu-img convert") in error.hint
    assert in_child(lambda: look(disk.path, source_format="raw")).mounts == (("/", "1"),)


def test_an_image_in_use_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path)
    with disk.path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        assert "in use" in refusal(disk, in_child).message
        assert in_child(lambda: look(disk.path)).mounts


def test_an_image_that_qemu_uses_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    disk = simple_disk(tmp_path)
    user = subprocess.Popen(
        ["qemu-io", "-f", "raw", str(disk.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert user.stdin is not None
        assert user.stdout is not None
        user.stdin.write(b"read 0 512\n")
        user.stdin.flush()
        user.stdout.readline()
        assert "in use" in refusal(disk, in_child).message
    finally:
        user.kill()
        user.communicate()


def test_what_is_no_file_is_refused(tmp_path: pathlib.Path, in_child: InChild) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "fifo"):
        with pytest.raises(_errors.GuestError):
            in_child(functools.partial(look, path))


# --- file systems that were not unmounted ---


def test_a_journal_is_not_replayed_when_reading(tmp_path: pathlib.Path, in_child: InChild, backend: str) -> None:
    disk = simple_disk(tmp_path, None)
    run("debugfs", "-w", "-R", "feature needs_recovery", disk.path)
    before = digest(disk.path)
    seen = in_child(lambda: look(disk.path, backend))
    if backend == "loop":  # libguestfs replays it on an overlay
        assert "not unmounted cleanly" in seen.problems[0]
    assert digest(disk.path) == before


def test_a_journal_is_replayed_when_writing(tmp_path: pathlib.Path, in_child: InChild, backend: str) -> None:
    disk = simple_disk(tmp_path, None)
    run("debugfs", "-w", "-R", "feature needs_recovery", disk.path)
    in_child(lambda: write(disk.path, backend, {"etc/new": "x"}))
    run("e2fsck", "-fn", disk.path)
    assert b"needs_recovery" not in run("dumpe2fs", "-h", disk.path)


# --- hostile guests ---


@pytest.mark.parametrize("target", ["/etc", "../../../../../../etc", "/proc/self/root/etc"])
def test_a_mount_point_that_is_a_link_leads_nowhere_outside(
    tmp_path: pathlib.Path, in_child: InChild, target: str
) -> None:
    fstab = "UUID=%s /boot ext2 defaults 0 2\n" % BOOT_UUID
    tree: Tree = {"etc/fstab": fstab, "etc/debian_version": "12.1\n", "boot": Link(target)}
    disk = build_disk(
        tmp_path / "disk", "dos", [Part(16, "ext4", tree), Part(8, "ext2", {"inside": "x"}, uuid=BOOT_UUID)]
    )

    def look_around() -> tuple[bool, str]:
        try:
            with guest.open_guest(str(disk.path), backend="loop") as opened:
                inside = [place for place in mount_points() if place.startswith(opened.mount_point + "/")]
                return os.path.exists("/etc/inside"), ",".join(inside)
        except _errors.GuestError as error:
            return os.path.exists("/etc/inside"), error.message

    outside, said = in_child(look_around)
    assert not outside
    assert said.endswith("/guest/etc") or "no directory /boot" in said


def mount_points() -> list[str]:
    return [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]


def test_a_root_whose_fstab_is_a_link_out_of_it_is_none(tmp_path: pathlib.Path, in_child: InChild) -> None:
    tree: Tree = {"etc/fstab": Link("/proc/self/root/etc/passwd"), "etc/os-release": "ID=debian\n"}
    disk = build_disk(tmp_path / "disk", "dos", [Part(16, "ext4", tree)])
    assert "no root file system" in refusal(disk, in_child).message
