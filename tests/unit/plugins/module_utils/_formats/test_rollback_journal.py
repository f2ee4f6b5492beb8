# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import rollback_journal
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.rollback_journal import Original, Written
from hypothesis import given
from hypothesis import strategies as st

FILE = Original("/etc/fstab", "file", 0o644, 0, 5, 12, blob="0000", sha256="ab", xattrs=(("user.a", "AA=="),))

LONE_BYTES = [chr(code) for code in range(0xDC80, 0xDD00)]
letters = st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)) | st.sampled_from(LONE_BYTES)
names = st.text(letters, max_size=20)
paths = names.map(lambda name: "/" + name)
ids = st.integers(0, (1 << 32) - 2)
originals = st.builds(
    Original,
    paths,
    st.sampled_from(["file", "link", "directory", "setting", "absent"]),
    st.integers(0, 0o7777),
    ids,
    ids,
    st.integers(-(1 << 63), (1 << 63) - 1),
    target=names,
    blob=names,
    sha256=names,
    xattrs=st.lists(st.tuples(names, st.sampled_from(["", "AA==", "/+8="]))).map(tuple),
    value=names,
)


@given(st.lists(originals), st.lists(st.builds(Written, paths, st.none() | names)))
def test_what_is_recorded_is_read_again(before: list[Original], after: list[Written]) -> None:
    journal = rollback_journal.parse("".join(map(rollback_journal.line_of, [*before, *after])))
    first: dict[str, Original] = {}
    for original in before:
        first.setdefault(original.path, original)
    assert journal.originals == tuple(first.values())
    for path in {record.path for record in after}:
        assert journal.written[path] == tuple(record.state for record in after if record.path == path)


def test_a_line_is_ascii_and_one_line_whatever_the_name() -> None:
    line = rollback_journal.line_of(Written("/a\n\r\u2028\udcff\u00e9", "\x1c\x85"))
    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]
    assert rollback_journal.parse(line).written == {"/a\n\r\u2028\udcff\u00e9": ("\x1c\x85",)}


def test_an_empty_journal_has_nothing() -> None:
    assert rollback_journal.parse("") == ((), {})


def test_the_first_record_of_a_path_is_kept() -> None:
    text = rollback_journal.line_of(FILE) + rollback_journal.line_of(FILE._replace(mode=0))
    assert rollback_journal.parse(text).originals == (FILE,)


@given(st.integers(0, 1000))
def test_a_last_line_that_was_cut_off_did_not_happen(length: int) -> None:
    line = rollback_journal.line_of(FILE._replace(path="/other"))
    text = rollback_journal.line_of(FILE) + line[: min(length, len(line) - 1)]
    assert rollback_journal.parse(text).originals == (FILE,)


@given(st.text())
def test_any_text_is_a_journal_or_damaged(text: str) -> None:
    complete = text[: text.rfind("\n") + 1]
    if not complete:
        assert rollback_journal.parse(text) == ((), {})
        return
    with pytest.raises(MalformedError) as caught:  # no text by chance is a record
        rollback_journal.parse(text)
    assert caught.value.line == 1
    assert caught.value.hint


json_values: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(Original._fields), json_values)
def test_a_field_of_any_type_is_what_it_should_be_or_damage(field: str, value: t.Any) -> None:
    line = json.dumps({"original": dict(FILE._asdict(), **{field: value})}) + "\n"
    try:
        (original,) = rollback_journal.parse(line).originals
    except MalformedError:
        return
    assert isinstance(original.mode, int)
    assert isinstance(original.target, str)
    assert original.path.startswith("/")
    assert rollback_journal.parse(rollback_journal.line_of(original)).originals == (original,)


DAMAGED = {
    "no json": "{",
    "an empty line": "",
    "a number": "5",
    "a word": '"original"',
    "a list": '["original"]',
    "neither kind": '{"other": {}}',
    "no fields": '{"original": {}}',
    "an unknown field": '{"written": {"path": "/a", "state": null, "more": 1}}',
    "no path": '{"written": {"path": 5, "state": null}}',
    "a relative path": '{"written": {"path": "etc/fstab", "state": null}}',
    "a path with a NUL": '{"original": {"path": "/a\\u0000", "kind": "absent"}}',
    "a path of no bytes": '{"original": {"path": "/\\ud800", "kind": "absent"}}',
    "a state that is a number": '{"written": {"path": "/a", "state": 7}}',
    "an unknown kind": '{"original": {"path": "/a", "kind": "device"}}',
    "a mode with a file type": '{"original": {"path": "/a", "kind": "file", "mode": 33188}}',
    "an owner that means no change": '{"original": {"path": "/a", "kind": "file", "uid": 4294967295}}',
    "a time out of range": '{"original": {"path": "/a", "kind": "file", "mtime_ns": 9223372036854775808}}',
    "an attribute that is not in base64": '{"original": {"path": "/a", "kind": "file", "xattrs": [["user.a", "*"]]}}',
    "an attribute without a value": '{"original": {"path": "/a", "kind": "file", "xattrs": [["user.a"]]}}',
    "brackets without end": "[" * 100000,
}


@pytest.mark.parametrize("line", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_line_is_named(line: str) -> None:
    with pytest.raises(MalformedError, match="line 2 of the rollback journal is damaged") as caught:
        rollback_journal.parse(rollback_journal.line_of(FILE) + line + "\n" + rollback_journal.line_of(FILE))
    assert caught.value.line == 2
