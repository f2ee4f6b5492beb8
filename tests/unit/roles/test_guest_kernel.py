# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role in a real play on this machine; what is not real is the module, which says what a guest would."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

pytestmark = pytest.mark.slow
ROLE = pathlib.Path(__file__).parents[3] / "roles" / "guest_kernel"
MODULE = """\
#!/usr/bin/python
import json
import os

from ansible.module_utils.basic import AnsibleModule

names = "state kernel flavour minimum backports upgrade pin trial trial_limit retry restart packages".split()
spec = {name: {} for name in names}
spec["packages"] = {"type": "list"}
module = AnsibleModule(spec, supports_check_mode=True)
packages = module.params["packages"]
with open(os.environ["SEEN"], "w") as file:
    json.dump({"packages": packages, "all": all(map(os.path.exists, packages))}, file)
step = {"phase": os.environ["PHASE"], "kernel": "6.12", "default": "6.1", "running": "6.1", "why": "it is newer"}
step.update(hold=[], release=[])
module.exit_json(changed=False, findings=[], before=step, after=step)
"""


def play(directory: pathlib.Path, phase: str, variables: t.Mapping[str, t.Any], *options: str) -> tuple[int, str]:
    collection = directory / "collections" / "ansible_collections" / "rehost" / "hyperv"
    (collection / "plugins" / "modules").mkdir(parents=True)
    (collection / "plugins" / "modules" / "kernel_pin.py").write_text(MODULE)
    (collection / "roles").mkdir()
    (collection / "roles" / "guest_kernel").symlink_to(ROLE)
    given = {"guest_kernel_become": False, **variables}
    role = {"role": "rehost.hyperv.guest_kernel", "vars": given}
    (directory / "play.yml").write_text(
        json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": [role]}])
    )
    said = subprocess.run(
        [pathlib.Path(sys.executable).parent / "ansible-playbook", "play.yml", *options],
        cwd=directory,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_NOCOLOR": "1",
            "SEEN": str(directory / "seen"),
            "PHASE": phase,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return said.returncode, " ".join(said.stdout.split())


def test_check_mode_looks_into_the_packages_and_leaves_none(tmp_path: pathlib.Path) -> None:
    package = tmp_path / "linux-image-6.12_1_amd64.deb"
    package.write_text("")
    variables = {"guest_kernel_packages": [str(package)], "guest_kernel_packages_directory": str(tmp_path / "kept")}
    code, said = play(tmp_path, "done", variables, "--check")
    assert code == 0, said
    seen = json.loads((tmp_path / "seen").read_text())
    assert seen["all"]
    assert [pathlib.Path(path).name for path in seen["packages"]] == [package.name]
    assert not pathlib.Path(seen["packages"][0]).parent.exists()
    assert not (tmp_path / "kept").exists()


def test_the_packages_are_kept_on_the_guest_without_check_mode(tmp_path: pathlib.Path) -> None:
    package = tmp_path / "linux-image-6.12_1_amd64.deb"
    package.write_text("")
    variables = {"guest_kernel_packages": [str(package)], "guest_kernel_packages_directory": str(tmp_path / "kept")}
    code, said = play(tmp_path, "done", variables)
    assert code == 0, said
    assert (tmp_path / "kept" / package.name).exists()


def test_a_step_that_is_left_although_it_is_allowed_fails(tmp_path: pathlib.Path) -> None:
    code, said = play(tmp_path, "restart", {"guest_kernel_restart": True})
    assert code != 0
    assert "6.12 is chosen now, and the next step for it is restart (it is newer). Run the role again." in said
    (tmp_path / "later").mkdir()
    code, said = play(tmp_path / "later", "restart", {"guest_kernel_restart": False})
    assert code == 0, said
