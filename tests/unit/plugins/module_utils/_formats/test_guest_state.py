# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import guest_state
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.guest_state import Baseline, Unit
from ansible_collections.rehost.hyperv.tests.unit import state_builder
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
UNITS = st.lists(st.builds(Unit, TEXT, TEXT, TEXT, TEXT), max_size=4).map(tuple)


@given(TEXT, TEXT, UNITS, st.lists(TEXT, max_size=3).map(tuple))
def test_what_is_written_is_read_again(hypervisor: str, kernel: str, units: t.Any, servers: t.Any) -> None:
    baseline = Baseline(hypervisor, state_builder.make(kernel=kernel, units=units, nameservers=servers))
    assert guest_state.parse(guest_state.render(baseline)) == baseline


def test_every_kind_of_row_is_kept() -> None:
    baseline = Baseline("xen-hvm", state_builder.make())
    assert guest_state.parse(guest_state.render(baseline)) == baseline
    assert all(getattr(baseline.state, name) for name in baseline.state._fields), "nothing in the example is empty"


def test_a_row_has_a_line_of_its_own() -> None:
    text = guest_state.render(Baseline("xen-hvm", state_builder.make()))
    assert '\n  ["nginx.service", "active", "running", "enabled"],\n' in text


def change(**keys: t.Any) -> str:
    return json.dumps({**json.loads(guest_state.render(Baseline("xen-hvm", state_builder.make()))), **keys})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        change(version=2),
        change(hypervisor=None),
        change(units={}),
        change(units=[["ssh.service", "active", "running"]]),
        change(units=[["ssh.service", "active", "running", 1]]),
        change(listeners=[["tcp", True, False]]),
        change(listeners=[["tcp", 22, 0]]),
        change(routes=[[4, "eth0", "192.0.2.1", "eth0"]]),
        change(nameservers=[1]),
    ],
)
def test_anything_else_is_damaged(text: str) -> None:
    with pytest.raises(MalformedError) as raised:
        guest_state.parse(text)
    assert "baseline is damaged" in raised.value.message
