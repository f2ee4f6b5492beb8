# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell assignments, as in /etc/default/*, /etc/initramfs-tools/initramfs.conf and its conf.d.

These files are programs: a shell sources them. Only what is certain without running anything is given as a value.
The first statement that is not an assignment and may change a variable (a condition, `. file`, a function, bad
syntax) makes every key of the file dynamic, for nothing is certain once it has run.

A key is *dynamic* when it is assigned and its value cannot be known: it comes from a command, from a variable that the
file does not set, or a statement like those above stands in the file.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import GuestError

# What a shell keeps an eye on itself: an assigned value is not what is read back, or assigning fails.
_SPECIAL = re.compile(
    r"BASH_?(?:OPTS|PID|VERSINFO|ARG[CV])|COMP_WORDBREAKS|DIRSTACK|EPOCH(?:REALTIME|SECONDS)|E?UID|FUNCNAME|GROUPS|IFS"
    r"|LINENO|OPTIND|PPID|S?RANDOM|SECONDS|SHELLOPTS|_"
)
# Commands that set no variable, whatever their arguments are.
_HARMLESS = frozenset([":", "true", "echo", "umask"])

_ASSIGNED_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BLANKS = re.compile(r"(?:[ \t]|\\\n)+")
_PLAIN = re.compile(r"[^ \t\n;&|<>()\\'\"$`\0]+")
_PLAIN_IN_DOUBLE_QUOTES = re.compile(r"[^\\\"$`\0]+")
_BARE_VALUE = re.compile(r"[A-Za-z0-9_./:,@%+=-]+")
# ${NAME} (the group), ${#NAME}, and the operators that every shell has and that change nothing.
_PARAMETER = re.compile(
    r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)\}"
    r"|#[A-Za-z_][A-Za-z0-9_]*\}"
    r"|[A-Za-z_][A-Za-z0-9_]*(?::?[-+]|%%?|##?)[A-Za-z0-9_./:,@ =-]*\})"
)
_BACKQUOTED = re.compile(r"`([^`\\]*)`")
_REDIRECTION = re.compile(r"[0-9]?(?:>>|>&|>\||>|<&|<(?!<))[ \t]*")
_OPERATOR = re.compile(r"&&|\|\||\||;")
_RESERVED = re.compile(
    r"!|\{|\}|\[\[|case|coproc|do|done|elif|else|esac|fi|for|function|if|in|select|then|time|until|while"
)
_MAX_DEPTH = 20
# A=$A$A doubles a value each time. What is longer than this (characters, all values together) is taken as dynamic.
_MAX_EXPANDED = 1 << 24
_EXPANDED_IN_ARGUMENTS = re.compile(r"[*?\[{~]")

_LITERAL = "literal"
_REFERENCE = "reference"
_DYNAMIC = "dynamic"


class _Uncertain(Exception):
    """The text from here on is no assignment, or is none that can be understood without running it."""


class _Piece(t.NamedTuple):
    kind: str
    text: str
    quoted: bool


@dataclasses.dataclass(frozen=True)
class Assignment:
    """One KEY=value or KEY+=value. Columns count from the start of the text.

    `start` and `end` enclose the word, `value_start` follows its "="; `statement_start` is where `export` stands when
    there is one. `alone`: the statement has no other word. `raw` is the value as written.
    """

    key: str
    appends: bool
    exported: bool
    alone: bool
    statement_start: int
    start: int
    value_start: int
    end: int
    raw: str
    _pieces: tuple[_Piece, ...]


@dataclasses.dataclass(frozen=True)
class Document:
    """The text, and its assignments up to `opaque_line`: the first statement (line, from 1) that may do anything.

    `opaque_line` is None where all statements are understood.
    """

    text: str
    assignments: tuple[Assignment, ...]
    opaque_line: int | None
    appending: bool


def parse(text: str, *, appending: bool = False) -> Document:
    """The document of any text; nothing is rejected.

    appending: the file is read by bash, where KEY+=value appends. For sh, which is dash on Debian, that is a command
    that fails; a key is dynamic after it.
    """
    assignments: list[Assignment] = []
    position = 0
    while position < len(text):
        start = _skip_to_statement(text, position)
        try:
            found, position = _scan_statement(text, start, appending)
        except _Uncertain:
            return Document(text, tuple(assignments), text.count("\n", 0, start) + 1, appending)
        assignments.extend(found)
    return Document(text, tuple(assignments), None, appending)


def render(document: Document) -> str:
    """The text of a document."""
    return document.text


def keys(document: Document) -> tuple[str, ...]:
    """Every key that is assigned before `opaque_line`, once, in the order of the first assignment."""
    return tuple(dict.fromkeys(assignment.key for assignment in document.assignments))


