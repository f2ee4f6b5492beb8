# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured: readings of clocks, and how references compare with them. Times are nanoseconds."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._formats._time_status import TimeStatus


class Reading(t.NamedTuple):
    """The guest's clocks at one moment, to within C(width)."""

    system: int  # CLOCK_REALTIME: since 1970, set and slewed by time services
    steady: int  # CLOCK_MONOTONIC: slewed with the system clock, never set; the difference changes when somebody sets
    raw: int  # CLOCK_MONOTONIC_RAW: the clocksource, neither set nor slewed
    width: int


class Sample(t.NamedTuple):
    """One comparison: when the guest's clocks showed C(at), a reference showed C(reference), to within C(error)."""

    at: Reading
    reference: int
    error: int


@dataclasses.dataclass(frozen=True)
class ReferenceSeries:
    """What was measured against one reference: an NTP server, or the clock of the host.

    C(root_error) is what the reference itself may be wrong by, as it says. Of the hypervisor's clock C(age) is the
    longest time for which the guest carries on the host's last word with its own clocksource, so that a frequency
    error of that shows in it.
    """

    name: str
    kind: str  # server or phc
    samples: tuple[Sample, ...] = ()
    root_error: int = 0
    age: int = 0
    stratum: int | None = None
    leap: str | None = None  # normal, insert or delete
    asked: int = 0  # questions sent
    refused: tuple[tuple[str, str], ...] = ()  # kind, and message, of what was not believed or went wrong; no doubles


@dataclasses.dataclass(frozen=True)
class KernelDiscipline:
    """What adjtimex(2) says, which nobody needs a privilege for."""

    is_synchronised: bool  # no STA_UNSYNC: somebody keeps the clock, and sets the hardware clock with it
    leap: str  # normal, insert or delete: what the kernel will do at the end of the day; or in-progress
    frequency: float  # ppm by which the kernel lets the clock run faster than the clocksource, tick included
    max_error: int  # as the service told it


@dataclasses.dataclass(frozen=True)
class ServiceAnswer:
    """What a time service that runs said, or why it said nothing."""

    name: str
    status: TimeStatus | None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Everything that was seen in one interval."""

    readings: tuple[Reading, ...]  # over all of the interval, also where no reference answered
    references: tuple[ReferenceSeries, ...]
    services: tuple[ServiceAnswer, ...]
    kernel: KernelDiscipline | None
