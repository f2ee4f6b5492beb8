# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Kernel
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_config, modules_dep
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import support
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import VERSION, entry, kernel

DEP = (
    "kernel/hv_vmbus.ko:\nkernel/hv_storvsc.ko.xz: kernel/hv_vmbus.ko kernel/scsi_mod.ko\n"
    "kernel/scsi_mod.ko:\nkernel/ext4.ko:\n"
)


def installed(config: str | None = None, dep: str | None = DEP, builtin: str | None = "kernel/sd_mod.ko\n") -> Kernel:
    return Kernel(
        "6.1.0-50-amd64",
        "/boot/vmlinuz-6.1.0-50-amd64",
        kernel_config.read(config) if config is not None else None,
        modules_dep.read(dep, builtin) if dep is not None else None,
        None,
    )


def test_a_driver_is_a_module_or_built_in_or_absent() -> None:
    assert support.provides(installed(), "hv_storvsc") == support.MODULE
    assert support.provides(installed(), "sd_mod") == support.BUILTIN
    assert support.provides(installed(), "xen_blkfront") is None


def test_the_configuration_tells_what_is_built_in_where_no_list_does() -> None:
    config = "CONFIG_BLK_DEV_SD=y\nCONFIG_HYPERV_STORAGE=m\nCONFIG_HYPERV=y\n"
    bare = installed(config, None)
    assert support.provides(bare, "sd_mod") == support.BUILTIN
    assert support.provides(bare, "hv_vmbus") == support.BUILTIN  # before 6.18
    assert support.provides(bare, "hv_storvsc") is None
    assert support.provides(installed("CONFIG_HYPERV_VMBUS=y\n", None), "hv_vmbus") == support.BUILTIN


def test_of_two_symbols_the_younger_decides_where_it_is_known() -> None:
    trap = installed("CONFIG_HYPERV=y\n# CONFIG_HYPERV_VMBUS is not set\n", None)
    assert support.provides(trap, "hv_vmbus") is None
    assert support.provides(installed("CONFIG_HYPERV=y\nCONFIG_HYPERV_VMBUS=y\n", None), "hv_vmbus") == support.BUILTIN


def test_a_driver_is_found_with_what_says_so() -> None:
    symbols = ("CONFIG_HYPERV_NET",)
    found = support.find_driver(installed("CONFIG_HYPERV_NET=m\n"), "hv_netvsc", symbols)
    assert found == (None, "CONFIG_HYPERV_NET=m in the configuration, and not in modules.dep")
    assert support.find_driver(installed("CONFIG_HYPERV_NET=m\n", None), "hv_netvsc", symbols) == (None, "")
    assert support.find_driver(installed("CONFIG_HYPERV_NET=y\n", None), "hv_netvsc", symbols).form == support.BUILTIN
    assert support.find_driver(installed(), "hv_netvsc", symbols).where == "/lib/modules/6.1.0-50-amd64/modules.builtin"
    assert support.find_driver(installed(builtin=None), "hv_netvsc", symbols) == (None, "")
    other = support.find_driver(installed("CONFIG_EXT4_FS=y\n"), "hv_netvsc", symbols)
    assert other == (None, "no CONFIG_HYPERV_NET in the configuration")


def test_the_release_is_debians_or_none(tmp_path: pathlib.Path) -> None:
    def release(text: str, name: str) -> int | None:
        return support.debian_release(small_guest.look(tmp_path / name, f"=== /etc/os-release\n{text}\n"))

    assert release("ID=debian\nVERSION_ID=12", "a") == 12
    assert release("ID=ubuntu\nVERSION_ID=22.04", "b") is None
    assert release("ID=debian", "c") is None


def test_what_comes_from_the_image_is_what_is_a_module_and_all_it_needs() -> None:
    assert support.needed_from_image(installed(), ("hv_storvsc", "sd_mod", "hv_netvsc")) == (
        "hv_storvsc",
        "hv_vmbus",
        "scsi_mod",
    )
    assert support.needed_from_image(installed(dep=None), ("hv_storvsc",)) == ()


@pytest.mark.parametrize(
    ("fs_type", "drivers"), [("ext4", ("ext4",)), ("ext3", ("ext4",)), ("ext2", ("ext4",)), ("xfs", ()), ("auto", ())]
)
def test_a_file_system_is_served_by_its_driver_or_a_newer_one(fs_type: str, drivers: tuple[str, ...]) -> None:
    assert support.file_system_drivers(installed(), fs_type) == drivers


def test_the_driver_of_its_own_comes_first() -> None:
    both = installed(dep="kernel/ext3.ko:\nkernel/ext4.ko:\n")
    assert support.file_system_drivers(both, "ext3") == ("ext3",)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("6.1.0-50-amd64", (6, 1, 0)),
        ("6.12.107+deb13-amd64", (6, 12, 107)),
        ("2.6.32-5-xen-amd64", (2, 6, 32)),
        ("7.0-rc1", (7, 0, 0)),
        ("custom", ()),
    ],
)
def test_versions_are_compared_by_their_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert support.version_of(text) == numbers


def test_kernels_come_in_the_order_of_the_menu_and_once_each(tmp_path: pathlib.Path) -> None:
    old = "6.1.0-49-amd64"
    changes = (
        kernel(old) + kernel("6.1.0-48-amd64") + small_guest.grub(entry(VERSION), entry(VERSION, "single"), entry(old))
    )
    facts = small_guest.look(tmp_path, changes)
    assert [item.version for item in support.boot_kernels(facts)] == [VERSION, old]


def test_without_a_menu_they_are_those_in_boot(tmp_path: pathlib.Path) -> None:
    only_modules = "=== /lib/modules/6.1.0-48-amd64/ modules\nfs/ext4/ext4\n"
    facts = small_guest.look(tmp_path, only_modules, without=["/boot/grub/grub.cfg"])
    assert [item.version for item in facts.kernels] == ["6.1.0-48-amd64", VERSION]
    assert [item.version for item in support.boot_kernels(facts)] == [VERSION]
