# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import hypervisor


@pytest.mark.parametrize("table", [hypervisor.DMI_MACHINES, hypervisor.DETECTED_NAMES], ids=["DMI", "detected"])
def test_no_name_hides_a_longer_one_behind_it(table: tuple[tuple[str, str], ...]) -> None:
    prefixes = [prefix for prefix, _name in table]

    for place, prefix in enumerate(prefixes):
        assert not any(later.startswith(prefix) for later in prefixes[place + 1 :])


@pytest.mark.parametrize("number", [*hypervisor.PCI_DEVICES, *hypervisor.EMULATED_NICS, hypervisor.LEGACY_NIC])
def test_a_pci_device_is_written_as_the_kernel_does(number: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", number)
