# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's releases: which kernels each has, until when it is supported, and what Microsoft says of it.

Dates are those of Debian's package distro-info-data 0.58+deb12u7: end of support by the security team, by the long-term
support, and by the extended long-term support, which is not Debian's. Kernels: Debian's packages of that release.
Versions are the newest that were seen when this table was written; None where none was.
Microsoft: MicrosoftDocs/windowsserverdocs, Supported Debian virtual machines on Hyper-V, edition of 2023-09-26, and
pull requests 1963 and 3102 for earlier ones.
"""

from __future__ import annotations

import typing as t


class Series(t.NamedTuple):
    """Kernels of one upstream series. C(package) is the name of the metapackage, with C({}) for the flavour."""

    series: str
    package: str
    version: str | None


class Release(t.NamedTuple):
    number: int
    codename: str
    kernel: Series
    newer: Series | None  # beside it in the same release, for guests that need a newer one
    backports: Series | None
    supported_until: str
    lts_until: str
    extended_until: str | None
    microsoft: str


_EARLIER = "built in, by earlier editions of the table; not in that of 2023-09-26"
_BUILT_IN = "built in: all features of the table but static IP injection and virtual Fibre Channel"
_NOT_LISTED = "not in the table of 2023-09-26, which ends with Debian 11"
_PLAIN = "linux-image-{}"

RELEASES = (
    Release(
        6,
        "squeeze",
        Series("2.6.32", _PLAIN, None),
        None,
        Series("3.2", _PLAIN, None),
        "2014-05-31",
        "2016-02-29",
        None,
        "never listed",
    ),
    Release(
        7,
        "wheezy",
        Series("3.2", _PLAIN, None),
        None,
        Series("3.16", _PLAIN, None),
        "2016-04-25",
        "2018-05-31",
        "2020-06-30",
        _EARLIER + "; its backports have improved capabilities (note 5)",
    ),
    Release(
        8,
        "jessie",
        Series("3.16", _PLAIN, None),
        Series("4.9", "linux-image-4.9-{}", None),
        Series("4.9", _PLAIN, None),
        "2018-06-17",
        "2020-06-30",
        "2025-06-30",
        _EARLIER,
    ),
    Release(
        9,
        "stretch",
        Series("4.9", _PLAIN, None),
        Series("4.19", "linux-image-4.19-{}", None),
        Series("4.19", _PLAIN, None),
        "2020-07-18",
        "2022-06-30",
        "2027-06-30",
        _EARLIER,
    ),
    Release(
        10,
        "buster",
        Series("4.19", _PLAIN, "4.19.316-1"),
        Series("5.10", "linux-image-5.10-{}", None),
        Series("5.10", _PLAIN, None),
        "2022-09-10",
        "2024-06-30",
        "2029-06-30",
        _BUILT_IN,
    ),
    Release(
        11,
        "bullseye",
        Series("5.10", _PLAIN, "5.10.262-1"),
        Series("6.1", "linux-image-6.1-{}", "6.1.128-1~deb11u1"),
        Series("6.1", _PLAIN, "6.1.94-1~bpo11+1"),
        "2024-08-14",
        "2026-08-31",
        "2031-06-30",
        _BUILT_IN,
    ),
    Release(
        12,
        "bookworm",
        Series("6.1", _PLAIN, "6.1.192-2"),
        Series("6.12", "linux-image-6.12-{}", "6.12.117-1~deb12u1"),
        Series("6.12", _PLAIN, "6.12.22-1~bpo12+1"),
        "2026-07-11",
        "2028-06-30",
        "2033-06-30",
        _NOT_LISTED,
    ),
    Release(
        13,
        "trixie",
        Series("6.12", _PLAIN, "6.12.117-1"),
        None,
        None,
        "2028-08-09",
        "2030-06-30",
        "2035-06-30",
        _NOT_LISTED,
    ),
)

FLAVOURS = (
    "amd64",
    "cloud-amd64",
    "rt-amd64",
    "xen-amd64",
    "vserver-amd64",
    "openvz-amd64",
    "arm64",
    "cloud-arm64",
    "rt-arm64",
    "486",
    "586",
    "686",
    "686-pae",
    "686-bigmem",
    "rt-686-pae",
    "xen-686",
    "xen-686-pae",
    "vserver-686",
    "vserver-686-bigmem",
    "openvz-686",
)
"""How the names of Debian's kernels end on the architectures that Hyper-V runs."""

GENERAL_FLAVOURS = {"amd64": "amd64", "arm64": "arm64", "i386": "686-pae"}
"""By architecture: the flavour with all drivers. That for i386 needs PAE, as every processor for Hyper-V has it."""

WITHOUT_I386 = 13
"""From this release on there is no kernel for i386: Debian 13's release notes, "i386 is no longer a regular
architecture"."""
