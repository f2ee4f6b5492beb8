# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import extlinux_conf
from hypothesis import given
from hypothesis import strategies as st

CONFIG = """\
# written by hand
DEFAULT linux
TIMEOUT 50
Append console=hvc0

label linux
\tMENU LABEL Debian
\tkernel /vmlinuz
\tappend initrd=/initrd.img root=/dev/xvda1 ro \n\
label other
  linux /boot/vmlinuz-5.10 extra
  initrd /one,/two
LABEL none
  KERNEL /vmlinuz
  APPEND -
label chain
  com32 chain.c32
  menu default
include more.cfg
menu include other.cfg
"""

FRAGMENTS = [
    "label a\n",
    "LABEL",
    " kernel /k\n",
    "linux /k",
    "append x\n",
    "append\n",
    "append",
    "initrd /i",
    " ",
    "\n",
]
FRAGMENTS += ["\r\n", "default a\n", "# x\n", "\t", "\0", "\f", "menu default\n"]
configs = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS)).map("".join))


@given(configs)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    document = extlinux_conf.parse(text)
    assert extlinux_conf.render(document) == text
    extlinux_conf.default_entry(document)


def test_labels_with_their_kernel_initrds_and_command_line() -> None:
    linux, other, none, chain = extlinux_conf.parse(CONFIG).entries
    assert (linux.label, linux.kernel) == ("linux", "/vmlinuz")
    assert linux.append == "initrd=/initrd.img root=/dev/xvda1 ro"
    assert linux.initrds == ("/initrd.img",)
    assert (other.kernel, other.append, other.initrds) == ("/boot/vmlinuz-5.10", "console=hvc0", ("/one", "/two"))
    assert (none.kernel, none.append, none.initrds) == ("/vmlinuz", None, ())
    assert chain.kernel is None
    assert chain.is_menu_default
    assert extlinux_conf.parse(CONFIG).includes == ("more.cfg", "other.cfg")


@pytest.mark.parametrize(
    ("default", "label"),
    [("DEFAULT linux", "linux"), ("default other quiet", "other"), ("DEFAULT vesamenu.c32", "chain"), ("", "chain")],
)
def test_the_default_entry(default: str, label: str) -> None:
    entry = extlinux_conf.default_entry(extlinux_conf.parse(CONFIG.replace("DEFAULT linux", default)))
    assert entry is not None
    assert entry.label == label


def test_without_any_mark_the_first_label_is_the_default_and_a_file_is_none() -> None:
    entry = extlinux_conf.default_entry(extlinux_conf.parse("label a\nlabel b\n"))
    assert entry is not None
    assert entry.label == "a"
    assert extlinux_conf.default_entry(extlinux_conf.parse("default /vmlinuz\nlabel a\n")) is None
    assert extlinux_conf.default_entry(extlinux_conf.parse("")) is None


def test_a_command_line_is_replaced_or_added() -> None:
    document = extlinux_conf.parse(CONFIG)
    linux, other, none, chain = document.entries
    changed = extlinux_conf.with_append(document, linux, "ro")
    assert changed.text == CONFIG.replace("initrd=/initrd.img root=/dev/xvda1 ro ", "ro ")
    changed = extlinux_conf.with_append(document, other, "ro")
    assert changed.text == CONFIG.replace("5.10 extra\n", "5.10 extra\n  append ro\n")
    assert extlinux_conf.with_append(document, none, "ro").text == CONFIG.replace("APPEND -", "APPEND ro")
    assert extlinux_conf.with_append(document, linux, "").entries[0].append is None
    short = extlinux_conf.parse("label a\r\n kernel /k")
    assert extlinux_conf.with_append(short, short.entries[0], "x").text == "label a\r\n kernel /k\r\n append x"
    with pytest.raises(_errors.GuestError, match="no kernel"):
        extlinux_conf.with_append(document, chain, "ro")
    with pytest.raises(_errors.GuestError, match="not of this"):
        extlinux_conf.with_append(extlinux_conf.parse(""), linux, "ro")
    with pytest.raises(_errors.GuestError, match="one line"):
        extlinux_conf.with_append(document, linux, "a\nb")


@given(configs, st.from_regex(r"[a-z]+=?[a-z/0-9]*( [a-z]+)*", fullmatch=True))
def test_edits_hold_and_repeated_change_nothing(text: str, wanted: str) -> None:
    document = extlinux_conf.parse(text)
    for entry in document.entries:
        if entry.kernel is None:
            continue
        changed = extlinux_conf.with_append(document, entry, wanted)
        again = changed.entries[entry.index]
        assert again.append == wanted
        assert again.kernel == entry.kernel
        assert extlinux_conf.with_append(changed, again, wanted).text == changed.text


@pytest.mark.parametrize("piece", ["label a\n", "append x\n", " ", "initrd=", "\n", "menu include "])
def test_a_hostile_text_takes_bounded_time(piece: str) -> None:
    text = "label a\nkernel /k\nappend " + piece * (250_000 // len(piece))
    started = time.process_time()
    document = extlinux_conf.parse(text)
    extlinux_conf.default_entry(document)
    assert document.entries[0].kernel == "/k"
    assert document.text == text
    assert time.process_time() - started < 1
