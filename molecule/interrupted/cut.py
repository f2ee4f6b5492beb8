# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs finalize on guests of the lab, and takes away their power at one step of it after the other.

    python cut.py INVENTORY GUEST=MOMENT,... ...

After each cut the guest has to come back by itself. The next run has to get further, to the next moment; the run that
finishes is the scenario's converge. The guests go their ways at the same time.

A guest cuts its own power, at the very step: its kernel restarts the machine at once. What is in its memory and not yet
on its disk is lost, as it is when the power fails.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

sys.path.insert(0, str(pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"], "tests")))

import lab

SECONDS = 300
WATCHER = pathlib.Path(__file__).with_name("watch.py")
RESTARTS = "sysrq: Resetting"  # on the console


def cut(inventory: str, guest: str, moment: str) -> str:
    """One run, and the boot after it. Exits when the moment does not come, or the guest does not come back."""
    machine = lab.Machine.find(f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}-{guest}")
    boot = read_boot(machine)
    machine.copy_in(WATCHER, "/run/watch.py")
    machine.run(f"setsid python3 /run/watch.py {moment} </dev/null >/run/watch.log 2>&1 &")
    shown = len(machine.console())
    log = pathlib.Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], f"{guest}-{pathlib.Path(moment).name}.log")
    began = time.monotonic()
    with log.open("wb") as stream:
        run = subprocess.Popen(
            ["ansible-playbook", "-v", "-i", inventory, "--limit", guest, "rehost.hyperv.finalize"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ANSIBLE_SSH_ARGS": "-o ControlMaster=no"},  # none may outlive the cut
            start_new_session=True,
        )
        while RESTARTS not in machine.console()[shown:]:
            if run.poll() is not None or time.monotonic() - began > SECONDS:
                sys.exit(f"{guest}: the moment {moment!r} did not come\n{log.read_text(errors='replace')}")
            time.sleep(0.2)
        ran = time.monotonic() - began
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    machine.wait_for_ssh(SECONDS)
    if read_boot(machine) == boot:
        sys.exit(f"{guest}: its power was not cut at {moment!r}")
    return f"{guest}: cut at {moment!r} after {ran:.0f} s, back after {time.monotonic() - began - ran:.0f} s more"


def read_boot(machine: lab.Machine) -> str:
    return machine.run("cat /proc/sys/kernel/random/boot_id").stdout


def cut_all(inventory: str, guest: str, moments: t.Sequence[str]) -> None:
    for moment in moments:
        print(cut(inventory, guest, moment), flush=True)


def main() -> None:
    ways = [word.split("=") for word in sys.argv[2:]]
    with concurrent.futures.ThreadPoolExecutor(len(ways)) as pool:
        running = [pool.submit(cut_all, sys.argv[1], guest, moments.split(",")) for guest, moments in ways]
    for way in running:
        way.result()


if __name__ == "__main__":
    main()
