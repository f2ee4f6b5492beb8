# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_setting


@pytest.mark.parametrize(
    ("text", "value", "choices"),
    [
        ("180\n", "180", ("180",)),
        ("[mq-deadline] none\n", "mq-deadline", ("mq-deadline", "none")),
        ("noop deadline [cfq] \n", "cfq", ("noop", "deadline", "cfq")),
        ("none\n", "none", ("none",)),
        ("", "", ()),
    ],
)
def test_of_a_choice_the_one_in_brackets_is_set(text: str, value: str, choices: tuple[str, ...]) -> None:
    assert kernel_setting.value(text) == value
    assert kernel_setting.choices(text) == choices
