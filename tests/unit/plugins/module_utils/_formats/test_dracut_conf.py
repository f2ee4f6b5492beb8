# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import dracut_conf
from hypothesis import given
from hypothesis import strategies as st

FILE = """\
# dracut of a Xen guest
hostonly="yes"
add_drivers+=" xen-blkfront xen_netfront "
force_drivers+=" sd_mod "
add_drivers+=" ext4"
"""

TEXT = st.lists(
    st.sampled_from(["add_drivers", "=", "+=", '" a "', "b", "\n", " ", "'", '"', "#", "\\\n", "echo ", "\\", "$(x)"])
).map("".join)


def test_lists_are_appended_and_settings_assigned() -> None:
    document = dracut_conf.parse(FILE)
    assert dracut_conf.words(document, "add_drivers") == ("xen-blkfront", "xen_netfront", "ext4")
    assert dracut_conf.words(document, "add_drivers", initial="nfs ") == ("nfs", "xen-blkfront", "xen_netfront", "ext4")
    assert dracut_conf.words(document, "filesystems") == ()
    assert dracut_conf.value(document, "hostonly") == "yes"


def test_only_missing_words_are_appended() -> None:
    document = dracut_conf.with_words(
        dracut_conf.parse(FILE), "add_drivers", ["hv_storvsc", "xen_blkfront", "hv_vmbus"]
    )
    assert dracut_conf.render(document) == FILE + 'add_drivers+=" hv_storvsc hv_vmbus "\n'
    assert dracut_conf.with_words(document, "add_drivers", ["hv-storvsc"]) == document


def test_dashes_matter_where_the_words_are_no_drivers() -> None:
    document = dracut_conf.with_words(dracut_conf.parse('add_dracutmodules+=" a-b "'), "add_dracutmodules", ["a_b"])
    assert dracut_conf.words(document, "add_dracutmodules") == ("a-b", "a_b")


def test_a_file_with_a_condition_is_neither_known_nor_edited() -> None:
    document = dracut_conf.parse('add_drivers+=" a "\nif true; then hostonly=no; fi\n')
    assert dracut_conf.words(document, "add_drivers") is None
    with pytest.raises(GuestError) as caught:
        dracut_conf.with_words(document, "add_drivers", ["b"])
    assert caught.value.line == 2


@pytest.mark.parametrize("word", ["a b", "$x", '"', ""])
def test_what_is_no_word_is_not_written(word: str) -> None:
    with pytest.raises(GuestError, match="no words"):
        dracut_conf.with_words(dracut_conf.parse(""), "add_drivers", [word])


@given(TEXT)
def test_every_text_is_rendered_as_it_was_and_words_are_there_once_appended(text: str) -> None:
    document = dracut_conf.parse(text)
    assert dracut_conf.render(document) == text
    try:
        changed = dracut_conf.with_words(document, "add_drivers", ["hv_vmbus"])
    except GuestError:
        return
    assert "hv_vmbus" in (dracut_conf.words(changed, "add_drivers") or ())
    assert dracut_conf.render(changed).startswith(text)
