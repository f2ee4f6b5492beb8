# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel a guest should have: of those that are installed, that apt can get, and that were brought."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import kernel_pin as catalog
from .._formats import apt_preferences, dpkg_status, kernel_release
from . import kernel_default, kernel_support
from .model import Finding

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._formats import apt_cache

INSTALLED, RELEASE, BACKPORTS, BROUGHT, OTHER = "installed", "release", "backports", "package", "other"
_SUITE = re.compile(r"([a-z]+)(?:-security|-updates|/updates|-lts|(-backports(?:-sloppy)?))?")
_ALIAS = re.compile(r"(?:old)*stable")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """kernel: uname -r or the version of a package, exactly. flavour: None keeps that of the guest's kernel. minimum:
    the lowest version of a package that will do. upgrade: a kernel that is pinned gives way to a better one."""

    kernel: str | None = None
    flavour: str | None = None
    minimum: str | None = None
    backports: bool = False
    upgrade: bool = False


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A kernel that the guest has or can have."""

    release: str  # as uname -r
    package: str | None  # None: installed without one
    version: str  # of the package; of a kernel without one its release, which compares with no version of a package
    origin: str


@dataclasses.dataclass(frozen=True)
class Choice:
    """The kernel to have, and why; None, and a finding, where there is none."""

    kernel: Candidate | None
    why: str
    findings: tuple[Finding, ...] = ()


def choose(facts: GuestFacts, wanted: Wanted, brought: t.Sequence[Candidate] = ()) -> Choice:
    """The choice. Kernels with a known defect that counts, or without Hyper-V's drivers, are taken only by name."""
    known = candidates(facts, brought)
    if wanted.kernel is not None:
        named = [one for one in known if wanted.kernel in (one.release, one.version)]
        if wanted.flavour:
            named = _of_flavour(named, wanted.flavour)
        elif len({kernel_release.flavour(one.release) for one in named}) > 1:
            several, flavour = named, _usual_flavour(facts)
            named = _of_flavour(several, flavour)
            if not named:
                return Choice(None, "", (_several(wanted.kernel, flavour, several),))
        if not named:
            return Choice(
                None, "", (_none_offered(facts, wanted, f"{wanted.kernel} is neither installed nor offered"),)
            )
        taken = _newest(named)
        bad = _defect(facts, taken)
        return Choice(taken, f"{taken.release} is asked for by name", (_known_bad(taken, bad),) if bad else ())
    flavour = wanted.flavour or _usual_flavour(facts)
    at_hand = {(one.release, one.version) for one in brought}
    fitting = [one for one in known if (one.release, one.version) in at_hand] or _of_flavour(known, flavour)
    fitting = [one for one in fitting if one.origin != OTHER and (wanted.backports or one.origin != BACKPORTS)]
    enough = [one for one in fitting if _is_enough(one, wanted)]
    good = [one for one in enough if not _defect(facts, one)]
    if not good:
        what = f"no kernel of the flavour {flavour}" if flavour else "no kernel"
        why = f"{what} is installed or offered"
        if wanted.minimum and fitting:
            why = f"{what} from {wanted.minimum} on is installed or offered; the newest is {_newest(fitting).version}"
        elif enough:
            why = f"every kernel has a known defect: {_newest(enough).version}: {_defect(facts, _newest(enough))}"
        return Choice(None, "", (_none_offered(facts, wanted, why),))
    held = None if wanted.upgrade else _stays(facts, good, wanted)
    if held is not None:
        return held
    taken = _newest([one for one in good if not _defect(facts, one, ("error", "warning"))] or good)
    source = {
        INSTALLED: "of those that are installed or offered",
        RELEASE: "that this release offers",
        BACKPORTS: "that this release's backports offer",
        BROUGHT: "of the packages that were brought",
    }[taken.origin]
    of_flavour = f" of the flavour {flavour}" if flavour else ""
    return Choice(taken, f"{taken.release} ({taken.version}) is the newest{of_flavour} {source}")


def candidates(facts: GuestFacts, brought: t.Sequence[Candidate] = ()) -> tuple[Candidate, ...]:
    """Every kernel that is installed with its image, that apt offers, or that was brought; the same version once."""
    found: dict[tuple[str, str], Candidate] = {}
    packages = {kernel_release.of_package(package.name): package for package in facts.packages.installed}
    broken = []
    for kernel in facts.kernels:
        package = packages.get(kernel.version)
        if kernel.image is not None:
            version = package.version if package else kernel.version
            name = package.name if package else None
            one = Candidate(kernel.version, name, version, INSTALLED)
            if package is not None and package.state == "half-installed":
                broken.append(one)
            else:
                found[one.release, one.version] = one
    offered = [
        Candidate(release, offer.name, offer.version, _origin(facts, offer))
        for offer in facts.packages.offered
        for release in (kernel_release.of_package(offer.name),)
        if release is not None
    ]
    # what two suites have is of the nearer one
    for one in (*brought, *sorted(offered, key=lambda one: (RELEASE, BACKPORTS, OTHER).index(one.origin))):
        found.setdefault((one.release, one.version), one)
    # what is only partly unpacked counts where nothing can be put in its place
    whole = {one.release for one in found.values()}
    return (*found.values(), *[one for one in broken if one.release not in whole])


def bad_versions(facts: GuestFacts, taken: Candidate | None) -> tuple[tuple[str, str], ...]:
    """The versions of packages that are to be kept away, and why: those with a known defect that counts, and those
    older than the kernel that was taken with one that this no longer has."""
    found = {}
    is_clean = taken is not None and not _known_defect(facts, taken, ("error", "warning"))
    for one in candidates(facts):
        if one.package is None or (taken is not None and one.version == taken.version):
            continue
        is_older = (
            taken is not None
            and taken.package is not None
            and dpkg_status.compare_versions(one.version, taken.version) < 0
        )
        why = _known_defect(facts, one, ("error", "warning") if is_clean and is_older else ("error",))
        if why:
            found[one.version] = why
    return tuple(sorted(found.items()))


