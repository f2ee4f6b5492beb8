# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the running guest is, and how it was before the move."""

from __future__ import annotations

import functools
import json
import posixpath
import re
import typing as t

from .. import _inquiry
from .._catalog.paths import BASELINE
from .._errors import GuestError
from .._formats import guest_state
from .._formats.guest_state import Address, Listener, LoggedError, Mount, Route, State, Unit
from .model import Problem
from .sysfs import KernelReader

if t.TYPE_CHECKING:
    from .._formats.guest_state import Baseline
    from .._root import Root
    from .reader import Note

_UUIDS = "/dev/disk/by-uuid"
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "ceph", "fuse.glusterfs", "9p")
_PASSING = ("/run/", "/tmp/", "/var/tmp/", "/media/", "/snap/", "/var/lib/docker/", "/var/lib/containers/")
"""Mounts below these come and go."""
_SOCKETS = (
    ("tcp", "0A"),
    ("tcp6", "0A"),
    ("udp", "07"),
    ("udp6", "07"),
)  # TCP_LISTEN, TCP_CLOSE: include/net/tcp_states.h
_LOOPBACK = re.compile(r"0100007F|.{6}7F|00000000000000000000000001000000|0000000000000000FFFF0000.{6}7F")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}\b|\d+")
_KINDS_OF_UNITS = (".service", ".socket", ".timer", ".path")
_MAX_DEPTH = 8  # of a bridge on a bond on ..., of a logical volume on an encrypted RAID


def gather_baseline(root: Root, note: Note) -> Baseline | None:
    """How the guest was before the move; None when nobody wrote it down, or it cannot be read."""
    try:
        text = root.read_text(BASELINE)
        return None if text is None else guest_state.parse(text)
    except GuestError as error:
        note(Problem(BASELINE, error.message))
        return None


def gather(root: Root, note: Note, *, is_awaited: bool = False) -> State | None:
    """How the guest is (C(is_awaited): when it has finished its boot); None when it is not running."""
    if not root.is_live:
        return None
    reader = KernelReader(root, note)
    if is_awaited:
        _ask(reader, "settled phase")
    phase = (_ask(reader, "phase") or "").strip()
    uuids = _uuids(reader)
    has_systemd = phase not in ("", "offline", "unknown")
    return State(
        boot_id=reader.line("/proc/sys/kernel/random/boot_id") or "",
        kernel=reader.line("/proc/sys/kernel/osrelease") or "",
        phase=phase if has_systemd else "",
        file_systems=tuple(sorted(set(uuids.values()))),
        root_disks=_root_disks(reader),
        nameservers=_nameservers(reader),
        units=_bounded(units(_ask(reader, "units") or "", _ask(reader, "unit files") or "")) if has_systemd else (),
        listeners=_bounded(sorted({found for one in _SOCKETS for found in _listeners(reader, *one)})),
        mounts=_bounded(_mounts(reader, uuids)),
        addresses=_bounded(addresses(_ask(reader, "addresses") or "[]")),
        routes=_bounded(_routes(reader)),
        errors=tuple(errors(_ask(reader, "errors") or "")[: guest_state.MAX_ERRORS]),
    )


def _bounded(rows: t.Iterable[t.Any]) -> t.Any:
    return tuple(list(rows)[: guest_state.MAX_ROWS])


def _ask(reader: KernelReader, question: str) -> str | None:
    answer: str | None = reader.attempt(question, functools.partial(_inquiry.ask, question))
    return answer


# -- what programs say


def units(loaded: str, files: str) -> list[Unit]:
    """From C(systemctl list-units) (name, load, active, sub, description) and C(list-unit-files) (name, state): what is
    up of services and what starts them, and whatever has failed."""
    states = {line.split()[0]: line.split()[1] for line in files.split("\n") if len(line.split()) > 1}
    rows = [line.lstrip("●* ").split(None, 4) for line in loaded.split("\n")]
    return [
        Unit(row[0], row[2], row[3], states.get(row[0], ""))
        for row in rows
        if len(row) > 3 and (row[2] == "failed" or (row[2] != "inactive" and row[0].endswith(_KINDS_OF_UNITS)))
    ]


def addresses(answer: str) -> list[Address]:
    """From C(ip -json address). Those of the host itself and of the link alone, and temporary ones, are left out."""
    return [
        Address(link["ifname"], held["local"], int(held["prefixlen"]), bool(held.get("dynamic")))
        for link in _json(answer)
        for held in link.get("addr_info", ())
        if held.get("scope") in ("global", "site") and "local" in held and not held.get("temporary")
    ]


def errors(answer: str) -> list[LoggedError]:
    """From C(journalctl -o json): the kinds of messages, in the order of their first ones."""
    found: dict[tuple[str, str], LoggedError] = {}
    for line in answer.split("\n"):
        row = _json(line)
        message = row.get("MESSAGE") if isinstance(row, dict) else None
        if not isinstance(message, str) or not message.strip():
            continue
        message = message.strip().split("\n")[0][: guest_state.MAX_TEXT]
        is_kernel = row.get("_TRANSPORT") == "kernel"
        source = "kernel" if is_kernel else str(row.get("SYSLOG_IDENTIFIER") or row.get("_COMM") or "")
        pattern = _NUMBER.sub("#", message)
        known = found.get((source, pattern))
        found[source, pattern] = (
            LoggedError(source, pattern, message, 1) if known is None else known._replace(times=known.times + 1)
        )
    return list(found.values())


