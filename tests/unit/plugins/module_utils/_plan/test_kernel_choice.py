# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.apt_cache import Offer
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_choice import (
    BACKPORTS,
    INSTALLED,
    RELEASE,
    Candidate,
    Wanted,
    choose,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_choice import (
    OTHER as OTHER_SUITE,
)
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import CLOUD, NEW, OLD, Machine, status

NEWER = Offer("linux-image-6.1.0-51-amd64", "6.1.177-1", "bookworm/main")
FAULTY = Offer("linux-image-6.1.0-21-amd64", "6.1.90-1", "bookworm/main")
FAR = Offer(f"linux-image-{NEW}", "6.12.9-1~bpo12+1", "bookworm-backports/main")
OTHER = Offer("linux-image-6.1.0-51-cloud-amd64", "6.1.177-1", "bookworm/main")


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    machine = Machine(tmp_path, [OLD])
    machine.offered = (NEWER, FAULTY, FAR, OTHER)
    return machine


def taken(machine: Machine, **wanted: object) -> tuple[str, str]:
    found = choose(machine.look(), Wanted(**wanted)).kernel  # type: ignore[arg-type]
    assert found is not None
    return found.release, found.origin


def test_the_newest_of_the_release_in_the_same_flavour_is_taken(machine: Machine) -> None:
    assert taken(machine) == ("6.1.0-51-amd64", RELEASE)


def test_backports_are_taken_when_they_may(machine: Machine) -> None:
    assert taken(machine, backports=True) == (NEW, BACKPORTS)


def test_a_kernel_that_is_enough_stays(machine: Machine) -> None:
    assert taken(machine, minimum="6.1.123-1") == (OLD, INSTALLED)
    assert taken(machine, minimum="6.1.123-1", upgrade=True) == ("6.1.0-51-amd64", RELEASE)
    assert taken(machine, minimum="6.1.177") == ("6.1.0-51-amd64", RELEASE)


def test_what_is_not_to_be_had_is_said(machine: Machine) -> None:
    for wanted in (Wanted(minimum="6.12"), Wanted(flavour="rt-amd64"), Wanted(kernel="5.10.0-1-amd64")):
        found = choose(machine.look(), wanted)
        assert found.kernel is None
        assert [finding.id for finding in found.findings] == ["kernel.none-offered"]
    assert "the newest is 6.1.177-1" in choose(machine.look(), Wanted(minimum="6.12")).findings[0].message
    assert "backports: true" in choose(machine.look(), Wanted(minimum="6.12")).findings[0].remedy


def test_a_kernel_by_name_is_taken_from_anywhere(machine: Machine) -> None:
    assert taken(machine, kernel=NEW) == (NEW, BACKPORTS)
    assert taken(machine, kernel="6.1.177-1") == ("6.1.0-51-amd64", RELEASE)
    assert taken(machine, kernel="6.1.177-1", flavour="cloud-amd64") == ("6.1.0-51-cloud-amd64", RELEASE)


def test_a_version_of_several_flavours_is_that_of_the_guest_or_none(machine: Machine) -> None:
    rt = Offer("linux-image-6.1.0-51-rt-amd64", "6.1.177-1", "bookworm/main")
    machine.offered = (rt, OTHER, NEWER)
    assert taken(machine, kernel="6.1.177-1") == ("6.1.0-51-amd64", RELEASE)
    machine.offered = (rt, OTHER)
    found = choose(machine.look(), Wanted(kernel="6.1.177-1"))
    assert found.kernel is None
    assert "6.1.0-51-cloud-amd64, 6.1.0-51-rt-amd64" in found.findings[0].message
    machine.offered = (rt,)
    assert taken(machine, kernel="6.1.177-1") == ("6.1.0-51-rt-amd64", RELEASE)


@pytest.mark.parametrize(
    "suite",
    [
        "testing/main",
        "unstable/main",
        "sid/main",
        "experimental/main",
        "trixie/main",
        "trixie-backports/main",
        "bookworm-proposed-updates/main",
        "stable/main",
        "testing-backports/main",
        "",
    ],
)
def test_what_is_not_of_the_release_is_taken_only_by_name(machine: Machine, suite: str) -> None:
    far = Offer("linux-image-6.19.3+deb14-amd64", "6.19.3-1", suite)
    machine.offered = (NEWER, far)
    assert taken(machine, backports=True) == ("6.1.0-51-amd64", RELEASE)
    assert taken(machine, kernel="6.19.3+deb14-amd64") == ("6.19.3+deb14-amd64", OTHER_SUITE)
    assert taken(machine, kernel="6.19.3-1") == ("6.19.3+deb14-amd64", OTHER_SUITE)


def test_an_alias_that_has_moved_on_is_another_release(machine: Machine) -> None:
    machine.offered = (NEWER, Offer("linux-image-6.12.95+deb13-amd64", "6.12.95-1", "stable/main"))
    assert taken(machine, backports=True) == ("6.1.0-51-amd64", RELEASE)


@pytest.mark.parametrize(
    "suite",
    ["bookworm", "bookworm-security", "bookworm-updates", "bookworm/updates", "stable", "oldstable-security"],
)
def test_the_suites_of_the_release_count_as_it(machine: Machine, suite: str) -> None:
    machine.offered = (NEWER._replace(suite="sid/main"), NEWER._replace(suite=f"{suite}/main"))
    assert taken(machine) == ("6.1.0-51-amd64", RELEASE)


def test_a_newer_kernel_without_a_known_defect_goes_before_an_older_one_with_it(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD])
    machine.offered = (FAULTY,)
    assert taken(machine) == (OLD, INSTALLED)


