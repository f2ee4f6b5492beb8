# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""qemu-img: what an image is, and conversion between formats, without trusting the image.

The format is always said, never guessed by QEMU, and an image that refers to other files is refused: it could name
any file of this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import struct
import subprocess
import typing as t

from .. import _errors
from . import image_format, kernel

MIB = 1 << 20
FORMATS = ("raw", "qcow2", "vhdx", "vpc")
Progress = t.Callable[[str, float], None]

# Block size: what Microsoft advises for ext4 ("Best practices for running Linux on Hyper-V"), so that a mostly empty
# file system stays small. force_size: else VHD sizes are rounded to a geometry of cylinders.
_OPTIONS = {
    ("vhdx", "dynamic"): "subformat=dynamic,block_size=1M",
    ("vpc", "dynamic"): "subformat=dynamic,force_size=on",
    ("vpc", "fixed"): "subformat=fixed,force_size=on",
    ("qcow2", "dynamic"): "",
    ("raw", "dynamic"): "",
}
_LARGEST = {"vhdx": 64 << 40, "vpc": 2040 << 30}
_PERCENT = re.compile(rb"\((\d+\.\d+)/100%\)")
_NO_CHECKS = 63  # status of "qemu-img check" for a format that has nothing to check
_MESSAGE = 4000  # bytes kept of what it prints


class ImageInfo(t.NamedTuple):
    """virtual_size is the size of the disk, actual_size what the file takes, in bytes."""

    format: str
    virtual_size: int
    actual_size: int


def info(path: str, source_format: str | None = None) -> ImageInfo:
    """What an image is; source_format None: look. GuestError for what is no image, or refers to other files."""
    path = os.path.abspath(path)  # so that no file name is taken for a protocol
    if source_format is None:
        source_format = _detect(path)
    if source_format not in FORMATS:
        raise _errors.GuestError(
            "the image is in the format %s, which is not supported" % source_format,
            path=path,
            hint="supported are " + ", ".join(FORMATS),
        )
    if source_format == "vpc":
        _refuse_differencing(path)
    try:
        found = json.loads(_run("info", "--output=json", "-f", source_format, path))
    except ValueError as error:
        raise _errors.MalformedError("qemu-img info says nothing that can be read", path=path) from error
    specific = found.get("format-specific", {}).get("data", {})
    for outside in (found.get("backing-filename"), specific.get("data-file")):
        if outside is not None:
            raise _errors.GuestError(
                "the image is incomplete: it refers to another file, %s, and no other file is read" % outside,
                path=path,
                hint="make one complete image of it where it comes from (qemu-img convert)",
            )
    return ImageInfo(source_format, int(found["virtual-size"]), int(found.get("actual-size", 0)))


def check(path: str, path_format: str) -> None:
    """MalformedError when the image is damaged. Formats that have nothing to check are never damaged."""
    words = ("check", "-q", "-f", path_format, os.path.abspath(path))
    status, message = _execute(words)
    if status not in (0, _NO_CHECKS):
        raise _errors.MalformedError("qemu-img check finds the image damaged: " + message, path=path)


def compare(first: str, first_format: str, second: str, second_format: str, progress: Progress | None = None) -> None:
    """MalformedError unless both disks have the same content; the longer one may end in zeros."""
    words = ("compare", "-p", "-f", first_format, "-F", second_format, os.path.abspath(first), os.path.abspath(second))
    status, message = _execute(words, progress)
    if status:
        raise _errors.MalformedError("the images differ: " + message, path=second)


