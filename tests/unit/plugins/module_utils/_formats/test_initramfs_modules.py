# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import initramfs_modules
from hypothesis import given
from hypothesis import strategies as st

LIST = """\
# List of modules that you want to include in your initramfs.
#
# raid1
xen-blkfront
 sd_mod\toption=1 b # because
; udev
xen_blkfront
"""

TEXT = st.lists(
    st.sampled_from(["hv_storvsc", "xen-netfront", " ", "\t", "\n", "\r\n", "#", ";", "a=b", "\0", "\f"])
    | st.text(max_size=3)
).map("".join)
NAMES = st.lists(st.sampled_from(["hv_storvsc", "hv-vmbus", "xen_netfront", "xen-blkfront"]))


def test_modules_are_named_with_their_options() -> None:
    document = initramfs_modules.parse(LIST)
    assert initramfs_modules.entries(document) == (
        (4, "xen-blkfront", ()),
        (5, "sd_mod", ("option=1", "b")),
        (7, "xen_blkfront", ()),
    )
    assert initramfs_modules.names(document) == ("xen_blkfront", "sd_mod")


def test_only_missing_modules_are_appended() -> None:
    document = initramfs_modules.with_modules(
        initramfs_modules.parse(LIST.rstrip("\n")), ["hv_storvsc", "sd-mod", "hv-storvsc", "hv_vmbus"]
    )
    assert initramfs_modules.render(document) == LIST + "hv_storvsc\nhv_vmbus\n"


def test_every_line_of_a_module_is_removed() -> None:
    document = initramfs_modules.without_modules(initramfs_modules.parse(LIST), ["xen_blkfront", "raid1"])
    assert initramfs_modules.render(document) == LIST.replace("xen-blkfront\n", "").replace("xen_blkfront\n", "")


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a.ko", "#a"])
def test_what_is_no_module_name_is_not_written(name: str) -> None:
    with pytest.raises(GuestError, match="not the name"):
        initramfs_modules.with_modules(initramfs_modules.parse(""), [name])


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert initramfs_modules.render(initramfs_modules.parse(text)) == text


@given(TEXT, NAMES)
def test_modules_are_there_after_adding_and_gone_after_removing(text: str, names: list[str]) -> None:
    canonical = {initramfs_modules.canonical(name) for name in names}
    document = initramfs_modules.parse(text)
    before = set(initramfs_modules.names(document))
    added = initramfs_modules.with_modules(document, names)
    assert set(initramfs_modules.names(added)) == before | canonical
    assert initramfs_modules.render(added).startswith(text)
    assert initramfs_modules.with_modules(added, names) == added
    assert set(initramfs_modules.names(initramfs_modules.without_modules(added, names))) == before - canonical
