# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Kconfig files say, and what their expressions come to."""

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kconfig
from hypothesis import given
from hypothesis import strategies as st


def only(text: str) -> kconfig.Definition:
    (definition,) = kconfig.read(text).definitions
    return definition


def test_a_symbol_has_its_type_prompt_and_dependencies() -> None:
    found = only('config HYPERV_UTILS\n\ttristate "Utilities"\n\tdepends on HYPERV && NLS\n\tdepends on CONNECTOR\n')
    assert found == kconfig.Definition("HYPERV_UTILS", "tristate", ("HYPERV && NLS", "CONNECTOR"), "", (), False)


def test_a_symbol_without_a_prompt_cannot_be_chosen() -> None:
    assert only("config HYPERV_TIMER\n\tdef_bool HYPERV\n").prompt is None
    assert only("config UCS2_STRING\n\ttristate\n").prompt is None


def test_a_prompt_may_have_a_condition() -> None:
    assert only('config KCMP\n\tbool "kcmp" if EXPERT\n').prompt == "EXPERT"
    assert only('config KCMP\n\tbool\n\tprompt "kcmp" if EXPERT\n').prompt == "EXPERT"


def test_what_is_around_a_symbol_is_among_its_dependencies() -> None:
    text = 'menu "Network"\n\tdepends on NET\nif INET\nconfig NFT\n\tbool "x"\n\tdepends on NF\nendif\nendmenu\n'
    assert only(text).depends == ("NET", "INET", "NF")


def test_what_ended_is_around_nothing() -> None:
    text = 'if INET\nconfig A\n\tbool "a"\nendif\nconfig B\n\tbool "b"\n'
    assert [one.depends for one in kconfig.read(text).definitions] == [("INET",), ()]


def test_what_the_file_depends_on_comes_first() -> None:
    assert kconfig.read('config A\n\tbool "a"\n', ("NET",)).definitions[0].depends == ("NET",)


def test_a_file_that_is_read_depends_on_what_is_around_it() -> None:
    found = kconfig.read('if NET\nsource "net/ipv4/Kconfig"\nendif\nsource "arch/$(SRCARCH)/Kconfig"\n')
    assert found.sources == (
        kconfig.Source("net/ipv4/Kconfig", ("NET",)),
        kconfig.Source("arch/$(SRCARCH)/Kconfig", ()),
    )


def test_members_of_a_choice_are_known_as_such() -> None:
    text = 'choice\n\tprompt "compression"\nconfig KERNEL_GZIP\n\tbool "gzip"\nendchoice\nconfig B\n\tbool "b"\n'
    assert [(one.symbol, one.is_choice) for one in kconfig.read(text).definitions] == [
        ("KERNEL_GZIP", True),
        ("B", False),
    ]


def test_selections_have_their_conditions() -> None:
    text = 'config HYPERV\n\tbool "x"\n\tselect PARAVIRT\n\tselect X86_HV_CALLBACK_VECTOR if X86\n'
    assert only(text).selects == (("PARAVIRT", ""), ("X86_HV_CALLBACK_VECTOR", "X86"))


def test_a_help_text_defines_nothing() -> None:
    text = 'config A\n\tbool "a"\n\thelp\n\t  Say Y.\n\n\t  depends on NOTHING\n\t  config B\n\nconfig C\n\tbool "c"\n'
    found = kconfig.read(text)
    assert [(one.symbol, one.depends) for one in found.definitions] == [("A", ()), ("C", ())]


def test_comments_and_continued_lines_are_understood() -> None:
    text = 'config A # why\n\tbool "a#b"\n# config B\n\tdepends on X && \\\n\t\tY\n'
    found = only(text)
    assert (found.symbol, found.depends, found.prompt) == ("A", ("X && Y",), "")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("A", "y"),
        ("M", "m"),
        ("N", "n"),
        ("UNKNOWN", "n"),
        ("!A", "n"),
        ("!M", "m"),
        ("A && M", "m"),
        ("N || M", "m"),
        ("N && A || A", "y"),
        ("N && (A || A)", "n"),
        ("A = y", "y"),
        ("M!=n", "y"),
        ('TEXT = "gcc"', "y"),
        ("NUMBER >= 120000", "y"),
        ("NUMBER < 120000", "n"),
        ("$(cc-option,-mfoo) && M", "m"),
        ("", "y"),
    ],
)
def test_an_expression_has_a_value(expression: str, value: str) -> None:
    states = {"A": "y", "M": "m", "N": None, "TEXT": "gcc", "NUMBER": "120200"}
    assert kconfig.evaluate(expression, states) == value


def test_an_expression_falls_into_what_must_all_hold() -> None:
    assert kconfig.conjuncts("ACPI && ((X86 && GUEST) || (ARM64 && !BIG))") == (
        "ACPI",
        "(X86 && GUEST) || (ARM64 && !BIG)",
    )
    assert kconfig.conjuncts("(A && B) && C") == ("A", "B", "C")
    assert kconfig.conjuncts("A && B || C") == ("A && B || C",)


def test_the_symbols_of_an_expression_are_found_once() -> None:
    assert kconfig.names("(NET && !NET) || IPV6 = y") == ("NET", "IPV6")


ATOMS = st.sampled_from(["A", "M", "N", "!A", "!M"])
EXPRESSIONS = st.recursive(
    ATOMS, lambda inner: st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(["&&", "||"]), inner)
)


@given(EXPRESSIONS)
def test_an_expression_is_as_good_as_the_weakest_of_what_must_all_hold(expression: str) -> None:
    states = {"A": "y", "M": "m", "N": None}
    parts = [kconfig.evaluate(part, states) for part in kconfig.conjuncts(expression)]
    assert kconfig.evaluate(expression, states) == min(parts, key="nmy".index)


@given(st.text(alphabet='config menuABif"()\n\t&|!=#\\$'))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    kconfig.read(text)
    for part in kconfig.conjuncts(text):
        kconfig.evaluate(part, {})
