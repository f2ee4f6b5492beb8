# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that configure interfaces: how each lets go of some, and takes them up again.

ifupdown is told interface by interface. The daemons are stopped, and started when the interfaces have their names: all
releases of systemd-networkd and NetworkManager since Debian 10 configure what they find when they start, while how they
follow a name that changes differs.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
import typing as t

if t.TYPE_CHECKING:
    from .programs import Programs

IFSTATE = "/run/network/ifstate"
NETWORKD_PARKED = "/run/systemd/network/00-rehost-hyperv-live.network"
NETWORK_MANAGER_PARKED = "/run/NetworkManager/conf.d/90-rehost-hyperv-live.conf"
_NETWORK_MANAGER_DEVICES = "/run/NetworkManager/devices"
_SYSCTL = ("/lib/systemd/systemd-sysctl", "/usr/lib/systemd/systemd-sysctl")

Names = t.Mapping[str, str]
"""Name that the configuration says before, and after."""

Memory = t.Dict[str, t.List[str]]
"""What a back end has to know to take up again what it let go of; as JSON holds it."""


class Held(t.NamedTuple):
    """What is to be let go of, by the names of before."""

    interfaces: tuple[str, ...]  # configured adapters, and what is on top of them, lower ones first
    spare: tuple[str, ...]  # the adapters that take their places
    indices: tuple[int, ...]  # of all adapters that change names


class BackEnd:
    """One program that configures interfaces. Its methods return what did not work."""

    def remember(self, programs: Programs, held: Held) -> Memory:
        """What of them is up now."""
        raise NotImplementedError

    def stop(self, programs: Programs, memory: Memory, names: Names) -> list[str]:
        """Lets go of them. C(names): what they are called by now."""
        raise NotImplementedError

    def start(
        self, programs: Programs, memory: Memory, names: Names, deadline: float, *, is_back: bool = False
    ) -> list[str]:
        """Takes them up again, under the names that they now have; what was up on a spare adapter only when
        everything is put back. C(deadline) is of time.monotonic()."""
        raise NotImplementedError


class Ifupdown(BackEnd):
    def remember(self, programs: Programs, held: Held) -> Memory:
        state = _read_ifstate()
        ordered: list[str] = []
        for interface in held.interfaces:
            ordered += [name for name in state if name == interface or name.startswith(f"{interface}:")]
        spare = [name for name in state if name.partition(":")[0] in held.spare]
        return {
            "up": [f"{name}={state[name]}" for name in ordered],
            "spare": [f"{name}={state[name]}" for name in spare if name not in ordered],
        }

    def stop(self, programs: Programs, memory: Memory, names: Names) -> list[str]:
        state = _read_ifstate()
        spare = [entry.partition("=")[0] for entry in reversed(memory["spare"])]
        up = [_renamed(entry, names).partition("=")[0] for entry in reversed(memory["up"])]
        up += [name for name in spare if name in state and name not in up]
        if up and _has_systemd():
            # a hotplugged interface is up by a unit bound to its device, whose name will be another adapter's: left
            # alone, systemd would take that one down
            programs.run("systemctl", "stop", *(f"ifup@{_escape(name)}.service" for name in up), seconds=40.0)
        problems = []
        for name in up:
            if name in _read_ifstate():
                problems += _problems(programs.run("ifdown", name, seconds=30.0))
            elif name not in state:  # an ifup that was ended before it was through
                programs.run("ifdown", "--force", name, seconds=30.0)
        return problems

    def start(
        self, programs: Programs, memory: Memory, names: Names, deadline: float, *, is_back: bool = False
    ) -> list[str]:
        problems = []
        for entry in [*memory["up"], *(memory["spare"] if is_back else [])]:
            interface, _separator, logical = _renamed(entry, names).partition("=")
            wanted = interface if interface == logical else f"{interface}={logical}"
            done = programs.run("ifup", wanted, seconds=deadline - time.monotonic())
            if not done.is_good:
                problems.append(done.problem())
        return problems


class Networkd(BackEnd):
    """systemd-networkd, and the sockets that would start it again as soon as an interface changes."""

    _unit = "systemd-networkd.service"

    def remember(self, programs: Programs, held: Held) -> Memory:
        done = programs.ask("systemctl", "show", "--property=TriggeredBy", "--value", self._unit)
        return {"units": [*done.output.split(), self._unit] if done.is_good else [self._unit]}

    def stop(self, programs: Programs, memory: Memory, names: Names) -> list[str]:
        return _problems(programs.run("systemctl", "stop", *memory["units"], seconds=40.0))

    def start(
        self, programs: Programs, memory: Memory, names: Names, deadline: float, *, is_back: bool = False
    ) -> list[str]:
        programs.run("systemctl", "reset-failed", *memory["units"])
        return _problems(
            programs.run("systemctl", "start", *reversed(memory["units"]), seconds=deadline - time.monotonic())
        )


