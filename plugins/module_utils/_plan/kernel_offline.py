# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel installed in a guest that is not running, and what is done for it there that hooks do in a running one.

The stages, each of which leaves a guest that starts as before: the guest's dpkg installs the packages, the image is
built and proved, the menu gets an entry. Which one comes next is read off the guest, so that a run that was cut off is
finished by the next one.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import initramfs_modules, kernel_default, kernel_packages, kernel_trial
from .model import Change, Command, Finding, Installation

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .kernel_choice import Candidate
    from .kernel_packages import Brought

_MIB = 1 << 20
_USUAL_IMAGE = 64 * _MIB  # an initramfs with most drivers, which is what is built where no old one says which
_BESIDE_IMAGE = 24 * _MIB  # vmlinuz, System.map and config, and room to breathe
_BESIDE_FILES = 64 * _MIB  # what depmod makes, dpkg's database, and room to breathe
_HALF_WAY = ("unpacked", "half-configured", "triggers-pending", "triggers-awaited")


@dataclasses.dataclass(frozen=True)
class Stage:
    """What is done next, and what for; or the findings that say why nothing is."""

    why: str = ""
    changes: tuple[Change, ...] = ()
    commands: tuple[Command, ...] = ()
    installation: Installation | None = None
    findings: tuple[Finding, ...] = ()


def to_install(facts: GuestFacts, taken: Candidate, brought: t.Sequence[Brought], stays: str) -> Stage:
    """The packages, C(stays) being the kernel that is the default until everything is done. Raises GuestError where the
    menu cannot get an entry."""
    packages = kernel_packages.to_install(facts, brought, taken.release)
    findings = (
        *_obstacles(facts, taken),
        *kernel_packages.problems(facts, packages),
        *_space(facts, sum([one.size for one in packages])),
    )
    if findings:
        return Stage(findings=findings)
    reason = f"{stays} stays the default while {taken.release} is installed"
    kernel_default.added(facts.boot, taken.release, stays, reason)  # it will have to go
    return Stage(
        why=f"{taken.release} is installed from packages, gets an image and a menu entry, and is the default then",
        changes=kernel_default.changes(facts.boot, stays, reason, kernel_trial.without_entry),
        installation=Installation(
            tuple([one.file for one in packages]), f"{taken.release} ({taken.version}) is to be the default"
        ),
    )


def to_finish(facts: GuestFacts, taken: Candidate, fallback: t.Callable[[], str]) -> Stage | None:
    """What an installed kernel lacks to be started; None where it is something else that is wrong with it. C(fallback):
    the kernel that starts now. Raises GuestError where the menu cannot get an entry."""
    package = next((one for one in facts.packages.installed if one.name == taken.package), None)
    if facts.packages.is_interrupted or (package is not None and package.state in _HALF_WAY):
        others = kernel_packages.unfinished(facts)
        if others:
            return Stage(findings=(_others_unfinished(taken, others),))
        return Stage(
            why=f"dpkg finishes what it was cut off in; {taken.release} gets what it lacks, and is the default then",
            installation=Installation((), "dpkg was cut off"),
        )
    if package is not None and package.state != "installed":
        return None
    kernel = facts.kernel(taken.release)
    entry = next((one for one in facts.boot.entries if one.version == taken.release), None)
    if kernel is None or kernel.modules is None or (entry is not None and not entry.initrds):
        return None
    path = initramfs_modules.main_image(kernel, entry.initrds) if entry is not None else kernel.initramfs
    image = facts.image_at(path) if path is not None else None
    if image is None or image.image is None:
        path = path or f"/boot/initrd.img-{taken.release}"
        command = initramfs_modules.new_image(facts, kernel, path, initramfs_modules.Wanted())
        return (
            Stage(why=f"{taken.release} gets its image, and is the default then", commands=(command,))
            if command
            else None
        )
    if entry is None:
        reason = f"{taken.release} is in the menu"
        changes = kernel_default.added(facts.boot, taken.release, fallback(), reason, kernel_trial.without_entry)
        return Stage(why=f"{taken.release} gets a menu entry, and is the default then", changes=changes)
    return None


def _obstacles(facts: GuestFacts, taken: Candidate) -> t.Iterator[Finding]:
    held = next((one for one in facts.packages.installed if one.name == taken.package), None)
    if held is not None and held.state == "installed":
        yield _not_offline(
            taken,
            f"it would replace the files of {held.name} {held.version}, and with them a kernel that starts now",
            "Install it while the guest runs, or choose a kernel with another name.",
        )
    if not facts.initramfs.generators:
        yield _not_offline(
            taken,
            "the guest has neither initramfs-tools nor dracut, so nothing could make its image",
            "Install initramfs-tools in the guest, or choose one of the kernels that it has.",
        )


def _space(facts: GuestFacts, size: int) -> t.Iterator[Finding]:
    largest = max([image.size for image in facts.images] + [_USUAL_IMAGE])
    in_boot = largest * 11 // 10 + _BESIDE_IMAGE
    for path, needed in (("/boot", in_boot), ("/", size * 21 // 20 + _BESIDE_FILES + in_boot)):
        free = facts.free_bytes.get(path)
        if free is not None and free < needed:
            yield no_space(path, free, needed)


def no_space(path: str, free: int, needed: int) -> Finding:
    """The finding of a file system that another kernel does not fit on."""
    return Finding(
        "kernel.no-space",
        "error",
        path,
        f"{path} has {free // _MIB} MiB free, and another kernel needs about {needed // _MIB} MiB there: a kernel that"
        " is half installed does not start.",
        "Remove kernels that are not needed (apt-get autoremove --purge), never the one that runs.",
    )


def _not_offline(taken: Candidate, why: str, remedy: str) -> Finding:
    return Finding(
        "kernel.install-offline",
        "error",
        taken.release,
        f"{taken.release} ({taken.version}) is not installed in a guest that does not run: {why}.",
        remedy,
    )


def _others_unfinished(taken: Candidate, others: t.Sequence[str]) -> Finding:
    return Finding(
        "kernel.install-offline",
        "error",
        taken.release,
        f"dpkg was cut off, also in {', '.join(others)}: their scripts may do what only goes in a guest that runs, so"
        f" {taken.release} is left as it is.",
        "Start the guest with the kernel that it starts now, and let dpkg --configure -a finish.",
    )
