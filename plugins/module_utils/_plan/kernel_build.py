# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel is built from and with, and what has become of the symbols that were asked for."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from .._catalog import kernel_renames
from .._errors import GuestError, MalformedError
from .._formats import kconfig
from .._formats.kconfig import Definition
from .._formats.kernel_config import KernelConfig

MIB = 1 << 20
METHOD = 1  # counts up when the same inputs would give other packages

_LINE = re.compile(r"^(?:CONFIG_([A-Za-z0-9_]+)=(.*)|# CONFIG_([A-Za-z0-9_]+) is not set)$")
_VALUE = re.compile(r'^(?:[ynm]|-?[0-9]+|0x[0-9a-fA-F]+|"(?:[^"\\]|\\.)*")$')
_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(.*)$", re.MULTILINE)
_UNKNOWN_SYMBOL = re.compile(r"([^\s/]+?)(?:\.ko\S*)? needs unknown symbol (\S+)")
_COMPILED = re.compile(r"^  (?:CC|AS)(?: \[M\])? +\S+$")
_ANNOUNCED = re.compile(r"echo '?  (?:CC|AS)(?: \[M\])? +([^\s']+)")
_SUFFIX = re.compile(r"^-[a-z0-9][a-z0-9.+-]*$")

# Debian packages of what the kernel's build runs; Documentation/process/changes.rst has the kernel's own list.
TOOLS = ("bc", "bison", "cpio", "dpkg-dev", "fakeroot", "flex", "gcc", "kmod", "libc6-dev", "libelf-dev", "make")
MORE_TOOLS = ("perl", "rsync", "xz-utils")
DEBHELPER_SINCE = (6, 11)  # scripts/package/debian/rules calls dh_*
CERTIFICATES = "libssl-dev"  # for certs/extract-cert and, since 6.11, always asked for by bindeb-pkg


class Wanted(t.NamedTuple):
    """A symbol (without CONFIG_) that is to have a value: "y", "m", "n", or as it is written in a configuration.

    `is_optional`: it may be missing from a version of the kernel.
    """

    symbol: str
    value: str
    origin: str
    is_optional: bool = False


class Lost(t.NamedTuple):
    """A symbol that the kernel's own configuration did not leave as it was asked for.

    `reason` is unmet-dependency, renamed, not-in-this-version, no-prompt, selected, choice or value.
    """

    symbol: str
    wanted: str
    got: str
    origin: str
    reason: str
    message: str


def read_fragment(text: str, origin: str, *, is_optional: bool = False) -> tuple[Wanted, ...]:
    """What a piece of configuration asks for. Blank lines and comments ask for nothing; anything else is an error."""
    wanted = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        found = _LINE.match(line)
        if found:
            symbol, value, unset = found.groups()
            if unset is None and not _VALUE.match(value):
                raise MalformedError(
                    f"{origin}, line {number}: {value!r} is no value of a configuration symbol",
                    line=number,
                    hint='A value is y, m, n, a number, or a text in double quotes: CONFIG_LOCALVERSION="-small".',
                )
            wanted.append(Wanted(unset or symbol, "n" if unset else value, origin, is_optional))
        elif line and not line.startswith("#"):
            raise MalformedError(
                f"{origin}, line {number}: {line!r} is no line of a kernel configuration",
                line=number,
                hint="A line is CONFIG_NAME=value, # CONFIG_NAME is not set, or a comment.",
            )
    return tuple(wanted)


def combine(fragments: t.Iterable[t.Sequence[Wanted]]) -> tuple[Wanted, ...]:
    """One wish for each symbol: that of the last fragment which names it."""
    found: dict[str, Wanted] = {}
    for fragment in fragments:
        for one in fragment:
            found[one.symbol] = one
    return tuple(found.values())


def render(wanted: t.Iterable[Wanted]) -> str:
    """As lines of a configuration."""
    lines = [
        f"# CONFIG_{one.symbol} is not set" if one.value == "n" else f"CONFIG_{one.symbol}={one.value}"
        for one in wanted
    ]
    return "".join(f"{line}\n" for line in lines)


def is_as_wanted(one: Wanted, config: KernelConfig) -> bool:
    """Whether a configuration has the symbol as it was asked for. An empty text is as good as none."""
    state, value = config.state(one.symbol), _bare(one.value)
    return (state or "n") == value or (not state and not value)


