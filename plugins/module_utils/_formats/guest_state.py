# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a running guest is: what runs, what is mounted, how it is reached. As a file it is the baseline of a move.

JSON, a row a line of what it knows, so that two of them can be compared by eye. Bounded: see MAX_ROWS and MAX_TEXT.
"""

from __future__ import annotations

import json
import typing as t

from .._errors import MalformedError

VERSION = 1
MAX_ROWS = 2000  # of each kind
MAX_ERRORS = 200  # kinds of logged errors
MAX_TEXT = 240  # characters of a logged error


class Unit(t.NamedTuple):
    """A service, or what starts one, that is up, or any unit that has failed. C(file) is the state of its
    file: enabled, static, generated ...; empty when it has none of its own, as an instance of a template."""

    name: str
    active: str  # active, inactive, failed, activating ...
    sub: str  # running, exited, listening ...
    file: str


class Listener(t.NamedTuple):
    """A port on which somebody listens (TCP) or receives (UDP)."""

    protocol: str  # tcp or udp
    port: int
    is_local: bool  # on the loopback interface only


class Mount(t.NamedTuple):
    """A file system that is mounted from a disk or over the network, or a swap device in use (C(point) is swap)."""

    point: str
    kind: str
    source: str  # UUID=... where there is one, else as the kernel names it


class Address(t.NamedTuple):
    """An IP address that others can reach. C(is_dynamic): it has a lifetime, from DHCP or router advertisements."""

    interface: str
    address: str
    prefix: int
    is_dynamic: bool


class Route(t.NamedTuple):
    """A default route. C(nics) are the interfaces with hardware through which it leads, below bridges and the like."""

    family: int  # 4 or 6
    interface: str
    gateway: str
    nics: t.Tuple[str, ...]


class LoggedError(t.NamedTuple):
    """A kind of message that was logged as an error in this boot, numbers in it aside."""

    source: str  # kernel, or the program
    pattern: str  # the message with # for every number
    message: str  # the first of its kind
    times: int


class State(t.NamedTuple):
    """One look at a running guest."""

    boot_id: str
    kernel: str
    phase: str  # of systemd: starting, running, degraded ...; empty without systemd
    file_systems: t.Tuple[str, ...]  # UUIDs that udev has found
    root_disks: t.Tuple[str, ...]  # kernel names of the disks on which the root file system lies
    nameservers: t.Tuple[str, ...]
    units: t.Tuple[Unit, ...]
    listeners: t.Tuple[Listener, ...]
    mounts: t.Tuple[Mount, ...]
    addresses: t.Tuple[Address, ...]
    routes: t.Tuple[Route, ...]
    errors: t.Tuple[LoggedError, ...]


class Baseline(t.NamedTuple):
    """The state of a guest before it moved, and what it ran on then."""

    hypervisor: str
    state: State


_ROWS: t.Mapping[str, t.Any] = {
    "units": Unit,
    "listeners": Listener,
    "mounts": Mount,
    "addresses": Address,
    "routes": Route,
    "errors": LoggedError,
}
_TEXTS = ("boot_id", "kernel", "phase")
_LISTS = ("file_systems", "root_disks", "nameservers")


def render(baseline: Baseline) -> str:
    """The file."""
    state = baseline.state
    lines = [f'"version": {VERSION}', f'"hypervisor": {json.dumps(baseline.hypervisor)}']
    lines += [f'"{name}": {json.dumps(getattr(state, name))}' for name in (*_TEXTS, *_LISTS)]
    for name in _ROWS:
        rows = ",\n  ".join(json.dumps(row) for row in getattr(state, name))
        lines.append(f'"{name}": [\n  {rows}\n ]' if rows else f'"{name}": []')
    return "{" + ",\n ".join(lines) + "}\n"


def parse(text: str) -> Baseline:
    """The baseline. Raises MalformedError when it is none."""
    try:
        found = json.loads(text)
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']} is not known")
        fields: t.Dict[str, t.Any] = {name: _typed(found[name], "str") for name in _TEXTS}
        fields.update((name, _typed(found[name], "t.Tuple[str, ...]")) for name in _LISTS)
        for name, kind in _ROWS.items():
            fields[name] = tuple([_row(kind, row) for row in _list(found[name])])
        return Baseline(_typed(found["hypervisor"], "str"), State(**fields))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedError(
            f"the baseline is damaged ({error}), so it is not known how the guest was before the move",
            hint="Remove the file; where the guest still runs on XenServer, prepare takes a new one.",
        ) from error


def _list(value: t.Any) -> t.List[t.Any]:
    if not isinstance(value, list):
        raise ValueError("no list")
    return value


def _row(kind: t.Any, row: t.Any) -> t.Any:
    types = list(kind.__annotations__.values())
    if len(_list(row)) != len(types):
        raise ValueError(f"no {kind.__name__}")
    return kind(*[_typed(value, getattr(wanted, "__forward_arg__", wanted)) for value, wanted in zip(row, types)])


def _typed(value: t.Any, wanted: str) -> t.Any:
    if wanted == "t.Tuple[str, ...]":
        return tuple([_typed(item, "str") for item in _list(value)])
    # of JSON's types, by name: True is an int as well
    if type(value).__name__ != wanted:
        raise ValueError(f"{value!r} is no {wanted}")
    return value
