# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of disks in a guest's configuration: which of them survive a change of hypervisor, and what to say instead."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from .._facts.model import BlockDevice

# kernel names of disks and partitions by the driver that serves them, and the names that udev derives from where a
# disk is plugged in or what it is called: all of these change when the virtual hardware does. In by-id, the names of
# what lies on disks do not.
_UNSTABLE = re.compile(
    r"/dev/(?:(?:xvd|sd|hd|vd|ubd)[a-z]+\d*|disk/by-(?:path|diskseq)/.+|disk/by-id/(?!dm-|md-|lvm-pv-uuid-).+)"
)
LVM_FILTERS = ("devices/filter", "devices/global_filter")
_KERNEL_NAME = re.compile(r"/dev/((?:xvd|sd|hd|vd|ubd)[a-z]+\d*)")


def is_unstable(spec: str) -> bool:
    """Whether a name of a block device means something else, or nothing, on another hypervisor."""
    return _UNSTABLE.fullmatch(spec) is not None


def is_unstable_pattern(pattern: str) -> bool:
    """The same of a shell pattern such as /dev/xvd*."""
    return re.match(r"/dev/(?:xvd|sd|hd|vd|ubd)", pattern) is not None


def find(devices: t.Sequence[BlockDevice], spec: str) -> BlockDevice | None:
    """The device that a kernel name (/dev/xvda1) means; None when it is not there or the name is of another kind."""
    match = _KERNEL_NAME.fullmatch(spec)
    if match is None:
        return None
    return next((device for device in devices if match.group(1) in device.names), None)


def stable_spec(devices: t.Sequence[BlockDevice], device: BlockDevice) -> str | None:
    """UUID=, else LABEL=, else PARTUUID= of a device: the first that it has and that no other device has too."""
    content = device.content
    for tag, value, others in (
        ("UUID", content.uuid if content else None, [other.content.uuid for other in devices if other.content]),
        ("LABEL", content.label if content else None, [other.content.label for other in devices if other.content]),
        ("PARTUUID", device.partition_uuid, [other.partition_uuid for other in devices]),
    ):
        if value and others.count(value) == 1 and not re.search(r"[\s\"']", value):
            return f"{tag}={value}"
    return None
