# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command: `tests/lab/lab --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import hardware, recipe
from ._paths import CACHE, IMAGES, LabError
from .emulator import find_emulator
from .images import PRIVATE_KEY, make_image
from .machine import SLOTS, Machine, list_machines, ssh_command, start
from .prerequisites import FOR_IMAGES, FOR_MACHINES, missing_for_images, missing_programs


def main(words: Sequence[str]) -> int:
    """Status: that of the guest's command for `ssh`, otherwise 0, or 1 when the lab could not."""
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.action(arguments) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has seen enough; nothing may be flushed to it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _doctor(_arguments: argparse.Namespace) -> int:
    status = 0
    try:
        emulator = find_emulator()
        print(f"emulator   {emulator.path} ({emulator.origin})")
    except LabError as error:
        status = 1
        print(f"emulator   MISSING: {error}")
    for name, reason in (
        ("machines", missing_programs(FOR_MACHINES)),
        ("images", missing_programs(FOR_IMAGES) or missing_for_images()),
    ):
        status = status or bool(reason)
        print(f"{name:10} {'MISSING: ' + reason if reason else 'all programs are there'}")
    print(f"cache      {CACHE}")
    print(f"running    {len(list_machines())} of at most {SLOTS} machines")
    return int(status)


def _images(_arguments: argparse.Namespace) -> None:
    for path in sorted(IMAGES.glob("*.raw")):
        print(path)


def _make(arguments: argparse.Namespace) -> None:
    image = make_image(
        arguments.suite,
        arguments.flavour,
        network=arguments.network,
        address=arguments.address,
        kernel=arguments.kernel,
        has_predictable_names=arguments.predictable_names,
        extra_packages=arguments.package,
    )
    print(image)


def _start(arguments: argparse.Namespace) -> None:
    machine = start(
        arguments.kind,
        arguments.disk,
        name=arguments.name,
        overlay=arguments.overlay,
        nics=tuple(arguments.nic),
        memory=arguments.memory,
        processors=arguments.processors,
        keep=arguments.keep,
        has_outside=arguments.outside,
    )
    print(f"{machine.name}: {machine.emulator.path} ({machine.emulator.origin})", file=sys.stderr)
    if arguments.keep:
        print(machine.name)
        return
    with machine:
        _follow(machine, "ttyS0")


def _list(_arguments: argparse.Namespace) -> None:
    for machine in list_machines():
        print(f"{machine.name:16} {machine.kind:12} port {machine.port}  pid {machine.pid}  {machine.disk}")


def _wait(arguments: argparse.Namespace) -> None:
    machine = Machine.find(arguments.name)
    began = time.monotonic()
    if arguments.console:
        machine.wait_for_console(arguments.console, arguments.timeout)
    else:
        machine.wait_for_ssh(arguments.timeout)
    print(f"{machine.name}: after {time.monotonic() - began:.0f} s", file=sys.stderr)


def _ssh(arguments: argparse.Namespace) -> None:
    command = ssh_command(Machine.find(arguments.name).port)
    words = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    os.execvp(command[0], [*command, *words])


def _console(arguments: argparse.Namespace) -> None:
    machine = Machine.find(arguments.name)
    if arguments.follow:
        _follow(machine, arguments.port)
    else:
        sys.stdout.write(machine.console(arguments.port))


def _inventory(arguments: argparse.Namespace) -> None:
    machine = Machine.find(arguments.name)
    if not arguments.json:
        print(machine.inventory)
        return
    access = {"address": "127.0.0.1", "port": machine.port, "user": "root", "identity_file": str(PRIVATE_KEY)}
    print(json.dumps(access))


def _stop(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).stop(arguments.timeout)


def _link(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).set_link(arguments.nic, up=arguments.state == "up")


def _intercepts(arguments: argparse.Namespace) -> None:
    print(json.dumps(Machine.find(arguments.name).intercepts(arguments.nic)._asdict()))


def _pause(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).pause()


def _resume(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).resume()


def _step_clock(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).step_host_clock(arguments.seconds)


def _reset(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).reset()


def _kill(arguments: argparse.Namespace) -> None:
    Machine.find(arguments.name).cut_power()


