# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the guest's configuration names disks, and what its disks hold."""

from __future__ import annotations

import functools
import re
import typing as t

from .._formats import assignments, partition_table, superblock
from .model import BlockDevice, Storage
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root
    from .model import TextFile

# device mapper, RAID and loop devices are named by other rules; the rest cannot hold a part of the guest
_NOT_PARTITIONS = re.compile(r"(?:dm-|md|loop|ram|zram|sr|fd|nbd|mtd|drbd)\d*")
_BLOCK = "/sys/class/block"
_RESUME_FILES = ("/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d")


def gather(root: Root, note: Note, devices: tuple[BlockDevice, ...] | None = None) -> Storage:
    """The guest's storage configuration. C(devices) are those of the image that holds the guest, when there is one;
    otherwise a running guest's own are read."""
    reader = Reader(root, note)
    return Storage(
        fstab=reader.text("/etc/fstab"),
        crypttab=reader.text("/etc/crypttab"),
        resume=tuple(_resume(reader)),
        mdadm=reader.text("/etc/mdadm/mdadm.conf"),
        lvm=reader.text("/etc/lvm/lvm.conf"),
        devices=tuple(_live_devices(reader)) if devices is None else devices,
    )


def _resume(reader: Reader) -> t.Iterator[TextFile]:
    main, directory = _RESUME_FILES
    first = reader.text(main)
    for file in (*((first,) if first else ()), *reader.texts(directory)):
        if "RESUME" in assignments.keys(assignments.parse(file.text)):
            yield file


def _live_devices(reader: Reader) -> t.Iterator[BlockDevice]:
    """The partitions, and the disks without any, of a running guest."""
    names = [name for name in reader.names(_BLOCK) if not _NOT_PARTITIONS.fullmatch(name)]
    partitions: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        if reader.exists(f"{_BLOCK}/{name}/partition"):
            del partitions[name]
            place = reader.attempt(name, functools.partial(reader.root.real_path, f"{_BLOCK}/{name}")) or ""
            partitions.setdefault(place.split("/")[-2], []).append(name)
    known = _udev_uuids(reader)
    for disk, parts in partitions.items():
        stream = reader.attempt(disk, functools.partial(reader.root.open_device, disk))
        if stream is not None:
            with stream:
                yield from _contents(reader, disk, parts, stream)
        else:  # not root: what udev found out
            for name in parts or [disk]:
                if name in known:
                    yield BlockDevice((name,), superblock.FileSystem("unknown", known[name]))


def _contents(reader: Reader, disk: str, parts: t.Sequence[str], stream: t.BinaryIO) -> t.Iterator[BlockDevice]:
    table = reader.attempt(disk, functools.partial(partition_table.read_table, stream))
    if not parts:
        yield BlockDevice((disk,), reader.attempt(disk, functools.partial(superblock.identify, stream)))
    for name in parts:
        number, start, size = (
            int(reader.value(f"{_BLOCK}/{name}/{key}") or 0) for key in ("partition", "start", "size")
        )
        entry = table.find(number) if table is not None else None
        content = reader.attempt(name, functools.partial(superblock.identify, stream, start * 512, size * 512))
        yield BlockDevice((name,), content, entry.uuid if entry is not None else None)


def _udev_uuids(reader: Reader) -> dict[str, str]:
    directory = "/dev/disk/by-uuid"
    found = {}
    for uuid in reader.names(directory):
        target = reader.attempt(directory, functools.partial(reader.root.read_link, f"{directory}/{uuid}"))
        if target:
            found[target.rsplit("/", 1)[-1]] = uuid
    return found
