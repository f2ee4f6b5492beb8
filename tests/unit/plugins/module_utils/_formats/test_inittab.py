# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import inittab
from hypothesis import given
from hypothesis import strategies as st

SQUEEZE_ON_XEN = """\
# /etc/inittab: init(8) configuration.
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now
# Format:
#  <id>:<runlevels>:<action>:<process>
1:2345:respawn:/sbin/getty 38400 hvc0
#2:23:respawn:/sbin/getty 38400 tty2
# T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100
h0:2345:respawn:/sbin/agetty -L hvc0 9600 linux
m1:2345:respawn:/sbin/mingetty --noclear /dev/tty1
x:5:respawn:/usr/bin/daemon tty9
"""

TEXT = st.lists(
    st.sampled_from(["1", "id", ":", ":2345:respawn:", "/sbin/getty 38400 tty1", "#", " ", "\n", "\r\n", "\0"])
    | st.text(max_size=3)
).map("".join)


def entry(text: str, identifier: str) -> inittab.Entry:
    return next(found for found in inittab.entries(inittab.parse(text)) if found.identifier == identifier)


def test_entries_are_read_whether_commented_out_or_not() -> None:
    found = inittab.entries(inittab.parse(SQUEEZE_ON_XEN))
    assert found[0] == inittab.Entry(2, "id", "2", "initdefault", "", is_enabled=True)
    assert found[1] == inittab.Entry(3, "si", "", "sysinit", "/etc/init.d/rcS", is_enabled=True)
    assert [(item.number, item.identifier, item.is_enabled) for item in found[3:6]] == [
        (7, "1", True),
        (8, "2", False),
        (9, "T0", False),
    ]
    assert len(found) == 9


def test_the_terminal_of_a_getty_is_found_in_every_argument_form() -> None:
    gettys = {item.identifier: inittab.getty_of(item) for item in inittab.entries(inittab.parse(SQUEEZE_ON_XEN))}
    assert gettys == {
        "id": None,
        "si": None,
        "ca": None,
        "x": None,
        "1": "hvc0",
        "2": "tty2",
        "T0": "ttyS0",
        "h0": "hvc0",
        "m1": "tty1",
    }


def test_an_entry_is_switched_off_and_on_by_its_comment() -> None:
    document = inittab.parse(SQUEEZE_ON_XEN)
    document = inittab.with_commented_out(document, entry(SQUEEZE_ON_XEN, "h0"))
    document = inittab.with_enabled(document, entry(SQUEEZE_ON_XEN, "2"))
    document = inittab.with_enabled(document, entry(SQUEEZE_ON_XEN, "T0"))
    assert inittab.render(document) == SQUEEZE_ON_XEN.replace("h0:", "#h0:").replace("#2:", "2:").replace("# T0", "T0")


def test_an_entry_is_changed_in_place_or_appended() -> None:
    document = inittab.parse(SQUEEZE_ON_XEN)
    changed = inittab.with_entry(document, "1", "2345", "respawn", "/sbin/getty 38400 tty1")
    assert inittab.render(changed) == SQUEEZE_ON_XEN.replace("38400 hvc0", "38400 tty1")
    appended = inittab.with_entry(document, "T0", "23", "respawn", "/sbin/getty -L ttyS0 115200 vt100")
    assert inittab.render(appended) == SQUEEZE_ON_XEN + "T0:23:respawn:/sbin/getty -L ttyS0 115200 vt100\n"


@pytest.mark.parametrize(
    ("identifier", "runlevels", "action", "process"),
    [
        ("toolong", "2", "respawn", "x"),
        ("a", "2:", "respawn", "x"),
        ("a", "2", "spawn", "x"),
        ("a", "2", "off", "x\ny"),
    ],
)
def test_what_init_would_not_read_is_not_written(identifier: str, runlevels: str, action: str, process: str) -> None:
    with pytest.raises(GuestError, match="not an entry"):
        inittab.with_entry(inittab.parse(""), identifier, runlevels, action, process)


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert inittab.render(inittab.parse(text)) == text


@given(TEXT)
def test_switching_changes_only_whether_the_entry_is_enabled(text: str) -> None:
    document = inittab.parse(text)
    before = inittab.entries(document)
    for index, item in enumerate(before):
        after = list(before)
        after[index] = item._replace(is_enabled=False)
        disabled = inittab.with_commented_out(document, item)
        assert inittab.entries(disabled) == tuple(after)
        after[index] = item._replace(is_enabled=True)
        assert inittab.entries(inittab.with_enabled(disabled, after[index]._replace(is_enabled=False))) == tuple(after)
