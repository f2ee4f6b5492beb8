# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that are logged as errors: those that say nothing on Hyper-V, and those that say that something is broken.

Regular expressions, searched for in the first line of a message.
"""

from __future__ import annotations

HARMLESS_ON_HYPERV = (
    r"Assuming drive cache: write through",  # drivers/scsi/sd.c: the virtual disk does not tell its cache mode
    r"No Caching mode page found",
    r"Asking for cache data failed",
    r"SMBus base address uninitialized",  # drivers/i2c/busses/i2c-piix4.c: generation 1 has the chip, and no bus on it
    r"SMBus Host Controller not enabled",
    r"Unable to init MCE device",
    r"\[Firmware Bug\]: TSC doesn't count with P0 frequency",
    r"\[Firmware Bug\]: cpu \d+, try to use APIC",
    r"RETBleed: WARNING",
    r"Spectre V2 ?: WARNING",
    r"ACPI Error: .*(?:AE_NOT_FOUND|AE_ALREADY_EXISTS)",  # tables of generation 1 that name devices which are not there
    r"hv_balloon: .*(?:Unhandled|not supported)",
)

HARMLESS_OF_PROGRAMS = (
    # other machines that knock at the door are no trouble of the move
    r"maximum authentication attempts exceeded",
    r"error: kex_exchange_identification",
    r"error: PAM: ",
    r"fatal: Timeout before authentication",
    r"fatal: userauth_pubkey",
    r"Failed password for",
)

GRAVE = (
    r"I/O error",
    r"EXT[234]-fs error",
    r"XFS .*(?:corruption|shutdown|error)",
    r"BTRFS: error",
    r"Remounting filesystem read-only",
    r"\bBUG: ",
    r"\bOops\b",
    r"Kernel panic",
    r"blocked for more than \d+ seconds",
    r"Out of memory: ",
    r"soft lockup",
    r"hv_vmbus: .*(?:fail|unable|timed? ?out)",
    r"hv_storvsc .*(?:fail|timed? ?out|error)",
    r"hv_netvsc .*(?:fail|unable|timed? ?out)",
    r"hv_utils: .*(?:fail|cannot)",
)
"""Of the kernel: data, memory or a device of Hyper-V is in danger."""
