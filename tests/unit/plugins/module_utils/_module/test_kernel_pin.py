# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._module import kernel_pin
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import NEW, OLD, Machine

ARGUMENTS = {name: spec.get("default") for name, spec in kernel_pin.ARGUMENTS.items()}


def call(machine: Machine, **arguments: t.Any) -> dict[str, t.Any]:
    return kernel_pin.judge(machine.look(), {**ARGUMENTS, **arguments})


def test_the_step_names_the_default_and_why(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    told = call(machine, kernel=NEW)
    assert (told["phase"], told["kernel"], told["default"], told["default_before"]) == ("restart", NEW, OLD, NEW)
    assert told["why"] == f"{NEW} is asked for by name; the next start tries {NEW} once; {OLD} stays the default"
    assert kernel_pin.plan(machine.look(), {**ARGUMENTS, "kernel": NEW}).changes


@pytest.mark.parametrize("limit", [0, 29, 86401])
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: pathlib.Path, limit: int) -> None:
    with pytest.raises(GuestError, match="trial_limit"):
        call(Machine(tmp_path), trial_limit=limit)


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb builds the package")
def test_the_kernel_in_a_package_is_chosen_whatever_its_flavour(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path / "guest")
    control = tmp_path / "p" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    packages = []
    for name in ("linux-image-6.12.9-hyperv", "linux-headers-6.12.9-hyperv"):
        control.write_text(f"Package: {name}\nVersion: 6.12.9-1\nArchitecture: amd64\nMaintainer: n\nDescription: d\n")
        packages.append(str(tmp_path / f"{name}.deb"))
        subprocess.run(["dpkg-deb", "-b", tmp_path / "p", packages[-1]], check=True, stdout=subprocess.DEVNULL)
    told = call(machine, packages=packages)
    assert (told["phase"], told["kernel"], told["origin"]) == ("install", "6.12.9-hyperv", "package")
    assert told["default"] == OLD
    with pytest.raises(GuestError, match="holds a kernel"):
        call(machine, packages=packages[1:])
    with pytest.raises(GuestError, match="is not there"):
        call(machine, packages=["/nowhere.deb"])
