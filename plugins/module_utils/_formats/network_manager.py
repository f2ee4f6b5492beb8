# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles of NetworkManager, nm-settings-keyfile(5), and its NetworkManager.conf(5) as far as it names interfaces."""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError, MalformedError
from . import keyfile
from ._connection import Connection, Edit, check_name, normal_mac, with_edits
from ._lines import line_ending
from .keyfile import Document, parse, render

__all__ = [
    "Document",
    "connections",
    "identity",
    "parse",
    "render",
    "with_name_for_mac",
    "with_renamed",
    "with_secrets_hidden",
]

_ETHERNET = ("ethernet", "802-3-ethernet")
_KINDS = {"802-3-ethernet": "ethernet", **{kind: kind for kind in ("ethernet", "vlan", "bridge", "bond", "loopback")}}
# Settings whose value is an interface's name (some take a profile's UUID as well).
_NAMES = frozenset(
    [
        *(("connection", key) for key in ("interface-name", "master", "controller")),
        *((group, "interface-name") for group in ("vlan", "bridge", "bond", "team", "match")),
        *((group, "parent") for group in ("vlan", "macvlan", "vxlan", "ip-tunnel", "macsec", "ipvlan", "pppoe")),
        *(("bond", key) for key in ("primary", "active_slave")),
    ]
)
# Of NetworkManager.conf: selectors of devices, separated by semicolons or commas.
_LISTS_OF_DEVICES = ("unmanaged-devices", "match-device", "ignore-carrier", "assume-ipv6ll-only", "no-auto-default")
_SELECTOR = re.compile(r"((?:except:)?interface-name:=?)(.*)", re.DOTALL)
_SECRET = re.compile(r"(?:.*-)?(?:password|psk|pin|secret|wep-key\d?|private-key|preshared-key|mka-cak|leap-password)")
_OCTETS = re.compile(r"\d{1,3}(?:;\d{1,3}){5};?")
_DEFAULT_ROUTES = ("0.0.0.0/0", "::/0")


def connections(document: Document) -> tuple[Connection, ...]:
    """The one connection of a profile; none for a file that is no profile. One of a port names its bridge or bond in
    uppers, as written: a name, or the UUID of another profile.

    MalformedError when NetworkManager does not take the file.
    """
    if document.refused_line is not None:
        raise MalformedError(
            "a line is neither a group, a key with its value nor a comment, so NetworkManager does not take the file",
            line=document.refused_line,
        )
    type_of = keyfile.value([document], "connection", "type")
    if type_of is None:
        return ()
    kind = _KINDS.get(type_of.strip(), "other")
    owners = [_text(document, "connection", key) for key in ("controller", "master")]
    parents = [_text(document, kind, "parent")] if kind == "vlan" else []
    matched = keyfile.items(document, "match", "interface-name")
    is_started = (_text(document, "connection", "autoconnect") or "true").lower() not in ("false", "no", "0", "off")
    addresses, gateways = _addresses(document)
    # what NetworkManager takes for a method that is not there
    ipv4 = _text(document, "ipv4", "method") or (
        "auto" if kind != "other" and not addresses and not any(owners) else ""
    )
    return (
        Connection(
            kind=kind,
            name=_text(document, "connection", "interface-name") or _text(document, type_of.strip(), "interface-name"),
            patterns=tuple([name.lstrip("&|") for name in matched]),
            macs=tuple([mac for mac in map(_mac, _mac_entries(document)[-1:]) if mac is not None]),
            drivers=keyfile.items(document, "match", "driver"),
            lowers=tuple([parent for parent in parents if parent]),
            uppers=tuple(dict.fromkeys(owner for owner in owners if owner)),
            is_automatic=is_started,
            addresses=addresses,
            gateways=gateways,
            nameservers=(*keyfile.items(document, "ipv4", "dns"), *keyfile.items(document, "ipv6", "dns")),
            uses_dhcp=ipv4 == "auto" or _text(document, "ipv6", "method") == "dhcp",
        ),
    )


def identity(document: Document) -> str | None:
    """The UUID of a profile, by which others may name it."""
    return _text(document, "connection", "uuid")


def with_renamed(document: Document, old: str, new: str) -> Document:
    """The document with an interface renamed wherever a setting names it, "interface-name:" in NetworkManager.conf too.

    GuestError when new cannot be a name, or is named here already.
    """
    check_name(new)
    if old == new:
        return document
    edits: list[Edit] = []
    taken: list[int] = []
    for section in document.sections:
        for entry in section.entries:
            for place, name in _named(section.name, entry):
                if name == old:
                    edits.append((place, place + len(old), new))
                elif name == new:
                    taken.append(entry.line)
    if edits and taken:
        raise GuestError(
            f"{old} and {new} are both named here; renamed, they would become one interface",
            line=taken[0],
            hint=f"remove or rename {new} first",
        )
    return parse(with_edits(document.text, edits)) if edits else document


