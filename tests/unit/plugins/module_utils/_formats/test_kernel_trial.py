# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.kernel_trial import (
    FAILED,
    STAGED,
    Trial,
    read,
    render,
)
from hypothesis import given
from hypothesis import strategies as st

releases = st.from_regex(r"[A-Za-z0-9.+~_-]+", fullmatch=True)


@given(st.builds(Trial, releases, releases, st.integers(1, 99999), releases, st.sampled_from([STAGED, FAILED])))
def test_what_is_written_is_read_again(trial: Trial) -> None:
    assert read(render(trial)) == trial


def test_a_shell_reads_it_as_well() -> None:
    script = render(Trial("6.12.9+bpo-amd64", "6.1.0-50-amd64", 300, "b")) + 'echo "$KERNEL $LIMIT $STATE"'
    assert subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True).stdout == (
        b"6.12.9+bpo-amd64 300 staged\n"
    )


@given(st.text())
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        read(text)
    with pytest.raises(MalformedError):
        read(render(Trial("6.1", "6.1", 3, "b")).replace("6.1", "x y"))
