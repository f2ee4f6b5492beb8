# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._facts import packages
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.reader import Reader
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

STATUS = """\
=== /var/lib/dpkg/status
Package: hyperv-daemons
Status: install ok installed
Version: 6.1.176-1

Package: gone
Status: purge ok not-installed
Version: 1

Package: left
Status: deinstall ok config-files
Version: 2
"""


def reader(tree: pathlib.Path, manifest: str) -> Reader:
    def refuse(problem: Problem) -> None:
        raise AssertionError(problem)

    guest_tree.build(manifest, tree)
    return Reader(Root(str(tree)), refuse)


def test_packages_of_which_something_is_there_are_named_in_the_order_asked_for(tmp_path: pathlib.Path) -> None:
    found = packages.installed(reader(tmp_path, STATUS), ("left", "gone", "other", "hyperv-daemons"))
    assert found == (("left", "2"), ("hyperv-daemons", "6.1.176-1"))


def test_of_a_package_without_files_nothing_is_unpacked(tmp_path: pathlib.Path) -> None:
    found = packages.unpacked(reader(tmp_path, STATUS), ("left", "gone", "other", "hyperv-daemons"))
    assert found == (("hyperv-daemons", "6.1.176-1"),)


def test_a_file_that_a_package_lists_under_either_path_is_not_without_one(tmp_path: pathlib.Path) -> None:
    listed = "=== /var/lib/dpkg/info/a.list\n/.\n/lib/one\n/usr/sbin/two\n"
    files = "=== /lib -> usr/lib\n=== /sbin -> usr/sbin\n=== /usr/lib/one\n=== /usr/sbin/two\n=== /usr/sbin/three\n"
    paths = ("/usr/lib/one", "/lib/one", "/sbin/two", "/usr/sbin/three", "/usr/sbin/four")
    assert packages.files_without_package(reader(tmp_path, listed + files), paths) == ("/usr/sbin/three",)
