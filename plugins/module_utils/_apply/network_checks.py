# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a network works, without any program but C(ip), and without ICMP, which many networks do not answer."""

from __future__ import annotations

import errno
import functools
import ipaddress
import json
import os
import re
import socket
import struct
import time
import typing as t

from .._errors import GuestError
from .links import read_links

if t.TYPE_CHECKING:
    from .programs import Programs

_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_RESOLV_CONF = ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf")  # the first has no stub in it
_NEIGHBOUR_WAIT = 3.0  # seconds; the kernel asks three times, a second between
_ANSWER_WAIT = 2.0
_GOOD_STATES = {"REACHABLE", "DELAY", "PROBE", "PERMANENT", "NOARP", "STALE"}
_DISCARD = 9  # RFC 863; the datagram only makes the kernel look for its neighbour
_ETH_P_ARP = 0x0806
_TARGET = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})")


class Target(t.NamedTuple):
    """A TCP port of another machine, its name resolved."""

    text: str
    family: str
    address: str
    port: int


class Gateway(t.NamedTuple):
    """The next machine of a default route."""

    family: str
    address: str
    interface: str


def parse_target(text: str) -> Target:
    """HOST:PORT or [ADDRESS]:PORT, looked up now, as names may not resolve while the network changes. Raises
    GuestError."""
    match = _TARGET.fullmatch(text)
    if match is None or not 0 < int(match.group(3)) < 65536:
        raise GuestError(f"{text!r} is no target", hint="Write HOST:PORT, and an IPv6 address in brackets.")
    try:
        found = socket.getaddrinfo(match.group(1) or match.group(2), int(match.group(3)), type=socket.SOCK_STREAM)
    except OSError as error:
        raise GuestError(f"the target {text} cannot be looked up: {error.strerror}") from error
    family, _kind, _protocol, _name, address = found[0]
    name = next(name for name, number in _FAMILIES.items() if number == family)
    return Target(text, name, str(address[0]), int(match.group(3)))


def checks_of(
    programs: Programs, interfaces: t.Sequence[str], targets: t.Sequence[Target]
) -> dict[str, t.Callable[[], str]]:
    """The checks of the network behind some interfaces. Each returns what is wrong: "" is nothing.

    Their names are the same wherever the network is: C(address inet), C(gateway inet), C(name server),
    C(target HOST:PORT).
    """
    checks: dict[str, t.Callable[[], str]] = {}
    for family in _FAMILIES:
        checks[f"address {family}"] = functools.partial(check_address, programs, interfaces, family)
        checks[f"gateway {family}"] = functools.partial(check_gateway, programs, interfaces, family)
    checks["name server"] = check_name_servers
    for target in targets:
        checks[f"target {target.text}"] = functools.partial(check_target, target)
    return checks


def check_address(programs: Programs, interfaces: t.Sequence[str], family: str) -> str:
    links = [link for link in read_links(programs) if link.name in interfaces]
    addresses = [address for link in links for address in link.addresses if address.family == family]
    if any(address.scope == "global" and address.is_usable for address in addresses):
        return ""
    return f"no address on {', '.join(interfaces)}"


def check_gateway(programs: Programs, interfaces: t.Sequence[str], family: str) -> str:
    """Whether the gateway of a default route over one of the interfaces has a MAC address that answers now."""
    gateways = [gateway for gateway in default_gateways(programs, family) if gateway.interface in interfaces]
    problem = f"no default route over {', '.join(interfaces)}"
    for gateway in gateways:
        if resolves(programs, gateway):
            return ""
        problem = f"{gateway.address} does not answer on {gateway.interface}"
    return problem


def default_gateways(programs: Programs, family: str) -> list[Gateway]:
    option = "-4" if family == "inet" else "-6"
    done = programs.ask("ip", option, "-j", "route", "show", "default")
    found = []
    for route in json.loads(done.output or "[]") if done.is_good else []:
        for hop in route.get("nexthops") or [route]:
            gateway = hop.get("gateway") or (hop.get("via") or {}).get("host")
            if gateway and hop.get("dev"):
                found.append(Gateway(family, gateway, hop["dev"]))
    return found


