# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real disk images for tests, made with the real tools on plain files: no root, no loop device.

    disk = build_disk(tmp_path / "disk.raw", "dos", [Part(16, "ext4", {"etc/fstab": "..."}), Part(8, "swap")])

Sizes are MiB and cost almost nothing, since the images are sparse. A missing tool skips the test and says which.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import typing as t
import uuid as uuids

import pytest

MIB = 1 << 20
PASSPHRASE = "passphrase of a test"

# The least that these programs accept, in MiB; xfsprogs refuses less than 300 since 5.19.
SMALLEST = {"xfs": 301, "btrfs": 110, "luks1": 4, "luks2": 18}
DOS_TYPES = {"swap": "82", "vfat": "c", "lvm": "8e", "raid": "fd"}
GPT_TYPES = {
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "vfat": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "lvm": "E6D6D379-F507-44C2-A23C-238F2A3DF928",
    "raid": "A19D880F-05FC-4D3B-A006-743F0F84911E",
}
LINUX_DATA = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


@dataclasses.dataclass(frozen=True)
class Link:
    """A symbolic link in a tree."""

    target: str


Tree = t.Mapping[str, t.Union[str, bytes, Link]]


@dataclasses.dataclass(frozen=True)
class Part:
    """One partition. fs: ext2, ext3, ext4, xfs, btrfs, swap, vfat, luks1, luks2, lvm (unformatted), a path to a file
    whose bytes are put there, or None for nothing. tree (ext*, xfs, btrfs, vfat): path -> text, bytes or Link.
    options are further arguments of the mkfs program."""

    size: int
    fs: t.Union[str, pathlib.Path, None] = None
    tree: Tree = dataclasses.field(default_factory=dict)
    uuid: str | None = None
    label: str | None = None
    type: str | None = None
    logical: bool = False
    bootable: bool = False
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Placed:
    """Where a part came to lie; number is None on a disk without a table. start and size in bytes."""

    number: int | None
    start: int
    size: int
    part: Part


@dataclasses.dataclass(frozen=True)
class Disk:
    path: pathlib.Path
    placed: tuple[Placed, ...]

    def flip(self, offset: int, data: bytes) -> None:
        """Overwrites bytes of the image."""
        with self.path.open("r+b") as stream:
            stream.seek(offset)
            stream.write(data)


def require(tool: str) -> str:
    """The path of a tool; skips the test when it is not installed."""
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        pytest.skip("%s is not installed" % tool)
    return path


def run(tool: str, *arguments: t.Any, stdin: str | bytes = b"") -> bytes:
    """Standard output of a tool that must succeed."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environment = {**os.environ, "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1"}
    words = [require(tool), *(os.fspath(argument) for argument in arguments)]
    done = subprocess.run(words, input=data, capture_output=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stderr.decode(errors="replace")))
    return done.stdout


def build_tree(directory: pathlib.Path, tree: Tree) -> None:
    """Writes a tree below a directory. Files 0644, directories 0755."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.target)
        elif name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(0o644)


def make_file_system(path: pathlib.Path, part: Part) -> None:
    """Makes the file path hold the file system of a part; its size in bytes is rounded as the part says."""
    size = part.size * MIB
    if isinstance(part.fs, pathlib.Path):
        shutil.copyfile(part.fs, path)
        os.truncate(path, size)
        return
    with path.open("wb") as stream:
        stream.truncate(size)
    tree = path.parent / (path.name + ".tree")
    build_tree(tree, part.tree)
    fs, uuid, label = part.fs, part.uuid, part.label
    if fs in ("ext2", "ext3", "ext4"):
        named = [*(["-U", uuid] if uuid else []), *(["-L", label] if label else [])]
        # Files belong to root in the image whoever runs the test.
        owner = ["-E", "root_owner=0:0"]
        run("mke2fs", "-q", "-F", "-t", fs, *owner, *named, *part.options, "-d", tree, path)
    elif fs == "xfs":
        named = [*(["-m", "uuid=" + uuid] if uuid else []), *(["-L", label] if label else [])]
        prototype = path.parent / (path.name + ".proto")
        prototype.write_text("/\n0 0\n" + _xfs_prototype(tree))
        run("mkfs.xfs", "-q", "-f", *named, *part.options, "-p", prototype, path)
    elif fs == "btrfs":
        named = [*(["-U", uuid] if uuid else []), *(["-L", label] if label else [])]
        run("mkfs.btrfs", "-q", "-f", *named, *part.options, "--rootdir", tree, path)
    elif fs == "swap":
        named = [*(["-U", uuid] if uuid else []), *(["-L", label] if label else [])]
        run("mkswap", *named, *part.options, path)
    elif fs == "vfat":
        named = [*(["-i", uuid.replace("-", "")] if uuid else []), *(["-n", label] if label else [])]
        run("mkfs.vfat", *named, *part.options, path)
        for entry in sorted(tree.iterdir()):
            run("mcopy", "-s", "-i", path, entry, "::")
    elif fs in ("luks1", "luks2"):
        named = [*(["--uuid", uuid] if uuid else []), *(["--label", label] if label else [])]
        quick = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode"]
        run("cryptsetup", "luksFormat", "--type", fs, *quick, *named, *part.options, path, "-", stdin=PASSPHRASE)
    shutil.rmtree(tree)


def _xfs_prototype(tree: pathlib.Path) -> str:
    """The directory in the prototype language of mkfs.xfs(8)."""
    lines = ["d--755 0 0"]
    for entry in sorted(tree.iterdir()):
        if entry.is_symlink():
            lines.append("%s l--777 0 0 %s" % (entry.name, os.readlink(entry)))
        elif entry.is_dir():
            lines.append("%s %s" % (entry.name, _xfs_prototype(entry)))
        else:
            lines.append("%s ---644 0 0 %s" % (entry.name, entry))
    return "\n".join([*lines, "$"]) + "\n"


