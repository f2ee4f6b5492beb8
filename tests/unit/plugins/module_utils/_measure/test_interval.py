# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._measure import interval
from ansible_collections.rehost.hyperv.tests.unit.ntp_server import serving

SECOND = 1_000_000_000


def test_an_interval_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(monkeypatch) as start:
        start("127.0.0.1")
        begin = time.monotonic()
        found = interval.measure(["127.0.0.1"], (), 2.0)
        passed = time.monotonic() - begin

    assert 1.9 <= passed < 6
    assert [len(series.samples) for series in found.references if series.kind == "server"] == [8]
    lived = (found.readings[-1].raw - found.readings[0].raw) / SECOND
    assert 1.9 <= lived <= passed
    assert len(found.readings) > 8
    assert found.services == ()


def test_services_alone_are_asked_at_once() -> None:
    found = interval.ask_services(())

    assert (found.references, found.services) == ((), ())
    assert found.kernel is not None
