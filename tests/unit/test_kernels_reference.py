# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference/kernels.md holds the tables of the catalogue, all of them and nothing else."""

from __future__ import annotations

import pathlib
import re
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import (
    debian_kernels,
    drivers,
    kernel_features,
    known_bad_kernels,
)

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reference" / "kernels.md"


def table(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading, by their first cell."""
    section = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.split("\n") if line.startswith("|")][2:]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


def names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]*)`", cell))


def symbols(feature: kernel_features.Feature) -> tuple[str, ...]:
    found = [symbol[len("CONFIG_") :] for driver in feature.drivers for symbol in driver.symbols]
    return (*dict.fromkeys(found), *([feature.wants[len("CONFIG_") :]] if feature.wants else []))


def test_the_features_are_on_the_page() -> None:
    rows = table("Features")
    assert list(rows) == [feature.name for feature in kernel_features.FEATURES]
    for feature in kernel_features.FEATURES:
        title, modules, wanted, since, needed = rows[feature.name]
        assert title.startswith(feature.title)
        assert names(modules) == tuple(driver.module for driver in feature.drivers if driver.module)
        assert names(wanted) == symbols(feature)
        assert (since, needed) == (feature.since, "yes" if feature.is_needed else "")


def test_a_driver_has_the_same_symbols_wherever_it_is_listed() -> None:
    for feature in kernel_features.FEATURES:
        for driver in feature.drivers:
            if driver.module in drivers.SYMBOLS:
                assert driver.symbols == drivers.SYMBOLS[driver.module]


def versions(entry: known_bad_kernels.KnownBad) -> t.Iterator[str]:
    for since, fixed in entry.ranges:
        lowest = "any" if since == "0" else since
        yield lowest if fixed is None else f"{lowest} – {fixed}"


def test_the_known_bad_kernels_are_on_the_page_each_with_its_sources() -> None:
    rows = table("Known bad kernels")
    assert list(rows) == [entry.id for entry in known_bad_kernels.KNOWN_BAD]
    for entry in known_bad_kernels.KNOWN_BAD:
        severity, summary, only, ranges, sources = rows[entry.id]
        assert (severity, summary) == (entry.severity, entry.summary)
        conditions = (*entry.architectures, *entry.flavours, *entry.hosts, *entry.enabled, *entry.disabled)
        assert all(condition.replace("CONFIG_", "") in only for condition in conditions)
        assert bool(only) == bool(conditions)
        assert ranges == "; ".join(versions(entry))
        assert entry.sources
        assert sources == "; ".join(entry.sources)


def test_the_releases_are_on_the_page() -> None:
    rows = table("Releases of Debian")
    assert list(rows) == [f"{release.number} ({release.codename})" for release in debian_kernels.RELEASES]
    for release in debian_kernels.RELEASES:
        series = [one.series if one else "" for one in (release.kernel, release.newer, release.backports)]
        dates = [release.supported_until, release.lts_until, release.extended_until or ""]
        assert rows[f"{release.number} ({release.codename})"] == [*series, *dates, release.microsoft]
