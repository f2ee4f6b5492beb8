# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd.network(5), systemd.netdev(5) and systemd.link(5)."""

from __future__ import annotations

import typing as t

from .._errors import GuestError, MalformedError
from . import unit_file
from ._connection import Connection, Edit, check_name, is_pattern, normal_mac, with_edits
from .unit_file import Document, parse, render

__all__ = [
    "Document",
    "connections",
    "parse",
    "render",
    "with_match_for_mac",
    "with_name_for_mac",
    "with_renamed",
]

_UPPERS = (
    *("VLAN", "Bridge", "Bond", "MACVLAN", "MACVTAP", "IPVLAN", "IPVTAP", "VRF", "VXLAN", "Tunnel", "MACsec"),
    *("BatmanAdvanced", "Xfrm", "IPoIB", "L2TP"),
)
_OTHER_NAMES = (
    ("Match", "Name"),
    ("NetDev", "Name"),
    ("Link", "Name"),
    ("Network", "BindCarrier"),
    ("DHCPServer", "UplinkInterface"),
    ("IPv6SendRA", "UplinkInterface"),
    ("DHCPPrefixDelegation", "UplinkInterface"),
    ("DHCPv6PrefixDelegation", "UplinkInterface"),
    ("RoutingPolicyRule", "IncomingInterface"),
    ("RoutingPolicyRule", "OutgoingInterface"),
    ("Peer", "Name"),
    ("VXCAN", "Peer"),
)
_NAMES = frozenset([*_OTHER_NAMES, *[("Network", key) for key in _UPPERS]])
_KINDS = {"vlan": "vlan", "bridge": "bridge", "bond": "bond"}
# What no Ethernet adapter is matched by.
_OTHER_MATCHES = ("Kind", "WLANInterfaceType", "SSID", "BSSID", "Virtualization")
_DEFAULT_ROUTES = ("", "0.0.0.0/0", "::/0", "0.0.0.0", "::")
_MAC_KEYS = ("MACAddress", "PermanentMACAddress")


def connections(document: Document, *drop_ins: Document, ending: str) -> tuple[Connection, ...]:
    """What a file with its drop-ins configures; ending is that of the file's name: .network, .netdev or .link.

    A .network file that matches an interface which a .netdev makes is C(ethernet) here: it does not say what it
    matches. MalformedError when systemd does not take the file.
    """
    documents = (document, *drop_ins)
    for found in documents:
        if found.refused_line is not None:
            raise MalformedError(
                "a section's name has no closing bracket, and systemd reads nothing of the file",
                line=found.refused_line,
                hint="close the bracket, as in [Match]",
            )
    if ending == ".netdev":
        return _netdev(documents)
    return _link(documents) if ending == ".link" else _network(documents)


def with_renamed(document: Document, old: str, new: str) -> Document:
    """The document with an interface renamed wherever it is named: [Match], VLAN=, Bridge=, [NetDev] ...

    The kernel's own name (OriginalName=) stays, as do patterns. GuestError when new cannot be a name, or is named here
    already.
    """
    check_name(new)
    if old == new:
        return document
    edits: list[Edit] = []
    taken: list[int] = []
    for section in document.sections:
        for entry in section.entries:
            if (section.name, entry.key) not in _NAMES:
                continue
            for word in entry.words:
                excluded = word.value.startswith("!")
                if word.value[excluded:] == old:
                    edits.append((word.start + excluded, word.end, new))
                elif word.value[excluded:] == new:
                    taken.append(entry.line)
    if edits and taken:
        raise GuestError(
            f"{old} and {new} are both named here; renamed, they would become one interface",
            line=taken[0],
            hint=f"remove or rename {new} first",
        )
    return _edited(document, edits)


def with_name_for_mac(document: Document, mac: str, name: str) -> Document:
    """The .network document in which a match by that address is one by that name; unchanged when it has none.

    GuestError when addresses of other adapters stand beside it: a name cannot stand among them.
    """
    check_name(name)
    return with_match_for_mac(document, mac, "Name", name)


def with_match_for_mac(document: Document, mac: str, key: str, value: str) -> Document:
    """The document in which [Match] asks for this key and value instead of that address. What [Match] asked of the key
    before is replaced. (A .link file is read before an interface has its name: match it by Driver=, Path= ...)"""
    wanted = normal_mac(mac)
    entries = [entry for found in _MAC_KEYS for entry in document.entries("Match", found)]
    matching = [entry for entry in entries if any(normal_mac(word.value) == wanted for word in entry.words)]
    if wanted is None or not matching:
        return document
    for entry in entries:
        others = [word.value for word in entry.words if normal_mac(word.value) != wanted]
        if others:
            raise GuestError(
                f"{entry.key}= names {others[0]} beside {mac}; one name cannot stand for several adapters",
                line=entry.line,
                hint="give each adapter a file of its own",
            )
    present = [entry for entry in document.entries("Match", key) if entry.value]
    if present:
        return _edited(document, [*[_removal(entry) for entry in matching], *_replacements(present, value)])
    first, *more = matching
    edits = [(first.key_start, first.key_start + len(first.key), key), *_replacements([first], value)]
    return _edited(document, [*edits, *[_removal(entry) for entry in more]])


