# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

from ansible_collections.rehost.hyperv.plugins.filter import clock_report
from ansible_collections.rehost.hyperv.tests.unit import clock_measurements as measured


def test_page_figures_and_lines_tell_the_same() -> None:
    files = [measured.file(measured.proof(), day=1), {"name": "x", "text": ""}]
    report = clock_report.FilterModule().filters()["clock_report"]
    made = report(files, "Our clocks", {"old1": "not reached"})

    assert "<title>Our clocks</title>" in made["page"]
    assert made["figures"]["title"] == "Our clocks"
    assert [one["file"] for one in made["figures"]["skipped"]] == ["x"]
    assert [line.partition(":")[0] for line in made["lines"]] == ["web1", "old1", "x"]
    assert report(files, "Our clocks", {"old1": "not reached"}) == made
    json.dumps(made["figures"], allow_nan=False)


def test_without_any_file_there_still_is_a_page() -> None:
    made = clock_report.report([])
    assert "No measurement is kept yet." in made["page"]
    assert (made["figures"]["guests"], made["lines"]) == ([], [])
