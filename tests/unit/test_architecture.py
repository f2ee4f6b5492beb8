# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The laws of docs/architecture.md that can be read off the syntax tree."""

from __future__ import annotations

import ast
import builtins
import fnmatch
import io
import pathlib
import re
import tokenize
import typing as t

import pytest
import yaml  # type: ignore[import-untyped]

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins"
MIRROR = pathlib.Path(__file__).resolve().parent / "plugins"


class Layer(t.NamedTuple):
    """`files` and `imports` are patterns of paths below plugins/, the first layer that matches a file is its own.
    `outside`: packages beside the standard library. `powers`: keys of POWERS."""

    files: str
    imports: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()


UTILS = "module_utils/"
LAYERS = (
    Layer(UTILS + "_errors"),
    Layer(UTILS + "_root", (UTILS + "_errors",), powers=("read",)),
    Layer(UTILS + "_inquiry", (UTILS + "_errors",), powers=("run",)),
    Layer(UTILS + "_tools", (UTILS + "_errors",), powers=("run",)),
    Layer(UTILS + "_libraries", (UTILS + "_errors",), powers=("run",)),
    Layer(UTILS + "_catalog/*", (UTILS + "_catalog/*",)),
    Layer(UTILS + "_formats/*", (UTILS + "_formats/*", UTILS + "_libraries", UTILS + "_tools", UTILS + "_errors")),
    Layer(
        UTILS + "_facts/*",
        (
            *(
                UTILS + name
                for name in ("_facts/*", "_formats/*", "_catalog/*", "_root", "_inquiry", "_tools", "_errors")
            ),
        ),
    ),
    Layer(
        UTILS + "_plan/*",
        (
            *(
                UTILS + name
                for name in ("_plan/*", "_facts/model", "_measure/model", "_formats/*", "_catalog/*", "_errors")
            ),
        ),
    ),
    Layer(
        UTILS + "_measure/*",
        (*(UTILS + name for name in ("_measure/*", "_formats/*", "_errors")),),
        powers=("read", "run"),
    ),
    Layer(
        UTILS + "_apply/*",
        (*(UTILS + name for name in ("_apply/*", "_plan/*model", "_formats/*", "_catalog/*", "_root", "_errors")),),
        powers=("read", "write", "run", "keep temporary files"),
    ),
    Layer(
        UTILS + "_image/*",
        (*(UTILS + name for name in ("_image/*", "_formats/*", "_root", "_tools", "_errors")),),
        powers=("read", "write", "run", "keep temporary files"),
    ),
    Layer(
        UTILS + "_build/*",
        (*(UTILS + name for name in ("_build/*", "_plan/kernel_build", "_formats/*", "_catalog/*", "_errors")),),
        powers=("read", "write", "run", "keep temporary files"),
    ),
    Layer(UTILS + "_module/*", (UTILS + "*",), outside=("ansible.module_utils",)),
    Layer(
        "modules/*",
        (*(UTILS + name for name in ("_module/*", "_facts/*", "_plan/*", "_root")),),
    ),
    Layer("doc_fragments/*"),
    Layer(
        "filter/*",
        ("plugin_utils/*", *(UTILS + name for name in ("_formats/*", "_catalog/*", "_errors"))),
        outside=("ansible",),
    ),
    Layer("lookup/*", ("plugin_utils/*", UTILS + "_errors"), outside=("ansible",)),
    Layer("plugin_utils/*", ("plugin_utils/*", UTILS + "_formats/*", UTILS + "_errors"), ("ansible",), ("read",)),
    # Shows the progress of a task that takes minutes.
    Layer(
        "action/*",
        ("plugin_utils/*", UTILS + "_errors"),
        ("ansible",),
        ("read", "keep temporary files", "start threads"),
    ),
)

