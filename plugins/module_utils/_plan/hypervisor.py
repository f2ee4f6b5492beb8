# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On what a guest runs, judged from the evidence.

The strongest kind of evidence decides, within a kind the majority, and whatever points elsewhere is a contradiction
that is shown:

interface
    The kernel talks to the hypervisor, or was built for it: Xen's hypercalls and XenStore, a Hyper-V root partition,
    the kernel of WSL2. Hypervisors that imitate others imitate what is needed to be detected, not this.
firmware
    DMI names the virtual machine monitor that wrote it. Xen with viridian extensions, KVM with Hyper-V
    enlightenments and VirtualBox with its Hyper-V interface change what CPUID says, and leave this alone.
bus
    VMBus, devices on PCI and ACPI that only one hypervisor has, the maker of the ACPI tables. QEMU can have a VMBus.
cpu
    What CPUID claims, and all that follows from it: the kernel's C(Hypervisor detected), its clocksources. Any
    hypervisor can claim to be Hyper-V, so that Windows runs well on it.
trait
    What fits several: the CPU flag C(hypervisor), a hidden microcode revision, DMI of a machine that is not known to
    be virtual (an administrator can make a virtual machine show the names of its host).
software
    What was installed in the guest. It tells where its image was made for, never where it is, and contradicts nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .._facts.model import Evidence, Hypervisor

