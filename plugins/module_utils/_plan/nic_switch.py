# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network configuration of a guest belongs to the synthetic adapter: what that takes."""

from __future__ import annotations

from .switch_model import HostAction, Pair, Rename, Switch

__all__ = ["HostAction", "Pair", "Rename", "Switch"]
