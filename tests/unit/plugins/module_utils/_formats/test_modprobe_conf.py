# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import modprobe_conf
from hypothesis import given
from hypothesis import strategies as st

FILE = """\
# This file lists modules which shall not be loaded by udev.
blacklist pcspkr
blacklist hv-balloon # not wanted
#blacklist hv_utils
alias pci:v00001011d00000009sv*[a-b]-c tulip
options hv_netvsc \\
    ring_size=128
install floppy /bin/true; echo \\
  a\\
  b
softdep scsi_mod pre: hv_storvsc
# a comment that goes on \\
blacklist swallowed
blacklist
unknown thing
\tblacklist\txen_netfront\r
blacklist pcspkr"""

TEXT = st.lists(
    st.sampled_from(["blacklist ", "options ", "a-b", "\\", "\\\n", "\n", "\r\n", "#", " ", "\t", "[-]"])
    | st.text(max_size=3)
).map("".join)


def test_commands_are_read_with_their_continuation_lines() -> None:
    assert modprobe_conf.entries(modprobe_conf.parse(FILE)) == (
        (2, 1, "blacklist", "pcspkr", ""),
        (3, 1, "blacklist", "hv-balloon", "# not wanted"),
        (5, 1, "alias", "pci:v00001011d00000009sv*[a-b]-c", "tulip"),
        (6, 2, "options", "hv_netvsc", "ring_size=128"),
        (8, 3, "install", "floppy", "/bin/true; echo   a  b"),
        (11, 1, "softdep", "scsi_mod", "pre: hv_storvsc"),
        (16, 1, "blacklist", "xen_netfront\r", ""),
        (17, 1, "blacklist", "pcspkr", ""),
    )


def test_blacklisted_modules_have_canonical_names_once() -> None:
    assert modprobe_conf.blacklisted(modprobe_conf.parse(FILE)) == ("pcspkr", "hv_balloon", "xen_netfront\r")


def test_a_pattern_keeps_the_dash_between_its_brackets() -> None:
    assert modprobe_conf.canonical("a-b[c-d]-e[f") == "a_b[c-d]_e[f"


def test_an_entry_goes_with_all_its_lines() -> None:
    document = modprobe_conf.parse(FILE)
    options = modprobe_conf.entries(document)[3]
    lines = "options hv_netvsc \\\n    ring_size=128\n"
    assert modprobe_conf.render(modprobe_conf.without(document, options)) == FILE.replace(lines, "")
    assert modprobe_conf.render(modprobe_conf.with_commented_out(document, options)) == FILE.replace(
        lines, "#options hv_netvsc \\\n#    ring_size=128\n"
    )


@pytest.mark.skipif(not shutil.which("modprobe"), reason="kmod is not installed")
def test_kmod_reads_the_same_blacklist(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.conf").write_bytes(FILE.encode())
    run = subprocess.run(
        [shutil.which("modprobe") or "", "-C", str(tmp_path), "--showconfig"], capture_output=True, check=False
    )
    read = [line[10:] for line in run.stdout.decode().split("\n") if line.startswith("blacklist ")]
    assert tuple(dict.fromkeys(read)) == modprobe_conf.blacklisted(modprobe_conf.parse(FILE))


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert modprobe_conf.render(modprobe_conf.parse(text)) == text


@given(TEXT)
def test_an_edit_takes_one_entry_and_no_other(text: str) -> None:
    document = modprobe_conf.parse(text)
    before = modprobe_conf.entries(document)
    for index, entry in enumerate(before):
        kept = [item[2:] for position, item in enumerate(before) if position != index]
        for edit in (modprobe_conf.with_commented_out, modprobe_conf.without):
            assert [item[2:] for item in modprobe_conf.entries(edit(document, entry))] == kept
