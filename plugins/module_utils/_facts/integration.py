# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hangs on the integration services besides drivers: daemons, rules for devices, memory, disks, crash dumps."""

from __future__ import annotations

import functools
import posixpath
import re
import typing as t

from .._catalog import integration as catalog
from .._formats import kernel_setting
from . import packages
from .model import DiskQueue, Integration, Memory, Problem, ServiceDaemon, TextFile
from .sysfs import KernelReader

if t.TYPE_CHECKING:
    from .._root import Root

_UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_RULES = ("/etc/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
_ABOUT = re.compile(r"\bmemory\b|queue/scheduler|vmbus/|\bMsft\b")
_BLOCKS = "/sys/devices/system/memory"
_FIRMWARE = "/sys/firmware/memmap"
_CGROUPS = ("/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice")
_WATCHDOG_FILES = ("/etc/default/watchdog", "/etc/systemd/system.conf", "/etc/modules")
_FIRST_MIB = 1 << 20


def gather(root: Root, note: t.Callable[[Problem], None]) -> Integration:
    """C(memory), C(queues), C(watchdogs) and C(serial_ports) are those of the running kernel; none where none runs."""
    reader = KernelReader(root, note)
    rules = _rules(reader)
    return Integration(
        packages=packages.installed(reader, (catalog.PACKAGE, *catalog.FOREIGN_PACKAGES)),
        daemons=tuple(_daemons(reader, rules)),
        rules=rules,
        memory=_memory(reader),
        queues=tuple(_queues(reader)),
        foreign_files=packages.files_without_package(reader, catalog.FOREIGN_FILES),
        watchdogs=tuple(_watchdogs(reader)),
        watchdog_settings=_watchdog_settings(reader),
        serial_ports=_serial_ports(reader),
        kdump=reader.text("/etc/default/kdump-tools") if reader.exists("/usr/sbin/kdump-config") else None,
    )


def _rules(reader: KernelReader) -> tuple[TextFile, ...]:
    """The rules files about memory, schedulers, VMBus or Hyper-V's disks. One in /etc hides its namesakes, as a
    link to /dev/null does."""
    seen: dict[str, TextFile | None] = {}
    for directory in _RULES:
        for name in reader.names(directory):
            path = f"{directory}/{name}"
            if name.endswith(".rules") and name not in seen:
                found = reader.attempt(path, functools.partial(reader.root.stat, path))
                seen[name] = reader.text(path) if found is not None and found.kind == "file" else None
    return tuple([file for name, file in sorted(seen.items()) if file is not None and _ABOUT.search(file.text)])


def _daemons(reader: KernelReader, rules: tuple[TextFile, ...]) -> t.Iterator[ServiceDaemon]:
    wanted = {
        name
        for directory in reader.names(_UNITS[0])
        if directory.endswith((".wants", ".requires"))
        for name in reader.names(f"{_UNITS[0]}/{directory}")
    }
    started = {name for number in "2345" for name in reader.names(f"/etc/rc{number}.d")}
    for service in catalog.SERVICES:
        for pattern in catalog.UNITS:
            unit = pattern.format(service)
            paths = [f"{directory}/{unit}.service" for directory in _UNITS[1:]]
            path = next((path for path in paths if reader.exists(path)), None)
            script = f"/etc/init.d/{unit}"
            if path is None and not (reader.exists(script) and reader.exists(f"/usr/sbin/hv_{service}_daemon")):
                continue
            yield ServiceDaemon(
                service=service,
                unit=unit,
                path=path or script,
                is_masked=reader.link_name(f"{_UNITS[0]}/{unit}.service") == "null",
                is_enabled=f"{unit}.service" in wanted or any(re.fullmatch(rf"S\d\d{unit}", name) for name in started),
                is_started_by_rule=any(f"{unit}.service" in file.text for file in rules),
                is_running=_is_running(reader, f"{unit}.service"),
            )


def _is_running(reader: KernelReader, unit: str) -> bool | None:
    if not reader.exists("/run/systemd/system"):
        return None
    return any(reader.exists(f"{directory}/{unit}") for directory in _CGROUPS)


def _memory(reader: KernelReader) -> Memory | None:
    if not reader.exists("/sys/kernel"):
        return None
    step = reader.line(f"{_BLOCKS}/block_size_bytes")
    blocks = [name for name in reader.names(_BLOCKS) if re.fullmatch(r"memory\d+", name)]
    return Memory(
        block_bytes=int(step, 16) if step else None,
        online_policy=reader.line(f"{_BLOCKS}/auto_online_blocks"),
        offline=tuple([name for name in blocks if reader.line(f"{_BLOCKS}/{name}/state") == "offline"]),
        installed_bytes=_installed_bytes(reader),
        crash_bytes=_number(reader.line("/sys/kernel/kexec_crash_size")),
    )


def _installed_bytes(reader: KernelReader) -> int | None:
    """The memory that the firmware tells of: from 1 MiB on every run of ranges without a hole in which there is some,
    with what the firmware keeps of it for its tables. Ranges for themselves are addresses of devices."""
    ranges = []
    for name in reader.names(_FIRMWARE):
        start, end, kind = [reader.line(f"{_FIRMWARE}/{name}/{field}") for field in ("start", "end", "type")]
        if start is not None and end is not None and int(start, 16) >= _FIRST_MIB:
            ranges.append((int(start, 16), int(end, 16) + 1, kind == "System RAM"))
    runs: list[tuple[int, int, bool]] = []
    for first, behind, is_memory in sorted(ranges):
        if runs and runs[-1][1] == first:
            runs[-1] = (runs[-1][0], behind, runs[-1][2] or is_memory)
        else:
            runs.append((first, behind, is_memory))
    above = sum(behind - first for first, behind, is_memory in runs if is_memory)
    return _FIRST_MIB + above if above else None


def _queues(reader: KernelReader) -> t.Iterator[DiskQueue]:
    for name in reader.names("/sys/block"):
        path = f"/sys/block/{name}"
        shown = reader.line(f"{path}/queue/scheduler")
        if reader.line(f"{path}/device/vendor") == catalog.DISK_VENDOR and shown is not None and name.startswith("sd"):
            yield DiskQueue(
                name=name,
                scheduler=kernel_setting.value(shown),
                schedulers=kernel_setting.choices(shown),
                timeout=_number(reader.line(f"{path}/device/timeout")),
            )


def _watchdogs(reader: KernelReader) -> t.Iterator[str]:
    for name in reader.names("/sys/class/watchdog"):
        yield reader.line(f"/sys/class/watchdog/{name}/identity") or name


def _watchdog_settings(reader: KernelReader) -> tuple[TextFile, ...]:
    paths = [
        *_WATCHDOG_FILES,
        *_parts(reader, "/etc/systemd/system.conf.d"),
        *_parts(reader, "/etc/modules-load.d"),
    ]
    files = [reader.text(path) for path in paths if reader.link_name(path) is None]
    return tuple([file for file in files if file is not None])


def _parts(reader: KernelReader, directory: str) -> list[str]:
    return [posixpath.join(directory, name) for name in reader.names(directory) if name.endswith(".conf")]


def _serial_ports(reader: KernelReader) -> tuple[str, ...] | None:
    names = reader.names("/sys/class/tty")
    # the driver has a name for each port that there might be, and type 0, PORT_UNKNOWN, where there is none
    types = {name: reader.line(f"/sys/class/tty/{name}/type") for name in names if re.fullmatch(r"ttyS\d+", name)}
    return tuple([name for name, kind in types.items() if kind not in (None, "0")]) if names else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
