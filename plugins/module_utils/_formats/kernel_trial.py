# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a kernel's trial boot: a line NAME=VALUE for each field, which a shell can read as well."""

from __future__ import annotations

import re
import typing as t

from .._errors import MalformedError

STAGED, FAILED = "staged", "failed"
_LINE = re.compile(r"([A-Z_]+)='([^'\n]*)'")
_RELEASE = re.compile(r"[A-Za-z0-9.+~_-]+")


class Trial(t.NamedTuple):
    """kernel and fallback as uname -r. limit: seconds after the start. boot: the boot in which it was staged."""

    kernel: str
    fallback: str
    limit: int
    boot: str
    state: str = STAGED


def read(text: str) -> Trial:
    """The record. Raises MalformedError when something is missing or cannot be."""
    matches = [_LINE.fullmatch(line) for line in text.split("\n")]
    fields = {match.group(1): match.group(2) for match in matches if match is not None}
    try:
        trial = Trial(
            fields["KERNEL"], fields["FALLBACK"], int(fields["LIMIT"]), fields["BOOT"], fields.get("STATE", "")
        )
    except (KeyError, ValueError) as error:
        raise MalformedError(f"the record of the trial boot is damaged: {error}") from error
    if trial.state not in (STAGED, FAILED) or not all(map(_RELEASE.fullmatch, trial[:2])):
        raise MalformedError("the record of the trial boot is damaged: it names no kernels, or no state")
    return trial


def render(trial: Trial) -> str:
    return (
        f"KERNEL='{trial.kernel}'\nFALLBACK='{trial.fallback}'\nLIMIT='{trial.limit}'\nBOOT='{trial.boot}'\n"
        f"STATE='{trial.state}'\n"
    )
