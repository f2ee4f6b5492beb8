# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import assignments
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GRUB = """\
# If you change this file, run 'update-grub' afterwards.

GRUB_DEFAULT=0
GRUB_TIMEOUT="5" # seconds
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_VENDOR=$( . /etc/os-release; echo ${NAME:-Debian} )
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX='console=hvc0 root=/dev/xvda1'
export  GRUB_COLOUR="a"'b'\\ c
#GRUB_TERMINAL=console
"""


def last_value(text: str, key: str) -> str | None:
    return assignments.value(assignments.parse(text), key)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("K=v", "v"),
        ("K=", ""),
        ("K=v # comment\n", "v"),
        ("K=v#no-comment\n", "v#no-comment"),
        ("K='a \"b\" $c \\'\n", 'a "b" $c \\'),
        ('K="a \\"b\\" \\$c \\x \'"', 'a "b" $c \\x \''),
        ("K=\"a\"'b'c\\ d", "abc d"),
        ("K=a\\\nb", "ab"),
        ('K="a\\\nb"', "ab"),
        ('K="a\nb"', "a\nb"),
        ("K='a\\\nb'", "a\\\nb"),
        ("A=1 K=2", "2"),
        ("A=1; K=2 ; B=3", "2"),
        ("A=1 \\\n K=2", "2"),
        ("export K=v A=1\n", "v"),
        ("K=a\nexport K\n", "a"),
        ("K=a\nK=b\n", "b"),
        ("A=x\nK=$A${A}y\nA=z\n", "xxy"),
        ("A='x  y'\nK=$A-\n", "x  y-"),
        ("K=cost$\n", "cost$"),
        ("K=a~b:c", "a~b:c"),
        ("K=v\r\n", "v\r"),
        ("echo hello > /dev/null", None),
        ("echo hello; K=v", "v"),
        ("#K=v", None),
        ("  K=v  ", "v"),
    ],
)
def test_a_static_value_is_what_a_shell_would_have(text: str, expected: str | None) -> None:
    assert last_value(text, "K") == expected
    assert assignments.is_dynamic(assignments.parse("K=v\n"), "K") is False


@pytest.mark.parametrize(
    "text",
    [
        "K=$(hostname)",
        "K=`hostname`",
        "K=$HOME",
        "K=${HOME}",
        "K=${A:-x}",
        "K=~/x",
        "K=a:~",
        "K=$1",
        "K=a\nK=$K$B",
        "K=a\nK+=b",
        "K=a\nK+=b K=c",
        "K=a\nA=1 K=b A+=c",
        "K=a\nexport K+=b",
        "export K=$K",
        "export K=*",
        "if true; then\nK=v\nfi",
        "K=v\n. /etc/other",
        "K=v\n[ -r /x ] && K=w",
        "K=v\nf() { K=w; }; f",
        "K=v\nunset K",
        "K=v\neval K=w",
        "K=v true; f",
        "K=v &",
        "K='v",
        'K="v',
        "K=v\nA=${K:=w}",
        "K=v\nA=$((K=2))",
        "K=v\nA=$(;)",
        "K=v\nA=$(a && )",
        "K=v\nA=`'`",
        "K=v\nA=$(if)",
        "K=v\nA=$(a | | b)",
        "K=v\nA=$((a) b)",
        "K=v\nA=${A^^}",
        "K=v;;",
        "K=$'a\\n'",
        "K=(a b)",
        "K=v >/dev/null",
        "K=a\\",
        "K=a\0b",
        "\r\nK=v",
        "UID=5\nK=v",
        "K=$(case x in x) echo;; esac)",
        "K\\\n=v",
    ],
)
def test_what_cannot_be_known_without_running_the_file_is_dynamic(text: str) -> None:
    document = assignments.parse(text)
    assert assignments.value(document, "K") is None
    assert assignments.is_dynamic(document, "K")


def test_one_dynamic_value_leaves_the_others_known() -> None:
    document = assignments.parse(GRUB)
    assert document.opaque_line is None
    assert assignments.value(document, "GRUB_CMDLINE_LINUX") == "console=hvc0 root=/dev/xvda1"
    assert assignments.value(document, "GRUB_COLOUR") == "ab c"
    assert assignments.value(document, "GRUB_TERMINAL") is None
    assert [key for key in assignments.keys(document) if assignments.is_dynamic(document, key)] == [
        "GRUB_DISTRIBUTOR",
        "GRUB_VENDOR",
    ]
    assert assignments.raw(document, "GRUB_DISTRIBUTOR") == "`lsb_release -i -s 2> /dev/null || echo Debian`"


