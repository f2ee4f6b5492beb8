# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels that Secure Boot does not let start."""

from __future__ import annotations

import typing as t

from .model import Finding

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Kernel

_SWITCH_OFF = (
    "turn the virtual machine off and switch Secure Boot off on the host (Set-VMFirmware -VMName NAME "
    "-EnableSecureBoot Off), or start a kernel that is signed, such as Debian's"
)


def refuses(facts: GuestFacts, kernel: Kernel) -> bool:
    """Whether the firmware of the running guest does not let this kernel start."""
    return facts.hypervisor.secure_boot is True and kernel.is_signed is False


def find(facts: GuestFacts) -> t.Iterator[Finding]:
    """Each kernel of the menu that Secure Boot refuses now, or would on a machine of generation 2."""
    default = facts.boot.default
    versions = {entry.version for entry in facts.boot.entries}
    for kernel in facts.kernels:
        if kernel.version not in versions or kernel.is_signed is not False:
            continue
        is_default = default is not None and default.version == kernel.version
        if refuses(facts, kernel):
            yield Finding(
                "kernel.unsigned",
                "error" if is_default else "warning",
                kernel.version,
                f"kernel {kernel.version} has no signature, and Secure Boot is on: GRUB refuses it, and waits in its "
                "menu",
                _SWITCH_OFF,
                blocks=is_default,
            )
        elif facts.boot.has_esp:
            yield Finding(
                "kernel.unsigned",
                "info",
                kernel.version,
                f"kernel {kernel.version} has no signature: it does not start on generation 2 with Secure Boot, which "
                "is on in a new virtual machine",
                _SWITCH_OFF,
            )
