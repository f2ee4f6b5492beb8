# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual Hyper-V and a virtual XenServer, and Debian guests to put on them.  See README.md."""

from __future__ import annotations

from ._paths import LabError
from .emulator import Emulator, find_emulator
from .images import make_image
from .machine import BootError, CommandError, Intercepts, Machine, list_machines, start
from .prerequisites import missing

__all__ = [
    "BootError",
    "CommandError",
    "Emulator",
    "Intercepts",
    "LabError",
    "Machine",
    "find_emulator",
    "list_machines",
    "make_image",
    "missing",
    "start",
]
