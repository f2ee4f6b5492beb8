# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels that Secure Boot does not let start."""

from __future__ import annotations

import typing as t

from .model import Finding

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Kernel

REMEDY = (
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
        is_refused = refuses(facts, kernel)
        blocks = is_refused and default is not None and default.version == kernel.version
        if is_refused:
            why = "and Secure Boot is on: GRUB refuses it, and waits in its menu"
        elif facts.boot.has_esp:
            why = "so it does not start on generation 2 with Secure Boot, which is on in a new virtual machine"
        else:
            continue
        yield Finding(
            "kernel.unsigned",
            "error" if blocks else "warning" if is_refused else "info",
            kernel.version,
            f"kernel {kernel.version} has no signature, {why}",
            REMEDY,
            blocks=blocks,
        )
