# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.module_utils._formats import crypttab
from hypothesis import given
from hypothesis import strategies as st

TABLE = """\
# <target name>\t<source device>\t\t<key file>\t<options>
xvda5_crypt UUID=77c0 none luks,discard
swap_crypt  /dev/xvdb2  /dev/urandom  cipher=aes-xts-plain64,size=256,swap
data\t/dev/disk/by-id/a\\040b
old /dev/xvdc -
alone
"""

TEXT = st.lists(st.sampled_from(["name", "/dev/xvdb", " ", "\t", "\n", "\r\n", "#", "-", "luks"]) | st.text()).map(
    "".join
)


def test_entries_have_decoded_values_and_a_key_of_none_where_it_is_asked_for() -> None:
    entries = crypttab.entries(crypttab.parse(TABLE))
    assert entries == (
        crypttab.Entry(2, "xvda5_crypt", "UUID=77c0", "none", ("luks", "discard")),
        crypttab.Entry(3, "swap_crypt", "/dev/xvdb2", "/dev/urandom", ("cipher=aes-xts-plain64", "size=256", "swap")),
        crypttab.Entry(4, "data", "/dev/disk/by-id/a b", "none", ()),
        crypttab.Entry(5, "old", "/dev/xvdc", "none", ()),
    )
    assert entries[0].tag == ("UUID", "77c0")


def test_a_new_device_changes_nothing_but_the_second_field() -> None:
    document = crypttab.parse(TABLE)
    changed = crypttab.with_device(document, crypttab.entries(document)[1], "UUID=9f")
    assert crypttab.render(changed) == TABLE.replace("/dev/xvdb2", "UUID=9f")


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert crypttab.render(crypttab.parse(text)) == text


@given(TEXT, st.text(min_size=1))
def test_a_new_device_is_read_back_and_leaves_every_other_entry(text: str, device: str) -> None:
    document = crypttab.parse(text)
    before = crypttab.entries(document)
    for index, entry in enumerate(before):
        after = list(before)
        after[index] = entry._replace(device=device)
        assert crypttab.entries(crypttab.with_device(document, entry, device)) == tuple(after)


def test_an_option_is_added_once_and_nothing_else_changes() -> None:
    document = crypttab.parse("a UUID=1 none luks,discard  \nb\tUUID=2\r\nc UUID=3 -\n# d\n")
    for name in ("a", "b", "c", "a"):
        (entry,) = [entry for entry in crypttab.entries(document) if entry.name == name]
        document = crypttab.with_option(document, entry, "initramfs")
    assert crypttab.render(document) == (
        "a UUID=1 none luks,discard,initramfs  \nb\tUUID=2 none initramfs\r\nc UUID=3 - initramfs\n# d\n"
    )
