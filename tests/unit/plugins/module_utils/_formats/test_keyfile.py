# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

from ansible_collections.rehost.hyperv.plugins.module_utils._formats import keyfile
from hypothesis import given
from hypothesis import strategies as st

FRAGMENTS = ["[a]", "[", "]", "key", "=", ";", "\\;", "\\", " ", "\t", "\n", "\r\n", "\0", "#", "\f", "\v"]
files = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


@given(files)
def test_every_text_comes_back_and_every_place_is_true(text: str) -> None:
    document = keyfile.parse(text)
    assert keyfile.render(document) == text
    for section in document.sections:
        for entry in section.entries:
            ((start, end),) = entry.pieces
            assert text[start:end] == entry.value
            assert text[entry.key_start :].startswith(entry.key)
            assert "".join([text[word.start : word.end] for word in entry.words]) == "".join(
                [word.value for word in entry.words]
            )


def test_groups_merge_and_the_last_value_counts() -> None:
    document = keyfile.parse("[a]\nx = 1\n [b]\t\nx=2\n[a]\nx=3\ny=\n")
    assert keyfile.value([document], "a", "x") == "3"
    assert keyfile.value([document], "a", "y") is None
    assert keyfile.value([document], "c", "x") is None
    assert document.refused_line is None


def test_items_of_a_list_are_separated_by_semicolons() -> None:
    document = keyfile.parse("[a]\nx= b c ;d\\;e;;f\r\n")
    assert keyfile.items(document, "a", "x") == ("b c", "d\\;e", "f")
    assert keyfile.items(document, "a", "y") == ()


def test_the_first_line_that_is_nothing_is_told() -> None:
    assert keyfile.parse("# x\n\n[a]\ny=1\nz\n!\n").refused_line == 5
    assert keyfile.parse("y=1\n[a]\n").refused_line == 1
    assert keyfile.parse("[a]\n=1\n").refused_line == 2
    assert keyfile.parse("[a\n").refused_line == 1


def test_a_large_file_takes_no_time() -> None:
    started = time.monotonic()
    keyfile.parse("[a]\nx=" + "\\" * 1_000_001 + ";" * 500_000 + "\n" + "[" * 1_000_000 + "\n" + "y=1\n" * 50_000)
    assert time.monotonic() - started < 5