# What a layer has to be allowed, by the names that do it. Calls of methods are not seen: Root is what a layer without
# powers is given.
POWERS = {
    "read": (
        *("builtins.open", "io.open", "io.FileIO", "os.open", "os.fdopen", "os.scandir", "os.listdir", "os.walk"),
        *("os.fwalk", "os.stat", "os.lstat", "os.statvfs", "os.access", "os.readlink", "os.getxattr", "os.listxattr"),
        *("os.path.exists", "os.path.lexists", "os.path.is*", "os.path.get*", "os.path.realpath", "os.path.same*"),
        *("pathlib*", "glob*", "fileinput*", "linecache*", "mmap*", "zipfile*", "tarfile*"),
        *("bz2.open", "gzip*", "lzma.open", "bz2.BZ2File", "lzma.LZMAFile"),
    ),
    "write": (
        *("os.rename", "os.renames", "os.replace", "os.unlink", "os.remove", "os.removedirs", "os.rmdir", "os.mkdir"),
        *("os.makedirs", "os.link", "os.symlink", "os.mknod", "os.mkfifo", "os.*chmod", "os.*chown", "os.*truncate"),
        *("os.utime", "os.setxattr", "os.removexattr", "os.fsync", "os.sync", "os.chdir", "os.chroot"),
        *("shutil.copy*", "shutil.move", "shutil.rmtree", "shutil.chown", "shutil.make_archive", "shutil.unpack*"),
    ),
    "run": (
        *("subprocess*", "multiprocessing*", "ctypes*", "socket*", "pty*"),
        *("os.system", "os.popen", "os.exec*", "os.spawn*", "os.posix_spawn*", "os.fork*", "os.kill*", "shutil.which"),
        *("os.setuid", "os.setgid", "os.setgroups", "os.unshare", "os.setns"),
    ),
    "keep temporary files": ("tempfile*",),
    "start threads": ("threading*", "concurrent*", "asyncio*"),
}
# Import only statically: AnsiballZ packs what it finds in the syntax tree.
NOWHERE = ("builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__", "importlib*", "imp", "pickle*")

# In the standard library only after Python 3.7, and used at run time.
AFTER_PYTHON_37 = (
    *(f"typing.{name}" for name in ("Protocol", "runtime_checkable", "Literal", "Final", "final", "TypedDict")),
    *(f"typing.{name}" for name in ("Annotated", "TypeAlias", "TypeGuard", "ParamSpec", "Concatenate", "Self")),
    *(f"typing.{name}" for name in ("Never", "LiteralString", "Required", "NotRequired", "Unpack", "override")),
    *(f"typing.{name}" for name in ("get_origin", "get_args", "assert_never", "assert_type", "reveal_type")),
    *("functools.cache", "functools.cached_property", "functools.singledispatchmethod"),
    *("math.prod", "math.isqrt", "math.dist", "math.comb", "math.perm", "math.lcm", "math.hypot"),
    *("itertools.pairwise", "itertools.batched", "shlex.join", "statistics.fmean", "types.UnionType", "types.NoneType"),
    *("os.memfd_create", "os.pidfd_open", "os.waitstatus_to_exitcode", "os.unshare", "os.setns", "os.splice"),
    *("contextlib.aclosing", "contextlib.chdir", "dataclasses.KW_ONLY", "fcntl.F_SETPIPE_SZ", "fcntl.F_GETPIPE_SZ"),
    *("hashlib.file_digest", "random.randbytes", "time.pthread_getcpuclockid", "signal.pidfd_send_signal"),
    *("builtins.aiter", "builtins.anext", "builtins.ExceptionGroup", "builtins.EncodingWarning"),
    *("graphlib*", "zoneinfo*", "tomllib*", "importlib.metadata*", "importlib.resources.files", "compression*"),
)
METHODS_AFTER_PYTHON_37 = ("removeprefix", "removesuffix", "bit_count", "is_relative_to", "add_note", "with_stem")
KEYWORDS_AFTER_PYTHON_37 = {
    "dataclass": ("kw_only", "slots", "match_args", "weakref_slot"),
    "zip": ("strict",),
    "Popen": ("user", "group", "extra_groups", "umask", "pipesize", "process_group"),
    "run": ("user", "group", "extra_groups", "umask", "pipesize", "process_group"),
    **dict.fromkeys(("bisect", "bisect_left", "bisect_right", "insort", "insort_left", "insort_right"), ("key",)),
}
BUILTIN_GENERICS = ("list", "dict", "tuple", "set", "frozenset", "type")

