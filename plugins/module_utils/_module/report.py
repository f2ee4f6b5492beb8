# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts and verdicts as a module's result: plain values, small enough to read, with everything that was found."""

from __future__ import annotations

import typing as t

from .._catalog import drivers
from .._plan import hypervisor
from .._plan.support import provides

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Initramfs, Kernel
    from .._plan.kernel_support import KernelSupport
    from .._plan.readiness import KernelVerdict, Readiness
    from .._plan.verification import Verification


def guest(facts: GuestFacts) -> dict[str, t.Any]:
    """The result of guest_info."""
    from .._plan import kernel_support  # no other result needs it

    verdict = hypervisor.judge(facts.hypervisor)
    release = kernel_support.release_of(facts)
    return {
        "system": facts.system,
        "release_support": {
            "number": release.number,
            "codename": release.codename,
            "kernel": release.kernel.series,
            "backports": release.backports.series if release.backports else None,
            "supported_until": release.supported_until,
            "lts_until": release.lts_until,
            "extended_until": release.extended_until,
            "microsoft": release.microsoft,
        }
        if release is not None
        else None,
        "hypervisor": {
            "name": verdict.name,
            "generation": verdict.generation,
            "is_azure": verdict.is_azure,
            "container_on": verdict.container_on,
            "is_uefi": facts.hypervisor.is_uefi,
            "secure_boot": facts.hypervisor.secure_boot,
            "explanation": verdict.explanation,
            "evidence": verdict.evidence,
            "contradictions": verdict.contradictions,
            "host_build": facts.hypervisor.host_build,
            "features": facts.hypervisor.features,
            "vmbus_protocol": facts.hypervisor.vmbus_protocol,
        },
        "vmbus": facts.hypervisor.vmbus,
        "nics": facts.nics,
        "connections": [
            {"stack": found.stack, "path": found.path, **vars(found.connection)} for found in facts.connections
        ],
        "default_routes": facts.default_routes,
        "disks": facts.disks,
        "block_devices": [
            {
                "names": device.names,
                "type": device.content.type if device.content else None,
                "uuid": device.content.uuid if device.content else None,
                "label": device.content.label if device.content else None,
                "partition_uuid": device.partition_uuid,
            }
            for device in facts.storage.devices
        ],
        "kernels": [
            _kernel(facts, kernel, support) for kernel, support in zip(facts.kernels, kernel_support.judge(facts))
        ],
        "boot": {
            "loader": facts.boot.loader,
            "menu": facts.boot.menu.path if facts.boot.menu else None,
            "has_mbr_loader": facts.boot.has_mbr_loader,
            "has_esp": facts.boot.has_esp,
            "esp_loaders": facts.boot.esp_loaders,
            "default": facts.boot.default,
            "entries": facts.boot.entries,
            "unresolved": facts.boot.unresolved,
        },
        "initramfs": {"generators": facts.initramfs.generators, "policy": facts.initramfs.policy},
        "clock": facts.clock,
        "xen": {
            "packages": [{"name": name, "version": version} for name, version in facts.xen.packages],
            "files": facts.xen.files,
            "getty_links": [path for path, _target in facts.xen.getty_links],
        },
        "integration": {
            "packages": [{"name": name, "version": version} for name, version in facts.integration.packages],
            "daemons": facts.integration.daemons,
            "rules": [file.path for file in facts.integration.rules],
            "memory": facts.integration.memory,
            "queues": facts.integration.queues,
            "foreign_files": facts.integration.foreign_files,
            "watchdogs": facts.integration.watchdogs,
            "serial_ports": facts.integration.serial_ports,
        },
        "free_bytes": facts.free_bytes,
        "problems": facts.problems,
    }


def readiness(judged: Readiness) -> dict[str, t.Any]:
    """The result of readiness_info."""
    return {
        "ready": judged.ready,
        "generations": judged.generations,
        "kernels": [_verdict(kernel) for kernel in judged.kernels],
        "findings": [finding.report() for finding in judged.findings],
        "advice": judged.advice,
        "kernel_advice": judged.kernel_advice,
    }


def verification(verified: Verification) -> dict[str, t.Any]:
    """The result of verification_info."""
    return {
        "verified": verified.verified,
        "settled": verified.settled,
        "hypervisor": verified.hypervisor,
        "has_baseline": verified.has_baseline,
        "proofs": verified.proofs,
        "findings": [finding.report() for finding in verified.findings],
    }


def _verdict(kernel: KernelVerdict) -> dict[str, t.Any]:
    return {
        "version": kernel.version,
        "is_default": kernel.is_default,
        "title": kernel.title,
        "generation1": {"boots": kernel.generation1.boots, "why": kernel.generation1.why},
        "generation2": {"boots": kernel.generation2.boots, "why": kernel.generation2.why},
        "support": _support(kernel.support),
    }


def _support(found: KernelSupport) -> dict[str, t.Any]:
    """The judgement without what stands beside it already."""
    names = ("package", "package_version", "series", "flavour", "origin", "grade", "reasons", "defects")
    return {
        **{name: getattr(found, name) for name in names},
        "features": {
            feature.name: {
                "state": feature.state,
                "module": feature.module,
                "read_from": feature.read_from,
                "since": feature.since,
                "is_needed": feature.is_needed,
            }
            for feature in found.features
        },
    }


def _kernel(facts: GuestFacts, kernel: Kernel, support: KernelSupport) -> dict[str, t.Any]:
    return {
        "version": kernel.version,
        "image": kernel.image,
        "is_signed": kernel.is_signed,
        "drivers": {name: provides(kernel, name) for name in drivers.REPORTED},
        "support": _support(support),
        "initramfs": _initramfs(facts.image_at(kernel.initramfs), kernel.version),
    }


def _initramfs(found: Initramfs | None, version: str) -> dict[str, t.Any] | None:
    if found is None:
        return None
    return {
        "path": found.path,
        "size": found.size,
        "problem": found.problem,
        "generator": found.image.generator if found.image else None,
        "compression": [segment.compression for segment in found.image.segments] if found.image else [],
        "modules": sorted(found.image.module_names(version)) if found.image else [],
    }
