# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a guest boots on Hyper-V as it is, kernel by kernel, and why."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import drivers
from .._formats import fstab
from .._formats import kernel_cmdline as cmdline
from . import (
    block_references,
    initramfs_modules,
    integration_services,
    kernel_cmdline,
    kernel_support,
    network_names,
    nic_switch,
    secure_boot,
    xen_leftovers,
)
from .disk_names import is_unstable
from .model import Finding
from .support import BUILTIN, boot_kernels, needed_from_image, provides, version_of

if t.TYPE_CHECKING:
    from .._facts.model import BootEntry, GuestFacts, Kernel
    from .kernel_support import KernelAdvice, KernelSupport

# drivers/ata/ata_piix.c leaves the emulated disks to hv_storvsc since 3.5 where CONFIG_HYPERV_STORAGE is set; Debian's
# 3.2 has the change, too
_IDE_IS_LEFT_ALONE = (3, 2, 0)
_SHORT_DELAY = 10  # seconds
_NUMBER = re.compile("[0-9]{1,9}$")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether one kernel boots this guest on a generation: True, False, or None when it cannot be told."""

    boots: bool | None
    why: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class KernelVerdict:
    """The verdicts on one kernel that the boot loader offers."""

    version: str
    is_default: bool
    title: str | None  # of the first menu entry that starts it
    generation1: Verdict
    generation2: Verdict
    support: KernelSupport  # what it has of Hyper-V


@dataclasses.dataclass(frozen=True)
class Readiness:
    """ready: the default boot entry comes up on a generation of Hyper-V, and no finding blocks. generations: those on
    which it does."""

    ready: bool
    generations: tuple[int, ...]
    kernels: tuple[KernelVerdict, ...]
    findings: tuple[Finding, ...]
    advice: tuple[str, ...]
    kernel_advice: KernelAdvice


def assess(facts: GuestFacts) -> Readiness:
    """All planners, nothing applied."""
    supports = kernel_support.judge(facts)
    kernels = tuple([_judge(facts, kernel, supports) for kernel in boot_kernels(facts)])
    plans = (
        initramfs_modules.plan(facts, initramfs_modules.Wanted(keep_xen=False)),
        block_references.plan(facts),
        kernel_cmdline.plan(facts, kernel_cmdline.Wanted()),
        xen_leftovers.plan(facts, "dual_boot"),
    )
    findings = [finding for plan in plans for finding in plan.findings]
    findings += network_names.find(facts)
    findings += nic_switch.find(facts)
    findings += integration_services.concerns(facts)
    findings += kernel_support.find(facts, supports)
    findings += secure_boot.find(facts)
    findings += [_unread(problem.path, problem.message) for problem in facts.problems]
    findings = list(dict.fromkeys([*findings, *_without_kernel(kernels), *_without_loader(facts), *_slow_start(facts)]))
    default = next((kernel for kernel in kernels if kernel.is_default), None)
    # where it cannot be told which one starts, each of them may
    judged = kernels if default is None else (default,)
    generations = _generations(judged)
    if kernels and not generations and not any(_is_in_the_way(finding, facts) for finding in findings):
        findings.append(_boots_nowhere(facts, judged[0] if len(judged) == 1 else None))
    order = {"error": 0, "warning": 1, "info": 2}
    findings.sort(key=lambda finding: (order[finding.severity], finding.id, finding.subject))
    return Readiness(
        ready=bool(generations) and not any(_is_in_the_way(finding, facts) for finding in findings),
        generations=generations,
        kernels=kernels,
        findings=tuple(findings),
        advice=tuple(_advice(facts)),
        kernel_advice=kernel_support.advise(facts, supports),
    )


def _generations(kernels: t.Sequence[KernelVerdict]) -> tuple[int, ...]:
    """The generations on which every one of the kernels boots; none where there is no kernel."""
    first = bool(kernels) and all(kernel.generation1.boots for kernel in kernels)
    second = bool(kernels) and all(kernel.generation2.boots for kernel in kernels)
    return tuple([number for number, boots in ((1, first), (2, second)) if boots])


def _is_in_the_way(finding: Finding, facts: GuestFacts) -> bool:
    """Whether a finding blocks the guest as it starts by default: an image that only another kernel loads does not."""
    if not finding.blocks:
        return False
    default = facts.boot.default
    if default is None or not finding.id.startswith("initramfs."):
        return True
    others = {path for entry in facts.boot.entries if entry.version != default.version for path in entry.initrds}
    return finding.subject not in others or finding.subject in default.initrds


def _judge(facts: GuestFacts, kernel: Kernel, supports: t.Sequence[KernelSupport]) -> KernelVerdict:
    support = next(found for found in supports if found.version == kernel.version)
    entries = [entry for entry in facts.boot.entries if entry.version == kernel.version]
    default = next((entry for entry in entries if entry.is_default), None)
    entry = default or (entries[0] if entries else None)
    common = [*_root_problems(facts, entry), *_kernel_problems(kernel)]
    synthetic = _disk_problems(facts, kernel, entry, drivers.HYPERV_STORAGE)
    first = synthetic
    through = "its root is found by hv_storvsc"
    if synthetic and _serves_emulated_disks(kernel):
        emulated = _disk_problems(facts, kernel, entry, drivers.EMULATED_STORAGE)
        if not emulated:
            first, through = emulated, "its root is found on the emulated IDE disk, which is slow"
    return KernelVerdict(
        version=kernel.version,
        is_default=default is not None,
        title=entry.title if entry else None,
        generation1=_verdict([*common, *_defects(support, 1), *first, *_generation1_problems(facts)], through),
        generation2=_verdict(
            [*common, *_defects(support, 2), *synthetic, *_generation2_problems(facts, kernel)],
            "its root is found by hv_storvsc",
        ),
        support=support,
    )


def _defects(support: KernelSupport, generation: int) -> t.Iterator[tuple[bool, str]]:
    """Known defects that keep a kernel from starting on a generation."""
    for defect in support.defects:
        if defect.severity == "error" and defect.generation in (None, generation):
            yield defect.is_certain, f"kernel {support.version} {kernel_support.described(defect)}"


def _verdict(problems: t.Sequence[tuple[bool, str]], otherwise: str) -> Verdict:
    """problems: whether it is certain, and what it is."""
    if not problems:
        return Verdict(True, (otherwise,))
    certain = [text for is_certain, text in problems if is_certain]
    if certain:
        return Verdict(False, tuple(certain))
    return Verdict(None, tuple([text for _is_certain, text in problems]))


def _root_problems(facts: GuestFacts, entry: BootEntry | None) -> t.Iterator[tuple[bool, str]]:
    if entry is not None:
        for value in dict.fromkeys(cmdline.values(cmdline.parse(entry.cmdline), "root")):
            if is_unstable(value):
                yield True, f"the boot loader says root={value}, and there is no such device on Hyper-V"
            elif value.startswith(("UUID=", "LABEL=")) and not entry.initrds:
                yield True, f"the boot loader says root={value}, which only an initramfs understands, and loads none"
    if facts.storage.fstab is not None:
        for row in fstab.entries(fstab.parse(facts.storage.fstab.text)):
            if is_unstable(row.spec) and not {"noauto", "nofail"} & set(row.options) and row.fs_type != "swap":
                yield (
                    True,
                    f"/etc/fstab mounts {row.mount_point} from {row.spec}, and there is no such device on Hyper-V",
                )


def _kernel_problems(kernel: Kernel) -> t.Iterator[tuple[bool, str]]:
    if kernel.image is None:
        yield True, f"there is no image of kernel {kernel.version} in /boot"
    if "xen" in kernel.version and version_of(kernel.version) < (2, 6, 32):
        yield True, f"kernel {kernel.version} runs on Xen only"


def _disk_problems(
    facts: GuestFacts, kernel: Kernel, entry: BootEntry | None, chain: t.Sequence[str]
) -> list[tuple[bool, str]]:
    """Why the kernel does not see its root disk through these drivers."""
    problems = []
    absent = [name for name in chain if provides(kernel, name) is None]
    if kernel.modules is None and absent:
        return [(False, f"the modules of kernel {kernel.version} are not there, so it is not known what it can drive")]
    if absent:
        problems.append((True, f"kernel {kernel.version} has no driver {', '.join(absent)}"))
    root = initramfs_modules.root_drivers(facts, kernel)
    if all(provides(kernel, name) == BUILTIN for name in (*chain, *root)):
        return problems
    for path in entry.initrds if entry is not None else ():
        if facts.image_at(path) is None:
            problems.append((True, f"the initramfs {path} is not there"))
    for path in _images_with_drivers(facts, kernel, entry):
        found = facts.image_at(path)
        missing = initramfs_modules.missing_modules(facts, kernel, path, (*chain, *root))
        if found is None:
            continue
        if missing is None:
            problems.append((False, f"the initramfs {path} cannot be read: {found.problem}"))
        elif missing:
            problems.append((True, f"the initramfs {path} lacks {', '.join(missing)}"))
        elif found.image is not None and initramfs_modules.blacklisted_in(found.image) & {*chain}:
            names = ", ".join(sorted(initramfs_modules.blacklisted_in(found.image) & {*chain}))
            problems.append((True, f"the initramfs {path} holds a blacklist of {names}"))
    if entry is not None and not entry.initrds and needed_from_image(kernel, chain):
        names = ", ".join(needed_from_image(kernel, chain))
        problems.append((True, f"{names} are modules, and the boot loader loads no initramfs to take them from"))
    return problems


def _images_with_drivers(facts: GuestFacts, kernel: Kernel, entry: BootEntry | None) -> tuple[str, ...]:
    if entry is None:
        return initramfs_modules.images_of(facts, kernel)
    return (initramfs_modules.main_image(kernel, entry.initrds),) if entry.initrds else ()


def _serves_emulated_disks(kernel: Kernel) -> bool:
    if provides(kernel, "hv_storvsc") is None:
        return True
    return version_of(kernel.version) < _IDE_IS_LEFT_ALONE


def _generation1_problems(facts: GuestFacts) -> t.Iterator[tuple[bool, str]]:
    if facts.boot.has_mbr_loader is False:
        yield True, "there is no boot loader in the first sector of the disk (pygrub needed none)"
    if facts.boot.loader is None:
        yield True, "there is no boot loader configuration in /boot"


def _generation2_problems(facts: GuestFacts, kernel: Kernel) -> t.Iterator[tuple[bool, str]]:
    if not facts.boot.has_esp:
        yield True, "the disk has no EFI system partition, and generation 2 boots by UEFI only"
    elif not any(path.lower() == "efi/boot/bootx64.efi" for path in facts.boot.esp_loaders):
        yield (
            True,
            "there is no EFI/BOOT/BOOTX64.EFI in the EFI system partition, and a new virtual machine knows no other",
        )
    if kernel.config is not None and not kernel.config.is_enabled("CONFIG_EFI"):
        yield True, f"kernel {kernel.version} has no UEFI support"
    if facts.system.architecture not in (None, "amd64", "arm64"):
        yield True, f"generation 2 runs 64-bit guests only, and this one is {facts.system.architecture}"


def _without_kernel(kernels: t.Sequence[KernelVerdict]) -> t.Iterator[Finding]:
    if not kernels:
        yield Finding(
            "kernel.none",
            "error",
            "/boot",
            "no installed kernel was found in /boot, so nothing can boot",
            "install linux-image-amd64 in the guest; one whose kernel was kept by the host needs its own",
            blocks=True,
        )


def _without_loader(facts: GuestFacts) -> t.Iterator[Finding]:
    if facts.boot.has_mbr_loader is False and not facts.boot.has_esp:
        yield Finding(
            "boot.no-loader",
            "error",
            "/boot",
            "the disk has neither boot code in its first sector nor an EFI system partition: pygrub on the Xen host "
            "needed none of them, and Hyper-V starts nothing from such a disk",
            "start the virtual machine from a rescue system, and install GRUB on the disk",
            blocks=True,
        )


def _slow_start(facts: GuestFacts) -> t.Iterator[Finding]:
    """initramfs-tools sleeps for rootdelay= in its init, and then looks for the root; without one the kernel does."""
    entry = facts.boot.default
    if entry is None or (entry.initrds and facts.initramfs.generators[:1] != ("initramfs-tools",)):
        return
    for value in dict.fromkeys(cmdline.values(cmdline.parse(entry.cmdline), "rootdelay")):
        if _NUMBER.match(value) and int(value) > _SHORT_DELAY:
            yield Finding(
                "boot.root-delay",
                "warning",
                f"rootdelay={value}",
                f"the boot loader says rootdelay={value}, so every start of the guest takes {value} s longer: Debian "
                "sleeps that long before it looks for its root, and does not end it when the disk is there",
                'Run rehost.hyperv.kernel_cmdline with absent: ["rootdelay=*"]; without it Debian waits as long as the '
                "disk takes, up to 30 s.",
            )


def _boots_nowhere(facts: GuestFacts, judged: KernelVerdict | None) -> Finding:
    """The reason why a guest is not ready that no other finding gives."""
    if judged is None:
        return Finding(
            "boot.default-unknown",
            "error",
            facts.boot.menu.path if facts.boot.menu else "/boot",
            "there are several kernels, and which of them starts by default cannot be told, so it is not known "
            "whether the guest boots",
            "name the default entry in /etc/default/grub (GRUB_DEFAULT) and run update-grub",
            blocks=True,
        )
    reasons = [
        f"generation {number}: {'; '.join(verdict.why)}"
        for number, verdict in ((1, judged.generation1), (2, judged.generation2))
    ]
    return Finding(
        "kernel.boots-nowhere",
        "error",
        judged.version,
        f"kernel {judged.version}, which starts by default, is not known to boot on Hyper-V. {'. '.join(reasons)}",
        "remove what stands in the way on one of the generations; often a newer kernel does",
        blocks=True,
    )


def _unread(path: str, message: str) -> Finding:
    return Finding(
        "guest.unreadable",
        "warning",
        path,
        f"{message}; what depends on it was not judged",
        "run as root (become: true); if the file is damaged, mend it",
    )


def _advice(facts: GuestFacts) -> t.Iterator[str]:
    """What the synthetic devices of Hyper-V give this guest, from what it has now."""
    legacy = [nic.name for nic in facts.nics if nic.kind == "legacy"]
    if legacy:
        yield (
            f"{', '.join(legacy)} is an emulated adapter: every access to one of its registers stops the guest. "
            "The synthetic one (hv_netvsc) hands whole packets over in shared memory."
        )
    emulated = [disk.name for disk in facts.disks if disk.kind == "emulated"]
    if emulated:
        yield f"{', '.join(emulated)} is an emulated disk: hv_storvsc serves the same disk without its detours."
    if facts.clock.current in ("acpi_pm", "pit", "jiffies"):
        yield (
            f"the clocksource is {facts.clock.current}, an emulated timer: the Hyper-V clocksource is read without "
            "leaving the guest, and it keeps up."
        )
