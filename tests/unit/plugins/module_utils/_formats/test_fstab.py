# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.module_utils._formats import fstab
from hypothesis import given
from hypothesis import strategies as st

XEN_GUEST = """\
# /etc/fstab: static file system information.
proc            /proc           proc    defaults        0       0
/dev/xvda1      /               ext3    errors=remount-ro,noatime 0       1
UUID=5c1f       none            swap    sw
LABEL="my\\040data"\t/srv/my\\040data\text4 # nothing else
//nas/share /mnt/nas cifs
too few
   #/dev/xvdb1 /old ext3 defaults 0 0
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0# x"""

TEXT = st.lists(
    st.sampled_from(["/dev/xvda1", "UUID=1", " ", "\t", "\n", "\r\n", "#", "ext4", "a,b", "\\040", "0", "\0", "\f"])
    | st.text(max_size=3)
).map("".join)


def test_entries_have_decoded_values_and_defaults_for_what_is_missing() -> None:
    entries = fstab.entries(fstab.parse(XEN_GUEST))
    assert entries == (
        fstab.Entry(2, "proc", "/proc", "proc", ("defaults",), 0, 0),
        fstab.Entry(3, "/dev/xvda1", "/", "ext3", ("errors=remount-ro", "noatime"), 0, 1),
        fstab.Entry(4, "UUID=5c1f", "none", "swap", ("sw",), 0, 0),
        fstab.Entry(5, 'LABEL="my data"', "/srv/my data", "ext4", ("#",), 0, 0),
        fstab.Entry(6, "//nas/share", "/mnt/nas", "cifs", (), 0, 0),
        fstab.Entry(9, "/dev/sr0", "/media/cdrom0", "udf,iso9660", ("user", "noauto"), 0, 0),
    )
    assert [entry.tag for entry in entries[1:4]] == [None, ("UUID", "5c1f"), ("LABEL", "my data")]


def test_a_new_spec_changes_nothing_but_the_first_field() -> None:
    document = fstab.parse(XEN_GUEST)
    changed = fstab.with_spec(document, fstab.entries(document)[1], "UUID=0a1b")
    assert fstab.render(changed) == XEN_GUEST.replace("/dev/xvda1  ", "UUID=0a1b  ")


def test_a_spec_with_a_blank_is_written_escaped() -> None:
    document = fstab.parse("/dev/xvda1 / ext4\n")
    assert fstab.render(fstab.with_spec(document, fstab.entries(document)[0], "LABEL=a b")) == "LABEL=a\\040b / ext4\n"


def test_options_are_replaced_or_added_as_the_fourth_field() -> None:
    document = fstab.parse("a / ext4\tro  0 1\nb /b ext4 \r\n")
    for entry in fstab.entries(document):
        document = fstab.with_options(document, entry, ("rw", "x-y=1"))
    assert fstab.render(document) == "a / ext4\trw,x-y=1  0 1\nb /b ext4\trw,x-y=1\r\n"


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert fstab.render(fstab.parse(text)) == text


@given(TEXT, st.text(min_size=1), st.lists(st.text(st.characters(blacklist_characters=","), min_size=1), min_size=1))
def test_an_edit_is_read_back_and_leaves_every_other_entry(text: str, spec: str, options: list[str]) -> None:
    document = fstab.parse(text)
    before = fstab.entries(document)
    for index, entry in enumerate(before):
        changed = fstab.with_options(fstab.with_spec(document, entry, spec), entry, options)
        after = list(before)
        after[index] = entry._replace(spec=spec, options=tuple(options))
        assert fstab.entries(changed) == tuple(after)
