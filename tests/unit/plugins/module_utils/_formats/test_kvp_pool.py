# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kvp_pool
from hypothesis import given
from hypothesis import strategies as st


def record(key: bytes, value: bytes) -> bytes:
    return key.ljust(512, b"\0") + value.ljust(2048, b"\0")


NAME = record(b"VirtualMachineName", b"web1")
HOST = record(b"HostName", b"hv-3")
texts = st.text(max_size=100).map(lambda text: text.replace("\0", ""))


@given(st.binary(max_size=6000))
def test_every_byte_is_kept(data: bytes) -> None:
    assert kvp_pool.render(kvp_pool.parse(data)) == data


def test_a_record_is_a_key_and_a_value_up_to_their_first_nul() -> None:
    left_behind = record(b"OSName\0Version", b"Debian\0and more")
    assert kvp_pool.pairs(kvp_pool.parse(NAME + left_behind)) == (("VirtualMachineName", "web1"), ("OSName", "Debian"))


def test_a_record_that_fills_its_fields_ends_with_them() -> None:
    full = record(b"k" * 512, b"v" * 2048)
    assert kvp_pool.pairs(kvp_pool.parse(full + NAME)) == (("k" * 512, "v" * 2048), ("VirtualMachineName", "web1"))


def test_of_several_records_with_one_key_the_first_counts_as_for_the_daemon() -> None:
    assert kvp_pool.pairs(kvp_pool.parse(NAME + record(b"VirtualMachineName", b"old"))) == (
        ("VirtualMachineName", "web1"),
    )


def test_a_record_without_a_key_or_cut_off_is_none() -> None:
    pool = kvp_pool.parse(record(b"", b"nobody") + NAME + b"half")
    assert kvp_pool.pairs(pool) == (("VirtualMachineName", "web1"),)
    assert kvp_pool.render(pool).endswith(b"half")


def test_a_value_changes_in_its_place_and_no_other_byte_does() -> None:
    changed = kvp_pool.with_pair(kvp_pool.parse(NAME + HOST), "VirtualMachineName", "web2")
    assert kvp_pool.render(changed) == record(b"VirtualMachineName", b"web2") + HOST


def test_a_value_that_is_there_already_leaves_what_stands_behind_it() -> None:
    data = record(b"a", b"1\0older") + HOST
    assert kvp_pool.render(kvp_pool.with_pair(kvp_pool.parse(data), "a", "1")) == data


def test_a_new_pair_comes_last_where_a_record_begins() -> None:
    assert kvp_pool.render(kvp_pool.with_pair(kvp_pool.parse(NAME), "rôle", "ü")) == NAME + record(
        "rôle".encode(), "ü".encode()
    )
    assert kvp_pool.render(kvp_pool.with_pair(kvp_pool.parse(NAME + b"half"), "a", "b")) == NAME + record(b"a", b"b")


def test_a_removed_key_takes_all_its_records_along() -> None:
    pool = kvp_pool.parse(NAME + HOST + NAME)
    assert kvp_pool.render(kvp_pool.without_key(pool, "VirtualMachineName")) == HOST
    assert kvp_pool.without_key(pool, "Virtual") == pool


@given(st.dictionaries(texts.filter(bool), texts), st.binary(max_size=3000))
def test_what_was_set_is_read(pairs: dict[str, str], data: bytes) -> None:
    pool = kvp_pool.parse(data)
    for key, value in pairs.items():
        pool = kvp_pool.with_pair(pool, key, value)
    again = dict(kvp_pool.pairs(kvp_pool.parse(kvp_pool.render(pool))))
    assert {key: again[key] for key in pairs} == pairs
    for key in pairs:
        pool = kvp_pool.without_key(pool, key)
    assert not set(pairs) & set(dict(kvp_pool.pairs(pool)))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("", "v", "empty"),
        ("k" * 255, "v", "255 characters long, and the kernel hands 254"),
        ("ü" * 256, "v", "512 bytes long in UTF-8, and a pool has room for 511"),
        ("k", "v" * 1023, "1023 characters long, and the kernel hands 1022"),
        ("k", "€" * 683, "2049 bytes long in UTF-8, and a pool has room for 2047"),
        ("k\0", "v", "NUL"),
        ("k", "v\0", "NUL"),
        ("k", "\udc80", "UTF-8"),
        ("k", "\U0001f600" * 512, "2048 bytes"),
    ],
)
def test_what_the_host_would_not_see_whole_is_refused(key: str, value: str, message: str) -> None:
    with pytest.raises(GuestError, match=message):
        kvp_pool.with_pair(kvp_pool.parse(b""), key, value)


@pytest.mark.parametrize(
    ("key", "value"), [("k" * 254, "v" * 1022), ("ü" * 254, "ü" * 1022), ("k", "\U0001f600" * 511), ("k", "")]
)
def test_what_just_fits_is_kept_whole(key: str, value: str) -> None:
    data = kvp_pool.render(kvp_pool.with_pair(kvp_pool.parse(b""), key, value))
    assert len(data) == 2560
    assert kvp_pool.pairs(kvp_pool.parse(data)) == ((key, value),)
