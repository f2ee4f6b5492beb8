# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking NTP servers for the time, several at once, again and again, without ever waiting for one that is silent."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import selectors
import socket
import time
import typing as t

from .._formats import sntp
from . import programs
from .clocks import read_clocks
from .model import Reading, ReferenceSeries, Sample

PATIENCE = 1.0  # seconds for an answer; NTP over more than that is of no use
_LOOKUP = 5.0  # seconds for a name
_HOPELESS = 2  # rounds without any answer, after which nobody waits for a server
_SMALLEST_STEP = 100_000  # ns
_CLOCK_ERROR = 1_000_000  # ns; by which the guest's clock may seem to have gone backwards while a packet travelled
_LONGEST_PACKET = 2048


class NtpServers:
    """The servers that are asked. Use as a context; C(ask) makes a round, C(series) tells what came of it."""

    def __init__(self, names: t.Iterable[str]) -> None:
        self._servers = [_Server(name) for name in names]
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> NtpServers:
        for server in self._servers:
            server.open()
            if server.socket is not None:
                self._selector.register(server.socket, selectors.EVENT_READ, server)
        return self

    def __exit__(self, *_exception: t.Any) -> None:
        self._selector.close()
        for server in self._servers:
            if server.socket is not None:
                server.socket.close()

    def ask(self) -> None:
        """One question to each server. Returns when all have answered of whom that can be hoped, at the latest after
        PATIENCE."""
        for server in self._servers:
            server.send()
        end = time.monotonic() + PATIENCE
        while any(server.is_worth_waiting for server in self._servers):
            rest = end - time.monotonic()
            if rest <= 0:
                break
            for key, _events in self._selector.select(rest):
                key.data.receive()
        for server in self._servers:
            server.end_round()

    def series(self) -> tuple[ReferenceSeries, ...]:
        return tuple([server.series() for server in self._servers])


class _Server:
    def __init__(self, name: str) -> None:
        self.name = name
        self.socket: socket.socket | None = None
        self._samples: list[Sample] = []
        self._last: sntp.Answer | None = None
        self._root_error = 0
        self._asked = 0
        self._problems: dict[tuple[str, str], None] = {}
        self._sent_at: Reading | None = None  # of a question that is open
        self._nonce = b""
        self._is_told_off = False

    @property
    def is_worth_waiting(self) -> bool:
        return self._sent_at is not None and (bool(self._samples) or self._asked <= _HOPELESS)

    def open(self) -> None:
        """Finds the address, and connects: the kernel then drops what others send, and tells of refusals."""
        try:
            address = _address(self.name)
            if address is None:
                self._note("unknown-name", f"no address is known for {self.name}")
                return
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            self.socket.connect((address, sntp.PORT))
        except OSError as error:
            self._note("unreachable", _explain(error))

    def send(self) -> None:
        if self.socket is None or self._is_told_off:
            return
        self._nonce = os.urandom(sntp.NONCE_LENGTH - 1) + b"\x01"
        self._asked += 1
        self._sent_at = read_clocks()
        try:
            self.socket.send(sntp.request(self._nonce))
        except OSError as error:
            self._sent_at = None
            self._note("unreachable", _explain(error))

    def receive(self) -> None:
        if self.socket is None:
            return
        try:
            packet = self.socket.recv(_LONGEST_PACKET)
        except BlockingIOError:
            return
        except OSError as error:
            self._sent_at = None
            self._note("unreachable", _explain(error))
            return
        after = read_clocks()
        before = self._sent_at
        if before is None:
            return  # too late, or once more
        try:
            answer = sntp.parse(packet, self._nonce, after.system)
        except sntp.ForeignError as error:
            self._note("foreign", error.message)
            return  # the true answer may still come
        except sntp.RefusedError as error:
            self._is_told_off = error.is_final
            self._sent_at = None
            self._note(error.kind, error.message)
            return
        self._sent_at = None
        self._take(answer, before, after)

    def end_round(self) -> None:
        self._sent_at = None

    def series(self) -> ReferenceSeries:
        last = self._last
        return ReferenceSeries(
            self.name,
            "server",
            samples=tuple(self._samples),
            root_error=self._root_error,
            stratum=last.stratum if last else None,
            leap=last.leap if last else None,
            asked=self._asked,
            refused=tuple(self._problems),
        )

    def _take(self, answer: sntp.Answer, before: Reading, after: Reading) -> None:
        if abs((after.system - before.system) - (after.steady - before.steady)) > _SMALLEST_STEP:
            return  # somebody set the clock meanwhile
        # the clocksource, not the system clock, measures the way of the packet: nobody slews it
        delay = (after.raw - before.raw) - (answer.sent - answer.received)
        if delay < -_CLOCK_ERROR:
            self._note("backwards", "the server says that it took longer to answer than the answer took to come")
            return
        self._last = answer
        self._root_error = max(self._root_error, answer.root_delay // 2 + answer.root_dispersion)
        at = Reading(
            (before.system + after.system) // 2,
            (before.steady + after.steady) // 2,
            (before.raw + after.raw) // 2,
            before.width + after.width,
        )
        error = max(0, delay) // 2 + answer.precision + at.width
        self._samples.append(Sample(at, (answer.received + answer.sent) // 2, error))

    def _note(self, kind: str, message: str) -> None:
        self._problems[kind, message] = None


def _address(name: str) -> str | None:
    """The address of a server. Names are looked up by another program, which can be stopped when it takes too long."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(name))
    for line in programs.ask(("getent", "--", "ahosts", name), _LOOKUP).text.split("\n"):
        with contextlib.suppress(ValueError):
            return str(ipaddress.ip_address(line.partition(" ")[0]))
    return None


def _explain(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "the machine is there, and no NTP server on it (ICMP port unreachable)"
    return f"it cannot be reached: {error.strerror or error}"
