# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power fails while role guest_kernel installs a kernel: the guest starts as before, and a second run finishes."""

from __future__ import annotations

import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
SECONDS = 600  # for a boot, on a machine that is busy with other things as well
META_PACKAGE = "linux-image-cloud-amd64"  # a kernel that the guest does not have
# What is true in the guest at that moment. {release}: as `uname -r` says it.
MOMENTS = {
    "dpkg": "[ -d /lib/modules/{release} ]",
    "initramfs": "[ -e /boot/vmlinuz-{release} ] && ls -d /var/tmp/mkinitramfs_*",
    "before-default": "dpkg-query -W -f '${{db:Status-Status}}' linux-image-{release} | grep -qx installed",
}


@pytest.fixture(scope="module")
def suite() -> str:
    """The release of this system: its kernels are those of the guest."""
    name = re.search(r"^VERSION_CODENAME=(\w+)$", pathlib.Path("/etc/os-release").read_text(), re.MULTILINE)
    if name is None or name[1] not in {"bookworm", "trixie"}:
        pytest.skip("apt of this system has no kernel of Debian 12 or 13")
    return name[1]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    depends = subprocess.run(["apt-cache", "depends", META_PACKAGE], capture_output=True, text=True, check=True).stdout
    name = re.search(r"Depends: (linux-image-\d\S+)", depends)
    assert name, depends
    directory = tmp_path_factory.mktemp("package")
    words = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name[1]]
    if subprocess.run(words, cwd=directory, check=False).returncode:
        pytest.skip(f"{name[1]} cannot be downloaded")
    (found,) = directory.iterdir()
    return found


def run_role(machine: lab.Machine, package: pathlib.Path, directory: pathlib.Path) -> t.Dict[str, t.Any]:
    """What the role's last step returned, after the restart with the kernel in the package."""
    kept = directory / "kept.json"
    keep = {"content": "{{ guest_kernel_result | to_json }}", "dest": str(kept), "mode": "0600"}
    tasks = [
        {
            "ansible.builtin.include_role": {"name": "rehost.hyperv.guest_kernel", "public": True},
            "vars": {
                "guest_kernel_packages": [str(package)],
                "guest_kernel_restart": True,
                "guest_kernel_trial_limit": 900,
            },
        },
        {"ansible.builtin.copy": keep, "delegate_to": "localhost"},
    ]
    playbook = directory / "play.json"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    print(control.run_playbook(str(playbook), machine.inventory))
    found: t.Dict[str, t.Any] = json.loads(kept.read_text())
    return found


@pytest.mark.parametrize("moment", sorted(MOMENTS))
def test_the_guest_starts_with_its_old_kernel_and_a_second_run_finishes(
    moment: str, suite: str, package: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    release = package.name.split("_")[0].split("-", 2)[2]
    image = lab.make_image(suite, "plain", extra_packages=("python3-apt",))
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", "-F", "raw", "-b", image, disk], check=True)
    with lab.start("hyperv-gen1", disk) as machine, concurrent.futures.ThreadPoolExecutor(1) as pool:
        machine.wait_for_ssh(SECONDS)
        old = machine.run("uname -r").stdout.strip()
        assert old != release
        watch = f"until {MOMENTS[moment].format(release=release)}; do sleep 0.05; done; echo power-cut >/dev/ttyS0"
        machine.run(f"nohup sh -c {shlex.quote(watch)} >/dev/null 2>&1 &")
        running = pool.submit(run_role, machine, package, tmp_path)
        machine.wait_for_console("power-cut", SECONDS)
        machine.cut_power()
        with pytest.raises(AssertionError, match="unreachable=1"):
            running.result()

    with lab.start("hyperv-gen1", disk) as machine:
        machine.wait_for_ssh(SECONDS)
        assert machine.run("uname -r").stdout.strip() == old
        print(machine.run("dpkg --audit; ls -l /boot", check=False).stdout)
        step = run_role(machine, package, tmp_path)
        assert step["after"]["phase"] == "done"
        assert machine.run("uname -r").stdout.strip() == release
        assert step["after"]["default"] == release
        assert machine.run("dpkg --audit").stdout == ""
        again = run_role(machine, package, tmp_path)
        assert not again["changed"]
