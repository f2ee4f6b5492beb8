# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_packages
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_packages import Brought
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import PackageFile
from ansible_collections.rehost.hyperv.tests.unit import small_guest

RELEASE = "6.12.9+bpo-amd64"
IMAGE = f"linux-image-{RELEASE}"
STATUS = """\
=== /var/lib/dpkg/status
Package: kmod
Status: install ok installed
Architecture: amd64
Version: 30+20221128-1

Package: linux-base
Status: hold ok installed
Architecture: all
Version: 4.9

Package: dracut
Status: install ok installed
Architecture: all
Version: 059-4
Provides: linux-initramfs-tool, initrd-maker (= 3)

Package: fwupdate
Status: install ok %s
Architecture: amd64
Version: 12-6

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""


def look(path: pathlib.Path, more: str = "", state: str = "unpacked") -> GuestFacts:
    return small_guest.look(path, STATUS % state + more, parts=frozenset({"packages"}))


def package(name: str = IMAGE, version: str = "6.12.9-1", architecture: str = "amd64", **more: str) -> Brought:
    fields = {"Package": name, "Version": version, "Architecture": architecture}
    fields.update({field.replace("_", "-"): value for field, value in more.items()})
    return Brought(PackageFile(f"/srv/{name}.deb", "0" * 64), fields)


def said(facts: GuestFacts, *packages: Brought) -> list[tuple[str, str]]:
    return [(one.id, one.message) for one in kernel_packages.problems(facts, packages)]


def test_packages_whose_dependencies_the_guest_has_may_be_installed(tmp_path: pathlib.Path) -> None:
    facts = look(tmp_path)
    for depends in ("kmod", "kmod (>= 30), linux-base (<< 5)", "initramfs-tools (>= 0.120) | linux-initramfs-tool", ""):
        assert said(facts, package(Depends=depends)) == []
    assert said(facts, package(Depends="initrd-maker (>= 2)")) == []
    assert said(facts, package(Breaks="kmod (<< 30), gone", Conflicts=f"{IMAGE}-unsigned")) == []
    headers = package(f"linux-headers-{RELEASE}", architecture="all", Depends=f"{IMAGE} (= 6.12.9-1)")
    assert said(facts, headers, package()) == []


@pytest.mark.parametrize(
    ("depends", "missing"),
    [
        ("kmod (>= 31)", "kmod (>= 31)"),
        ("kmod, linux-base (>= 4.12~)", "linux-base (>= 4.12~)"),
        ("gone", "gone"),
        ("initramfs-tools | tiny-initramfs", "initramfs-tools | tiny-initramfs"),
        ("linux-initramfs-tool (>= 1)", "linux-initramfs-tool (>= 1)"),
        ("initrd-maker (>= 4)", "initrd-maker (>= 4)"),
        ("fwupdate", "fwupdate"),
    ],
)
@pytest.mark.parametrize("field", ["Depends", "Pre_Depends"])
def test_what_is_missing_is_named(tmp_path: pathlib.Path, field: str, depends: str, missing: str) -> None:
    ((finding, message),) = said(look(tmp_path), package(**{field: depends}))
    assert finding == "kernel.dependency-missing"
    assert f"needs {missing}, which the guest has not" in message


def test_a_package_that_is_brought_takes_the_place_of_the_older_one(tmp_path: pathlib.Path) -> None:
    facts, image = look(tmp_path), package(Pre_Depends="linux-base (>= 4.12~)")
    assert said(facts, image, package("linux-base", "4.12.1", "all")) == []
    assert [one for one, _message in said(facts, image, package("linux-base", "4.10", "all"))] == [
        "kernel.dependency-missing"
    ]


@pytest.mark.parametrize("state", ["unpacked", "installed"])
@pytest.mark.parametrize("more", [{"Breaks": "fwupdate (<< 12-7)"}, {"Conflicts": "linux-initramfs-tool, other"}])
def test_what_does_not_go_together_is_refused(tmp_path: pathlib.Path, state: str, more: dict[str, str]) -> None:
    ((finding, message),) = said(look(tmp_path, state=state), package(**more))
    assert finding == "kernel.package-refused"
    assert "does not go together with" in message


@pytest.mark.parametrize(
    ("brought", "why"),
    [
        (package("openssh-server"), "no package of a kernel"),
        (package("linux-libc-dev"), "no package of a kernel"),
        (package("linux-image-1\n"), "no package of a kernel"),
        (package(architecture="arm64"), "it is for arm64, and the guest is amd64"),
        (package(architecture=""), "it is for no architecture"),
        (package(Depends="$(reboot)"), "no relation to a package"),
    ],
)
def test_what_is_no_kernel_for_this_guest_is_refused(tmp_path: pathlib.Path, brought: Brought, why: str) -> None:
    ((finding, message),) = said(look(tmp_path), brought)
    assert finding == "kernel.package-refused"
    assert why in message


def test_two_versions_of_a_package_are_refused(tmp_path: pathlib.Path) -> None:
    found = said(look(tmp_path), package(), package(version="6.12.10-1"))
    assert [message.partition(": ")[2] for _finding, message in found] == [f"{IMAGE} is there more than once."] * 2


def test_what_others_depend_on_is_installed_first(tmp_path: pathlib.Path) -> None:
    meta = package("linux-image-amd64", Depends=f"{IMAGE} (= 6.12.9-1)")
    image = package(Pre_Depends="linux-base (>= 4.12~)")
    base = package("linux-base", "4.12.1", "all")
    assert kernel_packages.to_install(look(tmp_path), (meta, image, base), RELEASE) == (base, image, meta)


def test_packages_that_wait_for_each_other_are_in_the_order_in_which_they_were_brought(tmp_path: pathlib.Path) -> None:
    one, other = package("linux-base-a", Depends="linux-base-b"), package("linux-base-b", Depends="linux-base-a")
    assert kernel_packages.to_install(look(tmp_path), (other, one), RELEASE) == (other, one)


def test_what_the_guest_has_and_other_kernels_are_left_out(tmp_path: pathlib.Path) -> None:
    packages = (package(), package("linux-base", "4.9", "all"), package("linux-image-6.12.8-amd64"))
    assert kernel_packages.to_install(look(tmp_path), packages, RELEASE) == packages[:1]


def test_the_size_is_that_of_the_installed_files() -> None:
    assert package(Installed_Size="106911").size == 106911 * 1024
    assert package().size == package(Installed_Size="-1").size == package(Installed_Size="²").size == 0


def test_packages_that_dpkg_was_cut_off_in_are_told_also_from_its_updates(tmp_path: pathlib.Path) -> None:
    update = (
        "=== /var/lib/dpkg/updates/0000\nPackage: openssh-server\nStatus: install ok unpacked\nArchitecture: amd64\n"
        "Version: 1:9.2\n=== /var/lib/dpkg/updates/0001\nPackage: fwupdate\nStatus: install ok installed\n"
        "Architecture: amd64\nVersion: 12-6\n=== /var/lib/dpkg/updates/tmp.i\nPackage: kmod\nStatus: install ok half\n"
        f"=== /var/lib/dpkg/updates/0002\nPackage: {IMAGE}\nStatus: install ok half-configured\nArchitecture: amd64\n"
    )
    facts = look(tmp_path, update)
    assert facts.packages.is_interrupted
    assert [(one.name, one.state) for one in facts.packages.installed] == [(IMAGE, "half-configured")]
    assert kernel_packages.unfinished(facts) == ("openssh-server",)
    assert kernel_packages.unfinished(look(tmp_path / "other")) == ("fwupdate",)