def test_bash_appends_and_sh_does_not() -> None:
    assert assignments.value(assignments.parse("K=a\nK+=' b'\n", appending=True), "K") == "a b"
    assert assignments.is_dynamic(assignments.parse("K=a\nK+=' b'\n"), "K")
    document = assignments.parse("K+=b\n", appending=True)
    assert assignments.is_dynamic(document, "K")
    assert assignments.value(document, "K", initial={"K": "a"}) == "ab"


@pytest.mark.parametrize(
    ("key", "value", "old", "new"),
    [
        ("GRUB_DEFAULT", "2", "GRUB_DEFAULT=0", "GRUB_DEFAULT=2"),
        ("GRUB_DEFAULT", "a b", "GRUB_DEFAULT=0", 'GRUB_DEFAULT="a b"'),
        ("GRUB_TIMEOUT", "10", 'TIMEOUT="5" # s', 'TIMEOUT="10" # s'),
        ("GRUB_CMDLINE_LINUX", "quiet", "'console=hvc0 root=/dev/xvda1'", "'quiet'"),
        ("GRUB_CMDLINE_LINUX", "it's", "'console=hvc0 root=/dev/xvda1'", '"it\'s"'),
        ("GRUB_COLOUR", "$x", "\"a\"'b'\\ c", '"\\$x"'),
        ("GRUB_TERMINAL", "serial", "#GRUB_TERMINAL=console\n", "#GRUB_TERMINAL=console\nGRUB_TERMINAL=serial\n"),
    ],
)
def test_a_new_value_keeps_quotes_and_comments(key: str, value: str, old: str, new: str) -> None:
    assert GRUB.count(old) == 1
    changed = assignments.with_value(assignments.parse(GRUB), key, value)
    assert assignments.render(changed) == GRUB.replace(old, new)


def test_the_effective_assignment_is_the_one_that_changes() -> None:
    document = assignments.parse("K=a\nK=b; A=$K\n")
    assert assignments.render(assignments.with_value(document, "K", "c")) == "K=a\nK=c; A=$K\n"


def test_a_line_is_appended_behind_a_missing_newline() -> None:
    assert assignments.render(assignments.with_value(assignments.parse("A=1"), "K", "")) == 'A=1\nK=""\n'


def test_a_file_with_conditions_is_not_edited_and_the_error_names_the_line() -> None:
    document = assignments.parse("K=a\n\nif true; then K=b; fi\n")
    for edit in (lambda: assignments.with_value(document, "K", "x"), lambda: assignments.without(document, "K")):
        with pytest.raises(GuestError) as caught:
            edit()
        assert caught.value.line == 3


@pytest.mark.parametrize(("key", "value"), [("K", "a\0b"), ("K K", "v"), ("UID", "0")])
def test_what_no_shell_can_hold_is_refused(key: str, value: str) -> None:
    with pytest.raises(GuestError):
        assignments.with_value(assignments.parse(""), key, value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nK=2 # two\nB=3\n", "A=1\nB=3\n"),
        ("A=1\n  export K=2;\nB=3\n", "A=1\nB=3\n"),
        ("K='a\nb'\nB=3", "B=3"),
        ("K=1 B=2\n", "B=2\n"),
        ("K=1; B=2\n", "B=2\n"),
        ("export K=1 B=2\n", "export B=2\n"),
        ("export K=1; B=2\n", "B=2\n"),
        ("A=1; K=2; B=3\nK=4\n", "A=1; B=3\n"),
        ("A=1; K=2\n", "A=1; \n"),
        ("A=1\n", "A=1\n"),
        ("K=1", ""),
    ],
)
def test_an_assignment_is_removed_with_its_line_or_its_word(text: str, expected: str) -> None:
    assert assignments.render(assignments.without(assignments.parse(text), "K")) == expected


