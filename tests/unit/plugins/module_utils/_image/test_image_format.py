# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._image import image_format


@pytest.mark.parametrize(
    ("place", "magic", "name"),
    [
        (0, b"QFI\xfb", "qcow2"),
        (0, b"vhdxfile", "vhdx"),
        (0, b"conectix", "vpc"),
        (4096 - 512, b"conectix", "vpc"),
        (257, b"ustar\x0000", "tar"),
        (1, b"QFI\xfb", "raw"),
    ],
)
def test_a_format_is_known_by_its_bytes(place: int, magic: bytes, name: str) -> None:
    content = bytearray(4096)
    content[place : place + len(magic)] = magic
    assert image_format.detect(io.BytesIO(bytes(content))) == name


@pytest.mark.parametrize("size", [0, 1, 3, 100, 512])
def test_what_is_too_short_for_any_format_is_raw(size: int) -> None:
    assert image_format.detect(io.BytesIO(bytes(size))) == "raw"
