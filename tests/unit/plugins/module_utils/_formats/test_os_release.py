# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import os_release
from hypothesis import given
from hypothesis import strategies as st

BOOKWORM = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"""
JESSIE = 'PRETTY_NAME="Debian GNU/Linux 8 (jessie)"\nVERSION_ID="8"\nVERSION="8 (jessie)"\nID=debian\n'
SID = 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\nID=debian\n'
DEVUAN = (
    'PRETTY_NAME="Devuan GNU/Linux 5 (daedalus)"\nVERSION_ID="5"\nVERSION="5 (daedalus)"\nID=devuan\nID_LIKE=debian\n'
)
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="21"\nPRETTY_NAME="Linux Mint 21"\n'


@pytest.mark.parametrize(
    ("content", "debian_version", "release"),
    [
        (BOOKWORM, "12.5\n", ("debian", "12", "bookworm", "Debian GNU/Linux 12 (bookworm)", (), "12.5")),
        (JESSIE, "8.11\n", ("debian", "8", "jessie", "Debian GNU/Linux 8 (jessie)", (), "8.11")),
        (SID, "forky/sid\n", ("debian", "", "forky", "Debian GNU/Linux forky/sid", (), "")),
        (None, "6.0.10\n", ("debian", "6", "squeeze", "Debian GNU/Linux 6.0.10", (), "6.0.10")),
        (None, "3.1\n", ("debian", "3.1", "", "Debian GNU/Linux 3.1", (), "3.1")),
        (None, "wheezy/sid\n", ("debian", "", "wheezy", "Debian GNU/Linux wheezy/sid", (), "")),
        (DEVUAN, "12.0\n", ("devuan", "5", "daedalus", "Devuan GNU/Linux 5 (daedalus)", ("debian",), "12.0")),
        (MINT, "bookworm/sid", ("linuxmint", "21", "", "Linux Mint 21", ("ubuntu", "debian"), "")),
        ("NAME=broken name\nID=debian\r\nVERSION_ID='9\nVERSION_ID=9\n", None, ("debian", "9", "stretch", "", (), "")),
        ("NAME=x\n", None, ("linux", "", "", "", (), "")),
        (None, None, ("", "", "", "", (), "")),
        (None, "", ("debian", "", "", "Debian GNU/Linux", (), "")),
    ],
)
def test_a_release_is_recognised(
    content: str | None, debian_version: str | None, release: tuple[str, str, str, str, tuple[str, ...], str]
) -> None:
    assert os_release.read(content, debian_version) == release


@given(st.none() | st.text(), st.none() | st.text() | st.from_regex(r"[0-9]+(\.[0-9a-z]+)*\n"))
def test_no_content_is_an_error(content: str | None, debian_version: str | None) -> None:
    release = os_release.read(content, debian_version)
    assert (release.identifier == "") == (content is None and debian_version is None)
