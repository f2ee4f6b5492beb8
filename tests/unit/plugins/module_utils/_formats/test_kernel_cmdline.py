# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_cmdline as cmdline
from hypothesis import given
from hypothesis import strategies as st

FRAGMENTS = ["console=hvc0", "quiet", " ", "  ", "\t", "\n", '"', "=", "--", "---"]
FRAGMENTS += ["a-b=c", "a_b", 'x="y z"', "\0", "\f"]
lines = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))
arguments = st.from_regex(r"[a-z][a-z_.-]{0,8}(=[a-zA-Z0-9/,]{0,8})?", fullmatch=True)


def edit(text: str, *changes: object) -> str:
    document = cmdline.parse(text)
    for change in changes:
        document = change(document)  # type: ignore[operator]
    return cmdline.render(document)


@given(lines)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert cmdline.render(cmdline.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("quiet", "quiet", None),
        ("root=UUID=1234-abcd", "root", "UUID=1234-abcd"),
        ('dyndbg="file a +p"', "dyndbg", "file a +p"),
        ('"dyndbg=file a +p"', "dyndbg", "file a +p"),
        ("empty=", "empty", ""),
        ('"a b"', "a b", None),
        ("=a=b", "=a", "b"),
        ('x=a"b c"d', "x", 'a"b c"d'),
        ('x="open to the end', "x", "open to the end"),
    ],
)
def test_name_and_value_are_split_as_the_kernel_splits_them(text: str, name: str, value: str | None) -> None:
    (argument,) = cmdline.parse(text).arguments
    assert (argument.name, argument.value) == (name, value)


def test_every_value_of_a_repeated_parameter_is_seen_in_order() -> None:
    document = cmdline.parse("ro console=tty0 console=hvc0 quiet\n")
    assert cmdline.values(document, "console") == ("tty0", "hvc0")
    assert cmdline.values(document, "quiet") == ()
    assert cmdline.has(document, "quiet")
    assert not cmdline.has(document, "conso")


def test_dash_and_underscore_in_a_name_are_the_same_and_in_a_value_are_not() -> None:
    document = cmdline.parse("ata_piix.prefer-ms-hyperv=0 x=a-b")
    assert cmdline.values(document, "ata-piix.prefer_ms_hyperv") == ("0",)
    assert edit("x=a-b", lambda d: cmdline.with_argument(d, "x=a_b")) == "x=a-b x=a_b"
    assert edit("log-buf-len=1M", lambda d: cmdline.with_argument(d, "log_buf_len=1M")) == "log-buf-len=1M"


def test_what_follows_two_dashes_belongs_to_init() -> None:
    document = cmdline.parse("ro -- console=hvc0")
    assert cmdline.values(document, "console") == ()
    assert cmdline.render(cmdline.without(document, "console=*")) == "ro -- console=hvc0"
    assert cmdline.render(cmdline.with_argument(document, "quiet")) == "ro quiet -- console=hvc0"
    assert edit("-- x", lambda d: cmdline.with_argument(d, "quiet")) == "quiet -- x"


def test_three_dashes_end_nothing_for_the_kernel() -> None:
    assert cmdline.values(cmdline.parse("ro --- console=hvc0"), "console") == ("hvc0",)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", "console=tty0"),
        ("ro", "ro console=tty0"),
        ("ro\n", "ro console=tty0\n"),
        ("  ro  ", "  ro console=tty0  "),
        ("ro console=tty0 quiet", "ro console=tty0 quiet"),
        ("console=tty01", "console=tty01 console=tty0"),
    ],
)
def test_an_argument_is_added_behind_the_last_one(text: str, result: str) -> None:
    assert edit(text, lambda d: cmdline.with_argument(d, "console=tty0")) == result


@pytest.mark.parametrize(
    ("text", "pattern", "result"),
    [
        ("ro console=hvc0 quiet", "console=hvc0", "ro quiet"),
        ("ro console=hvc0", "console=hvc*", "ro"),
        ("console=hvc0\n", "console=hvc0", ""),
        ("ro  console=hvc0,38400 console=hvc1\n", "console=hvc*", "ro\n"),
        ("notsc notscx notsc=1", "notsc", "notscx notsc=1"),
        ("clocksource=xen a", "clocksource=xen", "a"),
        ('x="a b" c', "x=a b", "c"),
    ],
)
def test_arguments_that_match_a_pattern_are_removed(text: str, pattern: str, result: str) -> None:
    assert edit(text, lambda d: cmdline.without(d, pattern)) == result


def test_arguments_are_removed_by_a_predicate() -> None:
    assert edit("root=/dev/xvda1 ro", lambda d: cmdline.without(d, lambda a: "xvd" in (a.value or ""))) == "ro"


def test_a_value_is_replaced_where_it_stands() -> None:
    assert edit("a  root=/dev/xvda1  ro\n", lambda d: cmdline.with_value(d, "root", "UUID=1")) == "a  root=UUID=1  ro\n"
    assert edit("root=a root=b", lambda d: cmdline.with_value(d, "root", "c")) == "root=c root=c"
    assert edit("ro", lambda d: cmdline.with_value(d, "root", "UUID=1")) == "ro root=UUID=1"
    assert edit("x", lambda d: cmdline.with_value(d, "dyndbg", "file a +p")) == 'x dyndbg="file a +p"'


def test_an_open_quote_would_swallow_what_is_added() -> None:
    with pytest.raises(_errors.MalformedError, match="never closed"):
        cmdline.with_argument(cmdline.parse('a="b c'), "quiet")


@pytest.mark.parametrize("text", ["", " ", "a b", " a", "a ", '"', 'a="b', 'a=b"c"', "--", "a\nb", "a=\0"])
def test_only_one_whole_argument_can_be_added(text: str) -> None:
    with pytest.raises(_errors.MalformedError):
        cmdline.with_argument(cmdline.parse("ro"), text)


@given(lines, arguments)
def test_adding_holds_and_adding_again_changes_nothing(text: str, argument: str) -> None:
    try:
        once = cmdline.with_argument(cmdline.parse(text), argument)
    except _errors.MalformedError:
        assert text.count('"') % 2 == 1
        return
    again = cmdline.parse(cmdline.render(once))
    (added,) = cmdline.parse(argument).arguments
    assert cmdline.has(again, added.name)
    assert cmdline.with_argument(again, argument) == again
    grown = len(cmdline.render(once)) - len(text)
    assert grown == 0 or len(argument) <= grown <= len(argument) + 1


@given(lines, st.sampled_from(["console=hvc0", "quiet", "a*", "*"]))
def test_removing_holds_and_keeps_the_others(text: str, pattern: str) -> None:
    document = cmdline.parse(text)
    once = cmdline.parse(cmdline.render(cmdline.without(document, pattern)))
    assert cmdline.without(once, pattern) == once
    assert cmdline.without(cmdline.parse(text), lambda argument: False) == document
    left = [argument.text for argument in once.arguments]
    assert left == [argument.text for argument in cmdline.without(document, pattern).arguments]


def test_a_long_line_is_read_in_linear_time() -> None:
    for text in ('a="' * 350_000, "abc=d " * 170_000, '"' * 1_000_001, "=" * 1_000_000, " " * 1_000_000):
        started = time.process_time()
        assert cmdline.render(cmdline.parse(text)) == text
        assert time.process_time() - started < 1
