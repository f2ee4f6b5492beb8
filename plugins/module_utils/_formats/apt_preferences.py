# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences of apt, apt_preferences(5): which version of a package is to be installed."""

from __future__ import annotations

import re
import typing as t

_PARAGRAPHS = re.compile(r"\n(?:[ \t\r]*\n)+")
_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*)$", re.MULTILINE)


class Pin(t.NamedTuple):
    """One paragraph. C(package) may be a pattern (C(linux-image-*)), C(pin) is such as C(version 6.1.176-1)."""

    package: str
    pin: str
    priority: int
    explanation: str = ""


def read(text: str) -> tuple[Pin, ...]:
    """The paragraphs that are complete; apt refuses a file with another."""
    pins = []
    for paragraph in _PARAGRAPHS.split(text):
        lines = "\n".join([line for line in paragraph.split("\n") if not line.startswith("#")])
        fields = {name.lower(): value.strip() for name, value in _FIELD.findall(lines)}
        if {"package", "pin", "pin-priority"} <= set(fields) and re.fullmatch(r"-?[0-9]{1,9}", fields["pin-priority"]):
            pins.append(
                Pin(fields["package"], fields["pin"], int(fields["pin-priority"]), fields.get("explanation", ""))
            )
    return tuple(pins)


def render(pins: t.Iterable[Pin]) -> str:
    """A file's text, without comments of its own."""
    paragraphs = []
    for pin in pins:
        explanation = f"Explanation: {pin.explanation}\n" if pin.explanation else ""
        paragraphs.append(f"{explanation}Package: {pin.package}\nPin: {pin.pin}\nPin-Priority: {pin.priority}\n")
    return "\n".join(paragraphs)
