# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_release


@pytest.mark.parametrize(
    ("release", "flavour"),
    [
        ("6.1.0-50-amd64", "amd64"),
        ("6.1.0-50-cloud-amd64", "cloud-amd64"),
        ("6.1.0-50-rt-amd64", "rt-amd64"),
        ("6.12.9+bpo-amd64", "amd64"),
        ("6.12.107+deb13-cloud-amd64", "cloud-amd64"),
        ("6.1.0-0.deb11.5-amd64", "amd64"),
        ("4.9.0-19-686-pae", "686-pae"),
        ("2.6.32-5-686", "686"),
        ("2.6.32-5-xen-amd64", "xen-amd64"),
        ("2.6.26-2-486", "486"),
        ("3.16.0-0.bpo.4-amd64", "amd64"),
        ("6.18-rc3-amd64", "amd64"),
        ("6.12.9-hyperv-guest", "hyperv-guest"),
        ("6.12.9", None),
        ("", None),
    ],
)
def test_the_flavour_is_what_follows_the_numbers(release: str, flavour: str | None) -> None:
    assert kernel_release.flavour(release) == flavour


@pytest.mark.parametrize(
    ("package", "release"),
    [
        ("linux-image-6.1.0-50-amd64", "6.1.0-50-amd64"),
        ("linux-image-6.12.9", "6.12.9"),
        ("linux-image-2.6.32-5-amd64", "2.6.32-5-amd64"),
        ("linux-image-amd64", None),
        ("linux-image-686-pae", None),
        ("linux-image-2.6-686", None),
        ("linux-image-2.6-amd64", None),
        ("linux-image-486", None),
        ("linux-image-6.1.0-50-amd64-dbg", None),
        ("linux-image-6.1.0-50-amd64-unsigned", None),
        ("linux-headers-6.1.0-50-amd64", None),
    ],
)
def test_a_package_holds_one_kernel_or_none(package: str, release: str | None) -> None:
    assert kernel_release.of_package(package) == release