def value(document: Document, key: str, *, initial: t.Mapping[str, str] | None = None) -> str | None:
    """The value a shell has for key when it has read the file; None if it is not set here, or dynamic.

    initial: variables that are known to be set before the file is read.
    """
    if document.opaque_line is not None:
        return None
    return _values(document, initial or {}).get(key)


def is_dynamic(document: Document, key: str, *, initial: t.Mapping[str, str] | None = None) -> bool:
    """Whether the file may set key to a value that cannot be known without running it."""
    if document.opaque_line is not None:
        return True
    return _values(document, initial or {}).get(key, "") is None


def raw(document: Document, key: str) -> str | None:
    """The value of the last assignment of key as it is written, quotes and all; None if there is none."""
    for assignment in reversed(document.assignments):
        if assignment.key == key:
            return assignment.raw
    return None


def with_value(document: Document, key: str, new: str) -> Document:
    """The document after which key is `new`: the last assignment changes and keeps its quotes, or a line is appended.

    GuestError when that cannot be promised: the file holds statements that are no assignments, or the value has a NUL.
    """
    _refuse_opaque(document, key)
    if not _NAME.fullmatch(key) or _SPECIAL.fullmatch(key) or "\0" in new:
        raise GuestError(f"{key}={new!r} cannot be written as a shell assignment")
    last = next((item for item in reversed(document.assignments) if item.key == key), None)
    text = document.text
    if last is None:
        glue = "\n" if text and not text.endswith("\n") else ""
        text = f"{text}{glue}{key}={_quote(new, '')}\n"
    else:
        text = f"{text[: last.start]}{key}={_quote(new, last.raw)}{text[last.end :]}"
    changed = parse(text, appending=document.appending)
    if value(changed, key) != new:
        raise GuestError(
            f"{key} cannot be set in this file: what stands around its assignment changes the value again",
            hint=f"simplify the file until it ends with a line {key}=...",
        )
    return changed


def without(document: Document, key: str) -> Document:
    """The document without any assignment of key; a line that held nothing else goes with its comment.

    GuestError when statements that are no assignments may set the key as well.
    """
    _refuse_opaque(document, key)
    text = document.text
    for assignment in reversed(document.assignments):
        if assignment.key == key:
            start, end = _extent(text, assignment)
            text = text[:start] + text[end:]
    changed = parse(text, appending=document.appending)
    kept = tuple((item.key, item.raw, item.exported) for item in document.assignments if item.key != key)
    if changed.opaque_line is not None or kept != tuple(
        (item.key, item.raw, item.exported) for item in changed.assignments
    ):
        raise GuestError(f"{key} cannot be removed from this file without changing another statement")
    return changed


def _refuse_opaque(document: Document, key: str) -> None:
    if document.opaque_line is not None:
        raise GuestError(
            f"{key} cannot be changed safely: a statement of this file is not a plain assignment, so what the file "
            "sets is only known by running it",
            line=document.opaque_line,
            hint="move the statement to another file, or change the key by hand",
        )


def _values(document: Document, initial: t.Mapping[str, str]) -> dict[str, str | None]:
    known: dict[str, str | None] = dict(initial)
    budget = _MAX_EXPANDED
    for assignment in document.assignments:
        parts: list[str | None] = [
            piece.text if piece.kind == _LITERAL else known.get(piece.text) if piece.kind == _REFERENCE else None
            for piece in assignment._pieces
        ]
        if assignment.appends:
            parts.insert(0, known.get(assignment.key) if document.appending else None)
        if assignment.exported and _is_split_or_expanded(assignment):
            parts.append(None)
        texts = [part for part in parts if part is not None]
        budget -= sum(len(part) for part in texts)
        known[assignment.key] = "".join(texts) if len(texts) == len(parts) and budget >= 0 else None
    return known


def _is_split_or_expanded(assignment: Assignment) -> bool:
    # The arguments of export are split and expanded like those of any command, by dash before 0.5.11.
    return any(
        not piece.quoted and (piece.kind != _LITERAL or _EXPANDED_IN_ARGUMENTS.search(piece.text))
        for piece in assignment._pieces
    )


def _quote(new: str, like: str) -> str:
    """The value as a word, in the quotes of the word it replaces where they can hold it."""
    if like.startswith("'") and "'" not in new:
        return f"'{new}'"
    if not like.startswith(('"', "'")) and _BARE_VALUE.fullmatch(new):
        return new
    return '"' + re.sub(r'[\\"$`]', r"\\\g<0>", new) + '"'


