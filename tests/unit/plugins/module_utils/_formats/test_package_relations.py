# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import package_relations
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.package_relations import Relation
from hypothesis import given
from hypothesis import strategies as st


def test_alternatives_and_versions_are_told_apart() -> None:
    assert package_relations.parse("kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120+deb8u2) | dracut") == (
        (Relation("kmod"),),
        (Relation("linux-base", ">=", "4.3~"),),
        (Relation("initramfs-tools", ">=", "0.120+deb8u2"), Relation("dracut")),
    )


def test_nothing_is_no_relation() -> None:
    assert package_relations.parse("") == package_relations.parse(" ") == ()
    assert package_relations.parse("kmod,") == ((Relation("kmod"),),)


@pytest.mark.parametrize("text", ["perl:any", "perl:any(>=5)", "perl  ( >= 5 ) [amd64 i386] <!nocheck> <x>", "g++"])
def test_what_only_restricts_a_relation_is_read_over(text: str) -> None:
    ((found,),) = package_relations.parse(text)
    assert found.name in ("perl", "g++")
    assert found.version in ("5", "")


@pytest.mark.parametrize("text", ["kmod | ", "Kmod", "kmod (4)", "kmod (~ 4)", "kmod (= 4", "$(reboot)"])
def test_what_is_no_relation_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="no relation"):
        package_relations.parse(text)


@pytest.mark.parametrize(
    ("operator", "allowed"),
    [
        ("", ("1.0~rc1", "1.0", "1.0-1", "2")),
        ("<<", ("1.0~rc1",)),
        ("<=", ("1.0~rc1", "1.0")),
        ("<", ("1.0~rc1", "1.0")),
        ("=", ("1.0",)),
        (">=", ("1.0", "1.0-1", "2")),
        (">", ("1.0", "1.0-1", "2")),
        (">>", ("1.0-1", "2")),
    ],
)
def test_an_operator_means_the_versions_of_the_policy(operator: str, allowed: tuple[str, ...]) -> None:
    relation = Relation("kmod", operator, "1.0" if operator else "")
    assert tuple(one for one in ("1.0~rc1", "1.0", "1.0-1", "2") if relation.allows(one)) == allowed
    assert package_relations.parse(str(relation)) == ((relation,),)


@given(st.text())
def test_rubbish_is_read_or_refused(text: str) -> None:
    try:
        package_relations.parse(text)
    except MalformedError:
        pass
