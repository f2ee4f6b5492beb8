# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
import shlex
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import BootError, Intercepts, LabError, Machine, list_machines, machine, start


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "RUNS", tmp_path)
    return tmp_path


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Where connections are accepted and nothing is ever said, as QEMU does before the guest is up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def make_directory(runs: Path, name: str = "guest", *, console: bytes = b"", port: int = 20000) -> Path:
    """A machine's directory as `start` leaves it."""
    directory = runs / name
    directory.mkdir()
    record = {"kind": "xenserver", "disk": "/disk", "pid": 1, "port": port, "ports": {"vif": port}}
    record.update(emulator="/qemu", origin="here")
    (directory / "machine.json").write_text(json.dumps(record), encoding="utf-8")
    (directory / "ttyS0.log").write_bytes(console)
    (directory / "hvc0.log").write_bytes(b"")
    (directory / "qemu.log").write_bytes(b"")
    (directory / "lock").touch()
    return directory


@pytest.fixture
def running(runs: Path, silent_port: int) -> Iterator[Machine]:
    directory = make_directory(runs, console=b"Loading Linux ...\r\nboot\xff", port=silent_port)
    with (directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Machine.find("guest")


def test_a_machine_runs_as_long_as_its_lock_is_held(runs: Path) -> None:
    directory = make_directory(runs)
    with (directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert [one.name for one in list_machines()] == ["guest"]
        found = Machine.find("guest")
        assert found.is_running()
    assert not found.is_running()
    assert list_machines() == ()
    with pytest.raises(LabError, match="no machine guest is running"):
        Machine.find("guest")


def test_a_machine_that_never_was_is_not_found(runs: Path) -> None:
    with pytest.raises(LabError, match="lab list"):
        Machine.find("absent")


def test_a_console_may_hold_any_bytes(running: Machine) -> None:
    assert running.console() == "Loading Linux ...\nboot\ufffd"


def test_a_console_that_the_machine_does_not_have_is_refused(running: Machine) -> None:
    with pytest.raises(LabError, match="ttyS0, hvc0"):
        running.console("ttyS1")


def test_waiting_for_a_text_gives_the_console_up_to_it(running: Machine) -> None:
    assert running.wait_for_console("Linux") == "Loading Linux"


def test_a_text_of_an_earlier_boot_can_be_left_out(running: Machine) -> None:
    with pytest.raises(BootError, match="no 'Linux' on ttyS0 in 0 s"):
        running.wait_for_console("Linux", timeout=0, after=len("Loading Linux"))


def test_waiting_ends_with_the_machine_and_shows_its_console(runs: Path) -> None:
    directory = make_directory(runs, console=b"one\r\nlast words")
    with pytest.raises(BootError, match=r"(?s)guest ended while waiting.*one\nlast words"):
        Machine(directory).wait_for_console("login:", timeout=60)


@pytest.mark.parametrize("console", ["ttyS0", "hvc0"])
@pytest.mark.parametrize("message", machine.DEAD_ENDS)
def test_waiting_for_ssh_ends_when_the_guest_is_at_a_dead_end(running: Machine, message: str, console: str) -> None:
    (running.directory / f"{console}.log").write_text(f"so far so good\n{message}\n", encoding="utf-8")
    with pytest.raises(BootError, match="dead end"):
        running.wait_for_ssh(timeout=60)


def test_a_port_that_accepts_and_says_nothing_is_no_ssh(running: Machine) -> None:
    with pytest.raises(BootError, match="no SSH in 0 s"):
        running.wait_for_ssh(timeout=0)


def test_the_inventory_line_is_one_that_a_shell_would_split_into_variables(running: Machine) -> None:
    name, *variables = shlex.split(running.inventory)
    values = dict(word.split("=", 1) for word in variables)
    assert name == "guest"
    assert values["ansible_port"] == str(running.port)
    assert "IdentityFile=" in values["ansible_ssh_common_args"]


def test_a_pristine_image_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = tmp_path / "bookworm.raw"
    image.touch()
    monkeypatch.setattr(machine, "IMAGES", tmp_path)
    with pytest.raises(LabError, match="pristine"):
        start("xenserver", image)


def test_a_disk_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no disk .*absent"):
        start("xenserver", tmp_path / "absent", overlay=True)


@pytest.mark.parametrize("name", ["../guest", ".", "a/b"])
def test_a_name_that_leads_out_of_the_cache_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is no name"):
        start("xenserver", tmp_path, name=name)


def test_intercepts_are_what_has_come_since() -> None:
    before, after = Intercepts(100, 10, 5), Intercepts(160, 16, 17)
    assert after.since(before) == Intercepts(60, 6, 12)


def test_a_machine_has_the_port_of_its_predecessor_as_soon_as_that_is_free(runs: Path) -> None:
    directory = make_directory(runs)
    with socket.create_server(("127.0.0.1", 0)) as server:
        wanted = server.getsockname()[1]
        (directory / "machine.json").write_text(json.dumps({"port": wanted}), encoding="utf-8")
        assert machine._earlier_port(directory) == wanted
        threading.Timer(0.3, server.close).start()
        listener = machine._listen(wanted)
    with listener:
        assert listener.getsockname()[1] == wanted


def test_a_port_that_stays_taken_is_not_waited_for_for_ever(runs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, machine._listen(server.getsockname()[1]) as listener:
        assert listener.getsockname()[1] != server.getsockname()[1]
