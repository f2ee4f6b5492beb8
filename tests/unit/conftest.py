# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Property tests have no time limit for one example: on a loaded machine that says nothing about the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("rehost", deadline=None)
settings.load_profile("rehost")
