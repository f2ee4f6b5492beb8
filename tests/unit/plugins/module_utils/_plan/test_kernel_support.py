# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_support
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import VERSION


def test_every_installed_kernel_is_judged(tmp_path: pathlib.Path) -> None:
    (only,) = kernel_support.judge(small_guest.look(tmp_path))
    assert (only.version, only.is_default) == (VERSION, True)
