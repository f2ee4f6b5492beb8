# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role does with the configuration of a guest, which here is this machine with another /boot."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host
from ansible_collections.rehost.hyperv.plugins.module_utils._build.source import sha256_of
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_build as plan
from ansible_collections.rehost.hyperv.tests.unit import child_process, kernel_source

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can put another directory over /boot"),
    pytest.mark.skipif(
        bool(host.missing_packages(plan.needed_packages(kernel_source.VERSION, has_certificates=True)))
        or host.free_space("/tmp") < plan.needed_space(is_small=False),
        reason="what a kernel is built with is not installed, or there is no room for one",
    ),
]

PLAY = """
- hosts: builder
  gather_facts: false
  roles:
    - role: rehost.hyperv.kernel_build
      vars:
        kernel_build_directory: {directory}/kernel
        kernel_build_tarball: {tarball}
        kernel_build_tarball_sha256: {sha256}
        kernel_build_base_guest: guest
        kernel_build_destination: {directory}/packages
  tasks:
    - ansible.builtin.debug:
        msg: "to be built in {{{{ kernel_build_result.directory }}}}"

- hosts: guest
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "packages for the guest: {{{{ hostvars.builder.kernel_build_packages | length }}}}"
"""


def play(directory: pathlib.Path, config: str, *, mode: str = "--check") -> subprocess.CompletedProcess[str]:
    """The role, for a guest with this configuration."""
    tarball = directory / f"linux-{kernel_source.VERSION}.tar.xz"
    if not tarball.exists():
        kernel_source.make_tarball(directory)
    path, boot, temporary = directory / "play.yml", directory / "boot", directory / "temporary"
    path.write_text(PLAY.format(directory=directory, tarball=tarball, sha256=sha256_of(str(tarball))))
    boot.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    (boot / f"config-{os.uname().release}").write_text(config)

    def run() -> subprocess.CompletedProcess[str]:
        child_process.leave_mounts()
        child_process.bind(str(boot), "/boot")
        return subprocess.run(
            [pathlib.Path(sys.executable).parent / "ansible-playbook", mode, "-i", "builder,guest", path],
            env={
                **os.environ,
                "ANSIBLE_TRANSPORT": "local",
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                "TMPDIR": str(temporary),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    done: subprocess.CompletedProcess[str] = child_process.call(run)
    assert not list(temporary.glob("kernel-config-*")), done.stdout
    return done


def test_the_configuration_of_a_guest_is_an_input_and_the_file_that_it_came_in_is_none(tmp_path: pathlib.Path) -> None:
    found = []
    for config, mode in (("CONNECTOR", "--check"), ("HYPERV", "--check"), ("HYPERV", "--diff")):
        assert not (tmp_path / "kernel").exists()
        done = play(tmp_path, f"CONFIG_{config}=y\n", mode=mode)
        assert done.returncode == 0, done.stdout + done.stderr
        found += re.findall('to be built in [^"]+', done.stdout)
        assert f"packages for the guest: {2 if mode == '--diff' else 0}" in done.stdout
    assert len(found) == 3
    assert found[0] != found[1] == found[2]
    assert len(list((tmp_path / "packages").glob("linux-*_6.1.5-1_amd64.deb"))) == 2


def test_nothing_is_written_to_a_directory_that_somebody_else_made_first(tmp_path: pathlib.Path) -> None:
    (tmp_path / "kernel").mkdir()
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "kernel" / "config-of-guest").symlink_to(tmp_path / "precious")
    (tmp_path / "kernel").chmod(0o777)
    done = play(tmp_path, "CONFIG_HYPERV=y\n")
    assert done.returncode != 0
    assert "its mode is 0777" in done.stdout
    assert (tmp_path / "precious").read_text() == "as it was"
