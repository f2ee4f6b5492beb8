# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a configuration says of one interface, whichever program reads it, and edits of a text by place."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(?:([:-])[0-9a-fA-F]{1,2})(?:\1[0-9a-fA-F]{1,2}){4}")
_DOTTED_MAC = re.compile(r"[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2}")

_GLOB_TOKEN = re.compile(r"\[[!^]?\]?[^\]]*\]|\\?.", re.DOTALL)

Edit = t.Tuple[int, int, str]
"""Start, end, and the text that stands there afterwards."""


@dataclasses.dataclass(frozen=True)
class Connection:
    """One interface, as it is configured.

    kind: C(ethernet), C(vlan), C(bridge), C(bond), C(loopback), C(other); C(link) is a .link file of systemd, which
    configures nothing but gives the adapter that it matches the name.
    """

    kind: str
    name: str | None = None  # the interface it is for, when it is matched by, or created with, one name
    patterns: tuple[str, ...] = ()  # globs of names by which it is matched; "!" before one excludes
    macs: tuple[str, ...] = ()  # by which it is matched; lower case, with colons
    drivers: tuple[str, ...] = ()  # by which it is matched; globs
    lowers: tuple[str, ...] = ()  # interfaces that it is made of: raw device of a VLAN, ports of a bridge, of a bond
    uppers: tuple[str, ...] = ()  # interfaces that are made of it, where the lower one says so
    is_automatic: bool = True  # it comes up without being asked for
    addresses: tuple[str, ...] = ()  # as written
    gateways: tuple[str, ...] = ()  # of default routes
    nameservers: tuple[str, ...] = ()
    uses_dhcp: bool = False


def normal_mac(text: str) -> str | None:
    """An Ethernet address, however it is written, in lower case with colons; None when it is none."""
    if _DOTTED_MAC.fullmatch(text):
        digits = text.replace(".", "").lower()
        return ":".join([digits[place : place + 2] for place in range(0, 12, 2)])
    if _MAC.fullmatch(text):
        return ":".join([octet.zfill(2) for octet in re.split("[:-]", text.lower())])
    return None


def is_pattern(name: str) -> bool:
    """Whether a name is a glob, see glob(7)."""
    return any(character in name for character in "*?[")


def matches_glob(name: str, pattern: str) -> bool:
    """Whether a name is matched as by fnmatch(3), in time that is bounded by both lengths whatever the pattern is."""
    tokens = _GLOB_TOKEN.findall(pattern)
    index = place = 0
    star, retry = -1, 0
    while place < len(name):
        if index < len(tokens) and tokens[index] == "*":
            star, retry = index, place
            index += 1
        elif index < len(tokens) and _matches_one(name[place], tokens[index]):
            index += 1
            place += 1
        elif star >= 0:
            retry += 1
            index, place = star + 1, retry
        else:
            return False
    return all(token == "*" for token in tokens[index:])


def check_name(name: str) -> None:
    """GuestError when this cannot be the name of a network interface (dev_valid_name of the kernel)."""
    if not re.fullmatch(r"[^/:\s\0]{1,15}", name) or name in (".", ".."):
        raise GuestError(f"{name!r} cannot be the name of a network interface", hint="1 to 15 characters, no / or :")


def with_edits(text: str, edits: t.Iterable[Edit]) -> str:
    """The text with other text at some places, which do not overlap."""
    pieces: list[str] = []
    place = 0
    for start, end, replacement in sorted(edits):
        pieces += [text[place:start], replacement]
        place = end
    return "".join(pieces) + text[place:]


def _matches_one(character: str, token: str) -> bool:
    if token == "?":
        return True
    if len(token) > 2 and token.startswith("["):
        is_excluding = token[1] in "!^"
        content = token[1 + is_excluding : -1]
        found = False
        index = 0
        while index < len(content):
            last = index + 2 if content[index + 1 : index + 2] == "-" and index + 2 < len(content) else index
            found = found or content[index] <= character <= content[last]
            index = last + 1
        return found != is_excluding
    return character == token[-1]
