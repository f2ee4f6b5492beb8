# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import sysctl_conf
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = """\
# Kernel parameters
; old.style = 1
xen.independent_wallclock = 1
-net/ipv4/conf/eth0.5/rp_filter=2
  kernel.printk = 3 4 1 3  \r
-net.ipv4.ip_forward
nonsense
xen/independent_wallclock=0"""

TEXT = st.lists(
    st.sampled_from(["xen.independent_wallclock", "xen/a", "=", "-", "#", ";", " ", "1", "\n", "\r\n", "\f", "\0"])
    | st.text(max_size=3)
).map("".join)


def test_parameters_are_read_with_canonical_keys() -> None:
    assert sysctl_conf.entries(sysctl_conf.parse(SETTINGS)) == (
        (3, "xen.independent_wallclock", "1", False),
        (4, "net.ipv4.conf.eth0/5.rp_filter", "2", True),
        (5, "kernel.printk", "3 4 1 3", False),
        (6, "net.ipv4.ip_forward", None, True),
        (8, "xen.independent_wallclock", "0", False),
    )


@pytest.mark.parametrize("key", ["xen.independent_wallclock", "xen/independent_wallclock"])
def test_the_last_line_wins_however_the_key_is_written(key: str) -> None:
    assert sysctl_conf.value(sysctl_conf.parse(SETTINGS), key) == "0"


def test_lines_of_a_key_are_commented_out() -> None:
    changed = sysctl_conf.with_commented_out(sysctl_conf.parse(SETTINGS), "xen.independent_wallclock")
    assert sysctl_conf.render(changed) == SETTINGS.replace("xen.", "#xen.").replace("xen/", "#xen/")


def test_lines_of_a_key_are_removed() -> None:
    changed = sysctl_conf.without(sysctl_conf.parse(SETTINGS), "xen.independent_wallclock")
    assert sysctl_conf.render(changed) == SETTINGS.replace("xen.independent_wallclock = 1\n", "").replace(
        "xen/independent_wallclock=0", ""
    )


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert sysctl_conf.render(sysctl_conf.parse(text)) == text


@given(TEXT)
def test_a_key_is_gone_after_the_edit_and_every_other_stays(text: str) -> None:
    document = sysctl_conf.parse(text)
    for gone in sysctl_conf.entries(document):
        kept = [entry[1:] for entry in sysctl_conf.entries(document) if entry.key != gone.key]
        for edit in (sysctl_conf.with_commented_out, sysctl_conf.without):
            assert [entry[1:] for entry in sysctl_conf.entries(edit(document, gone.key))] == kept