def pinned(facts: GuestFacts) -> tuple[apt_preferences.Pin, ...]:
    """What this collection's own preferences hold."""
    return apt_preferences.read(facts.packages.text(catalog.PREFERENCES) or "")


def _stays(facts: GuestFacts, good: t.Sequence[Candidate], wanted: Wanted) -> Choice | None:
    """The kernel that is pinned, or (with a minimum) the one that is there already, as long as it will do."""
    names = [pin.package for pin in pinned(facts) if pin.priority > 0]
    for one in good:
        if one.origin == INSTALLED and one.package is not None and one.package in names:
            return Choice(one, f"{one.release} is pinned already, and does")
    reference = _reference(facts)
    for one in good:
        if wanted.minimum is not None and one.origin == INSTALLED and one.release == reference:
            return Choice(one, f"{one.release} ({one.version}) is there already, and not older than {wanted.minimum}")
    return None


def _reference(facts: GuestFacts) -> str | None:
    """The kernel that the guest is used to."""
    running = facts.system.running_kernel if facts.is_live else None
    if running is not None and facts.kernel(running) is not None:
        return running
    return kernel_default.current(facts.boot)


def _usual_flavour(facts: GuestFacts) -> str | None:
    reference = _reference(facts)
    return kernel_release.flavour(reference) if reference else None


def _origin(facts: GuestFacts, offer: apt_cache.Offer) -> str:
    """Whether a source is that of the guest's release. Others (testing, proposed-updates, somebody's own) may be there
    at a priority at which apt would take nothing from them by itself."""
    match = _SUITE.fullmatch(offer.suite.rpartition("/")[0])
    known = kernel_support.release_of(facts)
    name = match.group(1) if match else ""
    codenames = {facts.system.codename, known.codename if known else None}
    if match is None:
        return OTHER
    origin = BACKPORTS if match.group(2) else RELEASE
    if name in codenames:
        return origin
    # an alias moves on to the next release, and the guest does not by itself
    series = (known.backports if origin == BACKPORTS else known.kernel) if known else None
    is_of_series = known is None or (series and re.match(rf"{re.escape(series.series)}(?![0-9])", offer.version))
    return origin if _ALIAS.fullmatch(name) and is_of_series else OTHER


def _of_flavour(known: t.Iterable[Candidate], flavour: str | None) -> list[Candidate]:
    return [one for one in known if kernel_release.flavour(one.release) == flavour]


def _is_enough(one: Candidate, wanted: Wanted) -> bool:
    if wanted.minimum is None:
        return True
    return one.package is not None and dpkg_status.compare_versions(one.version, wanted.minimum) >= 0


def _newest(known: t.Iterable[Candidate]) -> Candidate:
    # those of packages first; of the same version the one that is there already
    return max(
        known,
        key=lambda one: (
            one.package is not None,
            dpkg_status.version_key(one.version),
            one.origin == INSTALLED,
            one.release,
        ),
    )


def _defect(facts: GuestFacts, one: Candidate, severities: t.Sequence[str] = ("error",)) -> str:
    """Why a kernel is no good on Hyper-V; empty where nothing is known against it."""
    kernel = facts.kernel(one.release) if one.origin == INSTALLED else None
    # what dpkg was cut off in says of itself what it will be, and its files do not yet
    is_whole = not any(
        package.name == one.package and package.state != "installed" for package in facts.packages.installed
    )
    if kernel is not None and is_whole:
        judged = kernel_support.judge_kernel(facts, kernel)
        if judged.grade == kernel_support.UNUSABLE:
            return "; ".join(judged.reasons)
    return _known_defect(facts, one, severities)


def _known_defect(facts: GuestFacts, one: Candidate, severities: t.Sequence[str]) -> str:
    for defect in kernel_support.defects_of(
        one.release,
        one.version if one.package else None,
        facts.system.architecture,
        facts.hypervisor.host_build,
    ):
        if defect.severity in severities and defect.is_certain:
            return defect.summary
    return ""


def _known_bad(one: Candidate, why: str) -> Finding:
    return Finding(
        "kernel.known-bad-chosen",
        "warning",
        one.release,
        f"{one.release} ({one.version}) is asked for by name, and has a known defect on Hyper-V: {why}.",
        "Choose another one, or none: the best that is offered is then taken.",
    )


def _several(version: str, flavour: str | None, named: t.Iterable[Candidate]) -> Finding:
    return Finding(
        "kernel.none-offered",
        "error",
        version,
        f"The version {version} is that of several kernels, and none is of the flavour {flavour or 'of the guest'}:"
        f" {', '.join(sorted({one.release for one in named}))}.",
        "Name one of them, or its flavour.",
    )


def _none_offered(facts: GuestFacts, wanted: Wanted, why: str) -> Finding:
    remedy = "Bring apt's lists of packages up to date, ask for less, or bring packages."
    if not facts.is_live:
        remedy = "Bring packages (option packages): in a guest that is not running, nobody asks apt."
    elif not wanted.backports:
        remedy = "Bring apt's lists of packages up to date, allow backports: true and give the guest that source, or"
        remedy += " bring packages."
    subject = wanted.kernel or wanted.flavour or "kernel"
    return Finding(
        "kernel.none-offered",
        "error",
        subject,
        f"{why.rstrip('.')}.",
        remedy,
    )
