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
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import CLOUD, NEW, OLD, Machine

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
    assert taken(machine, kernel="6.1.177-1") in (("6.1.0-51-amd64", RELEASE), ("6.1.0-51-cloud-amd64", RELEASE))
    assert taken(machine, kernel="6.1.177-1", flavour="cloud-amd64") == ("6.1.0-51-cloud-amd64", RELEASE)


def test_a_newer_kernel_without_a_known_defect_goes_before_an_older_one_with_it(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD])
    machine.offered = (FAULTY,)
    assert taken(machine) == (OLD, INSTALLED)


def test_what_is_pinned_stays(machine: Machine) -> None:
    from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_pin

    machine.run(kernel_pin.Wanted(choice=Wanted(kernel=OLD)))
    assert taken(machine) == (OLD, INSTALLED)
    assert taken(machine, upgrade=True) == ("6.1.0-51-amd64", RELEASE)


def test_a_kernel_without_a_package_counts_as_installed(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD, CLOUD], extra="=== /var/lib/dpkg/status\n")
    found = choose(machine.look(), Wanted(kernel=CLOUD)).kernel
    assert found == Candidate(CLOUD, None, CLOUD, INSTALLED)