_KINDS = ("interface", "firmware", "bus", "cpu", "trait")  # the strongest first
_FAMILIES = {
    "hyperv": "hyperv",
    "hyperv-root": "hyperv",
    "azure": "hyperv",
    "xen": "xen",
    "xen-hvm": "xen",
    "xen-pv": "xen",
    "xen-pvh": "xen",
    "xen-dom0": "xen",
    "kvm": "kvm",
    "qemu": "kvm",
    "virtualbox": "virtualbox",
    "vmware": "vmware",
    "wsl": "wsl",
}
_FITTING = {
    "hyperv": ("hyperv", "azure"),
    "hyperv-root-partition": ("hyperv", "hyperv-root", "physical"),
    "wsl2": ("wsl", "hyperv"),
    "xen-hvm": ("xen", "xen-hvm"),
    "xen-pv": ("xen", "xen-pv", "physical"),  # what CPUID says in a paravirtual domain depends on Xen's version
    "xen-pvh": ("xen", "xen-pvh"),
    "xen-dom0": ("xen", "xen-dom0", "xen-pv", "xen-pvh", "physical"),
    "kvm": ("kvm", "qemu"),
    "qemu": ("qemu",),
    "virtualbox": ("virtualbox",),
    "vmware": ("vmware",),
    "physical": ("physical",),
    "unknown": (),
}
"""What evidence may point to without contradicting a verdict."""
_TITLES = {
    "hyperv": "a virtual machine on Hyper-V",
    "hyperv-root-partition": "the root partition of Hyper-V, not a guest",
    "wsl2": "the Windows Subsystem for Linux 2, not a machine that could be managed on Hyper-V",
    "xen-hvm": "an HVM domain on Xen",
    "xen-pv": "a paravirtual domain on Xen",
    "xen-pvh": "a PVH domain on Xen",
    "xen-dom0": "the control domain of Xen, not a guest",
    "kvm": "a virtual machine on KVM",
    "qemu": "a virtual machine in QEMU",
    "virtualbox": "a virtual machine in VirtualBox",
    "vmware": "a virtual machine on VMware",
    "physical": "a physical machine",
    "unknown": "not known",
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a guest runs on."""

    name: str  # hyperv, hyperv-root-partition, wsl2, xen-hvm, -pv, -pvh, -dom0, kvm, qemu, virtualbox, vmware, ...
    generation: int | None  # of a virtual machine on Hyper-V: 1 or 2, None when nothing tells
    is_azure: bool  # on Hyper-V, and the chassis carries Azure's asset tag
    container_on: str | None  # for C(container): the name of what its kernel runs on
    evidence: tuple[Evidence, ...]  # what speaks for it
    contradictions: tuple[Evidence, ...]  # what speaks against it
    explanation: str

    def report(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)


def judge(facts: Hypervisor) -> Verdict:
    """The verdict on a guest. The docstring of this module says which evidence weighs more, and why."""
    container = tuple(e for e in facts.evidence if e.points_to == "container")
    evidence = tuple(e for e in facts.evidence if e.points_to != "container")
    name, reason = _name(facts, evidence)
    generation, misfits = _generation(evidence) if name == "hyperv" else (None, ())
    is_azure = name == "hyperv" and any(e.points_to == "azure" and e.kind == "firmware" for e in evidence)
    supporting = tuple(e for e in evidence if _supports(e, name, generation))
    against = tuple(e for e in evidence if _contradicts(e, name, evidence) or e in misfits)
    if facts.is_container:
        told = f"This is a container; its kernel runs on {_TITLES[name]}: {reason}"
        return Verdict("container", None, False, name, container + supporting, against, _explain(told, against))
    told = f"This is {_TITLES[name]}: {reason}" if name != "unknown" else reason
    return Verdict(
        name, generation, is_azure, None, supporting, container + against, _explain(told, container + against)
    )


def _name(facts: Hypervisor, evidence: tuple[Evidence, ...]) -> tuple[str, str]:
    """Name of what the kernel runs on, and the reason."""
    points = {e.points_to for e in evidence}
    if "hyperv-root" in points:
        return "hyperv-root-partition", _because(evidence, "hyperv-root")
    for kind in _KINDS:
        families = [family for family in (_family(e, points) for e in evidence if e.kind == kind) if family]
        if not families:
            continue
        family = max(sorted(set(families)), key=families.count)
        proof = next(e for e in evidence if e.kind == kind and _family(e, points) == family)
        return _member(family, facts, evidence, f"{proof.source} says {proof.value!r}.")
    if "hyperv-imitation" in points:
        return "unknown", (
            "CPUID shows the interface of Hyper-V, but without the synthetic interrupt controller that VMBus needs: "
            "some other hypervisor imitates it, as Xen does with viridian extensions and KVM with enlightenments."
        )
    if "virtual" in points:
        return "unknown", "This is a virtual machine, but nothing tells on what: " + _because(evidence, "virtual")
    if "physical" in points:
        return "physical", _because(evidence, "physical")
    return "unknown", (
        "Nothing tells on what this runs: no /sys and /proc (the guest is not running), and no kernel log in /var/log "
        "that holds a boot."
    )


def _family(evidence: Evidence, points: set[str]) -> str | None:
    # CPUID that is known to imitate Hyper-V's proves nothing
    if evidence.kind in ("cpu", "trait") and evidence.points_to == "hyperv" and "hyperv-imitation" in points:
        return None
    # asset tags name a customer of Hyper-V, not a hypervisor
    return _FAMILIES.get(evidence.points_to) if evidence.points_to != "azure" else None


def _member(family: str, facts: Hypervisor, evidence: tuple[Evidence, ...], proof: str) -> tuple[str, str]:
    points = {e.points_to for e in evidence}
    has_dmi = any(_is_dmi(e) for e in evidence)
    if family == "xen":
        if "xen-dom0" in points or ("xen-pv" in points and has_dmi):
            return "xen-dom0", proof + " Of all paravirtual domains only the control domain sees the firmware."
        for name in ("xen-pv", "xen-pvh", "xen-hvm"):
            if name in points:
                return name, proof
        if has_dmi:
            return "xen-hvm", proof + " It has firmware of its own."
        return "xen-pv", proof + " It has no firmware."
    if family == "kvm":
        return ("kvm" if "kvm" in points else "qemu"), proof
    if family == "hyperv" and not any(e.points_to == "hyperv" and e.kind == "firmware" for e in evidence):
        machine = next((e for e in evidence if e.points_to == "physical" and _is_dmi(e)), None)
        if machine is not None and facts.privileges_high is None:
            return "hyperv-root-partition", f"{proof} But {machine.source} names a physical machine: {machine.value!r}."
        if machine is not None:
            return "unknown", (
                f"{proof} But {machine.source} says {machine.value!r}, which is no virtual machine of Hyper-V, and the "
                "privileges are not those of its root partition: some other hypervisor imitates Hyper-V."
            )
    return ("wsl2" if family == "wsl" else family), proof


def _generation(evidence: tuple[Evidence, ...]) -> tuple[int | None, tuple[Evidence, ...]]:
    """Generation, and the evidence against it. A kernel that was started by UEFI proves generation 2, which has
    nothing else; then comes the firmware's name, then devices, and last that there is no UEFI to be seen (C(noefi))."""
    votes = [e for e in evidence if e.points_to in ("generation-1", "generation-2")]
    if not votes:
        return None, ()
    generation = int(min(votes, key=lambda e: _KINDS.index(e.kind)).points_to[-1])
    return generation, tuple(e for e in votes if e.points_to != f"generation-{generation}")


def _supports(evidence: Evidence, name: str, generation: int | None) -> bool:
    return evidence.points_to in (*_FITTING[name], "virtual", f"generation-{generation}")


def _contradicts(evidence: Evidence, name: str, all_evidence: tuple[Evidence, ...]) -> bool:
    if evidence.kind == "software" or evidence.points_to.startswith("generation-"):
        return False
    if evidence.points_to == "hyperv-imitation":
        return name in ("hyperv", "hyperv-root-partition")
    if name == "xen-dom0" and evidence.kind in ("firmware", "bus"):
        return False  # the control domain sees the machine that Xen runs on, which may itself be virtual
    return not _supports(evidence, name, None)


def _is_dmi(evidence: Evidence) -> bool:
    return evidence.source.startswith("/sys/class/dmi/") or evidence.value.startswith("DMI: ")


def _because(evidence: tuple[Evidence, ...], points_to: str) -> str:
    found = next(e for e in evidence if e.points_to == points_to)
    return f"{found.source} says {found.value!r}."


def _explain(told: str, against: tuple[Evidence, ...]) -> str:
    if not against:
        return told
    listed = "; ".join(f"{e.source} says {e.value!r}, which points to {e.points_to}" for e in against)
    return f"{told} The evidence contradicts itself: {listed}."
