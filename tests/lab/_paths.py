# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the lab keeps what it makes, and the error that all of it raises."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache" / "lab"
IMAGES = CACHE / "images"
RUNS = CACHE / "run"


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""
