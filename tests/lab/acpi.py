# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Hyper-V's firmware says in ACPI and QEMU's does not.  Pure.

VMBus lies below a device that has the memory ranges for devices of the host.  Linux looks for them on the way up from
VMBus.  Before Linux 6.6 and its stable fixes it does not stop at the root of the namespace when nobody has them, and
that is the end of hv_vmbus; Debian 11's 5.10.262 is such a one.  So here the scope above VMBus has a range.

Encoding: ACPI 6.5, sections 6.4.3.5.2 (DWord address space descriptor) and 20.2 (AML).
"""

from __future__ import annotations

import struct

# As on a machine of generation 1, but for what lies at and above the I/O APIC.
FIRST, LAST = 0xF8000000, 0xFEBFFFFF

_SCOPE, _NAME, _BUFFER, _BYTE = b"\x10", b"\x08", b"\x11", b"\x0a"
_END_TAG = b"\x79\x00"  # a checksum of zero stands for none
_DWORD_ADDRESS_SPACE = 0x87
_MEMORY, _PRODUCED_AND_FIXED, _WRITABLE = 0, 0x0C, 0x01


def memory_range() -> bytes:
    """The body of a secondary table: \\_SB._CRS."""
    body = struct.pack("<BBBIIIII", _MEMORY, _PRODUCED_AND_FIXED, _WRITABLE, 0, FIRST, LAST, 0, LAST - FIRST + 1)
    resources = struct.pack("<BH", _DWORD_ADDRESS_SPACE, len(body)) + body + _END_TAG
    template = _BUFFER + _with_length(_BYTE + bytes([len(resources)]) + resources)
    return _SCOPE + _with_length(b"\\_SB_" + _NAME + b"_CRS" + template)


def _with_length(content: bytes) -> bytes:
    """After its length, which counts itself; up to 63 it is one byte."""
    return bytes([len(content) + 1]) + content
