# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

from ansible_collections.rehost.hyperv.plugins.module_utils._formats import unit_file
from hypothesis import given
from hypothesis import strategies as st

FRAGMENTS = ["[Match]", "[", "]", "Name", "=", "eth0", " ", "\t", "\\", "\n", "\r\n", "\0", "#", ";", "\ufeff", "\f"]
files = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


@given(files)
def test_every_text_comes_back_and_every_place_is_true(text: str) -> None:
    document = unit_file.parse(text)
    assert unit_file.render(document) == text
    for section in document.sections:
        for entry in section.entries:
            assert text[entry.key_start :].startswith(entry.key)
            assert tuple(text[word.start : word.end] for word in entry.words) == tuple(w.value for w in entry.words)
            assert entry.start <= entry.key_start <= entry.end
            assert entry.value.split() == " ".join(word.value for word in entry.words).split()


def test_sections_and_keys_repeat_and_an_empty_value_resets() -> None:
    document = unit_file.parse("[Match]\nName=a b\nName=\nName = c\n[Network]\nDNS=1\n[Match]\nName=d\n")
    assert unit_file.words([document], "Match", "Name") == ("c", "d")
    assert unit_file.words([document, unit_file.parse("[Match]\nName=\n")], "Match", "Name") == ()
    assert unit_file.value([document], "Match", "Name") == "d"
    assert unit_file.value([document], "Match", "Path") is None


def test_a_backslash_joins_lines_over_comments_and_stands_for_a_space() -> None:
    text = "[Match]\nName=a\\\n; no\n  # no \\\n b\\\nc\nPath=\\\\\n"
    document = unit_file.parse(text)
    (name,) = document.entries("Match", "Name")
    assert (name.value, name.line, name.end) == ("a  b c", 2, text.index("Path"))
    assert [word.value for word in name.words] == ["a", "b", "c"]
    assert unit_file.value([document], "Match", "Path") == "\\\\"


def test_comments_and_lines_without_a_section_or_an_equals_sign_are_nothing() -> None:
    document = unit_file.parse("Name=x\n#[Match]\n;Name=y\n[Match]\n #Name=z\nName\n")
    assert [(section.name, section.entries) for section in document.sections] == [("Match", ())]


def test_a_byte_order_mark_hides_nothing() -> None:
    assert unit_file.words([unit_file.parse("\ufeff[Match]\nName=a\n")], "Match", "Name") == ("a",)


def test_a_section_without_its_bracket_ends_the_file() -> None:
    document = unit_file.parse("[Match]\nName=a\n[Network\nDHCP=yes\n")
    assert document.refused_line == 3
    assert unit_file.words([document], "Network", "DHCP") == ()


def test_a_large_file_takes_no_time() -> None:
    started = time.monotonic()
    unit_file.parse("[Match]\nName=" + "a" * (1 << 20) + "\n" + "b\\\n" * 100_000 + "\\" * (1 << 20) + "[" * (1 << 20))
    assert time.monotonic() - started < 5
