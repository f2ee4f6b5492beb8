# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What time_sync writes, read by the daemons of Debian 11, 12 and 13 themselves.

They run in their own network without the right to set the clock; the trees are Debian's packages, unpacked, and kept
under .cache/time.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import Runner
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import time_services as catalog
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import time_service
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import small_guest

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and chroots"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap unpacks the packages"),
]

CACHE = pathlib.Path(__file__).resolve().parents[3] / ".cache" / "time"
SERVERS = ("192.0.2.1", "ntp1.example.org")
USERS = ("root", "_chrony", "ntp", "ntpsec", "openntpd")
DEVICES = {"null": 3, "zero": 5, "random": 8, "urandom": 9}
CHRONY = tuple((suite, "chrony") for suite in ("bullseye", "bookworm", "trixie"))
PARTS = frozenset({"hypervisor", "clock", "time_services"})


def unpack(suite: str, package: str) -> pathlib.Path:
    """A tree with a package and what it needs, as far as unpacking goes; made once."""
    tree = CACHE / f"{suite}-{package}"
    if tree.exists():
        return tree
    made = CACHE / f"{suite}-{package}.new"
    shutil.rmtree(made, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--mode=root", "--variant=extract", "--quiet", f"--include={package}", suite, str(made)]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        pytest.skip(f"{package} of {suite} cannot be downloaded")
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (made / name).exists():
            (made / name).symlink_to(f"usr/{name}")
    for name, minor in DEVICES.items():
        if not (made / "dev" / name).exists():
            os.mknod(made / "dev" / name, 0o020666, os.makedev(1, minor))
    (made / "etc/passwd").write_text("".join(f"{user}:x:{n}:{n}::/:/bin/sh\n" for n, user in enumerate(USERS)))
    (made / "etc/group").write_text("".join(f"{user}:x:{n}:\n" for n, user in enumerate(USERS)))
    configuration = made / catalog.CONFIGURATIONS[catalog.CHRONY].lstrip("/")
    if package == "chrony":  # as its postinst does
        shutil.copy(made / "usr/share/chrony/chrony.conf", configuration)
    (made / "boot/grub").mkdir(parents=True, exist_ok=True)
    (made / "boot/grub/grub.cfg").write_text('set default="0"\n' + small_guest.entry(small_guest.VERSION))
    made.rename(tree)
    return tree


class Guest(t.NamedTuple):
    """A tree that a test may change."""

    path: pathlib.Path

    def configure(self, **wanted: t.Any) -> None:
        root = Root(str(self.path))
        apply(root, time_service.plan(gather(root, PARTS), time_service.Wanted(**wanted)), Runner())
        assert not time_service.plan(gather(root, PARTS), time_service.Wanted(**wanted))

    def run(self, *argv: str) -> t.Tuple[int, str]:
        """How a program of the guest ends, or 124 after five seconds, and all that it says."""
        return self.run_beside("chroot", str(self.path), *argv)

    def run_beside(self, *argv: str) -> t.Tuple[int, str]:
        """The same of a program of this machine."""
        without = ("setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time")
        done = subprocess.run(
            [*without, "timeout", "5", "unshare", "--net", "--pid", "--fork", "--kill-child", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def show_clock_of_host(self) -> None:
        """What the rules of udev do when the device appears."""
        (self.path / "run/rehost-hyperv").mkdir(parents=True)
        (self.path / catalog.RUN_REFCLOCK.lstrip("/")).symlink_to(catalog.REFCLOCK)


@pytest.fixture
def guest(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> t.Iterator[Guest]:
    lower = unpack(*request.param)
    with contextlib.ExitStack() as stack:
        layers, merged = tmp_path / "layers", tmp_path / "guest"
        layers.mkdir()
        merged.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", layers], check=True)
        stack.callback(subprocess.run, ["umount", layers], check=True)
        (layers / "upper").mkdir()
        (layers / "work").mkdir()
        options = f"lowerdir={lower},upperdir={layers / 'upper'},workdir={layers / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "none", merged], check=True)
        stack.callback(subprocess.run, ["umount", merged], check=True)
        yield Guest(merged)


@pytest.mark.parametrize("guest", CHRONY, indirect=True)
def test_chronyd_reads_what_is_written_and_starts_without_the_clock_of_the_host(guest: Guest) -> None:
    guest.configure(servers=SERVERS)
    code, said = guest.run("/usr/sbin/chronyd", "-p")
    assert code == 0, said
    lines = said.split("\n")
    assert [line for line in lines if "PHC" in line] == []
    assert {"server 192.0.2.1 iburst", "server ntp1.example.org iburst", catalog.STEP_LINE} <= set(lines)
    code, said = guest.run("/usr/sbin/chronyd", "-x", "-d", "-u", "root")
    assert "Fatal" not in said
    assert code == 124, said  # it ran until it was ended


@pytest.mark.parametrize("guest", CHRONY, indirect=True)
def test_chronyd_is_told_of_the_clock_of_the_host_by_the_link(guest: Guest) -> None:
    guest.configure()
    guest.show_clock_of_host()
    _code, said = guest.run("/usr/sbin/chronyd", "-p")
    assert catalog.REFCLOCK_LINE in said.split("\n")
    # and ends where there is none: what the link is for
    code, said = guest.run("/usr/sbin/chronyd", "-x", "-d", "-u", "root")
    assert code == 1
    assert "Could not open PHC" in said


@pytest.mark.parametrize("guest", CHRONY, indirect=True)
def test_the_makestep_that_counts_steps_at_any_time(guest: Guest) -> None:
    """It is the last one that chronyd reads, or chronyc says it."""
    guest.configure()
    _code, said = guest.run("/usr/sbin/chronyd", "-p")
    steps = [line for line in said.split("\n") if line.startswith("makestep")]
    told = guest.path / catalog.CHRONY_UNIT_PART.lstrip("/")
    assert (steps[-1] == catalog.STEP_LINE) != told.exists()


@pytest.mark.parametrize("guest", CHRONY, indirect=True)
def test_without_conf_d_the_block_does_the_same(guest: Guest) -> None:
    configuration = guest.path / "etc/chrony/chrony.conf"
    lines = configuration.read_text().split("\n")
    configuration.write_text("\n".join(line for line in lines if not line.startswith("confdir")))
    guest.configure(servers=SERVERS)
    guest.show_clock_of_host()
    code, said = guest.run("/usr/sbin/chronyd", "-p")
    assert code == 0, said
    assert [line for line in said.split("\n") if line.startswith("makestep")][-1] == catalog.STEP_LINE
    assert catalog.REFCLOCK_LINE in said


@pytest.mark.parametrize("guest", CHRONY, indirect=True)
def test_chronyc_tells_chronyd_when_to_step(guest: Guest) -> None:
    guest.configure()
    script = (
        f"chroot {guest.path} /usr/sbin/chronyd -x -d -u root & for n in 1 2 3 4 5 6 7 8; do sleep 0.5;"
        f" chroot {guest.path} /usr/bin/chronyc {catalog.STEP_LINE} && break; done"
    )
    _code, said = guest.run_beside("sh", "-c", script)
    assert "200 OK" in said


@pytest.mark.parametrize("guest", [("bookworm", "ntpsec"), ("trixie", "ntpsec")], indirect=True)
def test_ntpd_of_ntpsec_reads_its_directory(guest: Guest) -> None:
    guest.configure(servers=SERVERS)
    _code, said = guest.run("/usr/sbin/ntpd", "-n", "-c", catalog.CONFIGURATIONS["ntpsec"])
    assert "parsing directory: /etc/ntpsec/ntp.d" in said
    assert "syntax error" not in said
    part = guest.path / catalog.NTPSEC_PART.lstrip("/")
    part.write_text(part.read_text() + "no such directive\n")
    _code, said = guest.run("/usr/sbin/ntpd", "-n", "-c", catalog.CONFIGURATIONS["ntpsec"])
    assert "syntax error in /etc/ntpsec/ntp.d/rehost-hyperv.conf" in said


@pytest.mark.parametrize("guest", [("bullseye", "ntp")], indirect=True)
def test_ntpd_reads_its_block(guest: Guest) -> None:
    guest.configure(servers=SERVERS[:1])
    _code, said = guest.run("/usr/sbin/ntpd", "-n", "-c", "/etc/ntp.conf")
    assert "ntpd 4.2.8" in said
    assert "syntax error" not in said


@pytest.mark.parametrize("guest", [(suite, "openntpd") for suite in ("bullseye", "bookworm", "trixie")], indirect=True)
def test_openntpd_accepts_its_block(guest: Guest) -> None:
    guest.configure(servers=SERVERS)
    assert guest.run("/usr/sbin/ntpd", "-n", "-f", catalog.CONFIGURATIONS["openntpd"]) == (0, "configuration OK\n")
    configuration = guest.path / "etc/openntpd/ntpd.conf"
    configuration.write_text(configuration.read_text().replace("server 192", "serve 192"))
    code, _said = guest.run("/usr/sbin/ntpd", "-n", "-f", catalog.CONFIGURATIONS["openntpd"])
    assert code != 0
