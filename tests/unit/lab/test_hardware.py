# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from lab import LabError, hardware


def arguments(kind: str, *nics: str, disk: str = "/disk.raw", has_outside: bool = False) -> str:
    machine = hardware.choose(kind, nics, has_outside=has_outside)
    ports = {nic: 20000 + number for number, nic in enumerate(machine.nics)}
    return "\n".join(machine.arguments(Path(disk), "raw", ports))


@pytest.mark.parametrize("kind", hardware.KINDS)
def test_every_kind_shows_the_disk_to_the_bios_and_to_the_guest(kind: str) -> None:
    assert arguments(kind).count("drive=disk0,") == 2


def test_a_hyperv_machine_has_the_synthetic_nic_unless_told_otherwise() -> None:
    text = arguments("hyperv-gen1")
    assert "hv-net," in text
    assert "tulip" not in text


def test_a_hyperv_machine_may_have_both_nics_in_the_order_asked_for() -> None:
    text = arguments("hyperv-gen1", "legacy", "synthetic")
    assert "tulip,id=legacy,dec21140=on,mac=00:15:5d:01:02:04,netdev=net0" in text
    assert "hv-net,id=synthetic,mac=00:15:5d:01:02:03,netdev=net1" in text
    assert "net=10.0.3.0/24,ipv6=off,restrict=on,hostfwd=tcp:127.0.0.1:20001-:22" in text


def test_a_guest_reaches_the_outside_only_when_asked_for() -> None:
    assert "restrict=on" in arguments("xenserver")
    assert "restrict=off" in arguments("xenserver", has_outside=True)


def test_the_name_of_a_disk_may_hold_a_comma() -> None:
    assert "filename=/a,,b.raw," in arguments("xenserver", disk="/a,b.raw")


@pytest.mark.parametrize(
    ("kind", "nics"),
    [("hyperv-gen1", ("vif",)), ("xenserver", ("legacy",)), ("hyperv-gen1", ("legacy", "legacy"))],
)
def test_a_nic_of_another_kind_or_a_second_one_of_its_kind_is_refused(kind: str, nics: tuple[str, ...]) -> None:
    with pytest.raises(LabError, match="has no NICs"):
        hardware.choose(kind, nics)


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match="hyperv-gen1, xenserver"):
        hardware.choose("hyperv-gen3")
