# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import readiness, secure_boot
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import VERSION

OTHER = "6.1.0-49-amd64"
ESP = "=== /boot/efi/EFI/BOOT/BOOTX64.EFI\nMZ\n"


@pytest.fixture
def facts(tmp_path: pathlib.Path) -> GuestFacts:
    """Two kernels, neither of them signed; the first entry of the menu is the default."""
    menu = "=== /boot/grub/grub.cfg\n" + small_guest.entry(VERSION) + small_guest.entry(OTHER)
    return small_guest.look(tmp_path, menu + small_guest.kernel(OTHER) + ESP)


def with_signature(facts: GuestFacts, is_signed: t.Optional[bool]) -> GuestFacts:
    kernels = tuple([dataclasses.replace(kernel, is_signed=is_signed) for kernel in facts.kernels])
    return dataclasses.replace(facts, kernels=kernels)


def under(facts: GuestFacts, is_on: t.Optional[bool]) -> GuestFacts:
    return dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, secure_boot=is_on))


def found(facts: GuestFacts) -> t.Dict[str, t.Tuple[str, bool]]:
    return {finding.subject: (finding.severity, finding.blocks) for finding in secure_boot.find(facts)}


def test_while_it_is_on_an_unsigned_default_is_an_error_and_another_kernel_a_warning(facts: GuestFacts) -> None:
    assert found(under(facts, True)) == {VERSION: ("error", True), OTHER: ("warning", False)}
    assert not readiness.assess(under(facts, True)).ready


@pytest.mark.parametrize("is_on", [False, None])
def test_otherwise_it_is_told_to_those_who_may_start_on_generation_2(
    facts: GuestFacts, is_on: t.Optional[bool]
) -> None:
    assert found(under(facts, is_on)) == {VERSION: ("info", False), OTHER: ("info", False)}
    without_esp = dataclasses.replace(facts, boot=dataclasses.replace(facts.boot, has_esp=False))
    assert found(under(without_esp, is_on)) == {}


@pytest.mark.parametrize("is_signed", [True, None])
def test_of_signed_kernels_and_of_those_that_were_not_read_nothing_is_said(
    facts: GuestFacts, is_signed: t.Optional[bool]
) -> None:
    assert found(under(with_signature(facts, is_signed), True)) == {}


def test_kernels_that_no_entry_starts_do_not_matter(facts: GuestFacts) -> None:
    kept = tuple([entry for entry in facts.boot.entries if entry.version == VERSION])
    assert set(found(dataclasses.replace(facts, boot=dataclasses.replace(facts.boot, entries=kept)))) == {VERSION}
