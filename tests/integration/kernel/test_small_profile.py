# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small kernel, really built: once for a checkout (.cache/kernel), and once more to see that it is the same.

A second build with ccache, where that is installed, compiles what the first one has not; what the compiler would have
made otherwise the second time is then not seen. Without ccache everything is compiled twice.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing as t

import ansible
import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import host
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_config
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_build as plan
from ansible_collections.rehost.hyperv.plugins.modules import kernel_build

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
CACHE = CHECKOUT / ".cache"
COLLECTIONS = pathlib.Path(kernel_build.__file__).parents[5]
RELEASE = "6.1"
LIMIT = 3 * 3600  # seconds

pytestmark = pytest.mark.skipif(
    bool(host.missing_packages(plan.needed_packages(RELEASE, has_certificates=False))),
    reason="what a kernel is built with is not installed",
)


def run(*before: str, **arguments: t.Any) -> dict[str, t.Any]:
    """The module with these arguments, after the words of another program."""
    # another user may not reach an interpreter in somebody's home
    python = "/usr/bin/python3" if before else sys.executable
    libraries = f"{COLLECTIONS}:{pathlib.Path(ansible.__file__).parents[1]}"
    search = "/usr/lib/ccache:" + os.environ["PATH"] if os.path.isdir("/usr/lib/ccache") else os.environ["PATH"]
    done = subprocess.run(
        [*before, python, kernel_build.__file__],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": {"release": RELEASE, "timeout": LIMIT, **arguments}}),
        capture_output=True,
        text=True,
        check=False,
        env={"CCACHE_DIR": str(CACHE / "ccache"), **os.environ, "PYTHONPATH": libraries, "PATH": search},
    )
    found: dict[str, t.Any] = json.loads(done.stdout)
    assert not found.get("failed"), found["msg"]
    return found


@pytest.fixture(scope="module")
def built() -> dict[str, t.Any]:
    return run(directory=str(CACHE / "kernel"))


def test_it_has_image_and_headers(built: dict[str, t.Any]) -> None:
    assert [one["kind"] for one in built["packages"]] == ["headers", "image"]
    assert all(pathlib.Path(one["path"]).stat().st_size == one["size"] for one in built["packages"])


def test_it_is_not_built_again(built: dict[str, t.Any]) -> None:
    again = run(directory=str(CACHE / "kernel"))
    assert again == dict(built, changed=False, invocation=again["invocation"])


def test_what_a_boot_without_modules_needs_is_built_in(built: dict[str, t.Any]) -> None:
    config = kernel_config.read(pathlib.Path(built["config"]).read_text())
    for symbol in ("HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "HYPERV_UTILS", "TULIP", "EXT4_FS", "EFI_STUB"):
        assert config.state(symbol) == "y"


def test_another_user_elsewhere_builds_the_same_packages(built: dict[str, t.Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="kernel-", dir="/var/tmp") as directory:
        as_user: tuple[str, ...] = ()
        if os.geteuid() == 0:
            os.chown(directory, 65534, 65534)
            as_user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"HOME={directory}")
            as_user += (f"CCACHE_DIR={directory}/ccache",)
            if (CACHE / "ccache").is_dir():
                shutil.copytree(CACHE / "ccache", f"{directory}/ccache")
                subprocess.run(["chown", "-R", "65534:65534", f"{directory}/ccache"], check=True)
        again = run(*as_user, directory=f"{directory}/elsewhere")
        assert [(one["name"], one["sha256"]) for one in again["packages"]] == [
            (one["name"], one["sha256"]) for one in built["packages"]
        ]
