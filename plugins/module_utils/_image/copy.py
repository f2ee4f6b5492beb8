# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying a disk image into another format, unless the target has its content already."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._errors import GuestError, MalformedError
from . import qemu_img

_NAMES = {"vhd": "vpc"}  # as qemu-img calls it


class Copied(t.NamedTuple):
    """Whether the target was, or would be, written; and what it, or in that case the source, is."""

    changed: bool
    image: qemu_img.ImageInfo


def copy_image(
    source: str,
    target: str,
    target_format: str,
    *,
    source_format: str | None = None,
    subformat: str = "dynamic",
    replace: bool = False,
    dry_run: bool = False,
    progress_file: str | None = None,
) -> Copied:
    """Makes target an image with the content of source. Formats are raw, qcow2, vhd and vhdx; see qemu_img.convert.

    progress_file gets the step and the percentage whenever they change. GuestError when the target has other content
    and must not be replaced.
    """
    wanted = _NAMES.get(target_format, target_format)
    found = qemu_img.info(source, _NAMES.get(source_format or "", source_format))
    progress = _reporter(progress_file)
    if os.path.lexists(target):
        if os.path.exists(target) and os.path.samefile(source, target):
            raise GuestError("source and target are the same file; a source is never written to", path=target)
        try:
            there = qemu_img.info(target, wanted)
            qemu_img.compare(source, found.format, target, wanted, progress)
            return Copied(False, there)
        except MalformedError as error:
            if not replace:
                raise GuestError(
                    f"{target} exists and has another content than {source}",
                    path=target,
                    hint="Remove it, or say replace: true.",
                ) from error
    if dry_run:
        return Copied(True, found)
    with _stepping_aside(target):
        made = qemu_img.convert(source, found.format, target, wanted, subformat=subformat, progress=progress)
    return Copied(True, made)


@contextlib.contextmanager
def _stepping_aside(target: str) -> t.Iterator[None]:
    """qemu_img.convert makes new files only: one that is replaced steps aside, and comes back when that fails."""
    aside = target + ".replaced"
    if os.path.lexists(target):
        os.replace(target, aside)
    try:
        yield
    except BaseException:
        if os.path.lexists(aside):
            os.replace(aside, target)
        raise
    if os.path.lexists(aside):
        os.unlink(aside)


def _reporter(path: str | None) -> qemu_img.Progress | None:
    if path is None:
        return None

    def report(step: str, percent: float) -> None:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"{step} {percent:.0f}\n")

    return report