def _extent(text: str, assignment: Assignment) -> tuple[int, int]:
    """What goes when the assignment goes: its line, its statement, or the word and the blanks after it."""
    start = assignment.statement_start if assignment.alone else assignment.start
    end = assignment.end
    line_start = text.rfind("\n", 0, start) + 1
    blanks = _BLANKS.match(text, end)
    rest = blanks.end() if blanks else end
    if assignment.alone:
        if text[rest : rest + 1] == ";":
            blanks = _BLANKS.match(text, rest + 1)
            rest = blanks.end() if blanks else rest + 1
        if not text[line_start:start].strip(" \t") and text[rest : rest + 1] in ("", "\n", "#"):
            newline = text.find("\n", rest)
            return line_start, newline + 1 if newline >= 0 else len(text)
    return start, rest


def _skip_to_statement(text: str, position: int) -> int:
    """Where the next statement starts, after blanks, empty lines and comments."""
    while position < len(text):
        blanks = _BLANKS.match(text, position)
        if blanks:
            position = blanks.end()
        elif text[position] == "\n":
            position += 1
        elif text[position] == "#":
            newline = text.find("\n", position)
            position = newline + 1 if newline >= 0 else len(text)
        else:
            break
    return position


def _scan_statement(text: str, start: int, appending: bool) -> tuple[list[Assignment], int]:
    """The assignments of the statement at start, and where it ends."""
    words: list[tuple[int, int, tuple[_Piece, ...]]] = []
    position = start
    while position < len(text):
        blanks = _BLANKS.match(text, position)
        if blanks:
            position = blanks.end()
            continue
        character = text[position]
        if character in "\n#":
            break
        if character == ";":
            if not words:
                raise _Uncertain
            position += 1
            break
        word_end, pieces = _scan_word(text, position)
        words.append((position, word_end, pieces))
        position = word_end
    return _assignments_of(text, start, words, appending), position


def _assignments_of(
    text: str, statement_start: int, words: t.Sequence[tuple[int, int, tuple[_Piece, ...]]], appending: bool
) -> list[Assignment]:
    exported = False
    if words:
        command = text[words[0][0] : words[0][1]]
        if command in _HARMLESS:
            return []
        exported = command == "export"
    arguments = words[1:] if exported else words
    found = []
    for start, end, pieces in arguments:
        match = _ASSIGNED_NAME.match(text, start, end)
        if match and not _SPECIAL.fullmatch(match.group(1)):
            key, plus = match.groups()
            if plus and not appending and len(words) > 1:
                raise _Uncertain  # to sh the word is a command or its argument, and the other words belong to it
            value_pieces = _without_name(pieces, match.end() - start)
            if _starts_with_tilde(value_pieces):
                value_pieces = (*value_pieces, _Piece(_DYNAMIC, "~", quoted=False))
            found.append(
                Assignment(
                    key,
                    bool(plus),
                    exported,
                    len(arguments) == 1,
                    statement_start,
                    start,
                    match.end(),
                    end,
                    text[match.end() : end],
                    value_pieces,
                )
            )
        elif not (exported and _NAME.fullmatch(text, start, end)):
            raise _Uncertain
    return found


def _without_name(pieces: tuple[_Piece, ...], length: int) -> tuple[_Piece, ...]:
    # The name and its "=" are plain characters, so they are the start of the first piece.
    first = pieces[0]
    return (_Piece(_LITERAL, first.text[length:], quoted=False), *pieces[1:])


def _starts_with_tilde(pieces: tuple[_Piece, ...]) -> bool:
    """Whether the shell may put a home directory in: an unquoted "~" at the start, or after an unquoted ":"."""
    return any(
        not piece.quoted
        and piece.kind == _LITERAL
        and (":~" in piece.text or (piece.text.startswith("~") and (index == 0 or _ends_with_colon(pieces[index - 1]))))
        for index, piece in enumerate(pieces)
    )


def _ends_with_colon(piece: _Piece) -> bool:
    return piece.text.endswith(":") or piece.text == ""


def _scan_word(text: str, start: int, depth: int = 0) -> tuple[int, tuple[_Piece, ...]]:
    """The end of the word at start, and its pieces. _Uncertain if it is none (an operator, an open quote)."""
    pieces: list[_Piece] = []
    position = start
    while position < len(text):
        plain = _PLAIN.match(text, position)
        if plain:
            pieces.append(_Piece(_LITERAL, plain.group(), quoted=False))
            position = plain.end()
            continue
        character = text[position]
        if character in " \t\n;" or (depth and character in "|&<>)"):
            break
        if character == "'":
            end = text.find("'", position + 1)
            if end < 0:
                raise _Uncertain
            pieces.append(_Piece(_LITERAL, text[position + 1 : end], quoted=True))
            position = end + 1
        elif character == '"':
            position = _scan_double_quotes(text, position, pieces, depth)
        elif character == "\\":
            position = _scan_backslash(text, position, pieces)
        elif character in "$`":
            position = _scan_expansion(text, position, pieces, depth, quoted=False)
        else:
            raise _Uncertain
    if position == start or "\0" in text[start:position]:
        raise _Uncertain
    return position, tuple(pieces)


