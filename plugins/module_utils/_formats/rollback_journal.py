# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal in which everything that this collection touched in a guest is recorded before it is touched.

One JSON object a line. C(original) lines say what was at a path before its first change, C(written) lines what this
collection left there. A line that ends without a newline was cut off with the power: what it announces did not happen.
"""

from __future__ import annotations

import json
import typing as t

from .._errors import MalformedError


class Original(t.NamedTuple):
    """What was at a path before the first change. mode is the permission bits, mtime_ns nanoseconds since the epoch.

    C(absent) has nothing but its path; a C(directory) only got or lost names, so all it needs back is its time.
    """

    path: str
    kind: str  # file, link, directory or absent
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    target: str = ""  # of a link
    blob: str = ""  # name of the copy of a file's content
    sha256: str = ""  # of that content
    xattrs: tuple[tuple[str, str], ...] = ()  # names and values, in base64


class Written(t.NamedTuple):
    """What this collection left at a path: the SHA-256 of a file, the target of a link, or nothing."""

    path: str
    state: str | None


class Journal(t.NamedTuple):
    """Originals in the order of their first change, and for each path what was written there last."""

    originals: tuple[Original, ...]
    written: t.Mapping[str, str | None]


def line_of(record: Original | Written) -> str:
    """The line that records it, newline included."""
    kind = "original" if isinstance(record, Original) else "written"
    return json.dumps({kind: record._asdict()}, sort_keys=True) + "\n"


def parse(text: str) -> Journal:
    """The journal. Raises MalformedError when a complete line is not one of the two kinds."""
    originals: dict[str, Original] = {}
    written: dict[str, str | None] = {}
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):  # what follows the last newline was cut off
        try:
            record = json.loads(line)
            if "original" in record:
                original = Original(**record["original"])
                xattrs = tuple((str(name), str(value)) for name, value in original.xattrs)
                originals.setdefault(original.path, original._replace(xattrs=xattrs))
            else:
                last = Written(**record["written"])
                written[last.path] = last.state
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise MalformedError(
                f"line {number} of the rollback journal is damaged ({error}), so it is not known what was changed",
                line=number,
                hint="Restore the journal from a backup; the copies of the files beside it are intact.",
            ) from error
    return Journal(tuple(originals.values()), written)
