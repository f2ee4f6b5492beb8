# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import time_daemon_conf
from hypothesis import given
from hypothesis import strategies as st

CHRONY = """\
# Welcome
! old comment
; another
  % and one more
confdir /etc/chrony/conf.d /srv/chrony

POOL 2.debian.pool.ntp.org iburst\r
makestep 1 3"""

TEXT = st.lists(
    st.sampled_from([time_daemon_conf.BEGIN, time_daemon_conf.END, "makestep", "#", " ", "1", "\n", "\r\n", "\f", "\0"])
    | st.text(max_size=3)
).map("".join)
LINES = st.lists(st.sampled_from(["server ntp1", "makestep 1 -1", "tinker panic 0"]), max_size=3).map(tuple)


def test_directives_are_read_and_comments_are_not() -> None:
    assert time_daemon_conf.directives(time_daemon_conf.parse(CHRONY)) == (
        (5, "confdir", ("/etc/chrony/conf.d", "/srv/chrony")),
        (7, "pool", ("2.debian.pool.ntp.org", "iburst")),
        (8, "makestep", ("1", "3")),
    )


def test_a_comment_behind_a_directive_is_no_argument() -> None:
    found = time_daemon_conf.directives(time_daemon_conf.parse("server 192.0.2.1 # ours\nlisten on *\n"))
    assert [directive.arguments for directive in found] == [("192.0.2.1",), ("on", "*")]


def test_a_block_is_added_at_the_end_and_goes_without_a_trace() -> None:
    before = CHRONY + "\n"
    added = time_daemon_conf.with_block(time_daemon_conf.parse(before), ("makestep 1.0 -1",))
    expected = f"{before}{time_daemon_conf.BEGIN}\r\n".replace("\r\n", "\n")
    text = time_daemon_conf.render(added)
    assert text.replace("\r\n", "\n") == expected + f"makestep 1.0 -1\n{time_daemon_conf.END}\n"
    assert text.startswith(before)
    assert time_daemon_conf.render(time_daemon_conf.with_block(added, ())) == before


def test_what_was_written_behind_the_block_stays() -> None:
    text = f"driftfile /d\n{time_daemon_conf.BEGIN}\nold\n{time_daemon_conf.END}\nrtcsync\n"
    changed = time_daemon_conf.with_block(time_daemon_conf.parse(text), ("new",))
    assert time_daemon_conf.render(changed) == (
        f"driftfile /d\nrtcsync\n{time_daemon_conf.BEGIN}\nnew\n{time_daemon_conf.END}\n"
    )


@pytest.mark.parametrize("mark", [time_daemon_conf.BEGIN, time_daemon_conf.END])
def test_half_a_block_is_none(mark: str) -> None:
    assert time_daemon_conf.block(time_daemon_conf.parse(f"{mark}\nserver ntp1\n")) is None


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert time_daemon_conf.render(time_daemon_conf.parse(text)) == text


@given(TEXT, LINES)
def test_a_block_holds_what_it_was_given_and_a_second_time_changes_nothing(text: str, lines: tuple[str, ...]) -> None:
    first = time_daemon_conf.with_block(time_daemon_conf.parse(text), lines)
    held = time_daemon_conf.block(first)
    if lines:
        assert held is not None
        assert held.lines == lines
        assert time_daemon_conf.with_block(first, lines) == first


@given(TEXT.filter(lambda text: time_daemon_conf.BEGIN not in text))
def test_a_file_without_a_block_is_itself_again_but_for_the_end_of_its_last_line(text: str) -> None:
    document = time_daemon_conf.with_block(time_daemon_conf.parse(text), ("server ntp1",))
    again = time_daemon_conf.render(time_daemon_conf.with_block(document, ()))
    assert again.startswith(text)
    assert again[len(text) :] in ("", "\n", "\r\n")