def _bare(value: str) -> str:
    return value[1:-1].replace('\\"', '"').replace("\\\\", "\\") if value.startswith('"') else value


def find_lost(
    wanted: t.Iterable[Wanted], config: KernelConfig, definitions: t.Mapping[str, t.Sequence[Definition]]
) -> tuple[Lost, ...]:
    """The symbols that are not as they were asked for, each with the reason as far as Kconfig tells it.

    A symbol that is not wanted (n) and that this version does not have is as it was asked for.
    """
    lost = []
    for one in wanted:
        if is_as_wanted(one, config):
            continue
        got = config.state(one.symbol) or "n"
        places = definitions.get(one.symbol, ())
        reason, why = _reason(one, got, places, config, definitions)
        if one.is_optional and reason in ("renamed", "not-in-this-version"):
            continue
        message = f"CONFIG_{one.symbol}={one.value} was asked for ({one.origin}), and is {got}: {why}"
        lost.append(Lost(one.symbol, one.value, got, one.origin, reason, message))
    return tuple(lost)


def _reason(
    one: Wanted,
    got: str,
    places: t.Sequence[Definition],
    config: KernelConfig,
    definitions: t.Mapping[str, t.Sequence[Definition]],
) -> tuple[str, str]:
    if not places:
        for older, newer in kernel_renames.RENAMED:
            other = {older: newer, newer: older}.get(one.symbol)
            if other is not None and other in definitions:
                return "renamed", f"it is called CONFIG_{other} in this version"
        return "not-in-this-version", "no Kconfig file of this version defines it"
    order = {"n": 0, "m": 1, "y": 2}
    if one.value in order and got in order and order[got] > order[one.value]:
        chosen = _selected_by(one.symbol, config, definitions)
        by = " and ".join(f"CONFIG_{name}" for name in chosen[:3]) or "its default, which cannot be changed here"
        return "selected", f"it is switched on by {by}"
    unmet = [_unmet(place, one.value, config) for place in places]
    if all(unmet):
        fewest = min(unmet, key=len)
        return "unmet-dependency", "it depends on " + " and on ".join(fewest)
    if all(place.prompt is None for place in places):
        by = ", ".join(f"CONFIG_{name}" for name in _selecting(one.symbol, definitions)[:5]) or "its default"
        return "no-prompt", f"it cannot be chosen, only others set it ({by})"
    if any(place.is_choice for place in places):
        return "choice", "another one of the choice that it belongs to is set"
    return "value", "the kernel's configuration does not take this value"


def _unmet(place: Definition, value: str, config: KernelConfig) -> tuple[str, ...]:
    """The conditions of a definition that keep it below the value, each with what it is made of."""
    needed = ("y", "m") if value == "m" else ("y",)
    conditions = [part for expression in place.depends for part in kconfig.conjuncts(expression)]
    if place.prompt:
        conditions.extend(kconfig.conjuncts(place.prompt))
    unmet = []
    for condition in dict.fromkeys(conditions):
        if kconfig.evaluate(condition, config.states) not in needed:
            names = kconfig.names(condition)
            states = ", ".join(f"{name} is {config.state(name) or 'n'}" for name in names)
            unmet.append(f"{condition} ({states})" if states else condition)
    return tuple(unmet)


def _selecting(symbol: str, definitions: t.Mapping[str, t.Sequence[Definition]]) -> tuple[str, ...]:
    found = [
        place.symbol
        for places in definitions.values()
        for place in places
        if any(chosen == symbol for chosen, _condition in place.selects)
    ]
    return tuple(dict.fromkeys(found))


def _selected_by(
    symbol: str, config: KernelConfig, definitions: t.Mapping[str, t.Sequence[Definition]]
) -> tuple[str, ...]:
    return tuple(name for name in _selecting(symbol, definitions) if config.is_enabled(name))


def source_version(makefile: str) -> str:
    """The version that the Makefile at the top of a kernel's source says, such as 6.1.192."""
    parts: dict[str, str] = dict(_VERSION.findall(makefile[:4000]))
    if not parts.get("VERSION", "").isdigit() or not parts.get("PATCHLEVEL", "").isdigit():
        raise MalformedError("the Makefile at the top of the source says no version: this is not a kernel's source")
    version = f"{parts['VERSION']}.{parts['PATCHLEVEL']}"
    sublevel = parts.get("SUBLEVEL", "").strip()
    return (f"{version}.{sublevel}" if sublevel else version) + parts.get("EXTRAVERSION", "").strip()


