# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel's source tree: configured, compiled and packaged by the kernel's own makefiles."""

from __future__ import annotations

import glob
import os
import shutil
import time
import typing as t

from .._errors import GuestError
from .._formats import kconfig, kernel_config
from .._formats.kconfig import Definition
from .._formats.kernel_config import KernelConfig
from .._plan import kernel_build
from . import programs

_TAIL = 200  # lines of the log in which the reason of a failure is looked for

# Two answers that would differ from build to build: scripts/package/mkdebian puts the time of day into the changelog,
# and builddeb (before 6.11) lists the checksums of a package's files in the order of the directory.
_DATE = """#!/bin/sh
[ "$*" = -R ] && set -- -R --utc --date="@$SOURCE_DATE_EPOCH"
exec {date} "$@"
"""
_FIND = """#!/bin/sh
case "$*" in
*"-printf %P"*) {find} "$@" | LC_ALL=C {sort} -z ;;
*) exec {find} "$@" ;;
esac
"""


class Tree:
    """The source in C(directory), the programs that go before the system's in C(shims), what is printed in C(log).

    C(revision) is the last part of the packages' version, and the number in `uname -v`.
    """

    def __init__(self, directory: str, shims: str, log: t.IO[str], revision: int = 1) -> None:
        self.directory = directory
        self.shims = shims
        self.log = log
        self.revision = revision
        with open(os.path.join(directory, "Makefile"), encoding="utf-8", errors="replace") as stream:
            self.version = kernel_build.source_version(stream.read())
        self.epoch = int(os.stat(os.path.join(directory, "Makefile")).st_mtime)
        self.lines: list[str] = []

    @property
    def config_path(self) -> str:
        return os.path.join(self.directory, ".config")

    def config(self) -> KernelConfig:
        with open(self.config_path, encoding="utf-8", errors="replace") as stream:
            return kernel_config.read(stream.read())

    def configure(self, base: str | None, wanted: str) -> None:
        """The configuration is C(base) (None: as little as the kernel allows) with what is wanted on top, and what the
        kernel makes of it."""
        fragment = os.path.join(self.directory, ".wanted")
        if base is None:
            _write(fragment, wanted)
            self.make("allnoconfig", more={"KCONFIG_ALLCONFIG": fragment})
        else:
            _write(self.config_path, f"{base}\n{wanted}")
            self.make("olddefconfig")

    def definitions(self) -> dict[str, tuple[Definition, ...]]:
        """Every place that defines a symbol, by symbol, for x86."""
        found: dict[str, list[Definition]] = {}
        todo: list[tuple[str, tuple[str, ...]]] = [("Kconfig", ())]
        seen = set()
        while todo:
            one = todo.pop()
            path = os.path.join(self.directory, one[0].replace("$(SRCARCH)", "x86"))
            if one in seen or not os.path.isfile(path):
                continue
            seen.add(one)
            with open(path, encoding="utf-8", errors="replace") as stream:
                read = kconfig.read(stream.read(), one[1])
            for definition in read.definitions:
                found.setdefault(definition.symbol, []).append(definition)
            todo.extend(read.sources)
        return {symbol: tuple(places) for symbol, places in found.items()}

    def release(self) -> str:
        """The kernel's own name of what is built, as uname -r says it. Only C(prepare) brings it up to date."""
        return self.ask("kernelrelease").strip().rsplit("\n", maxsplit=1)[-1]

    def prepare(self) -> None:
        """What `make` generates before it compiles. A file that a power cut left empty is made anew."""
        for folder, _folders, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith(".o") and not os.path.islink(path) and os.path.getsize(path) == 0:
                    os.unlink(path)
        self.make("prepare")

    def objects(self, jobs: int) -> tuple[str, ...]:
        """The paths of the objects of this configuration, as far as make knows them beforehand.

        Only in a tree in which nothing is compiled: `make -n` takes what it would look at again for changed, and so it
        announces what it would not compile again.
        """
        words = ("make", "--dry-run", "--keep-going", f"--jobs={jobs}", "vmlinux", "modules")
        lines: list[str] = []
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            programs.follow(words, self.directory, self.environment(), nowhere, lines.append)
        return kernel_build.announced_objects("\n".join(lines))

    def count_compiled(self, objects: t.Iterable[str]) -> int:
        """How many of these are there."""
        return sum(os.path.exists(os.path.join(self.directory, name)) for name in objects)

    def compile(self, jobs: int, each: t.Callable[[], None]) -> None:
        """The kernel and its modules; C(each) is called for every object."""

        def see(line: str) -> None:
            if kernel_build.is_compilation(line):
                each()

        self.make("all", jobs=jobs, see=see)
        # Its debugging information holds the path of the build, and it becomes part of the headers' package.
        objtool = os.path.join(self.directory, "tools", "objtool", "objtool")
        if os.path.isfile(objtool):
            programs.output_of("strip", "--strip-debug", "--preserve-dates", objtool)

    def package(self) -> tuple[str, ...]:
        """Paths of the packages, which bindeb-pkg leaves beside the tree; older ones are gone."""
        beside = os.path.dirname(self.directory)
        for old in glob.glob(os.path.join(glob.escape(beside), "linux-*.deb")):
            os.unlink(old)
        # one job: files are made in the same order each time
        # -d: what is needed was looked for already, and dpkg-checkbuilddeps would ask for all of build-essential
        self.make("bindeb-pkg", more={"KDEB_PKGVERSION": f"{self.version}-{self.revision}", "DPKG_FLAGS": "-d"})
        return tuple(sorted(glob.glob(os.path.join(glob.escape(beside), "linux-*.deb"))))

    def ask(self, target: str) -> str:
        """What a target of the kernel's makefile prints."""
        lines: list[str] = []
        words = ("make", "--silent", target)
        status = programs.follow(words, self.directory, self.environment(), self.log, lines.append)
        if status != 0:
            raise self.failure(words, status, lines)
        return "\n".join(lines)

    def make(
        self,
        target: str,
        *,
        jobs: int = 1,
        more: t.Mapping[str, str] | None = None,
        see: t.Callable[[str], None] | None = None,
    ) -> None:
        last: list[str] = []

        def keep(line: str) -> None:
            last.append(line)
            del last[:-_TAIL]
            if see is not None:
                see(line)

        words = ("make", f"--jobs={jobs}", target)
        status = programs.follow(words, self.directory, {**self.environment(), **(more or {})}, self.log, keep)
        if status != 0:
            raise self.failure(words, status, last)

    def failure(self, words: t.Sequence[str], status: int, lines: t.Sequence[str]) -> GuestError:
        why = kernel_build.first_errors("\n".join(lines))
        free = os.statvfs(self.directory)
        full = free.f_bavail * free.f_frsize < 64 * kernel_build.MIB
        return GuestError(
            f"`{' '.join(words)}` ended with status {status}: {why}",
            path=self.log.name,
            hint="The disk is full: make room; the build then goes on from here."
            if full or "No space left" in why
            else "The log has all of it. What was compiled is kept: the next run goes on from here.",
        )

    def environment(self) -> dict[str, str]:
        when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(self.epoch))
        search = programs.environment({})["PATH"]
        return {
            **kernel_build.environment(self.epoch, when),
            "PATH": f"{self.shims}:{search}",
            "KBUILD_BUILD_VERSION": str(self.revision),
            "LOCALVERSION": "",  # set, so that no version control around the directory adds a plus sign
            "KBUILD_VERBOSE": "0",
        }


def make_shims(directory: str) -> None:
    """Programs that answer the same each time, to be found before those of the system."""
    os.makedirs(directory, exist_ok=True)
    search = programs.environment({})["PATH"]
    real = {name: shutil.which(name, path=search) or name for name in ("date", "find", "sort")}
    for name, text in (("date", _DATE), ("find", _FIND)):
        path = os.path.join(directory, name)
        _write(path, text.format(**real))
        os.chmod(path, 0o755)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
