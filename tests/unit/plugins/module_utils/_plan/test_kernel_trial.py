# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import kernel_pin as catalog
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.kernel_trial import Trial
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_trial
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import NEW, OLD, Machine

TRIAL = Trial(NEW, OLD, 40, "start-0")


def guard(
    path: pathlib.Path,
    *,
    cmdline: str,
    uptime: str = "1.00 1.00",
    state: str = "running",
    has_environment: bool = True,
) -> subprocess.Popen[bytes]:
    """The script, with the files that it looks at and the programs that it restarts with under a directory."""
    changes = kernel_trial.changes(Machine(path / "guest").look(), TRIAL, "why")
    script = next(change for change in changes if isinstance(change, FileChange) and change.path == catalog.GUARD)
    assert script.after is not None
    text = script.after
    for name in ("/proc/", "/boot/grub/", "/var/log/", "/etc/rehost-hyperv/"):
        (path / name[1:]).mkdir(parents=True, exist_ok=True)
        text = text.replace(name, f"{path}{name}")
    (path / "proc/sys/kernel").mkdir(parents=True)
    (path / "proc/cmdline").write_text(f"{cmdline}\n")
    (path / "proc/uptime").write_text(f"{uptime}\n")
    if has_environment:
        (path / "boot/grub/grubenv").write_text(f"# GRUB Environment Block\nnext_entry={catalog.TRIAL_ENTRY}\n")
    programs = path / "bin"
    programs.mkdir()
    for name in ("reboot", "grub-editenv", "sleep"):
        (programs / name).write_text(
            f'#!/bin/sh\necho "{name} $*" >>{path}/called\n[ {name} = sleep ] && exec /bin/sleep 0.02\n'
        )
        (programs / name).chmod(0o755)
    for name in ("sync", "shutdown"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    (programs / "systemctl").write_text(f'#!/bin/sh\n[ "$1" = is-system-running ] && cat {path}/state\n')
    (programs / "systemctl").chmod(0o755)
    (path / "state").write_text(f"{state}\n")
    # what is written to the trigger is to be seen, one after another
    text = text.replace(f">{path}/proc/sysrq-trigger", f">>{path}/proc/sysrq-trigger")
    file = path / catalog.GUARD[1:]
    file.write_text(text)
    return subprocess.Popen(["sh", file], env={"PATH": f"{programs}:{os.environ['PATH']}"})


def read(path: pathlib.Path) -> str:
    return path.read_text() if path.exists() else ""


def until(path: pathlib.Path, text: str) -> None:
    end = time.monotonic() + 20
    while text not in read(path) and time.monotonic() < end:
        time.sleep(0.02)
    assert text in read(path)


def test_nothing_happens_in_a_start_that_is_no_trial(tmp_path: pathlib.Path) -> None:
    assert guard(tmp_path, cmdline="ro quiet").wait(20) == 0
    assert read(tmp_path / "called") == ""
    assert read(tmp_path / catalog.LOG[1:]) == ""


def test_a_confirmation_ends_the_guard(tmp_path: pathlib.Path) -> None:
    process = guard(tmp_path, cmdline=f"ro {catalog.TRIAL_ENTRY}")
    until(tmp_path / catalog.LOG[1:], "has 40 seconds to be confirmed")
    assert " trial start-0\n" in read(tmp_path / catalog.LOG[1:])
    (tmp_path / catalog.GUARD[1:]).unlink()
    assert process.wait(20) == 0
    assert "reboot" not in read(tmp_path / "called")


def test_without_one_the_guest_restarts_and_is_made_to(tmp_path: pathlib.Path) -> None:
    process = guard(tmp_path, cmdline=f"{catalog.TRIAL_ENTRY} ro", uptime="39.99 1.00")
    until(tmp_path / catalog.LOG[1:], "seconds to be confirmed")
    assert "reboot" not in read(tmp_path / "called")
    (tmp_path / "proc/uptime").write_text("40.00 1.00\n")
    assert process.wait(20) == 0
    until(tmp_path / "called", "reboot ")
    assert f"restart with {OLD}" in read(tmp_path / catalog.LOG[1:])
    assert read(tmp_path / "proc/sysrq-trigger") == "s\nu\nb\n"
    assert "did not restart in 60 seconds" in read(tmp_path / catalog.LOG[1:])


def test_an_orderly_restart_is_not_cut_off(tmp_path: pathlib.Path) -> None:
    process = guard(tmp_path, cmdline=catalog.TRIAL_ENTRY, uptime="40.00 1.00", state="stopping")
    assert process.wait(60) == 0
    assert read(tmp_path / "called").count("sleep 5\n") * 5 >= 5 * 60
    assert "did not restart in 360 seconds" in read(tmp_path / catalog.LOG[1:])
    assert read(tmp_path / "proc/sysrq-trigger") == "s\nu\nb\n"


def test_a_boot_that_is_mounted_late_is_looked_at_before_the_restart(tmp_path: pathlib.Path) -> None:
    (tmp_path / "boot/grub").mkdir(parents=True)
    process = guard(tmp_path, cmdline=catalog.TRIAL_ENTRY, has_environment=False)
    until(tmp_path / catalog.LOG[1:], "seconds to be confirmed")
    until(tmp_path / "called", "sleep 2")
    assert "grub-editenv" not in read(tmp_path / "called")
    (tmp_path / "boot/grub/grubenv").write_text(f"# GRUB Environment Block\nnext_entry={catalog.TRIAL_ENTRY}\n")
    (tmp_path / "proc/uptime").write_text("40.00 1.00\n")
    assert process.wait(20) == 0
    until(tmp_path / "called", "reboot ")
    called = read(tmp_path / "called")
    assert 0 <= called.find("grub-editenv ") < called.find("reboot ")


def test_an_entry_that_grub_did_not_clear_is_cleared(tmp_path: pathlib.Path) -> None:
    process = guard(tmp_path, cmdline=f"ro {catalog.TRIAL_ENTRY}")
    until(tmp_path / "called", f"grub-editenv {tmp_path}/boot/grub/grubenv unset next_entry")
    process.kill()
    process.wait()


def test_the_guard_needs_no_systemd(tmp_path: pathlib.Path) -> None:
    import dataclasses

    facts = Machine(tmp_path).look()
    facts = dataclasses.replace(facts, packages=dataclasses.replace(facts.packages, has_systemd=False))
    paths = [change.path for change in kernel_trial.changes(facts, TRIAL, "why")]
    assert {catalog.GUARD_SCRIPT, catalog.GUARD_STARTED} < set(paths)
    assert not {catalog.GUARD_UNIT, catalog.GUARD_WANTED} & set(paths)


def test_the_entry_for_the_next_start_comes_last(tmp_path: pathlib.Path) -> None:
    paths = [change.path for change in kernel_trial.changes(Machine(tmp_path).look(), TRIAL, "why")]
    assert (paths[0], paths[-1]) == ("/boot/grub/grub.cfg", kernel_trial.GRUBENV)


@pytest.mark.parametrize("without", ["save_env next_entry", "load_env"])
def test_a_menu_without_an_entry_for_one_start_is_not_tried(tmp_path: pathlib.Path, without: str) -> None:
    machine = Machine(tmp_path)
    file = tmp_path / "boot/grub/grub.cfg"
    file.chmod(0o644)
    file.write_text(file.read_text().replace(without, "true"))
    problem, remedy = kernel_trial.problem_with(machine.look(), NEW)
    assert "one start only" in problem
    assert "trial: false" in remedy
