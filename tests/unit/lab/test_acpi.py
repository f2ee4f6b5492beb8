# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table is given to kernels in the tests of the lab; here it is taken apart."""

from __future__ import annotations

import struct

from ansible_collections.rehost.hyperv.tests.lab import acpi


def test_every_length_ends_where_what_it_counts_ends() -> None:
    table = acpi.memory_range()
    assert table[:1] == b"\x10"
    assert table[1] == len(table) - 1
    assert table[2:12] == b"\\_SB_\x08_CRS"
    buffer = table[12:]
    assert buffer[:1] == b"\x11"
    assert buffer[1] == len(buffer) - 1
    assert buffer[2:4] == bytes([0x0A, len(buffer) - 4])


def test_the_range_lies_below_the_apics_and_is_as_long_as_it_says() -> None:
    kind, length = struct.unpack_from("<BH", acpi.memory_range(), 16)
    assert (kind, length) == (0x87, 23)
    _granularity, first, last, offset, size = struct.unpack_from("<IIIII", acpi.memory_range(), 22)
    assert 0xF8000000 <= first < last < 0xFEC00000
    assert (offset, size) == (0, last - first + 1)
    assert acpi.memory_range()[42:] == b"\x79\x00"