def convert(
    source: str,
    source_format: str,
    target: str,
    target_format: str,
    *,
    subformat: str = "dynamic",
    progress: Progress | None = None,
) -> ImageInfo:
    """Makes target, a new file, an image with the content of source; the result has been checked and compared.

    target_format "raw", "qcow2", "vhdx" or "vpc" (VHD); subformat "fixed" for VHD only. Disks in Hyper-V's formats are
    rounded up to whole MiB, with zeros. progress is called with the step ("convert" or "compare") and the percentage.
    Until all is done there is only TARGET.partial, which is removed when it fails, and readable for its owner only.
    """
    options = _OPTIONS.get((target_format, subformat))
    if options is None:
        raise _errors.GuestError("a %s image in format %s is not supported" % (subformat, target_format))
    if os.path.lexists(target):
        raise _errors.GuestError("the target exists already; it is not overwritten", path=target, hint="remove it")
    size = info(source, source_format).virtual_size
    check(source, source_format)  # where tables point into nothing, QEMU would read zeros
    if target_format in _LARGEST:
        size = -(-size // MIB) * MIB
        if size > _LARGEST[target_format]:
            raise _errors.GuestError(
                "the disk has %d bytes, more than the %d that the format %s can hold"
                % (size, _LARGEST[target_format], target_format),
                path=source,
                hint="use VHDX" if target_format == "vpc" else "",
            )
    partial = os.path.abspath(target) + ".partial"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)  # of a run that was killed
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise _errors.GuestError("the target cannot be made: %s" % error.strerror, path=target) from error
    try:
        _run("create", "-q", "-f", target_format, *(("-o", options) if options else ()), partial, str(size))
        words = ("convert", "-p", "-n", "--target-is-zero", "-f", source_format, "-O", target_format)
        _run(*words, os.path.abspath(source), partial, progress=progress)
        _fsync(partial)
        check(partial, target_format)
        compare(source, source_format, partial, target_format, progress)
        found = info(partial, target_format)
        if found.virtual_size != size:
            raise _errors.MalformedError(
                "qemu-img made a disk of %d bytes instead of %d" % (found.virtual_size, size), path=target
            )
        os.rename(partial, target)
        _fsync(os.path.dirname(partial))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
    return found


def _detect(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            return image_format.detect(stream)
    except OSError as error:
        raise _errors.GuestError("the image cannot be read: %s" % error.strerror, path=path) from error


def _refuse_differencing(path: str) -> None:
    """A VHD that holds only the changes to another one; QEMU would read it as if it were complete."""
    with open(path, "rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 512))
        footer = stream.read(512)
    if footer[:8] == b"conectix" and struct.unpack_from(">I", footer, 60)[0] == 4:
        raise _errors.GuestError(
            "the image is incomplete: it is a differencing VHD, which holds only the changes to its parent",
            path=path,
            hint="merge the checkpoints first, or export the virtual machine",
        )


def _fsync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _run(*words: str, progress: Progress | None = None) -> str:
    status, message = _execute(words, progress)
    if status:
        raise _errors.GuestError("qemu-img %s failed: %s" % (words[0], message), path=words[-1])
    return message


def _execute(words: t.Sequence[str], progress: Progress | None = None) -> tuple[int, str]:
    """Exit status, and what it printed except the progress. The program ends when this process ends."""
    program = shutil.which("qemu-img")
    if program is None:
        raise _errors.ToolMissingError("qemu-img is not installed", hint="install the package qemu-utils")
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function  # its progress is followed
        [program, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        preexec_fn=kernel.die_with_parent,  # noqa: PLW1509  (no threads here)
        bufsize=0,
    )
    try:
        message = _follow(t.cast("t.BinaryIO", process.stdout), words[0], progress)
        return process.wait(), message
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        t.cast("t.BinaryIO", process.stdout).close()


def _follow(stream: t.BinaryIO, step: str, progress: Progress | None) -> str:
    message = pending = b""
    limit = 1 << 20 if step == "info" else _MESSAGE
    while True:
        data = os.read(stream.fileno(), 4096)
        # Progress comes as one line that is written again and again, each ended by a carriage return.
        lines = re.split(rb"[\r\n]", pending + data)
        pending = lines.pop() if data else b""
        for line in lines:
            percent = _PERCENT.search(line)
            if percent:
                if progress is not None:
                    progress(step, float(percent.group(1)))
            elif line.strip() and len(message) < limit:
                message += line.strip() + b"\n"
        if not data:
            return message.decode("utf-8", "replace").strip()
