# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a play shows of a build, and what it does when its time is up."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host
from ansible_collections.rehost.hyperv.plugins.module_utils._build.source import sha256_of
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_build as plan
from ansible_collections.rehost.hyperv.tests.unit import kernel_source

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(host.missing_packages(plan.needed_packages(kernel_source.VERSION, has_certificates=True)))
        or host.free_space("/tmp") < plan.needed_space(is_small=False),
        reason="what a kernel is built with is not installed, or there is no room for one",
    ),
]

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - rehost.hyperv.kernel_build:
        directory: {directory}/kernel
        tarball: {tarball}
        tarball_sha256: {sha256}
        base: {directory}/base
        timeout: {timeout}
"""


def play(directory: pathlib.Path, tarball: pathlib.Path, timeout: int | str) -> subprocess.CompletedProcess[str]:
    path = directory / "play.yml"
    path.write_text(PLAY.format(directory=directory, tarball=tarball, sha256=sha256_of(str(tarball)), timeout=timeout))
    return subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", path],
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_build_outlives_the_play_that_gave_up_and_is_found_by_the_next(tmp_path: pathlib.Path) -> None:
    wait = f"\twhile [ ! -e {tmp_path}/go ]; do sleep 0.1; done\n"
    makefile = kernel_source.MAKEFILE.replace("\t@cp $< $@\ndrivers", f"{wait}\t@cp $< $@\ndrivers")
    tarball = kernel_source.make_tarball(tmp_path, Makefile=makefile)
    (tmp_path / "base").write_text("CONFIG_HYPERV=y\n")
    first = play(tmp_path, tarball, 4)
    assert first.returncode != 0
    assert "6.1.5: compile 4 %" in first.stdout
    assert "is not built after 4 s; it is at 4 % (compile) and goes on" in " ".join(first.stdout.split())
    (tmp_path / "go").touch()
    second = play(tmp_path, tarball, 60)
    assert second.returncode == 0, second.stdout
    assert "failed=0" in second.stdout


def test_a_time_that_is_none_is_refused_before_anything_begins(tmp_path: pathlib.Path) -> None:
    done = play(tmp_path, kernel_source.make_tarball(tmp_path), "soon")
    assert done.returncode != 0
    assert "timeout is a number of seconds, and not 'soon'" in " ".join((done.stdout + done.stderr).split())
    assert not (tmp_path / "kernel").exists()
