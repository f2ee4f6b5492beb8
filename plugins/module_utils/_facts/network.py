# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a guest's network is configured: the files, what they say of each interface, and what else names them.

The formats are imported where there is a file to read: most guests have one of the four.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import struct
import typing as t

from .._errors import GuestError
from .._formats._connection import is_pattern, matches_glob
from .model import ConfiguredConnection, DefaultRoute, Problem, TextFile
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root

INTERFACES = "/etc/network/interfaces"
NETWORKD = "/etc/systemd/network"
NETPLAN = "/etc/netplan"
NETWORK_MANAGER = "/etc/NetworkManager"
MAX_SOURCES = 1000  # files that /etc/network/interfaces may take in

_SOURCED_NAME = re.compile(r"[a-zA-Z0-9_-]+")  # interfaces(5), source-directory
_ENDINGS = (".network", ".netdev", ".link")
# systemd.network(5), netplan(5): the later directories give way to a file of the same name in an earlier one
_OTHER_NETWORKD = ("/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network")
_OTHER_NETPLAN = ("/run/netplan", "/lib/netplan")
_GENERATED = "10-netplan-"  # what netplan makes for systemd-networkd at boot
# What NetworkManager ignores in system-connections, beside hidden files.
_NO_KEYFILES = ("~", ".bak", ".pem", ".der", ".swp", ".rpmnew", ".dpkg-dist", ".dpkg-old", ".dpkg-new")
_RULES = re.compile(r"\bNAME\s*[:+]?=(?!=)|SUBSYSTEM==\"net\"")
# Where interfaces are named outside of the network's own configuration; a directory ends in a slash.
_MENTIONING = (
    *("/etc/dhcp/dhclient.conf", "/etc/dhcp3/dhclient.conf", "/etc/dhcp/dhcpd.conf", "/etc/default/isc-dhcp-server"),
    *("/etc/dnsmasq.conf", "/etc/dnsmasq.d/", "/etc/radvd.conf", "/etc/resolvconf/interface-order"),
    *("/etc/sysctl.conf", "/etc/sysctl.d/", "/etc/rc.local"),
    *("/etc/network/if-pre-up.d/", "/etc/network/if-up.d/", "/etc/network/if-down.d/", "/etc/network/if-post-down.d/"),
    *("/etc/NetworkManager/dispatcher.d/", "/etc/networkd-dispatcher/routable.d/", "/etc/systemd/system/"),
    *("/etc/nftables.conf", "/etc/iptables/", "/etc/iptables.up.rules", "/etc/ferm/ferm.conf", "/etc/shorewall/"),
    *("/etc/ufw/", "/etc/firewalld/zones/", "/etc/keepalived/keepalived.conf", "/etc/ntp.conf", "/etc/ntpsec/ntp.conf"),
    *("/etc/avahi/avahi-daemon.conf", "/etc/vnstat.conf", "/etc/samba/smb.conf", "/etc/default/arpwatch"),
)
# Its configuration, which the package brings, and its programs since Debian 6.
_UDEV = (
    *("/etc/udev/udev.conf", "/sbin/udevadm", "/bin/udevadm", "/usr/bin/udevadm"),
    *("/sbin/udevd", "/lib/systemd/systemd-udevd", "/usr/lib/systemd/systemd-udevd"),
)
_RTF_UP, _RTF_GATEWAY, _RTF_REJECT = 0x1, 0x2, 0x200  # linux/route.h


def gather(root: Root, note: Note) -> tuple[TextFile, ...]:
    """The files below /etc, whole."""
    reader = Reader(root, note)
    files = [*read_interfaces(reader)]
    for ending in _ENDINGS:
        files += reader.texts(NETWORKD, ending)
    for name in reader.names(NETWORKD):
        if any(name.endswith(f"{ending}.d") for ending in _ENDINGS):
            files += reader.texts(f"{NETWORKD}/{name}", ".conf")
    files += reader.texts(NETPLAN, ".yaml")
    for file in reader.texts(f"{NETWORK_MANAGER}/system-connections"):
        if not file.path.endswith(_NO_KEYFILES):
            files.append(file)
    main = reader.text(f"{NETWORK_MANAGER}/NetworkManager.conf")
    files += [*([main] if main else []), *reader.texts(f"{NETWORK_MANAGER}/conf.d", ".conf")]
    for file in reader.texts("/etc/udev/rules.d", ".rules"):
        if file.path.endswith("-net.rules") or _RULES.search(file.text):
            files.append(file)
    return tuple(files)


def has_udev(root: Root, note: Note) -> bool:
    """Whether udev is installed."""
    reader = Reader(root, note)
    return any(reader.exists(path) for path in _UDEV)


