# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.sysfs import MAX_ATTRIBUTE, KernelReader
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

TREE = """\
=== /sys/devices/pci/vendor
0x8086
=== /sys/devices/pci/device
0x7111
=== /sys/devices/pci/driver -> ../../bus/pci/drivers/ata_piix
=== /sys/class/net/eth0 -> ../../devices/pci
=== /proc/empty
=== /var/log/log
0123456789
"""


@pytest.fixture(name="problems")
def no_problems() -> list[Problem]:
    return []


@pytest.fixture(name="reader")
def reader_of_a_tree(tmp_path: pathlib.Path, problems: list[Problem]) -> KernelReader:
    guest_tree.build(TREE, tmp_path)
    return KernelReader(Root(str(tmp_path)), problems.append)


def test_an_attribute_is_a_line_without_its_end(reader: KernelReader) -> None:
    assert reader.line("/sys/devices/pci/vendor") == "0x8086"
    assert reader.line("/proc/empty") is None
    assert reader.line("/proc/absent") is None


def test_a_link_in_sysfs_stands_for_what_its_target_is_called(reader: KernelReader) -> None:
    assert reader.link_name("/sys/class/net/eth0/driver") == "ata_piix"
    assert reader.link_name("/sys/devices/pci/vendor") is None
    assert reader.link_name("/sys/devices/pci/absent") is None


def test_a_pci_device_has_a_vendor_and_a_device_number(reader: KernelReader) -> None:
    assert reader.pci_id("/sys/class/net/eth0") == "8086:7111"


def test_a_real_path_has_no_links(reader: KernelReader) -> None:
    assert reader.real_path("/sys/class/net/eth0") == "/sys/devices/pci"


def test_the_tail_of_a_file_is_its_last_bytes(reader: KernelReader) -> None:
    assert reader.tail("/var/log/log", 4) == "789\n"
    assert reader.tail("/var/log/log", 400) == "0123456789\n"
    assert reader.tail("/var/log/absent", 4) == ""


def test_a_time_is_in_seconds(reader: KernelReader) -> None:
    assert reader.mtime("/var/log/log") == guest_tree.BUILD_TIME
    assert reader.mtime("/var/log/absent") is None


def test_what_cannot_be_read_is_absent_and_noted(reader: KernelReader, problems: list[Problem]) -> None:
    assert reader.line("/var/log") is None
    assert reader.content("/var/log") == ""
    assert reader.tail("/var/log", 4) == ""
    assert [problem.path for problem in problems] == ["/var/log"] * 3


def test_an_attribute_has_a_bound(tmp_path: pathlib.Path, problems: list[Problem]) -> None:
    guest_tree.build(f"=== /large size={MAX_ATTRIBUTE + 1}\n", tmp_path)

    assert KernelReader(Root(str(tmp_path)), problems.append).line("/large") is None
    assert [problem.path for problem in problems] == ["/large"]


def test_the_kernel_s_own_settings_can_be_read() -> None:
    assert KernelReader(Root("/"), pytest.fail).line("/proc/sys/kernel/osrelease")
