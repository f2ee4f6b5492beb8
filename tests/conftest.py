# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checkout importable as ansible_collections.rehost.hyperv, wherever it lies."""

from __future__ import annotations

import os
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


def collections_path() -> pathlib.Path:
    """A directory that holds ansible_collections/rehost/hyperv: the one around the checkout, or links in build/."""
    if CHECKOUT.parts[-3:] == ("ansible_collections", "rehost", "hyperv"):
        return CHECKOUT.parents[2]
    path = CHECKOUT / "build" / "collections"
    link = path / "ansible_collections" / "rehost" / "hyperv"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        try:
            link.symlink_to(CHECKOUT, target_is_directory=True)
        except FileExistsError:
            pass  # another test process was faster
    return path


sys.path.insert(0, os.fspath(collections_path()))
os.environ.setdefault("ANSIBLE_COLLECTIONS_PATH", os.fspath(collections_path()))
