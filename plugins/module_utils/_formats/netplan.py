# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan(5). An id is the interface's name where there is no C(match); several files make one configuration."""

from __future__ import annotations

import typing as t

from .._errors import GuestError, MalformedError
from . import yaml_tree
from ._connection import Connection, Edit, check_name, is_pattern, normal_mac, with_edits
from .yaml_tree import Document, Mapping, Node, Scalar, Sequence, parse, render

__all__ = [
    "Document",
    "by_id",
    "connections",
    "parse",
    "render",
    "with_name_for_mac",
    "with_renamed",
]

_KINDS = {
    "ethernets": "ethernet",
    "vlans": "vlan",
    "bridges": "bridge",
    "bonds": "bond",
    **dict.fromkeys(
        ("wifis", "modems", "tunnels", "vrfs", "dummy-devices", "virtual-ethernets", "nm-devices"), "other"
    ),
}
_MATCHED = ("ethernets", "wifis", "modems")
_DEFAULT_ROUTES = ("default", "0.0.0.0/0", "::/0")


def connections(document: Document, *later: Document) -> tuple[Connection, ...]:
    """What one or more files configure together: one connection for each id."""
    return tuple(by_id(document, *later).values())


def by_id(document: Document, *later: Document) -> dict[str, Connection]:
    """The connections by their ids, in the order in which these appear. Of files the later ones, by name, override and
    add.

    lowers are names where an id has one: what is made of an adapter that only its address or a pattern tells is left
    without.
    """
    merged: dict[str, t.Any] = {}
    for found in (document, *later):
        for network in _networks(found):
            _merge(merged, _plain(network))
    devices: dict[str, tuple[str, dict[str, t.Any]]] = {}
    for group, kind in _KINDS.items():
        for name, definition in _mapping(merged.get(group)).items():
            devices[name] = (kind, _mapping(definition))
    appearing = dict.fromkeys(name.value for found in (document, *later) for _group, name, _node in _definitions(found))
    matches = {name: _match(name, definition) for name, (_kind, definition) in devices.items()}
    names = {name: match[0] for name, match in matches.items()}
    return {name: _connection(*devices[name], matches[name], names) for name in appearing if name in devices}


def with_renamed(document: Document, old: str, new: str) -> Document:
    """The document with an interface renamed: its id, set-name, the name it is matched by, and every reference.

    GuestError when new cannot be a name, or is named here already.
    """
    check_name(new)
    if old == new:
        return document
    named = list(_names(document))
    taken = [scalar for scalar in named if scalar.value == new]
    edits = [(found.start, found.end, yaml_tree.written(new, found.style)) for found in named if found.value == old]
    if edits and taken:
        raise GuestError(
            f"{old} and {new} are both named here; renamed, they would become one interface",
            line=document.text.count("\n", 0, taken[0].start) + 1,
            hint=f"remove or rename {new} first",
        )
    return _edited(document, edits)


def with_name_for_mac(document: Document, mac: str, name: str) -> Document:
    """The document in which a match by that address is one by that name, and by nothing else; unchanged when there is
    none."""
    check_name(name)
    wanted = normal_mac(mac)
    edits: list[Edit] = []
    for group, _name, definition in _definitions(document):
        if group not in _MATCHED or not isinstance(definition, Mapping):
            continue
        for match in definition.values("match"):
            if isinstance(match, Mapping):
                edits += _name_edits(document.text, match, wanted, name)
    return _edited(document, edits)


def _edited(document: Document, edits: list[Edit]) -> Document:
    return parse(with_edits(document.text, edits)) if edits else document


def _name_edits(text: str, match: Mapping, mac: str | None, name: str) -> list[Edit]:
    addresses = [
        (key, value)
        for key, value in match.pairs
        if key.value == "macaddress" and isinstance(value, Scalar) and normal_mac(value.value) == mac
    ]
    if mac is None or not addresses:
        return []
    key, value = addresses[0]
    edits = [
        (key.start, key.end, yaml_tree.written("name", key.style)),
        (value.start, value.end, yaml_tree.written(name, value.style)),
    ]
    kept = [found for found, _value in match.pairs].index(key)
    for index, (other, behind) in enumerate(match.pairs):
        if index == kept:
            continue
        if not match.is_flow:
            edits.append((text.rfind("\n", 0, other.start) + 1, text.find("\n", behind.end) + 1 or len(text), ""))
        elif index < kept:
            edits.append((other.start, match.pairs[index + 1][0].start, ""))
        else:
            edits.append((match.pairs[index - 1][1].end, behind.end, ""))
    return edits