def _follow(machine: Machine, port: str) -> None:
    """The console, until the machine ends or the reader has enough."""
    shown = 0
    while True:
        is_running = machine.is_running()
        console = machine.console(port)
        sys.stdout.write(console[shown:])
        sys.stdout.flush()
        shown = len(console)
        if not is_running:
            return
        time.sleep(0.2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="A virtual Hyper-V and a virtual XenServer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="what is there, what is missing, how to get it")
    doctor.set_defaults(action=_doctor)

    images = commands.add_parser("images", help=f"the guest images in {IMAGES.relative_to(CACHE.parents[1])}")
    images.set_defaults(action=_images)

    make = commands.add_parser("make", help="make a guest image unless it is there, and print its path")
    make.add_argument("suite", choices=recipe.SUITES)
    make.add_argument("--flavour", choices=recipe.FLAVOURS, default=recipe.FLAVOURS[0])
    make.add_argument("--network", choices=recipe.NETWORKS, default=recipe.NETWORKS[0])
    make.add_argument("--address", choices=recipe.ADDRESSES, default=recipe.ADDRESSES[0])
    make.add_argument("--kernel", choices=recipe.KERNELS, default=recipe.KERNELS[0])
    make.add_argument("--predictable-names", action="store_true", help="enX0 on Xen rather than eth0")
    make.add_argument("--package", action="append", default=[], help="one more; may be given more than once")
    make.set_defaults(action=_make)

    begin = commands.add_parser("start", help="switch a machine on and show its serial console until it ends")
    begin.add_argument("kind", choices=hardware.KINDS)
    begin.add_argument("disk", type=Path)
    begin.add_argument("--name", default="", help="default: its kind and a number")
    begin.add_argument("--keep", action="store_true", help="print its name and leave it running")
    begin.add_argument("--overlay", action="store_true", help="throw away what the guest writes")
    spelling = "DEVICE[@SEGMENT][,mac=MAC][,link=down]"
    every = "; ".join(f"{kind}: {', '.join(nics)}" for kind, nics in hardware.NICS.items())
    where = f"SEGMENT: {', '.join((*hardware.SEGMENTS, hardware.DEAD))}"
    text = f"{spelling}, may be given more than once. DEVICE of a {every}. {where}"
    begin.add_argument("--nic", action="append", default=[], metavar="NIC", help=text)
    begin.add_argument("--memory", type=int, default=1024, metavar="MIB")
    begin.add_argument("--processors", type=int, default=2)
    begin.add_argument("--outside", action="store_true", help="let the guest reach the network of this system")
    begin.set_defaults(action=_start)

    running = commands.add_parser("list", help="the machines that are running")
    running.set_defaults(action=_list)

    def add(name: str, action: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        command.add_argument("name")
        command.set_defaults(action=action)
        return command

    wait = add("wait", _wait, "until SSH answers in the guest, or a text is on its serial console")
    wait.add_argument("--console", default="", metavar="TEXT")
    wait.add_argument("--timeout", type=float, default=300, metavar="SECONDS")
    ssh = add("ssh", _ssh, "a command, or a shell, as root in the guest: lab ssh NAME -- COMMAND")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    console = add("console", _console, "what the guest has written to a console so far")
    console.add_argument("--port", default="ttyS0", help="ttyS0, or hvc0 on a xenserver")
    console.add_argument("--follow", action="store_true")
    inventory = add("inventory", _inventory, "the machine as a line of an Ansible inventory")
    inventory.add_argument("--json", action="store_true", help="as molecule's instance configuration has it")
    stop = add("stop", _stop, "shut down, as the hypervisor asks for it")
    stop.add_argument("--timeout", type=float, default=180, metavar="SECONDS")
    link = add("link", _link, "the cable of a NIC: in or out")
    link.add_argument("nic", help="as in `lab start`; the second of a kind is synthetic2, legacy2, vif2")
    link.add_argument("state", choices=["up", "down"])
    intercepts = add("intercepts", _intercepts, "what an adapter of a Hyper-V machine has cost so far, as JSON")
    intercepts.add_argument("nic")
    add("pause", _pause, "let no processor run")
    add("resume", _resume, "after a pause")
    step = add("step-clock", _step_clock, "the clock of the Hyper-V host, as it is shown to the guest")
    step.add_argument("seconds", type=float)
    add("reset", _reset, "press the reset button")
    add("kill", _kill, "cut the power")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
