# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import _lines
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(st.characters() | st.sampled_from("\n\r\f\x1c\u2028\udc80\0")))
def test_the_lines_joined_are_the_text_and_end_only_at_newlines(text: str) -> None:
    lines = _lines.split_lines(text)
    assert "".join(lines) == text
    assert all("\n" not in line[:-1] for line in lines)
    assert all(line.endswith("\n") for line in lines[:-1])
    assert "" not in lines


def test_a_form_feed_does_not_end_a_line() -> None:
    assert _lines.split_lines("a\fb\x85c\u2028d\n\re") == ("a\fb\x85c\u2028d\n", "\re")


@pytest.mark.parametrize(
    ("line", "content", "ending"),
    [("a\r\n", "a", "\r\n"), ("a\n", "a", "\n"), ("a", "a", ""), ("a\r", "a\r", ""), ("\n", "", "\n"), ("", "", "")],
)
def test_a_line_is_content_and_ending(line: str, content: str, ending: str) -> None:
    assert _lines.split_ending(line) == (content, ending)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "x\n"), ("a\n", "a\nx\n"), ("a", "a\nx\n"), ("a\r\nb", "a\r\nb\r\nx\r\n"), ("a\nb\r\n", "a\nb\r\nx\n")],
)
def test_a_line_is_appended_with_the_ending_the_text_uses(text: str, expected: str) -> None:
    assert _lines.append_line(text, "x") == expected


def test_lines_of_a_document_are_commented_out_removed_and_appended() -> None:
    document = _lines.parse("a\nb\r\nc")
    assert _lines.render(_lines.with_commented_lines(document, 2, 2)) == "a\n#b\r\n#c"
    assert _lines.render(_lines.without_lines(document, 1)) == "b\r\nc"
    assert _lines.render(_lines.with_lines(document, 2, 1, ("x\n", "y\n"))) == "a\nx\ny\nc"
    assert _lines.with_appended(document, "d\ne").lines == ("a\n", "b\r\n", "c\n", "d\n", "e\n")


@given(st.text())
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert _lines.render(_lines.parse(text)) == text
