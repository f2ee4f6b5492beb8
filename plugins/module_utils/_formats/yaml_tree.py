# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML as people write it in configuration files: mappings and sequences in block and flow style, and scalars.

Every node knows its place in the text, so that an edit changes only its own bytes. What is not understood (anchors,
aliases, tags, block scalars, complex keys) is refused by name, and so is everything that libyaml refuses.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._errors import LimitError, MalformedError

MAX_DEPTH = 50  # collections in collections; far more than any configuration has
_MAX_KEY = 1024  # characters, of a key without "?"; YAML 1.1, section 7.4

_INVALID = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_OTHER_BREAK = re.compile(r"\r(?!\n)|[\x85\u2028\u2029]")
_MARKER = re.compile(r"(?:---|\.\.\.)(?=[ \t\r\n]|\Z)")
_BLANKS = re.compile(r"[ \t]*")
_SPACES = re.compile(r" *")
_COMMENT = re.compile(r"#[^\r\n]*")
_LINE_END = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*|(?<=\n)#[^\r\n]*)?(?:\r?\n|\Z)")
_PLAIN = re.compile(r"(?:[^ \t\r\n:#]+|:(?=[^ \t\r\n])|(?<![ \t\r\n])#|[ \t]+(?=[^ \t\r\n:#])|[ \t]+(?=:[^ \t\r\n]))+")
_PLAIN_IN_FLOW = re.compile(
    r"(?:[^ \t\r\n:#,\[\]{}?]+|:(?=[^ \t\r\n,\[\]{}])|(?<![ \t\r\n])#|[ \t]+(?=[^ \t\r\n:#,\[\]{}?])"
    r"|[ \t]+(?=:[^ \t\r\n,\[\]{}]))+"
)
_SINGLE = re.compile(r"'([^']*(?:''[^']*)*)'(?!')")
_DOUBLE = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_BREAKS = re.compile(r"(?:[ \t]*\r?\n)+")
_FOLD = re.compile(r"[ \t]*\r?\n[ \t\r\n]*")
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_ESCAPED = dict(zip('0abt\tnvfre "/\\N_LP', '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029'))
_NOT_UNDERSTOOD = {
    "&": "an anchor (&name)",
    "*": "an alias (*name)",
    "!": "a tag (!type)",
    "|": "a block scalar (|)",
    ">": "a block scalar (>)",
    "?": "a complex key (?)",
}
_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# What YAML 1.1 takes for something else than a string.
_RESERVED = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


@dataclasses.dataclass(frozen=True)
class Scalar:
    """A value, decoded. style: C(plain), C(single), C(double), or C(empty) where nothing stands."""

    value: str
    start: int
    end: int
    style: str


@dataclasses.dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Mapping:
    """Pairs in the order of the text; a key may repeat. end: behind the last value, or the bracket."""

    pairs: tuple[tuple[Scalar, Node], ...]
    start: int
    end: int
    is_flow: bool

    def values(self, key: str) -> tuple[Node, ...]:
        """Every value of a key."""
        return tuple([value for found, value in self.pairs if found.value == key])


Node = t.Union[Scalar, Sequence, Mapping]


@dataclasses.dataclass(frozen=True)
class Document:
    """A text and what its YAML documents hold, an empty one None."""

    text: str
    roots: tuple[Node | None, ...]


def parse(text: str) -> Document:
    """A document. MalformedError, with the line, where the text is no YAML or holds what is not understood."""
    return Document(text, _Parser(text).documents())


def render(document: Document) -> str:
    return document.text


