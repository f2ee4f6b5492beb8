# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of the lab that get chrony, without a network that leads to Debian's archive."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control
from ansible_collections.rehost.hyperv.tests.lab.machine import Machine

MAKE_REPOSITORY = pathlib.Path(__file__).resolve().parents[3] / "molecule" / "guest_integration" / "make_repository.py"
# chrony, and what a small guest lacks of what it needs
PACKAGES = (
    *(
        "apparmor",
        "chrony",
        "libcap2",
        "libedit2",
        "libbsd0",
        "libffi8",
        "libgnutls30",
        "libhogweed6",
        "libidn2-0",
        "libmd0",
    ),
    *("libnettle8", "libp11-kit0", "libseccomp2", "libtasn1-6", "libunistring2", "sensible-utils", "tzdata", "ucf"),
)
RESULTS = {"guest_time": ("guest_time_result", "guest_time_proof"), "guest_clock": ("guest_clock_result",)}
PATIENCE = 3600  # seconds until one of the machines of others ends


@contextlib.contextmanager
def running() -> t.Iterator[Machine]:
    """A Debian 12 that the roles can install packages on."""
    disk = lab.make_image("bookworm", "plain", extra_packages=("python3-apt",))
    with lab.start("hyperv-gen1", disk, overlay=True, slot_timeout=PATIENCE) as machine:
        machine.wait_for_ssh(600)
        yield machine


def make_repository(directory: pathlib.Path) -> pathlib.Path | None:
    """The directory of the packages; None when they cannot be downloaded."""
    made = directory / "repository"
    done = subprocess.run([sys.executable, MAKE_REPOSITORY, made, *PACKAGES], check=False)
    return None if done.returncode else made


def unpack(repository: pathlib.Path) -> pathlib.Path:
    """A tree with what is in the packages, for use where nothing is to be installed."""
    tree = repository.with_name("tree")
    for package in sorted(repository.glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, tree], check=True)
    return tree


def bring_packages(machine: Machine, repository: pathlib.Path) -> None:
    """The guest takes them from there, and from nowhere else."""
    archive = repository.with_suffix(".tar")
    subprocess.run(["tar", "-C", repository.parent, "-cf", archive, repository.name], check=True)
    machine.copy_in(archive, "/srv/repository.tar")
    machine.run("tar -C /srv -xf /srv/repository.tar")
    machine.run("echo 'deb [trusted=yes] file:/srv/repository ./' > /etc/apt/sources.list")


def run_role(machine: Machine, role: str, directory: pathlib.Path, **variables: t.Any) -> t.Dict[str, t.Any]:
    """What the role leaves in its variables, and what it printed."""
    kept = ", ".join(f"'{name}': {name}" for name in RESULTS[role])
    tasks = [
        {"ansible.builtin.include_role": {"name": f"rehost.hyperv.{role}", "public": True}, "vars": variables},
        {
            "ansible.builtin.copy": {
                "content": f"{{{{ {{{kept}}} | to_json }}}}",
                "dest": str(directory / "kept.json"),
                "mode": "0600",
            },
            "delegate_to": "localhost",
            "changed_when": False,
        },
    ]
    playbook = directory / "playbook.json"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    printed = control.run_playbook(str(playbook), machine.inventory)
    found: t.Dict[str, t.Any] = json.loads((directory / "kept.json").read_text())
    return {**found, "printed": printed}
