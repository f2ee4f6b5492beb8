# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import gzip
import os
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import kernels
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Initramfs, Kernel, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import efi_image, guest_tree, small_guest

VERSION = "6.1.0-50-amd64"


def gather(path: pathlib.Path, manifest: str) -> tuple[Kernel, ...]:
    guest_tree.build(manifest, path)
    return kernels.gather(Root(str(path)), pytest.fail)


def images(path: pathlib.Path, *paths: str) -> tuple[Initramfs, ...]:
    return kernels.gather_images(Root(str(path)), pytest.fail, paths)


def test_a_guest_without_kernels_has_none(tmp_path: pathlib.Path) -> None:
    assert gather(tmp_path, "=== /etc/hostname\nguest\n") == ()


def test_a_kernel_is_known_by_image_configuration_modules_and_initramfs(tmp_path: pathlib.Path) -> None:
    config = f"=== /boot/config-{VERSION}\nCONFIG_HYPERV=m\n"
    (only,) = gather(tmp_path, small_guest.kernel(VERSION, small_guest.MODULES + "builtin lib/crc16\n") + config)
    assert (only.version, only.image) == (VERSION, f"/boot/vmlinuz-{VERSION}")
    assert only.initramfs == f"/boot/initrd.img-{VERSION}"
    assert only.config is not None
    assert only.config.state("CONFIG_HYPERV") == "m"
    assert only.modules is not None
    assert only.modules.by_name["hv_storvsc"].dependencies != ()
    assert only.modules.builtin == {"crc16"}


@pytest.mark.parametrize(
    ("image", "is_signed"), [(efi_image.make(), True), (efi_image.make(certificates=(0, 0)), False), (b"", None)]
)
def test_a_signature_is_read_from_the_image(tmp_path: pathlib.Path, image: bytes, is_signed: bool | None) -> None:
    guest_tree.build(small_guest.kernel(VERSION), tmp_path)
    (tmp_path / "boot" / f"vmlinuz-{VERSION}").write_bytes(image)
    (only,) = kernels.gather(Root(str(tmp_path)), pytest.fail)
    assert only.is_signed is is_signed


def test_modules_below_usr_are_found_by_the_link(tmp_path: pathlib.Path) -> None:
    merged = "=== /lib -> usr/lib\n" + small_guest.kernel(VERSION).replace("/lib/modules", "/usr/lib/modules")
    (only,) = gather(tmp_path, merged)
    assert only.modules is not None


def test_a_configuration_is_looked_for_where_kernels_of_other_makes_have_it(tmp_path: pathlib.Path) -> None:
    tree = f"=== /lib/modules/{VERSION}/ modules\nfs/ext4/ext4\n"
    fedora = f"=== /lib/modules/{VERSION}/config\nCONFIG_HYPERV=y\n"
    built = f"=== /lib/modules/{VERSION}/build -> /usr/src/linux\n=== /usr/src/linux/.config\nCONFIG_HYPERV=m\n"
    boot = f"=== /boot/config-{VERSION}\n# CONFIG_HYPERV is not set\n"
    for number, (manifest, path, state) in enumerate(
        [
            (tree, None, None),
            (tree + fedora, f"/lib/modules/{VERSION}/config", "y"),
            (tree + fedora + built, f"/lib/modules/{VERSION}/build/.config", "m"),
            (tree + fedora + built + boot, f"/boot/config-{VERSION}", None),
        ]
    ):
        (only,) = gather(tmp_path / str(number), manifest)
        assert only.config_path == path
        assert (only.config and only.config.state("CONFIG_HYPERV")) == state


class RunningRoot(Root):
    """A tree that is taken for the running system."""

    @property
    def is_live(self) -> bool:
        return True


def test_the_running_kernel_may_tell_its_configuration_itself(tmp_path: pathlib.Path) -> None:
    packed = base64.b64encode(gzip.compress(b"CONFIG_HYPERV=y\n")).decode()
    manifest = (
        f"=== /proc/config.gz base64\n{packed}\n=== /proc/sys/kernel/osrelease\n6.18.3\n"
        "=== /boot/vmlinuz-6.18.3\nMZ\n=== /boot/vmlinuz-6.18.2\nMZ\n"
    )
    guest_tree.build(manifest, tmp_path)
    other, running = kernels.gather(RunningRoot(str(tmp_path)), pytest.fail)
    assert (other.config, other.config_path) == (None, None)
    assert running.config_path == "/proc/config.gz"
    assert running.config is not None
    assert running.config.state("CONFIG_HYPERV") == "y"
    assert all(found.config is None for found in kernels.gather(Root(str(tmp_path)), pytest.fail))


