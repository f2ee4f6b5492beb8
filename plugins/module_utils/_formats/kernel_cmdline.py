# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel command line, split as the kernel splits it (lib/cmdline.c next_arg, kernel/params.c parse_args).

Double quotes keep white space together and cannot be escaped. "--" ends the kernel's own arguments: what follows
belongs to init. "---" is a mark of Debian's installer; to the kernel it is one more unknown parameter.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t

from .._errors import MalformedError

_SPACE = " \t\n\v\f\r"
_LEAD = re.compile(f"[{_SPACE}]*")
# An opened quote that is never closed reaches to the end of the line.
_ARGUMENT = re.compile(rf'((?:[^"{_SPACE}]+|"[^"]*(?:"|\Z))+)([{_SPACE}]*)')


class Argument(t.NamedTuple):
    """One argument as written, and the white space after it."""

    text: str
    gap: str = ""

    @property
    def _parts(self) -> tuple[str, str | None]:
        quoted = self.text.startswith('"')
        body = self.text[1:] if quoted else self.text
        # An equals sign in the first place belongs to the name: next_arg starts looking behind it.
        equals = body.find("=", 1)
        if equals < 0:
            return (body[:-1] if quoted and body.endswith('"') else body), None
        name, value = body[:equals], body[equals + 1 :]
        if value.startswith('"'):
            value = value[1:]
            quoted = True
        return name, (value[:-1] if quoted and value.endswith('"') else value)

    @property
    def name(self) -> str:
        """The parameter's name, without quotes."""
        return self._parts[0]

    @property
    def value(self) -> str | None:
        """The parameter's value without its quotes; None when there is no equals sign."""
        return self._parts[1]

    @property
    def plain(self) -> str:
        """Name and value without the quotes."""
        name, value = self._parts
        return name if value is None else f"{name}={value}"

    @property
    def is_separator(self) -> bool:
        """True for the "--" after which nothing is the kernel's."""
        return self._parts == ("--", None)


class CommandLine(t.NamedTuple):
    lead: str
    arguments: tuple[Argument, ...]

    @property
    def kernel_arguments(self) -> tuple[Argument, ...]:
        """The arguments before "--"."""
        for index, argument in enumerate(self.arguments):
            if argument.is_separator:
                return self.arguments[:index]
        return self.arguments


def parse(text: str) -> CommandLine:
    """A command line; every text is one."""
    lead = t.cast("re.Match[str]", _LEAD.match(text)).group()
    arguments = tuple([Argument(*match.groups()) for match in _ARGUMENT.finditer(text, len(lead))])
    return CommandLine(lead, arguments)


def render(document: CommandLine) -> str:
    return document.lead + "".join([argument.text + argument.gap for argument in document.arguments])


def fold(name: str) -> str:
    """A parameter's name as the kernel compares it: dash and underscore are the same."""
    return name.replace("-", "_")


def has(document: CommandLine, name: str) -> bool:
    """Whether the kernel sees a parameter of that name, with or without a value."""
    return any(fold(argument.name) == fold(name) for argument in document.kernel_arguments)


def values(document: CommandLine, name: str) -> tuple[str, ...]:
    """Every value the kernel is given for name, in order; an argument without "=" has none."""
    found = [argument.value for argument in document.kernel_arguments if fold(argument.name) == fold(name)]
    return tuple([value for value in found if value is not None])


def with_argument(document: CommandLine, text: str) -> CommandLine:
    """The line with this argument behind the kernel's last one, unless the same argument is there already.

    Raises MalformedError when text is not one argument, or when an open quote in the line would swallow it.
    """
    wanted = _single_argument(text)
    present = document.kernel_arguments
    if any(_same(argument, wanted) for argument in present):
        return document
    count = len(present)
    before, after = document.arguments[:count], document.arguments[count:]
    if not before:
        return document._replace(arguments=(Argument(text, " " if after else ""), *after))
    last = before[-1]
    if _has_open_quote(last.text):
        raise MalformedError(
            f"the kernel command line has a quote that is never closed ({last.text!r}); an argument added"
            " behind it would become part of it",
            hint="close the quote in the boot loader's configuration",
        )
    return document._replace(arguments=(*before[:-1], Argument(last.text, " "), Argument(text, last.gap), *after))


def without(document: CommandLine, unwanted: str | t.Callable[[Argument], bool]) -> CommandLine:
    """The line without the kernel's arguments that match, each with the white space that set it apart.

    unwanted is a predicate, or a pattern for the whole argument in the shell's notation: "console=hvc*", "notsc".
    """
    matches = _matcher(unwanted) if isinstance(unwanted, str) else unwanted
    count = len(document.kernel_arguments)
    kept: list[Argument] = []
    for index, argument in enumerate(document.arguments):
        if index >= count or not matches(argument):
            kept.append(argument)
        elif index == len(document.arguments) - 1 and kept:
            # The last one goes with the space before it; what ended the line still ends it.
            kept[-1] = kept[-1]._replace(gap=argument.gap)
    return document._replace(arguments=tuple(kept))


def with_value(document: CommandLine, name: str, value: str) -> CommandLine:
    """The line with this value wherever the kernel is given one for name; added at the end where there is none."""
    text = f'="{value}"' if any(space in value for space in _SPACE) else f"={value}"
    wanted = _single_argument(name + text)
    count = len(document.kernel_arguments)
    found = False
    arguments = list(document.arguments)
    for index, argument in enumerate(arguments[:count]):
        if fold(argument.name) == fold(name) and argument.value is not None:
            found = True
            if argument.value != wanted.value:
                arguments[index] = argument._replace(text=argument.name + text)
    return document._replace(arguments=tuple(arguments)) if found else with_argument(document, name + text)


def _same(one: Argument, other: Argument) -> bool:
    return fold(one.name) == fold(other.name) and one.value == other.value


def _matcher(pattern: str) -> t.Callable[[Argument], bool]:
    name, equals, value = pattern.partition("=")
    wanted = fold(name) + equals + value

    def matches(argument: Argument) -> bool:
        shown = fold(argument.name) if argument.value is None else f"{fold(argument.name)}={argument.value}"
        return fnmatch.fnmatchcase(shown, wanted)

    return matches


def _single_argument(text: str) -> Argument:
    document = parse(text)
    if render(document) != text or len(document.arguments) != 1 or document.arguments[0].text != text:
        raise MalformedError(f"{text!r} is not one kernel argument", hint='put white space in double quotes: a="b c"')
    argument = document.arguments[0]
    value = argument.value or ""
    if argument.is_separator or _has_open_quote(text) or '"' in value or "\0" in text:
        raise MalformedError(f"{text!r} cannot be given to the kernel as an argument: it has no escape for quotes")
    return argument


def _has_open_quote(text: str) -> bool:
    return text.count('"') % 2 == 1
