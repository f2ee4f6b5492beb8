# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._image import access, libguestfs, loop


@pytest.mark.parametrize("back_end", [loop.LoopAccess, libguestfs.LibguestfsAccess])
def test_a_back_end_does_all_that_is_asked_of_it(back_end: type[access.Access]) -> None:
    assert not back_end.__abstractmethods__


def test_a_volume_that_cannot_be_mounted_is_an_error_for_the_operator() -> None:
    assert issubclass(access.UnmountableError, _errors.GuestError)
