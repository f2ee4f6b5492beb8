# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How good each installed kernel is for Hyper-V, feature by feature, and whether the guest needs another one."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Kernel

GOOD, LIMITED, UNUSABLE, UNKNOWN = "good", "limited", "unusable", "unknown"
"""Grades of a kernel. good: all that a guest needs is there, and no defect counts. limited: it starts, and something is
missing or broken. unusable: it does not start as a guest of Hyper-V, or has none of its drivers. unknown: neither its
modules nor its configuration are there to tell."""


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
    severity: str  # error: it does not start, crashes or has no disk; warning: something fails; info
    summary: str
    fixed_in: str | None  # in the terms of the kernel's own version: "6.1.123-1", "4.14"; None: not in this series
    sources: tuple[str, ...]
    is_certain: bool  # False: the exact version of the kernel is not known, only its series


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


KEEP, SWITCH, NEWER, BACKPORTS, BUILD, UPGRADE = "keep", "switch", "newer", "backports", "build", "upgrade"
"""Advice. keep: the kernel that starts by default is good enough. switch: another installed one is better. newer:
install a newer one of this release. backports: this release's own kernels do not do, those in its backports do. build:
neither do, or there are none any more. upgrade: it is the distribution that has to be newer."""


@dataclasses.dataclass(frozen=True)
class KernelAdvice:
    """Whether the guest needs another kernel."""

    action: str
    kernel: str | None  # keep, switch: version of the installed kernel
    package: str | None  # newer, backports: the package to install, such as linux-image-amd64
    reasons: tuple[str, ...]


def judge(facts: GuestFacts) -> tuple[KernelSupport, ...]:
    """Every installed kernel, in the order of the facts."""
    return tuple([judge_kernel(facts, kernel) for kernel in facts.kernels])


def judge_kernel(facts: GuestFacts, kernel: Kernel) -> KernelSupport:
    """One installed kernel."""
    default = facts.boot.default
    return KernelSupport(
        version=kernel.version,
        package=None,
        package_version=None,
        series=None,
        flavour=None,
        origin="unknown",
        is_default=default is not None and default.version == kernel.version,
        features=(),
        defects=(),
        grade=UNKNOWN,
        reasons=(),
    )


def defects_of(
    version: str, package_version: str | None = None, architecture: str | None = None
) -> tuple[KernelDefect, ...]:
    """The known defects of a kernel that need not be installed: uname -r, the version of its Debian package, and the
    architecture as dpkg names it."""
    return ()


def advise(facts: GuestFacts, kernels: t.Sequence[KernelSupport]) -> KernelAdvice:
    """What to do about the kernel that starts by default; kernels are those of judge(facts)."""
    return KernelAdvice(KEEP, None, None, ())