def written(value: str, style: str) -> str:
    """A scalar as it is written in a style; one that cannot be written plain is quoted."""
    if style == "double":
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if style == "single" or not _PLAIN_WORD.fullmatch(value) or value.lower() in _RESERVED:
        return "'" + value.replace("'", "''") + "'"
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 1 if text.startswith("\ufeff") else 0
        self.depth = 0

    def documents(self) -> tuple[Node | None, ...]:
        for pattern, what in ((_INVALID, "a character that"), (_OTHER_BREAK, "a line break of a kind that")):
            match = pattern.search(self.text)
            if match:
                raise self.error(f"{what} is not understood here ({match.group()!r})", match.start())
        roots: list[Node | None] = []
        is_open = True  # the first document may begin without "---"
        has_ended = False
        self.skip_blank()
        while self.place < len(self.text):
            marker = self.marker()
            if marker == "..." and not is_open:
                self.end_of_line(self.place + 3)
                self.skip_blank()
                has_ended = True
                continue
            if self.text[self.place] == "%" and self.column() == 0 and (is_open or has_ended):
                self.place = self.text.find("\n", self.place) + 1 or len(self.text)
                self.skip_blank()
                if self.marker() != "---" and not self.text.startswith("%", self.place):
                    raise self.error("a directive (%) is not followed by ---")
                continue
            if marker == "---":
                self.place += 3
                roots.append(self.value(-1, mapping_column=None))
            elif is_open and marker is None:
                roots.append(self.block(self.column(), -1))
            else:
                raise self.error("what stands here belongs to nothing above it: look at its indentation")
            is_open = has_ended = False
        return tuple(roots)

    # Block style. After every node the place is that of the next content, or the end.

    def block(self, column: int, parent: int) -> Node:
        """A node that begins here, at this column, below one at the column of parent."""
        if self.is_entry():
            return self.sequence(column)
        key = self.key()
        if key is not None:
            return self.mapping(column, key)
        return self.leaf(parent)

    def value(self, parent: int, mapping_column: int | None) -> Node | None:
        """What follows "key:", "-" or "---", on the same line or below; None for nothing.

        mapping_column: that of the key, where a sequence may have the same column.
        """
        after = self.place
        self.place = self.blanks(after)
        if not self.at_line_end():
            if self.place == after:
                raise self.error("a space is missing here")
            return self.leaf(parent)
        self.place = after
        self.end_of_line(after)
        self.skip_blank()
        if self.place >= len(self.text) or self.marker():
            return None
        column = self.column()
        if column > parent or (column == mapping_column and self.is_entry()):
            return self.block(column, parent)
        return None

    def mapping(self, column: int, key: Scalar | None) -> Mapping:
        self.enter()
        start = self.place
        end = start
        pairs: list[tuple[Scalar, Node]] = []
        while key is not None:
            self.place = self.blanks(key.end) + 1
            end = self.place
            node = self.value(column, mapping_column=column) or Scalar("", end, end, "empty")
            pairs.append((key, node))
            end = max(end, node.end)
            if not self.goes_on(column):
                break
            key = self.key()
            if key is None:
                raise self.error("a key with a colon is expected here")
        self.depth -= 1
        return Mapping(tuple(pairs), start, end, is_flow=False)

    def sequence(self, column: int) -> Sequence:
        self.enter()
        start = self.place
        items: list[Node] = []
        while self.is_entry():
            after = self.place + 1
            spaces = t.cast("re.Match[str]", _SPACES.match(self.text, after)).end()
            self.place = spaces
            if self.text.startswith("\t", spaces):
                raise self.error("a tab is not allowed in an indentation")
            if not self.at_line_end():
                items.append(self.block(column + spaces - after + 1, column))
            else:
                self.place = after
                items.append(self.value(column, mapping_column=None) or Scalar("", after, after, "empty"))
            if not self.goes_on(column):
                break
        self.depth -= 1
        return Sequence(tuple(items), start, items[-1].end)

    def goes_on(self, column: int) -> bool:
        """Whether the next content belongs to the collection at this column."""
        if self.place >= len(self.text) or self.marker():
            return False
        here = self.column()
        if here > column:
            raise self.error("the indentation fits nothing above it")
        return here == column

    def leaf(self, parent: int) -> Node:
        """A scalar or a flow collection, with nothing behind it on its last line."""
        if self.text[self.place] in "[{":
            node = self.flow()
            self.place = node.end
        else:
            node = self.scalar(parent)
        self.end_of_line(node.end)
        self.skip_blank()
        return node

    def key(self) -> Scalar | None:
        """The key that stands here, when a colon follows it on its line; the place stays."""
        character = self.text[self.place]
        if character in "[{":
            return None
        if character == "?" and self.is_blank(self.place + 1):
            raise self.error(f"{_NOT_UNDERSTOOD['?']} is not understood here")
        if character in "'\"":
            found = self.quoted()
            after = self.blanks(found.end)
            if "\n" in self.text[found.start : found.end]:
                return None
        else:
            self.check_plain()
            match = _PLAIN.match(self.text, self.place)
            if match is None:
                raise self.error("a key or a value is expected here")
            found = Scalar(match.group(), match.start(), match.end(), "plain")
            after = self.blanks(match.end())
        if self.text[after : after + 1] != ":" or not self.is_blank(after + 1):
            return None
        self.check_key(found.start, after)
        return found

    def check_key(self, start: int, end: int) -> None:
        if end - start > _MAX_KEY or "\n" in self.text[start:end]:
            raise self.error(f"a key goes over lines, or is longer than {_MAX_KEY} characters", start)

    def scalar(self, parent: int) -> Scalar:
        if self.text[self.place] in "'\"":
            return self.quoted()
        self.check_plain()
        start = end = self.place
        parts: list[str] = []
        while True:
            match = _PLAIN.match(self.text, self.place)
            if match is None:
                break
            parts.append(match.group())
            end = match.end()
            breaks = _BREAKS.match(self.text, end)
            if breaks is None:
                break
            self.place = t.cast("re.Match[str]", _SPACES.match(self.text, breaks.end())).end()
            content = self.text[self.place : self.place + 1]
            if content == "\t" or re.search(r"\n *\t", breaks.group()):
                raise self.error("a tab is not allowed in an indentation")
            if content in ("", "#") or self.marker() or self.column() <= parent:
                break
            parts.append(_folded(breaks.group()))
        return self.plain(parts, start, end)

    def plain(self, parts: list[str], start: int, end: int) -> Scalar:
        """A plain scalar of its lines and what stands for the line ends between them."""
        if not parts:
            raise self.error("a value is expected here")
        self.place = end
        return Scalar("".join(parts[: len(parts) - (len(parts) + 1) % 2]), start, end, "plain")

    # Flow style.

    def flow(self) -> Node:
        """A node in flow style that begins here; the place is behind it."""
        character = self.text[self.place]
        if character == "[":
            return self.flow_sequence()
        if character == "{":
            return self.flow_mapping()
        if character in "'\"":
            found = self.quoted()
            self.place = found.end
            return found
        self.check_plain(is_flow=True)
        start = self.place
        end = start
        parts: list[str] = []
        while True:
            match = _PLAIN_IN_FLOW.match(self.text, self.place)
            if match is None:
                break
            parts.append(match.group())
            end = match.end()
            if self.text.startswith(":", end) and self.text[end + 1 : end + 2] in (*",?[]{}",):
                raise self.error("a space is missing behind the colon", end)
            fold = _FOLD.match(self.text, end)
            if fold is None:
                break
            self.place = fold.end()
            if self.text[self.place : self.place + 1] in ("", "#", "?") or self.marker():
                break
            parts.append(_folded(fold.group()))
        return self.plain(parts, start, end)

    def flow_sequence(self) -> Sequence:
        self.enter()
        start = self.place
        self.place += 1
        items: list[Node] = []
        while not self.flow_ends("]"):
            items.append(self.flow())
            self.separator("]")
        self.depth -= 1
        return Sequence(tuple(items), start, self.place)

    def flow_mapping(self) -> Mapping:
        self.enter()
        start = self.place
        self.place += 1
        pairs: list[tuple[Scalar, Node]] = []
        while not self.flow_ends("}"):
            key = self.flow()
            if not isinstance(key, Scalar):
                raise self.error("a collection as a key is not understood here", key.start)
            self.skip_in_flow()
            node: Node = Scalar("", key.end, key.end, "empty")
            if self.text.startswith(":", self.place):
                self.check_key(key.start, self.place)
                self.place += 1
                node = Scalar("", self.place, self.place, "empty")
                self.skip_in_flow()
                if self.text[self.place : self.place + 1] not in (",", "}", ""):
                    node = self.flow()
            pairs.append((key, node))
            self.separator("}")
        self.depth -= 1
        return Mapping(tuple(pairs), start, self.place, is_flow=True)

    def flow_ends(self, bracket: str) -> bool:
        self.skip_in_flow()
        if self.place >= len(self.text):
            raise self.error(f"{bracket} is missing")
        if self.text[self.place] != bracket:
            return False
        self.place += 1
        return True

    def separator(self, bracket: str) -> None:
        """Behind the comma; in front of the bracket."""
        self.skip_in_flow()
        if self.text.startswith(",", self.place):
            self.place += 1
        elif self.text.startswith(":", self.place):
            raise self.error("a pair without braces in a list is not understood here")
        elif not self.text.startswith(bracket, self.place):
            raise self.error(f", or {bracket} is missing")

    def skip_in_flow(self) -> None:
        """Over blanks, line ends and comments."""
        while self.place < len(self.text):
            character = self.text[self.place]
            if character in " \t\r\n":
                self.place += 1
            elif character == "#" and self.text[self.place - 1] in " \t\n":
                self.place = t.cast("re.Match[str]", _COMMENT.match(self.text, self.place)).end()
            elif self.marker():
                raise self.error("a document ends inside brackets")
            else:
                return

    # Scalars.

    def quoted(self) -> Scalar:
        """The quoted scalar that begins here; the place stays."""
        is_double = self.text[self.place] == '"'
        match = (_DOUBLE if is_double else _SINGLE).match(self.text, self.place)
        if match is None:
            raise self.error("a quote is not closed")
        raw = match.group(1)
        if "\n" in raw and re.search(r"\n(?:---|\.\.\.)(?:[ \t\r\n]|\Z)", raw):
            raise self.error("a document ends inside quotes")
        value = _joined(raw.split("\n"), is_double=is_double)
        value = _ESCAPE.sub(self.unescaped, value) if is_double else value.replace("''", "'")
        return Scalar(value, match.start(), match.end(), "double" if is_double else "single")

    def unescaped(self, match: t.Match[str]) -> str:
        found = match.group()
        if len(found) > 2:
            code = int(found[2:], 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise self.error(f"{found} is no character")
            return chr(code)
        if found[1] not in _ESCAPED:
            raise self.error(f"{found} is not understood in quotes")
        return _ESCAPED[found[1]]

    def check_plain(self, *, is_flow: bool = False) -> None:
        """An error when what stands here cannot begin a plain scalar."""
        character = self.text[self.place]
        if character in "-?:" and not self.is_blank(self.place + 1) and not (is_flow and character != "-"):
            return
        if character in _NOT_UNDERSTOOD:
            raise self.error(f"{_NOT_UNDERSTOOD[character]} is not understood here")
        if character == "\t":
            raise self.error("a tab is not allowed in an indentation")
        if character in "-:,[]{}#%@`":
            raise self.error(f"{character} cannot begin a value")

    # Places.

    def skip_blank(self) -> None:
        """Over empty lines, comments and indentation, to the next content."""
        while self.place < len(self.text):
            self.place = t.cast("re.Match[str]", _SPACES.match(self.text, self.place)).end()
            comment = _COMMENT.match(self.text, self.place)
            if comment:
                self.place = comment.end()
            if self.text.startswith("\r\n", self.place):
                self.place += 2
            elif self.text.startswith("\n", self.place):
                self.place += 1
            else:
                break
        if self.text.startswith("\t", self.place):
            raise self.error("a tab is not allowed in an indentation")

    def end_of_line(self, place: int) -> None:
        """Behind the end of the line, when nothing but a comment stands there."""
        match = _LINE_END.match(self.text, place)
        if match is None:
            after = self.blanks(place)
            if self.text.startswith(":", after):
                raise self.error("a colon is not allowed here: quote the value, or look at the indentation", after)
            raise self.error("something stands behind a value", after)
        self.place = match.end()

    def at_line_end(self) -> bool:
        return _LINE_END.match(self.text, self.place) is not None

    def is_entry(self) -> bool:
        return self.text.startswith("-", self.place) and self.is_blank(self.place + 1) and not self.marker()

    def is_blank(self, place: int) -> bool:
        return self.text[place : place + 1] in ("", " ", "\t", "\r", "\n")

    def blanks(self, place: int) -> int:
        return t.cast("re.Match[str]", _BLANKS.match(self.text, place)).end()

    def column(self) -> int:
        line = self.text.rfind("\n", 0, self.place) + 1
        return self.place - line - (line == 0 and self.text.startswith("\ufeff"))

    def marker(self) -> str | None:
        """The marker of a document's begin or end that stands here."""
        match = _MARKER.match(self.text, self.place)
        return match.group() if match and self.text[self.place - 1 : self.place] in ("", "\n", "\ufeff") else None

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LimitError(f"more than {MAX_DEPTH} collections stand in one another", line=self.line(self.place))

    def line(self, place: int) -> int:
        return self.text.count("\n", 0, place) + 1

    def error(self, message: str, place: int | None = None) -> MalformedError:
        return MalformedError(message, line=self.line(self.place if place is None else place))


def _folded(found: str) -> str:
    """What line ends stand for in a scalar: one is a space, more are one less."""
    breaks = found.count("\n")
    return " " if breaks == 1 else "\n" * (breaks - 1)


def _joined(lines: list[str], *, is_double: bool) -> str:
    """The lines of a quoted scalar as one text, its escapes left as they are."""
    parts: list[str] = []
    breaks = 0  # since the last line that is not empty
    is_escaped = True  # a backslash takes the line end away
    for index, line in enumerate(lines):
        is_last = index == len(lines) - 1
        content = line.lstrip(" \t") if index else line
        content = content if is_last else content[:-1] if content.endswith("\r") else content
        kept = content if is_last else content.rstrip(" \t")
        backslashes = len(kept) - len(kept.rstrip("\\")) if is_double else 0
        if backslashes % 2 and len(kept) < len(content):
            kept, backslashes = content[: len(kept) + 1], 0  # an escaped blank
        if index:
            breaks += 1
            if kept or is_last:
                parts.append("\n" * (breaks - 1) if is_escaped or breaks > 1 else " ")
                breaks, is_escaped = 0, False
        else:
            is_escaped = False
        if backslashes % 2 and not is_last:
            kept, is_escaped = kept[:-1], True
        parts.append(kept)
    return "".join(parts)
