# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import lvm_conf
from hypothesis import given
from hypothesis import strategies as st

FILE = """\
# This is an example configuration file for the LVM2 system. { [
config { checks = 1 }
devices {
    dir = "/dev"
    scan = [ "/dev" ]
    # filter = [ "a|.*/|" ]
    filter = [ "a|^/dev/xvd|", # Xen's "disks"
               'r|.*|' ]
    quoted = "a \\"b\\" \\\\"
    nested { global_filter = "no" }
}
devices/global_filter = "r|^/dev/drbd|"
activation { volume_list = [] }
"""

TEXT = st.lists(
    st.sampled_from(
        ["devices", "{", "}", "[", "]", "=", ",", '"a"', "'b'", "#", "\n", " ", "filter = [ 1 ]", '"', "\\"]
    )
    | st.text(max_size=2)
).map("".join)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("devices/filter", ("a|^/dev/xvd|", "r|.*|")),
        ("devices/scan", ("/dev",)),
        ("devices/global_filter", ("r|^/dev/drbd|",)),
        ("devices/nested/global_filter", ("no",)),
        ("devices/quoted", ('a "b" \\',)),
        ("config/checks", ("1",)),
        ("activation/volume_list", ()),
        ("devices/missing", None),
        ("filter", None),
    ],
)
def test_a_setting_is_found_in_its_section(path: str, values: tuple[str, ...] | None) -> None:
    document = lvm_conf.parse(FILE)
    assert document.is_complete
    assert lvm_conf.values(document, path) == values


def test_a_list_is_replaced_and_nothing_else() -> None:
    changed = lvm_conf.with_values(lvm_conf.parse(FILE), "devices/filter", ["a|.*|"])
    old = FILE[FILE.index('[ "a|^') : FILE.index("'r|.*|' ]") + len("'r|.*|' ]")]
    assert lvm_conf.render(changed) == FILE.replace(old, '[ "a|.*|" ]')


def test_a_missing_setting_is_added_to_its_section_or_with_it() -> None:
    document = lvm_conf.parse("devices {\n\tdir = 1\n}")
    added = lvm_conf.with_values(document, "devices/filter", ["a", 'b"'])
    assert lvm_conf.render(added) == 'devices {\n\tfilter = [ "a", "b\\"" ]\n\tdir = 1\n}'
    added = lvm_conf.with_values(document, "log/file", [])
    assert lvm_conf.render(added) == "devices {\n\tdir = 1\n}\nlog {\n\tfile = []\n}\n"


@pytest.mark.parametrize("text", ["devices {", "devices { a = ", 'a = "', "a = [ 1, [", "}", "a = { }", "= 1", "a"])
def test_a_file_that_is_not_understood_is_not_edited(text: str) -> None:
    document = lvm_conf.parse(text)
    assert not document.is_complete
    with pytest.raises(GuestError, match="not understood"):
        lvm_conf.with_values(document, "devices/filter", ["a"])


@pytest.mark.skipif(not shutil.which("lvmconfig"), reason="lvm2 is not installed")
@pytest.mark.parametrize(
    ("text", "values"),
    [
        (FILE, ["a|^/dev/sd|", "r|.*|"]),
        ("devices {\n filter = [ 'r|x|' ]\n filter = [ 'r|y|', ]\n}\n", ['a|"|', "r|\\\\.|"]),
        ("devices/filter = 'r|x|'\n", ["a| {}[]#|"]),
        ("", ["a|x|"]),
    ],
)
def test_lvm_reads_what_was_read_and_what_is_written(tmp_path: pathlib.Path, text: str, values: list[str]) -> None:
    def read_by_lvm(content: str) -> tuple[str, ...]:
        (tmp_path / "lvm.conf").write_text(content)
        run = subprocess.run(
            [shutil.which("lvmconfig") or "", "--type", "current", "devices/filter"],
            env={"LVM_SYSTEM_DIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return lvm_conf.values(lvm_conf.parse(run.stdout), "filter") or ()

    document = lvm_conf.parse(text)
    assert read_by_lvm(text) == (lvm_conf.values(document, "devices/filter") or ())
    changed = lvm_conf.with_values(document, "devices/filter", values)
    assert read_by_lvm(lvm_conf.render(changed)) == tuple(values)


@given(TEXT)
def test_every_text_is_rendered_as_it_was(text: str) -> None:
    assert lvm_conf.render(lvm_conf.parse(text)) == text


@given(TEXT, st.lists(st.text()))
def test_a_written_list_is_read_back_and_every_other_setting_stays(text: str, values: list[str]) -> None:
    document = lvm_conf.parse(text)
    try:
        changed = lvm_conf.with_values(document, "devices/filter", values)
    except GuestError:
        assert not document.is_complete
        return
    assert changed.is_complete
    assert lvm_conf.values(changed, "devices/filter") == tuple(values)
    kept = [setting[:2] for setting in document.settings if setting.path != "devices/filter"]
    assert [setting[:2] for setting in changed.settings if setting.path != "devices/filter"] == kept


@pytest.mark.parametrize("text", ["a{" * 100_000, "a=[" + "1," * 100_000, '"' + "\\a" * 100_000, "a=1 " * 50_000])
def test_hostile_text_is_read_in_no_time(text: str) -> None:
    started = time.process_time()
    lvm_conf.parse(text)
    assert time.process_time() - started < 2