def with_name_for_mac(document: Document, mac: str, name: str) -> Document:
    """The profile that is for the interface of that name and not for the adapter with that address; unchanged when
    it is not for that address. A name that it asked for before is replaced; a cloned-mac-address stays."""
    check_name(name)
    wanted = normal_mac(mac)
    matching = _mac_entries(document)
    if wanted is None or not matching or _mac(matching[-1]) != wanted:
        return document
    edits: list[Edit] = [(entry.start, entry.end, "") for entry in matching]
    present = [entry for entry in document.entries("connection", "interface-name") if entry.value]
    if present:
        edits += [(*entry.pieces[0], name) for entry in present]
    else:
        heads = [*document.entries("connection", "type"), *document.entries("connection", "id")]
        if not heads:
            raise GuestError("the profile has no [connection] with a type, so no interface's name can be added to it")
        place = heads[0].end
        ending = line_ending(document.text)
        missing = "" if document.text[:place].endswith("\n") else ending
        edits.append((place, place, f"{missing}interface-name={name}{ending}"))
    return parse(with_edits(document.text, edits))


def with_secrets_hidden(document: Document) -> Document:
    """The document with every password, key and PIN in it replaced, to be shown."""
    return parse(
        with_edits(
            document.text,
            [
                (*entry.pieces[0], "(hidden)")
                for section in document.sections
                for entry in section.entries
                if entry.value and _SECRET.fullmatch(entry.key)
            ],
        )
    )


def _text(document: Document, section: str, key: str) -> str | None:
    found = keyfile.value([document], section, key)
    return (found.strip() or None) if found is not None else None


def _mac_entries(document: Document) -> list[keyfile.Entry]:
    """The last one counts; a profile has one of the two groups."""
    return [entry for group in _ETHERNET for entry in document.entries(group, "mac-address")]


def _mac(entry: keyfile.Entry) -> str | None:
    """The address, which old profiles write as six decimal numbers."""
    value = entry.value.strip()
    if _OCTETS.fullmatch(value):
        octets = [int(octet) for octet in value.rstrip(";").split(";")]
        return normal_mac(":".join([f"{octet:02x}" for octet in octets]))
    return normal_mac(value)


def _addresses(document: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    addresses: list[str] = []
    gateways: list[str] = []
    for section in document.sections:
        if section.name not in ("ipv4", "ipv6"):
            continue
        for entry in section.entries:
            if re.fullmatch(r"address(?:es)?\d*", entry.key) and entry.value.strip():
                found, gateway = _address(entry.value.strip())
                addresses += [found]
                gateways += [gateway] if gateway else []
            elif entry.key == "gateway" and entry.value.strip():
                gateways.append(entry.value.strip())
            elif re.fullmatch(r"routes?\d*", entry.key):
                destination, *rest = re.split("[,;]", entry.value.strip())
                gateways += [rest[0]] if destination in _DEFAULT_ROUTES and rest and rest[0] else []
    return tuple(dict.fromkeys(addresses)), tuple(dict.fromkeys(gateways))


def _address(value: str) -> tuple[str, str | None]:
    """(address/prefix, gateway) of "192.0.2.10/24,192.0.2.1" or of the older "192.0.2.10;24;192.0.2.1;"."""
    fields = re.split("[,;]", value)
    if "/" in fields[0]:
        return fields[0], (fields[1:2] or [""])[0] or None
    prefix = f"/{fields[1]}" if len(fields) > 1 and fields[1] else ""
    return fields[0] + prefix, (fields[2:3] or [""])[0] or None


def _named(section: str, entry: keyfile.Entry) -> t.Iterator[tuple[int, str]]:
    """(place, name) of each interface that an assignment names."""
    for word in entry.words:
        if (section, entry.key) in _NAMES:
            name = word.value.lstrip("&|!") if section == "match" else word.value
            yield word.end - len(name), name
        elif entry.key.rstrip("+-") in _LISTS_OF_DEVICES:
            place = word.start
            for part in word.value.split(","):
                match = _SELECTOR.fullmatch(part)
                if match:
                    yield place + match.start(2), match.group(2)
                place += len(part) + 1
