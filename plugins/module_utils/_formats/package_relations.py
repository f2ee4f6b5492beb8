# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packages say of each other: Depends, Conflicts, Provides and their like, Debian Policy chapter 7. Read only."""

from __future__ import annotations

import re
import typing as t

from .._errors import MalformedError
from . import dpkg_status

_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*"
    r"(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s()]+)\s*\))?\s*"
    r"(?:\[[^\]]*\]\s*)?(?:<[^>]*>\s*)*"
)
# the single ones mean what the double ones with an equals sign do
_ACCEPTED = {"<<": (-1,), "<=": (-1, 0), "<": (-1, 0), "=": (0,), ">=": (0, 1), ">": (0, 1), ">>": (1,)}


class Relation(t.NamedTuple):
    """A package, and (with an operator) which of its versions; without one both are empty."""

    name: str
    operator: str = ""
    version: str = ""

    def allows(self, version: str) -> bool:
        """Whether a version is among those that are meant."""
        return not self.operator or dpkg_status.compare_versions(version, self.version) in _ACCEPTED[self.operator]

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


def parse(text: str) -> tuple[tuple[Relation, ...], ...]:
    """The relations of a field, each as its alternatives. The architecture behind a colon is left out. Raises
    MalformedError."""
    found = []
    for group in text.split(","):
        if group.strip():
            found.append(tuple([_relation(alternative.strip()) for alternative in group.split("|")]))
    return tuple(found)


def _relation(text: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if match is None:
        raise MalformedError(f"{text!r} is no relation to a package")
    return Relation(match.group("name"), match.group("operator") or "", match.group("version") or "")
