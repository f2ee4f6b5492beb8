# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import build, status
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_build import Wanted
from ansible_collections.rehost.hyperv.tests.unit import kernel_source

pytestmark = pytest.mark.slow

WANTED = (Wanted("LOCALVERSION", '"-small"', "suffix"), Wanted("HYPERV", "y", "fragment"))


def order(directory: pathlib.Path, *, wanted: tuple[Wanted, ...] = WANTED, **changed: str) -> build.Order:
    directory.mkdir(exist_ok=True)
    tarball = str(kernel_source.make_tarball(directory, **changed))
    return build.Order(str(directory), tarball, None, wanted, 1, 2, ("hv_vmbus", "hv_storvsc"), False)


def state(asked: build.Order) -> status.Status:
    found = status.read(asked.directory)
    assert found is not None
    return found


def result(asked: build.Order) -> dict[str, object]:
    found = status.read_json(f"{asked.directory}/{build.RESULT}")
    assert found is not None
    return found


def test_a_build_ends_with_packages_and_without_the_tree(tmp_path: pathlib.Path) -> None:
    asked = order(tmp_path)
    build.build(asked)
    assert (state(asked).state, state(asked).percent) == ("built", 100)
    assert (result(asked)["release"], result(asked)["version"]) == ("6.1.5-small", "6.1.5-1")
    assert result(asked)["objects"] == 3
    assert not (tmp_path / "linux").exists()
    assert (tmp_path / "config").read_text() == 'CONFIG_LOCALVERSION="-small"\nCONFIG_HYPERV=y\n'
    assert "  CC      init/main.o" in (tmp_path / build.LOG).read_text()


def test_the_tree_stays_when_it_is_asked_for(tmp_path: pathlib.Path) -> None:
    asked = order(tmp_path)._replace(keep_tree=True)
    build.build(asked)
    assert (tmp_path / "linux" / "init" / "main.o").exists()


def test_two_builds_in_two_places_give_identical_packages(tmp_path: pathlib.Path) -> None:
    hashes = []
    for name in ("one", "another"):
        asked = order(tmp_path / name)
        build.build(asked)
        paths = sorted((tmp_path / name).glob("*.deb"))
        hashes.append([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths])
    assert len(hashes[0]) == 2
    assert hashes[0] == hashes[1]


def test_a_symbol_that_did_not_survive_ends_the_build_with_the_reason(tmp_path: pathlib.Path) -> None:
    asked = order(tmp_path, wanted=(*WANTED, Wanted("HYPERV_UTILS", "y", "fragment")))
    build.build(asked)
    found = state(asked)
    assert (found.state, found.step) == ("failed", "configure")
    assert [(one["symbol"], one["reason"]) for one in found.lost] == [("HYPERV_UTILS", "unmet-dependency")]
    assert "CONNECTOR" in found.message
    assert not (tmp_path / "linux" / "init" / "main.o").exists()


def test_a_build_goes_on_where_it_failed(tmp_path: pathlib.Path) -> None:
    asked = order(tmp_path, hid="broken\n")
    build.build(asked)
    assert (state(asked).state, state(asked).step) == ("failed", "compile")
    kept = (tmp_path / "linux" / "init" / "main.o").stat().st_mtime_ns
    assert json.loads((tmp_path / "linux" / ".objects.json").read_text())["objects"]
    (tmp_path / "linux" / "drivers" / "hid.c").write_text("mended\n")
    build.build(asked._replace(keep_tree=True))
    assert state(asked).state == "built"
    assert (tmp_path / "linux" / "init" / "main.o").stat().st_mtime_ns == kept
    assert result(asked)["objects"] == 3


def test_a_source_that_is_gone_is_a_failure_and_no_silence(tmp_path: pathlib.Path) -> None:
    asked = order(tmp_path)
    pathlib.Path(asked.source).unlink()
    build.build(asked)
    assert (state(asked).state, state(asked).step) == ("failed", "unpack")
    assert state(asked).message


def test_progress_is_written_at_each_new_step(tmp_path: pathlib.Path) -> None:
    progress = build.Progress(str(tmp_path))
    for step, percent in (("unpack", 0), ("compile", 4)):
        progress.at(step)
        found = status.read(str(tmp_path))
        assert found is not None
        assert (found.state, found.step, found.percent) == ("building", step, percent)
    progress.at("compile", 0.5)  # within the same second: not worth writing
    again = status.read(str(tmp_path))
    assert again is not None
    assert again.percent == 4