def version_numbers(version: str) -> tuple[int, ...]:
    """(6, 1, 192) for 6.1.192 and for 6.1.192-rc1; () for what is no version."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in found.group().split(".")) if found else ()


def check_suffix(suffix: str) -> None:
    """GuestError for what cannot end a kernel's release: it becomes part of package and file names."""
    if not _SUFFIX.match(suffix):
        raise GuestError(
            f"{suffix!r} cannot end the release of a kernel",
            hint="It begins with a hyphen, and has lower case letters, digits, dots, plus signs and hyphens only, as"
            " it becomes part of the packages' names.",
        )


def needed_packages(version: str, *, has_certificates: bool) -> tuple[str, ...]:
    """The Debian packages without which bindeb-pkg of this version does not run."""
    packages = [*TOOLS, *MORE_TOOLS]
    is_newer = version_numbers(version) >= DEBHELPER_SINCE
    if is_newer:
        packages.append("debhelper")
    if is_newer or has_certificates:
        packages.append(CERTIFICATES)
    return tuple(sorted(packages))


def needed_space(*, is_small: bool) -> int:
    """Bytes that source, objects and packages take at their largest, as measured and rounded up.

    The source of 6.1 takes 1.5 GB and that of 6.12 1.7 GB; the objects of the small profile less than one, those of
    Debian's configuration without debugging information about eight.
    """
    return (4 if is_small else 14) * 1024 * MIB


def needed_memory(jobs: int) -> int:
    """Bytes that so many compilers, and the linking of the kernel after them, take at their largest."""
    return (600 + 250 * jobs) * MIB


def build_key(inputs: t.Mapping[str, t.Any]) -> str:
    """What names a build: the same for the same inputs, and only for them."""
    text = json.dumps(dict(inputs, method=METHOD), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def environment(epoch: int, when: str) -> dict[str, str]:
    """What makes a build independent of the time, the user and the host; C(when) is the epoch in words."""
    return {
        "KBUILD_BUILD_TIMESTAMP": when,
        "KBUILD_BUILD_USER": "rehost",
        "KBUILD_BUILD_HOST": "build",
        "SOURCE_DATE_EPOCH": str(epoch),
        "KDEB_CHANGELOG_DIST": "unstable",
        "KDEB_COMPRESS": "xz",  # what every dpkg since Debian 6 can unpack
        "DEBFULLNAME": "rehost.hyperv",
        "DEBEMAIL": "rehost@build",
        # programs in the package of the headers are stripped, but their build ID is of what debuggers read before that,
        # with the path of the directory in it
        "HOSTLDFLAGS": "-Wl,--build-id=none",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


STEPS = (("unpack", 2), ("configure", 1), ("count", 1), ("compile", 92), ("package", 3), ("check", 1))
"""The steps of a build, and how much of a hundred each counts."""


def percent(step: str, fraction: float) -> int:
    """How far a build is that has done this much (0 to 1) of a step; 100 only when all is done."""
    done = 0.0
    for name, weight in STEPS:
        if name == step:
            return min(99, int(done + weight * min(1.0, max(0.0, fraction))))
        done += weight
    return 100


def is_compilation(line: str) -> bool:
    """Whether a line of make's output says that an object is being compiled."""
    return _COMPILED.match(line) is not None


def announced_objects(dry_run: str) -> tuple[str, ...]:
    """The paths of the objects that `make -n` would compile, each once."""
    return tuple(dict.fromkeys(_ANNOUNCED.findall(dry_run)))


def unresolved(depmod_output: str) -> tuple[str, ...]:
    """What `depmod -e` finds missing: "module: symbol", each once."""
    return tuple(dict.fromkeys(f"{name}: {symbol}" for name, symbol in _UNKNOWN_SYMBOL.findall(depmod_output)))


def first_errors(log: str) -> str:
    """The lines of a build's log that say why it failed, for a message; the last lines when none does."""
    lines = [line for line in log.split("\n") if line.strip()]
    telling = [
        line for line in lines if re.search(r"\b(?:error|Error \d|fatal|undefined reference|No space left)\b", line)
    ]
    return "; ".join((telling or lines)[:4] if telling else lines[-4:])[:1500]
