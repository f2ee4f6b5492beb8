# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest with two adapters, and the network behind them, in namespaces: real interfaces, real ifupdown.

Everything here is for a process that has no other purpose, such as that of child_process.call.
"""

from __future__ import annotations

import ctypes
import glob
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import typing as t

import pytest

from . import child_process

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
OLD_MAC = "00:15:5d:00:00:01"
NEW_MAC = "00:15:5d:00:00:02"
GATEWAY = "192.0.2.1"
ADDRESS = "192.0.2.10"
GATEWAY6 = "2001:db8::1"
ADDRESS6 = "2001:db8::10"
INTERFACES = f"""\
# the network of this guest
auto lo
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet static
    address {ADDRESS}/24
    gateway {GATEWAY}
    up ip link set $IFACE mtu 1400

iface eth0 inet6 static
    address {ADDRESS6}/64
    gateway {GATEWAY6}
    dad-attempts 0
"""
_libc = ctypes.CDLL(None, use_errno=True)
_CACHED = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "debs"


def needs_namespaces() -> None:
    """Skips the test where there is no way to make such a network."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2")


def find_ifupdown() -> str:
    """A directory with ifup and ifdown: this machine's, or those of the package that `make setup` downloads."""
    found = shutil.which("ifup")
    if found is not None:
        return os.path.dirname(found)
    packages = sorted(glob.glob(os.fspath(_CACHED / "ifupdown_*.deb")))
    if not packages or shutil.which("dpkg-deb") is None:
        pytest.skip("needs ifupdown: installed, or downloaded by make setup")
    directory = os.path.join(tempfile.gettempdir(), "rehost-hyperv-" + os.path.basename(packages[0]))
    if not os.path.exists(directory):
        with tempfile.TemporaryDirectory() as unpacked:
            subprocess.run(["dpkg-deb", "-x", packages[0], unpacked], check=True)
            shutil.copytree(os.path.join(unpacked, "sbin"), directory, symlinks=True)
    return directory


class Network:
    """The far side: a bridge with the gateway and a name server, and the ends of the guest's cables."""

    def __init__(self) -> None:
        leave_for_new_namespaces()
        self._far = _spawn(_serve)

    def far(self, *command: str) -> None:
        """Runs a command there."""
        self.far_says(*command)

    def far_says(self, *command: str) -> str:
        there = ["nsenter", f"--net=/proc/{self._far}/ns/net", *command]
        return subprocess.run(there, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout

    def plug(self, name: str, mac: str, *, is_dead: bool = False) -> None:
        """Gives the guest an adapter; a dead one is on a switch where nobody else is."""
        ip("link", "add", name, "address", mac, "type", "veth", "peer", "name", f"far-{name}", "netns", str(self._far))
        if not is_dead:
            self.far("ip", "link", "set", f"far-{name}", "master", "switch")
        self.far("ip", "link", "set", f"far-{name}", "up")

    def end(self) -> None:
        os.kill(self._far, signal.SIGKILL)


def leave_for_new_namespaces() -> None:
    """A network and mounts of its own, with the directories that a guest's network configuration is in, empty."""
    child_process.leave_mounts()
    if _libc.unshare(NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for path in ("/run", "/var/lib", "/etc/network", "/sys"):
        os.makedirs(path, exist_ok=True)
        child_process.mount("sysfs" if path == "/sys" else "tmpfs", path, "sysfs" if path == "/sys" else "tmpfs")
    for path in ("/run/network", *(f"/etc/network/if-{when}.d" for when in ("pre-up", "up", "down", "post-down"))):
        os.makedirs(path)
    pathlib.Path("/run/resolv.conf").write_text(f"nameserver {GATEWAY}\n")
    child_process.bind("/run/resolv.conf", "/etc/resolv.conf")
    ip("link", "set", "lo", "up")


def use_ifupdown(directory: str, interfaces: str = INTERFACES) -> None:
    """Puts ifupdown into the places where programs are looked for, and brings eth0 up."""
    if directory not in ("/sbin", "/usr/sbin"):
        child_process.mount("overlay", "/usr/sbin", "overlay", 0, f"lowerdir={directory}:/usr/sbin")
    pathlib.Path("/etc/network/interfaces").write_text(interfaces)
    subprocess.run(["ifup", "lo"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ifup", "eth0"], check=True, stdout=subprocess.DEVNULL)


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def wait_until(is_true: t.Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def _spawn(work: t.Callable[[int], None]) -> int:
    """A process in a network of its own; returns when it is ready."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            _libc.unshare(NEW_NETWORK)
            work(writer)
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == b"ready"
    return child


def _serve(ready: int) -> None:
    """The gateway, which answers questions for names, and takes connections on port 80."""
    ip("link", "set", "lo", "up")
    pathlib.Path("/proc/sys/net/ipv4/conf/all/arp_ignore").write_text("1")  # else it answers on dead cables as well
    ip("link", "add", "switch", "type", "bridge")
    ip("link", "set", "switch", "up")
    ip("address", "add", f"{GATEWAY}/24", "dev", "switch")
    ip("address", "add", f"{GATEWAY6}/64", "dev", "switch", "nodad")
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((GATEWAY, 53))
    web = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    web.bind((GATEWAY, 80))
    web.listen(16)
    os.write(ready, b"ready")
    os.close(ready)
    while True:
        question, asking = names.recvfrom(512)
        names.sendto(question[:2] + b"\x80\x05" + question[4:], asking)  # refused, which is an answer