def _networks(document: Document) -> t.Iterator[Mapping]:
    # libyaml is asked for the first document only
    for root in document.roots[:1]:
        if root is None or (isinstance(root, Scalar) and root.style in ("empty", "plain") and root.value in ("", "~")):
            continue
        if not isinstance(root, Mapping):
            raise MalformedError("the file is no mapping, so netplan does not take it", line=1)
        for network in root.values("network"):
            if isinstance(network, Mapping):
                yield network


def _definitions(document: Document) -> t.Iterator[tuple[str, Scalar, Node]]:
    """(group, id, definition) of every interface in the order of the text."""
    for network in _networks(document):
        for group, found in network.pairs:
            if group.value in _KINDS and isinstance(found, Mapping):
                for name, definition in found.pairs:
                    # the one key there that is no id
                    if name.value != "renderer":
                        yield group.value, name, definition


def _names(document: Document) -> t.Iterator[Scalar]:
    """Every scalar that names an interface."""
    for _group, name, definition in _definitions(document):
        yield name
        if not isinstance(definition, Mapping):
            continue
        for key, value in definition.pairs:
            if key.value in ("set-name", "link", "peer", "interfaces"):
                yield from _scalars(value)
            elif key.value == "match" and isinstance(value, Mapping):
                for found in value.values("name"):
                    yield from _scalars(found)
            elif key.value == "parameters" and isinstance(value, Mapping):
                yield from _names_in_parameters(value)


def _names_in_parameters(parameters: Mapping) -> t.Iterator[Scalar]:
    for key, value in parameters.pairs:
        if key.value == "primary":
            yield from _scalars(value)
        elif key.value in ("path-cost", "port-priority") and isinstance(value, Mapping):
            yield from [port for port, _cost in value.pairs]


def _scalars(node: Node) -> t.Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        yield from [item for item in node.items if isinstance(item, Scalar)]


def _plain(node: Node) -> t.Any:
    """Dictionaries, lists and strings."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    found: dict[str, t.Any] = {}
    for key, value in node.pairs:
        _merge(found, {key.value: _plain(value)})
    return found


def _merge(into: dict[str, t.Any], more: dict[str, t.Any]) -> None:
    """As netplan does: lists grow, mappings are merged, of single values the later one counts."""
    for key, value in more.items():
        present = into.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge(present, value)
        elif isinstance(present, list) and isinstance(value, list):
            present += value
        else:
            into[key] = value


def _match(identity: str, definition: dict[str, t.Any]) -> tuple[str | None, tuple[str, ...]]:
    """The name of the interface, and the patterns by which it is found."""
    new_name = _text(definition.get("set-name"))
    if "match" not in definition:
        return identity, ()
    match = _mapping(definition["match"])
    wanted = _text(match.get("name"))
    if wanted is None:
        # an empty match is for every adapter
        return new_name, () if match else ("*",)
    if is_pattern(wanted):
        return new_name, (wanted,)
    return new_name or wanted, (wanted,) if new_name not in (None, wanted) else ()


def _connection(
    kind: str, definition: dict[str, t.Any], found: tuple[str | None, tuple[str, ...]], names: dict[str, str | None]
) -> Connection:
    match = _mapping(definition.get("match"))
    mac = normal_mac(_text(match.get("macaddress")) or "")
    drivers = match.get("driver")
    lowers = [definition["link"]] if isinstance(definition.get("link"), str) and kind == "vlan" else []
    lowers += _list(definition.get("interfaces")) if kind != "ethernet" else []
    routes = [_mapping(route) for route in _list(definition.get("routes"))]
    gateways = [_text(definition.get(key)) for key in ("gateway4", "gateway6")]
    gateways += [_text(route.get("via")) for route in routes if route.get("to") in _DEFAULT_ROUTES]
    return Connection(
        kind="loopback" if found[0] == "lo" else kind,
        name=found[0],
        patterns=found[1],
        macs=(mac,) if mac else (),
        drivers=tuple([item for item in _list(drivers) or [drivers] if isinstance(item, str)]),
        lowers=tuple(
            dict.fromkeys(
                names[lower] or "" if lower in names else lower
                for lower in lowers
                if isinstance(lower, str) and (lower not in names or names[lower])
            )
        ),
        is_automatic=_text(definition.get("activation-mode")) is None,
        addresses=tuple(
            [
                name
                for item in _list(definition.get("addresses"))
                for name in (item if isinstance(item, dict) else [item])
            ]
        ),
        gateways=tuple(dict.fromkeys(gateway for gateway in gateways if gateway)),
        nameservers=tuple(
            [item for item in _list(_mapping(definition.get("nameservers")).get("addresses")) if isinstance(item, str)]
        ),
        uses_dhcp=any(_is_true(definition.get(key)) for key in ("dhcp4", "dhcp6")),
    )


def _mapping(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_true(value: t.Any) -> bool:
    return isinstance(value, str) and value.lower() in ("true", "yes", "on", "y", "1")