def _scan_backslash(text: str, position: int, pieces: list[_Piece]) -> int:
    following = text[position + 1 : position + 2]
    if not following:
        raise _Uncertain
    if following != "\n":
        pieces.append(_Piece(_LITERAL, following, quoted=True))
    elif not pieces or pieces[0].quoted or "=" not in pieces[0].text:
        raise _Uncertain  # the name itself goes on in the next line
    return position + 2


def _scan_double_quotes(text: str, position: int, pieces: list[_Piece], depth: int) -> int:
    pieces.append(_Piece(_LITERAL, "", quoted=True))
    position += 1
    while position < len(text):
        plain = _PLAIN_IN_DOUBLE_QUOTES.match(text, position)
        if plain:
            pieces.append(_Piece(_LITERAL, plain.group(), quoted=True))
            position = plain.end()
            continue
        character = text[position]
        if character == '"':
            return position + 1
        if character == "\0":
            break
        if character == "\\":
            following = text[position + 1 : position + 2]
            if following in ("$", "`", '"', "\\"):
                pieces.append(_Piece(_LITERAL, following, quoted=True))
            elif following != "\n":
                pieces.append(_Piece(_LITERAL, "\\" + following, quoted=True))
            position += 2
        else:
            position = _scan_expansion(text, position, pieces, depth, quoted=True)
    raise _Uncertain


def _scan_expansion(text: str, position: int, pieces: list[_Piece], depth: int, *, quoted: bool) -> int:
    """The end of what begins with "$" or a backquote."""
    if text[position] == "`":
        match = _BACKQUOTED.match(text, position)
        if match is None:
            raise _Uncertain
        _scan_commands(match.group(1), 0, "", depth + 1)
        pieces.append(_Piece(_DYNAMIC, match.group(), quoted))
        return match.end()
    following = text[position + 1 : position + 2]
    name = _NAME.match(text, position + 1)
    if name:
        if text.startswith("\\\n", name.end()):
            raise _Uncertain  # shells disagree whether the name goes on
        pieces.append(_Piece(_REFERENCE, name.group(), quoted))
        return name.end()
    if following == "{":
        parameter = _PARAMETER.match(text, position)
        if parameter is None:
            raise _Uncertain  # it may assign, or end the file with an error
        if parameter.group(1):
            pieces.append(_Piece(_REFERENCE, parameter.group(1), quoted))
        else:
            pieces.append(_Piece(_DYNAMIC, parameter.group(), quoted))
        return parameter.end()
    if following == "(":
        if text.startswith("((", position + 1):
            raise _Uncertain  # arithmetic can assign
        end = _scan_commands(text, position + 2, ")", depth + 1)
        pieces.append(_Piece(_DYNAMIC, text[position:end], quoted))
        return end
    if following in ("\\", "[", "\0") or (following in ("'", '"') and not quoted):
        raise _Uncertain  # $'...' is C-like quoting in some shells only; "$[" is old arithmetic
    if following and following in "0123456789@*#?-$!":
        pieces.append(_Piece(_DYNAMIC, text[position : position + 2], quoted))
        return position + 2
    pieces.append(_Piece(_LITERAL, "$", quoted=True))
    return position + 1


def _scan_commands(text: str, position: int, closing: str, depth: int) -> int:
    """Behind the `closing` of commands that a shell can read; "" is the end of text.

    A syntax error in a command substitution ends the reading of the whole file, so the commands have to be understood:
    simple commands, subshells, redirections, "|", "&&", "||", ";". _Uncertain for whatever is more.
    """
    if depth > _MAX_DEPTH:
        raise _Uncertain
    is_complete = True  # the commands may end here
    can_have_word = can_start = True
    while position < len(text):
        blanks = _BLANKS.match(text, position)
        if blanks:
            position = blanks.end()
            continue
        redirection = _REDIRECTION.match(text, position)
        operator = _OPERATOR.match(text, position)
        if closing and text.startswith(closing, position):
            if not is_complete:
                break
            return position + 1
        if redirection:
            position, _pieces = _scan_word(text, redirection.end(), depth)
            is_complete, can_start = True, False
        elif operator:
            if can_start:
                break
            position = operator.end()
            is_complete, can_start, can_have_word = operator.group() == ";", True, True
        elif text[position] == "(" and can_start:
            position = _scan_commands(text, position + 1, ")", depth + 1)
            is_complete, can_start, can_have_word = True, False, False
        else:
            start = position
            position, _pieces = _scan_word(text, position, depth)
            if not can_have_word or text[start] == "#" or (can_start and _RESERVED.fullmatch(text, start, position)):
                break
            is_complete, can_start = True, False
    else:
        if not closing and is_complete:
            return position
    raise _Uncertain
