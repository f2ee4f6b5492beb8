# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's way from XenServer to Hyper-V and back, on the virtual ones of tests/lab, with a report at the end."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator, Sequence

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import conftest
import lab

WORK = TESTS.parent / "build" / "demo"
REPORT = WORK / "report.txt"
NO_ROOT = "Gave up waiting for root file system device"
CLOCK = "the host's clock"
FINALIZED, VERIFIED = "finalized.json", "web1.json"
ARRIVED = {
    "root": "/dev/sda1",
    "hypervisor": "microsoft",
    "disk driver": "hv_storvsc",
    "clocksource": "hyperv_clocksource_tsc_page",
    "failed units": "0",
}
FRAME = 1500  # bytes
PINGS, MEBIBYTES = 100, 4
LOAD = f"{PINGS} pings, and {MEBIBYTES} MiB each way by SSH"
LEGACY_FIRST = """\
In a guest whose network was not staged, chance has it which of two adapters is eth0. For this demonstration tulip is
loaded first, as by an initramfs for any hardware (modprobe.d/demo.conf), so that eth0 is the legacy one.
"""
COUNTED = """\
Intercepts: accesses to registers of the legacy adapter, hypercalls for the synthetic one; a hypervisor has to stop the
guest for each. The lab counts them. Neither says how fast a real machine is: this one is emulated in software.
"""
INTRODUCTION = f"""\
This makes a Debian 12 disk as XenServer would leave it, shows that it runs on a (virtual) XenServer and does not boot
on a (virtual) Hyper-V, lets the collection say why and adapt it, and boots the result on Hyper-V with a legacy network
adapter, as a machine has it that was imaged by PXE. With a synthetic adapter beside it the running guest is switched to
that one and verified, and both adapters are compared under the same load. Then the guest goes back to XenServer, and
everything is undone.
Machines run in software emulation: 11 minutes on two busy cores, less on idle ones; the first time more, for the disk.
Everything is written below {WORK.relative_to(TESTS.parent)} (about 3 GB). Nothing outside this directory changes.
"""
LOOK = r"""
driver() {
    # the driver of the bus device that something hangs on, not the one for disks in general
    device=$(readlink -f "$1/device")
    until [ -e "$device/driver" ] && [ "$(basename "$(readlink "$device/driver")")" != sd ]; do
        device=$(dirname "$device")
    done
    basename "$(readlink "$device/driver")"
}
nic=$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p')
echo "root: $(findmnt -no SOURCE /)"
echo "hypervisor: $(systemd-detect-virt)"
echo "disk driver: $(driver "/sys/class/block/$(lsblk -no PKNAME "$(findmnt -no SOURCE /)")")"
echo "default route: $nic"
echo "NIC driver: $(driver "/sys/class/net/$nic")"
echo "address: $(ip -4 -o address show dev "$nic" | sed 's/.* inet \([^ ]*\).*/\1/')"
echo "clocksource: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
for unit in chrony ntpsec ntp openntpd systemd-timesyncd; do
    systemctl -q is-active $unit && service=$unit && break
done
echo "time source: ${service:-no service}"
[ -e /dev/ptp_hyperv ] && clock=/dev/ptp_hyperv
echo "the host's clock: ${clock:-not offered}"
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

    @contextlib.contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Of the report, where nothing happens any more."""
        print(f"\n== {title}", flush=True)
        self.lines += ["", title]
        yield

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
    adapted, disk, restored = WORK / "web1.vhdx", WORK / "web1.qcow2", WORK / "web1-restored.raw"
    with story.step("A guest's disk as XenServer leaves it"):
        story.tell(f"QEMU: {lab.find_emulator().path} ({lab.find_emulator().origin})")
        pristine = lab.make_image("bookworm", "xenserver")
        story.tell(f"Debian 12, 3 GiB, {pristine.name}: root on /dev/xvda1, console on hvc0, Xen's tools, MODULES=dep")
    with story.step("It runs on XenServer"), start("xenserver", pristine, overlay=True) as machine:
        on_xen = look_inside(story, machine, {"root": "/dev/xvda1", "hypervisor": "xen", "NIC driver": "vif"})
    with story.step("It does not boot on Hyper-V"), start("hyperv-gen1", pristine, overlay=True) as machine:
        console = machine.wait_for_console(NO_ROOT, timeout=400)
        story.tell(next(line.strip() for line in console.splitlines() if NO_ROOT in line))
    with story.step("The collection knows that beforehand, and why"):
        playbook(
            "assess", migration_assess_image=pristine, migration_assess_backend="loop", migration_assess_report=WORK
        )
        before = read("localhost.json")
        tell_verdict(story, before)
        expect(not before["ready"], "the guest is judged ready, and it does not boot")
    with story.step("It adapts a copy of the disk"):
        # Left to itself it stages the network as well, and the synthetic adapter is used as soon as there is one.
        story.tell("The network is left out this time, so that the running guest can be switched below.")
        playbook(
            "adapt",
            migration_adapt_image=pristine,
            migration_adapt_output=adapted,
            migration_adapt_backend="loop",
            migration_adapt_network=False,
        )
        done = read(f"{adapted.name}.json")
        for change in done["changes"]:
            story.tell(f"{change['action']:7} {change['path']}: {change['reason']}")
        for command in done["commands"]:
            story.tell(f"run     {command['command']}: {command['reason']}")
        tell_verdict(story, done["after"])
        expect(done["after"]["ready"], "the adapted guest is not judged ready")
        # the lab's QEMU writes to no VHDX
        run("qemu-img", "convert", "-f", "vhdx", "-O", "qcow2", str(adapted), str(disk))
    title, nics = "It boots on Hyper-V, where it has a legacy adapter", ["legacy@lan1"]
    with story.step(title), start("hyperv-gen1", disk, nics=nics) as machine:
        on_legacy = look_inside(story, machine, {**ARRIVED, "NIC driver": "tulip"})
        story.tell(testinfra(machine, is_finished=False))
        legacy = measure(story, machine, "legacy")
        story.tell(LEGACY_FIRST)
        machine.run("echo 'softdep hv_netvsc pre: tulip' >/etc/modprobe.d/demo.conf")
        machine.stop()
    title, nics = "Running, it is switched to a synthetic adapter, and verified", ["legacy@lan1", "synthetic@lan1"]
    with story.step(title), start("hyperv-gen1", disk, nics=nics) as machine:
        look_inside(story, machine, {"NIC driver": "tulip"})
        finalize(story, machine)
        verify(story, machine)
        finished = look_inside(story, machine, {**ARRIVED, "NIC driver": "hv_netvsc"})
        story.tell(testinfra(machine, is_finished=True))
        synthetic = measure(story, machine, "synthetic")
        machine.stop()
    with story.step("It still boots on XenServer"), start("xenserver", disk) as machine:
        look_inside(story, machine, {"root": "/dev/xvda1", "hypervisor": "xen", "NIC driver": "vif"})
    with story.step("The disk can be as it was"):
        playbook("rollback", migration_rollback_image=adapted, migration_rollback_output=restored)
        differences = compare_trees(pristine, restored)
        expect(not differences["differences"], "\n".join(differences["differences"]))
        story.tell(f"{differences['paths']} paths compared: content, mode, owner and time of every one are as before")
    compare(story, [on_xen, on_legacy, finished], [None, legacy, synthetic])
    say_what_is_left(story)
    story.write()
    print(f"\nDone. The report is in {REPORT.relative_to(TESTS.parent)}.")


