# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network interfaces of the running kernel, as C(ip) of iproute2 shows and changes them."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import re
import typing as t

from .._errors import GuestError, ToolMissingError

if t.TYPE_CHECKING:
    from .programs import Programs

_ON_TOP = ("vlan", "macvlan", "macvtap", "ipvlan", "ipvtap")  # kinds that are gone with what they are made of
# Where a guest says which addresses it has: its configuration with all hooks, services that add some of their own, and
# leases, which may be without end.
_CONFIGURATION = (
    *("/etc/network", "/etc/systemd/network", "/run/systemd/network", "/etc/netplan", "/run/netplan"),
    *("/etc/NetworkManager", "/run/NetworkManager/system-connections", "/usr/lib/NetworkManager"),
    *("/usr/lib/systemd/network", "/etc/keepalived", "/etc/rc.local", "/etc/dhcp", "/etc/ha.d"),
    *("/var/lib/dhcp", "/run/systemd/netif/leases", "/var/lib/NetworkManager", "/run/NetworkManager/devices"),
)
_MAX_FILE = 1 << 20
_ADDRESS = re.compile(r"[0-9a-fA-F:]*[.:][0-9a-fA-F:.]+")


class Address(t.NamedTuple):
    """An address of an interface. C(is_lasting): it has no lifetime, as those that DHCP or an advertisement gave."""

    family: str  # inet or inet6
    text: str
    scope: str  # global, link, host ...
    is_lasting: bool
    is_usable: bool  # not tentative, not found on another machine


@dataclasses.dataclass(frozen=True)
class Link:
    """A network interface."""

    index: int
    name: str
    mac: str
    is_up: bool
    kind: str  # "" for hardware
    lower: str  # what a VLAN is made of
    master: str  # the bridge or bond that it is a part of
    addresses: tuple[Address, ...]


def read_links(programs: Programs) -> tuple[Link, ...]:
    """All of them. Raises ToolMissingError without iproute2."""
    done = programs.ask("ip", "-j", "-d", "address", "show")
    if not done.is_good:
        raise ToolMissingError(
            f"the network interfaces cannot be read: {done.problem()}",
            hint="The live switch needs ip of iproute2 (4.13 or newer) in the guest; the staged one does not.",
        )
    return tuple([_link(entry) for entry in json.loads(done.output or "[]") if entry.get("ifname")])


def _link(entry: t.Mapping[str, t.Any]) -> Link:
    kind = entry.get("linkinfo", {}).get("info_kind", "")
    return Link(
        index=entry["ifindex"],
        name=entry["ifname"],
        mac=entry.get("address", ""),
        is_up="UP" in entry.get("flags", ()),
        kind=kind,
        lower=entry.get("link") or "" if kind in _ON_TOP else "",
        master=entry.get("master", ""),
        addresses=tuple([_address(found) for found in entry.get("addr_info", ()) if found.get("local")]),
    )


def _address(found: t.Mapping[str, t.Any]) -> Address:
    is_lasting = not found.get("dynamic") and found.get("valid_life_time", 0xFFFFFFFF) == 0xFFFFFFFF
    is_usable = not any(found.get(flag) for flag in ("tentative", "dadfailed"))
    return Address(found["family"], found["local"], found.get("scope", "global"), is_lasting, is_usable)


def on_top_of(links: t.Iterable[Link], names: t.Iterable[str]) -> tuple[Link, ...]:
    """What is made of some interfaces, directly or not, the lowest first: VLANs, bridges, bonds."""
    by_name = {link.name: link for link in links}
    below = list(names)
    found: dict[str, Link] = {}
    while below:
        name = below.pop(0)
        nearer = [link for link in by_name.values() if link.lower == name]
        own = by_name.get(name)
        # a virtual function is a part of its synthetic adapter, which is hardware itself
        if own is not None and own.master in by_name and by_name[own.master].kind:
            nearer.append(by_name[own.master])
        for link in nearer:
            found.pop(link.name, None)  # above both: after both
            found[link.name] = link
            if len(found) <= len(by_name) and link.name not in below:
                below.append(link.name)
    return tuple(found.values())