FRAGMENTS = st.sampled_from(
    [
        *("$(a)", "`a|b`", "$(a; (b) >c)", ";", "&&", "2>&1", "${#A}", "${A%%/}", "if", "{", "}", "]", "fi"),
        *("K=", "A=", "B=", "\n", "\n", " ", ";", "a", "b c", "'", '"', "\\", "$A", "${A}", "$", "#", "\t", "export "),
        *("`", "\\\n", "~", ":", "*", "{a,b}", "é", "\udcff", "K=x\n", "A='y z'\n", 'B="$A"\n', "$(", ")", "%", "-"),
        *("\r", "+", "echo ", "true", "case", "${A:-x}", "(", "|", "&", "!", "\0", "\x81", "\x88", "[", "=", "<"),
    ]
)
TEXT = st.lists(FRAGMENTS, max_size=14).map("".join)
# Mostly well-formed: what a shell reads without an error.
STATEMENT = st.tuples(
    st.sampled_from(["K=", "A=", "K=", "export K=", "K+=", "B=1 K=", "B=2; K=", "K=x; A=", "echo ", "export A K="]),
    st.lists(
        st.sampled_from(
            ["a", "$A", "${B}", "$", '"b c"', "'$A \\'", '"$A\\x\\$"', "\\ ", "\\\n", "#", "~", ":", '""', "[*"]
        )
        | st.sampled_from(
            ["é", "\udcff", "\x81", '"$(a)"', "'\n'", '"\\\n"', "\r", "$K", '"${K}"', "{a,b}", "%", "!", '"`']
        )
    ).map("".join),
    st.sampled_from(["\n", "\n", " # c'\n", ";\n", " \n\n", "\\\n\n", ""]),
).map("".join)
SCRIPT = st.lists(STATEMENT, min_size=1, max_size=5).map("".join)
ENCODABLE = st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])
VALUE = st.text(ENCODABLE | st.sampled_from("$`\\\"' \n#~!*;"))
WITH_SHELL = settings(
    max_examples=50,  # each of up to 20 texts
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def read_by(shell: str, directory: pathlib.Path, wanted: t.Sequence[tuple[str, str]]) -> list[str]:
    """What a real shell has for each key after it has sourced the text before it, anew for each."""
    lines = []
    for number, (text, key) in enumerate(wanted):
        file = directory / f"conf{number}"
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        lines.append(f"""(. {file} >/dev/null; printf %s "${key}"); printf '\\0'\n""")
    run = subprocess.run(
        [shutil.which(shell) or shell, "-c", "".join(lines)],
        cwd=directory,
        env={"PATH": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,  # what goes wrong shows in the output
    )
    return run.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def test_commands_inside_a_value_are_passed_over() -> None:
    value = '"$(a -b "$C" 2>/dev/null | d || (e; f); )`g < h && i`${J:-k}${#L}"'
    document = assignments.parse(f"A={value}\nK=v\n")
    assert assignments.raw(document, "A") == value
    assert assignments.value(document, "K") == "v"


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert assignments.render(assignments.parse(text)) == text


@pytest.mark.parametrize("shell", ["dash", "bash"])
@WITH_SHELL
@given(texts=st.lists(SCRIPT | TEXT, min_size=1, max_size=20))
def test_a_value_that_is_given_is_the_value_a_real_shell_has(
    shell: str, tmp_path: pathlib.Path, texts: list[str]
) -> None:
    expected = {}
    for text in texts:
        document = assignments.parse(text, appending=shell == "bash")
        for key in assignments.keys(document):
            value = assignments.value(document, key)
            if value is not None:
                expected[text, key] = value
    assert dict(zip(expected, read_by(shell, tmp_path, list(expected)))) == expected


@pytest.mark.parametrize("shell", ["dash", "bash"])
@WITH_SHELL
@given(
    st.lists(
        st.tuples(st.sampled_from(["", GRUB, "K=a", "K='a'; B=2\n", 'export K="x" # y\n', "A=1 K=2"]), VALUE),
        min_size=1,
        max_size=20,
    )
)
def test_a_value_that_is_written_is_read_by_a_real_shell(
    shell: str, tmp_path: pathlib.Path, edits: list[tuple[str, str]]
) -> None:
    changed = [assignments.with_value(assignments.parse(text), "K", value) for text, value in edits]
    values = [value for _text, value in edits]
    assert [assignments.value(document, "K") for document in changed] == values
    assert read_by(shell, tmp_path, [(assignments.render(document), "K") for document in changed]) == values


@given(TEXT, VALUE)
def test_an_edit_does_what_it_says_or_refuses(text: str, value: str) -> None:
    document = assignments.parse(text)
    try:
        changed = assignments.with_value(document, "K", value)
        removed = assignments.without(document, "K")
    except GuestError:
        return
    assert assignments.value(changed, "K") == value
    assert "K" not in assignments.keys(removed)


def test_a_value_that_doubles_without_end_is_not_expanded() -> None:
    document = assignments.parse("A=x\n" + "A=$A$A\n" * 60)
    assert assignments.is_dynamic(document, "A")


@pytest.mark.parametrize(
    "text",
    ["K=$(" + "(" * 200_000, 'K="' + "$(" * 100_000, "K=" + "\\\n" * 100_000, "`" * 100_001, "K=${" * 100_000],
)
def test_hostile_text_is_read_in_no_time(text: str) -> None:
    started = os.times().user
    assert assignments.render(assignments.parse(text)) == text
    assert os.times().user - started < 2
