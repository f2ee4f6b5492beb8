# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good each installed kernel is for Hyper-V, feature by feature, and whether the guest needs another one."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import debian_kernels, integration, kernel_features, known_bad_kernels
from .._formats import kernel_release
from .._formats.dpkg_status import compare_versions
from .model import Finding
from .support import BUILTIN, boot_kernels, configured, debian_release, find_driver, version_of

if t.TYPE_CHECKING:
    from .._catalog.debian_kernels import Release, Series
    from .._catalog.kernel_features import Driver, Feature
    from .._catalog.known_bad_kernels import KnownBad
    from .._facts.model import GuestFacts, Kernel
    from .support import Found

GOOD, LIMITED, UNUSABLE, UNKNOWN = "good", "limited", "unusable", "unknown"
"""Grades of a kernel. good: all that a guest needs is there, and no defect counts. limited: it starts, and something is
missing or broken. unusable: it does not start as a guest of Hyper-V, or has none of its drivers. unknown: neither its
modules nor its configuration are there to tell."""

ABSENT = "absent"  # the states of a feature are this, UNKNOWN, and those of support.provides

_RANK = {UNUSABLE: 0, UNKNOWN: 1, LIMITED: 2, GOOD: 3}
_LAST = ".99999"  # behind every version of a series


@dataclasses.dataclass(frozen=True)
class FeatureSupport:
    """One feature of Hyper-V in one kernel."""

    name: str  # vmbus, storage, network ...: see _catalog.kernel_features
    state: str  # builtin, module, absent or unknown
    module: str | None  # the driver's module name, also when it is built in; None: part of the kernel, or absent
    read_from: str  # such as "CONFIG_HYPERV_NET=m in /boot/config-6.1.0-50-amd64"; why, where it is unknown
    since: str  # upstream version that first had it
    is_needed: bool  # whether a guest is worse without it


@dataclasses.dataclass(frozen=True)
class KernelDefect:
    """A known defect that a kernel has."""

    id: str  # of _catalog.known_bad_kernels
    severity: str  # error: it does not start; warning: something fails; info: rarely matters
    summary: str
    fixed_in: str | None  # in the terms of the kernel's own version: "6.1.123-1", "4.14"; None: not in this series
    sources: tuple[str, ...]
    is_certain: bool  # False: the exact version of the kernel is not known, only its series
    generation: int | None = None  # 1: only there
    remedy: str = ""


@dataclasses.dataclass(frozen=True)
class KernelSupport:
    """What an installed kernel is worth on Hyper-V."""

    version: str  # as uname -r
    package: str | None  # linux-image-6.1.0-50-amd64
    package_version: str | None  # 6.1.176-1
    series: str | None  # 6.1
    flavour: str | None  # amd64, cloud-amd64, rt-amd64, 686-pae, xen-amd64 ...; None: not built by Debian
    origin: str  # release: of this release; backports; other: of another release; own: not from Debian; unknown
    is_default: bool  # the boot loader starts it when nobody intervenes
    features: tuple[FeatureSupport, ...]
    defects: tuple[KernelDefect, ...]
    grade: str
    reasons: tuple[str, ...]  # why it is not better

    def feature(self, name: str) -> FeatureSupport:
        return next(feature for feature in self.features if feature.name == name)


KEEP, SWITCH, NEWER, BACKPORTS, BUILD = "keep", "switch", "newer", "backports", "build"
"""Advice. keep: the kernel that starts by default is good enough, or none that can be had is better. switch: another
installed one is better. newer: install a newer one of this release. backports: this release's own kernels do not do,
those in its backports do. build: neither do, or there are none."""


@dataclasses.dataclass(frozen=True)
class KernelAdvice:
    """Whether the guest needs another kernel."""

    action: str
    kernel: str | None  # keep, switch: version of the installed kernel
    package: str | None  # newer, backports: the package to install, such as linux-image-amd64
    reasons: tuple[str, ...]
    services: str = "unavailable"  # where the daemons of the integration services come from: release, backports


def judge(facts: GuestFacts) -> tuple[KernelSupport, ...]:
    """Every installed kernel, in the order of the facts."""
    return tuple([judge_kernel(facts, kernel) for kernel in facts.kernels])


