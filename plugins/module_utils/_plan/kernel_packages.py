# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that are brought to a guest that is not running: whether they are of kernels, for it, and complete."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import MalformedError
from .._formats import kernel_release, package_relations
from .model import Finding, PackageFile

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._formats.package_relations import Relation

# their scripts start no service, which nobody can know of others
_OF_KERNELS = re.compile(r"linux-(?:image|headers|kbuild|compiler|base|modules|binary)(?:-[a-z0-9.+~-]+)?")
_THERE = ("installed", "triggers-pending", "triggers-awaited")
_GONE = ("not-installed", "config-files", "")


@dataclasses.dataclass(frozen=True)
class Brought:
    """A package on the machine on which the module runs. fields: of its control file."""

    file: PackageFile
    fields: t.Mapping[str, str]

    @property
    def name(self) -> str:
        return self.fields.get("Package", "")

    @property
    def version(self) -> str:
        return self.fields.get("Version", "")

    @property
    def architecture(self) -> str:
        return self.fields.get("Architecture", "")

    @property
    def release(self) -> str | None:
        """The kernel in it, as C(uname -r); None for one without."""
        return kernel_release.of_package(self.name)

    @property
    def size(self) -> int:
        """Bytes that it takes when it is installed, as it says itself."""
        size = self.fields.get("Installed-Size", "")
        return int(size) << 10 if re.fullmatch(r"[0-9]{1,9}", size) else 0

    def relations(self, *names: str) -> tuple[tuple[Relation, ...], ...]:
        """Raises MalformedError."""
        return tuple([group for name in names for group in package_relations.parse(self.fields.get(name, ""))])


def to_install(facts: GuestFacts, brought: t.Sequence[Brought], release: str) -> tuple[Brought, ...]:
    """Those that the guest does not have, without other kernels than this one: nobody would make an image for them.
    Each stands behind those that it depends on."""
    there = {(one.name, one.version) for one in facts.packages.all if one.state in _THERE}
    left = [one for one in brought if one.release in (None, release) and (one.name, one.version) not in there]
    found: list[Brought] = []
    while left:
        names = {one.name for one in left}
        ready = [one for one in left if not _needs(one) & (names - {one.name})] or left
        found.append(ready[0])
        left.remove(ready[0])
    return tuple(found)


def problems(facts: GuestFacts, packages: t.Sequence[Brought]) -> t.Iterator[Finding]:
    """Why packages are not installed in a guest that is not running."""
    names = [one.name for one in packages]
    for one in packages:
        if _OF_KERNELS.fullmatch(one.name) is None:
            why = f"{one.name} is no package of a kernel, and its scripts may do what only goes in a guest that runs"
            yield _refused(one, why, "Leave it out; install it when the guest runs.")
        elif one.architecture not in ("all", facts.system.architecture):
            why = f"it is for {one.architecture or 'no architecture'}, and the guest is {facts.system.architecture}"
            yield _refused(one, why, f"Bring the package for {facts.system.architecture}.")
        elif names.count(one.name) > 1:
            yield _refused(one, f"{one.name} is there more than once", "Bring one version of it.")
        else:
            try:
                yield from _relations(facts, packages, one)
            except MalformedError as error:
                yield _refused(one, error.message, "Get the package again.")


def _relations(facts: GuestFacts, packages: t.Sequence[Brought], one: Brought) -> t.Iterator[Finding]:
    """What it needs and is not there, and what is there and it does not suffer."""
    replaced = {other.name for other in packages}
    present = [(other.name, other.version, other.relations("Provides")) for other in packages]
    present += [
        (held.name, held.version, _provided(held.provides))
        for held in facts.packages.all
        if held.name not in replaced and held.state in _THERE
    ]
    for group in one.relations("Pre-Depends", "Depends"):
        if not any(_fits(relation, *other) for relation in group for other in present):
            yield _missing(one, " | ".join([str(relation) for relation in group]))
    present += [
        (held.name, held.version, _provided(held.provides))
        for held in facts.packages.all
        if held.name not in replaced and held.state not in (*_THERE, *_GONE)
    ]
    for (relation,) in [group for group in one.relations("Breaks", "Conflicts") if len(group) == 1]:
        for name, version, provides in present:
            if name != one.name and _fits(relation, name, version, provides):
                yield _refused(
                    one, f"it does not go together with {name} {version} of the guest", "Choose another kernel."
                )


def _fits(relation: Relation, name: str, version: str, provides: tuple[tuple[Relation, ...], ...]) -> bool:
    if relation.name == name:
        return relation.allows(version)
    given = [one for group in provides for one in group if one.name == relation.name]
    # Debian Policy 7.5: a version is only met by one that is provided with a version
    return any(not relation.operator or (one.operator == "=" and relation.allows(one.version)) for one in given)


def _provided(text: str) -> tuple[tuple[Relation, ...], ...]:
    try:
        return package_relations.parse(text)
    except MalformedError:
        return ()


def _needs(one: Brought) -> set[str]:
    try:
        return {relation.name for group in one.relations("Pre-Depends", "Depends") for relation in group}
    except MalformedError:
        return set()


def unfinished(facts: GuestFacts) -> tuple[str, ...]:
    """Packages that dpkg was cut off in, and that are not of kernels."""
    return tuple(
        sorted(
            one.name
            for one in facts.packages.all
            if one.state not in (*_THERE, *_GONE) and _OF_KERNELS.fullmatch(one.name) is None
        )
    )


def _refused(one: Brought, why: str, remedy: str) -> Finding:
    return Finding(
        "kernel.package-refused",
        "error",
        one.file.path,
        f"{one.file.path} is not installed: {why}.",
        remedy,
    )


def _missing(one: Brought, what: str) -> Finding:
    return Finding(
        "kernel.dependency-missing",
        "error",
        one.name,
        f"{one.name} {one.version} needs {what}, which the guest has not, and which is not among the packages that were"
        " brought: it could not be configured.",
        "Bring that package as well (option packages), or install it while the guest runs.",
    )
