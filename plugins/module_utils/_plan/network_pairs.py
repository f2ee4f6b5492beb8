# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which adapter stands for which configured interface: by the operator's word, by address, or by order if there is no
choice."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError
from .._formats._connection import check_name, is_pattern, matches_glob, normal_mac
from . import network_rules
from .switch_model import Pair

if t.TYPE_CHECKING:
    from .._facts.model import ConfiguredConnection, GuestFacts, Nic

OLD_KINDS = ("xen", "legacy", "emulated", "virtio")
"""Kinds of adapters that a synthetic one takes the place of. Not virtual functions, nor what is passed through."""

_VIRTUAL_KINDS = ("vlan", "bridge", "bond", "loopback", "other")
_KERNEL_NAME = re.compile(r"eth\d+")


@dataclasses.dataclass(frozen=True)
class WantedPair:
    """What the operator says: the configured interface, by its name or the address of its adapter; the address of the
    synthetic adapter; the name that the configuration says afterwards."""

    source: str
    target: str | None = None
    name: str | None = None


@dataclasses.dataclass
class _Interface:
    """An interface that is configured, while its adapters are looked for."""

    name: str
    stack: str
    macs: list[str]  # of the adapter, as far as they are known from configuration
    uppers: tuple[str, ...] = ()
    wanted: WantedPair | None = None
    old: Nic | None = None
    synthetic: Nic | None = None
    by: str = ""

    @property
    def wanted_name(self) -> str:
        return self.wanted.name if self.wanted is not None and self.wanted.name is not None else self.name


def find(facts: GuestFacts, wanted: t.Sequence[WantedPair] = ()) -> tuple[Pair, ...]:
    """The pairs; () where no Ethernet adapter is configured.

    Raises GuestError where the operator's pairs do not fit the guest, and where nothing tells which adapter stands for
    which interface.
    """
    interfaces = _configured(facts)
    old = [nic for nic in facts.nics if nic.kind in OLD_KINDS]
    synthetic = [nic for nic in facts.nics if nic.kind == "synthetic"]
    _assign_wanted(interfaces, wanted, old)
    _find_old(interfaces, old)
    interfaces = _present(interfaces, old, synthetic)
    _find_synthetic(interfaces, synthetic)
    if not interfaces:
        return ()
    # while a synthetic adapter is there, the legacy ones step back
    hardware = synthetic or old
    is_ambiguous = max(len(interfaces), len(hardware)) > 1
    pairs = [_pair(facts, one, is_ambiguous=is_ambiguous) for one in interfaces]
    _refuse_kernel_names(pairs, hardware)
    return tuple(pairs)


def described(nics: t.Iterable[Nic]) -> str:
    """Adapters, as a message lists them."""
    return ", ".join([f"{nic.name} ({nic.kind}, {nic.mac})" for nic in nics]) or "none"


def _configured(facts: GuestFacts) -> list[_Interface]:
    """Every interface with hardware behind it, in the order of the configuration."""
    virtual = {found.connection.name for found in facts.connections if found.connection.kind in _VIRTUAL_KINDS}
    virtual |= {upper for found in facts.connections for upper in found.connection.uppers}
    foreign = {nic.name for nic in facts.nics if nic.kind not in (*OLD_KINDS, "synthetic")}
    interfaces: dict[str, _Interface] = {}

    def add(name: str, stack: str, macs: t.Iterable[str] = ()) -> None:
        if name in virtual or name in foreign or name == "lo" or name.startswith(network_rules.LEGACY_NAME):
            return
        found = interfaces.setdefault(name, _Interface(name, stack, []))
        found.macs += [mac for mac in macs if mac not in found.macs]

    for found in facts.connections:
        connection = found.connection
        if connection.kind == "ethernet":
            for name in _names(facts, found):
                add(name, found.stack, connection.macs)
        elif connection.kind != "link":
            for name in connection.lowers:
                add(name, found.stack)
    for mac, name in _known_addresses(facts):
        if name in interfaces:
            add(name, "", [mac])
    for one in interfaces.values():
        one.uppers = _uppers(facts, one.name)
    return list(interfaces.values())


def _names(facts: GuestFacts, found: ConfiguredConnection) -> t.Iterator[str]:
    """The names of the adapters that a connection is for: those it says, or those that its match finds."""
    connection = found.connection
    if connection.name is not None:
        yield connection.name
        return
    nics = [nic for nic in facts.nics if nic.kind in (*OLD_KINDS, "synthetic")]
    if connection.macs:
        named = dict(_known_addresses(facts))
        named.update({nic.mac: nic.name for nic in nics if nic.mac is not None})
        named = named if nics else {**_new_names(facts), **named}
        yield from [named[mac] for mac in connection.macs if mac in named]
        return
    if not connection.patterns:
        return  # for whatever adapter there is
    if nics:
        yield from [nic.name for nic in nics if _fits(nic.name, connection.patterns)]
    elif not _fits("eth0", connection.patterns):
        yield from [name for name in [_example(connection.patterns)] if name is not None]