def judge_kernel(facts: GuestFacts, kernel: Kernel) -> KernelSupport:
    """One installed kernel."""
    default = facts.boot.default
    package, package_version = kernel.package or (None, None)
    features = tuple(
        [
            _feature(kernel, feature)
            for feature in kernel_features.FEATURES
            if facts.system.architecture in (None, *(feature.architectures or (facts.system.architecture,)))
        ]
    )
    identity = _Identity.of(kernel.version, package_version, facts.system.architecture)
    defects = tuple(
        [
            defect
            for entry in known_bad_kernels.KNOWN_BAD
            if _has_feature(features, entry) and _is_built_so(kernel, entry) and _is_on_host(facts, entry)
            for defect in _defects(entry, identity)
        ]
    )
    return KernelSupport(
        version=kernel.version,
        package=package,
        package_version=package_version,
        series=identity.series,
        flavour=identity.flavour,
        origin=_origin(facts, kernel, identity),
        is_default=default is not None and default.version == kernel.version,
        features=features,
        defects=defects,
        grade=_grade(features, defects),
        reasons=tuple(_reasons(features, defects)),
    )


def defects_of(
    version: str, package_version: str | None = None, architecture: str | None = None, host_build: str | None = None
) -> tuple[KernelDefect, ...]:
    """The known defects of a kernel that need not be installed: uname -r, the version of its Debian package, the
    architecture as dpkg names it, the build of the host. Those that depend on its configuration are not among them."""
    identity = _Identity.of(version, package_version, architecture)
    return tuple(
        [
            defect
            for entry in known_bad_kernels.KNOWN_BAD
            if not entry.enabled and not entry.disabled and _is_host_of(host_build, entry)
            for defect in _defects(entry, identity)
        ]
    )


def release_of(facts: GuestFacts) -> Release | None:
    """What is known of the guest's release of Debian."""
    number = debian_release(facts)
    return next((release for release in debian_kernels.RELEASES if release.number == number), None)


# -- features


def _feature(kernel: Kernel, feature: Feature) -> FeatureSupport:
    state, module, where = _state(kernel, feature)
    return FeatureSupport(feature.name, state, module, where, feature.since, feature.is_needed)


def _state(kernel: Kernel, feature: Feature) -> tuple[str, str | None, str]:
    """State, module, and what says so."""
    found = [(driver, _find(kernel, driver)) for driver in feature.drivers]
    driver, best = next(((driver, result) for driver, result in found if result.form is not None), found[0])
    if best.form is None:
        without = next((result.where for _driver, result in found if result.where), "")
        if without:
            return ABSENT, None, without
        return UNKNOWN, None, f"neither the configuration of kernel {kernel.version} nor a list of what is built in"
    if not _is_young_enough(kernel, feature, driver):
        return ABSENT, None, f"{best.where}, and kernel {kernel.version} is older than {feature.since}"
    if feature.wants is not None and kernel.config is not None and not kernel.config.is_enabled(feature.wants):
        return ABSENT, None, f"{feature.wants} is not set in {kernel.config_path or 'the configuration'}"
    return best.form, driver.module, best.where


def _find(kernel: Kernel, driver: Driver) -> Found:
    if driver.module is not None:
        return find_driver(kernel, driver.module, driver.symbols)
    found = configured(kernel, driver.symbols)
    if not found.where:  # no configuration: it is part of the kernel where the driver of VMBus is built
        vmbus = kernel_features.FEATURES[0].drivers[0]
        found = find_driver(kernel, vmbus.module or "", vmbus.symbols)
    return found._replace(form=BUILTIN) if found.form is not None else found


def _is_young_enough(kernel: Kernel, feature: Feature, driver: Driver) -> bool:
    """A driver that provides one feature is the feature; of one that provides several, the version tells which."""
    if driver.module is not None and sum(driver in other.drivers for other in kernel_features.FEATURES) == 1:
        return True
    module = kernel.modules.by_name.get(driver.module or "") if kernel.modules is not None else None
    if feature.sign is not None and module is not None and feature.sign in module.dependencies:
        return True
    version = version_of(kernel.version)
    return not version or version >= version_of(feature.since)


# -- defects


class _Identity(t.NamedTuple):
    """exact: the version as Debian's packages have it; None where a kernel only tells its series."""

    exact: str | None
    series: str | None
    flavour: str | None
    architecture: str | None

    @classmethod
    def of(cls, version: str, package_version: str | None, architecture: str | None) -> _Identity:
        flavour = kernel_release.flavour(version)
        flavour = flavour if flavour in debian_kernels.FLAVOURS else None
        match = re.match(r"((?:2\.6|\d+)\.\d+)(\.\d+)?(?:-rc(\d+))?", version)
        if match is None:
            return cls(package_version, None, flavour, architecture)
        series, patch, candidate = match.groups()
        exact = package_version
        # Debian's names end in .0 and a number of their own: 6.1.0-50-amd64 is some 6.1
        if exact is None and (flavour is None or patch not in (None, ".0")):
            exact = series + (patch if patch not in (None, ".0") else "") + (f"~rc{candidate}" if candidate else "")
        return cls(exact, series, flavour, architecture)


