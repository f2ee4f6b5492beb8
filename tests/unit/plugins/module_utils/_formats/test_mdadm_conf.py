# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import mdadm_conf
from hypothesis import given
from hypothesis import strategies as st

FILE = """\
# mdadm.conf
DEVICE /dev/xvda* /dev/xvdb1 # all
dev partitions

ARRAY /dev/md0 level=raid1 num-devices=2
   UUID=0a1b:2c3d:4e5f:6a7b # the first
\tdevices=/dev/xvda1,/dev/xvdb1
  # indented comment
MAILADDR "root user"@'x y' '
HOMEHOST <system>
nonsense x
arr <ignore> uuid=1"""

TEXT = st.lists(
    st.sampled_from(["DEVICE", "ARRAY", "/dev/md0", "a=b", " ", "\t", "\n", "\r\n", "#", "'", '"', "\n ", "\0"])
    | st.text(max_size=2)
).map("".join)


def test_statements_are_read_over_their_continuation_lines() -> None:
    found = mdadm_conf.statements(mdadm_conf.parse(FILE))
    assert found == (
        (2, 1, "DEVICE", ("/dev/xvda*", "/dev/xvdb1")),
        (3, 1, "DEVICE", ("partitions",)),
        (
            *(5, 4, "ARRAY"),
            ("/dev/md0", "level=raid1", "num-devices=2", "UUID=0a1b:2c3d:4e5f:6a7b", "devices=/dev/xvda1,/dev/xvdb1"),
        ),
        (9, 1, "MAILADDR", ("root user@x y", "")),
        (10, 1, "HOMEHOST", ("<system>",)),
        (11, 1, "", ("x",)),
        (12, 1, "ARRAY", ("<ignore>", "uuid=1")),
    )
    assert found[2].option("uuid") == "0a1b:2c3d:4e5f:6a7b"
    assert found[2].option("devices") == "/dev/xvda1,/dev/xvdb1"
    assert found[2].option("spares") is None


def test_one_word_changes_and_nothing_else() -> None:
    document = mdadm_conf.parse(FILE)
    array = mdadm_conf.statements(document)[2]
    changed = mdadm_conf.with_word(document, array, 4, "devices=/dev/a b")
    assert mdadm_conf.render(changed) == FILE.replace("devices=/dev/xvda1,/dev/xvdb1", "'devices=/dev/a b'")


def test_a_statement_goes_with_all_its_lines() -> None:
    document = mdadm_conf.parse(FILE)
    array = mdadm_conf.statements(document)[2]
    lines = "".join(document.lines[4:8])
    assert mdadm_conf.render(mdadm_conf.without(document, array)) == FILE.replace(lines, "")
    assert mdadm_conf.statements(mdadm_conf.with_commented_out(document, array)) == tuple(
        item for item in mdadm_conf.statements(document) if item != array
    )


@pytest.mark.parametrize("word", ["", "a\nb", "'\""])
def test_what_is_no_word_is_not_written(word: str) -> None:
    document = mdadm_conf.parse("DEVICE a\n")
    with pytest.raises(GuestError, match="cannot be written"):
        mdadm_conf.with_word(document, mdadm_conf.statements(document)[0], 0, word)


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert mdadm_conf.render(mdadm_conf.parse(text)) == text


@given(TEXT, st.text(st.characters(blacklist_characters="\n'") | st.sampled_from(' "#'), min_size=1))
def test_a_written_word_is_read_back_and_every_other_stays(text: str, word: str) -> None:
    document = mdadm_conf.parse(text)
    before = mdadm_conf.statements(document)
    for index, statement in enumerate(before):
        for position in range(len(statement.words)):
            words = list(statement.words)
            words[position] = word
            after = list(before)
            after[index] = statement._replace(words=tuple(words))
            assert mdadm_conf.statements(mdadm_conf.with_word(document, statement, position, word)) == tuple(after)


@pytest.mark.parametrize("text", ["'" * 100_000, "ARRAY" + " \n" * 100_000, "a" * 200_000 + '"'])
def test_hostile_text_is_read_in_no_time(text: str) -> None:
    started = time.process_time()
    mdadm_conf.statements(mdadm_conf.parse(text))
    assert time.process_time() - started < 1
