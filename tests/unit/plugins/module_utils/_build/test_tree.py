# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import pathlib
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import source, tree
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.tests.unit import kernel_source

WANTED = 'CONFIG_LOCALVERSION="-small"\nCONFIG_HYPERV=y\n'


class Log(io.StringIO):
    name = "/builds/log"


def unpacked(directory: pathlib.Path, **changed: str) -> tree.Tree:
    source.unpack(str(kernel_source.make_tarball(directory, **changed)), str(directory / "linux"))
    tree.make_shims(str(directory / "bin"))
    return tree.Tree(str(directory / "linux"), str(directory / "bin"), Log(), 7)


def test_the_tree_knows_its_version_and_its_time(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path)
    assert (kernel.version, kernel.epoch) == (kernel_source.VERSION, kernel_source.WHEN)
    assert kernel.environment()["KBUILD_BUILD_TIMESTAMP"] == "Tue, 14 Nov 2023 22:13:20 +0000"


def test_a_configuration_of_its_own_begins_with_nothing(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path)
    kernel.configure(None, WANTED)
    assert kernel.config().states == {"LOCALVERSION": "-small", "HYPERV": "y"}
    kernel.prepare()
    assert kernel.release() == "6.1.5-small"


def test_what_is_wanted_wins_over_the_base(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path)
    kernel.configure("CONFIG_HYPERV=n\nCONFIG_CONNECTOR=y\nCONFIG_NO_SUCH=y\n", WANTED)
    assert kernel.config().states == {"HYPERV": "y", "CONNECTOR": "y", "LOCALVERSION": "-small"}


def test_the_definitions_of_all_files_are_found(tmp_path: pathlib.Path) -> None:
    found = unpacked(tmp_path).definitions()
    assert found["HYPERV_UTILS"][0].depends == ("HYPERV && CONNECTOR",)


def test_what_is_compiled_is_counted_before_and_while_it_is(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path)
    kernel.configure(None, WANTED)
    objects = kernel.objects(2)
    assert sorted(objects) == ["drivers/hid.o", "init/main.o", "kernel/fork.o"]
    assert kernel.count_compiled(objects) == 0
    seen: list[int] = []
    kernel.compile(2, lambda: seen.append(1))
    assert (len(seen), kernel.count_compiled(objects)) == (3, 3)


def test_an_object_that_a_power_cut_left_empty_is_compiled_again(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path)
    kernel.configure(None, WANTED)
    kernel.compile(1, lambda: None)
    (tmp_path / "linux" / "init" / "main.o").write_bytes(b"")
    kernel.prepare()
    assert kernel.count_compiled(["init/main.o", "kernel/fork.o"]) == 1


def test_an_error_of_the_compiler_is_told_with_the_log(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path, hid="broken\n")
    kernel.configure(None, WANTED)
    with pytest.raises(GuestError, match=r"drivers/hid\.c:1:1: error: broken") as caught:
        kernel.compile(1, lambda: None)
    assert caught.value.path == "/builds/log"
    assert "goes on from here" in caught.value.hint


def test_packages_have_the_version_that_was_asked_for(tmp_path: pathlib.Path) -> None:
    kernel = unpacked(tmp_path)
    kernel.configure(None, WANTED)
    kernel.prepare()
    kernel.compile(1, lambda: None)
    (tmp_path / "linux-image-old.deb").write_text("of an earlier attempt")
    names = [os.path.basename(path) for path in kernel.package()]
    assert names == [
        "linux-headers-6.1.5-small_6.1.5-7_amd64.deb",
        "linux-image-6.1.5-small_6.1.5-7_amd64.deb",
        "linux-libc-dev_6.1.5-7_amd64.deb",
    ]


def run_shim(directory: pathlib.Path, *words: str) -> str:
    tree.make_shims(str(directory / "bin"))
    path = f"{directory / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "SOURCE_DATE_EPOCH": str(kernel_source.WHEN), "LC_ALL": "C"}
    words = (str(directory / "bin" / words[0]), *words[1:])
    return subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE).stdout.decode()


def test_the_time_of_day_is_that_of_the_source_in_a_changelog_only(tmp_path: pathlib.Path) -> None:
    assert run_shim(tmp_path, "date", "-R") == "Tue, 14 Nov 2023 22:13:20 +0000\n"
    assert run_shim(tmp_path, "date", "-u", "-d", "@0", "+%Y") == "1970\n"


def test_files_are_found_in_one_order_where_their_checksums_are_listed(tmp_path: pathlib.Path) -> None:
    for name in ("b", "c", "a"):
        (tmp_path / "files").mkdir(exist_ok=True)
        (tmp_path / "files" / name).touch()
    found = run_shim(tmp_path, "find", str(tmp_path / "files"), "-type", "f", "-printf", "%P\\0")
    assert found == "a\0b\0c\0"
    assert run_shim(tmp_path, "find", str(tmp_path / "files"), "-name", "b") == f"{tmp_path / 'files' / 'b'}\n"