def find_link(links: t.Iterable[Link], index: int) -> Link | None:
    return next((link for link in links if link.index == index), None)


def unconfigured_addresses(links: t.Iterable[Link]) -> tuple[str, ...]:
    """C(ADDRESS on NAME) of each lasting address that no file of the guest's configuration has in it."""
    wanted = [
        (link, address)
        for link in links
        for address in link.addresses
        if address.is_lasting and address.scope == "global" and not _is_made_from_mac(link, address)
    ]
    known = _addresses_in_files() if wanted else set()
    return tuple(
        [
            f"{address.text} on {link.name}"
            for link, address in wanted
            if ipaddress.ip_address(address.text) not in known
        ]
    )


def _is_made_from_mac(link: Link, address: Address) -> bool:
    """RFC 4291 appendix A: what an advertisement without a lifetime makes."""
    octets = [int(octet, 16) for octet in link.mac.split(":")] if link.mac.count(":") == 5 else []
    if address.family != "inet6" or not octets:
        return False
    interface = bytes([octets[0] ^ 2, octets[1], octets[2], 0xFF, 0xFE, octets[3], octets[4], octets[5]])
    return ipaddress.IPv6Address(address.text).packed[8:] == interface


def _addresses_in_files() -> set[t.Any]:
    found: set[t.Any] = set()
    for place in _CONFIGURATION:
        paths = [place] if os.path.isfile(place) else []
        for directory, _directories, names in os.walk(place):
            paths.extend(os.path.join(directory, name) for name in names)
        for path in paths:
            found.update(_addresses_in(path))
    return found


def _addresses_in(path: str) -> t.Iterator[t.Any]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read(_MAX_FILE) if os.path.isfile(path) else ""
    except OSError:
        return
    for match in _ADDRESS.finditer(text):
        try:
            yield ipaddress.ip_address(match.group())
        except ValueError:
            continue


def clear(programs: Programs, index: int) -> list[str]:
    """Takes everything off an interface: what is made of it, the bridge or bond that it is in, its addresses; it is
    down afterwards. Returns what did not work."""
    links = read_links(programs)
    link = find_link(links, index)
    if link is None:
        return []
    commands: list[tuple[str, ...]] = []
    commands += [("link", "delete", "dev", upper.name) for upper in links if upper.lower == link.name]
    if link.master and any(upper.name == link.master and upper.kind for upper in links):
        commands.append(("link", "set", "dev", link.name, "nomaster"))
    commands.append(("address", "flush", "dev", link.name))
    commands.append(("link", "set", "dev", link.name, "down"))
    return [done.problem() for done in [programs.run("ip", *command) for command in commands] if not done.is_good]


def give_names(programs: Programs, names: t.Mapping[int, str]) -> None:
    """Gives interfaces their names, by index, whoever of them has which now. Raises GuestError."""
    while True:
        links = read_links(programs)
        wrong = [link for link in links if names.get(link.index, link.name) != link.name]
        if not wrong:
            return
        held = {link.name for link in wrong}
        taken = {link.name for link in links}
        ready = [link for link in wrong if names[link.index] not in taken]
        ready += [link for link in wrong if names[link.index] not in held]  # taken by one that keeps it: an error
        if ready:
            _rename(programs, ready[0], names[ready[0].index])
        else:  # they have each other's names
            _rename(programs, wrong[0], f"rehost{wrong[0].index}")


def _rename(programs: Programs, link: Link, name: str) -> None:
    if link.is_up:  # a name changes only then
        programs.run("ip", "link", "set", "dev", link.name, "down")
    done = programs.run("ip", "link", "set", "dev", link.name, "name", name)
    if not done.is_good:
        raise GuestError(f"{link.name} cannot be named {name}: {done.problem()}")


def driver_of(name: str) -> str:
    """The driver of an interface; "" for one without hardware."""
    try:
        return os.path.basename(os.readlink(f"/sys/class/net/{name}/device/driver"))
    except OSError:
        return ""
