# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines: started on a disk, watched on their consoles, reached by SSH, stopped or cut off.

A machine owns the directory .cache/lab/run/NAME, which outlives it: its consoles and what QEMU said can be read
afterwards.  It is running as long as somebody holds the lock in there; QEMU inherits the lock, so that it ends with
QEMU whatever happens.  The two slots for machines work the same way.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from . import acpi, direct_boot, hardware, qmp
from ._paths import CACHE, IMAGES, RUNS, LabError
from .emulator import Emulator, find_emulator
from .images import PRIVATE_KEY
from .prerequisites import FOR_MACHINES, missing_programs

SLOTS = 2  # an emulated machine keeps more than one processor busy
# Below the range that the kernel takes ports of outgoing connections from.
PORTS = range(20000, 32000)
# Messages after which a guest will not get to SSH any more.
DEAD_ENDS = (
    "Gave up waiting for root file system device",
    "Gave up waiting for root device",
    "Kernel panic - not syncing",
    "You are in emergency mode",
    "grub rescue>",
    "No bootable device",
)
RUNNABLE_FORMATS = ("raw", "qcow2")
_PROCESSOR = "/machine/unattached/device[0]"
# Inside a new network and mount namespace.
_ALONE = 'ip link set lo up && mount --bind resolv.conf /etc/resolv.conf && exec "$@"'

T = TypeVar("T")


class BootError(LabError):
    """The guest came to a dead end, ended, or was not there in time.  The message ends with its console."""


class CommandError(LabError):
    """A command in the guest failed; the message has its status and what it said."""


class Intercepts(NamedTuple):
    """What an adapter has cost so far: `accesses` by the guest that a hypervisor would have to intercept (of registers,
    or hypercalls), `interrupts` for the guest, and `packets` both ways."""

    accesses: int
    interrupts: int
    packets: int

    def since(self, earlier: Intercepts) -> Intercepts:
        return Intercepts(*(now - before for now, before in zip(self, earlier, strict=True)))


