# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All facts of a guest, or those parts of them that are asked for."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t

from . import (
    boot,
    clock,
    devices,
    hypervisor,
    initramfs_config,
    kernels,
    network,
    storage,
    system,
    xen_leftovers,
)
from .model import (
    BlockDevice,
    Boot,
    Clock,
    GuestFacts,
    Hypervisor,
    InitramfsConfig,
    Problem,
    Storage,
    XenLeftovers,
)
from .reader import Reader

if t.TYPE_CHECKING:
    from .._root import Root
    from .model import History

EVERYTHING = frozenset(
    {
        "hypervisor",
        "devices",
        "clock",
        "kernels",
        "kernel_origins",
        "images",
        "initramfs",
        "storage",
        "xen",
        "network",
        "connections",
        "integration",
    }
)
"""The parts. The system and the boot configuration are always gathered; C(images) and
C(kernel_origins) (the packages that they are from) need C(kernels), C(connections)
(which are connections, default routes and mentions) needs C(network). Only a rollback asks for
C(history), only a preparation and a verification for C(state) (with C(settled) after the end of the boot), and only who
exchanges pairs with the host for C(kvp), only who pins a kernel for C(packages),
and only who configures the time service for C(time_services)."""

_WITH_ORIGINS = {"kernel_origins", "packages"}
_SPACE = ("/", "/boot", "/var/tmp")
_DISK = re.compile(r"(?:xvd|sd|hd|vd)a")


@dataclasses.dataclass(frozen=True)
class ImageDisk:
    """What the disk image that holds the guest shows, and its mounted tree does not."""

    devices: tuple[BlockDevice, ...]
    has_boot_code: bool
    has_esp: bool
    problems: tuple[Problem, ...] = ()


def gather(root: Root, parts: t.AbstractSet[str] = EVERYTHING, disk: ImageDisk | None = None) -> GuestFacts:
    """Facts; a part that is not asked for is empty."""
    problems: dict[Problem, None] = dict.fromkeys(disk.problems if disk else ())

    def note(problem: Problem) -> None:
        problems[problem] = None

    def part(name: str, read: t.Callable[[], t.Any], empty: t.Any) -> t.Any:
        return read() if name in parts else empty

    starts = boot.gather(
        root,
        note,
        has_mbr_loader=disk.has_boot_code if disk else _has_boot_code(root, note),
        has_esp=disk.has_esp if disk else False,
    )
    files = part("network", lambda: network.gather(root, note), ())
    connections = part("connections", lambda: network.gather_connections(root, note, files), ())
    installed = part("kernels", lambda: kernels.gather(root, note, with_packages=bool(parts & _WITH_ORIGINS)), ())
    facts = GuestFacts(
        is_live=root.is_live,
        system=system.gather(root, note),
        hypervisor=part("hypervisor", lambda: hypervisor.gather(root, note, _kernel_log(root, note)), _NO_HYPERVISOR),
        nics=part("devices", lambda: devices.gather_nics(root, note), ()),
        disks=part("devices", lambda: devices.gather_disks(root, note), ()),
        clock=part("clock", lambda: clock.gather(root, note), _NO_CLOCK),
        kernels=installed,
        images=part("images", lambda: kernels.gather_images(root, note, _image_paths(installed, starts)), ()),
        boot=starts,
        initramfs=part("initramfs", lambda: initramfs_config.gather(root, note), _NO_INITRAMFS),
        storage=part("storage", lambda: storage.gather(root, note, disk.devices if disk else None), _NO_STORAGE),
        xen=part("xen", lambda: xen_leftovers.gather(root, note), _NO_XEN),
        network=files,
        connections=connections,
        default_routes=part("connections", lambda: network.gather_default_routes(root, note), ()),
        network_mentions=part("connections", lambda: network.gather_mentions(root, note, connections), ()),
        history=part("history", lambda: _history(root, note), None),
        free_bytes={path: root.free_bytes(path) for path in _SPACE},
        has_udev=part("network", lambda: network.has_udev(root, note), True),
    )
    if "integration" in parts:
        from . import integration

        facts = dataclasses.replace(facts, integration=integration.gather(root, note))
    if "packages" in parts:
        from . import kernel_packages

        facts = dataclasses.replace(facts, packages=kernel_packages.gather(root, note))
    if "kvp" in parts:
        from . import kvp

        facts = dataclasses.replace(facts, kvp=kvp.gather(root, note))
    if "time_services" in parts:
        from . import time_services

        facts = dataclasses.replace(facts, time_services=time_services.gather(root, note))
    if "state" in parts:
        from . import state  # asks programs of the running guest, which takes time

        facts = dataclasses.replace(
            facts,
            state=state.gather(root, note, is_awaited="settled" in parts),
            baseline=state.gather_baseline(root, note),
        )
    return dataclasses.replace(facts, problems=tuple(problems))


def _history(root: Root, note: t.Callable[[Problem], None]) -> History | None:
    from . import history  # only a rollback wants it

    return history.gather(root, note)


def _image_paths(installed: t.Iterable[t.Any], starts: Boot) -> t.Iterator[str]:
    for entry in starts.entries:
        yield from entry.initrds
    for kernel in installed:
        if kernel.initramfs is not None:
            yield kernel.initramfs


def _kernel_log(root: Root, note: t.Callable[[Problem], None]) -> str | None:
    return Reader(root, note).attempt("/dev/kmsg", root.kernel_log)


def _has_boot_code(root: Root, note: t.Callable[[Problem], None]) -> bool | None:
    """Whether the first sector of a running guest's first disk holds a program; None when it cannot be read."""
    reader = Reader(root, note)
    for name in reader.names("/sys/block"):
        if _DISK.fullmatch(name):
            stream = reader.attempt(f"/dev/{name}", functools.partial(root.open_device, name))
            if stream is not None:
                with stream:
                    return any(stream.read(440))
    return None


_NO_HYPERVISOR = Hypervisor((), None, None, None, None, False, ())
_NO_CLOCK = Clock(None, (), (), (), False)
_NO_INITRAMFS = InitramfsConfig((), None, (), False, ())
_NO_STORAGE = Storage(None, None, (), None, None, ())
_NO_XEN = XenLeftovers((), (), None, (), (), (), None)