class NetworkManager(BackEnd):
    _unit = "NetworkManager.service"

    def remember(self, programs: Programs, held: Held) -> Memory:
        """The profiles in use that do not come up by themselves."""
        shown = programs.run(
            "nmcli", "--terse", "--fields", "UUID,AUTOCONNECT,DEVICE", "connection", "show", "--active"
        )
        active = [line.split(":") for line in shown.output.splitlines()] if shown.is_good else []
        manual = [line[0] for line in active if len(line) == 3 and line[2] in held.interfaces and line[1] == "no"]
        return {"manual": manual, "adapters": [str(index) for index in held.indices]}

    def stop(self, programs: Programs, memory: Memory, names: Names) -> list[str]:
        done = programs.run("systemctl", "stop", self._unit, seconds=40.0)
        # by these it would take up adapters as it left them, wherever their profiles belong by then
        for index in memory["adapters"]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{_NETWORK_MANAGER_DEVICES}/{index}")
        return _problems(done)

    def start(
        self, programs: Programs, memory: Memory, names: Names, deadline: float, *, is_back: bool = False
    ) -> list[str]:
        problems = _problems(programs.run("systemctl", "start", self._unit, seconds=deadline - time.monotonic()))
        for profile in memory["manual"]:
            left = deadline - time.monotonic()
            up = ("connection", "up", "uuid", profile)
            problems += _problems(programs.run("nmcli", "--wait", str(max(1, int(left))), *up, seconds=left))
        return problems


class Netplan(BackEnd):
    """Writes the configuration of the daemons, in /run, before they start."""

    def remember(self, programs: Programs, held: Held) -> Memory:
        return {}

    def stop(self, programs: Programs, memory: Memory, names: Names) -> list[str]:
        return []

    def start(
        self, programs: Programs, memory: Memory, names: Names, deadline: float, *, is_back: bool = False
    ) -> list[str]:
        return _problems(programs.run("netplan", "generate", seconds=deadline - time.monotonic()))


BACK_ENDS: t.Mapping[str, BackEnd] = {
    # in the order in which they start: netplan before the daemons that read what it writes
    "netplan": Netplan(),
    "systemd-networkd": Networkd(),
    "network-manager": NetworkManager(),
    "ifupdown": Ifupdown(),
}


def back_ends_of(stacks: t.Iterable[str]) -> tuple[str, ...]:
    """The back ends of some stacks, in the order in which they start. Those of netplan are seen by the files that it
    made for them."""
    used = set(stacks)
    if "netplan" in used:
        if glob.glob("/run/systemd/network/*netplan*"):
            used.add("systemd-networkd")
        if glob.glob("/run/NetworkManager/system-connections/netplan-*"):
            used.add("network-manager")
    return tuple([name for name in BACK_ENDS if name in used])


def park(programs: Programs, interfaces: t.Sequence[str], back_ends: t.Sequence[str]) -> None:
    """Tells the daemons to leave some interfaces alone until the next boot. Those of C(back_ends) are not running and
    read it when they start. Raises OSError."""
    if not interfaces:
        return
    if "systemd-networkd" in back_ends or _is_active(programs, "systemd-networkd.service"):
        _write(NETWORKD_PARKED, f"[Match]\nName={' '.join(interfaces)}\n\n[Link]\nUnmanaged=yes\n")
        if "systemd-networkd" not in back_ends:
            programs.run("networkctl", "reload")
    if "network-manager" in back_ends or _is_active(programs, "NetworkManager.service"):
        names = ";".join(f"interface-name:{name}" for name in interfaces)
        _write(NETWORK_MANAGER_PARKED, f"[keyfile]\nunmanaged-devices+={names}\n")
        if "network-manager" not in back_ends:
            programs.run("nmcli", "general", "reload", "conf")


def unpark(programs: Programs, back_ends: t.Sequence[str]) -> None:
    for path, name, reload in (
        (NETWORKD_PARKED, "systemd-networkd", ("networkctl", "reload")),
        (NETWORK_MANAGER_PARKED, "network-manager", ("nmcli", "general", "reload", "conf")),
    ):
        if os.path.exists(path):
            os.unlink(path)
            if name not in back_ends:
                programs.run(*reload)


def set_sysctls(programs: Programs, interfaces: t.Iterable[str]) -> None:
    """Gives interfaces the kernel settings that are configured for their names, which udev does when one is added, not
    when it is renamed."""
    program = next((path for path in _SYSCTL if os.path.exists(path)), None)
    if program is not None:
        trees = [f"/net/{tree}/{name}" for name in interfaces for tree in ("ipv4/conf", "ipv4/neigh")]
        trees += [f"/net/{tree}/{name}" for name in interfaces for tree in ("ipv6/conf", "ipv6/neigh")]
        programs.run(program, *(f"--prefix={tree}" for tree in trees))


def renamed(interface: str, names: Names) -> str:
    """What an interface is called when those that it is named after are: C(eth0.5) and C(eth0:1) follow C(eth0)."""
    for before, after in names.items():
        if interface == before:
            return after
        if interface.startswith((f"{before}.", f"{before}:")):
            return after + interface[len(before) :]
    return interface


def _renamed(entry: str, names: Names) -> str:
    return "=".join(renamed(name, names) for name in entry.split("="))


def _read_ifstate() -> dict[str, str]:
    """Interface -> the stanza by which it is up."""
    try:
        with open(IFSTATE, encoding="utf-8", errors="replace") as stream:
            pairs = [line.strip().partition("=") for line in stream]
    except OSError:
        return {}
    return {name: logical or name for name, _separator, logical in pairs if name}


def _has_systemd() -> bool:
    return os.path.isdir("/run/systemd/system")


def _is_active(programs: Programs, unit: str) -> bool:
    return _has_systemd() and programs.ask("systemctl", "is-active", "--quiet", unit).is_good


def _escape(name: str) -> str:
    """As systemd-escape does for the instance of a unit; a "-" stands for a slash there."""
    return "".join(
        character if character.isalnum() or character in ":_." else f"\\x{ord(character):02x}" for character in name
    )


def _problems(done: t.Any) -> list[str]:
    return [] if done.is_good else [done.problem()]


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
        os.fchmod(stream.fileno(), 0o644)