def _defects(entry: KnownBad, identity: _Identity) -> t.Iterator[KernelDefect]:
    if entry.architectures and identity.architecture not in entry.architectures:
        return
    if entry.flavours and not (identity.flavour or "").startswith(entry.flavours):
        return
    for since, fixed in entry.ranges:
        is_certain = _is_between(since, fixed, identity)
        if is_certain is not False:
            yield KernelDefect(
                entry.id,
                entry.severity,
                entry.summary,
                fixed,
                entry.sources,
                bool(is_certain),
                entry.generation,
                entry.remedy,
            )


def _is_between(since: str, fixed: str | None, identity: _Identity) -> bool | None:
    """Whether the kernel's version lies in a range; None when only a part of its series does."""
    if since == "0" and fixed is None:
        return True
    lowest = identity.exact or identity.series
    highest = identity.exact or (identity.series and identity.series + _LAST)
    if lowest is None or highest is None:
        return False
    if compare_versions(highest, since) < 0 or (fixed is not None and compare_versions(lowest, fixed) >= 0):
        return False
    if compare_versions(lowest, since) >= 0 and (fixed is None or compare_versions(highest, fixed) < 0):
        return True
    return None


def _has_feature(features: t.Sequence[FeatureSupport], entry: KnownBad) -> bool:
    return entry.feature is None or any(
        feature.name == entry.feature and feature.state != ABSENT for feature in features
    )


def _is_built_so(kernel: Kernel, entry: KnownBad) -> bool:
    if not entry.enabled and not entry.disabled:
        return True
    config = kernel.config
    return (
        config is not None
        and all(config.is_enabled(symbol) for symbol in entry.enabled)
        and not any(config.is_enabled(symbol) for symbol in entry.disabled)
    )


def _is_on_host(facts: GuestFacts, entry: KnownBad) -> bool:
    return _is_host_of(facts.hypervisor.host_build, entry)


def _is_host_of(host_build: str | None, entry: KnownBad) -> bool:
    return not entry.hosts or (host_build is not None and host_build.startswith(entry.hosts))


# -- verdict


def _origin(facts: GuestFacts, kernel: Kernel, identity: _Identity) -> str:
    if identity.flavour is None:
        return "own"
    release = release_of(facts)
    if kernel.package is None or release is None:
        return "unknown"
    if "~bpo" in kernel.package[1]:
        return "backports"
    of_release = [series.series for series in (release.kernel, release.newer) if series is not None]
    return "release" if identity.series in of_release else "other"


def _grade(features: t.Sequence[FeatureSupport], defects: t.Sequence[KernelDefect]) -> str:
    states = {feature.name: feature.state for feature in features}
    if any(defect.severity == "error" and defect.is_certain for defect in defects):
        return UNUSABLE
    if ABSENT in (states["vmbus"], states["storage"]):
        return UNUSABLE
    if UNKNOWN in (states["vmbus"], states["storage"]):
        return UNKNOWN
    is_complete = not any(feature.is_needed and feature.state == ABSENT for feature in features)
    return GOOD if is_complete and not any(_is_of_weight(defect) for defect in defects) else LIMITED


def _is_of_weight(defect: KernelDefect) -> bool:
    """Whether a defect speaks against a kernel. One that it possibly has only does when the kernel would not start."""
    return defect.severity == "error" or (defect.severity == "warning" and defect.is_certain)


def _reasons(features: t.Sequence[FeatureSupport], defects: t.Sequence[KernelDefect]) -> t.Iterator[str]:
    titles = {feature.name: feature.title for feature in kernel_features.FEATURES}
    for feature in features:
        if feature.is_needed and feature.state == ABSENT:
            yield f"lacks {titles[feature.name]}, which Linux has since {feature.since}: {feature.read_from}"
        elif feature.is_needed and feature.state == UNKNOWN:
            yield f"may lack {titles[feature.name]}: there is {feature.read_from}"
    for defect in defects:
        yield described(defect)
    others = [titles[feature.name] for feature in features if not feature.is_needed and feature.state == ABSENT]
    if others:
        yield f"goes without: {', '.join(others)}"


def described(defect: KernelDefect) -> str:
    """A defect in a few words, to be put behind the name of a kernel."""
    possibly = "" if defect.is_certain else "possibly (its exact version is not known): "
    return possibly + defect.summary + (f" (fixed in {defect.fixed_in})" if defect.fixed_in else "")