def start(kind: str, disk: pathlib.Path, *, overlay: bool = False, nics: Sequence[str] = ()) -> lab.Machine:
    return lab.start(kind, disk, name="web1", overlay=overlay, nics=nics)


def look_inside(story: Story, machine: lab.Machine, expected: dict[str, str]) -> dict[str, str]:
    """Logs in over SSH, tells what is seen there, and compares it."""
    machine.wait_for_ssh(600)
    shown = machine.run(LOOK).stdout
    story.tell("logged in over SSH:\n" + shown)
    seen = dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line)
    for key, value in expected.items():
        expect(seen.get(key) == value, f"{key} is {seen.get(key)}, not {value}")
    return seen


def finalize(story: Story, machine: lab.Machine) -> None:
    """The guest has no source of packages, so its daemons are not installed."""
    playbook(
        "finalize",
        str(TESTS / "demo" / "keep_result.yml"),
        machine=machine,
        migration_finalize_packages=False,
        migration_finalize_vm_name="web1",
        demo_result=WORK / FINALIZED,
    )
    done = read(FINALIZED)
    live = done["live"] or {}
    expect(live.get("phase") == "confirmed", f"the network was not switched: {live}")
    for rename in done["renames"]:
        story.tell(f"the running kernel's {rename['before']} became {rename['after']}")
    passed = [name for name, check in live["checks"].items() if check["passed_before"] and not check["problem"]]
    way = live["connection"]
    story.tell(f"there as before: {', '.join(passed)}")
    story.tell(f"confirmed by SSH to {way['address']} over {way['interface']}, {way['driver']}")


def verify(story: Story, machine: lab.Machine) -> None:
    from ansible_collections.rehost.hyperv.plugins.filter.verification_summary import summarise

    playbook("verify", machine=machine, migration_verify_report=WORK, migration_verify_clock_wait=0)
    story.tell("\n".join(summarise({"web1": read(VERIFIED)})[:-1]))


def measure(story: Story, machine: lab.Machine, nic: str) -> lab.Intercepts:
    """What the load costs on that adapter."""
    file = WORK / "load"
    file.write_bytes(os.urandom(MEBIBYTES << 20))
    earlier = machine.intercepts(nic)
    machine.run(f"ping -q -c {PINGS} -i 0.01 -w 60 10.0.2.2")
    machine.copy_in(file, "/var/tmp/load")
    machine.copy_out("/var/tmp/load", WORK / "load.back")
    cost = machine.intercepts(nic).since(earlier)
    expect((WORK / "load.back").read_bytes() == file.read_bytes(), "a file came back from the guest changed")
    least = 2 * PINGS + 2 * (MEBIBYTES << 20) // FRAME
    expect(cost.packets >= least, f"only {cost.packets} packets went over the {nic} adapter, not {least} or more")
    machine.run("rm /var/tmp/load")
    story.tell(f"{LOAD}: {cost.packets} packets, {cost.accesses} intercepts, {cost.interrupts} interrupts")
    return cost


