# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is outside of a guest of the lab and knows the true time: an observer of its clock, and an NTP server.

A guest's networks lead nowhere but to its gateway, which is 127.0.0.1 in the network namespace of its machine. So that
is where both of them are.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import heapq
import os
import pathlib
import select
import shlex
import socket
import subprocess
import threading
import time
import typing as t

from ansible_collections.rehost.hyperv.tests.lab.machine import Machine, ssh_command

GATEWAY = "10.0.2.2"  # of the first network of a guest
_CLONE_NEWNET = 0x40000000
_LOOPBACK = "127.0.0.1"
# Says where it is, once a second, as long as nobody asks; then the time, behind whatever was asked.
_TELL_TIME = f"""
import socket, sys, time
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.connect(("{GATEWAY}", int(sys.argv[1])))
link.settimeout(1)
link.send(b"here")
while True:
    try:
        asked = link.recv(100)
    except socket.timeout:
        link.send(b"here")
    else:
        link.send(asked + b" %d" % time.time_ns())
"""


class Observed(t.NamedTuple):
    """When, by this machine's clock, the guest's was ahead of it by how much, and by what that may be wrong at most:
    half of the way there and back. Seconds."""

    at: float
    offset: float
    error: float

    @property
    def low(self) -> float:
        return self.offset - self.error

    @property
    def high(self) -> float:
        return self.offset + self.error


class Observer:
    """Asks a process in the guest for the time. Use as a context."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._socket = open_socket(machine)
        self._peer: tuple[str, int] | None = None
        self._asked = 0

    def __enter__(self) -> Observer:
        self._socket.bind((_LOOPBACK, 0))
        self._socket.settimeout(1)
        program = f"exec python3 -c {shlex.quote(_TELL_TIME)} {self._socket.getsockname()[1]}"
        self._process = subprocess.Popen([*ssh_command(self._machine.port), program], stdin=subprocess.DEVNULL)
        self.look()
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._socket.close()

    def look(self, questions: int = 50, patience: float = 60) -> Observed:
        """The answer of the shortest way there and back; TimeoutError when there is none within seconds."""
        end = time.monotonic() + patience
        best: Observed | None = None
        while questions > 0 or best is None:
            if time.monotonic() > end and best is None:
                raise TimeoutError(f"the guest has not told the time for {patience} s")
            found = self._ask()
            questions -= 1
            if found is not None and (best is None or found.error < best.error):
                best = found
        return best

    def _ask(self) -> Observed | None:
        self._asked += 1
        question = b"%d" % self._asked
        begin = time.time_ns()
        if self._peer is not None:
            self._socket.sendto(question, self._peer)
        try:
            while True:
                words, self._peer = self._socket.recvfrom(100)
                end = time.time_ns()
                asked, _space, told = words.partition(b" ")
                if asked == question:
                    middle = (begin + end) // 2
                    return Observed(middle / 1e9, (int(told) - middle) / 1e9, (end - begin) / 2e9)
                if asked == b"here":
                    return None
        except socket.timeout:
            return None


def open_socket(machine: Machine) -> socket.socket:
    """For UDP, in the network namespace of a machine, where the guest's gateway is the loopback."""

    def enter_and_open() -> socket.socket:
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{machine.pid}/ns/net", "rb") as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"the network namespace of {machine.name} cannot be entered")
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    # only the thread changes its namespace, and it ends here
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(enter_and_open).result()


@contextlib.contextmanager
def serving_ntp(machine: Machine, tree: pathlib.Path, directory: pathlib.Path, port: int = 123) -> t.Iterator[None]:
    """A real chronyd, out of a tree, which tells the guest this machine's time and never touches it. What it needs and
    says is in C(directory)."""
    configuration = directory / "chrony.conf"
    lines = ("local stratum 3", f"allow {_LOOPBACK}", f"bindaddress {_LOOPBACK}", f"port {port}", "cmdport 0")
    closed = (f"pidfile {directory}/pid", "bindcmdaddress /")
    configuration.write_text("".join(f"{line}\n" for line in (*lines, *closed)))
    program = (tree / "usr/sbin/chronyd", "-x", "-d", "-u", "root", "-f", configuration)
    (libraries,) = tree.glob("usr/lib/*-linux-gnu")
    with open(directory / "chronyd.log", "wb") as log:
        process = subprocess.Popen(
            ["nsenter", f"--net=/proc/{machine.pid}/ns/net", "--", *program],
            env={**os.environ, "LD_LIBRARY_PATH": os.fspath(libraries)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


class Path:
    """The network between a guest and the NTP server, which holds back what goes there, and what comes back, for a
    while each. Use as a context."""

    def __init__(self, machine: Machine, port: int) -> None:
        """C(port): of the server."""
        self.there = 0.0  # seconds
        self.back = 0.0
        self._server = (_LOOPBACK, port)
        self._near, self._far = open_socket(machine), open_socket(machine)
        self._thread = threading.Thread(target=self._carry)
        self._is_open = True

    def __enter__(self) -> Path:
        self._near.bind((_LOOPBACK, 123))
        self._far.bind((_LOOPBACK, 0))
        self._thread.start()
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        self._is_open = False
        self._thread.join()
        self._near.close()
        self._far.close()

    def _carry(self) -> None:
        asked_by: dict[bytes, tuple[str, int]] = {}
        under_way: list[tuple[float, int, bytes, socket.socket, tuple[str, int]]] = []
        number = 0
        while self._is_open:
            rest = under_way[0][0] - time.monotonic() if under_way else 0.2
            for link in select.select([self._near, self._far], [], [], max(0.0, rest))[0]:
                packet, peer = link.recvfrom(2000)
                number += 1
                if link is self._near:
                    # the server repeats the time of sending as the origin (RFC 5905)
                    asked_by[packet[40:48]] = peer
                    entry = (time.monotonic() + self.there, number, packet, self._far, self._server)
                else:
                    entry = (time.monotonic() + self.back, number, packet, self._near, asked_by.pop(packet[24:32]))
                heapq.heappush(under_way, entry)
            while under_way and under_way[0][0] <= time.monotonic():
                _due, _number, packet, link, target = heapq.heappop(under_way)
                link.sendto(packet, target)
