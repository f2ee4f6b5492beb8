# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's way from XenServer to Hyper-V and back, on the virtual ones of tests/lab, with a report at the end."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import conftest
import lab

WORK = TESTS.parent / "build" / "demo"
REPORT = WORK / "report.txt"
NO_ROOT = "Gave up waiting for root file system device"
INTRODUCTION = f"""\
This makes a Debian 12 disk as XenServer would leave it, shows that it runs on a (virtual) XenServer and does not boot
on a (virtual) Hyper-V, lets the collection say why and adapt it, boots the result on both, and undoes everything.
Machines run in software emulation: about 4 minutes on two cores, 2 more the first time, for the disk.
Everything is written below {WORK.relative_to(TESTS.parent)} (about 2 GB). Nothing outside this directory changes.
"""
LOOK = r"""
disk=$(lsblk -no PKNAME "$(findmnt -no SOURCE /)")
device=$(readlink -f "/sys/class/block/$disk/device")
# the driver of the bus device that the disk hangs on, not the one for disks in general
until [ -e "$device/driver" ] && [ "$(basename "$(readlink "$device/driver")")" != sd ]; do
    device=$(dirname "$device")
done
echo "root: $(findmnt -no SOURCE /)"
echo "hypervisor: $(systemd-detect-virt)"
echo "disk driver: $(basename "$(readlink "$device/driver")")"
echo "clocksource: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "failed units: $(systemctl --failed --no-legend | wc -l)"
"""


class DemoError(Exception):
    """Something that the demonstration shows did not happen."""


class Story:
    """The steps, told as they happen and kept for the report."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.lines: list[str] = []
        self.number = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.number += 1
        print(f"\n== {self.number}. {title}", flush=True)
        began = time.monotonic()
        self.lines.append(f"{self.number}. {title}")
        yield
        self.tell(f"({time.monotonic() - began:.0f} s)")

    def tell(self, text: str) -> None:
        for line in text.rstrip().splitlines():
            print(f"   {line}", flush=True)
            self.lines.append(f"   {line}")

    def write(self) -> None:
        took = time.monotonic() - self.began
        text = "\n".join(["rehost.hyperv: a guest's way from XenServer to Hyper-V", "", *self.lines, ""])
        REPORT.write_text(f"{text}\nAll of it took {took:.0f} s.\n", encoding="utf-8")


def main() -> None:
    print(INTRODUCTION, flush=True)
    WORK.mkdir(parents=True, exist_ok=True)
    for old in WORK.iterdir():
        old.unlink()
    story = Story()
    adapted, restored = WORK / "web1.vhdx", WORK / "web1-restored.raw"
    with story.step("A guest's disk as XenServer leaves it"):
        story.tell(f"QEMU: {lab.find_emulator().path} ({lab.find_emulator().origin})")
        pristine = lab.make_image("bookworm", "xenserver")
        story.tell(f"Debian 12, 3 GiB, {pristine.name}: root on /dev/xvda1, console on hvc0, Xen's tools, MODULES=dep")
    with story.step("It runs on XenServer"), lab.start("xenserver", pristine, overlay=True) as machine:
        look_inside(story, machine, {"root": "/dev/xvda1", "hypervisor": "xen"})
    with story.step("It does not boot on Hyper-V"), lab.start("hyperv-gen1", pristine, overlay=True) as machine:
        console = machine.wait_for_console(NO_ROOT, timeout=400)
        story.tell(next(line.strip() for line in console.splitlines() if NO_ROOT in line))
    with story.step("The collection knows that beforehand, and why"):
        playbook(
            "assess", migration_assess_image=pristine, migration_assess_backend="loop", migration_assess_report=WORK
        )
        before = json.loads((WORK / "localhost.json").read_text(encoding="utf-8"))
        tell_verdict(story, before)
        expect(not before["ready"], "the guest is judged ready, and it does not boot")
    with story.step("It adapts a copy of the disk"):
        playbook(
            "adapt",
            migration_adapt_image=pristine,
            migration_adapt_output=adapted,
            migration_adapt_backend="loop",
        )
        done = json.loads(pathlib.Path(f"{adapted}.json").read_text(encoding="utf-8"))
        for change in done["changes"]:
            story.tell(f"{change['action']:7} {change['path']}: {change['reason']}")
        for command in done["commands"]:
            story.tell(f"run     {command['command']}: {command['reason']}")
        tell_verdict(story, done["after"])
        expect(done["after"]["ready"], "the adapted guest is not judged ready")
    with story.step("The adapted disk boots on Hyper-V"), lab.start("hyperv-gen1", adapted, overlay=True) as machine:
        look_inside(story, machine, {"root": "/dev/sda1", "hypervisor": "microsoft", "disk driver": "hv_storvsc"})
        story.tell(testinfra(machine))
    with story.step("It still boots on XenServer"), lab.start("xenserver", adapted, overlay=True) as machine:
        look_inside(story, machine, {"root": "/dev/xvda1", "hypervisor": "xen"})
    with story.step("All of it can be undone"):
        playbook("rollback", migration_rollback_image=adapted, migration_rollback_output=restored)
        differences = compare_trees(pristine, restored)
        expect(not differences["differences"], "\n".join(differences["differences"]))
        story.tell(f"{differences['paths']} paths compared: content, mode, owner and time of every one are as before")
    story.write()
    print(f"\nDone. The report is in {REPORT.relative_to(TESTS.parent)}.")


def look_inside(story: Story, machine: lab.Machine, expected: dict[str, str]) -> None:
    """Logs in over SSH, tells what is seen there, and compares it."""
    machine.wait_for_ssh(600)
    shown = machine.run(LOOK).stdout
    story.tell("logged in over SSH:\n" + shown)
    seen = dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line)
    for key, value in expected.items():
        expect(seen.get(key) == value, f"{key} is {seen.get(key)}, not {value}")


def tell_verdict(story: Story, readiness: dict[str, object]) -> None:
    from ansible_collections.rehost.hyperv.plugins.filter.readiness_summary import summarise

    story.tell("\n".join(summarise({"web1": readiness})[:-1]))


def playbook(name: str, **variables: object) -> None:
    """Runs one of the collection's playbooks, and shows its output."""
    words = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
    environment = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(conftest.collections_path()),
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        ANSIBLE_NOCOWS="1",
    )
    command = ["ansible-playbook", f"rehost.hyperv.{name}", "-i", "localhost,", "-c", "local", *words]
    print("   $ " + " ".join(command), flush=True)
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    expect(done.returncode == 0, f"the playbook {name} failed")


def testinfra(machine: lab.Machine) -> str:
    """Runs the checks of test_guest.py inside the guest; the line that counts them."""
    *options, _host = lab.machine.ssh_command(machine.port)[1:]
    words = [word for word in options if word not in ("-p", str(machine.port))]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS / "demo" / "test_guest.py")]
    environment = dict(os.environ, GUEST_PORT=str(machine.port), GUEST_SSH_OPTIONS=" ".join(words))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stdout + done.stderr)
    return "testinfra: " + done.stdout.strip().splitlines()[-1]


def compare_trees(first: pathlib.Path, second: pathlib.Path) -> dict[str, list[str]]:
    """How the guests in two raw images differ. In a process of its own, as opening an image changes its mounts."""
    command = [sys.executable, str(TESTS / "demo" / "compare_trees.py"), str(first), str(second)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)


if __name__ == "__main__":
    try:
        main()
    except (DemoError, lab.LabError) as problem:
        sys.exit(f"\nThe demonstration stopped: {problem}")