def read_interfaces(reader: Reader) -> tuple[TextFile, ...]:
    """/etc/network/interfaces and what its source lines take in, in the order in which ifupdown reads them."""
    from .._formats import interfaces

    found: dict[str, TextFile] = {}
    followed: set[tuple[str, str]] = set()
    todo = [INTERFACES]
    while todo:
        path = todo.pop()
        file = reader.text(path) if path not in found else None
        if file is None:
            continue
        if len(found) >= MAX_SOURCES or len(followed) >= MAX_SOURCES:
            reader.note(Problem(path, f"{INTERFACES} takes in more than {MAX_SOURCES} files; the rest is not read"))
            break
        found[path] = file
        taken: list[str] = []
        for statement in interfaces.sources(interfaces.parse(file.text)):
            for pattern in statement.value.split():
                wanted = (statement.kind, posixpath.normpath(posixpath.join(posixpath.dirname(path), pattern)))
                if wanted not in followed and len(followed) < MAX_SOURCES:
                    followed.add(wanted)
                    taken += _sourced(reader, *wanted)
        todo += reversed(taken)
    return tuple(found.values())


def gather_connections(root: Root, note: Note, files: tuple[TextFile, ...]) -> tuple[ConfiguredConnection, ...]:
    """What the files, and those outside /etc that go with them, configure."""
    reader = Reader(root, note)
    others = (NETWORKD, NETPLAN, NETWORK_MANAGER, "/etc/udev")
    return (
        *_ifupdown([file for file in files if not file.path.startswith(others)]),
        *_networkd(reader, [file for file in files if file.path.startswith(NETWORKD)]),
        *_netplan(reader, [file for file in files if file.path.startswith(NETPLAN)]),
        *_network_manager(reader, [file for file in files if "/system-connections/" in file.path]),
    )


def gather_mentions(root: Root, note: Note, connections: t.Iterable[ConfiguredConnection]) -> tuple[TextFile, ...]:
    """Files beside the network's configuration which name one of these interfaces outside a comment."""
    reader = Reader(root, note)
    names = {found.connection.name for found in connections if found.connection.kind != "loopback"}
    if not names - {None}:
        return ()
    wanted = re.compile(
        r"^(?![ \t]*[#;]).*(?<![A-Za-z0-9_-])(?:%s)(?![A-Za-z0-9_-])"
        % "|".join(sorted(re.escape(n) for n in names if n)),
        re.MULTILINE,
    )
    candidates: list[TextFile | None] = []
    for path in _MENTIONING:
        candidates += reader.texts(path[:-1]) if path.endswith("/") else [reader.text(path)]
    return tuple([file for file in candidates if file is not None and wanted.search(file.text)])


def gather_default_routes(root: Root, note: Note) -> tuple[DefaultRoute, ...]:
    """Default routes of the main table, of each family the one with the smallest metric first."""
    reader = Reader(root, note)
    found = []
    for line in (reader.value("/proc/net/route") or "").split("\n")[1:]:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000":
            flags = int(fields[3], 16)
            if flags & _RTF_UP and not flags & _RTF_REJECT:
                gateway = ".".join([str(byte) for byte in struct.pack("=L", int(fields[2], 16))])
                route = DefaultRoute(fields[0], gateway if flags & _RTF_GATEWAY else None, "inet")
                found.append((0, int(fields[6]), route))
    for line in (reader.value("/proc/net/ipv6_route") or "").split("\n"):
        fields = line.split()
        if len(fields) >= 10 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            flags = int(fields[8], 16)
            if flags & _RTF_UP and not flags & _RTF_REJECT:
                route = DefaultRoute(fields[9], _ipv6(fields[4]) if flags & _RTF_GATEWAY else None, "inet6")
                found.append((1, int(fields[5], 16), route))
    return tuple([route for _family, _metric, route in sorted(found, key=lambda entry: entry[:2])])


def _ifupdown(files: list[TextFile]) -> t.Iterator[ConfiguredConnection]:
    from .._formats import interfaces

    if not files:
        return
    # One configuration: an interface has its families, and its "auto", in any of the files.
    paths: dict[str, str] = {}
    for file in files:
        for stanza in interfaces.parse(file.text).interfaces:
            paths.setdefault(stanza.name, file.path)
    whole = interfaces.parse("\n\n".join([file.text for file in files]))
    names = dict.fromkeys(found.name for found in whole.interfaces if not found.is_template)
    for name, connection in zip(names, interfaces.connections(whole)):
        yield ConfiguredConnection("ifupdown", paths.get(name, INTERFACES), connection)


