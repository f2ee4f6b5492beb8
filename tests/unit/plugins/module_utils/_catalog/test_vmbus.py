# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import uuid

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import vmbus


@pytest.mark.parametrize("guid", vmbus.DEVICE_KINDS)
def test_a_class_is_a_guid_as_sysfs_writes_it(guid: str) -> None:
    assert str(uuid.UUID(guid)) == guid


def test_a_module_alias_is_the_guid_with_its_first_parts_swapped() -> None:
    # as modinfo shows it for hv_netvsc
    (network,) = (guid for guid, kind in vmbus.DEVICE_KINDS.items() if kind == "network")

    assert uuid.UUID(network).bytes_le.hex() == "635161f83edfc546913ff2d2f965ed0e"
