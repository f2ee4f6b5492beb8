# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rehost.hyperv.plugins.filter import clock_record
from ansible_collections.rehost.hyperv.tests.unit import clock_measurements as measured

TAKEN = "2026-10-01T12:00:00Z"


def test_a_measurement_has_a_name_that_says_what_it_is() -> None:
    record = clock_record.FilterModule().filters()["clock_record"]
    made = record(measured.proof(), measured.guest(), "web1.example.org", TAKEN)

    assert made["name"].startswith("web1-example-org.hyperv.20261001T120000Z.")
    assert made["content"]["label"] == "hyperv"
    assert record(measured.proof(), measured.guest(), "web1", TAKEN, "before")["content"]["label"] == "before"


def test_what_cannot_be_a_clocks_figure_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="offset of clock is not a number"):
        clock_record.record(measured.proof(offset="0"), measured.guest(), "web1", TAKEN)
