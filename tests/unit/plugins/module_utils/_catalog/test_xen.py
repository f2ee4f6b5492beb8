# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import drivers, xen

HYPERV = (*drivers.HYPERV_BOOT, *drivers.HYPERV_NETWORK, *drivers.HYPERV_SERVICES)


@pytest.mark.parametrize("name", [*xen.MODULES, *HYPERV])
def test_modules_are_spelled_as_the_kernel_does(name: str) -> None:
    assert "-" not in name
    assert name == name.lower()


def test_no_driver_belongs_to_both_hypervisors() -> None:
    assert not set(xen.MODULES) & set(HYPERV)


def test_no_entry_is_there_twice() -> None:
    for names in (xen.MODULES, HYPERV, xen.TOOL_FILES, xen.TOOL_PACKAGES):
        assert len(set(names)) == len(names)


def test_drivers_that_are_kept_away_for_good_reasons_are_no_leftovers() -> None:
    assert not {"hv_balloon", "hyperv_fb", "hyperv_drm"} & set(HYPERV)
