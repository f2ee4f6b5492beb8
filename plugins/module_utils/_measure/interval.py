# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring over an interval: the guest's clocks against NTP servers and the clock of the host."""

from __future__ import annotations

import time
import typing as t

from .clocks import HostClock, read_clocks, read_discipline
from .model import Measurement, Reading
from .services import ask
from .sntp_client import NtpServers

_ROUNDS = 8  # questions to a server: enough for a drift with its confidence, and no burden to it
_SHORTEST_ROUND = 0.25  # seconds
_BETWEEN = 5  # readings of the clocks that need no network, for each round


def measure(servers: t.Sequence[str], services: t.Iterable[str], interval: float) -> Measurement:
    """Takes C(interval) seconds, and at most a second more for each round and a few for each service that is silent."""
    answers = tuple([ask(service) for service in services])
    readings: list[Reading] = [read_clocks()]
    step = max(_SHORTEST_ROUND, interval / (_ROUNDS - 1))
    with HostClock() as host, NtpServers(servers) as network:
        begin = time.monotonic()
        for number in range(_ROUNDS):
            network.ask()
            end = begin + step * (number + 1) if number < _ROUNDS - 1 else 0.0
            while True:
                host.take()
                readings.append(read_clocks())
                rest = end - time.monotonic()
                if rest <= 0:
                    break
                time.sleep(min(rest, step / _BETWEEN))
        references = (host.series(), *network.series()) if host.is_there else network.series()
    return Measurement(tuple(readings), references, answers, read_discipline())


def ask_services(services: t.Iterable[str]) -> Measurement:
    """Only what the services say, and the kernel."""
    return Measurement((read_clocks(),), (), tuple([ask(service) for service in services]), read_discipline())
