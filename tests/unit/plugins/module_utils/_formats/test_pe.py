# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import pe
from ansible_collections.rehost.hyperv.tests.unit.efi_image import make as image
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("is_64_bit", [True, False])
def test_a_certificate_table_is_a_signature(is_64_bit: bool) -> None:
    assert pe.has_signature(image(is_64_bit=is_64_bit))
    assert pe.has_signature(image(is_64_bit=is_64_bit).ljust(pe.HEADER_SIZE, b"\x90"))


@pytest.mark.parametrize(
    "unsigned",
    [
        image(certificates=(0, 0)),
        image(certificates=(0x8000, 0)),
        image(entries=4).ljust(pe.HEADER_SIZE, b"\x90"),
        image(is_64_bit=False, certificates=(0, 0)),
    ],
)
def test_without_one_there_is_no_signature(unsigned: bytes) -> None:
    assert not pe.has_signature(unsigned)


def test_a_kernel_without_an_efi_stub_has_no_signature() -> None:
    assert not pe.has_signature(b"\xea\x05\x00\xc0\x07".ljust(512, b"\0") + b"HdrS")


@given(st.integers(0, len(image()) - 1))
def test_a_header_that_ends_early_has_no_signature(length: int) -> None:
    assert not pe.has_signature(image()[:length]) or length >= len(image()) - 8


@given(st.binary(max_size=600), st.integers(0, 2**32 - 1))
def test_whatever_it_is_there_is_an_answer(tail: bytes, start: int) -> None:
    assert pe.has_signature(b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", start) + tail) in {True, False}
