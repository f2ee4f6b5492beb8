# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module as Ansible runs it: a program that takes its arguments as JSON."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host
from ansible_collections.rehost.hyperv.plugins.module_utils._build.source import sha256_of
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_build as plan
from ansible_collections.rehost.hyperv.plugins.modules import kernel_build
from ansible_collections.rehost.hyperv.tests.unit import kernel_source

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(host.missing_packages(plan.needed_packages(kernel_source.VERSION, has_certificates=True)))
        or host.free_space("/tmp") < plan.needed_space(is_small=False),
        reason="what a kernel is built with is not installed, or there is no room for one",
    ),
]

COLLECTIONS = pathlib.Path(kernel_build.__file__).parents[5]


def run(*, check_mode: bool = False, **arguments: t.Any) -> dict[str, t.Any]:
    given = {"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}}
    done = subprocess.run(
        [sys.executable, kernel_build.__file__],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, t.Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def arguments(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    tarball = str(kernel_source.make_tarball(tmp_path))
    (tmp_path / "base").write_text("CONFIG_HYPERV=y\n")
    directory, base = str(tmp_path / "kernel"), str(tmp_path / "base")
    return {"directory": directory, "tarball": tarball, "tarball_sha256": sha256_of(tarball), "base": base}


def test_check_run_check_run(arguments: dict[str, t.Any]) -> None:
    assert run(check_mode=True, **arguments)["changed"]
    made = run(**arguments)
    assert (made["changed"], made["state"], made["release"]) == (True, "built", "6.1.5-hyperv")
    assert not run(check_mode=True, **arguments)["changed"]
    assert not run(**arguments)["changed"]


def test_a_failed_build_fails_the_module_with_all_that_is_known(arguments: dict[str, t.Any]) -> None:
    found = run(fragment="CONFIG_HYPERV_UTILS=y\n", **arguments)
    assert found["failed"]
    assert "CONFIG_HYPERV_UTILS=y was asked for (fragment), and is n: it depends on" in found["msg"]
    assert "Set what they depend on" in found["msg"]
    assert [one["reason"] for one in found["lost"]] == ["unmet-dependency"]


def test_an_error_says_what_where_and_what_to_do(arguments: dict[str, t.Any]) -> None:
    found = run(**dict(arguments, tarball_sha256="0" * 64))
    assert found["failed"]
    assert found["path"] == arguments["tarball"]
    assert "Get it anew" in found["msg"]


def test_a_source_is_asked_for_once(arguments: dict[str, t.Any]) -> None:
    assert "mutually exclusive" in run(release="6.1", **arguments)["msg"]
    assert "one of the following is required" in run(directory=arguments["directory"])["msg"]
