# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_config
from hypothesis import given
from hypothesis import strategies as st

CONFIG = """\
#
# Automatically generated file; DO NOT EDIT.
#
CONFIG_CC_VERSION_TEXT="gcc-12 \\"Debian\\""
CONFIG_HYPERV=m
CONFIG_HYPERV_TIMER=y
# CONFIG_HYPERV_VTL_MODE is not set
CONFIG_NR_CPUS=8192
CONFIG_PHYSICAL_START=0x1000000
CONFIG_LOCALVERSION=""
CONFIG_OFF=n
CONFIG_TWICE=m
CONFIG_TWICE=y
 CONFIG_INDENTED=y
# CONFIG_NOT_SAID is not setting
CONFIG_CRLF=m\r
"""


@pytest.mark.parametrize(
    ("symbol", "state"),
    [
        ("HYPERV", "m"),
        ("CONFIG_HYPERV", "m"),
        ("HYPERV_TIMER", "y"),
        ("HYPERV_VTL_MODE", None),
        ("NR_CPUS", "8192"),
        ("PHYSICAL_START", "0x1000000"),
        ("LOCALVERSION", ""),
        ("CC_VERSION_TEXT", 'gcc-12 "Debian"'),
        ("OFF", None),
        ("TWICE", "y"),
        ("INDENTED", None),
        ("CRLF", "m"),
        ("UNKNOWN", None),
    ],
)
def test_a_symbol_has_a_state(symbol: str, state: str | None) -> None:
    config = kernel_config.read(CONFIG)
    assert config.state(symbol) == state
    assert config.is_enabled(symbol) is (state in ("y", "m"))


def test_not_set_is_known_and_never_mentioned_is_not() -> None:
    config = kernel_config.read(CONFIG)
    assert config.knows("HYPERV_VTL_MODE")
    assert config.knows("CONFIG_OFF")
    assert not config.knows("UNKNOWN")
    assert not config.knows("NOT_SAID")


def test_ten_thousand_lines_are_read_at_once() -> None:
    text = "".join(f"CONFIG_S{n}=m\n# CONFIG_T{n} is not set\n" for n in range(5000))
    started = time.process_time()
    config = kernel_config.read(text)
    assert time.process_time() - started < 0.2
    assert len(config.states) == 10_000


@given(st.text(st.sampled_from('CONFIG_A=ym"\\\n\r# \0')) | st.text())
def test_no_text_is_an_error(text: str) -> None:
    assert all("\n" not in (value or "") for value in kernel_config.read(text).states.values())