# -- advice


def advise(facts: GuestFacts, kernels: t.Sequence[KernelSupport]) -> KernelAdvice:
    """What to do about the kernel that starts by default; kernels are those of judge(facts)."""
    release = release_of(facts)
    services, about = _services(release)
    current = _current(facts, kernels)
    if current is not None and _is_without_network(facts, current):
        found = _with_legacy_driver(facts, kernels)
        if found is not None:
            return dataclasses.replace(found, reasons=(*found.reasons, about), services=services)
    if current is not None and current.grade in (GOOD, UNKNOWN):
        text = "is good enough" if current.grade == GOOD else "cannot be judged, so nothing speaks against it"
        return KernelAdvice(
            KEEP, current.version, None, (f"kernel {current.version} {text}", *current.reasons, about), services
        )
    why = _complaints(current)
    rank = _RANK[current.grade] if current is not None else -1
    better = _best_installed(facts, kernels, rank)
    if better is not None:
        why = (*why, f"kernel {better.version}, which is installed, is better")
        return KernelAdvice(SWITCH, better.version, None, (*why, about), services)
    offers = [] if release is None else list(_offers(facts, release, current))
    grade, action, package, series = max(offers, key=lambda offer: _RANK[offer[0]], default=(UNUSABLE, "", "", ""))
    if offers and _RANK[grade] > rank:
        where = f"the backports of Debian {release.number}" if action == BACKPORTS and release else "this release"
        return KernelAdvice(action, None, package, (*why, f"{where}: {package} ({series}) is better", about), services)
    if current is None or current.grade == UNUSABLE or release is None:
        text = "no kernel of Debian for this guest is known to do, so one has to be built"
        return KernelAdvice(BUILD, None, None, (*why, text, about), services)
    text = "no kernel of this release or its backports is known to be better; one can be built"
    return KernelAdvice(KEEP, current.version, None, (*why, text, about), services)


def _is_without_network(facts: GuestFacts, kernel: KernelSupport) -> bool:
    return bool(_legacy_only(facts)) and kernel.feature("legacy-network").state == ABSENT


def _with_legacy_driver(facts: GuestFacts, kernels: t.Sequence[KernelSupport]) -> KernelAdvice | None:
    """A kernel that drives the legacy adapter, which is the only one that the guest has."""
    why = f"the guest has legacy network adapters only ({_legacy_only(facts)}), and its kernel has no driver for them"
    for kernel in kernels:
        has_driver = kernel.feature("legacy-network").state not in (ABSENT, UNKNOWN)
        if has_driver and kernel.grade in (GOOD, LIMITED) and facts.kernel(kernel.version) in boot_kernels(facts):
            return KernelAdvice(SWITCH, kernel.version, None, (why, f"kernel {kernel.version} has one"))
    release = release_of(facts)
    for grade, action, package, _version in _offers(facts, release, None) if release is not None else ():
        if grade in (GOOD, LIMITED):
            return KernelAdvice(action, None, package, (why, f"{package} has one"))
    return None


def _current(facts: GuestFacts, kernels: t.Sequence[KernelSupport]) -> KernelSupport | None:
    """The kernel that starts by default; where that cannot be told, the worst of those that may."""
    offered = {kernel.version for kernel in boot_kernels(facts)}
    may_start = [kernel for kernel in kernels if kernel.is_default] or [
        kernel for kernel in kernels if kernel.version in offered
    ]
    return min(may_start, key=lambda kernel: _RANK[kernel.grade], default=None)


def _complaints(current: KernelSupport | None) -> tuple[str, ...]:
    if current is None:
        return ("no kernel is installed that the boot loader could start",)
    remedies = dict.fromkeys(defect.remedy for defect in current.defects if _is_of_weight(defect) and defect.remedy)
    what = "is no use on Hyper-V" if current.grade == UNUSABLE else "has shortcomings on Hyper-V"
    return (f"kernel {current.version} {what}", *current.reasons, *remedies)


def _best_installed(facts: GuestFacts, kernels: t.Sequence[KernelSupport], rank: int) -> KernelSupport | None:
    offered = {kernel.version for kernel in boot_kernels(facts)}
    better = [kernel for kernel in kernels if kernel.version in offered and _RANK[kernel.grade] > rank]
    better = [kernel for kernel in better if kernel.grade in (GOOD, LIMITED)]
    return max(better, key=lambda kernel: (_RANK[kernel.grade], version_of(kernel.version)), default=None)


