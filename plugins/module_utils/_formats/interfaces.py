# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""interfaces(5), the configuration of ifupdown, read as ifupdown's config.c reads it.

Words of ifupdown2 and ifupdown-ng (template, iface without a family, inherit) are understood as well.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError
from ._connection import Connection, check_name, is_pattern, matches_glob, normal_mac, with_edits
from ._lines import split_lines

_SPACE = " \t\n\v\f\r"
# A backslash before the end of a line joins the next one to it, also in the middle of a word.
_WORD = re.compile(rf"(?:\\\n|[^{_SPACE}])+")
_COMMANDS = ("pre-up", "up", "post-up", "pre-down", "down", "post-down")
_LISTS_OF_NAMES = frozenset(["mapping", "auto", "allow", "no-auto-down", "no-scripts", "rename"])
_KEYWORDS = frozenset(["iface", "template", "source", *_LISTS_OF_NAMES - {"allow"}])
# Options whose value names interfaces, from the manual pages of bridge-utils, ifenslave, vlan, ifupdown-ng,
# ifupdown2 and Open vSwitch; dash and underscore are the same there.
_OPTIONS_WITH_NAMES = frozenset(
    [
        *("vlan_raw_device", "raw_device", "bridge_ports", "bridge_hw", "bridge_portprio", "bridge_pathcost"),
        *("bridge_waitport", "bond_slaves", "slaves", "bond_members", "bond_primary", "bond_master", "vrf_member"),
        *("vxlan_physdev", "tunnel_dev", "tunnel_physdev", "macvlan_raw_device", "requires", "inherit", "inherits"),
        *("ovs_bridge", "ovs_ports", "ovs_bonds"),
    ]
)
# Methods that make an interface of their own, or use one of another kind.
_OTHER_METHODS = frozenset(["ppp", "wvdial", "tunnel", "v4tunnel", "6to4"])
_MAX_PATTERNS = 20  # on auto lines; each is tried for each interface


class Word(t.NamedTuple):
    """A word without the line ends inside it, and its place in the text."""

    value: str
    start: int
    end: int


