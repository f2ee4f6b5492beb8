# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import kvp as gather_kvp
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kvp
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Plan, PoolChange
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root


def record(key: str, value: str) -> bytes:
    return key.encode().ljust(512, b"\0") + value.encode().ljust(2048, b"\0")


def facts(tree: pathlib.Path, pools: t.Mapping[int, bytes], *, daemon: bool = True) -> GuestFacts:
    """Facts of a guest with these pools."""
    (tree / "var/lib/hyperv").mkdir(parents=True)
    for number, data in pools.items():
        (tree / f"var/lib/hyperv/.kvp_pool_{number}").write_bytes(data)
    if daemon:
        (tree / "usr/sbin").mkdir(parents=True)
        (tree / "usr/sbin/hv_kvp_daemon").write_bytes(b"\x7fELF")
    problems: list[Problem] = []
    found = gather_kvp.gather(Root(str(tree)), problems.append)
    assert problems == []
    fields: dict[str, t.Any] = {field.name: None for field in dataclasses.fields(GuestFacts)}
    return GuestFacts(**{**fields, "kvp": found})


def change(found: Plan) -> PoolChange:
    (only,) = found.changes
    assert isinstance(only, PoolChange)
    return only


def test_the_host_says_how_it_calls_the_machine_and_itself(tmp_path: pathlib.Path) -> None:
    said = record("VirtualMachineName", "web 1") + record("PhysicalHostNameFullyQualified", "hv3.example.net")
    known = facts(tmp_path, {0: record("VirtualMachineName", "somebody"), 3: said})
    assert kvp.virtual_machine_name(known) == "web 1"
    assert kvp.host_name(known) == "hv3.example.net"
    assert [pool.name for pool in known.kvp.pools] == ["external", "guest", "auto", "host", "internal"]


@pytest.mark.parametrize("pools", [{}, {3: b""}, {3: record("VirtualMachineName", "")}])
def test_without_a_word_of_the_host_nothing_is_known(tmp_path: pathlib.Path, pools: dict[int, bytes]) -> None:
    assert kvp.virtual_machine_name(facts(tmp_path, pools)) is None


def test_only_what_is_not_as_wanted_is_changed(tmp_path: pathlib.Path) -> None:
    known = facts(tmp_path, {1: record("a", "1") + record("b", "2") + record("c", "3")})
    found = kvp.plan(known, {"a": 1, "b": "two", "d": "4"}, ["c", "e"])
    assert change(found) == PoolChange(
        "/var/lib/hyperv/.kvp_pool_1",
        (("a", "1"), ("b", "2"), ("c", "3")),
        (("b", "two"), ("d", "4")),
        ("c",),
        "the host shall see these pairs",
    )
    assert change(found).diff()["after"] == "a: 1\nb: two\nd: 4\n"
    assert change(found).report()["action"] == "change"


def test_nothing_is_changed_when_all_is_there(tmp_path: pathlib.Path) -> None:
    known = facts(tmp_path, {1: record("a", "1")})
    assert not kvp.plan(known, {"a": "1"}, ["b"])


def test_a_pool_that_is_not_there_is_made(tmp_path: pathlib.Path) -> None:
    found = kvp.plan(facts(tmp_path, {}), {"a": "1"})
    assert change(found).report()["action"] == "create"
    assert not kvp.plan(facts(tmp_path / "other", {}), {}, ["a"])


def test_a_guest_without_the_daemon_says_that_the_host_sees_nothing(tmp_path: pathlib.Path) -> None:
    known = facts(tmp_path, {}, daemon=False)
    assert [finding.id for finding in kvp.plan(known, {"a": "1"}).findings] == ["kvp.no-daemon"]
    assert kvp.plan(known, {}).findings == ()


@pytest.mark.parametrize(
    ("present", "absent", "message"),
    [
        ({"a": "1"}, ["a"], "both present and absent"),
        ({"a": ["1"]}, [], "neither text nor a number"),
        ({"a": None}, [], "neither text nor a number"),
        ({"": "1"}, [], "empty"),
        ({"a": "x" * 3000}, [], "3000 bytes long"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: pathlib.Path, present: dict[str, t.Any], absent: list[str], message: str
) -> None:
    with pytest.raises(GuestError, match=message):
        kvp.plan(facts(tmp_path, {}), present, absent)


def test_a_pool_that_cannot_be_read_is_a_problem(tmp_path: pathlib.Path) -> None:
    (tmp_path / "var/lib/hyperv/.kvp_pool_1").mkdir(parents=True)
    os.mkfifo(tmp_path / "var/lib/hyperv/.kvp_pool_0")
    problems: list[Problem] = []
    found = gather_kvp.gather(Root(str(tmp_path)), problems.append)
    assert [problem.path[-1] for problem in problems] == ["0", "1"]
    assert all(pool.pairs is None for pool in found.pools)
