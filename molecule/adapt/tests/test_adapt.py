# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of the playbook adapt, looked at with other tools than its own, and the way back."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import typing as t

import pytest

CHECKOUT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
_specification = importlib.util.spec_from_file_location("conftest", CHECKOUT / "tests" / "conftest.py")
_specification.loader.exec_module(importlib.util.module_from_spec(_specification))  # makes the collection importable

from ansible_collections.rehost.hyperv.tests.integration.lab import disk_tree
from ansible_collections.rehost.hyperv.tests.lab import recipe as recipes
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

RECIPE = recipes.find_recipe("bookworm", "xenserver")
DRIVERS = {"hv_vmbus", "hv_storvsc", "xen-blkfront"}

testinfra_hosts = ["ansible://worker"]


@pytest.fixture(scope="module")
def scratch(host: t.Any) -> pathlib.Path:
    return pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "disks")


@pytest.fixture(scope="module")
def pristine(scratch: pathlib.Path) -> pathlib.Path:
    return pathlib.Path((scratch / "image").read_text())


@pytest.fixture(scope="module")
def raw(host: t.Any, scratch: pathlib.Path) -> pathlib.Path:
    """The adapted disk, as a raw image."""
    path = scratch / "adapted.raw"
    host.check_output("qemu-img convert -f vhdx -O raw %s %s", str(scratch / "guest.vhdx"), str(path))
    return path


@pytest.fixture(scope="module")
def tree(raw: pathlib.Path) -> disk_tree.Tree:
    return disk_tree.read(raw)


def read_file(host: t.Any, raw: pathlib.Path, path: str) -> str:
    """A file of the guest, out of the file system without mounting it."""
    device = f"{raw}?offset={recipes.ROOT_START}"
    return str(host.check_output("debugfs -R %s %s", f"cat {path}", device))


def test_only_the_result_and_its_report_are_left(scratch: pathlib.Path) -> None:
    assert {path.name for path in scratch.iterdir()} - {"image", "adapted.raw", "restored.raw"} == {
        "guest.vhdx",
        "guest.vhdx.json",
    }


def test_the_disk_is_sound_and_as_large_as_before(host: t.Any, scratch: pathlib.Path) -> None:
    path = str(scratch / "guest.vhdx")
    assert host.run("qemu-img check -f vhdx %s", path).rc == 0
    assert json.loads(host.check_output("qemu-img info --output=json %s", path))["format"] == "vhdx"
    assert json.loads(host.check_output("qemu-img info --output=json %s", path))["virtual-size"] == recipes.DISK_BYTES


def test_it_is_ready(host: t.Any, raw: pathlib.Path) -> None:
    judged = host.ansible("rehost.hyperv.readiness_info", f"image={raw} backend=loop", become=False)
    assert judged["ready"] is True
    assert judged["generations"] == [1]


def test_disks_go_by_uuid(host: t.Any, raw: pathlib.Path) -> None:
    fstab = read_file(host, raw, "/etc/fstab")
    assert [line.split()[0] for line in fstab.splitlines() if not line.startswith("#")] == [
        f"UUID={RECIPE.root_uuid}",
        f"UUID={RECIPE.swap_uuid}",
    ]
    kernels = [line for line in read_file(host, raw, "/boot/grub/grub.cfg").splitlines() if "\tlinux\t" in line]
    assert kernels
    assert all(f" root=UUID={RECIPE.root_uuid} " in line for line in kernels)


def test_the_image_holds_both_sets_of_drivers(
    host: t.Any, raw: pathlib.Path, tree: disk_tree.Tree, scratch: pathlib.Path
) -> None:
    (path,) = [path for path in tree if path.startswith("/boot/initrd.img-")]
    image = scratch / "initrd"
    device = f"{raw}?offset={recipes.ROOT_START}"
    host.check_output("debugfs -R %s %s", f"dump {path} {image}", device)
    listed = host.check_output("lsinitramfs %s", str(image)).split("\n")
    image.unlink()
    assert {pathlib.Path(name).name.split(".ko")[0] for name in listed} >= DRIVERS


def test_rollback_gives_every_path_back(
    host: t.Any, pristine: pathlib.Path, tree: disk_tree.Tree, scratch: pathlib.Path
) -> None:
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    command = ["ansible-playbook", f"--inventory={inventory}", "-e", "migration_rollback_worker=worker"]
    subprocess.run([*command, "rehost.hyperv.rollback"], check=True)
    before = disk_tree.read(pristine)
    assert guest_tree.compare(before, tree)
    assert guest_tree.compare(before, disk_tree.read(scratch / "restored.raw"), directory_times=True) == []
