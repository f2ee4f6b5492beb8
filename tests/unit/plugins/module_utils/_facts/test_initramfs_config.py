# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import initramfs_config
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import InitramfsConfig
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

MKINITRAMFS = "=== /usr/sbin/mkinitramfs mode=0755\n#!/bin/sh\n"
DRACUT = "=== /usr/bin/dracut mode=0755\n#!/bin/sh\n"
MAIN = "=== /etc/initramfs-tools/initramfs.conf\n# comment\nMODULES=most\n"


def gather(path: pathlib.Path, manifest: str) -> InitramfsConfig:
    guest_tree.build(manifest, path)
    return initramfs_config.gather(Root(str(path)), pytest.fail)


def test_a_guest_without_a_generator_has_no_policy(tmp_path: pathlib.Path) -> None:
    assert gather(tmp_path, MAIN) == InitramfsConfig((), None, (), False, ())


def test_the_policy_is_that_of_the_last_file_that_sets_one(tmp_path: pathlib.Path) -> None:
    assert gather(tmp_path / "main", MKINITRAMFS + MAIN).policy == "most"
    parts = "=== /etc/initramfs-tools/conf.d/b\nMODULES=dep\n=== /etc/initramfs-tools/conf.d/a\nMODULES=list\n"
    found = gather(tmp_path / "parts", MKINITRAMFS + MAIN + parts + "=== /etc/initramfs-tools/conf.d/c\nRESUME=none\n")
    assert found.policy == "dep"
    assert [file.path.rsplit("/", 1)[1] for file in found.files] == ["initramfs.conf", "a", "b", "c"]


def test_modules_and_the_own_hook_are_files_of_the_configuration(tmp_path: pathlib.Path) -> None:
    own = "=== /etc/initramfs-tools/hooks/rehost-hyperv mode=0755\n#!/bin/sh\n"
    others = "=== /etc/initramfs-tools/hooks/other mode=0755\n#!/bin/sh\n=== /etc/initramfs-tools/modules\nraid1\n"
    found = gather(tmp_path, MKINITRAMFS + own + others)
    assert [file.path for file in found.files] == [
        "/etc/initramfs-tools/modules",
        "/etc/initramfs-tools/hooks/rehost-hyperv",
    ]


@pytest.mark.parametrize("path", ["/usr/bin/dracut", "/usr/sbin/dracut"])
def test_dracut_is_told_by_its_own_files(path: str, tmp_path: pathlib.Path) -> None:
    files = (
        '=== /usr/lib/dracut/dracut.conf.d/01-debian.conf\nhostonly="yes"\n'
        '=== /etc/dracut.conf\n# nothing\n=== /etc/dracut.conf.d/90.conf\nhostonly="no"\nadd_drivers+=" x "\n'
        "=== /etc/dracut.conf.d/README\nhostonly=maybe\n"
    )
    found = gather(tmp_path, f"=== {path} mode=0755\n#!/bin/sh\n" + files + MAIN)
    assert (found.generators, found.policy) == (("dracut",), "no")
    assert [file.path for file in found.files] == [
        "/usr/lib/dracut/dracut.conf.d/01-debian.conf",
        "/etc/dracut.conf",
        "/etc/dracut.conf.d/90.conf",
    ]


def test_initramfs_tools_is_first_of_both(tmp_path: pathlib.Path) -> None:
    found = gather(tmp_path, MKINITRAMFS + DRACUT + MAIN + '=== /etc/dracut.conf\nhostonly="yes"\n')
    assert (found.generators, found.policy) == (("initramfs-tools", "dracut"), "most")


@pytest.mark.parametrize(
    ("manifest", "needs_network"),
    [
        ("=== /etc/fstab\nserver:/root / nfs4 ro 0 0\n", True),
        ("=== /etc/fstab\nserver:/home /home nfs rw 0 0\nUUID=1 / ext4\n", False),
        ("=== /usr/share/initramfs-tools/hooks/dropbear\n\n", True),
        ("=== /etc/dropbear-initramfs/config\n\n", True),
        ("=== /etc/dropbear/initramfs/dropbear.conf\n\n", True),
        ("=== /etc/dropbear/dropbear.conf\n\n", False),
    ],
)
def test_a_root_or_an_unlock_over_the_network_needs_it(
    manifest: str, needs_network: bool, tmp_path: pathlib.Path
) -> None:
    assert gather(tmp_path, MKINITRAMFS + manifest).needs_network is needs_network


def test_checksums_of_update_initramfs_are_named_by_version(tmp_path: pathlib.Path) -> None:
    files = "=== /var/lib/initramfs-tools/3.2.0-4-amd64\n0  /boot/initrd.img-3.2.0-4-amd64\n"
    assert gather(tmp_path, MKINITRAMFS + files).keeps_checksums == ("3.2.0-4-amd64",)
