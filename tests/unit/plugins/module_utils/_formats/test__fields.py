# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import _fields
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(st.characters() | st.sampled_from(" \t\n\r\\#0123\udc80"), min_size=1))
def test_a_value_survives_being_written_to_a_field(value: str) -> None:
    raw = _fields.encode(value)
    assert [field.raw for field in _fields.split_fields(f"{raw}\tnext\n")] == [raw, "next"]
    assert _fields.decode(raw) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (r"/mnt/my\040disk", "/mnt/my disk"),
        (r"\011\012\134040", "\t\n\\040"),
        (r"caf\303\251", "café"),
        (r"\377", "\udcff"),
        (r"a\04", r"a\04"),
        (r"a\\b", r"a\\b"),
        (r"\477", r"\477"),
    ],
)
def test_octal_escapes_are_bytes_and_other_backslashes_are_themselves(raw: str, value: str) -> None:
    assert _fields.decode(raw) == value


def test_an_empty_value_is_refused() -> None:
    with pytest.raises(GuestError, match="empty value"):
        _fields.encode("")


def test_a_carriage_return_before_the_newline_belongs_to_no_field() -> None:
    assert _fields.split_fields(" a\tb\r\n") == ((1, 2, "a"), (3, 4, "b"))
    assert _fields.with_field(" a\tb\r\n", 1, "c d") == " a\tc\\040d\r\n"


@pytest.mark.parametrize(
    ("spec", "tag"),
    [
        ("UUID=ab-12", ("UUID", "ab-12")),
        ('LABEL="my root"', ("LABEL", "my root")),
        ("PARTUUID='x'", ("PARTUUID", "x")),
        ("LABEL=", ("LABEL", "")),
        ('LABEL="', ("LABEL", '"')),
        ("/dev/xvda1", None),
        ("server:/UUID=x", None),
    ],
)
def test_a_tag_names_a_device_by_its_content(spec: str, tag: tuple[str, str] | None) -> None:
    assert _fields.tag_of(spec) == tag
