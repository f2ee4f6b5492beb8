# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NTP servers on this machine, which answer as they are told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._formats import sntp

SECOND = 1_000_000_000
Answering = t.Callable[[bytes], t.Iterable[bytes]]


def answer(request: bytes, *, ahead: float = 0.0, origin: t.Optional[bytes] = None, **changes: int) -> bytes:
    """What a sound server answers at once, whose clock is ahead of this machine's."""
    first = changes.get("leap", 0) << 6 | 4 << 3 | changes.get("mode", 4)
    now = sntp.timestamp(time.time_ns() + round(ahead * SECOND))
    numbers = (first, changes.get("stratum", 2), 6, -24, 0, changes.get("dispersion", 0))
    return struct.pack("!BBbbII4s8s8s8s8s", *numbers, b"RATE", now, origin or request[40:48], now, now)


class Server:
    """Answers on this machine until it is closed, as it was told to."""

    def __init__(self, address: str, port: int, answering: Answering) -> None:
        self.asked = 0
        self._answering = answering
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            request, sender = self._socket.recvfrom(1000)
            if request == b"end":
                return
            self.asked += 1
            for packet in self._answering(request):
                self._socket.sendto(packet, sender)

    def close(self) -> None:
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as own:
            own.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def serving(monkeypatch: t.Any) -> t.Iterator[t.Callable[..., Server]]:
    """Starts servers at addresses of this machine, all on one port, which takes the place of NTP's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(sntp, "PORT", port)
    running = []

    def start(address: str, answering: Answering = lambda request: (answer(request),)) -> Server:
        running.append(Server(address, port, answering))
        return running[-1]

    try:
        yield start
    finally:
        for server in running:
            server.close()