def _new_names(facts: GuestFacts) -> dict[str, str]:
    """For every address by which an adapter is matched a name, where the configuration has none and gets one."""
    macs = [
        mac
        for found in facts.connections
        if found.connection.kind == "ethernet" and found.connection.name is None
        for mac in found.connection.macs
    ]
    return {mac: f"net{index}" for index, mac in enumerate(dict.fromkeys(macs))}


def _fits(name: str, patterns: t.Sequence[str]) -> bool:
    is_fitting = all(pattern.startswith("!") for pattern in patterns)
    for pattern in patterns:
        if pattern.startswith("!"):
            if matches_glob(name, pattern[1:]):
                return False
        elif matches_glob(name, pattern):
            is_fitting = True
    return is_fitting


def _example(patterns: t.Sequence[str]) -> str | None:
    """A name that fits, where no adapter can be looked at: that of Xen's first one if it does."""
    candidates = ["enX0"]
    for pattern in patterns:
        plain = re.sub(r"\[(?!!)(.)[^]]*\]", r"\1", pattern.replace("?", "0").replace("*", "0"))
        candidates += [plain] if not pattern.startswith("!") and not is_pattern(plain) else []
    return next((name for name in candidates if _fits(name, patterns)), None)


def _known_addresses(facts: GuestFacts) -> t.Iterator[tuple[str, str]]:
    """(address, name) of every adapter that the configuration names by its address."""
    yield from network_rules.names_by_mac(facts.network)
    for naming in network_rules.given(facts.network):
        for mac in naming.macs:
            yield mac, naming.name
    for found in facts.connections:
        if found.connection.kind == "link" and found.connection.name is not None:
            for mac in found.connection.macs:
                yield mac, found.connection.name


def _uppers(facts: GuestFacts, name: str) -> tuple[str, ...]:
    """What is made of an interface, the lowest first."""
    found: dict[str, None] = {}
    todo = [name]
    while todo:
        lower = todo.pop(0)
        for entry in facts.connections:
            connection = entry.connection
            uppers = [connection.name] if lower in connection.lowers else []
            uppers += connection.uppers if connection.name == lower else ()
            for upper in uppers:
                if upper is not None and upper not in found and upper != name:
                    found[upper] = None
                    todo.append(upper)
    return tuple(found)


def _assign_wanted(interfaces: list[_Interface], wanted: t.Sequence[WantedPair], old: t.Sequence[Nic]) -> None:
    targets: set[str] = set()
    taken = {one.name for one in interfaces} | {upper for one in interfaces for upper in one.uppers}
    for pair in wanted:
        one = _meant(interfaces, pair, old)
        if one is None:
            raise GuestError(
                f"pairs: {pair.source} is not configured here: neither a name in the network configuration, nor the "
                f"address of one. Configured: {', '.join([one.name for one in interfaces]) or 'none'}",
                hint="Name one of these interfaces, or give the address of its adapter.",
            )
        if one.wanted is not None:
            raise GuestError(f"pairs: {one.name} is named twice", hint="Name each interface once.")
        target = None
        if pair.target is not None:
            target = normal_mac(pair.target)
            if target is None:
                raise GuestError(f"pairs: {pair.target!r} is no address of an adapter", hint="As 00:15:5d:01:02:03.")
            if target in targets:
                raise GuestError(f"pairs: two interfaces are to have the adapter {target}", hint="Give each its own.")
            targets.add(target)
        if pair.name is not None and pair.name != one.name:
            check_name(pair.name)
            if pair.name in taken or pair.name == "lo" or pair.name.startswith(network_rules.LEGACY_NAME):
                raise GuestError(f"pairs: the name {pair.name} is taken already", hint="Choose another.")
            if re.search(r"[^A-Za-z0-9_.-]", pair.name) or pair.name.isdigit():
                raise GuestError(f"pairs: the name {pair.name!r} is none that udev gives", hint="Letters, digits, _.-")
            taken.add(pair.name)
        one.wanted = dataclasses.replace(pair, target=target)


def _meant(interfaces: list[_Interface], pair: WantedPair, old: t.Sequence[Nic]) -> _Interface | None:
    mac = normal_mac(pair.source)
    adapter = next((nic for nic in old if pair.source == nic.name or (mac is not None and mac == nic.mac)), None)
    for one in interfaces:
        if one.name == pair.source or (mac is not None and mac in one.macs):
            return one
        if adapter is not None and (one.name == adapter.name or adapter.mac in one.macs):
            return one
    if pair.name is not None:  # the configuration says the new name already
        return next((one for one in interfaces if one.name == pair.name), None)
    return None


def _find_old(interfaces: list[_Interface], old: t.Sequence[Nic]) -> None:
    left = list(old)
    for fits in (lambda one, nic: nic.name == one.name, lambda one, nic: nic.mac in one.macs):
        for one in interfaces:
            if one.old is None:
                one.old = next((nic for nic in left if fits(one, nic)), None)
                left = [nic for nic in left if nic is not one.old]


