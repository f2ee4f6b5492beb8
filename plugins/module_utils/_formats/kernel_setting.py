# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the running kernel as sysfs shows them: a value, or a choice of several, [mq-deadline] none."""

from __future__ import annotations

import re

_CHOSEN = re.compile(r"\[([^\[\]]*)\]")


def value(text: str) -> str:
    """What is set: of a choice the one in brackets, otherwise the text without the white space around it."""
    chosen = _CHOSEN.search(text)
    return chosen.group(1) if chosen else text.strip()


def choices(text: str) -> tuple[str, ...]:
    """What can be set; a file that shows one value only is a choice of one."""
    return tuple(text.replace("[", " ").replace("]", " ").split())
