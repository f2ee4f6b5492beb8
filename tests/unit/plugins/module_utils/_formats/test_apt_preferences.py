# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.apt_preferences import Pin, read, render
from hypothesis import given
from hypothesis import strategies as st

PINS = (
    Pin("linux-image-6.1.0-50-amd64", "version 6.1.176-1", 1001, "it stays"),
    Pin("linux-image-*", "version 6.1.90-1", -1),
)
words = st.text("abc-*.019", min_size=1)


@given(st.lists(st.builds(Pin, words, words.map("version {}".format), st.integers(-999, 999), words)))
def test_what_is_written_is_read_again(pins: list[Pin]) -> None:
    assert read(render(pins)) == tuple(pins)


def test_comments_and_incomplete_paragraphs_are_left_out() -> None:
    assert read("# by hand\nPackage: a\nPin: version 1\nPin-Priority: 7\n\n\nPackage: b\n") == (
        Pin("a", "version 1", 7),
    )


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="apt reads its preferences")
def test_apt_understands_them(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "preferences"
    file.write_text("# a comment first\n" + render(PINS))
    done = subprocess.run(
        ["apt-cache", "-o", f"Dir::Etc::preferences={file}", "-o", "Dir::Etc::preferencesparts=/nowhere", "policy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "E:" not in done.stdout
