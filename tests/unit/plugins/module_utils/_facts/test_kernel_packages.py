# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import kernel_pin as catalog
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.kernel_packages import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import DkmsModule, KernelPackage, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

STATUS = """=== /var/lib/dpkg/status
Package: linux-image-6.1.0-50-amd64
Status: hold ok installed
Version: 6.1.176-1

Package: linux-image-6.1.0-51-amd64
Status: install ok half-configured
Version: 6.1.177-1

Package: linux-image-6.1.0-49-amd64
Status: deinstall ok config-files
Version: 6.1.170-1

Package: linux-image-amd64
Status: install ok installed
Version: 6.1.177-1
"""
MORE = """=== /var/lib/dpkg/updates/0001
=== /var/lib/dkms/nvidia/535/source -> /usr/src/nvidia-535
=== /var/lib/dkms/nvidia/535/6.1.0-50-amd64/x86_64/log
=== /var/lib/dkms/nvidia/kernel-6.1.0-50-amd64-x86_64 -> 535/6.1.0-50-amd64/x86_64
=== /lib/modules/6.1.0-50-amd64/build -> /usr/src/linux-headers-6.1.0-50-amd64
=== /usr/src/linux-headers-6.1.0-50-amd64/Makefile
all:
=== /lib/modules/6.1.0-51-amd64/build -> /usr/src/linux-headers-6.1.0-51-amd64
"""


def test_what_dpkg_and_dkms_have_is_gathered(tmp_path: pathlib.Path) -> None:
    guest_tree.build(STATUS + MORE, tmp_path)
    problems: list[Problem] = []
    found = gather(Root(str(tmp_path)), problems.append)
    assert found.installed == (
        KernelPackage("linux-image-6.1.0-50-amd64", "6.1.176-1", "installed", True),
        KernelPackage("linux-image-6.1.0-51-amd64", "6.1.177-1", "half-configured", False),
    )
    assert found.dkms == (DkmsModule("nvidia", "535", ("6.1.0-50-amd64",)),)
    assert found.with_headers == ("6.1.0-50-amd64",)
    assert found.is_interrupted
    assert (found.offered, found.trial, found.boot_id, found.files) == ((), None, None, ())
    assert problems == []


def test_a_damaged_record_is_noted(tmp_path: pathlib.Path) -> None:
    guest_tree.build(f"=== {catalog.TRIAL}\nKERNEL='6.1\n", tmp_path)
    problems: list[Problem] = []
    found = gather(Root(str(tmp_path)), problems.append)
    assert found.trial is None
    assert found.text(catalog.TRIAL) == "KERNEL='6.1\n"
    assert [problem.path for problem in problems] == [catalog.TRIAL]
