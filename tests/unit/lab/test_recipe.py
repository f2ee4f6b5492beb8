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
ALL = [
    *(Recipe(suite, flavour) for suite, flavour in itertools.product(recipe.SUITES, recipe.FLAVOURS)),
    Recipe("bookworm", "plain", network="netplan"),
]


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


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
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


@pytest.mark.parametrize("network", recipe.NETWORKS)
@pytest.mark.parametrize("address", recipe.ADDRESSES)
def test_each_back_end_is_told_the_same_in_its_own_file(network: str, address: str) -> None:
    one = recipe.find_recipe("trixie", "xenserver", network=network, address=address, has_predictable_names=True)
    paths = {
        "ifupdown": "etc/network/interfaces",
        "networkd": "etc/systemd/network/10-lan.network",
        "netplan": "etc/netplan/01-netcfg.yaml",
        "network-manager": "etc/NetworkManager/system-connections/lan.nmconnection",
    }
    files = recipe.files_after_packages(one, "key")
    assert {file.path for file in files} & set(paths.values()) == {paths[network]}
    text = text_of(files, paths[network])
    assert "enX0" in text
    assert "eth0" not in text
    assert ("10.0.2.15/24" in text, "10.0.2.2\n" in text) == (address == "static", address == "static")


@pytest.mark.parametrize("network", recipe.NETWORKS)
def test_only_the_back_end_that_is_used_is_installed(network: str) -> None:
    packages = set(recipe.find_recipe("trixie", "plain", network=network).packages)
    back_ends = {"ifupdown", "netplan.io", "network-manager"}
    assert packages & back_ends == set(recipe.NETWORK_PACKAGES[network]) & back_ends


def test_debian_11_has_resolved_in_the_package_systemd() -> None:
    bullseye = recipe.find_recipe("bullseye", "plain", network="networkd")
    assert "systemd-resolved" not in bullseye.packages
    assert bullseye.services == ("systemd-networkd", "systemd-resolved")


def test_a_kernel_of_backports_is_asked_for_by_its_release() -> None:
    packages = recipe.find_recipe("bookworm", "plain", kernel="backports").packages
    assert [name for name in packages if name.startswith("linux-image")] == ["linux-image-amd64/bookworm-backports"]


@pytest.mark.parametrize(
    ("suite", "flavour", "name"),
    [("bullseye", "xenserver", "eth0"), ("bookworm", "xenserver", "enX0"), ("bookworm", "plain", "enp0s3")],
)
def test_a_predictable_name_is_what_udev_of_that_release_gives(suite: str, flavour: str, name: str) -> None:
    one = recipe.find_recipe(suite, flavour, has_predictable_names=True)
    assert one.interface == name
    assert "net.ifnames" not in one.command_line


def test_the_name_of_a_guest_says_what_is_not_as_usual() -> None:
    assert recipe.find_recipe("trixie", "plain").name == "trixie-plain"
    other = recipe.find_recipe(
        "trixie", "plain", network="netplan", address="static", has_predictable_names=True, extra_packages=["vlan", "b"]
    )
    assert other.name == "trixie-plain-netplan-static-predictable-b-vlan"


@pytest.mark.parametrize(
    ("suite", "flavour", "network"),
    [("lenny", "plain", "ifupdown"), ("bookworm", "vmware", "ifupdown"), ("bookworm", "plain", "wicked")],
)
def test_a_guest_that_there_is_not_is_refused_with_those_that_there_are(suite: str, flavour: str, network: str) -> None:
    with pytest.raises(LabError, match=r"there are \w+, "):
        recipe.find_recipe(suite, flavour, network=network)


def test_what_a_guest_is_made_of_differs_for_each() -> None:
    every = {repr(recipe.ingredients(one, "key")) for one in ALL} | {repr(recipe.ingredients(PLAIN, "other key"))}
    assert len(every) == len(ALL) + 1
    assert repr(recipe.ingredients(PLAIN, "key")) in every