class Machine:
    """A running machine.  As a context manager it is cut off at the end, if it still runs.

    port: of this system, where the SSH server of the guest is, whichever NIC and address it is reached by.
    """

    def __init__(self, directory: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        record = json.loads((directory / "machine.json").read_text(encoding="utf-8"))
        self.directory = directory
        self.name = directory.name
        self.kind: str = record["kind"]
        self.disk = Path(record["disk"])
        self.pid: int = record["pid"]
        self.emulator = Emulator(Path(record["emulator"]), record["origin"])
        self.port: int = record["port"]
        self._process = process
        self._relay: subprocess.Popen[bytes] | None = None

    @classmethod
    def find(cls, name: str) -> Machine:
        """The running machine of that name, started by whichever process."""
        directory = RUNS / name
        if not _is_locked(directory / "lock") or not (directory / "machine.json").exists():
            raise LabError(f"no machine {name} is running; `lab list` shows those that are")
        return cls(directory)

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut_power()

    def is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return _is_locked(self.directory / "lock")

    # consoles

    def console(self, name: str = "ttyS0") -> str:
        """Everything that the guest has written so far to ttyS0, or on a xenserver to hvc0."""
        if name not in hardware.CONSOLES[self.kind]:
            raise LabError(f"a {self.kind} has no console {name}: there are {', '.join(hardware.CONSOLES[self.kind])}")
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_for_console(self, text: str, timeout: float = 300, *, name: str = "ttyS0", after: int = 0) -> str:
        """The console up to and with `text`; `after` skips what was there before, in characters."""

        def find() -> str | None:
            console = self.console(name)
            position = console.find(text, after)
            return console[: position + len(text)] if position >= 0 else None

        return self._wait(find, timeout, f"{text!r} on {name}")

    # inside the guest, as root

    def wait_for_ssh(self, timeout: float = 300) -> None:
        """BootError as soon as a console shows that the guest will never be there."""

        def answers() -> bool | None:
            for name, begin in self._boot_began_at().items():
                written = self.console(name)[begin:]
                for message in DEAD_ENDS:
                    if message in written:
                        raise BootError(f"{self.name} came to a dead end: {message!r}\n{self._last_lines()}")
            if not _has_ssh_banner(self.port):
                return None
            return self._ssh("true", timeout=60).returncode == 0 or None

        self._wait(answers, timeout, "SSH")

    def run(
        self, command: str | Sequence[str], *, timeout: float = 120, check: bool = True, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """A shell command line, or a program and its arguments.  CommandError when it fails, unless `check` is off."""
        line = command if isinstance(command, str) else shlex.join(command)
        result = self._ssh(line, timeout=timeout, stdin=stdin)
        if check and result.returncode:
            raise CommandError(f"{self.name}: `{line}` ended with status {result.returncode}: {result.stderr.strip()}")
        return result

    def copy_in(self, source: Path, target: str) -> None:
        """A file or directory of this system into the guest."""
        self._scp(str(source), f"root@127.0.0.1:{target}")

    def copy_out(self, source: str, target: Path) -> None:
        """A file or directory of the guest to this system."""
        self._scp(f"root@127.0.0.1:{source}", str(target))

    @property
    def inventory(self) -> str:
        """A line for an inventory of Ansible."""
        options = shlex.join(_ssh_options())
        return (
            f"{self.name} ansible_host=127.0.0.1 ansible_port={self.port} ansible_user=root "
            f"ansible_python_interpreter=/usr/bin/python3 ansible_ssh_common_args={shlex.quote(options)}"
        )

    # hardware, as the host sees it

    def qmp(self, command: str, **arguments: Any) -> Any:
        """What QEMU returns for a QMP command; `_` in the name of an argument stands for `-`."""
        spelled = {name.replace("_", "-"): value for name, value in arguments.items()}
        return qmp.execute(self.directory / "qmp.sock", command, spelled)

    def read(self, device: str, name: str) -> Any:
        """A property of a device, such as `samples-sent` of timesync.  README.md lists them."""
        return self.qmp("qom-get", path=_object_path(device), property=name)

    def write(self, device: str, name: str, value: Any) -> None:
        self.qmp("qom-set", path=_object_path(device), property=name, value=value)

    def set_link(self, nic: str, *, up: bool) -> None:
        """The cable of a NIC: in or out."""
        self.qmp("set_link", name=nic, up=up)

    def intercepts(self, nic: str) -> Intercepts:
        """Of a legacy or synthetic adapter, since the machine was switched on."""
        if nic.startswith("vif"):
            raise LabError("intercepts are counted for the adapters of a Hyper-V machine only")
        accesses = "accesses" if nic.startswith("legacy") else "hypercalls"
        packets = self.read(nic, "tx-packets") + self.read(nic, "rx-packets")
        return Intercepts(self.read(nic, accesses), self.read(nic, "interrupts"), packets)

    def step_host_clock(self, seconds: float) -> None:
        """Hyper-V's clock, as time synchronisation shows it to the guest; a sample of it is sent at once."""
        self.write("timesync", "offset-ms", self.read("timesync", "offset-ms") + round(seconds * 1000))

    def skew_clock(self, parts_per_million: int) -> None:
        """How much faster than real time all clocks of a Hyper-V guest run from now on, time samples excepted."""
        self.write(_PROCESSOR, "hv-clock-skew-ppm", parts_per_million)

    def pause(self) -> None:
        """No processor runs, and the guest's own clocks stand still, until `resume`."""
        self.qmp("stop")

    def resume(self) -> None:
        self.qmp("cont")

    def write_xenstore(self, path: str, value: str) -> None:
        """As from dom0; `path` is absolute or below the guest's own."""
        self.write("/machine/xenstore", "path", path)
        self.write("/machine/xenstore", "value", value)

    def read_xenstore(self, path: str) -> str:
        self.write("/machine/xenstore", "path", path)
        return str(self.read("/machine/xenstore", "value"))

    # the end

    def stop(self, timeout: float = 180) -> None:
        """The guest shuts down, asked as its hypervisor asks it.  BootError when it has not in time."""
        if self.kind == "xenserver":
            self.write_xenstore("control/shutdown", "poweroff")
        elif self.read("shutdown", "state") == "ready":
            self.write("shutdown", "request", "shutdown")
        else:
            self.qmp("system_powerdown")
        self.wait_for_end(timeout)

    def wait_for_end(self, timeout: float = 180) -> None:
        """Until the guest has switched the machine off."""
        deadline = time.monotonic() + timeout
        while self.is_running():
            if time.monotonic() > deadline:
                raise BootError(f"{self.name} still runs after {timeout:.0f} s\n{self._last_lines()}")
            time.sleep(0.2)

    def reset(self) -> None:
        """The reset button."""
        lengths = {name: len(self.console(name)) for name in hardware.CONSOLES[self.kind]}
        (self.directory / "reset.json").write_text(json.dumps(lengths), encoding="utf-8")
        self.qmp("system_reset")

    def cut_power(self) -> None:
        """Ends the machine at once.  What the guest has not written to its disk by now is lost."""
        if self.is_running():
            os.kill(self.pid, signal.SIGKILL)
            if self._process is not None:
                self._process.wait()
            else:
                self.wait_for_end(30)
        if self._relay is not None:
            self._relay.wait(30)

    def _boot_began_at(self) -> dict[str, int]:
        """Console -> where in it the boot after the last reset begins."""
        path = self.directory / "reset.json"
        if path.exists():
            return dict(json.loads(path.read_text(encoding="utf-8")))
        return dict.fromkeys(hardware.CONSOLES[self.kind], 0)

    def _wait(self, probe: Callable[[], T | None], timeout: float, what: str) -> T:
        deadline = time.monotonic() + timeout
        while True:
            is_running = self.is_running()
            found = probe()
            if found is not None:
                return found
            if not is_running:
                messages = _read_log(self.directory)
                raise BootError(f"{self.name} ended while waiting for {what}. {messages}\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise BootError(f"{self.name}: no {what} in {timeout:.0f} s\n{self._last_lines()}")
            time.sleep(0.5)

    def _last_lines(self) -> str:
        """Of each console, for a message."""
        ends = []
        for name in hardware.CONSOLES[self.kind]:
            lines = self.console(name).split("\n")
            ends.append(f"--- {name}:\n" + "\n".join(lines[-20:]))
        return "\n".join(ends)

    def _ssh(self, line: str, *, timeout: float, stdin: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [*ssh_command(self.port), line],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{self.name}: `{line}` has not ended in {timeout:.0f} s") from error

    def _scp(self, source: str, target: str) -> None:
        command = ["scp", "-qr", *_ssh_options(), "-P", str(self.port), source, target]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if result.returncode:
            raise CommandError(f"{self.name}: copying {source} to {target} failed: {result.stderr.strip()}")


def start(
    kind: str,
    disk: Path,
    *,
    name: str = "",
    overlay: bool = False,
    nics: Sequence[str] = (),
    memory: int = 1024,
    processors: int = 2,
    keep: bool = False,
    has_outside: bool = False,
    processor_options: Sequence[str] = (),
    slot_timeout: float = 1200,
) -> Machine:
    """Switch a machine on; its BIOS runs when this returns.

    `nics` are spelled DEVICE[@SEGMENT][,mac=MAC][,link=down]: see `hardware.choose`.
    With `overlay` all that the guest writes is gone when the machine ends; without it the guest writes to `disk`.
    A disk in a format that the emulator does not speak (VHD, VHDX) takes an overlay, in fact a copy.
    A machine of the same name as an earlier one is reached by the same port, if that is still free.
    Unless told to `keep` it, the machine ends with the thread that started it.
    With `has_outside` the guest reaches what this system reaches.  Otherwise it has SSH from here, and on its networks
    a gateway that leads nowhere and a name server that knows no name.
    """
    machine = hardware.choose(
        kind,
        nics,
        memory=memory,
        processors=processors,
        processor_options=processor_options,
    )
    if "/" in name or name.startswith("."):
        raise LabError(f"{name!r} is no name for a machine")
    disk = disk.resolve()
    if not disk.exists():
        raise LabError(f"there is no disk {disk}")
    if disk.parent == IMAGES and not overlay:
        raise LabError(f"{disk} is the pristine image: copy it, or start the machine with an overlay")
    emulator = find_emulator()
    reason = missing_programs(FOR_MACHINES)
    if reason:
        raise LabError(reason)
    directory, lock = _take_directory(kind, name)
    slot = None
    earlier_port = _earlier_port(directory)
    try:
        for leftover in directory.iterdir():
            if leftover.is_dir():
                shutil.rmtree(leftover)
            elif leftover.name != "lock":
                leftover.unlink()
        slot = _take_slot(slot_timeout)
        image, image_format = _image_to_run(disk, overlay, directory)
        boot = _prepare_direct_boot(image, image_format, directory) if machine.needs_direct_boot else None
        try:
            process, ports = _switch_on(
                emulator,
                machine,
                directory,
                lambda ports: machine.arguments(image, image_format, ports, boot),
                keep=keep,
                has_outside=has_outside,
                locks=(lock, slot),
            )
        finally:
            if overlay:
                image.unlink()  # QEMU has it open; nobody else needs its name
        relay, port = _start_relay(process.pid, ports, earlier_port, has_outside=has_outside)
        record = {"kind": kind, "disk": str(disk), "overlay": overlay, "pid": process.pid}
        record.update(port=port, emulator=str(emulator.path), origin=emulator.origin)
        (directory / "machine.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        started = Machine(directory, process)
        started._relay = relay
        for nic in machine.nics:
            if not nic.is_linked:
                started.set_link(nic.name, up=False)
        return started
    finally:
        os.close(lock)
        if slot is not None:
            os.close(slot)


def ssh_command(port: int) -> list[str]:
    """The command that a command line for the guest can be appended to."""
    return ["ssh", *_ssh_options(), "-p", str(port), "root@127.0.0.1"]


def list_machines() -> tuple[Machine, ...]:
    """All that run, by name."""
    records = sorted(RUNS.glob("*/machine.json"))
    return tuple(Machine(record.parent) for record in records if _is_locked(record.with_name("lock")))


def _switch_on(
    emulator: Emulator,
    machine: hardware.Hardware,
    directory: Path,
    arguments: Callable[[Mapping[str, Sequence[int]]], Sequence[str]],
    *,
    keep: bool,
    has_outside: bool,
    locks: tuple[int, int],
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """QEMU, answering, and the ports that it forwards; `arguments` are for given ones.

    Without an outside they are those of a network of its own that leads nowhere, where names are asked of 127.0.0.1.
    """
    tie = [] if keep else ["setpriv", "--pdeathsig", "KILL"]
    alone = [] if has_outside else ["unshare", "--net", "--mount", "sh", "-c", _ALONE, "lab"]
    (directory / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")
    (directory / hardware.MEMORY_RANGE).write_bytes(acpi.memory_range())
    for _attempt in range(10):
        free = iter(_free_ports(len(machine.networks) * len(hardware.ADDRESSES)))
        ports = {network: [next(free) for _address in hardware.ADDRESSES] for network in machine.networks}
        with (directory / "qemu.log").open("wb") as log:
            process = subprocess.Popen(
                [*tie, *alone, "nice", emulator.path, *arguments(ports)],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=locks,
                start_new_session=True,
            )
        if _is_up(directory, process):
            return process, [port for forwarded in ports.values() for port in forwarded]
        if "Could not set up host forwarding rule" not in _read_log(directory):
            break  # anything but a port that somebody else was faster to take
    raise LabError(f"QEMU does not start a {machine.kind}: {_read_log(directory)}")


def _prepare_direct_boot(image: Path, image_format: str, directory: Path) -> hardware.DirectBoot:
    """The files that a machine of generation 2 is started with, in its directory."""
    if not hardware.FIRMWARE.exists():
        raise LabError(f"no {hardware.FIRMWARE}, the firmware of generation 2: apt-get install ovmf")
    shutil.copyfile(hardware.VARIABLES, directory / "variables.fd")
    command_line = direct_boot.read_default_entry(image, image_format, directory)
    return hardware.DirectBoot(direct_boot.KERNEL, direct_boot.INITRD, command_line)


def _is_up(directory: Path, process: subprocess.Popen[bytes]) -> bool:
    """True once QEMU answers, False when it has ended instead."""
    deadline = time.monotonic() + 60
    while process.poll() is None:
        try:
            qmp.execute(directory / "qmp.sock", "query-status")
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
                raise
        else:
            return True
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
        time.sleep(0.05)
    return False


def _earlier_port(directory: Path) -> int | None:
    """Of the machine that had this name before: who noted it in an inventory finds the new one as well."""
    record = directory / "machine.json"
    return int(json.loads(record.read_text(encoding="utf-8"))["port"]) if record.exists() else None


def _start_relay(
    pid: int, ports: Sequence[int], wanted: int | None, *, has_outside: bool
) -> tuple[subprocess.Popen[bytes], int]:
    """The relay of a QEMU, with which it ends, and the port that it listens on: the one wanted, unless it is taken."""
    relay = [sys.executable, os.fspath(Path(__file__).with_name("relay.py")), "--until", str(pid)]
    if not has_outside:
        relay = ["nsenter", f"--net=/proc/{pid}/ns/net", *relay, "--names"]
    with _listen(wanted) as listener:
        process = subprocess.Popen(
            [*relay, "--listen", str(listener.fileno()), *map(str, ports)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        port = listener.getsockname()[1]
    return process, port


def _listen(wanted: int | None) -> socket.socket:
    """On the port that is wanted, as soon as it is free; else on another one."""
    deadline = time.monotonic() + 2
    while True:
        try:
            return socket.create_server(("127.0.0.1", wanted or _free_ports(1)[0]))
        except OSError:
            # A relay ends a moment after its QEMU.  Of the free ports, somebody else was faster to take it.
            time.sleep(0.05)
            if time.monotonic() > deadline:
                wanted = None


def _take_directory(kind: str, name: str) -> tuple[Path, int]:
    """A machine's directory and the lock of it: of that name, or of the first free one for its kind."""
    names = [name] if name else [f"{kind}-{number}" for number in range(1, 100)]
    for candidate in names:
        directory = RUNS / candidate
        directory.mkdir(parents=True, exist_ok=True)
        lock = _try_lock(directory / "lock")
        if lock is not None:
            return directory, lock
    raise LabError(f"a machine {names[0]} is already running: `lab kill {names[0]}` ends it")


def _take_slot(timeout: float) -> int:
    deadline = time.monotonic() + timeout
    directory = CACHE / "slots"
    directory.mkdir(parents=True, exist_ok=True)
    is_told = False
    while True:
        for number in range(SLOTS):
            lock = _try_lock(directory / str(number))
            if lock is not None:
                return lock
        running = ", ".join(machine.name for machine in list_machines())
        if time.monotonic() > deadline:
            raise LabError(f"{SLOTS} machines are running ({running}), and none has ended in {timeout:.0f} s")
        if not is_told:
            print(f"waiting for one of the machines to end: {running}", file=sys.stderr, flush=True)
            is_told = True
        time.sleep(1)


def _try_lock(path: Path) -> int | None:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    lock = _try_lock(path)
    if lock is None:
        return True
    os.close(lock)
    return False


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on right now."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def _has_ssh_banner(port: int) -> bool:
    """QEMU itself accepts the connection, so only a word from the guest says that it is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _ssh_options() -> list[str]:
    """Nothing of this user's own configuration, and no memory of host keys: every image has new ones."""
    settings = (
        f"IdentityFile={PRIVATE_KEY}",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "ConnectTimeout=30",
    )
    return ["-F", "none", *(word for setting in settings for word in ("-o", setting))]


def _disk_format(disk: Path) -> str:
    """As qemu-img names it.  The image is looked at, so a raw disk must not begin as another format does."""
    answer = subprocess.run(
        ["qemu-img", "info", "-U", "--output=json", disk], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise LabError(f"{disk}: qemu-img cannot tell its format: {answer.stderr.strip()}")
    return str(json.loads(answer.stdout)["format"])


def _image_to_run(disk: Path, overlay: bool, directory: Path) -> tuple[Path, str]:
    """The image that takes the guest's writes, and its format: the disk itself, or something to throw away."""
    disk_format = _disk_format(disk)
    if not overlay:
        if disk_format in RUNNABLE_FORMATS:
            return disk, disk_format
        raise LabError(f"{disk}: the emulator does not write to {disk_format} images; use an overlay")
    if disk_format in RUNNABLE_FORMATS:
        image, image_format = directory / "overlay.qcow2", "qcow2"
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", disk_format, "-b", str(disk), str(image)]
    else:
        image, image_format = directory / "copy.raw", "raw"
        command = ["nice", "qemu-img", "convert", "-f", disk_format, "-O", "raw", str(disk), str(image)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LabError(f"{disk}: qemu-img cannot read it as {disk_format}: {answer.stderr.strip()}")
    return image, image_format


def _object_path(device: str) -> str:
    return device if device.startswith("/") else f"/machine/peripheral/{device}"


def _read_log(directory: Path) -> str:
    return (directory / "qemu.log").read_text(encoding="utf-8", errors="replace").strip()
