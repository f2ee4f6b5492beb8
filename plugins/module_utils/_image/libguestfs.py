# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The back end that lets the appliance of libguestfs mount the guest's file systems."""

from __future__ import annotations

import typing as t

from .. import _errors
from .access import Access


def is_installed() -> bool:
    return False


def kvm_works() -> bool:
    return False


def open_access(path: str, image_format: str, *, writable: bool) -> t.ContextManager[Access]:
    raise _errors.ToolMissingError(
        "the libguestfs back end cannot be used yet", path=path, hint="use the loop back end"
    )
