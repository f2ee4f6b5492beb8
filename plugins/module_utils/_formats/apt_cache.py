# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt-cache says: packages by name, version and source. Read only."""

from __future__ import annotations

import typing as t


class Offer(t.NamedTuple):
    """A version of a package that apt can get. C(suite) as in C(bookworm-backports/main); "" where the source has none
    (C(deb file:/srv/repository ./))."""

    name: str
    version: str
    suite: str


def read_madison(text: str) -> tuple[Offer, ...]:
    """The lines of C(apt-cache madison), C(name | version | address suite/component architecture Packages); lines of
    source packages and of anything else are left out."""
    offers = []
    for line in text.split("\n"):
        fields = [field.strip() for field in line.split(" | ")]
        words = fields[2].split() if len(fields) == 3 else []
        if len(words) < 2 or words[-1] != "Packages":
            continue
        # an architecture stands before "Packages" for all but flat repositories
        suite = words[1] if len(words) == 4 else ""
        offers.append(Offer(fields[0], fields[1], suite))
    return tuple(dict.fromkeys(offers))
