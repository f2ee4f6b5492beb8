# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks to be built, whether it is there already, and the start of a build that goes on without the task."""

from __future__ import annotations

import errno
import os
import re
import time
import typing as t

from .._catalog import kernel_profiles
from .._errors import GuestError
from .._plan import kernel_build
from . import build, host, packages, source, status

Arguments = t.Mapping[str, t.Any]  # of the module kernel_build
Detach = t.Callable[[t.Callable[[], None], str, t.Collection[int]], None]
"""Starts work in a process of its own, which keeps some descriptors and whose output goes to a log."""

_SMALL = "hyperv-guest"
_POLL = 0.5  # seconds between two looks at the status
_HINTS = {
    errno.EACCES: "The user that builds must be able to read the sources, and to write to the directory.",
    errno.ENOSPC: "Make room there, or give another directory; the build then goes on from there.",
}


class _Sources(t.NamedTuple):
    """Of the kernel and of its base configuration: what apt offers, or a file that is there. `name` is for people."""

    name: str
    version: str
    sha256: str
    offered: source.Offered | None
    base: str | None
    base_offered: source.Offered | None


class _Asked(t.NamedTuple):
    """All that a build is made from; `above` is where downloads and builds are, `directory` that of this build."""

    arguments: Arguments
    sources: _Sources
    wanted: tuple[kernel_build.Wanted, ...]
    inputs: dict[str, t.Any]
    above: str
    directory: str


def fulfil(arguments: Arguments, detach: Detach, *, is_check: bool) -> dict[str, t.Any]:
    """Starts a build unless it is done or under way already, and waits for it as long as the arguments say: the result
    of the module."""
    try:
        return _fulfil(arguments, detach, is_check=is_check)
    except OSError as error:
        path = error.filename if isinstance(error.filename, str) else arguments["directory"]
        raise GuestError(
            f"the kernel cannot be built: {error}", path=path, hint=_HINTS.get(error.errno or 0, "")
        ) from error


def _fulfil(arguments: Arguments, detach: Detach, *, is_check: bool) -> dict[str, t.Any]:
    above = os.path.abspath(arguments["directory"])
    if is_check:
        host.check_own(above)
    else:
        host.make_own(above)
    asked = _ask(arguments, above, None if is_check else os.path.join(above, "proven"))
    before = _report(asked)
    if before["state"] == "built":
        return dict(before, changed=False)
    if is_check:
        return dict(before, changed=before["state"] != "building", state=_if_absent(before["state"]))
    os.makedirs(asked.directory, exist_ok=True)
    lock = status.take_lock(asked.directory)
    if lock is not None:
        try:
            _start(asked, lock, detach)
        finally:
            os.close(lock)
    _wait(asked.directory, arguments["timeout"])
    after = _report(asked)
    if after["state"] == "absent":
        raise GuestError(
            "the process that builds ended without a word, as one that was killed or whose disk is full; "
            f"{after['log']} may say more",
            path=after["log"],
            hint="Run the same task again: the build goes on with what is compiled.",
        )
    return dict(after, changed=True)


def _ask(arguments: Arguments, above: str, proven: str | None) -> _Asked:
    host.check_architecture()
    wanted = _wanted(arguments)
    found = _find_sources(arguments, proven)
    _refuse_missing_packages(found, arguments)
    inputs = {
        "source": found.sha256,
        "base": found.base_offered.sha256 if found.base_offered else found.base,
        "wanted": kernel_build.render(wanted),
        "revision": arguments["revision"],
        "drivers": arguments["drivers"],
        "toolchain": host.toolchain(),
    }
    directory = os.path.join(above, "builds", f"{found.name}-{kernel_build.build_key(inputs)}")
    return _Asked(arguments, found, wanted, inputs, above, directory)


def _if_absent(state: str) -> str:
    """A build that failed begins anew."""
    return "absent" if state == "failed" else state


def _wanted(arguments: Arguments) -> tuple[kernel_build.Wanted, ...]:
    """The fragments on top of the base, the caller's own last."""
    kernel_build.check_suffix(arguments["suffix"])
    if arguments["base"] == _SMALL:
        first = kernel_build.read_fragment(kernel_profiles.HYPERV_GUEST, f"profile {_SMALL}", is_optional=True)
    else:
        first = kernel_build.read_fragment(kernel_profiles.FOREIGN_BASE, "what every build needs", is_optional=True)
    fragments = [first]
    for name in arguments["additions"]:
        text = kernel_profiles.ADDITIONS[name]
        fragments.append(kernel_build.read_fragment(text, f"addition {name}", is_optional=True))
    fragments.append(kernel_build.read_fragment(arguments["fragment"], "fragment"))
    name = kernel_build.Wanted("LOCALVERSION", f'"{arguments["suffix"]}"', "suffix")
    return kernel_build.combine([*fragments, (name,)])


