# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""grub.cfg: GRUB 2's scripts, their menu entries, and the entry that GRUB starts by itself.

Grammar: grub-core/script/yylex.l and parser.y. Choice of the default entry: grub-core/normal/menu.c. The command line
that the kernel gets: grub-core/lib/cmdline.c. A script can do what no reader of its text can know; such things are
listed in Document.unresolved and in Selection.problem, and nothing is guessed.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
import typing as t

from .._errors import GuestError
from . import kernel_cmdline

NESTING_LIMIT = 50
# Text with more syntax errors than this is no script; reading on would only make the list longer.
_ERROR_LIMIT = 100

_VARIABLE = r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@]|\{(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#*@])\})"
_FRAGMENT = re.compile(
    r"""(?P<plain>[^{}|&$;<> \t\r\n'"\\]+)"""
    r"""|(?P<joined>\\\r?\n)"""
    r"""|(?P<escaped>\\[\s\S])"""
    r"""|'(?P<single>[^']*)'"""
    r"""|\$?"(?P<double>(?:[^"\\]|\\[\s\S])*)\""""
    rf"""|(?P<variable>{_VARIABLE})"""
)
_INSIDE_DOUBLE = re.compile(
    rf"(?P<joined>\\\r?\n)|\\(?P<escaped>[$\\\"])|(?P<variable>{_VARIABLE})|(?P<plain>[^\\$]+|\\)"
)
_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_RESERVED = frozenset(
    [
        *("if", "then", "elif", "else", "fi", "while", "until", "for", "in", "do", "done", "function"),
        *("case", "esac", "select"),
    ]
)
_ROLES = {
    **dict.fromkeys(["linux", "linux16", "linuxefi"], "kernel"),
    **dict.fromkeys(["multiboot", "multiboot2", "xen_hypervisor"], "hypervisor"),
    **dict.fromkeys(["module", "module2", "xen_module"], "module"),
}
_INITRD_COMMANDS = ("initrd", "initrd16", "initrdefi")
_DYNAMIC_COMMANDS = (
    *("source", ".", "configfile", "normal", "normal_exit", "eval", "blscfg"),
    *("legacy_source", "legacy_configfile", "extract_entries_source", "extract_entries_configfile"),
    *("extract_legacy_entries_source", "extract_legacy_entries_configfile"),
    *("syslinux_source", "syslinux_configfile", "extract_syslinux_entries_source"),
)
_ENTRY_OPTIONS = ("class", "users", "hotkey", "source", "id")


class Word(t.NamedTuple):
    """One word as the lexer cuts it; parts are (is a variable, text or the variable's name)."""

    start: int
    end: int
    source: str
    parts: tuple[tuple[bool, str], ...]

    @property
    def literal(self) -> str | None:
        """The word's value when it holds no variable."""
        has_variable = any(variable for variable, _text in self.parts)
        return None if has_variable else "".join([text for _variable, text in self.parts])

    @property
    def shown(self) -> str:
        """The word's value, a variable in it as ${name}."""
        return "".join([f"${{{text}}}" if variable else text for variable, text in self.parts])


class Command(t.NamedTuple):
    words: tuple[Word, ...]
    block: tuple[Statement, ...] | None

    @property
    def name(self) -> str:
        """The command's name; "" when it comes from a variable."""
        return self.words[0].literal or ""


class Conditional(t.NamedTuple):
    """if and elif: pairs of (condition, body), and the body of else."""

    branches: tuple[tuple[tuple[Statement, ...], tuple[Statement, ...]], ...]
    otherwise: tuple[Statement, ...]


class Loop(t.NamedTuple):
    """for, while and until; variable is "" but for "for"."""

    variable: str
    condition: tuple[Statement, ...]
    body: tuple[Statement, ...]


class Function(t.NamedTuple):
    name: str
    body: tuple[Statement, ...]


Statement = t.Union[Command, Conditional, Loop, Function]


class Argument(t.NamedTuple):
    """One argument as the kernel is given it (a variable in it as written), and where it stands."""

    text: str
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Load:
    """A line that loads a kernel, a hypervisor or a module: its file and the arguments behind it."""

    command: str
    path: str
    arguments: tuple[Argument, ...]
    path_end: int
    line: int

    @property
    def command_line(self) -> str:
        """The command line that GRUB makes of the arguments."""
        return " ".join([argument.text for argument in self.arguments])


class Search(t.NamedTuple):
    """search: kind is "fs-uuid", "label" or "file", variable mostly "root"."""

    kind: str
    value: str
    variable: str
    hints: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A menu entry or a submenu. path and id_path lead to it from the top, as GRUB's "default" takes them.

    An index in path counts every entry of the text, also one that GRUB meets only under a condition.
    """

    title: str
    id: str | None
    classes: tuple[str, ...]
    is_submenu: bool
    is_conditional: bool
    path: str
    id_path: str
    line: int
    start: int
    kernels: tuple[Load, ...] = ()
    hypervisors: tuple[Load, ...] = ()
    modules: tuple[Load, ...] = ()
    initrds: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    searches: tuple[Search, ...] = ()
    insmods: tuple[str, ...] = ()
    chainloaders: tuple[str, ...] = ()
    children: tuple[Entry, ...] = ()
    block: tuple[Statement, ...] = dataclasses.field(default=(), repr=False)

    @property
    def kernel(self) -> Load | None:
        """The kernel it boots: the last one loaded."""
        return self.kernels[-1] if self.kernels else None

    @property
    def hypervisor(self) -> Load | None:
        return self.hypervisors[-1] if self.hypervisors else None

    @property
    def is_xen_hypervisor(self) -> bool:
        """Whether it starts a Xen host, whose Linux is then its first module."""
        return any(re.match(r"xen", load.path.rsplit("/", 1)[-1]) for load in self.hypervisors)


class Unresolved(t.NamedTuple):
    """Something whose effect the text does not tell.

    kind: "syntax", "nesting", "source" (another file, generated entries), "conditional" (an entry that depends on a
    condition), "variable" (a variable in a kernel's or an initrd's path or arguments), "function" (an entry made in a
    function).
    """

    kind: str
    line: int
    text: str


@dataclasses.dataclass(frozen=True)
class Document:
    text: str
    statements: tuple[Statement, ...] = dataclasses.field(repr=False)
    entries: tuple[Entry, ...]
    unresolved: tuple[Unresolved, ...]


class Selection(t.NamedTuple):
    """The entry GRUB starts by itself, or why that cannot be told. wanted is the value of "default"."""

    entry: Entry | None
    wanted: str
    problem: str


def parse(text: str) -> Document:
    """A script; what GRUB would not accept is listed as unresolved, never an error."""
    return _Reader(text).document()


def render(document: Document) -> str:
    return document.text


def all_entries(document: Document) -> tuple[Entry, ...]:
    """Every entry, each submenu before its own."""

    def walk(entries: tuple[Entry, ...]) -> t.Iterator[Entry]:
        for entry in entries:
            yield entry
            yield from walk(entry.children)

    return tuple(walk(document.entries))


def assigned(document: Document, name: str) -> tuple[str, ...]:
    """Every value that the top level gives a variable, under a condition or not, in the text's order."""
    found: list[str] = []
    for command in _commands(document.statements):
        assignment = _assignment(command)
        if assignment is not None and assignment[0] == name:
            found.append(_shown(assignment[1]))
    return tuple(found)


def with_cmdline(document: Document, entry: Entry, command_line: str) -> Document:
    """The script with this command line for the kernel of entry; arguments that stay keep their bytes.

    Raises GuestError when the entry is not of this document or loads no kernel, or when GRUB cannot pass an argument
    on unchanged.
    """
    if not any(known is entry or known == entry for known in all_entries(document)):
        raise GuestError(f"the menu entry {entry.title!r} is not of this grub.cfg")
    load = entry.kernel
    if load is None:
        raise GuestError(f"the menu entry {entry.title!r} loads no Linux kernel", line=entry.line)
    old = [argument.text for argument in load.arguments]
    new = [argument.text for argument in kernel_cmdline.parse(command_line).arguments]
    if old == new:
        return document
    same_head = 0
    while same_head < min(len(old), len(new)) and old[same_head] == new[same_head]:
        same_head += 1
    same_tail = 0
    while same_tail < min(len(old), len(new)) - same_head and old[-1 - same_tail] == new[-1 - same_tail]:
        same_tail += 1
    sources = {argument.text: document.text[argument.start : argument.end] for argument in load.arguments}
    middle = [sources.get(text) or _quoted(text) for text in new[same_head : len(new) - same_tail]]
    start = load.arguments[same_head - 1].end if same_head else load.path_end
    end = load.arguments[len(old) - same_tail - 1].end if same_tail < len(old) - same_head else start
    replacement = "".join([" " + word for word in middle])
    return parse(document.text[:start] + replacement + document.text[end:])


def default_entry(
    document: Document,
    grubenv: t.Mapping[str, str] | None = None,
    variables: t.Mapping[str, str] | None = None,
    files: t.AbstractSet[str] = frozenset(),
) -> Entry | None:
    """The entry of find_default; None where there is none or it cannot be told."""
    return find_default(document, grubenv, variables, files).entry


def find_default(
    document: Document,
    grubenv: t.Mapping[str, str] | None = None,
    variables: t.Mapping[str, str] | None = None,
    files: t.AbstractSet[str] = frozenset(),
) -> Selection:
    """The entry that GRUB starts when nobody touches the menu.

    grubenv: the variables of the environment block, None when there is no block. variables: what is known of GRUB's
    own ones, for example {"grub_platform": "pc"}. files: names of the other files beside grub.cfg; a file there that
    is not named does not exist.
    """
    damage = [problem for problem in document.unresolved if problem.kind in ("syntax", "nesting")]
    if damage:
        return Selection(None, "", f"line {damage[0].line}: {damage[0].text}")
    run = _Run(grubenv, files)
    run.values = {"prefix": _HERE, "config_directory": _HERE, **(variables or {})}
    entries = {entry.start: entry for entry in all_entries(document)}
    statements = document.statements
    shown = None
    for _level in range(NESTING_LIMIT + 1):
        run.execute(statements)
        if run.lost:
            return Selection(None, shown or "", run.lost)
        wanted = run.lookup("default")
        if wanted is None:
            return Selection(None, shown or "", "the value of default depends on what only GRUB knows when it runs")
        shown = wanted if shown is None else shown
        menu = [(entries[start], certain) for start, certain in run.menu]
        entry, problem = _choose(menu, wanted)
        if entry is None or not entry.is_submenu:
            return Selection(entry, shown, problem)
        run.enter_submenu(_behind_separator(wanted))
        statements = entry.block
    return Selection(None, shown or "", "submenus are nested too deep")


_HERE = "(grub)/boot/grub"
_BESIDE = (_HERE + "/", "/boot/grub/", "/grub/")


def _choose(menu: list[tuple[Entry, bool]], wanted: str) -> tuple[Entry | None, str]:
    """get_entry_number and run_menu of grub-core/normal/menu.c: a leading number is an index, else an id or a title."""
    doubtful = "whether the entry is in the menu depends on a condition: "
    number = _leading_number(wanted)
    if number is not None:
        before = menu[: number + 1]
        for entry, certain in before:
            if not certain:
                return None, doubtful + entry.title
        if number < len(menu):
            return menu[number][0], ""
    else:
        for entry, certain in menu:
            if _is_meant(entry.title, wanted) or _is_meant(entry.title if entry.id is None else entry.id, wanted):
                return (entry, "") if certain else (None, doubtful + entry.title)
    if not menu:
        return None, "the menu has no entries"
    entry, certain = menu[0]
    return (entry, "") if certain else (None, doubtful + entry.title)


def _leading_number(text: str) -> int | None:
    """grub_strtoul with base 0: leading white space, 0x and 0 prefixes, and whatever follows the digits is ignored."""
    match = re.match(r"[ \t\n\v\f\r]*(?:0x([0-9a-fA-F]+)|(0[0-7]+)|(?!0x)([0-9]+))", text, re.ASCII)
    if match is None:
        return None
    hexadecimal, octal, decimal = match.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (decimal, 10)
    # Far more entries than a menu can have; a longer number need not be converted.
    return int(digits, base) if len(digits) < 20 else 10**20


def _is_meant(name: str, wanted: str) -> bool:
    """menuentry_eq: wanted up to its first single ">" (">>" stands for one in the name)."""
    head = re.match(r"(?:[^>]|>>)*", wanted)
    return head is not None and head.group().replace(">>", ">") == name


def _behind_separator(wanted: str) -> str:
    return re.sub(r"^(?:[^>]|>>)*>?", "", wanted, count=1)


class _Run:
    """What GRUB's variables and its menu are after a script, as far as that can be known.

    A variable is None when its value is not known. Statements under a condition that is not known are all met, and
    everything they assign is then not known.
    """

    def __init__(self, grubenv: t.Mapping[str, str] | None, files: t.AbstractSet[str]) -> None:
        self.grubenv = grubenv
        self.files = files | {"grubenv"} if grubenv is not None else files
        self.values: dict[str, str | None] = {}
        self.exported = {"prefix", "root", "grub_platform", "grub_cpu"}
        self.functions: dict[str, Function] = {}
        self.menu: list[tuple[int, bool]] = []
        self.lost = ""
        self.doubts = 0

    def enter_submenu(self, default: str) -> None:
        """A submenu sees only exported variables, and the rest of "default"."""
        self.values = {name: value for name, value in self.values.items() if name in self.exported}
        if default:
            self.values["default"] = default
        self.menu = []

    def lookup(self, name: str) -> str | None:
        if name in self.values:
            return self.values[name]
        set_by_grub = re.match(r"[0-9?#*@]|feature_|net_|pxe_", name)
        return None if set_by_grub or name in ("root", "grub_platform", "grub_cpu", "cmdpath", "lang") else ""

    def expand(self, parts: t.Iterable[tuple[bool, str]]) -> str | None:
        texts = [self.lookup(text) if variable else text for variable, text in parts]
        return None if any(text is None for text in texts) else "".join([text or "" for text in texts])

    def assign(self, name: str, value: str | None) -> None:
        self.values[name] = None if self.doubts else value

    def forget(self, effects: t.Iterable[str]) -> None:
        for name in effects:
            self.values[name] = None

    def execute(self, statements: tuple[Statement, ...]) -> None:
        for statement in statements:
            if self.lost:
                return
            if isinstance(statement, Function):
                self.functions[statement.name] = statement
            elif isinstance(statement, Conditional):
                self.branch(statement)
            elif isinstance(statement, Loop):
                body = (*statement.condition, *statement.body)
                self.forget([statement.variable, *_names_assigned(body)])
                self.doubts += 1
                self.execute(body)
                self.doubts -= 1
            else:
                self.command(statement)

    def branch(self, statement: Conditional) -> None:
        doubts = self.doubts
        for condition, body in statement.branches:
            self.execute(condition[:-1])
            truth = self.test(condition[-1]) if condition else None
            if truth is None:
                self.doubts += 1
            if truth is not False:
                self.execute(body)
            if truth:
                break
        else:
            self.execute(statement.otherwise)
        self.doubts = doubts

    def command(self, command: Command) -> None:
        name = command.name
        assignment = _assignment(command)
        if assignment is not None:
            self.assign(assignment[0], self.expand(assignment[1]))
        elif not name:
            self.lost = f"a command comes from a variable: {command.words[0].shown}"
        elif name in ("menuentry", "submenu") and command.block is not None:
            self.menu.append((command.words[0].start, self.doubts == 0))
        elif name in self.functions:
            self.call(name)
        elif name == "unset":
            for word in command.words[1:]:
                self.assign(word.shown, "")
        elif name == "export":
            self.exported.update([word.shown for word in command.words[1:]])
        elif name == "load_env":
            self.load_environment([word.shown for word in command.words[1:]])
        elif name in _DYNAMIC_COMMANDS:
            self.lost = "what the menu holds depends on " + " ".join([word.shown for word in command.words])
        else:
            self.forget(_names_set_by_option(command))

    def call(self, name: str) -> None:
        # The body is not run again for every call: what it can assign is no longer known, and that is enough.
        seen = {name}
        waiting = [name]
        while waiting:
            for command in _commands(self.functions[waiting.pop()].body):
                called = command.name
                if called in _DYNAMIC_COMMANDS or called in ("menuentry", "submenu", "load_env"):
                    self.lost = f"the function {name} may change the menu"
                if called in self.functions and called not in seen:
                    seen.add(called)
                    waiting.append(called)
        for function in seen:
            self.forget(_names_assigned(self.functions[function].body))

    def load_environment(self, arguments: list[str]) -> None:
        options = [word for word in arguments if word.startswith("-") and word != "--skip-sig"]
        if options:
            self.lost = "variables come from another environment block: load_env " + " ".join(arguments)
            return
        wanted = [word for word in arguments if not word.startswith("-")]
        for name, value in (self.grubenv or {}).items():
            if not wanted or name in wanted:
                self.assign(name, value)

    def test(self, statement: Statement) -> bool | None:
        if not isinstance(statement, Command):
            self.execute((statement,))
            return None
        if statement.name in ("true", "false") and len(statement.words) == 1:
            return statement.name == "true"
        if statement.name not in ("[", "test"):
            self.command(statement)
            return None
        arguments: list[str | None] = []
        for word in statement.words[1:]:
            value = self.expand(word.parts)
            # An empty word vanishes when nothing in it is quoted.
            if value == "" and not re.search(r"['\"]", word.source):
                continue
            arguments.append(value)
        if statement.name == "[":
            if not arguments or arguments[-1] != "]":
                return None
            arguments.pop()
        return self.evaluate(arguments)

    def evaluate(self, words: list[str | None]) -> bool | None:
        result: bool | None = False
        for alternative in _split(words, "-o"):
            conjunction: bool | None = True
            for term in _split(alternative, "-a"):
                truth = self.term(term)
                conjunction = False if False in (conjunction, truth) else None if truth is None else conjunction
            result = True if True in (result, conjunction) else None if conjunction is None else result
        return result

    def term(self, words: list[str | None]) -> bool | None:
        if words and words[0] == "!":
            inner = self.term(words[1:])
            return None if inner is None else not inner
        if not words:
            return False
        if len(words) == 1:
            return None if words[0] is None else words[0] != ""
        if len(words) == 2 and words[0] in ("-z", "-n"):
            return None if words[1] is None else (words[1] == "") == (words[0] == "-z")
        if len(words) == 2 and words[0] in ("-e", "-f", "-s") and words[1] is not None:
            for beside in _BESIDE:
                if words[1].startswith(beside) and "/" not in words[1][len(beside) :]:
                    return words[1][len(beside) :] in self.files
            return False if words[1] in ("", "/") else None
        if len(words) == 3 and words[1] in ("=", "==", "!=") and words[0] is not None and words[2] is not None:
            return (words[0] == words[2]) == (words[1] != "!=")
        return None


def _split(words: list[str | None], separator: str) -> list[list[str | None]]:
    pieces: list[list[str | None]] = [[]]
    for word in words:
        if word == separator:
            pieces.append([])
        else:
            pieces[-1].append(word)
    return pieces


def _commands(statements: t.Iterable[Statement]) -> t.Iterator[Command]:
    """Every command, also under a condition or in a loop; not those in functions and in the blocks of entries."""
    for statement in statements:
        if isinstance(statement, Command):
            yield statement
        elif isinstance(statement, Conditional):
            for condition, body in statement.branches:
                yield from _commands(condition)
                yield from _commands(body)
            yield from _commands(statement.otherwise)
        elif isinstance(statement, Loop):
            yield from _commands(statement.condition)
            yield from _commands(statement.body)


def _names_assigned(statements: tuple[Statement, ...]) -> t.Iterator[str]:
    for command in _commands(statements):
        assignment = _assignment(command)
        if assignment is not None:
            yield assignment[0]
        elif command.name == "unset":
            yield from [word.shown for word in command.words[1:]]
        yield from _names_set_by_option(command)


def _names_set_by_option(command: Command) -> t.Iterator[str]:
    """Variables that a command is told to put its result into: search --set=root, regexp --set 1:name, read name."""
    words = [word.shown for word in command.words]
    for index, word in enumerate(words[1:], 1):
        if word.startswith("--set="):
            yield word[len("--set=") :].rsplit(":", 1)[-1]
        elif word in ("--set", "-s") and index + 1 < len(words):
            yield words[index + 1].rsplit(":", 1)[-1]
    if words[0] == "read" or words[0].startswith("search."):
        yield from words[1:]


def _assignment(command: Command) -> tuple[str, tuple[tuple[bool, str], ...]] | None:
    """The name and the parts of the value of "set name=value" and of "name=value"."""
    words = command.words
    word = words[1] if command.name == "set" and len(words) > 1 else words[0]
    if not word.parts or word.parts[0][0]:
        return None
    name, equals, first = word.parts[0][1].partition("=")
    if not equals or not name:
        return None
    return name, ((False, first), *word.parts[1:])


def _shown(parts: t.Iterable[tuple[bool, str]]) -> str:
    return "".join([f"${{{text}}}" if variable else text for variable, text in parts])


def _given_to_kernel(word: Word) -> str:
    """One argument as grub_create_loader_cmdline writes it; a word with a variable as the script has it."""
    text = word.literal
    if text is None:
        return word.source
    escaped = re.sub(r"([\\'\"])", r"\\\1", text)
    return f'"{escaped}"' if " " in text else escaped


def _quoted(text: str) -> str:
    """A kernel argument as a word of GRUB's script that reaches the kernel with the same name and value."""
    (argument,) = kernel_cmdline.parse(text).arguments
    plain = argument.plain
    lost = re.search(r"[\\'\"\0-\x1f]", plain)
    if lost:
        raise GuestError(
            f"GRUB cannot pass the kernel argument {text!r} on unchanged: it does not keep {lost.group()!r}"
        )
    return plain if re.fullmatch(r"[A-Za-z0-9_./,:=@%+^~!\[\]()-]+", plain) else f"'{plain}'"


class _Token(t.NamedTuple):
    """kind: "word", "end" (of the text), or the character(s) of the token itself; "\\n" is a new line."""

    kind: str
    start: int
    word: Word | None


_END_OF_COMMAND = ("\n", ";", "}", "end")


class _TooDeep(Exception):
    pass


class _TooManyErrors(Exception):
    pass


class _Reader:
    """Lexer and parser over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.errors = 0
        self.problems: list[Unresolved] = []
        self.line_starts = [0, *[match.end() for match in re.finditer("\n", text)]]
        self.token = self.next_token()

    def document(self) -> Document:
        statements: list[Statement] = []
        try:
            while self.token.kind != "end":
                statements.extend(self.statements(frozenset()))
                if self.token.kind != "end":
                    self.complain(f"unexpected {self.token.kind}")
                    self.advance()
        except _TooDeep:
            self.note("nesting", self.token.start, f"blocks are nested more than {NESTING_LIMIT} deep")
        except _TooManyErrors:
            pass
        entries = self.entries(tuple(statements), "", "", False)
        problems = sorted(self.problems, key=lambda problem: problem.line)
        return Document(self.text, tuple(statements), entries, tuple(problems))

    def line(self, place: int) -> int:
        return bisect.bisect_right(self.line_starts, place)

    def note(self, kind: str, place: int, text: str) -> None:
        self.problems.append(Unresolved(kind, self.line(place), text))

    def complain(self, message: str) -> None:
        self.note("syntax", self.token.start, message)
        self.errors += 1
        if self.errors > _ERROR_LIMIT:
            raise _TooManyErrors

    # Lexer

    def next_token(self) -> _Token:
        text = self.text
        while True:
            blank = _BLANK.match(text, self.place) or _COMMENT.match(text, self.place)
            if blank is None:
                break
            self.place = blank.end()
        start = self.place
        if start >= len(text):
            return _Token("end", start, None)
        if text[start] in "{}|&;<>\n":
            self.place += 1
            return _Token(text[start], start, None)
        parts: list[tuple[bool, str]] = []
        while True:
            match = _FRAGMENT.match(text, self.place)
            if match is None:
                break
            self.place = match.end()
            parts.extend(self.parts(match))
        if self.place == start or (self.place < len(text) and text[self.place] in "'\"$\\"):
            self.note("syntax", self.place, "a quote is never closed" if text[self.place] in "'\"" else "stray $ or \\")
            # Where GRUB's lexer gives up nothing behind it can be told apart.
            self.place = len(text)
            return _Token("end", start, None)
        return _Token("word", start, Word(start, self.place, text[start : self.place], tuple(parts)))

    @staticmethod
    def parts(match: re.Match[str]) -> t.Iterator[tuple[bool, str]]:
        kind = match.lastgroup
        value = match.group(kind or 0)
        if kind == "variable":
            yield True, value.strip("${}")
        elif kind == "escaped":
            yield False, value[1]
        elif kind == "double":
            for inner in _INSIDE_DOUBLE.finditer(value):
                if inner.lastgroup == "variable":
                    yield True, inner.group().strip("${}")
                elif inner.lastgroup != "joined":
                    yield False, inner.group(inner.lastgroup or 0)
        elif kind != "joined":
            yield False, value

    # Parser

    def advance(self) -> _Token:
        token = self.token
        self.token = self.next_token()
        return token

    def at_reserved(self, words: t.Container[str]) -> bool:
        word = self.token.word
        return word is not None and word.source in _RESERVED and word.source in words

    def expect(self, reserved: str) -> None:
        if self.at_reserved((reserved,)):
            self.advance()
        else:
            self.complain(f"{reserved} is missing")

    def statements(self, until: t.AbstractSet[str]) -> tuple[Statement, ...]:
        self.depth += 1
        if self.depth > NESTING_LIMIT:
            raise _TooDeep
        found: list[Statement] = []
        while True:
            while self.token.kind in ("\n", ";"):
                self.advance()
            if self.token.kind in ("end", "}") or self.at_reserved(until):
                break
            if self.token.word is None:
                self.complain(f"unexpected {self.token.kind}")
                self.advance()
            else:
                found.append(self.statement())
                if self.token.kind not in _END_OF_COMMAND:
                    self.complain(f"unexpected {self.token.word.source if self.token.word else self.token.kind}")
        self.depth -= 1
        return tuple(found)

    def statement(self) -> Statement:
        word = t.cast(Word, self.token.word)
        if word.source == "if":
            return self.conditional()
        if word.source in ("while", "until"):
            self.advance()
            condition = self.statements({"do"})
            return Loop("", condition, self.loop_body())
        if word.source == "for":
            self.advance()
            variable = self.advance().word
            self.expect("in")
            while self.token.word is not None:
                self.advance()
            while self.token.kind in ("\n", ";"):
                self.advance()
            return Loop("" if variable is None else variable.source, (), self.loop_body())
        if word.source == "function":
            self.advance()
            name = self.advance().word
            while self.token.kind == "\n":
                self.advance()
            body = self.block() if self.token.kind == "{" else None
            if name is None or body is None:
                self.complain("a function needs a name and a body")
            return Function("" if name is None else name.source, body or ())
        if word.source in _RESERVED:
            self.complain(f"unexpected {word.source}")
        return self.command()

    def command(self) -> Command:
        words = [t.cast(Word, self.advance().word)]
        while self.token.word is not None:
            words.append(self.token.word)
            self.advance()
        return Command(tuple(words), self.block() if self.token.kind == "{" else None)

    def block(self) -> tuple[Statement, ...]:
        self.advance()
        body = self.statements(frozenset())
        if self.token.kind == "}":
            self.advance()
        else:
            self.complain("} is missing")
        return body

    def conditional(self) -> Conditional:
        branches: list[tuple[tuple[Statement, ...], tuple[Statement, ...]]] = []
        otherwise: tuple[Statement, ...] = ()
        while self.at_reserved(("if", "elif")):
            self.advance()
            condition = self.statements({"then"})
            self.expect("then")
            branches.append((condition, self.statements({"elif", "else", "fi"})))
        if self.at_reserved(("else",)):
            self.advance()
            otherwise = self.statements({"fi"})
        self.expect("fi")
        return Conditional(tuple(branches), otherwise)

    def loop_body(self) -> tuple[Statement, ...]:
        self.expect("do")
        body = self.statements({"done"})
        self.expect("done")
        return body

    # Entries

    def entries(self, statements: tuple[Statement, ...], path: str, ids: str, doubtful: bool) -> tuple[Entry, ...]:
        found: list[Entry] = []
        for command, conditional in self.reached(statements, doubtful):
            name = command.name
            if name in _DYNAMIC_COMMANDS:
                shown = " ".join([word.shown for word in command.words])
                self.note("source", command.words[0].start, shown)
            elif name in ("menuentry", "submenu") and command.block is not None:
                entry = self.entry(command, f"{path}{len(found)}", ids, conditional)
                if conditional:
                    self.note("conditional", entry.start, f"the entry {entry.title!r} depends on a condition")
                found.append(entry)
        return tuple(found)

    def reached(self, statements: tuple[Statement, ...], doubtful: bool) -> t.Iterator[tuple[Command, bool]]:
        for statement in statements:
            if isinstance(statement, Command):
                yield statement, doubtful
            elif isinstance(statement, Function):
                for command in _commands(statement.body):
                    if command.name in ("menuentry", "submenu", *_DYNAMIC_COMMANDS):
                        self.note("function", command.words[0].start, f"the function {statement.name} changes the menu")
            elif isinstance(statement, Conditional):
                for condition, body in statement.branches:
                    yield from self.reached(condition, doubtful)
                    yield from self.reached(body, True)
                yield from self.reached(statement.otherwise, True)
            else:
                yield from self.reached((*statement.condition, *statement.body), True)

    def entry(self, command: Command, path: str, ids: str, conditional: bool) -> Entry:
        options: dict[str, list[str]] = {name: [] for name in _ENTRY_OPTIONS}
        titles: list[str] = []
        words = iter(command.words[1:])
        for word in words:
            shown = word.shown
            option, equals, value = shown.partition("=")
            if shown in ("${menuentry_id_option}", "--id"):
                option = "--id"
            if option.startswith("--") and option[2:] in options:
                following = None if equals else next(words, None)
                options[option[2:]].append(value if equals or following is None else following.shown)
            elif shown != "--unrestricted":
                titles.append(shown)
        title = titles[0] if titles else ""
        identifier = options["id"][-1] if options["id"] else None
        id_path = ids + (title if identifier is None else identifier).replace(">", ">>")
        start = command.words[0].start
        entry = Entry(
            title=title,
            id=identifier,
            classes=tuple(options["class"]),
            is_submenu=command.name == "submenu",
            is_conditional=conditional,
            path=path,
            id_path=id_path,
            line=self.line(start),
            start=start,
            block=command.block or (),
        )
        if entry.is_submenu:
            return dataclasses.replace(entry, children=self.entries(entry.block, f"{path}>", f"{id_path}>", False))
        return self.with_content(entry)

    def with_content(self, entry: Entry) -> Entry:
        loads: dict[str, list[Load]] = {"kernel": [], "hypervisor": [], "module": []}
        initrds: list[str] = []
        roots: list[str] = []
        searches: list[Search] = []
        insmods: list[str] = []
        chainloaders: list[str] = []
        for command in _commands(entry.block):
            name = command.name
            arguments = command.words[1:]
            assignment = _assignment(command)
            if name in _ROLES:
                loads[_ROLES[name]].extend(self.load(name, arguments))
            elif name in _INITRD_COMMANDS:
                self.note_variables(arguments)
                initrds.extend([word.shown for word in arguments if not word.source.startswith("--")])
            elif name == "search" or name.startswith("search."):
                searches.extend(_search(command))
            elif name == "insmod":
                insmods.extend([word.shown for word in arguments])
            elif name == "chainloader":
                chainloaders.extend([word.shown for word in arguments if not word.source.startswith("--")])
            elif name in _DYNAMIC_COMMANDS:
                self.note("source", command.words[0].start, " ".join([word.shown for word in command.words]))
            elif assignment is not None and assignment[0] == "root":
                roots.append(_shown(assignment[1]))
        return dataclasses.replace(
            entry,
            kernels=tuple(loads["kernel"]),
            hypervisors=tuple(loads["hypervisor"]),
            modules=tuple(loads["module"]),
            initrds=tuple(initrds),
            roots=tuple(roots),
            searches=tuple(searches),
            insmods=tuple(insmods),
            chainloaders=tuple(chainloaders),
        )

    def load(self, name: str, words: tuple[Word, ...]) -> t.Iterator[Load]:
        self.note_variables(words)
        index = 0
        while index < len(words) and words[index].source.startswith("--"):
            index += 1
        if index < len(words):
            path = words[index]
            rest = tuple([Argument(_given_to_kernel(word), word.start, word.end) for word in words[index + 1 :]])
            yield Load(name, path.shown, rest, path.end, self.line(path.start))

    def note_variables(self, words: tuple[Word, ...]) -> None:
        for word in words:
            if word.literal is None:
                self.note("variable", word.start, word.source)


def _search(command: Command) -> t.Iterator[Search]:
    kinds = {"--fs-uuid": "fs-uuid", "-u": "fs-uuid", "--label": "label", "-l": "label", "--file": "file", "-f": "file"}
    kind = "file"
    hints: list[str] = []
    names: list[str] = []
    variable = "root"
    words = [word.shown for word in command.words]
    if words[0].startswith("search."):
        dotted = {"search.fs_uuid": "fs-uuid", "search.fs_label": "label"}.get(words[0], "file")
        if len(words) > 1:
            yield Search(dotted, words[1], words[2] if len(words) > 2 else variable, tuple(words[3:]))
        return
    for word in words[1:]:
        option, equals, value = word.partition("=")
        if option in kinds:
            kind = kinds[option]
        elif option == "--set" and equals:
            variable = value
        elif option.startswith("--hint") and equals:
            hints.append(value)
        elif not word.startswith("-"):
            names.append(word)
    # "--set" alone means root; older forms give the variable as a word behind it.
    if len(names) > 1 and "--set" in words and words[words.index("--set") + 1 :][:1] == names[:1]:
        variable, names = names[0], names[1:]
    if names:
        yield Search(kind, names[-1], variable, tuple(hints))
