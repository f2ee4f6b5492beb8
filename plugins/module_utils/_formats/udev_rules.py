# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for devices, udev(7): key, operator, value in quotes, separated by commas.

A rule may go on over lines that end in a backslash; a value e"..." holds C-like escapes (systemd 248 and later).
"""

from __future__ import annotations

import re
import typing as t

from .._errors import GuestError
from ._lines import Document, parse, render, split_lines, with_commented_lines, with_lines, without_lines

__all__ = [
    "Document",
    "Rule",
    "Term",
    "parse",
    "render",
    "rules",
    "with_commented_out",
    "with_value",
    "without_rule",
]

# Blanks and backslash-newlines may stand between the parts of a term.
_GAP = r"(?:[ \t\r]|\\\n)*"
_TERM = re.compile(
    rf"([A-Z][A-Z_]*)(?:\{{([^}}\n]*)\}})?{_GAP}(==|!=|\+=|-=|:=|=){_GAP}([ei]{{0,2}})\"((?:[^\"\\]|\\.)*)\"", re.DOTALL
)
_SEPARATOR = re.compile(r"(?:[ \t\r,]|\\\n)*")
_C_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|[0-7]{3}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_C_CHARACTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}


class Term(t.NamedTuple):
    """One key with its operator and value, decoded: ATTR{address}=="00:16:3e:00:00:01".

    `start` and `end` enclose the value with its quotes (and prefix) in the text of the rule.
    """

    key: str
    attribute: str
    operator: str
    value: str
    start: int
    end: int

    @property
    def matches(self) -> bool:
        """Whether the term asks something, instead of setting something."""
        return self.operator in ("==", "!=")


class Rule(t.NamedTuple):
    """One rule: `line_count` lines from line `number` (from 1) on.

    `is_valid` is False where something in it is not understood; its terms are those before that.
    """

    number: int
    line_count: int
    terms: tuple[Term, ...]
    is_valid: bool

    def matched(self, key: str, attribute: str = "") -> str | None:
        """The value that the rule asks for with ==; None if it does not ask. matched("ATTR", "address")."""
        return self._value(key, attribute, ("==",))

    def assigned(self, key: str, attribute: str = "") -> str | None:
        """The value that the rule sets last with =, := or +=; None if it sets none."""
        return self._value(key, attribute, ("=", ":=", "+="))

    @property
    def names_interface(self) -> bool:
        """Whether the rule gives a network interface its name, as those in 70-persistent-net.rules do."""
        return self.matched("SUBSYSTEM") == "net" and self.assigned("NAME") is not None

    def _value(self, key: str, attribute: str, operators: tuple[str, ...]) -> str | None:
        for term in reversed(self.terms):
            if (term.key, term.attribute) == (key, attribute) and term.operator in operators:
                return term.value
        return None


def rules(document: Document) -> tuple[Rule, ...]:
    """The rules in the order of the file; comments and empty lines are left out."""
    found = []
    index = 0
    while index < len(document.lines):
        start = index
        index += 1
        if document.lines[start].lstrip(" \t\r\n")[:1] in ("", "#"):
            continue
        while document.lines[index - 1].endswith("\\\n") and index < len(document.lines):
            index += 1
        terms, is_valid = _terms("".join(document.lines[start:index]))
        found.append(Rule(start + 1, index - start, terms, is_valid))
    return tuple(found)


def with_value(document: Document, rule: Rule, key: str, value: str, attribute: str = "") -> Document:
    """The document in which the rule's last term for this key has another value; its operator stays.

    GuestError when the rule has no such term, or the value cannot be written.
    """
    if "\n" in value or "\0" in value:
        raise GuestError(f"{value!r} cannot be written to a udev rule: it does not fit on a line")
    for term in reversed(rule.terms):
        if (term.key, term.attribute) == (key, attribute):
            first = rule.number - 1
            text = "".join(document.lines[first : first + rule.line_count])
            prefix = text[term.start : text.index('"', term.start)].replace("e", "")
            text = text[: term.start] + _quote(value, prefix) + text[term.end :]
            return with_lines(document, rule.number, rule.line_count, split_lines(text))
    raise GuestError(f"the udev rule has no {key}{{{attribute}}}" if attribute else f"the udev rule has no {key}")


def with_commented_out(document: Document, rule: Rule) -> Document:
    """The document in which all lines of the rule are comments."""
    return with_commented_lines(document, rule.number, rule.line_count)


def without_rule(document: Document, rule: Rule) -> Document:
    """The document without the lines of the rule."""
    return without_lines(document, rule.number, rule.line_count)


def _terms(text: str) -> tuple[tuple[Term, ...], bool]:
    found: list[Term] = []
    position = _skip(text, 0)
    while position < len(text) and text[position] != "\n":
        match = _TERM.match(text, position)
        if match is None:
            return tuple(found), False
        key, attribute, operator, prefix, raw = match.groups()
        value = _decoded(raw) if "e" in prefix else _joined(raw).replace('\\"', '"')
        found.append(Term(key, attribute or "", operator, value, match.start(4), match.end()))
        position = _skip(text, match.end())
    return tuple(found), True


def _skip(text: str, position: int) -> int:
    match = _SEPARATOR.match(text, position)
    return match.end() if match else position


def _joined(raw: str) -> str:
    return raw.replace("\\\n", "")


def _decoded(raw: str) -> str:
    def to_text(match: t.Match[str]) -> str:
        escape = match.group(1)
        if escape[0] in "xu" and len(escape) > 1:
            return chr(int(escape[1:], 16))
        if len(escape) == 3:
            return chr(int(escape, 8))
        return _C_CHARACTERS.get(escape, escape)

    return _C_ESCAPE.sub(to_text, _joined(raw))


def _quote(value: str, prefix: str) -> str:
    # In a plain value a backslash is itself, unless it stands before a quote or at the end: only e"..." can hold that.
    if re.search(r'\\(?:"|$)', value):
        escaped = re.sub(r'[\\"]', r"\\\g<0>", value)
        return f'e{prefix}"{escaped}"'
    return f'{prefix}"{value}"' if '"' not in value else prefix + '"' + value.replace('"', '\\"') + '"'
