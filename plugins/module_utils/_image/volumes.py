# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on a disk image: its partitions, or the file system that fills it, the logical volumes on them, and what is
in those that are encrypted, once they are open."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .. import _errors
from .._formats import lvm2, partition_table, superblock

_TAGS = {
    "UUID": "uuid",
    "LABEL": "label",
    "PARTUUID": "partuuid",
    "PARTLABEL": "partlabel",
}
_LINK = re.compile(r"/dev/disk/by-(uuid|label|partuuid|partlabel)/(.+)", re.DOTALL)
_FIRST_DISK = re.compile(r"(?:/dev/)?(?:(?:xvd|sd|hd|vd|ubd)a([0-9]*)|(?:nvme0n1|mmcblk0)(?:p([0-9]+))?)\Z")
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclasses.dataclass(frozen=True)
class Volume:
    """Something that can hold a file system: a partition, the whole disk, a logical volume, or what an encrypted one of
    them holds.

    name        "1" for partition 1, "disk" for a disk without partitions, "GROUP/NAME" for a logical volume
    start, size bytes in the image; start is None where it is not one uninterrupted run of plain bytes there
    container   the encrypted volume that this one is the content of
    """

    name: str
    start: int | None
    size: int
    file_system: superblock.FileSystem | None
    number: int | None = None
    partuuid: str | None = None
    partlabel: str | None = None
    partition_type: str | None = None
    group: str | None = None
    container: Volume | None = None

    @property
    def type(self) -> str | None:
        return self.file_system.type if self.file_system else None

    @property
    def uuid(self) -> str | None:
        return self.file_system.uuid if self.file_system else None

    @property
    def label(self) -> str | None:
        return self.file_system.label if self.file_system else None

    def describe(self) -> str:
        """For messages: which one, and what it holds."""
        return "%s (%s)" % (self._place(), self.type or "nothing known")

    def _place(self) -> str:
        if self.container is not None:
            return "the encrypted content of %s" % self.container._place()
        if self.name == "disk":
            return "the whole disk"
        return ("logical volume %s" if self.group else "partition %s") % self.name


@dataclasses.dataclass(frozen=True)
class Layout:
    """problems: damage and what could not be read, in words. warnings: unusual, and harmless."""

    table: partition_table.PartitionTable | None
    volumes: tuple[Volume, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def find(self, reference: str) -> Volume | None:
        """The volume that fstab or a boot loader means; None when it is on no volume of this disk.

        reference: a device name of the first disk as any hypervisor calls it (/dev/xvda1, sda1, nvme0n1p1), UUID=,
        LABEL=, PARTUUID=, PARTLABEL=, a link below /dev/disk, a logical volume (/dev/GROUP/NAME, /dev/mapper/...),
        or the name of a Volume. Of several that share a UUID or label, none is meant.
        """
        kind, separator, value = reference.partition("=")
        if separator and kind.upper() in _TAGS:
            return self._find_by(_TAGS[kind.upper()], value.strip("\"'"))
        link = _LINK.match(reference)
        if link:
            value = _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), link.group(2))
            return self._find_by(link.group(1), value)
        disk = _FIRST_DISK.match(reference)
        if disk:
            number = disk.group(1) or disk.group(2)
            whole = next((volume for volume in self.volumes if volume.name == "disk"), None)
            return whole or next((v for v in self.volumes if number and v.number == int(number)), None)
        for volume in self.volumes:
            if reference == volume.name:
                return volume
            if volume.group:
                group, name = volume.name.split("/", 1)
                mapped = group.replace("-", "--") + "-" + name.replace("-", "--")
                if reference in ("/dev/" + volume.name, "/dev/mapper/" + mapped):
                    return volume
        return None

    def content_of(self, volume: Volume) -> Volume:
        """What an encrypted volume holds, once it is open; any other volume itself."""
        return next((inner for inner in self.volumes if inner.container == volume), volume)

    @property
    def locked(self) -> tuple[Volume, ...]:
        """The encrypted volumes that are not open."""
        return tuple([v for v in self.volumes if v.type == "crypto_LUKS" and self.content_of(v) is v])

    def _find_by(self, attribute: str, value: str) -> Volume | None:
        def matches(volume: Volume) -> bool:
            found = getattr(volume, attribute)
            if found is None:
                return False
            return bool(found == value if attribute.endswith("label") else found.lower() == value.lower())

        found = [volume for volume in self.volumes if matches(volume)]
        return found[0] if len(found) == 1 else None


def read_layout(stream: t.BinaryIO, size: int) -> Layout:
    """What a raw image of size bytes holds. MalformedError: its partition table says nothing that can be relied on."""
    table = partition_table.read_table(stream, size)
    if table is None or not table.partitions:
        file_system = superblock.identify(stream, 0, size)
        volumes = [Volume("disk", 0, size, file_system)] if file_system else []
    else:
        volumes = []
        for partition in table.partitions:
            if partition.is_extended or partition.start >= size:
                continue
            length = min(partition.size, size - partition.start)
            volumes.append(
                Volume(
                    str(partition.number),
                    partition.start,
                    length,
                    superblock.identify(stream, partition.start, length),
                    partition.number,
                    partition.uuid,
                    partition.name,
                    partition.type,
                )
            )
    problems = list(table.problems) if table else []
    for volume in tuple(volumes):
        if volume.type == "LVM2_member":
            try:
                volumes.extend(_logical_volumes(stream, volume))
            except _errors.MalformedError as error:
                problems.append("%s: %s" % (volume.describe(), error.message))
    return Layout(table, tuple(volumes), tuple(problems), table.warnings if table else ())


def _logical_volumes(stream: t.BinaryIO, physical: Volume) -> t.Iterator[Volume]:
    start = physical.start or 0
    group = lvm2.read_volume_group(stream, start, physical.size)
    if group is None:
        return
    # Whoever wrote past a snapshot would change it without its knowledge.
    plain = all(segment.type == "striped" for volume in group.logical_volumes for segment in volume.segments)
    for volume in group.logical_volumes:
        run = _single_run(volume, physical) if plain else None
        place = None if run is None else start + run
        content = None if place is None else superblock.identify(stream, place, volume.size)
        yield Volume("%s/%s" % (group.name, volume.name), place, volume.size, content, group=group.name)


def _single_run(volume: lvm2.LogicalVolume, physical: Volume) -> int | None:
    """Where on the physical volume the logical one lies, when it lies there in one piece; None otherwise."""
    run = None
    for segment in volume.segments:
        if len(segment.stripes) != 1 or segment.stripes[0][0] != physical.uuid:
            return None
        place = segment.stripes[0][1]
        if run is None:
            run = place
        if place != run + segment.start or place + segment.size > physical.size:
            return None
    return run