def test_what_is_pinned_stays(machine: Machine) -> None:
    from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_pin

    machine.run(kernel_pin.Wanted(choice=Wanted(kernel=OLD)))
    assert taken(machine) == (OLD, INSTALLED)
    assert taken(machine, upgrade=True) == ("6.1.0-51-amd64", RELEASE)


def half_installed(path: pathlib.Path) -> Machine:
    text = status([OLD, NEW]).replace(
        f"Package: linux-image-{NEW}\nStatus: install ok installed",
        f"Package: linux-image-{NEW}\nStatus: install reinstreq half-installed",
    )
    return Machine(path, extra=text)


def test_a_kernel_that_is_half_installed_is_installed_anew(tmp_path: pathlib.Path) -> None:
    machine = half_installed(tmp_path)
    machine.offered = (FAR,)
    assert taken(machine, backports=True) == (NEW, BACKPORTS)
    assert taken(machine, kernel=NEW) == (NEW, BACKPORTS)


def test_a_kernel_that_is_half_installed_and_not_offered_is_not_taken_for_whole(tmp_path: pathlib.Path) -> None:
    from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_pin

    machine = half_installed(tmp_path)
    found = choose(machine.look(), Wanted(kernel=NEW)).kernel
    assert found == Candidate(NEW, f"linux-image-{NEW}", "6.12.9-1~bpo12+1", INSTALLED)
    step = machine.step(kernel_pin.Wanted(choice=Wanted(kernel=NEW)))
    assert step.phase == "repair"
    assert "reinstall" in step.findings[0].message


def test_a_kernel_without_a_package_is_not_newer_than_any_with_one(tmp_path: pathlib.Path) -> None:
    own = "6.1.999-amd64"  # made and put there by hand
    machine = Machine(tmp_path, [OLD], extra=small_guest.kernel(own))
    assert taken(machine) == (OLD, INSTALLED)
    assert taken(machine, minimum="6.1.100-1") == (OLD, INSTALLED)
    assert taken(machine, kernel=own) == (own, INSTALLED)


def test_a_kernel_without_a_package_counts_as_installed(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD, CLOUD], extra="=== /var/lib/dpkg/status\n")
    found = choose(machine.look(), Wanted(kernel=CLOUD)).kernel
    assert found == Candidate(CLOUD, None, CLOUD, INSTALLED)
