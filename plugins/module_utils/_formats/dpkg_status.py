# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's packages, /var/lib/dpkg/status, and the order of their versions, deb-version(7). Read only."""

from __future__ import annotations

import re
import typing as t

_PARAGRAPHS = re.compile(r"\n(?:[ \t\r]*\n)+")
_FIELD = re.compile(r"^(Package|Status|Version|Architecture|Provides):[ \t]*(.*)$", re.MULTILINE)
_CONFFILES = re.compile(r"^Conffiles:[ \t\r]*((?:\n[ \t].*)*)", re.MULTILINE)
_CONFFILE_FLAGS = frozenset(["obsolete", "remove-on-upgrade"])
_VERSION_PARTS = re.compile(r"([^0-9]*)([0-9]*)")

_SortKey = t.Tuple[t.Any, ...]


class Conffile(t.NamedTuple):
    """A configuration file of a package as the package installed it; `md5` is "newconffile" before that."""

    path: str
    md5: str
    is_obsolete: bool


class Package(t.NamedTuple):
    """One package; "" for a field that it does not have.

    The status words, as in "install ok installed": what the administrator wants ("hold" for a package that is held),
    whether an error is noted ("ok"), and the state.
    """

    name: str
    version: str
    architecture: str
    want: str
    error: str
    state: str
    conffiles: tuple[Conffile, ...]
    provides: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether the package is unpacked and configured."""
        return self.state == "installed"

    @property
    def is_held(self) -> bool:
        """Whether the package stays at its version."""
        return self.want == "hold"


def read(text: str) -> dict[str, tuple[Package, ...]]:
    """The packages by name, in the order of the file: several where a package is there for several architectures.

    Removed packages whose configuration is left are among them (state "config-files"). A paragraph without a name is
    left out.
    """
    packages: dict[str, tuple[Package, ...]] = {}
    for paragraph in _PARAGRAPHS.split(text):
        fields = {field: content.rstrip() for field, content in _FIELD.findall(paragraph)}
        name = fields.get("Package")
        if name:
            want, error, state = (*fields.get("Status", "").split(" "), "", "", "")[:3]
            conffiles = _conffiles(paragraph) if "\nConffiles:" in paragraph else ()
            package = Package(
                name,
                fields.get("Version", ""),
                fields.get("Architecture", ""),
                want,
                error,
                state,
                conffiles,
                fields.get("Provides", ""),
            )
            packages[name] = (*packages.get(name, ()), package)
    return packages


def compare_versions(a: str, b: str) -> int:
    """-1, 0 or 1: a is older than, the same as, or newer than b."""
    key_a, key_b = version_key(a), version_key(b)
    return (key_a > key_b) - (key_a < key_b)


def version_key(version: str) -> _SortKey:
    """What sorts versions as dpkg does: [epoch:]upstream[-revision]."""
    epoch, colon, rest = version.strip().partition(":")
    if not colon or not re.fullmatch(r"[0-9]+", epoch):
        epoch, rest = "", version.strip()
    upstream, _hyphen, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return (_number(epoch), _part_key(upstream), _part_key(revision))


def _part_key(part: str) -> _SortKey:
    """Texts and numbers in turn. The end of a text sorts behind "~" and before everything else."""
    keys: list[t.Any] = []
    for text, digits in _VERSION_PARTS.findall(part):
        keys.append((*[_order(character) for character in text], 0))
        keys.append(_number(digits))
    # The pattern's last match is always empty: the end, which sorts as one more empty text.
    return tuple(keys) if len(keys) > 2 else ((0,), _number(""), *keys)


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _number(digits: str) -> tuple[int, str]:
    # Without leading zeros, the longer number is the greater; no limit of digits applies.
    significant = digits.lstrip("0")
    return len(significant), significant


def _conffiles(paragraph: str) -> tuple[Conffile, ...]:
    match = _CONFFILES.search(paragraph)
    found = []
    for line in match.group(1).split("\n") if match else ():
        # The path stands first and may hold blanks; the words behind it do not.
        words = line.strip().split(" ")
        flags = set()
        while len(words) > 2 and words[-1] in _CONFFILE_FLAGS:
            flags.add(words.pop())
        if len(words) >= 2:
            found.append(Conffile(" ".join(words[:-1]), words[-1], "obsolete" in flags))
    return tuple(found)