class Statement(t.NamedTuple):
    """One logical line that is neither blank nor a comment; continued lines are joined.

    kind: "iface", "template", "mapping", "auto", "allow", "no-auto-down", "no-scripts", "rename", "source",
    "source-directory", "option" (of the iface, template or mapping above it), or "misplaced" (an option of nothing,
    which ifupdown refuses). value is what follows the first word. line counts from 1.
    """

    kind: str
    words: tuple[Word, ...]
    value: str
    line: int

    @property
    def name(self) -> str:
        """The first word: "iface", "allow-hotplug", an option's name."""
        return self.words[0].value

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words behind the first."""
        return tuple([word.value for word in self.words[1:]])


@dataclasses.dataclass(frozen=True)
class Interface:
    """An iface (or template) stanza: one family of one interface, or a pattern of names ("/eth*")."""

    statement: Statement
    name: str
    family: str | None
    method: str | None
    inherits: tuple[str, ...]
    options: tuple[Statement, ...]

    @property
    def is_template(self) -> bool:
        return self.statement.kind == "template"

    def values(self, option: str) -> tuple[str, ...]:
        """Every value of an option in order; dash and underscore in its name are the same."""
        return tuple([found.value for found in self.options if _folded(found.name) == _folded(option)])

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.values("address")

    @property
    def commands(self) -> tuple[Statement, ...]:
        """The commands run around bringing it up and down."""
        return tuple([option for option in self.options if option.name in _COMMANDS])


@dataclasses.dataclass(frozen=True)
class Mapping:
    """A mapping stanza: names or patterns, and its script and map options."""

    statement: Statement
    patterns: tuple[str, ...]
    options: tuple[Statement, ...]


@dataclasses.dataclass(frozen=True)
class Document:
    text: str
    statements: tuple[Statement, ...]
    interfaces: tuple[Interface, ...]
    mappings: tuple[Mapping, ...]


class Mention(t.NamedTuple):
    """A place in a command where an interface's name stands.

    is_word: the name, its VLAN or its alias is a shell word by itself; not so in net.ipv4.conf.eth0.forwarding.
    """

    statement: Statement
    start: int
    end: int
    is_word: bool


def parse(text: str) -> Document:
    """A configuration; what ifupdown refuses is kept as a "misplaced" statement."""
    statements: list[Statement] = []
    inside = False
    for line, start, end in _logical_lines(text):
        words = tuple(_words(text, start, end))
        if not words:
            continue
        kind = _kind(words[0].value)
        if kind == "option":
            kind = "option" if inside else "misplaced"
        else:
            inside = kind in ("iface", "template", "mapping")
        value = text[words[1].start : words[-1].end].replace("\\\n", "") if len(words) > 1 else ""
        statements.append(Statement(kind, words, value, line))
    return Document(text, tuple(statements), *_stanzas(statements))


def render(document: Document) -> str:
    return document.text


def sources(document: Document) -> tuple[Statement, ...]:
    """The source and source-directory lines; value is the pattern, relative to the directory of this file."""
    return tuple([statement for statement in document.statements if statement.kind.startswith("source")])


def started_at_boot(document: Document) -> tuple[str, ...]:
    """The names on auto lines, and on the lines of allow-hotplug and allow-auto."""
    lines = [found for found in document.statements if found.name in ("auto", "allow-auto", "allow-hotplug")]
    return tuple([name for found in lines for name in found.arguments])


def named(document: Document, name: str) -> tuple[Interface, ...]:
    """The stanzas of an interface, one for each family it has."""
    return tuple([found for found in document.interfaces if found.name == name and not found.is_template])


def mentions(document: Document, name: str) -> tuple[Mention, ...]:
    """Where the commands of the stanzas speak of an interface by its name."""
    return tuple(_mentions(document, name))


def with_renamed(document: Document, old: str, new: str, *, commands: bool = False) -> Document:
    """The configuration with an interface renamed wherever this grammar names it, its aliases and VLANs too.

    In commands (up, down ...) it is renamed only when commands is true, and only where it is a shell word by itself;
    mentions() lists the others. Raises GuestError when new cannot be a name, or is taken by another stanza already.
    """
    check_name(new)
    if old == new:
        return document
    renamed = [(word, _renamed(word.value, old, new)) for word in _names(document)]
    edits = [(word.start, word.end, name) for word, name in renamed if word.value != name]
    if commands:
        edits += [(found.start, found.end, new) for found in _mentions(document, old) if found.is_word]
    if not edits:
        return document
    if named(document, old) and named(document, new):
        raise GuestError(
            f"the network configuration has stanzas for {old} and for {new}; renamed, they would become one interface",
            line=named(document, new)[0].statement.line,
            hint=f"remove or rename the stanza of {new} first",
        )
    return parse(with_edits(document.text, edits))


def connections(document: Document) -> tuple[Connection, ...]:
    """What the stanzas configure, one for each interface with all its families; templates are none.

    An alias (eth0:1) is C(other) on top of its interface. What is started at boot is automatic.
    """
    started = _Started.of(started_at_boot(document))
    by_name: dict[str, list[Interface]] = {}
    for found in document.interfaces:
        if not found.is_template:
            by_name.setdefault(found.name, []).append(found)
    return tuple([_connection(name, stanzas, started) for name, stanzas in by_name.items()])


def _logical_lines(text: str) -> t.Iterator[tuple[int, int, int]]:
    """(number, start, end) of each line that is no comment, with the lines that are joined to it."""
    lines = split_lines(text)
    index = 0
    start = 0
    while index < len(lines):
        number = index + 1
        end = start + len(lines[index])
        # A comment is not continued; a line that continues another is part of it, even when it begins with #.
        content = lines[index].lstrip(_SPACE)
        if content and not content.startswith("#"):
            while lines[index].endswith("\\\n") and index + 1 < len(lines):
                index += 1
                end += len(lines[index])
            yield number, start, end
        index += 1
        start = end


def _words(text: str, start: int, end: int) -> t.Iterator[Word]:
    for match in _WORD.finditer(text, start, end):
        source = match.group()
        if "\\\n" not in source:
            yield Word(source, match.start(), match.end())
            continue
        skipped = 0
        while source.startswith("\\\n", skipped):
            skipped += 2
        if skipped < len(source):
            yield Word(source.replace("\\\n", ""), match.start() + skipped, match.end())


def _kind(first: str) -> str:
    if first in _KEYWORDS:
        return first
    if first.startswith("source-dir"):
        return "source-directory"
    return "allow" if first.startswith("allow-") and len(first) > len("allow-") else "option"


def _stanzas(statements: list[Statement]) -> tuple[tuple[Interface, ...], tuple[Mapping, ...]]:
    interfaces: list[Interface] = []
    mappings: list[Mapping] = []
    index = 0
    while index < len(statements):
        head = statements[index]
        index += 1
        first = index
        while index < len(statements) and statements[index].kind == "option":
            index += 1
        options = tuple(statements[first:index])
        if head.kind == "mapping":
            mappings.append(Mapping(head, head.arguments, options))
        elif head.kind in ("iface", "template") and head.arguments:
            interfaces.append(_interface(head, options))
    return tuple(interfaces), tuple(mappings)


def _interface(head: Statement, options: tuple[Statement, ...]) -> Interface:
    name, *rest = head.arguments
    place = rest.index("inherits") if "inherits" in rest else len(rest)
    inherits = [*rest[place + 1 : place + 2]]
    inherits += [name for option in options if option.name in ("inherit", "inherits") for name in option.arguments]
    family = rest[0] if place > 0 else None
    method = rest[1] if place > 1 else None
    return Interface(head, name, family, method, tuple(inherits), options)


def _folded(option: str) -> str:
    return option.replace("-", "_")


def _names(document: Document) -> t.Iterator[Word]:
    """Every word that names interfaces."""
    for statement in document.statements:
        words = statement.words
        if statement.kind in ("iface", "template"):
            yield from words[1:2]
            for index, word in enumerate(words[2:-1], 2):
                if word.value == "inherits":
                    yield words[index + 1]
                    break
        elif statement.kind in _LISTS_OF_NAMES or (statement.kind == "option" and _takes_names(statement.name)):
            yield from words[1:]


def _takes_names(option: str) -> bool:
    return option == "map" or _folded(option) in _OPTIONS_WITH_NAMES


def _renamed(value: str, old: str, new: str) -> str:
    # "physical=logical" stands on auto and allow lines and on rename lines; a pattern is no name.
    return "=".join([_renamed_one(part, old, new) for part in value.split("=")])


def _renamed_one(name: str, old: str, new: str) -> str:
    rest = name[len(old) :]
    if name.startswith(old) and re.fullmatch(r"(?:\.[0-9]+)*(?::[^=]*)?", rest):
        return new + rest
    return name


def _mentions(document: Document, name: str) -> t.Iterator[Mention]:
    pattern = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_-])")
    suffix = re.compile(r"(?:\.[0-9]+)*(?::[A-Za-z0-9_]+)?")
    word = re.compile(r"[\s;|&()<>\"'=,]")
    for found in document.interfaces:
        for statement in found.commands:
            for part in statement.words[1:]:
                for match in pattern.finditer(document.text, part.start, part.end):
                    before = document.text[match.start() - 1]
                    rest = t.cast("re.Match[str]", suffix.match(document.text, match.end(), part.end))
                    behind = document.text[rest.end() : rest.end() + 1]
                    is_word = bool(word.match(before)) and (not behind or bool(word.match(behind)))
                    yield Mention(statement, match.start(), match.end(), is_word)


class _Started(t.NamedTuple):
    """What is started at boot: names, patterns, and the interface that is brought up as another one."""

    names: frozenset[str]
    patterns: tuple[str, ...]
    physical: dict[str, str]  # "auto eth0=home": eth0 by home

    @classmethod
    def of(cls, entries: tuple[str, ...]) -> _Started:
        chosen = [entry.partition("=") for entry in dict.fromkeys(entries)]
        return cls(
            frozenset([selector for selector, separator, _logical in chosen if not separator]),
            tuple([selector[1:] for selector, separator, _logical in chosen if not separator and selector[0] == "/"]),
            {logical: selector for selector, separator, logical in reversed(chosen) if separator},
        )

    def has(self, logical: str) -> bool:
        return (
            logical in self.names
            or logical in self.physical
            or any(matches_glob(logical, pattern) for pattern in self.patterns[:_MAX_PATTERNS])
        )


def _connection(logical: str, stanzas: list[Interface], started: _Started) -> Connection:
    def words(*options: str) -> tuple[str, ...]:
        return tuple(
            [word for found in stanzas for option in options for text in found.values(option) for word in text.split()]
        )

    name, patterns, mac = _selected(started.physical.get(logical, logical))
    kind, lowers = _lowers(name or logical, words)
    if any(found.method == "loopback" for found in stanzas) or name == "lo":
        kind = "loopback"
    elif kind == "ethernet" and any(found.family == "can" or found.method in _OTHER_METHODS for found in stanzas):
        kind = "other"
    is_dhcp = [found.method == "dhcp" or found.values("dhcp")[-1:] == ("1",) for found in stanzas]
    return Connection(
        kind=kind,
        name=name,
        patterns=patterns,
        macs=(mac,) if mac else (),
        lowers=lowers,
        uppers=words("bond-master"),
        is_automatic=started.has(logical),
        addresses=words("address"),
        gateways=words("gateway"),
        nameservers=words("dns-nameservers", "dns-nameserver"),
        uses_dhcp=any(is_dhcp),
    )


def _selected(selector: str) -> tuple[str | None, tuple[str, ...], str | None]:
    """Name, patterns and address of the adapters that are chosen."""
    if not selector.startswith("/"):
        return selector, (), None
    # /pattern, or /variable/value with a file of /sys/class/net; "mac" is short for its address
    variable, separator, value = selector[1:].partition("/")
    if not separator:
        return (None, (variable,), None) if is_pattern(variable) else (variable, (), None)
    return None, () if variable in ("mac", "address") else (variable,), normal_mac(value.split("/", 1)[0])


def _lowers(name: str, words: t.Callable[..., tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    ports = words("bridge_ports")
    if ports:
        return "bridge", _names_only(ports)
    slaves = words("bond_slaves") or words("slaves") or words("bond_members")
    if slaves or words("bond_mode"):
        return "bond", _names_only(slaves)
    raw = words("vlan_raw_device") or words("raw_device")
    alias = name.partition(":")
    if alias[1]:
        return "other", (alias[0],)
    match = re.fullmatch(r"(.+)\.[0-9]+", name)
    if raw:
        return "vlan", raw
    if match:
        return "vlan", (match.group(1),)
    return "ethernet", ()


def _names_only(ports: tuple[str, ...]) -> tuple[str, ...]:
    """The names among bridge ports or bond slaves: not "none", "all", or what "regex" is followed by."""
    names = []
    previous = ""
    for port in ports:
        if port not in ("none", "all", "regex", "noregex", "glob") and previous not in ("regex", "glob"):
            names.append(port)
        previous = port
    return tuple(names)
