# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules a kernel has and what they need: modules.dep, modules.builtin, modules.softdep, modules.alias.

All of them lie in /lib/modules/<version>; depmod writes them, modprobe reads them. Read only.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
import typing as t

from ._lines import split_lines

_PATH = re.compile(r"(?:.*/)?([^/]+?)\.ko(?:\.(?:gz|xz|zst|bz2|lzma))?")


class Module(t.NamedTuple):
    """A module: its canonical name, its file as modules.dep names it, and the names it depends on (transitively)."""

    name: str
    path: str
    dependencies: tuple[str, ...]


class Closure(t.NamedTuple):
    """Modules with all they need.

    `modules` are in the order in which they can be loaded, except within a cycle; `builtin` and `unknown` are names
    that are part of the kernel, and that the kernel has not at all.
    """

    modules: tuple[Module, ...]
    builtin: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Modules:
    """The modules of one kernel by canonical name, and the names that are built in."""

    by_name: dict[str, Module]
    builtin: frozenset[str]

    def knows(self, name: str) -> bool:
        """Whether the kernel has this module, loadable or built in."""
        return canonical(name) in self.by_name or canonical(name) in self.builtin

    def closure(self, names: t.Iterable[str]) -> Closure:
        """The modules of these names, and what they depend on; each once."""
        modules: dict[str, Module] = {}
        builtin: dict[str, None] = {}
        unknown: dict[str, None] = {}
        seen: set[str] = set()
        # Depth first with an explicit stack: a chain of dependencies may be longer than the interpreter's stack.
        stack: list[tuple[str, bool]] = [(canonical(name), False) for name in reversed(list(names))]
        while stack:
            name, is_ready = stack.pop()
            module = self.by_name.get(name)
            if is_ready and module is not None:
                modules[name] = module
            elif name not in seen:
                seen.add(name)
                if module is not None:
                    stack.append((name, True))
                    # depmod names the nearest dependency first; it is loaded last.
                    stack.extend((dependency, False) for dependency in module.dependencies)
                elif name in self.builtin:
                    builtin[name] = None
                else:
                    unknown[name] = None
        return Closure(tuple(modules.values()), tuple(builtin), tuple(unknown))


def canonical(name: str) -> str:
    """The name the kernel uses: "-" and "_" are the same in a module's name."""
    return name.replace("-", "_")


def name_of(path: str) -> str | None:
    """The canonical name of the module in a file ("kernel/drivers/scsi/sd_mod.ko.xz"); None if it is no module's."""
    match = _PATH.fullmatch(path)
    return canonical(match.group(1)) if match else None


def read(modules_dep: str, modules_builtin: str | None = None) -> Modules:
    """The modules that the content of modules.dep and of modules.builtin name; None where the latter is absent.

    Kernels before 2.6.33 have no modules.builtin: what is built in is unknown then. Paths are absolute in the
    modules.dep of old releases (Debian 6). Lines that name no module say nothing.
    """
    by_name = {}
    names = _Names()
    for line in split_lines(modules_dep):
        path, colon, rest = line.partition(":")
        path = path.strip()
        name = names[path]
        if colon and name and not path.startswith("#"):
            dependencies = [names[word] for word in rest.split()]
            by_name[name] = Module(name, path, tuple([item for item in dependencies if item]))
    builtin = [name_of(line.strip()) for line in split_lines(modules_builtin or "")]
    return Modules(by_name, frozenset(name for name in builtin if name))


class _Names(t.Dict[str, t.Optional[str]]):
    """name_of, asked once for each path: modules.dep names each several times."""

    def __missing__(self, path: str) -> str | None:
        name = self[path] = name_of(path)
        return name


def soft_dependencies(modules_softdep: str) -> dict[str, tuple[str, ...]]:
    """What modules.softdep wants loaded before and after a module, by the module's canonical name."""
    found: dict[str, tuple[str, ...]] = {}
    for line in split_lines(modules_softdep):
        words = line.split()
        if len(words) > 2 and words[0] == "softdep":
            names = [canonical(word) for word in words[2:] if word not in ("pre:", "post:")]
            name = canonical(words[1])
            found[name] = (*found.get(name, ()), *names)
    return found


def aliases(modules_alias: str) -> tuple[tuple[str, str], ...]:
    """(pattern, canonical name of the module) for each line of modules.alias."""
    found = []
    for line in split_lines(modules_alias):
        words = line.split()
        if len(words) == 3 and words[0] == "alias":
            found.append((words[1], canonical(words[2])))
    return tuple(found)


def modules_for(patterns: t.Iterable[tuple[str, str]], modalias: str) -> tuple[str, ...]:
    """The modules whose alias matches a device's modalias ("vmbus:635161f8..."), each once."""
    return tuple(dict.fromkeys(name for pattern, name in patterns if fnmatch.fnmatchcase(modalias, pattern)))
