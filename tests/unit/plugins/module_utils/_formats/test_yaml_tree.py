# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import yaml_tree
from hypothesis import given, settings
from hypothesis import strategies as st

FRAGMENTS = ["a", "b: ", "- ", "  ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", ", ", ":", " #c", "'", '"', "''"]
FRAGMENTS += ["\\", "x: y", "k:\n", "---\n", "...\n", "::1", "192.0.2.1/24", "- - ", "a: b\n", "\\n", "key: ", "\r\n"]
files = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS), max_size=16).map("".join))

MIXED = """\
# written by hand
network:   # the version is 2
    version: 2
    ethernets:
        "eth0":
            addresses: [192.0.2.10/24,   # one
                        "2001:db8::10/64"]
            routes:
            - to: default
              via: 192.0.2.1
            -   {to: 198.51.100.0/24, via: 192.0.2.254}
            nameservers: {addresses: [192.0.2.53], search: [example.org,]}
        'it''s': {}
        eth1: ~
        empty:
    x: many
       words here

       and there
    y: "a\\tb \\
        c\\x41 \\u00e9
        d"
    z: - not a list
"""


def shape(node: yaml_tree.Node | None) -> object:
    if node is None:
        return ""
    if isinstance(node, yaml_tree.Scalar):
        return node.value
    if isinstance(node, yaml_tree.Sequence):
        return [shape(item) for item in node.items]
    return [(key.value, shape(value)) for key, value in node.pairs]


def reference(text: str) -> list[object]:
    """What libyaml says, with which netplan reads; its translation to Python agrees with it where there are no tabs."""
    yaml: t.Any = pytest.importorskip("yaml")

    def of(node: t.Any) -> object:
        if node is None:
            return ""
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [of(item) for item in node.value]
        return [(of(key), of(value)) for key, value in node.value]

    return [of(root) for root in yaml.compose_all(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))]


def scalars(node: yaml_tree.Node | None) -> t.Iterator[yaml_tree.Scalar]:
    if isinstance(node, yaml_tree.Scalar):
        yield node
    elif isinstance(node, yaml_tree.Sequence):
        for item in node.items:
            yield from scalars(item)
    elif node is not None:
        for key, value in node.pairs:
            yield key
            yield from scalars(value)


@settings(max_examples=1000)
@given(files)
def test_what_is_understood_means_what_libyaml_says(text: str) -> None:
    try:
        document = yaml_tree.parse(text)
    except _errors.MalformedError:
        return
    assert yaml_tree.render(document) == text
    assert [shape(root) for root in document.roots] == reference(text)


@given(files)
def test_every_place_is_true(text: str) -> None:
    try:
        document = yaml_tree.parse(text)
    except _errors.MalformedError:
        return
    for root in document.roots:
        for scalar in scalars(root):
            written = text[scalar.start : scalar.end]
            if scalar.style == "plain" and "\n" not in written:
                assert written == scalar.value
            assert (scalar.style == "empty") == (not written)
            assert written[:1] == {"single": "'", "double": '"'}.get(scalar.style, written[:1])


@pytest.mark.parametrize(
    "text",
    [
        MIXED.replace("    z: - not a list\n", ""),
        MIXED.replace("    z: - not a list\n", "").replace("\n", "\r\n"),
        "",
        "# only a comment\n",
        "\ufeffa: b\n",
        "%YAML 1.1\n---\na: b\n...\n---\nc\n",
        "---\n- a\n- - b\n  - c: d\n    e: f\n-\n- g\n",
        "a:\n- b\n- c\nd: e",
        "a: b:c#d ::1 -x ?y http://x/\n",
        "[a, 'b', \"c\", {d: , e, 'f':g}, ]\n",
        "{a: [b,\n# c\nd\n  e], f: fe80::1}\n",
        "'a b' : c\n\"d\": e\n",
        "a: 'b\n\n  c'\n",
        "k:\tv\t# c\n",
    ],
)
def test_what_people_write_is_understood(text: str) -> None:
    document = yaml_tree.parse(text)
    assert [shape(root) for root in document.roots] == reference(text)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: &x b\n", "an anchor", 1),
        ("a:\n  b: *x\n", "an alias", 2),
        ("a: !!str b\n", "a tag", 1),
        ("a: |\n  b\n", "a block scalar", 1),
        ("a: >-\n  b\n", "a block scalar", 1),
        ("? a\n: b\n", "a complex key", 1),
        ("[a: b]\n", "a pair without braces", 1),
        ("{[a]: b}\n", "a collection as a key", 1),
        ("a:\n\tb: c\n", "a tab", 2),
        ("a:\n  b: c\n d: e\n", "indentation", 3),
        ("a: b\n  c: d\n", "a colon is not allowed", 2),
        ("a: 'b\n", "a quote is not closed", 1),
        ("a: [b\n", "is missing", 2),
        ("a: b\0\n", "a character that", 1),
        ("a: \udc80\n", "a character that", 1),
        ("a: b\rc: d", "a line break", 1),
        ('a: "\\q"\n', "is not understood in quotes", 1),
        ('a: "\\UFFFFFFFF"\n', "is no character", 1),
        ("a: @b\n", "cannot begin a value", 1),
        ("a: b\nc\n", "a key with a colon", 2),
        ("a: - b\n", "cannot begin a value", 1),
        ("x" * 2000 + ": y\n", "longer than", 1),
        ("a: 'b' c\n", "something stands behind", 1),
        ("a: 'b\n---\n'\n", "a document ends", 1),
    ],
)
def test_what_is_not_understood_is_told_with_its_line(text: str, message: str, line: int) -> None:
    with pytest.raises(_errors.MalformedError, match=message) as caught:
        yaml_tree.parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "- " * 500_000,
        "{a: " * 300_000,
        "".join([" " * depth + "a:\n" for depth in range(2000)]),
        "a: '" + "''" * 500_000,
        'a: "' + "\\\\" * 500_000,
        "a: '" + " " * 1_000_000,
        'a: "' + " " * 500_000 + "x" + " " * 500_000 + '"',
        "a: " + "b" * 1_000_000 + "\n",
        "a: " + "b " * 200_000,
        "a: " + " " * 1_000_000,
        "a: b" + " " * 1_000_000 + "c:",
        "a: [" + "b, " * 30_000 + "]",
        "a: b\n" * 10_000,
        "a:\n" + "  b\n" * 50_000,
        "a:\n" + "\n" * 1_000_000 + "  b",
        "#" * 1_000_000,
        "a: 'b\n" + "  c\n" * 200_000 + "'",
    ],
    ids=range(18),
)
def test_a_hostile_text_ends_soon(text: str) -> None:
    started = time.monotonic()
    with contextlib.suppress(_errors.MalformedError):
        yaml_tree.parse(text)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("value", "style", "written"),
    [
        ("lan0", "plain", "lan0"),
        ("lan0", "single", "'lan0'"),
        ("lan0", "double", '"lan0"'),
        ("on", "plain", "'on'"),
        ("10", "plain", "'10'"),
        ("it's", "plain", "'it''s'"),
        ('a"\\', "double", '"a\\"\\\\"'),
    ],
)
def test_a_scalar_is_written_so_that_it_is_read_as_the_same(value: str, style: str, written: str) -> None:
    assert yaml_tree.written(value, style) == written
    assert reference(written) == [value]
