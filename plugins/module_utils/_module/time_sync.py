# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module time_sync_info between Ansible, the measuring and the verdict."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._errors import GuestError
from .._facts import clock as clock_facts
from .._measure.interval import ask_services, measure
from .._plan import time_sync
from .._plan.time_sync import Wanted
from .._root import Root
from .guest_module import clean, ending_errors

if t.TYPE_CHECKING:
    from .._facts.model import Problem
    from .._measure.model import Measurement
    from .._plan.clock_series import Estimate
    from .._plan.time_sync import Proof

_LONGEST_INTERVAL = 3600  # seconds
_PAUSE = 1.0  # seconds between two attempts
_LONGEST_ATTEMPT = 60.0  # seconds beside the interval that one counts for, however long the guest was paused meanwhile


class Patience:
    """Seconds that are left to wait. Time that the guest did not live through is not waited: no attempt counts for
    more than C(longest)."""

    def __init__(self, wait: float, longest: float) -> None:
        self._left = wait
        self._longest = longest

    @property
    def is_over(self) -> bool:
        return self._left <= 0

    def spend(self, passed: float) -> None:
        self._left -= min(passed, self._longest)


def run(argument_spec: dict[str, t.Any]) -> None:
    """Measures, as often as it takes or the wait allows, and reports."""
    module = AnsibleModule(argument_spec, supports_check_mode=True)
    arguments = module.params
    wanted = Wanted(
        max_offset=arguments["max_offset"] if arguments["max_offset"] >= 0 else None,
        max_drift=arguments["max_drift"],
        max_stratum=arguments["max_stratum"],
        require_source=arguments["require_source"],
    )
    with ending_errors(module):
        result = clean(report(arguments["servers"], arguments["interval"], arguments["wait"], wanted))
    if arguments["wait"] and not result["synchronised"]:
        module.fail_json(msg=f"The clock is not synchronised after {arguments['wait']} s: {result['reason']}", **result)
    module.exit_json(changed=False, **result)


def report(servers: t.Sequence[str], interval: float, wait: float, wanted: Wanted) -> dict[str, t.Any]:
    """Measures over C(interval) seconds, again until the clock is as wanted or C(wait) seconds are over.

    Returns what the module time_sync_info returns."""
    if not 1 <= interval <= _LONGEST_INTERVAL or wait < 0:
        raise GuestError(f"an interval is 1 to {_LONGEST_INTERVAL} s, and a wait not negative")
    return _report(*_prove(tuple(dict.fromkeys(servers)), interval, float(wait), wanted))


def _prove(servers: tuple[str, ...], interval: float, wait: float, wanted: Wanted) -> tuple[Proof, Measurement]:
    patience = Patience(wait, interval + _LONGEST_ATTEMPT)
    while True:
        begin = time.monotonic()
        clock = clock_facts.gather(Root("/"), _forget)
        measurement = ask_services(clock.running)
        # servers are not bothered as long as the service itself says that it is not there yet
        is_worth_measuring = patience.is_over or not clock.running or time_sync.says_synchronised(measurement)
        if is_worth_measuring:
            measurement = measure(servers, clock.running, interval)
        proof = time_sync.judge(clock, measurement, wanted)
        if is_worth_measuring and (proof.is_synchronised or patience.is_over):
            return proof, measurement
        time.sleep(_PAUSE)
        patience.spend(time.monotonic() - begin)


def _forget(_problem: Problem) -> None:
    """What cannot be read of the services' files shows in what is said of the services themselves."""


def _report(proof: Proof, measurement: Measurement) -> dict[str, t.Any]:
    best = proof.against
    kernel = measurement.kernel
    return {
        "synchronised": proof.is_synchronised,
        "reason": proof.reason,
        "service": proof.service,
        "source": proof.source,
        "stratum": proof.stratum,
        "leap": proof.leap,
        "reference": best.name if best else None,
        "offset": best.offset if best else None,
        "offset_uncertainty": best.uncertainty if best else None,
        "drift": best.drift if best else None,
        "drift_uncertainty": best.drift_uncertainty if best else None,
        "frequency_error": best.frequency_error if best else None,
        "references": [_reference(proof, one) for one in proof.estimates],
        "services": [
            {
                "name": answer.name,
                "problem": answer.problem,
                "status": None
                if answer.status is None
                else dict(answer.status._asdict(), sources=[source._asdict() for source in answer.status.sources]),
            }
            for answer in measurement.services
        ],
        "kernel": {
            "synchronised": kernel.is_synchronised,
            "leap": kernel.leap,
            "frequency": kernel.frequency,
            "max_error": kernel.max_error / 1e9,
        }
        if kernel
        else None,
        "events": [event._asdict() for event in proof.events],
        "findings": [finding.report() for finding in proof.findings],
    }


def _reference(proof: Proof, one: Estimate) -> dict[str, t.Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "trusted": proof.agreement.has_majority and one.name in proof.agreement.trusted,
        "offset": one.offset,
        "offset_uncertainty": one.uncertainty,
        "drift": one.drift,
        "drift_uncertainty": one.drift_uncertainty,
        "frequency_error": one.frequency_error,
        "delay": one.delay,
        "samples": [dict(zip(("time", "offset", "uncertainty"), point)) for point in one.course],
    }
