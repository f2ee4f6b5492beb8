# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network interfaces and disks that the running kernel sees. There are none where no kernel runs."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from .._catalog import hypervisor as catalog
from .._catalog import vmbus
from .._root import Root
from .model import Disk, Nic, Problem
from .sysfs import KernelReader

SECTOR = 512  # bytes; the unit of /sys/block/*/size, whatever the disk's own sectors are
_REMOVABLE = re.compile(r"(?:sr|scd|fd)\d+")  # CD-ROM and floppy drives
_DISK_DRIVER_SKIPPED = ("sd", "sr")  # of the SCSI disk; the driver of its controller is meant


def gather_nics(root: Root, note: t.Callable[[Problem], None]) -> tuple[Nic, ...]:
    """Network interfaces with a device behind them: no bridges, bonds, VLANs, tunnels or loopback.

    A virtual function is a PCI interface with the MAC address of a synthetic one: the kernel makes it that one's
    lower device (hv_netvsc), and nothing may be configured on it.
    """
    reader = KernelReader(root, note)
    nics = [
        _nic(reader, name) for name in reader.names("/sys/class/net") if _has_device(reader, f"/sys/class/net/{name}")
    ]
    synthetic = {nic.mac: nic.name for nic in nics if nic.kind == "synthetic" and nic.mac is not None}
    return tuple(
        dataclasses.replace(nic, kind="virtual-function", lower_of=synthetic[nic.mac])
        if nic.kind == "other" and nic.bus == "pci" and nic.mac in synthetic
        else nic
        for nic in nics
    )


def gather_disks(root: Root, note: t.Callable[[Problem], None]) -> tuple[Disk, ...]:
    """Whole disks with a device behind them: no loop, RAM, zram, device-mapper or md devices, no CD-ROM or floppy."""
    reader = KernelReader(root, note)
    return tuple(
        _disk(reader, name)
        for name in reader.names("/sys/block")
        if not _REMOVABLE.fullmatch(name) and _has_device(reader, f"/sys/block/{name}")
    )


def _has_device(reader: KernelReader, path: str) -> bool:
    return reader.link_name(f"{path}/device") is not None


def _nic(reader: KernelReader, name: str) -> Nic:
    path = f"/sys/class/net/{name}"
    driver = _driver(reader, f"{path}/device")
    bus = reader.link_name(f"{path}/device/subsystem")
    return Nic(
        name=name,
        mac=(reader.line(f"{path}/address") or "").lower() or None,
        driver=driver,
        kind=_nic_kind(driver, bus, reader.pci_id(f"{path}/device") if bus == "pci" else ""),
        bus=bus,
        state=reader.line(f"{path}/operstate"),
        lower_of=None,
    )


def _nic_kind(driver: str | None, bus: str | None, pci_id: str) -> str:
    if driver in vmbus.NETWORK_DRIVERS:
        return "synthetic"
    if pci_id == catalog.LEGACY_NIC:
        return "legacy"
    if pci_id in catalog.EMULATED_NICS:
        return "emulated"
    return bus if bus in ("xen", "virtio") else "other"


def _disk(reader: KernelReader, name: str) -> Disk:
    path = f"/sys/block/{name}"
    driver = _controller_driver(reader, f"{path}/device")
    sectors = reader.line(f"{path}/size") or ""
    return Disk(
        name=name,
        driver=driver,
        size=int(sectors) * SECTOR if sectors.isdigit() else None,
        vendor=reader.line(f"{path}/device/vendor"),
        model=reader.line(f"{path}/device/model"),
        kind=_disk_kind(driver),
    )


def _disk_kind(driver: str | None) -> str:
    if driver in vmbus.STORAGE_DRIVERS:
        return "synthetic"
    if driver in catalog.XEN_DRIVERS.values():
        return "xen"
    if driver in catalog.EMULATED_DISK_DRIVERS:
        return "emulated"
    return "virtio" if driver is not None and driver.startswith("virtio") else "other"


def _controller_driver(reader: KernelReader, path: str) -> str | None:
    """The nearest driver above a disk: of a Xen or virtio disk its own, of a SCSI disk that of the host adapter."""
    device = reader.real_path(path)
    while device is not None and device.startswith("/sys/devices/"):
        driver = _driver(reader, device)
        if driver is not None and driver not in _DISK_DRIVER_SKIPPED:
            return driver
        device = posixpath.dirname(device)
    return None


def _driver(reader: KernelReader, device: str) -> str | None:
    name = reader.link_name(f"{device}/driver")
    return catalog.XEN_DRIVERS.get(name, name) if name is not None else None
