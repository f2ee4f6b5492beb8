# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release an installation is: os-release(5) and /etc/debian_version. Read only."""

from __future__ import annotations

import re
import typing as t

from . import assignments
from ._lines import split_ending, split_lines

_CODENAMES = {
    "4": "etch",
    "5": "lenny",
    "6": "squeeze",
    "7": "wheezy",
    "8": "jessie",
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
}
_POINT_RELEASE = re.compile(r"([0-9]+)(?:\.[0-9]+)*(?:[a-z][0-9]*)?")
_COMING_RELEASE = re.compile(r"([a-z]+)/(?:sid|testing)")
_CODENAME_IN_VERSION = re.compile(r"\(([a-z]+)\)")


class Release(t.NamedTuple):
    """What is said about a release; "" where nothing is said.

    `identifier` is "debian" and the like; `version_id` the version that packages are for ("12"), "" for testing and
    sid; `point_release` the content of debian_version when it is a number ("12.5"); `is_like` what a derivative
    descends from, nearest first.
    """

    identifier: str
    version_id: str
    codename: str
    pretty_name: str
    is_like: tuple[str, ...]
    point_release: str


def read(os_release: str | None, debian_version: str | None = None) -> Release:
    """The release that the content of os-release and of debian_version tell of; None for a file that is absent.

    Debian 6 and older have debian_version only. It is "wheezy/sid" on testing and on sid, where os-release (from
    Debian 7 on) has no VERSION_ID. On a derivative it may be the version of the Debian it descends from, so it says
    nothing but point_release there.
    """
    values = _values(os_release or "")
    identifier = values.get("ID") or ("linux" if os_release is not None else "")
    is_like = tuple(values.get("ID_LIKE", "").lower().split())
    version_id = values.get("VERSION_ID", "")
    codename = values.get("VERSION_CODENAME", "")
    pretty_name = values.get("PRETTY_NAME", "")
    if not codename:
        match = _CODENAME_IN_VERSION.search(values.get("VERSION", ""))
        codename = match.group(1) if match else ""
    said = (debian_version or "").strip()
    numbered = _POINT_RELEASE.fullmatch(said)
    if os_release is None and debian_version is not None:
        coming = _COMING_RELEASE.fullmatch(said)
        identifier = "debian"
        version_id = _major(numbered.group(1), said) if numbered else ""
        codename = coming.group(1) if coming else ""
        pretty_name = f"Debian GNU/Linux {said}".rstrip()
    if identifier.lower() == "debian" and not codename:
        codename = _CODENAMES.get(version_id, "")
    return Release(identifier.lower(), version_id, codename, pretty_name, is_like, said if numbered else "")


def _values(text: str) -> dict[str, str]:
    # Unlike a shell, the readers of os-release take every line for itself: one that is broken spoils no other.
    values = {}
    for line in split_lines(text):
        document = assignments.parse(split_ending(line)[0])
        for key in assignments.keys(document):
            values[key] = assignments.value(document, key) or ""
    return values


def _major(number: str, said: str) -> str:
    # Before Debian 4 a release was numbered by two parts.
    return ".".join(said.split(".")[:2]) if int(number[:9]) < 4 else number
