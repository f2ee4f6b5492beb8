# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t


class GuestError(Exception):
    """Something the operator must know: what happened, where, why it matters, and (hint) what to do next."""

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.hint = hint

    def details(self) -> dict[str, t.Any]:
        """What is known beside the message, for a module's result."""
        details = {"path": self.path, "line": self.line, "hint": self.hint}
        return {key: value for key, value in details.items() if value}


class MalformedError(GuestError):
    """Input is damaged, or says something about itself that is not true."""


class LimitError(MalformedError):
    """Input is larger than this collection is willing to read; the message names the bound."""


class ToolMissingError(GuestError):
    """A program that is needed for this input is not installed."""