def copy_sparsely(
    source: pathlib.Path, target: pathlib.Path, offset: int, start: int = 0, size: int | None = None
) -> None:
    """Copies the parts of a file that hold data into another one, offset bytes further on, and leaves its holes alone.

    start, size: which bytes of the source.
    """
    with source.open("rb") as reader, target.open("r+b") as writer:
        length = os.fstat(reader.fileno()).st_size
        place, end = start, length if size is None else min(length, start + size)
        while place < end:
            try:
                place = os.lseek(reader.fileno(), place, os.SEEK_DATA)
            except OSError:
                return  # only a hole is left
            until = min(end, os.lseek(reader.fileno(), place, os.SEEK_HOLE))
            reader.seek(place)
            writer.seek(offset + place)
            while place < until:
                data = reader.read(min(MIB, until - place))
                writer.write(data)
                place += len(data)


def build_disk(path: pathlib.Path, table: str | None, parts: t.Sequence[Part], *, identifier: str = "") -> Disk:
    """A raw disk image. table is "dos", "gpt", or None for a single part that fills the disk.

    Partitions lie one after another from 1 MiB on, with 1 MiB kept free before each logical one and at the end.
    identifier is the disk's (0x1234abcd or a GUID).
    """
    sized = [dataclasses.replace(part, size=max(part.size, SMALLEST.get(str(part.fs), 1))) for part in parts]
    if table is None:
        (part,) = sized
        make_file_system(path, part)
        return Disk(path, (Placed(None, 0, part.size * MIB, part),))
    lines = ["label: " + table, *(["label-id: " + identifier] if identifier else [])]
    here = MIB
    placed: list[Placed] = []
    primary, logical = 1, 5
    total = sum(part.size + part.logical for part in sized)
    for part in sized:
        if part.logical:
            if logical == 5:
                length = sum(other.size + 1 for other in sized if other.logical)
                lines.append("%d : start=%dKiB, size=%dKiB, type=5" % (primary, here >> 10, length << 10))
                primary += 1
            here += MIB
            number, logical = logical, logical + 1
        else:
            number, primary = primary, primary + 1
        kinds = GPT_TYPES if table == "gpt" else DOS_TYPES
        kind = part.type or kinds.get(str(part.fs), LINUX_DATA if table == "gpt" else "83")
        bootable = ", bootable" if part.bootable else ""
        lines.append("%d : start=%dKiB, size=%dKiB, type=%s%s" % (number, here >> 10, part.size << 10, kind, bootable))
        placed.append(Placed(number, here, part.size * MIB, part))
        here += part.size * MIB
    with path.open("wb") as stream:
        stream.truncate((total + 2) * MIB)
    run("sfdisk", "-q", "--no-reread", path, stdin="\n".join(lines) + "\n")
    for place in placed:
        if place.part.fs is not None:
            single = path.parent / ("%s.%s.%s" % (path.name, place.number, uuids.uuid4().hex))
            make_file_system(single, place.part)
            copy_sparsely(single, path, place.start)
            single.unlink()
    return Disk(path, tuple(placed))


def add_logical_volumes(disk: Disk, number: int, group: str, volumes: t.Sequence[tuple[str, Part]]) -> None:
    """Makes partition number a physical volume with a group of volumes on it, each filled as its part says.

    A name that comes twice extends the volume, which then lies in pieces, and is filled as the first of its parts
    says. LVM itself makes all that, through a loop device (so this needs root), but without device mapper. Contents
    are put where lvs says.
    """
    placed = next(place for place in disk.placed if place.number == number)
    position = ("-o", str(placed.start), "--sizelimit", str(placed.size))
    device = run("losetup", "-f", "--show", *position, disk.path).decode().strip()
    only_this = 'devices{use_devicesfile=0 scan="/dev" filter=["a|^%s$|","r|.*|"]} backup{backup=0 archive=0}' % device

    def lvm(command: str, *words: str) -> str:
        return run("lvm", command, "--driverloaded", "n", "--config", only_this, *words).decode()

    wholes: dict[str, Part] = {}
    try:
        lvm("pvcreate", "-q", "-y", "-ff", device)
        lvm("vgcreate", "-q", group, device)
        for name, part in volumes:
            if name in wholes:
                lvm("lvextend", "-q", "-L", "+%dm" % part.size, "%s/%s" % (group, name))
                wholes[name] = dataclasses.replace(wholes[name], size=wholes[name].size + part.size)
            else:
                lvm("lvcreate", "-an", "-Zn", "-Wn", "-y", "-q", "-L", "%dm" % part.size, "-n", name, group)
                wholes[name] = part
        columns = ("--noheadings", "--units", "b", "--nosuffix", "-o", "lv_name,seg_start,seg_pe_ranges,pe_start")
        rows = lvm("pvs", "--segments", *columns, "-o", "+seg_size,vg_extent_size", device).splitlines()
    finally:
        run("losetup", "-d", device)
    segments = [row.split() for row in rows if len(row.split()) == 6]
    for name, part in wholes.items():
        if part.fs is None:
            continue
        single = disk.path.parent / ("%s.%s" % (disk.path.name, uuids.uuid4().hex))
        make_file_system(single, part)
        for owner, start, ranges, first, size, extent in segments:
            if owner == name:
                place = int(first) + int(ranges.rsplit(":", 1)[1].split("-")[0]) * int(extent)
                copy_sparsely(single, disk.path, placed.start + place - int(start), int(start), int(size))
        single.unlink()