def _routes(reader: KernelReader) -> t.Iterator[Route]:
    for family in (4, 6):
        for row in _json(_ask(reader, f"routes {family}") or "[]"):
            hops = [row, *row.get("nexthops", ())]
            for hop in hops:
                if "dev" in hop:
                    nics = tuple(sorted(_hardware(reader, hop["dev"], 0)))
                    yield Route(family, hop["dev"], hop.get("gateway") or "", nics)


def _json(text: str) -> t.Any:
    try:
        return json.loads(text) if text.strip() else []
    except ValueError:
        return []


# -- what the kernel says


def _hardware(reader: KernelReader, interface: str, depth: int) -> set[str]:
    """The interfaces with a device behind them on which one without lies."""
    path = f"/sys/class/net/{interface}"
    if reader.link_name(f"{path}/device") is not None:
        return {interface}
    lowers = [name[len("lower_") :] for name in reader.names(f"{path}/") if name.startswith("lower_")]
    if depth == _MAX_DEPTH:
        return set()
    return set().union(*[_hardware(reader, lower, depth + 1) for lower in lowers]) if lowers else set()


def _root_disks(reader: KernelReader) -> tuple[str, ...]:
    numbers = [row[2] for row in _mount_table(reader) if row[4] == "/"]
    found = [_disks(reader, f"/sys/dev/block/{number}", 0) for number in numbers[-1:]]
    return tuple(sorted(set().union(*found))) if found else ()


def _disks(reader: KernelReader, path: str, depth: int) -> set[str]:
    """Names of the disks below a block device."""
    place = reader.real_path(path)
    if place is None or depth == _MAX_DEPTH:
        return set()
    slaves = reader.names(f"{place}/slaves")
    if slaves:
        return set().union(*[_disks(reader, f"/sys/class/block/{name}", depth + 1) for name in slaves])
    is_partition = reader.exists(f"{place}/partition")
    return {posixpath.basename(posixpath.dirname(place) if is_partition else place)}


def _mount_table(reader: KernelReader) -> t.Iterator[list[str]]:
    """Rows of mountinfo (proc_pid_mountinfo(5)); the last three fields, after the dash, are at the end."""
    for line in reader.content("/proc/self/mountinfo").split("\n"):
        row = line.split()
        if "-" in row[6:] and len(row) > 9:
            yield row


def _mounts(reader: KernelReader, uuids: t.Mapping[str, str]) -> t.Iterator[Mount]:
    found: dict[str, Mount] = {}
    for row in _mount_table(reader):
        point = _unescaped(row[4])
        kind, source = row[row.index("-", 6) + 1 :][:2]
        is_lasting = source.startswith("/dev/") or kind in _NETWORK_FILE_SYSTEMS
        if is_lasting and row[3] == "/" and kind != "squashfs" and not f"{point}/".startswith(_PASSING):
            found[point] = Mount(point, kind, _named(reader, uuids, _unescaped(source)))
    yield from found.values()
    for line in reader.content("/proc/swaps").split("\n")[1:]:
        if line.split():
            device = _unescaped(line.split()[0])
            if not device.startswith("/dev/zram"):
                yield Mount("swap", "swap", _named(reader, uuids, device))


def _named(reader: KernelReader, uuids: t.Mapping[str, str], device: str) -> str:
    name = posixpath.basename(reader.real_path(device) or device)
    return f"UUID={uuids[name]}" if device.startswith("/dev/") and name in uuids else device


def _uuids(reader: KernelReader) -> dict[str, str]:
    """UUIDs by the kernel names of the devices that hold them, CD-ROM drives aside."""
    links = [(uuid, reader.link_name(f"{_UUIDS}/{uuid}") or "") for uuid in reader.names(_UUIDS)]
    return {name: uuid for uuid, name in links if not re.match(r"(?:sr|loop|fd)\d", name)}


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), text)


def _listeners(reader: KernelReader, table: str, wanted: str) -> t.Iterator[Listener]:
    for line in reader.content(f"/proc/net/{table}").split("\n")[1:]:
        row = line.split()
        if len(row) > 3 and row[3] == wanted:
            address, port = row[1].rsplit(":", 1)
            yield Listener(table[:3], int(port, 16), _LOOPBACK.fullmatch(address) is not None)


def _nameservers(reader: KernelReader) -> tuple[str, ...]:
    """The name servers; behind systemd-resolved those that it asks."""
    found = _named_in(reader.content("/etc/resolv.conf"))
    if found == ("127.0.0.53",):
        return _named_in(reader.content("/run/systemd/resolve/resolv.conf")) or found
    return found


def _named_in(text: str) -> tuple[str, ...]:
    return tuple(
        [line.split()[1] for line in text.split("\n") if line.split()[:1] == ["nameserver"] and line.split()[1:]]
    )
