# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock is that of this machine, against an NTP server of the test; everything else is a guest's."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._module import verification
from ansible_collections.rehost.hyperv.plugins.module_utils._module.verification import verify
from ansible_collections.rehost.hyperv.tests.unit import arrived_guest
from ansible_collections.rehost.hyperv.tests.unit.ntp_server import answer, serving

ARGUMENTS = {
    "hypervisor": "hyperv",
    "keep_legacy": False,
    "clock": "report",
    "clock_wait": 0,
    "clock_max_offset": 0.1,
    "clock_servers": ["127.0.0.1"],
}


@pytest.fixture
def arrived(tmp_path: pathlib.Path) -> GuestFacts:
    return arrived_guest.make(tmp_path)


@pytest.fixture
def wrong_server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    monkeypatch.setattr(verification, "_CLOCK_INTERVAL", 1.0)
    with serving(monkeypatch) as start:
        start("127.0.0.1", lambda request: (answer(request, ahead=180.0),))
        yield


@pytest.mark.usefixtures("wrong_server")
def test_a_clock_that_is_minutes_wrong_is_reported_and_decides_only_where_it_is_required(arrived: GuestFacts) -> None:
    reported = verify(arrived, ARGUMENTS)
    assert reported["verified"]
    assert reported["clock"]["offset"] == pytest.approx(-180.0, abs=0.1)
    assert "behind 127.0.0.1" in reported["clock"]["reason"]
    required = verify(arrived, {**ARGUMENTS, "clock": "require"})
    assert not required["verified"]


@pytest.mark.parametrize("arguments", [{"clock": "ignore"}, {"hypervisor": "xen"}])
def test_it_is_not_measured_where_it_is_ignored_or_the_guest_should_be_on_xen(
    arrived: GuestFacts, arguments: t.Dict[str, str]
) -> None:
    assert verify(arrived, {**ARGUMENTS, **arguments})["clock"] is None


def test_a_guest_that_does_not_run_has_no_clock_to_measure(arrived: GuestFacts) -> None:
    assert verify(dataclasses.replace(arrived, is_live=False), ARGUMENTS)["clock"] is None
