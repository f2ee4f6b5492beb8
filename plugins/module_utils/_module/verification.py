# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verification_info returns: the verdict on the guest's facts, and its clock as measured."""

from __future__ import annotations

import typing as t

from .._plan import verification
from . import report

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts

_CLOCK_INTERVAL = 10.0  # seconds in which the clock is measured


def verify(facts: GuestFacts, arguments: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Measures the clock of a guest that runs where Hyper-V is asked for, unless it is told to ignore it."""
    wanted = verification.Wanted(arguments["hypervisor"], arguments["keep_legacy"])
    result: dict[str, t.Any] = {**report.verification(verification.verify(facts, wanted)), "clock": None}
    if facts.is_live and wanted.hypervisor == "hyperv" and arguments["clock"] != "ignore":
        # what measures is compiled only where something is measured
        from .._plan.time_sync import Wanted
        from . import time_sync

        clock_wanted = Wanted(max_offset=arguments["clock_max_offset"])
        clock = time_sync.report(arguments["clock_servers"], _CLOCK_INTERVAL, arguments["clock_wait"], clock_wanted)
        result["clock"] = clock
        if arguments["clock"] == "require" and not clock["synchronised"]:
            result["verified"] = False
    return result