def _find_sources(arguments: Arguments, proven: str | None) -> _Sources:
    base = arguments["base"]
    if arguments["tarball"] is not None:
        path = os.path.abspath(arguments["tarball"])
        sha256 = source.check_tarball(
            path, arguments["tarball_sha256"], arguments["tarball_signature"], arguments["keyring"], proven
        )
        name = re.sub(r"\.tar(?:\.\w+)?$", "", os.path.basename(path))
        version = re.sub(r"^linux-(?:source-)?", "", name)
        if base == "debian":
            raise GuestError(
                "Debian's configuration belongs to Debian's source, and the source is a tarball",
                hint="Give release for the source, or the path of a configuration file as base.",
            )
        return _Sources(name, version, sha256, None, _read_base(base), None)
    package = f"linux-source-{arguments['release']}"
    offered = source.find_offered(package, arguments["version"])
    base_offered = None
    if base == "debian":
        base_offered = source.find_offered(f"linux-config-{arguments['release']}", arguments["version"])
    name = f"linux-{offered.version}".replace(":", "-").replace("~", "-")
    text = None if base_offered else _read_base(base)
    return _Sources(name, offered.version, offered.sha256, offered, text, base_offered)


def _read_base(base: str) -> str | None:
    """The configuration file that is the base; None for the small profile, which is based on nothing."""
    if base == _SMALL:
        return None
    if not base.startswith("/"):
        raise GuestError(
            f"there is no base {base!r}",
            hint=f"A base is {_SMALL}, debian, or the absolute path of a configuration file on the build host.",
        )
    try:
        with open(base, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError as error:
        raise GuestError(f"the base configuration cannot be read: {error.strerror}", path=base) from error


def _refuse_missing_packages(found: _Sources, arguments: Arguments) -> None:
    needed = kernel_build.needed_packages(found.version, has_certificates=arguments["base"] != _SMALL)
    if arguments["tarball_signature"] is not None:
        needed = (*needed, "gpgv")
    missing = host.missing_packages(needed)
    if missing:
        raise GuestError(
            f"Debian packages that the build needs are not installed: {', '.join(missing)}",
            hint=f"As root on the build host: apt-get install --no-install-recommends {' '.join(missing)}",
        )


def _start(asked: _Asked, lock: int, detach: Detach) -> None:
    """Downloads what is missing, and starts the process that builds. It holds the lock until it ends."""
    arguments, found, directory = asked.arguments, asked.sources, asked.directory
    jobs = arguments["jobs"] or host.processors()
    if not os.path.isdir(os.path.join(directory, "linux")):
        space = kernel_build.needed_space(is_small=arguments["base"] == _SMALL)
        host.check_room(asked.above, space, kernel_build.needed_memory(jobs), jobs)
    downloads = os.path.join(asked.above, "sources")
    path = source.fetch(found.offered, downloads) if found.offered else os.path.abspath(arguments["tarball"])
    base = found.base
    if found.base_offered is not None:
        base = source.debian_config(source.fetch(found.base_offered, downloads), downloads)
    status.write_json(os.path.join(directory, "inputs.json"), asked.inputs)
    revision, drivers = arguments["revision"], tuple(arguments["drivers"])
    order = build.Order(directory, path, base, asked.wanted, revision, jobs, drivers, arguments["keep_tree"])
    status.write(directory, status.Status("building", "start", started=time.time()))
    detach(lambda: build.build(order), os.path.join(directory, build.LOG), (lock,))


def _wait(directory: str, timeout: float) -> None:
    """Until the build has ended, or the time is up."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        lock = status.take_lock(directory)
        if lock is not None:
            os.close(lock)
            return
        time.sleep(_POLL)


def _report(asked: _Asked) -> dict[str, t.Any]:
    """What there is of the build. One whose process is gone without a word (a power cut) is absent: it goes on."""
    directory = asked.directory
    now = status.read(directory) or status.Status("absent")
    is_gone = now.state == "building" and not _is_under_way(directory)
    if is_gone:  # or it ended between the two looks, and then its last word is there now
        now = status.read(directory) or now
    result = status.read_json(os.path.join(directory, build.RESULT))
    if result is not None and packages.still_good(result["packages"]):
        now = status.Status("built", percent=100)
    elif now.state == "built":
        now, result = status.Status("absent"), None
    elif now.state == "building" and is_gone:
        now, result = status.Status("absent", now.step, now.percent), None
    else:
        result = None
    done = result or {}
    return {
        "state": now.state,
        "step": now.step,
        "percent": now.percent,
        "message": now.message,
        "hint": now.hint,
        "lost": list(now.lost),
        "source_version": asked.sources.version,
        "directory": directory,
        "log": os.path.join(directory, build.LOG),
        "config": os.path.join(directory, "config") if done else None,
        "release": done.get("release"),
        "version": done.get("version"),
        "packages": done.get("packages", []),
        "seconds": done.get("seconds"),
    }


def _is_under_way(directory: str) -> bool:
    lock = status.take_lock(directory) if os.path.isdir(directory) else None
    if lock is not None:
        os.close(lock)
    return lock is None and os.path.isdir(directory)