def test_a_damaged_configuration_of_the_running_kernel_is_a_problem(tmp_path: pathlib.Path) -> None:
    manifest = "=== /proc/config.gz\nno gzip\n=== /proc/sys/kernel/osrelease\n5\n=== /boot/vmlinuz-5\nMZ\n"
    guest_tree.build(manifest, tmp_path)
    problems: list[Problem] = []
    (only,) = kernels.gather(RunningRoot(str(tmp_path)), problems.append)
    assert only.config is None
    assert [problem.path for problem in problems] == ["/proc/config.gz"]


def test_a_configuration_that_unpacks_without_end_is_cut(tmp_path: pathlib.Path) -> None:
    packed = base64.b64encode(gzip.compress(b"CONFIG_HYPERV=y\n" + b"#" * (8 << 20))).decode()
    manifest = f"=== /proc/config.gz base64\n{packed}\n=== /proc/sys/kernel/osrelease\n5\n=== /boot/vmlinuz-5\nMZ\n"
    guest_tree.build(manifest, tmp_path)
    (only,) = kernels.gather(RunningRoot(str(tmp_path)), pytest.fail)
    assert only.config is not None
    assert only.config.state("CONFIG_HYPERV") == "y"


STATUS = """\
=== /var/lib/dpkg/status
Package: linux-image-6.1.0-50-amd64
Status: install ok installed
Version: 6.1.176-1

Package: linux-image-6.1.0-49-amd64
Status: deinstall ok config-files
Version: 6.1.174-1

Package: linux-image-6.1.0-48-amd64-unsigned
Status: install ok half-configured
Version: 6.1.172-1
"""


def test_a_kernel_knows_its_package_when_asked(tmp_path: pathlib.Path) -> None:
    names = ("6.1.0-48-amd64", "6.1.0-49-amd64", "6.1.0-50-amd64")
    guest_tree.build(STATUS + "".join(f"=== /boot/vmlinuz-{name}\nMZ\n" for name in names), tmp_path)
    root = Root(str(tmp_path))
    assert [found.package for found in kernels.gather(root, pytest.fail, with_packages=True)] == [
        ("linux-image-6.1.0-48-amd64-unsigned", "6.1.172-1"),
        None,
        ("linux-image-6.1.0-50-amd64", "6.1.176-1"),
    ]
    assert [found.package for found in kernels.gather(root, pytest.fail)] == [None, None, None]


def test_copies_and_signatures_are_no_kernels(tmp_path: pathlib.Path) -> None:
    names = [
        "vmlinuz-1.old",
        "vmlinuz-1.bak",
        "vmlinuz-1.dpkg-tmp",
        "vmlinuz-1~",
        "config-1",
        "initrd.img-1",
        "vmlinuz",
    ]
    assert gather(tmp_path, "".join(f"=== /boot/{name}\nMZ\n" for name in names)) == ()


def test_an_image_without_modules_and_modules_without_an_image_are_kernels(tmp_path: pathlib.Path) -> None:
    manifest = "=== /boot/vmlinuz-5\nMZ\n=== /lib/modules/4/ modules\nfs/ext4/ext4\n=== /lib/modules/3/extra\n\n"
    assert [(item.version, item.image, item.modules is not None) for item in gather(tmp_path, manifest)] == [
        ("4", None, True),
        ("5", "/boot/vmlinuz-5", False),
    ]


@pytest.mark.parametrize("name", ["initrd.img-5", "initramfs-5.img", "initrd-5"])
def test_the_image_of_a_kernel_has_one_of_three_names(name: str, tmp_path: pathlib.Path) -> None:
    (only,) = gather(tmp_path, f"=== /boot/vmlinuz-5\nMZ\n=== /boot/{name}\n\n")
    assert only.initramfs == f"/boot/{name}"


def test_an_image_is_read_once_and_an_absent_one_not_at_all(tmp_path: pathlib.Path) -> None:
    gather(tmp_path, small_guest.kernel(VERSION))
    path = f"/boot/initrd.img-{VERSION}"
    (only,) = images(tmp_path, path, "/boot/none", path)
    assert (only.path, only.problem) == (path, "")
    assert only.size == (tmp_path / path[1:]).stat().st_size
    assert only.image is not None
    assert "hv_storvsc" in only.image.module_names(VERSION)


def test_an_image_that_cannot_be_read_says_why(tmp_path: pathlib.Path) -> None:
    gather(tmp_path, small_guest.kernel(VERSION))
    path = tmp_path / "boot" / f"initrd.img-{VERSION}"
    path.write_bytes(path.read_bytes()[:-200])
    (only,) = images(tmp_path, f"/boot/{path.name}")
    assert only.image is None
    assert only.problem
    assert only.size == path.stat().st_size


def test_what_is_no_file_is_not_opened(tmp_path: pathlib.Path) -> None:
    guest_tree.build("=== /boot/initrd.img/\n", tmp_path)
    os.mkfifo(tmp_path / "boot/fifo")
    found = images(tmp_path, "/boot/fifo", "/boot/initrd.img")
    assert [item.image for item in found] == [None, None]
    assert all("regular file" in item.problem for item in found)