def _networkd(reader: Reader, files: list[TextFile]) -> list[ConfiguredConnection]:
    present = {name: f"{NETWORKD}/{name}" for name in reader.names(NETWORKD)}
    outside: list[TextFile] = []
    for directory in _OTHER_NETWORKD:
        for name in reader.names(directory):
            if name.endswith(_ENDINGS[:2]) and not name.startswith(_GENERATED) and name not in present:
                present[name] = f"{directory}/{name}"
                file = reader.text(f"{directory}/{name}")
                outside += [file] if file else []
    if not files and not outside:
        return []
    from .._formats import networkd

    found: list[ConfiguredConnection] = []
    for file in sorted([*files, *outside], key=lambda file: posixpath.basename(file.path)):
        directory, name = posixpath.split(file.path)
        ending = posixpath.splitext(name)[1]
        if ending not in _ENDINGS:
            continue  # a drop-in
        drop_ins = [networkd.parse(part.text) for part in files if part.path.startswith(f"{NETWORKD}/{name}.d/")]
        try:
            made = networkd.connections(networkd.parse(file.text), *drop_ins, ending=ending)
        except GuestError as error:
            reader.note(Problem(file.path, error.message))
            continue
        if directory != NETWORKD:
            # systemd brings some for containers, virtual machines and wireless adapters
            made = tuple(
                [connection for connection in made if connection.kind in ("ethernet", "vlan", "bridge", "bond")]
            )
        found += [ConfiguredConnection("systemd-networkd", file.path, connection) for connection in made]
    kinds = {entry.connection.name: entry.connection.kind for entry in found if entry.path.endswith(".netdev")}
    return [
        dataclasses.replace(entry, connection=dataclasses.replace(entry.connection, kind=kinds[entry.connection.name]))
        if entry.connection.kind == "ethernet" and entry.connection.name in kinds
        else entry
        for entry in found
    ]


def _netplan(reader: Reader, files: list[TextFile]) -> t.Iterator[ConfiguredConnection]:
    by_name = {posixpath.basename(file.path): file for file in files}
    for directory in _OTHER_NETPLAN:
        for name in reader.names(directory):
            if name.endswith(".yaml") and name not in by_name:
                file = reader.text(f"{directory}/{name}")
                if file is not None:
                    by_name[name] = file
    if not by_name:
        return
    from .._formats import netplan

    documents = []
    paths: dict[str, str] = {}
    for _name, file in sorted(by_name.items()):
        try:
            document = netplan.parse(file.text)
            for identity, connection in netplan.by_id(document).items():
                # where it is matched by an address is where that can be changed
                if identity not in paths or connection.macs:
                    paths[identity] = file.path
        except GuestError as error:
            reader.note(Problem(file.path, error.message))
            continue
        documents.append(document)
    if documents:
        for identity, connection in netplan.by_id(*documents).items():
            yield ConfiguredConnection("netplan", paths[identity], connection)


def _network_manager(reader: Reader, files: list[TextFile]) -> list[ConfiguredConnection]:
    if not files:
        return []
    from .._formats import network_manager

    found: list[ConfiguredConnection] = []
    names: dict[str, str] = {}  # by UUID, by which a profile may name another
    for file in files:
        document = network_manager.parse(file.text)
        try:
            made = network_manager.connections(document)
        except GuestError as error:
            reader.note(Problem(file.path, error.message))
            continue
        for connection in made:
            found.append(ConfiguredConnection("network-manager", file.path, connection))
            identity = network_manager.identity(document)
            if identity and connection.name:
                names[identity] = connection.name
    return [
        dataclasses.replace(
            entry,
            connection=dataclasses.replace(
                entry.connection,
                lowers=tuple([names.get(name, name) for name in entry.connection.lowers]),
                uppers=tuple([names.get(name, name) for name in entry.connection.uppers]),
            ),
        )
        for entry in found
    ]


def _sourced(reader: Reader, kind: str, pattern: str) -> list[str]:
    found = _globbed(reader, pattern)
    if kind != "source-directory":
        return found
    return [f"{path}/{name}" for path in found for name in reader.names(path) if _SOURCED_NAME.fullmatch(name)]


def _globbed(reader: Reader, pattern: str) -> list[str]:
    """The paths that a pattern stands for, sorted; a path without wildcards stands for itself."""
    paths = [""]
    for part in pattern.strip("/").split("/"):
        if not is_pattern(part):
            paths = [f"{path}/{part}" for path in paths]
            continue
        paths = [
            f"{path}/{name}"
            for path in paths
            for name in reader.names(path or "/")
            if matches_glob(name, part) and (part.startswith(".") or not name.startswith("."))
        ][:MAX_SOURCES]
    return paths


def _ipv6(digits: str) -> str:
    import ipaddress

    return str(ipaddress.IPv6Address(bytes.fromhex(digits)))
