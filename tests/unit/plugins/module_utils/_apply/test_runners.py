# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import pathlib
import tempfile
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply import isolation, runners
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import LiveRunner, OfflineRunner, runner_for
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import (
    OUTPUT,
    Command,
    Installation,
    PackageFile,
    Proof,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root


def generate(program: pathlib.Path, *arguments: str) -> bytes:
    command = Command((str(program), *arguments, OUTPUT), "/boot/initrd.img", "wanted", Proof())
    with tempfile.TemporaryFile() as target:
        LiveRunner().generate(command, target)
        target.seek(0)
        return target.read()


@pytest.fixture
def program(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "mkinitramfs"


def write(program: pathlib.Path, script: str) -> None:
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)


def test_what_a_program_generates_is_handed_over_and_its_scratch_removed(program: pathlib.Path) -> None:
    write(program, 'dirname "$2" > "$1"; printf "made\\377\\0" > "$2"')
    place = program.parent / "place"
    assert generate(program, str(place)) == b"made\xff\0"
    assert place.read_text().startswith("/var/tmp/rehost-hyperv-")
    assert not os.path.exists(place.read_text().strip())


def test_a_program_that_generates_nothing_leaves_nothing(program: pathlib.Path) -> None:
    write(program, "exit 0")
    assert generate(program) == b""


def test_a_program_speaks_english_asks_nothing_and_finds_the_system_programs(
    program: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("PATH", "/bin")
    write(program, 'echo "$LC_ALL $DEBIAN_FRONTEND $PATH $(cat)" > "$1"')
    language, frontend, path = generate(program).decode().split()
    assert (language, frontend) == ("C", "noninteractive")
    assert path.startswith("/bin:")
    assert "/usr/sbin" in path.split(":")


def test_the_last_words_of_a_program_that_fails_are_told(program: pathlib.Path) -> None:
    write(program, 'seq 20; printf "caf\\351\\n"; echo "no space" >&2; echo made > "$1"; exit 3')
    with pytest.raises(GuestError) as caught:
        generate(program)
    message = caught.value.message
    assert "failed with status 3 while it made /boot/initrd.img, which is as it was" in message
    lines = message.split("Its last words:\n")[1].split("\n")
    assert lines == [*map(str, range(11, 21)), "caf\ufffd", "no space"]
    assert caught.value.path == "/boot/initrd.img"
    assert caught.value.hint


def test_a_log_of_any_length_is_cut(program: pathlib.Path) -> None:
    write(program, "head -c 20000000 /dev/zero | tr '\\0' x; exit 1")
    with pytest.raises(GuestError) as caught:
        generate(program)
    assert len(caught.value.message) < isolation.MAX_LOG + 1000


def test_a_program_that_is_missing_is_named(program: pathlib.Path) -> None:
    with pytest.raises(GuestError, match=r"mkinitramfs cannot be run: No such file or directory"):
        generate(program)
    program.write_text("#!/no/such/shell\n")
    with pytest.raises(GuestError, match="cannot be run: Permission denied"):
        generate(program)


def test_a_program_that_takes_too_long_is_stopped_with_all_that_it_started(
    program: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "TIMEOUT", 1)
    pids = program.parent / "pids"
    write(program, f"sleep 1000 & echo $! > {pids}; sleep 1001 & echo $! >> {pids}; echo $$ >> {pids}; wait")
    start = time.monotonic()
    with pytest.raises(GuestError, match="did not end within 1 seconds and was stopped"):
        generate(program)
    assert time.monotonic() - start < 10
    wanted = pids.read_text().split()
    assert len(wanted) == 3
    end = time.monotonic() + 10
    while any(is_running(pid) for pid in wanted):
        assert time.monotonic() < end
        time.sleep(0.02)


def is_running(pid: str) -> bool:
    try:
        return pathlib.Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_program_leaves_running_is_not_waited_for(program: pathlib.Path) -> None:
    write(program, 'sleep 5 & echo made > "$1"')
    start = time.monotonic()
    assert generate(program) == b"made\n"
    assert time.monotonic() - start < 4


def test_a_guest_that_is_not_running_gets_an_isolation(tmp_path: pathlib.Path) -> None:
    assert isinstance(runner_for(Root("/")), LiveRunner)
    assert isinstance(runner_for(Root(str(tmp_path))), OfflineRunner)


def test_a_running_guest_installs_nothing_here() -> None:
    with pytest.raises(GuestError, match="installed by apt: dpkg --configure -a"):
        LiveRunner().install(Installation((), "wanted"))


@pytest.mark.parametrize("content", [None, b"another one"])
def test_a_package_that_is_not_what_was_looked_at_is_not_installed(
    tmp_path: pathlib.Path, content: bytes | None
) -> None:
    package = tmp_path / "kernel.deb"
    if content is not None:
        package.write_bytes(content)
    guest = tmp_path / "guest"
    guest.mkdir()
    wanted = Installation((PackageFile(str(package), hashlib.sha256(b"this one").hexdigest()),), "wanted")
    with pytest.raises(GuestError, match=r"cannot be read|changed while this run was looking at it"):
        OfflineRunner(Root(str(guest))).install(wanted)
    assert os.listdir(guest) == []
