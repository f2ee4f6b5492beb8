# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.module_utils._formats.apt_cache import Offer, read_madison
from hypothesis import given
from hypothesis import strategies as st

LINES = """\
linux-image-6.12.9+bpo-amd64 | 6.12.9-1~bpo12+1 | http://deb.example.org/debian bookworm-backports/main amd64 Packages
linux-image-6.1.0-50-amd64 |  6.1.176-1 | http://deb.example.org/debian-security bookworm-security/main amd64 Packages
linux-image-6.1.0-50-amd64 |  6.1.176-1 | http://deb.example.org/debian bookworm/main amd64 Packages
linux-image-6.1.0-51-amd64 |  6.1.177-1 | file:/srv/repository ./ Packages
     linux |  6.1.176-1 | http://deb.example.org/debian bookworm/main Sources
"""


def test_versions_are_read_with_where_they_come_from() -> None:
    assert read_madison(LINES) == (
        Offer("linux-image-6.12.9+bpo-amd64", "6.12.9-1~bpo12+1", "bookworm-backports/main"),
        Offer("linux-image-6.1.0-50-amd64", "6.1.176-1", "bookworm-security/main"),
        Offer("linux-image-6.1.0-50-amd64", "6.1.176-1", "bookworm/main"),
        Offer("linux-image-6.1.0-51-amd64", "6.1.177-1", ""),
    )


@given(st.text())
def test_anything_else_is_left_out(text: str) -> None:
    assert all(offer.name.strip() == offer.name for offer in read_madison(text))
    assert read_madison("N: Unable to locate package x\n") == ()
