# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shutil
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import dpkg_status
from hypothesis import given, settings
from hypothesis import strategies as st

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u4
Depends: libgcc-s1
Conffiles:
 /etc/ld.so.conf.d/x86_64-linux-gnu.conf d4e7a7b88a71b5ffd9e2644e71a0cfab
 /etc/old name.conf 0123456789abcdef0123456789abcdef obsolete
Description: GNU C Library
 Package: this is text
 .

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9+deb12u4

Package: linux-image-amd64
Status: hold ok installed
Architecture: amd64
Version: 6.1.76-1

Package: xe-guest-utilities
Status: deinstall ok config-files
Architecture: amd64
Version: 7.20.0-9
Conffiles:
 /etc/xe newconffile
"""


def test_packages_are_read_by_name_with_every_architecture() -> None:
    packages = dpkg_status.read(STATUS)
    assert list(packages) == ["libc6", "linux-image-amd64", "xe-guest-utilities"]
    assert [package.architecture for package in packages["libc6"]] == ["amd64", "i386"]
    assert packages["libc6"][0][:6] == ("libc6", "2.36-9+deb12u4", "amd64", "install", "ok", "installed")
    assert packages["libc6"][0].is_installed
    assert packages["linux-image-amd64"][0].is_held
    (tools,) = packages["xe-guest-utilities"]
    assert (tools.state, tools.is_installed, tools.is_held) == ("config-files", False, False)


def test_conffiles_are_read_with_their_checksums() -> None:
    packages = dpkg_status.read(STATUS)
    assert packages["libc6"][0].conffiles == (
        ("/etc/ld.so.conf.d/x86_64-linux-gnu.conf", "d4e7a7b88a71b5ffd9e2644e71a0cfab", False),
        ("/etc/old name.conf", "0123456789abcdef0123456789abcdef", True),
    )
    assert packages["xe-guest-utilities"][0].conffiles == (("/etc/xe", "newconffile", False),)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("Package: a", ["a"]),
        ("\n\nPackage: a\r\nStatus: hold\r\n\r\nPackage: b\n \t\nPackage: c", ["a", "b", "c"]),
        ("Status: install ok installed\n\nPackage:\n", []),
    ],
)
def test_a_damaged_file_gives_the_packages_it_still_names(text: str, names: list[str]) -> None:
    assert list(dpkg_status.read(text)) == names


def test_two_thousand_packages_are_read_in_a_moment() -> None:
    paragraph = (
        "Package: p{0}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{0}-1\n"
        "Depends: " + "libfoo (>= 1.0), " * 30 + "\nDescription: x\n" + " text and more text\n" * 20 + "\n"
    )
    text = "".join(paragraph.format(number) for number in range(2000))
    assert len(text) > 2_000_000
    started = time.process_time()
    packages = dpkg_status.read(text)
    assert time.process_time() - started < 0.5  # 0.05 s on an idle machine
    assert len(packages) == 2000


def test_a_line_of_blanks_takes_no_longer_than_any_other() -> None:
    blanks = " " * 200_000
    text = f"Package: a{blanks}b\nVersion: 1{blanks}\nConffiles:\n {blanks}/x {blanks}y\n{blanks}\nStatus:{blanks}x"
    started = time.process_time()
    assert len(dpkg_status.read(text)) == 1
    assert time.process_time() - started < 0.5


@given(st.text() | st.lists(st.sampled_from(STATUS.splitlines(keepends=True))).map("".join))
def test_no_text_is_an_error(text: str) -> None:
    assert all(packages[0].name == name for name, packages in dpkg_status.read(text).items())


PART = st.text(st.sampled_from("0123456789abZ.+~"), max_size=6)
VERSION = st.builds(
    lambda epoch, start, upstream, revision: f"{epoch}{start}{upstream}{revision}",
    st.sampled_from(["", "", "0:", "1:", "01:"]),
    st.sampled_from(["0", "1", "6", "00", "10"]),
    st.text(st.sampled_from("0123456789abZ.+~-"), max_size=6),
    st.just("") | st.text(st.sampled_from("0123456789abZ.+~"), min_size=1, max_size=5).map("-{}".format),
).filter(lambda version: not version.endswith("-"))


def compared_by_dpkg(a: str, b: str) -> int:
    for relation, result in (("lt", -1), ("eq", 0)):
        run = subprocess.run([shutil.which("dpkg") or "dpkg", "--compare-versions", a, relation, b], check=False)
        if run.returncode == 0:
            return result
    return 1


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is not installed")
@settings(max_examples=150, deadline=None)
@given(VERSION, VERSION | st.none(), PART)
def test_versions_are_ordered_as_dpkg_orders_them(a: str, b: str | None, suffix: str) -> None:
    other = a + suffix if b is None else b
    assert dpkg_status.compare_versions(a, other) == compared_by_dpkg(a, other)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("6.1.90-1~bpo11+1", "6.1.90-1"),
        ("6.1.90-1", "6.1.123-1"),
        ("9", "1:1"),
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0a"),
        ("1.0a", "1.0+"),
        ("2.36-9", "2.36-9+deb12u4"),
        ("1.0-9", "1.0.1-1"),
        ("3.2.0-4", "3.16.0-4"),
    ],
)
def test_an_older_version_sorts_before_a_newer_one(older: str, newer: str) -> None:
    assert dpkg_status.compare_versions(older, newer) == -1
    assert dpkg_status.compare_versions(newer, older) == 1


def test_zeros_and_missing_parts_are_equal() -> None:
    assert dpkg_status.compare_versions("0:1.00-0", "1.0") == 0
    assert dpkg_status.compare_versions("9" * 10_000, "9" * 10_001) == -1
