# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""guest_info against ansible.builtin.setup, on the same guest.

Starts a guest of the lab, and runs these tasks there in turn over SSH with pipelining, in one play, several times:

    ping                what any module costs: its transfer, and Python's start in the guest
    setup               all facts that Ansible gathers itself
    guest_info          without the initramfs images, and with them
    tool                the command-line tool that decompresses the same images in the guest

Seconds are those that the task takes on the controller, from its start to its end, less what a task costs that does
nothing at all; of the tool, those that it ran in the guest. Of all turns but the first, which warms the caches, the
fastest counts, which other work on the machine has disturbed least.

Bounds: guest_info without the images takes less time than setup; with them it takes at most the time of the tool more
than setup. The exit status is 1 when one of them does not hold. What the images cost beside what guest_info takes
without them is shown as well.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import sys
import typing as t

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
_specification = importlib.util.spec_from_file_location("conftest", CHECKOUT / "tests" / "conftest.py")
_specification.loader.exec_module(importlib.util.module_from_spec(_specification))  # makes the collection importable

from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control

TOOLS = {"zstd": "zstd -dc", "gzip": "gzip -dc"}
TASKS: dict[str, dict[str, t.Any]] = {
    "nothing": {"ansible.builtin.set_fact": {"nothing_at_all": True}},
    "ping": {"ansible.builtin.ping": {}},
    "setup": {"ansible.builtin.setup": {}},
    "guest_info": {"rehost.hyperv.guest_info": {"read_images": False}},
    "with_images": {"rehost.hyperv.guest_info": {}},
}


def measure(machine: lab.Machine, runs: int, tool: str) -> list[dict[str, float]]:
    """Per turn, the seconds of each task; the first turn is left out."""
    tasks: dict[str, t.Any] = {}
    for turn in range(runs + 1):
        for name, task in {**TASKS, "tool": {"ansible.builtin.shell": tool}}.items():
            tasks[f"{name}_{turn}_begin"] = {"ansible.builtin.set_fact": {"moment": "{{ now().timestamp() }}"}}
            tasks[f"{name}_{turn}"] = task
            tasks[f"{name}_{turn}_end"] = {"ansible.builtin.set_fact": {"moment": "{{ now().timestamp() }}"}}
    results = control.run_tasks(machine.inventory, tasks)

    def moment(name: str) -> float:
        return float(results[name]["ansible_facts"]["moment"])

    turns = []
    for turn in range(1, runs + 1):
        spent = {name: moment(f"{name}_{turn}_end") - moment(f"{name}_{turn}_begin") for name in TASKS}
        overhead = spent.pop("nothing")
        seconds = {name: value - overhead for name, value in spent.items()}
        hours, minutes, rest = results[f"tool_{turn}"]["delta"].split(":")
        seconds["tool"] = int(hours) * 3600 + int(minutes) * 60 + float(rest)
        turns.append(seconds)
    return turns


def find_tool(machine: lab.Machine) -> str:
    """A command that decompresses the guest's images, each of which has one segment, and how many bytes they have."""
    found = control.run_tasks(machine.inventory, {"look": {"rehost.hyperv.guest_info": {}}})["look"]["guest"]
    commands = []
    for kernel in found["kernels"]:
        (compression,) = kernel["initramfs"]["compression"]
        print(f"image: {kernel['initramfs']['path']}, {compression}, {kernel['initramfs']['size'] / 1e6:.1f} MB")
        commands.append(f"{TOOLS[compression]} {kernel['initramfs']['path']} > /dev/null")
    return " && ".join(commands)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="bookworm", help="Debian release of the guest (default: bookworm)")
    parser.add_argument("--flavour", default="plain", help="its flavour (default: plain, with images for any hardware)")
    parser.add_argument("--runs", type=int, default=5, help="turns (default: 5)")
    arguments = parser.parse_args()
    if lab.missing():
        print(lab.missing())
        return 77
    kind = "hyperv-gen1" if arguments.flavour == "plain" else "xenserver"
    with lab.start(kind, lab.make_image(arguments.suite, arguments.flavour), overlay=True) as machine:
        machine.wait_for_ssh(600)
        # Units that start late would compete with the first turns.
        machine.run("systemctl is-system-running --wait", timeout=300, check=False)
        print(f"guest: {arguments.suite}, {arguments.flavour}, on {kind}; load {os.getloadavg()[0]:.1f}")
        turns = measure(machine, arguments.runs, find_tool(machine))
    seconds = {name: min(turn[name] for turn in turns) for name in turns[0]}
    against_setup = seconds["guest_info"] / seconds["setup"]
    more = (seconds["with_images"] - seconds["guest_info"]) / seconds["tool"]
    print(f"seconds: the fastest of {len(turns)} turns")
    for name, value in seconds.items():
        shown = " ".join(f"{turn[name]:.2f}" for turn in turns)
        print(f"{name:12} {value:7.2f}    ({shown})")
    more_than_setup = (seconds["with_images"] - seconds["setup"]) / seconds["tool"]
    holds = (against_setup < 1, more_than_setup <= 1)
    print(f"guest_info / setup                  {against_setup:5.2f}   < 1     {verdict(holds[0])}")
    print(f"(with_images - setup) / tool        {more_than_setup:5.2f}   <= 1    {verdict(holds[1])}")
    print(f"(with_images - guest_info) / tool   {more:5.2f}")
    return 0 if all(holds) else 1


def verdict(holds: bool) -> str:
    return "holds" if holds else "DOES NOT HOLD"


if __name__ == "__main__":
    sys.exit(main())