def compare(story: Story, seen: Sequence[dict[str, str]], costs: Sequence[lab.Intercepts | None]) -> None:
    """Before and after, as a table."""
    rows = [("", "on XenServer", "on Hyper-V, before", "on Hyper-V, finished")]
    for key in ("NIC driver", "default route", "address", "disk driver", "clocksource", "time source", CLOCK):
        rows.append((key, *(one[key] for one in seen)))
    rows.append(("packets of the load", *("" if cost is None else str(cost.packets) for cost in costs)))
    for title, field in (("intercepts per packet", "accesses"), ("interrupts per packet", "interrupts")):
        values = ("" if cost is None else f"{getattr(cost, field) / cost.packets:.2f}" for cost in costs)
        rows.append((title, *values))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    with story.chapter("Before and after"):
        for row in rows:
            story.tell("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        story.tell(f"The load is {LOAD}.")
        story.tell(COUNTED)
    _packets, legacy, synthetic = costs
    expect(
        synthetic.accesses * legacy.packets < legacy.accesses * synthetic.packets,
        "the synthetic adapter takes no fewer intercepts per packet than the legacy one",
    )


def say_what_is_left(story: Story) -> None:
    actions = read(FINALIZED)["host_actions"]
    with story.chapter("What the host should do next"):
        for action in actions:
            commands = action["powershell"].replace("\n", "\n    ")
            other = action["microsoft_hyperv"]
            story.tell(f"{action['action']}: {action['reason']}\n    {commands}")
            story.tell(f"    by Ansible: {json.dumps(other) if other else action['why_not']}")
    expect("remove-legacy-adapter" in {action["action"] for action in actions}, "the legacy adapter is to stay")
    with story.chapter("Findings left"):
        for finding in read(VERIFIED)["findings"]:
            story.tell(f"{finding['severity']} {finding['id']}: {finding['message']}\n  -> {finding['remedy']}")


def tell_verdict(story: Story, readiness: dict[str, object]) -> None:
    from ansible_collections.rehost.hyperv.plugins.filter.readiness_summary import summarise

    story.tell("\n".join(summarise({"web1": readiness})[:-1]))


def playbook(name: str, *others: str, machine: lab.Machine | None = None, **variables: object) -> None:
    """Runs one of the collection's playbooks, on the machine or here, and shows its output; then the others."""
    where = ["-i", "localhost,", "-c", "local"]
    if machine is not None:
        inventory = WORK / "inventory.ini"
        inventory.write_text(f"{machine.inventory}\n", encoding="utf-8")
        where = ["-i", str(inventory)]
    words = []
    for key, value in variables.items():
        words += ["-e", json.dumps({key: value}) if isinstance(value, bool) else f"{key}={value}"]
    environment = dict(
        os.environ,
        ANSIBLE_COLLECTIONS_PATH=str(conftest.collections_path()),
        ANSIBLE_PYTHON_INTERPRETER=sys.executable,
        ANSIBLE_NOCOWS="1",
    )
    command = ["ansible-playbook", f"rehost.hyperv.{name}", *others, *where, *words]
    print(f"   $ {shlex.join(command)}", flush=True)
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False)
    expect(done.returncode == 0, f"the playbook {name} failed")


def testinfra(machine: lab.Machine, *, is_finished: bool) -> str:
    """Runs the checks of test_guest.py inside the guest; the line that counts them."""
    *options, _host = lab.machine.ssh_command(machine.port)[1:]
    words = [word for word in options if word not in ("-p", str(machine.port))]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS / "demo" / "test_guest.py")]
    if not is_finished:
        command += ["-k", "not TestFinished"]
    environment = dict(os.environ, GUEST_PORT=str(machine.port), GUEST_SSH_OPTIONS=" ".join(words))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, done.stdout + done.stderr)
    return "testinfra: " + done.stdout.strip().splitlines()[-1].split(" in ")[0].split(",")[0]


def compare_trees(first: pathlib.Path, second: pathlib.Path) -> dict[str, list[str]]:
    """How the guests in two raw images differ. In a process of its own, as opening an image changes its mounts."""
    return json.loads(run(sys.executable, str(TESTS / "demo" / "compare_trees.py"), str(first), str(second)))


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{command[0]}: {done.stderr}")
    return done.stdout


def read(name: str) -> dict[str, t.Any]:
    """A document that a playbook has left in the working directory."""
    return json.loads((WORK / name).read_text(encoding="utf-8"))


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)


if __name__ == "__main__":
    try:
        main()
    except (DemoError, lab.LabError) as problem:
        sys.exit(f"\nThe demonstration stopped: {problem}")