def _present(interfaces: list[_Interface], old: list[Nic], synthetic: list[Nic]) -> list[_Interface]:
    """Without the interfaces that are configured, and have no adapter while every adapter has its interface: they were
    left behind when an adapter was taken away."""
    if not old and not synthetic:
        return interfaces
    unused = [nic for nic in old if not any(one.old is nic for one in interfaces)]
    homeless = [one for one in interfaces if one.old is None and not _is_known(one, synthetic)]
    if len(unused) == 1 and len(homeless) == 1 and not unused[0].name.startswith(network_rules.LEGACY_NAME):
        homeless[0].old = unused[0]
        return interfaces
    others = [one for one in interfaces if one not in homeless]
    free = [nic for nic in synthetic if not any(_is_known(one, [nic]) for one in others)]
    waiting = [one for one in others if one.old is not None and not _is_known(one, synthetic)]
    if others and not unused and len(free) <= len(waiting):
        return others
    return interfaces


def _is_known(one: _Interface, synthetic: t.Sequence[Nic]) -> bool:
    macs = [*one.macs, *([one.wanted.target] if one.wanted is not None and one.wanted.target is not None else [])]
    return any(nic.name in (one.name, one.wanted_name) or nic.mac in macs for nic in synthetic)


def _find_synthetic(interfaces: list[_Interface], synthetic: list[Nic]) -> None:
    left = list(synthetic)

    def assign(one: _Interface, by: str, found: Nic | None) -> None:
        if found is not None:
            one.synthetic, one.by = found, by
            left.remove(found)

    for one in interfaces:
        target = one.wanted.target if one.wanted is not None else None
        if target is not None:
            one.by = "operator"
            assign(one, "operator", next((nic for nic in left if nic.mac == target), None))
            if one.synthetic is None and synthetic:
                raise GuestError(
                    f"pairs: there is no synthetic adapter {target}. Synthetic adapters: {described(synthetic)}",
                    hint="Give the address of one of them, or attach it first.",
                )
    for one in [one for one in interfaces if not one.by]:
        macs = [*one.macs, *([one.old.mac] if one.old is not None and one.old.mac is not None else [])]
        assign(one, "mac", next((nic for nic in left if nic.mac in macs), None))
    for one in [one for one in interfaces if not one.by and one.old is None]:
        assign(one, "name", next((nic for nic in left if nic.name in (one.name, one.wanted_name)), None))
    waiting = [one for one in interfaces if not one.by]
    if len(waiting) == 1 and len(left) == 1:
        assign(waiting[0], "order", left[0])
    elif waiting and left:
        raise GuestError(
            "nothing tells which adapter stands for which interface. Configured: "
            f"{', '.join([one.name + (f' ({one.old.mac})' if one.old else '') for one in waiting])}. "
            f"Synthetic adapters: {described(left)}",
            hint="Say it: pairs, with from (the interface) and to (the address of its synthetic adapter) for each; or "
            "give the synthetic adapters the addresses of the old ones.",
        )
    elif len(waiting) == 1 and len(interfaces) == 1:
        waiting[0].by = "order"


def _pair(facts: GuestFacts, one: _Interface, *, is_ambiguous: bool) -> Pair:
    macs = _addresses(facts, one, is_ambiguous=is_ambiguous)
    return Pair(
        configured=one.name,
        name=one.wanted_name,
        stack=one.stack,
        old=one.old,
        synthetic=one.synthetic,
        by=one.by or "mac",
        macs=macs,
        uppers=one.uppers,
    )


def _addresses(facts: GuestFacts, one: _Interface, *, is_ambiguous: bool) -> tuple[str, ...]:
    """By which udev tells the adapters of this interface from others; () where there are no others. What was once told
    by its address stays so: an adapter that is not there today may come back."""
    given = {naming.name: naming.macs for naming in network_rules.given(facts.network)}
    before = given.get(one.wanted_name, ())
    if not is_ambiguous and not before:
        return ()
    adapters = [one.synthetic.mac if one.synthetic is not None else None, one.old.mac if one.old is not None else None]
    target = one.wanted.target if one.wanted is not None else None
    found = [mac for mac in (target, *adapters, *before, *one.macs) if mac is not None]
    if not found:
        raise GuestError(
            f"there are several adapters, and the address of {one.name} is not known",
            hint="Say in pairs which address its synthetic adapter has or will have (to), or run this on the guest "
            "while it is up.",
        )
    return tuple(dict.fromkeys(found))


def _refuse_kernel_names(pairs: t.Sequence[Pair], hardware: t.Sequence[Nic]) -> None:
    if max(len(pairs), len(hardware)) < 2:
        return
    if all(pair.old is None and pair.synthetic is not None and pair.synthetic.name == pair.name for pair in pairs):
        return  # everything is in its place
    names = [pair.name for pair in pairs if _KERNEL_NAME.fullmatch(pair.name)]
    if names:
        raise GuestError(
            f"there are several adapters, and the kernel itself gives out names such as {names[0]}, in an order that "
            "nobody knows before: udev cannot swap them safely",
            hint="Give each of these interfaces a name of its own: pairs, with from and name (lan0, lan1 ...). "
            f"Concerned: {', '.join(names)}.",
        )
