# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a playbook that adapts an image, and kills it, with all it started, at the worst moments.

    python interrupt.py DIRECTORY COMMAND...    DIRECTORY: where the playbook writes guest.vhdx

After each kill nothing may be mounted, no loop device may be left, and there may be no result.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

SECONDS = 600


def find_processes(first: int) -> t.Set[int]:
    """A process and all below it."""
    children: t.Dict[int, t.Set[int]] = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            status = path.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(status[1]), set()).add(int(path.parent.name))
    found, new = {first}, {first}
    while new:
        new = set().union(*(children.get(pid, set()) for pid in new)) - found
        found |= new
    return found


def kill_tree(first: int) -> None:
    """Everything that it started; parents stop first, so that they start nothing more."""
    killed: t.Set[int] = set()
    while True:
        left = find_processes(first) - killed
        if not left:
            return
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            left |= find_processes(first) - killed
        killed |= left


def loop_devices(directory: pathlib.Path) -> t.List[str]:
    """Those on files of the directory."""
    shown = subprocess.run(["losetup", "--json", "--list"], stdout=subprocess.PIPE, check=True).stdout
    devices = json.loads(shown)["loopdevices"] if shown.strip() else []
    return [device["name"] for device in devices if str(device["back-file"]).startswith(f"{directory}/")]


def mounts_of(devices: t.Iterable[str]) -> t.List[str]:
    """Lines of mountinfo, in whichever mount namespace, that show one of the devices."""
    wanted = {f" {device} " for device in devices}
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            lines = path.read_text(errors="replace").split("\n")
        except OSError:
            continue
        found |= {line for line in lines if any(device in line for device in wanted)}
    return sorted(found)


def is_mounted(directory: pathlib.Path) -> bool:
    return bool(mounts_of(loop_devices(directory)))


def is_copying(directory: pathlib.Path) -> bool:
    return any(path.stat().st_size for path in directory.glob("guest.vhdx.work*"))


def is_writing_the_result(directory: pathlib.Path) -> bool:
    return any(path for path in directory.glob("guest.vhdx*") if ".work" not in path.name)


MOMENTS: t.Mapping[str, t.Callable[[pathlib.Path], bool]] = {
    "copying": is_copying,
    "mounted": is_mounted,
    "writing the result": is_writing_the_result,
}


def interrupt(name: str, directory: pathlib.Path, command: t.Sequence[str]) -> None:
    has_come = MOMENTS[name]
    for left in directory.glob("guest.vhdx*"):
        left.unlink()
    playbook = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + SECONDS
    while not has_come(directory):
        if playbook.poll() is not None or time.monotonic() > deadline:
            kill_tree(playbook.pid)
            sys.exit(f"{name}: the moment did not come; the playbook's status is {playbook.poll()}")
        time.sleep(0.02)
    devices = loop_devices(directory)
    kill_tree(playbook.pid)
    playbook.wait()
    # The kernel lets go of a loop device when the last mount of the killed process is gone.
    deadline = time.monotonic() + 10
    while (loop_devices(directory) or mounts_of(devices)) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = loop_devices(directory) + mounts_of(devices)
    if left:
        sys.exit(f"{name}: left behind: {left}")
    if (directory / "guest.vhdx").exists():
        sys.exit(f"{name}: there is a result, although the playbook was killed")
    print(f"{name}: killed; loop devices then: {devices}; now there are {sorted(p.name for p in directory.iterdir())}")


if __name__ == "__main__":
    for moment in MOMENTS:
        interrupt(moment, pathlib.Path(sys.argv[1]), sys.argv[2:])