VAGUE_NAME = re.compile(r"(?:^|_)(?:utils?|helpers?|managers?|handlers?)(?:_|$)")
TERMS_OF_THE_FIELD = re.compile(r"hv_utils|network_?manager")  # a driver, a program

LONGEST_MODULE = 40  # lines of code
HEADER = """\
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
DOCUMENTATION = ("DOCUMENTATION", "EXAMPLES", "RETURN")


class Source:
    """A file of plugins/, its path without the suffix (`module_utils/_root`), its text and syntax tree."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree = ast.parse(text)
        self.aliases = {name: target for _stmt, name, target in self.imports()}
        self.names_bound = {
            node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        } | {node.name for node in ast.walk(self.tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        # What is never evaluated, as every file imports annotations from __future__.
        self.annotations = {id(inner) for node in ast.walk(self.tree) for inner in annotated(node)}

    @property
    def layer(self) -> Layer | None:
        return next((layer for layer in LAYERS if fnmatch.fnmatchcase(self.path, layer.files)), None)

    def imports(self) -> t.Iterator[tuple[ast.stmt, str, str]]:
        """Statement, name bound, and what it is: a path below plugins/ (with slashes) or a dotted name."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.split(".")[0]
                    yield node, alias.asname or first, project_path(alias.name if alias.asname else first)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield node, alias.asname or alias.name, self.imported(node, alias.name)

    def imported(self, node: ast.ImportFrom, name: str) -> str:
        if not node.level:
            return project_path(f"{node.module}.{name}")
        folders = self.path.split("/")[: -node.level]
        return "/".join([*folders, *(node.module or "").split("."), name] if node.module else [*folders, name])

    def uses(self) -> t.Iterator[tuple[ast.expr, str]]:
        """Every name that is used at run time, dotted, as it is known where it comes from: `os.path.exists`."""
        parts = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Attribute)}
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in self.annotations | parts:
                name = self.dotted(node)
                if name:
                    yield node, name

    def dotted(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            before = self.dotted(node.value)
            return f"{before}.{node.attr}" if before else ""
        if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
            return ""
        if node.id in self.aliases:
            return self.aliases[node.id]
        is_builtin = hasattr(builtins, node.id) and node.id not in self.names_bound
        return f"builtins.{node.id}" if is_builtin else ""


def annotated(node: ast.AST) -> t.Iterator[ast.AST]:
    """The nodes of the annotations of a statement, and of what only the type checker reads."""
    found: list[ast.AST | None] = []
    if isinstance(node, (ast.AnnAssign, ast.arg)):
        found.append(node.annotation)
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        found.append(node.returns)
    elif isinstance(node, ast.If) and ast.unparse(node.test) in ("t.TYPE_CHECKING", "typing.TYPE_CHECKING"):
        found.extend(node.body)
    for part in found:
        if part is not None:
            yield from ast.walk(part)


def project_path(name: str) -> str:
    parts = name.split(".")
    return "/".join(parts[4:]) if parts[:4] == ["ansible_collections", "rehost", "hyperv", "plugins"] else name


def matches(name: str, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


# Rules: each yields what is wrong with a source. RULES lists them, BAD proves that each can fail.


def every_file_belongs_to_a_layer(source: Source) -> t.Iterator[str]:
    if source.layer is None:
        yield "belongs to no layer"


def a_layer_imports_what_the_table_allows(source: Source) -> t.Iterator[str]:
    layer = source.layer or Layer("")
    for node, _name, target in source.imports():
        if "/" in target:
            # `from .._formats import fstab` names a file, `from .._formats.fstab import Entry` something in one.
            is_allowed = matches(target, layer.imports) or matches(target.rpartition("/")[0], layer.imports)
        elif target.split(".")[0] in ("ansible", "ansible_collections"):
            is_allowed = any(target == package or target.startswith(package + ".") for package in layer.outside)
        else:
            is_allowed = True  # a package that is neither would not be there: ansible-test imports every file
        if not is_allowed:
            yield f"line {node.lineno}: imports {target}"


def a_layer_has_the_powers_of_the_table(source: Source) -> t.Iterator[str]:
    powers = source.layer.powers if source.layer else ()
    used = [(node.lineno, name) for node, name in source.uses()]
    imported = [(node.lineno, target) for node, _name, target in source.imports()]
    for line, name in [*used, *imported]:
        for power, patterns in POWERS.items():
            if power not in powers and matches(name, patterns):
                yield f"line {line}: {name} needs the power to {power}"
        if matches(name, NOWHERE):
            yield f"line {line}: {name} has no place in the product"


def a_module_has_one_gather_and_one_plan(source: Source) -> t.Iterator[str]:
    if source.path.startswith("modules/"):
        for folder in ("_facts", "_plan"):
            paths = {target for _node, _name, target in source.imports() if target.startswith(f"{UTILS}{folder}/")}
            files = {path.split("/")[2] for path in paths} - {"model"}
            if len(files) > 1:
                yield f"more than one file of {folder}: {', '.join(sorted(files))}"


def only_the_module_layer_knows_ansible_module(source: Source) -> t.Iterator[str]:
    if source.path.startswith(UTILS + "_module/"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in ("AnsibleModule", "fail_json", "exit_json"):
                yield f"line {node.lineno}: {name}"


def nothing_is_asserted(source: Source) -> t.Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: assert"


def exceptions_are_named(source: Source) -> t.Iterator[str]:
    """`except BaseException` may clean up when it raises again."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {"" if one is None else ast.unparse(one) for one in caught}
        raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
        if names & {"", "Exception"} or ("BaseException" in names and not raises_again):
            yield f"line {node.lineno}: {ast.unparse(node).partition(chr(10))[0]}"


def a_module_is_short(source: Source) -> t.Iterator[str]:
    if source.path.startswith("modules/"):
        length = len(code_lines(source))
        if length > LONGEST_MODULE:
            yield f"{length} lines of code, more than {LONGEST_MODULE}"


def code_lines(source: Source) -> set[int]:
    """Numbers of the lines that hold code, without the documentation, docstrings and comments."""
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type not in layout:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(source.tree):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_documentation = bool(set(documentation_names(node)) & set(DOCUMENTATION))
        if isinstance(node, ast.stmt) and (is_docstring or is_documentation):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def documentation_names(node: ast.AST) -> tuple[str, ...]:
    return tuple(ast.unparse(target) for target in node.targets) if isinstance(node, ast.Assign) else ()


def a_module_is_documented(source: Source) -> t.Iterator[str]:
    if not source.path.startswith("modules/"):
        return
    values = {
        name: node.value.value
        for node in source.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for name in documentation_names(node)
    }
    for name in DOCUMENTATION:
        value = values.get(name)
        if not isinstance(value, str) or not yaml.safe_load(value):
            yield f"no {name}"


def the_syntax_is_that_of_python_37(source: Source) -> t.Iterator[str]:
    try:
        ast.parse(source.text, feature_version=(3, 7))
    except SyntaxError as error:
        yield f"line {error.lineno}: {error.msg}"


def the_library_is_that_of_python_37(source: Source) -> t.Iterator[str]:
    guarded = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Try)
        and any("ImportError" in ast.unparse(handler.type or node) for handler in node.handlers)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    imports = [(node, target) for node, _name, target in source.imports() if id(node) not in source.annotations]
    # `try: import ... except ImportError:` has another way for an older Python.
    optional = [f"{target}*" for node, target in imports if id(node) in guarded]
    imported = [(node.lineno, target) for node, target in imports]
    used = [(node.lineno, name) for node, name in source.uses() if isinstance(node, ast.Attribute)]
    for line, name in [*imported, *used]:
        if matches(name, AFTER_PYTHON_37) and not matches(name, optional):
            yield f"line {line}: {name} is newer than Python 3.7"
    for inner in ast.walk(source.tree):
        if id(inner) in source.annotations:
            continue
        if isinstance(inner, ast.Attribute) and inner.attr in METHODS_AFTER_PYTHON_37:
            yield f"line {inner.lineno}: .{inner.attr} is newer than Python 3.7"
        if isinstance(inner, ast.Subscript) and source.dotted(inner.value) in {
            f"builtins.{n}" for n in BUILTIN_GENERICS
        }:
            yield f"line {inner.lineno}: {ast.unparse(inner)} is evaluated, which needs Python 3.9"
        if isinstance(inner, ast.Call):
            called = ast.unparse(inner.func).rpartition(".")[2]
            for keyword in inner.keywords:
                if keyword.arg in KEYWORDS_AFTER_PYTHON_37.get(called, ()):
                    yield f"line {inner.lineno}: {called}({keyword.arg}=) is newer than Python 3.7"


def a_file_begins_with_the_header(source: Source) -> t.Iterator[str]:
    header = "#!/usr/bin/python\n" + HEADER if source.path.startswith("modules/") else HEADER
    if not source.text.startswith(header):
        yield "does not begin with the copyright header" + (" below #!/usr/bin/python" if header != HEADER else "")
    if source.aliases.get("annotations") != "__future__.annotations":
        yield "does not import annotations from __future__"


def names_say_what_they_name(source: Source) -> t.Iterator[str]:
    names = [(source.path.split("/")[-1], 1)]
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.append((node.name, node.lineno))
        elif isinstance(node, ast.arg):
            names.append((node.arg, node.lineno))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append((node.id, node.lineno))
    for name, line in names:
        if name == "_":
            yield f"line {line}: _ is a name that ansible-test sanity refuses (_name says what is left unused)"
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        if VAGUE_NAME.search(TERMS_OF_THE_FIELD.sub("", words)):
            yield f"line {line}: {name} says nothing (Util, Helper, Manager, Handler)"


RULES: tuple[t.Callable[[Source], t.Iterator[str]], ...] = (
    every_file_belongs_to_a_layer,
    a_layer_imports_what_the_table_allows,
    a_layer_has_the_powers_of_the_table,
    a_module_has_one_gather_and_one_plan,
    only_the_module_layer_knows_ansible_module,
    nothing_is_asserted,
    exceptions_are_named,
    a_module_is_short,
    a_module_is_documented,
    the_syntax_is_that_of_python_37,
    the_library_is_that_of_python_37,
    a_file_begins_with_the_header,
    names_say_what_they_name,
)

COLLECTION = "ansible_collections.rehost.hyperv.plugins"
BAD: tuple[tuple[t.Callable[[Source], t.Iterator[str]], str, str], ...] = (
    (every_file_belongs_to_a_layer, UTILS + "_misc/text", ""),
    (every_file_belongs_to_a_layer, "connection/guest", ""),
    (a_layer_imports_what_the_table_allows, UTILS + "_formats/fstab", "from .._root import Root"),
    (a_layer_imports_what_the_table_allows, UTILS + "_formats/fstab", "from .._facts import model"),
    (a_layer_imports_what_the_table_allows, UTILS + "_formats/fstab", "from .. import _root"),
    (a_layer_imports_what_the_table_allows, UTILS + "_errors", "from ._root import Root"),
    (a_layer_imports_what_the_table_allows, UTILS + "_catalog/vmbus", "from .._errors import GuestError"),
    (a_layer_imports_what_the_table_allows, UTILS + "_plan/initramfs", "from .._facts.kernels import gather"),
    (a_layer_imports_what_the_table_allows, UTILS + "_plan/initramfs", "from .._facts import kernels"),
    (a_layer_imports_what_the_table_allows, UTILS + "_plan/initramfs", "def f():\n    from .._root import Root"),
    (a_layer_imports_what_the_table_allows, UTILS + "_apply/files", "from .._plan import block_references"),
    (a_layer_imports_what_the_table_allows, UTILS + "_facts/clock", "from .._plan.model import Plan"),
    (a_layer_imports_what_the_table_allows, UTILS + "_image/disk", "from .._apply import isolation"),
    (a_layer_imports_what_the_table_allows, UTILS + "_build/tree", "from .._root import Root"),
    (a_layer_imports_what_the_table_allows, UTILS + "_facts/clock", "import ansible.module_utils.basic"),
    (a_layer_imports_what_the_table_allows, UTILS + "_module/run", "from ansible.plugins.action import ActionBase"),
    (a_layer_imports_what_the_table_allows, "modules/rollback", f"from {COLLECTION}.module_utils._apply import guest"),
    (a_layer_imports_what_the_table_allows, "modules/rollback", f"import {COLLECTION}.module_utils._errors as e"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_formats/fstab", "def load(path):\n    return open(path)"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_facts/disks", "import os as o\nx = o.path.exists('/')"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_facts/disks", "from os import listdir"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_facts/disks", "import pathlib"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_root", "import os\nos.rename('a', 'b')"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_root", "import os\nremove = os.unlink"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_plan/kernel", "from subprocess import run"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_plan/kernel", "import os\npid = os.fork()"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_tools", "text = open('/etc/fstab').read()"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_apply/guest", "import importlib"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_apply/guest", "eval('1')"),
    (a_layer_has_the_powers_of_the_table, "modules/guest_info", "import subprocess"),
    (a_layer_has_the_powers_of_the_table, "modules/guest_info", "from threading import Thread"),
    (a_layer_has_the_powers_of_the_table, UTILS + "_plan/kernel", "import tempfile"),
    (
        a_module_has_one_gather_and_one_plan,
        "modules/guest_info",
        f"from {COLLECTION}.module_utils._plan import model, grub, fstab",
    ),
    (only_the_module_layer_knows_ansible_module, UTILS + "_plan/kernel", "def f(module):\n    module.fail_json()"),
    (only_the_module_layer_knows_ansible_module, "modules/rollback", "AnsibleModule({})"),
    (nothing_is_asserted, UTILS + "_root", "assert True"),
    (exceptions_are_named, UTILS + "_root", "try:\n    pass\nexcept:\n    raise"),
    (exceptions_are_named, UTILS + "_root", "try:\n    pass\nexcept Exception as error:\n    raise"),
    (exceptions_are_named, UTILS + "_root", "try:\n    pass\nexcept (OSError, Exception):\n    raise"),
    (exceptions_are_named, UTILS + "_root", "try:\n    pass\nexcept BaseException:\n    pass"),
    (a_module_is_short, "modules/rollback", "x = 1\n" * (LONGEST_MODULE + 1)),
    (a_module_is_short, "modules/rollback", 'TEXT = """' + "\n" * LONGEST_MODULE + '"""\n'),
    (a_module_is_documented, "modules/rollback", "DOCUMENTATION = 'a: b'\nEXAMPLES = '- a: b'\nRETURN = ''"),
    (a_module_is_documented, "modules/rollback", "DOCUMENTATION = 'a: b'\nRETURN = 'a: b'"),
    (the_syntax_is_that_of_python_37, UTILS + "_root", "if (n := 1):\n    pass"),
    (the_syntax_is_that_of_python_37, UTILS + "_root", "def f(a, /):\n    pass"),
    (the_syntax_is_that_of_python_37, UTILS + "_root", "match 1:\n    case 1:\n        pass"),
    (the_library_is_that_of_python_37, UTILS + "_root", "import typing as t\nclass A(t.Protocol):\n    pass"),
    (the_library_is_that_of_python_37, UTILS + "_root", "import typing as t\nKind = t.Literal['a']"),
    (the_library_is_that_of_python_37, UTILS + "_root", "from typing import TypedDict"),
    (the_library_is_that_of_python_37, UTILS + "_root", "from functools import cached_property"),
    (the_library_is_that_of_python_37, UTILS + "_root", "from compression import zstd"),
    (the_library_is_that_of_python_37, UTILS + "_root", "'abc'.removeprefix('a')"),
    (the_library_is_that_of_python_37, UTILS + "_root", "Names = dict[str, int]"),
    (the_library_is_that_of_python_37, UTILS + "_root", "import typing as t\nx = t.cast(list[str], 1)"),
    (the_library_is_that_of_python_37, UTILS + "_root", "zip([], [], strict=True)"),
    (the_library_is_that_of_python_37, UTILS + "_root", "import os\nos.memfd_create('a')"),
    (a_file_begins_with_the_header, UTILS + "_root", "from __future__ import annotations"),
    (a_file_begins_with_the_header, UTILS + "_root", HEADER),
    (a_file_begins_with_the_header, "modules/rollback", HEADER + "from __future__ import annotations"),
    (names_say_what_they_name, UTILS + "_formats/text_utils", ""),
    (names_say_what_they_name, UTILS + "_root", "class FileManager:\n    pass"),
    (names_say_what_they_name, UTILS + "_root", "def f(signal_handler):\n    pass"),
    (names_say_what_they_name, UTILS + "_root", "helper = 1"),
    (names_say_what_they_name, UTILS + "_root", "for _ in ():\n    pass"),
)

GOOD = (
    (UTILS + "_formats/fstab", "from .._errors import GuestError\nfrom . import _lines\nfrom ._lines import parse"),
    (UTILS + "_formats/fstab", "def f(root):\n    return root.open('/etc/fstab')"),
    (UTILS + "_formats/fstab", "import typing as t\nif t.TYPE_CHECKING:\n    from typing import Literal"),
    (UTILS + "_formats/fstab", "def f(x: dict[str, int] | None) -> list[str]:\n    y: list[str] = []\n    return y"),
    (
        UTILS + "_formats/initramfs",
        "try:\n    from compression import zstd\nexcept ImportError:\n    zstd = None\nx = zstd.open",
    ),
    (UTILS + "_plan/kernel", "from .._facts.model import Kernel\nfrom .._facts import model"),
    (UTILS + "_plan/kernel", "HV_UTILS = 'hv_utils'\nclass NetworkManagerConnection:\n    pass"),
    (UTILS + "_apply/guest", "import os\ntry:\n    os.unlink('a')\nexcept BaseException:\n    pass\n    raise"),
    (UTILS + "_module/run", "from ansible.module_utils.basic import AnsibleModule\nfrom .._apply import guest"),
    ("plugin_utils/summary", "import ansible.errors"),
)


def product_files() -> list[pathlib.Path]:
    return sorted(path for path in PLUGINS.rglob("*.py") if path.parent.name != "__pycache__")


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(PLUGINS).with_suffix("").as_posix()


@pytest.mark.parametrize("path", product_files(), ids=name_of)
def test_a_file_keeps_every_rule(path: pathlib.Path) -> None:
    source = Source(name_of(path), path.read_text())
    problems = [f"{rule.__name__.replace('_', ' ')}: {problem}" for rule in RULES for problem in rule(source)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", product_files(), ids=name_of)
def test_a_file_with_functions_has_its_tests(path: pathlib.Path) -> None:
    name = path.relative_to(PLUGINS)
    has_functions = any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(path.read_text())))
    if name.parts[0] == "module_utils" and has_functions:
        mirror = MIRROR / name.parent / f"test_{name.name}"
        assert mirror.exists(), f"no {mirror.relative_to(MIRROR.parents[2])}"


@pytest.mark.parametrize("path", sorted(MIRROR.rglob("test_*.py")), ids=lambda path: str(path.relative_to(MIRROR)))
def test_a_test_file_has_its_subject(path: pathlib.Path) -> None:
    name = path.relative_to(MIRROR)
    assert (PLUGINS / name.parent / name.name[len("test_") :]).exists()


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_rule_fails_for_a_bad_source(rule: t.Callable[[Source], t.Iterator[str]], path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_a_good_source_keeps_every_rule(path: str, text: str) -> None:
    source = Source(path, f"{HEADER}\nfrom __future__ import annotations\n\n{text}\n")
    assert not [problem for rule in RULES for problem in rule(source)]


def test_every_rule_has_a_source_for_which_it_fails() -> None:
    assert {bad[0] for bad in BAD} == set(RULES)


def test_documentation_and_comments_are_no_lines_of_code() -> None:
    text = '"""What\n\nit does."""\nDOCUMENTATION = r"""\na: b\n"""\n\n# why\nx = (\n    1,\n)\n'
    assert code_lines(Source("modules/rollback", text)) == {9, 10, 11}
