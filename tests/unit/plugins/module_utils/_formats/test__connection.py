# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fnmatch
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import _connection
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("text", ["00:16:3E:0a:00:01", "00-16-3e-0A-00-01", "0016.3e0a.0001", "0:16:3e:a:0:1"])
def test_an_address_has_one_form_however_it_is_written(text: str) -> None:
    assert _connection.normal_mac(text) == "00:16:3e:0a:00:01"


@pytest.mark.parametrize("text", ["", "eth0", "00:16:3e:0a:00", "00:16-3e:0a:00:01", "00:16:3e:0a:00:01:02"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert _connection.normal_mac(text) is None


@given(st.text("ab01", max_size=8), st.text("ab01*?", max_size=8))
def test_globs_match_as_the_standard_library_s(name: str, pattern: str) -> None:
    assert _connection.matches_glob(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    ("name", "pattern", "is_matched"),
    [
        ("enp0s3", "en*", True),
        ("eth0", "en*", False),
        ("enX0", "*X0", True),
        ("aab", "*ab", True),
        ("abcabd", "a*bd*", True),
        ("eth1", "eth[0-3]", True),
        ("eth4", "eth[0-3]", False),
        ("eth4", "eth[!0-3]", True),
        ("eth-", "eth[0-]", True),
        ("a]", "a[]]", True),
        ("*", "\\*", True),
        ("x", "\\*", False),
    ],
)
def test_globs_have_ranges_and_quoting(name: str, pattern: str, is_matched: bool) -> None:
    assert _connection.matches_glob(name, pattern) is is_matched


def test_a_glob_of_many_stars_takes_no_time() -> None:
    started = time.monotonic()
    assert not _connection.matches_glob("a" * 255, "a*" * 100 + "b")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "eth0:1", "sixteen-letters-", "a\0"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(_errors.GuestError, match="cannot be the name"):
        _connection.check_name(name)


def test_edits_change_only_their_own_places() -> None:
    assert _connection.with_edits("abcdef", [(4, 5, "E"), (1, 2, ""), (3, 3, "-")]) == "ac-dEf"
