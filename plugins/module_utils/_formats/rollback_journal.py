# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal in which everything that this collection touched in a guest is recorded before it is touched.

One JSON object a line. C(original) lines say what was at a path before its first change, C(written) lines what this
collection left there. A line that ends without a newline was cut off with the power: what it announces did not happen.
"""

from __future__ import annotations

import base64
import json
import typing as t

from .._errors import MalformedError


class Original(t.NamedTuple):
    """What was at a path before the first change. mode is the permission bits, mtime_ns nanoseconds since the epoch.

    C(absent) has nothing but its path; a C(directory) only got or lost names, so all it needs back is its time; a
    C(setting) of the running kernel has its value.
    """

    path: str
    kind: str  # file, link, directory, setting or absent
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    target: str = ""  # of a link
    blob: str = ""  # name of the copy of a file's content
    sha256: str = ""  # of that content
    xattrs: tuple[tuple[str, str], ...] = ()  # names and values, in base64
    value: str = ""  # of a setting


class Written(t.NamedTuple):
    """What this collection left at a path: the SHA-256 of a file, the target of a link, the value of a setting, or
    nothing."""

    path: str
    state: str | None


class Journal(t.NamedTuple):
    """Originals in the order of their first change, and for each path all that was written there.

    All, not the last: a run that was killed has announced what it did not come to write.
    """

    originals: tuple[Original, ...]
    written: t.Mapping[str, tuple[str | None, ...]]


def line_of(record: Original | Written) -> str:
    """The line that records it, newline included."""
    kind = "original" if isinstance(record, Original) else "written"
    return json.dumps({kind: record._asdict()}, sort_keys=True) + "\n"


def parse(text: str) -> Journal:
    """The journal. Raises MalformedError when a complete line is not one of the two kinds."""
    originals: dict[str, Original] = {}
    written: dict[str, tuple[str | None, ...]] = {}
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline was cut off
        try:
            record = json.loads(line)
            if "original" in record:
                original = _checked(Original(**record["original"]))
                originals.setdefault(original.path, original)
            else:
                last = Written(**record["written"])
                if not _is_path(last.path) or not (last.state is None or isinstance(last.state, str)):
                    raise ValueError("no path or no state")
                written[last.path] = (*written.get(last.path, ()), last.state)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise MalformedError(
                f"line {number} of the rollback journal is damaged ({error}), so it is not known what was changed",
                line=number,
                hint="Restore the journal from a backup; the copies of the files beside it are intact.",
            ) from error
    return Journal(tuple(originals.values()), written)


def _checked(original: Original) -> Original:
    """The original, when every field is what it says it is. Raises ValueError or TypeError."""
    path, kind, mode, uid, gid, mtime_ns, target, blob, sha256, xattrs, value = original
    numbers = ((mode, 0, 0o7777), (uid, 0, _LARGEST_ID), (gid, 0, _LARGEST_ID), (mtime_ns, -(1 << 63), (1 << 63) - 1))
    if not _is_path(path) or kind not in ("file", "link", "directory", "setting", "absent"):
        raise ValueError("no path or no kind")
    if not all(isinstance(number, int) and low <= number <= high for number, low, high in numbers):
        raise ValueError("no mode, owner or time")
    if not all(_is_name(text) for text in (target, blob, sha256, value)):
        raise ValueError("no target or no content")
    for name, value in xattrs:
        if not _is_name(name):
            raise ValueError("no name of an attribute")
        base64.b64decode(value, validate=True)
    return original._replace(xattrs=tuple((name, value) for name, value in xattrs))


def _is_path(path: object) -> bool:
    return isinstance(path, str) and path.startswith("/") and _is_name(path)


def _is_name(text: object) -> bool:
    # a surrogate that stands for no byte is a UnicodeEncodeError, which is a ValueError
    return isinstance(text, str) and b"\0" not in text.encode("utf-8", "surrogateescape")


_LARGEST_ID = (1 << 32) - 2  # -1 stands for no change