def resolves(programs: Programs, gateway: Gateway) -> bool:
    """Whether the neighbour answers (ARP or neighbour discovery), asked anew."""
    option = "-4" if gateway.family == "inet" else "-6"
    neighbour = ("to", gateway.address, "dev", gateway.interface)
    programs.ask("ip", option, "neigh", "flush", *neighbour)
    deadline = time.monotonic() + _NEIGHBOUR_WAIT
    while True:
        try:
            _knock(gateway)
        except OSError as error:
            if error.errno not in (errno.EHOSTUNREACH, errno.ECONNREFUSED):
                return False
        done = programs.ask("ip", option, "-j", "neigh", "show", *neighbour)
        for entry in json.loads(done.output or "[]") if done.is_good else []:
            if entry.get("lladdr") and _GOOD_STATES & set(entry.get("state", ())):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)


def _knock(gateway: Gateway) -> None:
    with socket.socket(_FAMILIES[gateway.family], socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, gateway.interface.encode() + b"\0")
        place: t.Tuple[t.Any, ...] = (gateway.address, _DISCARD)
        if gateway.family == "inet6":
            place = (*place, 0, socket.if_nametoindex(gateway.interface))
        sender.sendto(b"", place)


def name_servers() -> list[str]:
    """Those that are in force now; those of systemd-resolved rather than the stub that it puts before them."""
    for path in _RESOLV_CONF:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                lines = [line.split() for line in stream]
        except OSError:
            continue
        servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
        if servers:
            return servers
    return []


def check_name_servers() -> str:
    """Whether one of them answers, whatever it says."""
    servers = name_servers()
    problem = "there is none"
    for server in servers:
        try:
            if answers_query(server):
                return ""
            problem = f"{', '.join(servers)}: no answer"
        except OSError as error:
            problem = f"{server}: {error.strerror}"
    return problem


def answers_query(server: str, port: int = 53) -> bool:
    """Whether a DNS server answers a question for the name servers of the root (RFC 1035 section 4). Raises
    OSError."""
    question = os.urandom(2) + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + b"\0" + struct.pack(">2H", 2, 1)
    found = socket.getaddrinfo(server, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    family, kind, _protocol, _name, address = found[0]
    with socket.socket(family, kind) as asking:
        asking.settimeout(_ANSWER_WAIT)
        asking.connect(address)
        asking.send(question)
        try:
            answer = asking.recv(512)
        except socket.timeout:
            return False
    return len(answer) >= 12 and answer[:2] == question[:2] and bool(answer[2] & 0x80)


def check_target(target: Target) -> str:
    """Whether a machine answers on a TCP port; that it refuses is an answer."""
    with socket.socket(_FAMILIES[target.family], socket.SOCK_STREAM) as asking:
        asking.settimeout(_ANSWER_WAIT)
        try:
            asking.connect((target.address, target.port))
        except ConnectionRefusedError:
            return ""
        except OSError as error:  # socket.timeout is one without a number
            return f"{target.address} does not answer: {error.strerror or 'no answer in time'}"
    return ""


def interface_of(programs: Programs, address: str) -> str:
    """The interface that has an address of this machine; "" when none has."""
    wanted = ipaddress.ip_address(address.partition("%")[0])
    if wanted.version == 6 and wanted.ipv4_mapped is not None:
        wanted = wanted.ipv4_mapped
    for link in read_links(programs):
        if any(ipaddress.ip_address(found.text) == wanted for found in link.addresses):
            return link.name
    return ""


def announce(programs: Programs, interfaces: t.Iterable[str]) -> None:
    """Tells the neighbours on a network which MAC address has an IPv4 address now (RFC 5227 section 2.3); they would
    go on speaking to the other adapter for some seconds. IPv6 neighbours find out by themselves."""
    names = set(interfaces)
    for link in read_links(programs):
        if link.name not in names or not link.is_up:
            continue
        mac = bytes.fromhex(link.mac.replace(":", ""))
        for address in link.addresses:
            if address.family == "inet" and address.scope == "global":
                packed = ipaddress.IPv4Address(address.text).packed
                header = b"\xff" * 6 + mac + struct.pack(">HHHBBH", _ETH_P_ARP, 1, 0x0800, 6, 4, 1)
                with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                    sender.bind((link.name, 0))
                    sender.send(header + mac + packed + b"\0" * 6 + packed)
