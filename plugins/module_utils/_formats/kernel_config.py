# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel was built with: /boot/config-*. Read only."""

from __future__ import annotations

import dataclasses
import re

# One match per line that says something; the kernel's own reader accepts nothing else before or behind it.
_LINE = re.compile(r"^(?:CONFIG_([A-Za-z0-9_]+)=(.*)|# CONFIG_([A-Za-z0-9_]+) is not set) *\r?$", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)")


@dataclasses.dataclass(frozen=True)
class KernelConfig:
    """The symbols of a configuration, without CONFIG_, and what each is set to; None for "is not set"."""

    states: dict[str, str | None]

    def state(self, symbol: str) -> str | None:
        """ "y", "m", a number or hexadecimal as written, a string without its quotes; None if unset or unknown.

        symbol may be written with CONFIG_ in front.
        """
        return self.states.get(_bare(symbol))

    def knows(self, symbol: str) -> bool:
        """Whether the configuration names the symbol at all, if only to say that it is not set."""
        return _bare(symbol) in self.states

    def is_enabled(self, symbol: str) -> bool:
        """Whether the symbol is built in or a module."""
        return self.state(symbol) in ("y", "m")


def read(text: str) -> KernelConfig:
    """The configuration in text; the last line for a symbol wins, other lines say nothing."""
    states: dict[str, str | None] = {}
    for symbol, value, unset in _LINE.findall(text):
        if unset:
            states[unset] = None
        elif value == "n":
            states[symbol] = None
        else:
            states[symbol] = _plain(value)
    return KernelConfig(states)


def _plain(value: str) -> str:
    value = value.rstrip("\r ")
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _ESCAPE.sub(r"\1", value[1:-1])
    return value


def _bare(symbol: str) -> str:
    return symbol[len("CONFIG_") :] if symbol.startswith("CONFIG_") else symbol
