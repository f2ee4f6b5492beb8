# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError, LimitError, MalformedError


def test_details_are_what_is_known_beside_the_message() -> None:
    error = GuestError("no room", path="/boot", line=3, hint="make room")
    assert str(error) == error.message == "no room"
    assert error.details() == {"path": "/boot", "line": 3, "hint": "make room"}
    assert GuestError("no room").details() == {}


def test_a_limit_is_a_kind_of_damage_and_both_concern_the_guest() -> None:
    assert issubclass(LimitError, MalformedError)
    assert issubclass(MalformedError, GuestError)
