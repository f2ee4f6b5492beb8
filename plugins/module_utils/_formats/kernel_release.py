# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a kernel as uname -r and Debian's packages have it: 6.1.0-50-amd64."""

from __future__ import annotations

import re

_RELEASE = re.compile(
    r"[0-9][0-9.]*(?:[+~][0-9A-Za-z.+~]*)?(?:-(?!(?:486|586|686)(?:-|$))(?:[0-9][0-9A-Za-z.+~]*|rc[0-9]+|trunk))*"
    r"(?:-(?P<flavour>(?:[a-z]|486|586|686)[0-9A-Za-z.+~-]*))?"
)
_PACKAGE = re.compile(r"linux-image-(?P<unsigned>unsigned-)?(?P<release>[0-9].*?)(?P<extra>-dbg|-dbgsym|-unsigned)?")


def flavour(release: str) -> str | None:
    """C(amd64), C(cloud-amd64), C(rt-amd64), C(686-pae), C(xen-amd64) ...; None for a kernel without one."""
    match = _RELEASE.fullmatch(release)
    return match.group("flavour") if match else None


def of_package(name: str) -> str | None:
    """The kernel that a package holds; None for others: C(linux-image-amd64), which only depends on one, those with
    symbols for debuggers, and those without Debian's signature beside one that has it."""
    match = _PACKAGE.fullmatch(name)
    if match is None or match.group("unsigned") or match.group("extra"):
        return None
    release = match.group("release")
    # linux-image-2.6-686 and linux-image-486 of Debian 6 depend on the newest one, and hold none
    return release if re.match(r"[0-9]+\.[0-9]+[.+~-]", release) and not re.match(r"2\.6-[0-9a-z]", release) else None
