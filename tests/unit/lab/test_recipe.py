# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from lab import LabError, recipe
from lab.recipe import File, Recipe

XENSERVER = Recipe("bookworm", "xenserver")
PLAIN = Recipe("bookworm", "plain")
ALL = [Recipe(suite, flavour) for suite, flavour in itertools.product(recipe.SUITES, recipe.FLAVOURS)]


def text_of(files: tuple[File, ...], path: str) -> str:
    (file,) = [file for file in files if file.path == path]
    return file.text


def test_a_xenserver_guest_names_its_disks_as_xen_does() -> None:
    files = recipe.files_before_packages(XENSERVER)
    assert text_of(files, "etc/initramfs-tools/conf.d/resume") == "RESUME=/dev/xvda2\n"
    lines = [line.split() for line in text_of(files, "etc/fstab").splitlines() if not line.startswith("#")]
    assert [line[:3] for line in lines] == [["/dev/xvda1", "/", "ext4"], ["/dev/xvda2", "none", "swap"]]
    assert 'GRUB_CMDLINE_LINUX="root=/dev/xvda1 ' in recipe.grub_defaults(XENSERVER)


def test_a_xenserver_guest_speaks_on_hvc0_and_where_that_is_missing_on_the_serial_port() -> None:
    consoles = [word for word in XENSERVER.command_line.split() if word.startswith("console=")]
    assert consoles == ["console=ttyS0,115200n8", "console=hvc0"]


def test_a_plain_guest_knows_nothing_of_xen() -> None:
    files = (*recipe.files_before_packages(PLAIN), *recipe.files_after_packages(PLAIN, "key"))
    text = recipe.grub_defaults(PLAIN) + "".join(file.text for file in files)
    assert "xvda" not in text
    assert "hvc0" not in text
    assert "MODULES" not in text


def test_a_xenserver_guest_is_left_with_the_policy_that_its_initramfs_looks_like() -> None:
    policy = "etc/initramfs-tools/conf.d/driver-policy"
    assert "MODULES=list\n" in text_of(recipe.files_before_packages(XENSERVER), policy)
    assert "MODULES=dep\n" in text_of(recipe.files_after_packages(XENSERVER, "key"), policy)


def test_no_two_guests_share_an_identity() -> None:
    for identity in ("root_uuid", "swap_uuid", "machine_id", "disk_identifier"):
        assert len({getattr(one, identity) for one in ALL}) == len(ALL)


def test_the_identity_of_a_guest_stays_the_same() -> None:
    assert XENSERVER.root_uuid == "224ffda1-c0db-55cb-92b0-4c4da40459cd"


@pytest.mark.parametrize("one", ALL, ids="-".join)
@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--target=device", "/boot"], "{root_device}"),
        (["--device", "{root_device}", "--target=fs_uuid"], "{root_uuid}"),
        (["-t", "fs", "/usr/share/grub"], "ext2"),
        (["--target=abstraction", "/"], ""),
        (["--target=partmap", "/"], "msdos"),
    ],
)
def test_the_stand_in_for_grub_probe_answers_for_the_disk_to_come(
    one: Recipe, words: list[str], answer: str, tmp_path: Path
) -> None:
    program = tmp_path / "grub-probe"
    program.write_text(recipe.grub_probe(one), encoding="utf-8")
    names = {"root_device": one.root_device, "root_uuid": one.root_uuid}
    command = ["sh", str(program), *(word.format(**names) for word in words)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == answer.format(**names)


def test_the_stand_in_for_grub_probe_fails_on_a_question_it_does_not_know(tmp_path: Path) -> None:
    program = tmp_path / "grub-probe"
    program.write_text(recipe.grub_probe(PLAIN), encoding="utf-8")
    result = subprocess.run(["sh", str(program), "--target=arc_hint"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "arc_hint" in result.stderr


@pytest.mark.skipif(not shutil.which("sfdisk"), reason="no sfdisk")
def test_the_partition_table_is_what_sfdisk_makes_of_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as output:
        output.truncate(recipe.DISK_BYTES)
    subprocess.run(["sfdisk", "-q", disk], input=recipe.partition_table(PLAIN), text=True, check=True)
    dump = subprocess.run(["sfdisk", "--dump", disk], capture_output=True, text=True, check=True).stdout
    first, second = [line.partition(" : ")[2].replace(" ", "") for line in dump.splitlines() if " : " in line]
    assert first == f"start=2048,size={recipe.ROOT_BYTES // 512},type=83,bootable"
    assert second == f"start={recipe.SWAP_START // 512},size={recipe.SWAP_BYTES // 512},type=82"
    assert f"label-id: 0x{PLAIN.disk_identifier:08x}" in dump


@pytest.mark.parametrize(("suite", "flavour"), [("lenny", "plain"), ("bookworm", "vmware")])
def test_a_guest_that_there_is_not_is_refused_with_those_that_there_are(suite: str, flavour: str) -> None:
    with pytest.raises(LabError, match=r"there are \w+, "):
        recipe.find_recipe(suite, flavour)