def _offers(
    facts: GuestFacts, release: Release, current: KernelSupport | None
) -> t.Iterator[tuple[str, str, str, str]]:
    """Grade, action, package and version of the kernels that the release has, what is nearest first."""
    architecture = facts.system.architecture or "amd64"
    flavour = debian_kernels.GENERAL_FLAVOURS.get(architecture)
    if flavour is None or (architecture == "i386" and release.number >= debian_kernels.WITHOUT_I386):
        return
    for action, series in ((NEWER, release.kernel), (NEWER, release.newer), (BACKPORTS, release.backports)):
        if series is not None and not _is_no_news(series, current, flavour):
            yield (
                _grade_of(series, flavour, architecture, facts.hypervisor.host_build),
                action,
                series.package.format(flavour),
                series.version or series.series,
            )


def _is_no_news(series: Series, current: KernelSupport | None, flavour: str) -> bool:
    """Whether the guest has it already, or a newer one of the same."""
    if current is None or current.series != series.series or current.flavour != flavour:
        return False
    if series.version is None or current.package_version is None:
        return True
    return compare_versions(series.version, current.package_version) <= 0


def _grade_of(series: Series, flavour: str, architecture: str, host_build: str | None) -> str:
    """The grade of a general kernel of Debian, which has everything that there was at its time."""
    version = f"{series.series}.0-0-{flavour}" if series.series.count(".") == 1 else f"{series.series}-0-{flavour}"
    defects = defects_of(version, series.version, architecture, host_build)
    if any(defect.severity == "error" for defect in defects):
        return UNUSABLE
    is_complete = all(
        version_of(series.series) >= version_of(feature.since)
        for feature in kernel_features.FEATURES
        if feature.is_needed
    )
    return GOOD if is_complete and all(defect.severity == "info" for defect in defects) else LIMITED


def _services(release: Release | None) -> tuple[str, str]:
    drivers = "the drivers of the integration services are part of the kernel"
    if release is None:
        return "unavailable", drivers
    foreign = "Microsoft's own package is not made for Debian"
    if release.number >= integration.FIRST_RELEASE:
        return "release", f"{drivers}, their daemons are in {integration.PACKAGE} of this release; {foreign}"
    if release.backports is not None and release.number == integration.FIRST_RELEASE - 1:
        return "backports", f"{drivers}, their daemons were in {integration.PACKAGE} of its backports; {foreign}"
    return "unavailable", f"{drivers}, and there is no package of their daemons for this release; {foreign}"


# -- findings


def find(facts: GuestFacts, kernels: t.Sequence[KernelSupport]) -> t.Iterator[Finding]:
    """What somebody should know of the kernels; kernels are those of judge(facts)."""
    offered = {kernel.version for kernel in boot_kernels(facts)}
    for kernel in kernels:
        if kernel.version in offered:
            for defect in kernel.defects:
                if _is_of_weight(defect) and (kernel.is_default or defect.severity == "error"):
                    yield _known_defect(kernel, defect)
    legacy = _legacy_only(facts)
    for kernel in kernels:
        if kernel.is_default and _is_without_network(facts, kernel):
            yield _no_legacy_driver(kernel, legacy)


def _known_defect(kernel: KernelSupport, defect: KernelDefect) -> Finding:
    blocks = kernel.is_default and defect.severity == "error" and defect.is_certain
    return Finding(
        "kernel.known-defect",
        "error" if blocks else "warning",
        kernel.version,
        f"kernel {kernel.version} {described(defect)} [{defect.id}; {'; '.join(defect.sources)}]",
        defect.remedy or "choose another kernel; kernel_advice of readiness_info says which",
        blocks=blocks,
    )


def _legacy_only(facts: GuestFacts) -> str:
    """The adapters that the guest reaches its network by, where all of them are legacy ones; empty otherwise."""
    legacy = [nic.name for nic in facts.nics if nic.kind == "legacy"]
    if legacy and not any(nic.kind == "synthetic" for nic in facts.nics):
        return ", ".join(legacy)
    expected = [
        found.connection.name or found.path for found in facts.connections if "tulip" in found.connection.drivers
    ]
    return ", ".join(expected) if expected and len(expected) == len(facts.connections) else ""


def _no_legacy_driver(kernel: KernelSupport, legacy: str) -> Finding:
    return Finding(
        "kernel.no-legacy-driver",
        "error",
        kernel.version,
        f"kernel {kernel.version} has no driver for the legacy network adapter (tulip), and the guest has no other "
        f"({legacy}): it starts without a network",
        "add a synthetic network adapter to the virtual machine and switch to it (nic_switch), or install a kernel "
        "with all drivers (linux-image-amd64 instead of linux-image-cloud-amd64)",
    )
