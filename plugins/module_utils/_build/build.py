# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One build of a kernel, from its source to packages that were looked at. It goes on where it was interrupted."""

from __future__ import annotations

import os
import shutil
import time
import typing as t

from .._errors import GuestError
from .._plan import kernel_build
from . import packages, source, status, tree

LOG = "log"
RESULT = "result.json"
_INTERVAL = 1.0  # seconds between two writes of the status


class Order(t.NamedTuple):
    """What is built, and where. `source` is a package or a tarball, already checked; `base` a configuration as text,
    None for the kernel's allnoconfig; `drivers` what the finished kernel must have."""

    directory: str
    source: str
    base: str | None
    wanted: tuple[kernel_build.Wanted, ...]
    revision: int
    jobs: int
    drivers: tuple[str, ...]
    keep_tree: bool


class LostError(GuestError):
    """The kernel's own configuration did not leave every symbol as it was asked for."""

    def __init__(self, lost: tuple[kernel_build.Lost, ...]) -> None:
        super().__init__(
            f"{len(lost)} wanted symbols did not survive: " + "; ".join(one.message for one in lost[:10]),
            hint="Set what they depend on in the fragment, or leave them out of it.",
        )
        self.lost = lost


class Progress:
    """Writes how far the build is, at most once a second."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.started = time.time()
        self.written = 0.0
        self.step = ""

    def at(self, step: str, fraction: float = 0.0) -> None:
        now = time.monotonic()
        if step == self.step and now - self.written < _INTERVAL:
            return
        self.step, self.written = step, now
        self.write(status.Status("building", step, kernel_build.percent(step, fraction)))

    def write(self, found: status.Status) -> None:
        status.write(self.directory, found._replace(pid=os.getpid(), started=self.started))


def build(order: Order) -> None:
    """Builds, and writes the status until it is built or failed; the reason is part of the status."""
    progress = Progress(order.directory)
    try:
        _build(order, progress)
    except GuestError as error:
        lost = error.lost if isinstance(error, LostError) else ()
        failed = status.Status("failed", progress.step, message=error.message, hint=error.hint)
        progress.write(failed._replace(lost=tuple({**one._asdict()} for one in lost)))
    except OSError as error:
        progress.write(status.Status("failed", progress.step, message=f"the build could not go on: {error}"))


def _build(order: Order, progress: Progress) -> None:
    directory = os.path.join(order.directory, "linux")
    shims = os.path.join(order.directory, "bin")
    progress.at("unpack")
    source.unpack(order.source, directory)
    tree.make_shims(shims)
    with open(os.path.join(order.directory, LOG), "a", encoding="utf-8") as log:
        kernel = tree.Tree(directory, shims, log, order.revision)
        progress.at("configure")
        kept = _configure(order, kernel)
        progress.at("count")
        kernel.prepare()
        expected = packages.Expected(kernel.release(), f"{kernel.version}-{order.revision}", kept, order.drivers)
        total, done = _count(order, kernel)
        progress.at("compile", done / total)

        def count_one() -> None:
            nonlocal done
            done += 1
            progress.at("compile", done / total)

        kernel.compile(order.jobs, count_one)
        progress.at("package")
        made = kernel.package()
    progress.at("check")
    good = packages.check(made, expected, order.directory)
    shutil.copyfile(kernel.config_path, os.path.join(order.directory, "config"))
    status.write_json(
        os.path.join(order.directory, RESULT),
        {
            "release": expected.release,
            "version": expected.version,
            "packages": [package._asdict() for package in good],
            "objects": total,
            "seconds": round(time.time() - progress.started),
        },
    )
    if not order.keep_tree:
        shutil.rmtree(directory, ignore_errors=True)
    progress.write(status.Status("built", "", 100))


def _configure(order: Order, kernel: tree.Tree) -> tuple[kernel_build.Wanted, ...]:
    """The wanted symbols that the kernel has, which are all but those that this version does not know.

    The configuration is made once: with another one make would compile again what depends on it.
    """
    configured = os.path.join(kernel.directory, ".configured")
    wanted = kernel_build.render(order.wanted)
    if not os.path.exists(configured):
        kernel.configure(order.base, wanted)
    config = kernel.config()
    if any(not kernel_build.is_as_wanted(one, config) for one in order.wanted):
        lost = kernel_build.find_lost(order.wanted, config, kernel.definitions())
        if lost:
            raise LostError(lost)
    with open(configured, "w", encoding="ascii"):
        pass  # that it is there says it all
    return tuple(one for one in order.wanted if kernel_build.is_as_wanted(one, config))


def _count(order: Order, kernel: tree.Tree) -> tuple[int, int]:
    """How many objects the kernel has, and how many of them are compiled already."""
    path = os.path.join(kernel.directory, ".objects.json")
    known = status.read_json(path)
    if known is None:
        known = {"objects": kernel.objects(order.jobs)}
        status.write_json(path, known)
    return max(1, len(known["objects"])), kernel.count_compiled(known["objects"])
