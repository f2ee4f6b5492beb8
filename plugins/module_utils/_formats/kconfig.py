# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which symbols a kernel's source defines and what each depends on: Kconfig files. Read only.

The language is described in the kernel's Documentation/kbuild/kconfig-language.rst. Read is what it takes to say why a
symbol is not as it was asked for; defaults, ranges, imply and help texts are not kept.
"""

from __future__ import annotations

import re
import typing as t

_TOKEN = re.compile(
    r"\s*(&&|\|\||!=|<=|>=|[()!=<>]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\$\([^)]*\)|[A-Za-z0-9_./-]+)"
)
_TYPE = re.compile(r"^(?:def_)?(bool|tristate|string|int|hex)\b\s*(.*)$")
_PROMPT = re.compile(r"^(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')\s*(?:if\s+(.*))?$")
_SELECT = re.compile(r"^select\s+([A-Za-z0-9_]+)(?:\s+if\s+(.*))?$")
_SOURCE = re.compile(r"^(o?r?source)\s+\"([^\"]*)\"$")
_RANK = {"n": 0, "m": 1, "y": 2}


class Definition(t.NamedTuple):
    """One place that defines a symbol (without CONFIG_).

    `depends` are expressions that must all hold, those of what is around the place included. `prompt` is the condition
    under which it may be chosen ("" for always), None when it has no prompt: then only other symbols set it.
    `selects` are the symbols that it forces, each with its condition. `is_choice`: it is one of several that exclude
    each other.
    """

    symbol: str
    kind: str
    depends: tuple[str, ...]
    prompt: str | None
    selects: tuple[tuple[str, str], ...]
    is_choice: bool


class Source(t.NamedTuple):
    """Another file that is read here, as written (with $(SRCARCH)), and what everything in it depends on."""

    path: str
    depends: tuple[str, ...]


class Kconfig(t.NamedTuple):
    """The definitions of one file, and the files that it reads."""

    definitions: tuple[Definition, ...]
    sources: tuple[Source, ...]


class _Block:
    """What `if`, `menu` or `choice` opens, until its end."""

    def __init__(self, word: str, depends: tuple[str, ...] = ()) -> None:
        self.word = word
        self.depends = depends


class _Entry:
    """A symbol whose attributes are being read."""

    def __init__(self, symbol: str, is_menu: bool) -> None:
        self.symbol = symbol
        self.kind = ""
        self.depends: tuple[str, ...] = ()
        self.prompt: str | None = "" if is_menu else None
        self.selects: tuple[tuple[str, str], ...] = ()


def read(text: str, around: tuple[str, ...] = ()) -> Kconfig:
    """The file with this content; everything in it depends on C(around). Lines that say nothing known are left out."""
    blocks = [_Block("", around)]
    definitions: list[Definition] = []
    sources: list[Source] = []
    entry: _Entry | None = None
    takes_block = False  # whether "depends on" is about the block that has just been opened
    for line in _logical_lines(text):
        word, _space, rest = line.partition(" ")
        rest = rest.strip()
        if word in ("config", "menuconfig", "choice", "endchoice", "if", "endif", "menu", "endmenu", "comment"):
            _end(entry, blocks, definitions)
            entry, takes_block = None, False
        if word in ("config", "menuconfig"):
            entry = _Entry(rest, False)
        elif word in ("menu", "choice"):
            blocks.append(_Block(word))
            takes_block = True
        elif word == "if":
            blocks.append(_Block(word, (rest,)))
        elif word in ("endif", "endmenu", "endchoice"):
            if len(blocks) > 1:
                blocks.pop()
        elif _SOURCE.match(line):
            _end(entry, blocks, definitions)
            entry = None
            sources.append(Source(_SOURCE.sub(r"\2", line), _all_depends(blocks)))
        elif line.startswith("depends on ") or (word == "visible" and rest.startswith("if ")):
            expression = line[len("depends on ") :].strip() if word == "depends" else rest[len("if ") :].strip()
            if entry is not None:
                entry.depends += (expression,)
            elif takes_block:
                blocks[-1].depends += (expression,)
        elif entry is not None:
            _add(entry, word, line, rest)
    _end(entry, blocks, definitions)
    return Kconfig(tuple(definitions), tuple(sources))


def _logical_lines(text: str) -> t.Iterator[str]:
    """Lines without comments, help texts and continuation marks, runs of blanks as one."""
    help_indent: int | None = None
    in_help = False
    carried = ""
    for raw in text.split("\n"):
        expanded = raw.expandtabs(8).rstrip()
        stripped = expanded.strip()
        if in_help:
            indent = len(expanded) - len(expanded.lstrip())
            if not stripped:
                continue
            if help_indent is None and indent > 0:
                help_indent = indent
            if help_indent is not None and indent >= help_indent:
                continue
            in_help = False
        if not carried and stripped.startswith("#"):
            continue
        carried += stripped
        if carried.endswith("\\"):
            carried = carried[:-1] + " "
            continue
        line, carried = _without_comment(carried), ""
        if line in ("help", "---help---"):
            in_help, help_indent = True, None
        elif line:
            yield " ".join(line.split())


def _without_comment(line: str) -> str:
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote and line[place - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[:place].strip()
    return line.strip()


def _add(entry: _Entry, word: str, line: str, rest: str) -> None:
    kind = _TYPE.match(line)
    if kind:
        entry.kind = kind.group(1)
        prompt = _PROMPT.match(kind.group(2)) if not word.startswith("def_") else None
        if prompt:
            entry.prompt = prompt.group(2) or ""
    elif word == "prompt":
        prompt = _PROMPT.match(rest)
        if prompt:
            entry.prompt = prompt.group(2) or ""
    elif word == "select":
        chosen = _SELECT.match(line)
        if chosen:
            entry.selects += ((chosen.group(1), chosen.group(2) or ""),)


def _end(entry: _Entry | None, blocks: t.Sequence[_Block], definitions: list[Definition]) -> None:
    if entry is not None:
        definitions.append(
            Definition(
                entry.symbol,
                entry.kind,
                _all_depends(blocks) + entry.depends,
                entry.prompt,
                entry.selects,
                blocks[-1].word == "choice",
            )
        )


def _all_depends(blocks: t.Sequence[_Block]) -> tuple[str, ...]:
    return tuple(expression for block in blocks for expression in block.depends)


def conjuncts(expression: str) -> tuple[str, ...]:
    """The parts of an expression that must all hold, as written."""
    return _split(expression.strip(), "&&")


def _split(expression: str, operator: str) -> tuple[str, ...]:
    """Parts between an operator outside of all parentheses."""
    expression = _unwrapped(expression)
    parts: list[str] = []
    depth = start = place = 0
    while place < len(expression):
        letter = expression[place]
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0 and expression.startswith("||", place) and operator == "&&":
            return (expression,)
        if depth == 0 and expression.startswith(operator, place):
            parts.append(expression[start:place].strip())
            place += len(operator)
            start = place
            continue
        place += 1
    parts.append(expression[start:].strip())
    if len(parts) == 1:
        return (parts[0],)
    return tuple(inner for part in parts for inner in _split(part, operator))


def _unwrapped(expression: str) -> str:
    """Without parentheses around the whole of it."""
    while expression.startswith("(") and expression.endswith(")"):
        depth = 0
        for place, letter in enumerate(expression):
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if depth == 0 and place < len(expression) - 1:
                return expression
        expression = expression[1:-1].strip()
    return expression


def names(expression: str) -> tuple[str, ...]:
    """The symbols in an expression, each once, without constants."""
    found = [token for token in _tokens(expression) if re.match(r"[A-Z0-9_]*[A-Z][A-Za-z0-9_]*$", token)]
    return tuple(dict.fromkeys(found))


def _tokens(expression: str) -> list[str]:
    return [match.group(1) for match in _TOKEN.finditer(expression)]


def evaluate(expression: str, states: t.Mapping[str, str | None]) -> str:
    """ "y", "m" or "n". What calls the compiler or the shell ($(...)) holds: its answer is not known here."""
    tokens = _tokens(expression)
    value, _rest = _either(tokens, states)
    return value


def _either(tokens: list[str], states: t.Mapping[str, str | None]) -> tuple[str, list[str]]:
    value, tokens = _both(tokens, states)
    while tokens[:1] == ["||"]:
        other, tokens = _both(tokens[1:], states)
        value = max(value, other, key=_RANK.__getitem__)
    return value, tokens


def _both(tokens: list[str], states: t.Mapping[str, str | None]) -> tuple[str, list[str]]:
    value, tokens = _single(tokens, states)
    while tokens[:1] == ["&&"]:
        other, tokens = _single(tokens[1:], states)
        value = min(value, other, key=_RANK.__getitem__)
    return value, tokens


def _single(tokens: list[str], states: t.Mapping[str, str | None]) -> tuple[str, list[str]]:
    if not tokens:
        return "y", []
    first, rest = tokens[0], tokens[1:]
    if first == "!":
        value, rest = _single(rest, states)
        return {"y": "n", "m": "m", "n": "y"}[value], rest
    if first == "(":
        value, rest = _either(rest, states)
        return value, rest[1:]
    if rest[:1] and rest[0] in ("=", "!=", "<", ">", "<=", ">="):
        value = _compare(_plain(first, states), rest[0], _plain(rest[1], states) if len(rest) > 1 else "")
        return value, rest[2:]
    if first.startswith("$("):
        return "y", rest
    value = _plain(first, states)
    return (value if value in _RANK else "n"), rest


def _plain(token: str, states: t.Mapping[str, str | None]) -> str:
    """What a constant or a symbol is; "n" for a symbol that is not set."""
    if token[:1] in "\"'":
        return token[1:-1]
    if token in ("y", "m", "n") or token.isdigit():
        return token
    return states.get(token) or "n"


def _compare(left: str, operator: str, right: str) -> str:
    if operator in ("=", "!="):
        return "y" if (left == right) == (operator == "=") else "n"
    if not (left.isdigit() and right.isdigit()):
        return "n"
    first, second = int(left), int(right)
    holds = {"<": first < second, ">": first > second, "<=": first <= second, ">=": first >= second}[operator]
    return "y" if holds else "n"
