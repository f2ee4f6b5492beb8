# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import jinja2.nativetypes
import pytest
import yaml  # type: ignore[import-untyped]

VARIABLES = pathlib.Path(__file__).parents[3] / "roles" / "guest_clock" / "vars" / "main.yml"
SET_NOW = {"path": "/sys/devices/system/clocksource/clocksource0/current_clocksource"}
MENU = {"path": "/boot/grub/grub.cfg"}


@pytest.mark.parametrize(
    ("changes", "restart_needed", "is_due"),
    [([], False, False), ([SET_NOW], False, False), ([MENU], False, True), ([], True, True)],
)
def test_a_restart_is_due_also_when_an_earlier_run_left_it_out(
    changes: t.List[t.Dict[str, str]], restart_needed: bool, is_due: bool
) -> None:
    environment = jinja2.nativetypes.NativeEnvironment()
    environment.tests["match"] = str.startswith
    template = yaml.safe_load(VARIABLES.read_text())["guest_clock_restart_is_due"]
    first = {"changes": changes, "after": {"restart_needed": restart_needed}}
    found: t.Any = environment.from_string(template).render(guest_clock_first=first)
    assert found is is_due
