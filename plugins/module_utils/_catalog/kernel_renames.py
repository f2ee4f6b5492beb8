# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration symbols of the kernel that have had another name, without CONFIG_."""

from __future__ import annotations

# Pairs of an older and a newer name for the same thing; the version that renamed it.
RENAMED = (
    ("HYPERV", "HYPERV_VMBUS"),  # 6.18: HYPERV stays as what HYPERV_VMBUS depends on
    ("PAGE_TABLE_ISOLATION", "MITIGATION_PAGE_TABLE_ISOLATION"),  # 6.9
    ("RETPOLINE", "MITIGATION_RETPOLINE"),  # 6.9
    ("SPECULATION_MITIGATIONS", "CPU_MITIGATIONS"),  # 6.9, and stable versions before
    ("MEMORY_HOTPLUG_DEFAULT_ONLINE", "MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO"),  # between 6.1 and 6.12
)