def _edited(document: Document, edits: list[Edit]) -> Document:
    return parse(with_edits(document.text, edits)) if edits else document


def _removal(entry: unit_file.Entry) -> Edit:
    return entry.start, entry.end, ""


def _replacements(entries: list[unit_file.Entry], value: str) -> list[Edit]:
    """The first entry has the value in place of its words, the others go."""
    first, *more = entries
    return [(first.words[0].start, first.words[-1].end, value), *[_removal(entry) for entry in more]]


def _network(documents: tuple[Document, ...]) -> tuple[Connection, ...]:
    name, patterns = _names(documents, "Name")
    macs = _macs(documents)
    # systemd.network(5): a file without any match is for every interface; it is ignored without [Match]
    if not any(section.name == "Match" for document in documents for section in document.sections):
        return ()
    dhcp = (unit_file.value(documents, "Network", "DHCP") or "no").lower()
    is_unmanaged = _is_true(unit_file.value(documents, "Link", "Unmanaged"))
    activation = unit_file.value(documents, "Link", "ActivationPolicy") or "up"
    return (
        Connection(
            kind=_kind(documents, name),
            name=name,
            patterns=patterns,
            macs=macs,
            drivers=unit_file.words(documents, "Match", "Driver"),
            uppers=tuple(dict.fromkeys(word for key in _UPPERS for word in _words(documents, "Network", key))),
            is_automatic=not is_unmanaged and activation not in ("manual", "down", "always-down"),
            addresses=(*_words(documents, "Network", "Address"), *_words(documents, "Address", "Address")),
            gateways=(*_words(documents, "Network", "Gateway"), *_gateways(documents)),
            nameservers=_words(documents, "Network", "DNS"),
            uses_dhcp=dhcp in ("yes", "true", "on", "1", "y", "t", "both", "ipv4", "ipv6", "v4", "v6"),
        ),
    )


def _netdev(documents: tuple[Document, ...]) -> tuple[Connection, ...]:
    name = unit_file.value(documents, "NetDev", "Name")
    kind = unit_file.value(documents, "NetDev", "Kind")
    if name is None or kind is None:
        return ()
    return (Connection(kind=_KINDS.get(kind, "other"), name=name),)


def _link(documents: tuple[Document, ...]) -> tuple[Connection, ...]:
    name, patterns = _names(documents, "OriginalName")
    return (
        Connection(
            kind="link",
            name=unit_file.value(documents, "Link", "Name"),
            patterns=(*patterns, *([name] if name else ())),
            macs=_macs(documents),
            drivers=unit_file.words(documents, "Match", "Driver"),
        ),
    )


def _kind(documents: tuple[Document, ...], name: str | None) -> str:
    if name == "lo":
        return "loopback"
    types = unit_file.words(documents, "Match", "Type")
    drivers = unit_file.words(documents, "Match", "Driver")
    if drivers and set(drivers) <= {"tun", "veth", "bridge", "bonding", "dummy"}:
        return "other"
    if types == ("loopback",):
        return "loopback"
    if any(unit_file.words(documents, "Match", key) for key in _OTHER_MATCHES):
        return "other"
    if types:
        is_excluding = types[0].startswith("!")
        has_ether = "ether" in [word.lstrip("!") for word in types]
        return "other" if is_excluding == has_ether else "ethernet"
    return "ethernet"


def _names(documents: tuple[Document, ...], key: str) -> tuple[str | None, tuple[str, ...]]:
    """The one name that is asked for, or else all names and patterns."""
    found: list[str] = []
    for document in documents:
        for entry in document.entries("Match", key):
            if not entry.value:
                found = []
                continue
            is_excluding = entry.value.startswith("!")
            names = [word.value.lstrip("!") if not index else word.value for index, word in enumerate(entry.words)]
            found += ["!" + name if is_excluding else name for name in names if name]
    if len(found) == 1 and not is_pattern(found[0]) and not found[0].startswith("!"):
        return found[0], ()
    return None, tuple(found)


def _macs(documents: tuple[Document, ...]) -> tuple[str, ...]:
    found = [normal_mac(word) for key in _MAC_KEYS for word in unit_file.words(documents, "Match", key)]
    return tuple(dict.fromkeys(mac for mac in found if mac is not None))


def _words(documents: tuple[Document, ...], section: str, key: str) -> tuple[str, ...]:
    return unit_file.words(documents, section, key)


def _gateways(documents: tuple[Document, ...]) -> t.Iterator[str]:
    for document in documents:
        for section in document.sections:
            if section.name == "Route":
                values = {entry.key: entry.value for entry in section.entries}
                if values.get("Gateway") and values.get("Destination", "") in _DEFAULT_ROUTES:
                    yield values["Gateway"]


def _is_true(value: str | None) -> bool:
    return (value or "no").lower() in ("1", "yes", "y", "true", "t", "on")
