# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import shutil
import subprocess
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply import network_stacks
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.network_stacks import BACK_ENDS, Held
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.programs import Programs
from ansible_collections.rehost.hyperv.tests.unit import child_process
from ansible_collections.rehost.hyperv.tests.unit.small_network import (
    INTERFACES,
    OLD_MAC,
    find_ifupdown,
    ip,
    leave_for_new_namespaces,
    needs_namespaces,
    use_ifupdown,
)

# A bridge without bridge-utils, an alias, and another name for a stanza.
ON_TOP = (
    INTERFACES
    + """
iface eth0:1 inet static
    address 192.0.2.20/24

iface home inet manual

iface br0 inet static
    address 198.51.100.1/24
    pre-up ip link add $IFACE type bridge
    up ip link set eth0 master $IFACE
    post-down ip link delete $IFACE
"""
)


@pytest.mark.parametrize(
    ("name", "after"),
    [("eth0", "lan0"), ("eth0.5", "lan0.5"), ("eth0:1", "lan0:1"), ("eth01", "eth01"), ("br-eth0", "br-eth0")],
)
def test_what_is_named_after_an_interface_is_renamed_with_it(name: str, after: str) -> None:
    assert network_stacks.renamed(name, {"eth0": "lan0"}) == after


def test_netplan_writes_before_the_daemons_start() -> None:
    assert tuple(BACK_ENDS) == ("netplan", "systemd-networkd", "network-manager", "ifupdown")
    assert network_stacks.back_ends_of(["ifupdown", "systemd-networkd"]) == ("systemd-networkd", "ifupdown")


@pytest.mark.parametrize("name", ["eth0", "br-lan", "eth0.5", "eth0:1", "a_b", "wl@n"])
def test_names_are_escaped_as_systemd_does(name: str) -> None:
    program = shutil.which("systemd-escape")
    if program is None:
        pytest.skip("needs systemd-escape")
    said = subprocess.run([program, name], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()
    assert network_stacks._escape(name) == said


def in_a_guest(work: t.Callable[[Programs, t.List[str]], t.Any]) -> t.Any:
    """eth0 with an alias and a bridge, up by ifupdown."""
    needs_namespaces()
    directory = find_ifupdown()

    def inside() -> t.Any:
        leave_for_new_namespaces()
        ip("link", "add", "eth0", "address", OLD_MAC, "type", "veth", "peer", "name", "far0")
        use_ifupdown(directory, ON_TOP)
        for name in ("eth0:1", "br0"):
            subprocess.run(["ifup", name], check=True, stdout=subprocess.DEVNULL)
        notes: t.List[str] = []
        return work(Programs(notes.append), notes)

    return child_process.call(inside)


def test_ifupdown_takes_down_from_the_top_and_up_from_below() -> None:
    def work(programs: Programs, notes: t.List[str]) -> t.Any:
        back_end = BACK_ENDS["ifupdown"]
        memory = back_end.remember(programs, Held(("eth0", "br0"), ("eth1",), (2,)))
        problems = back_end.stop(programs, memory, {"eth0": "eth0"})
        down = pathlib.Path("/run/network/ifstate").read_text()
        ip("link", "set", "eth0", "name", "lan0")
        pathlib.Path("/etc/network/interfaces").write_text(ON_TOP.replace("eth0", "lan0"))
        problems += back_end.start(programs, memory, {"eth0": "lan0"}, time.monotonic() + 30)
        return memory, problems, down, [note.partition(": status")[0] for note in notes], ip("-br", "address")

    memory, problems, down, notes, addresses = in_a_guest(work)
    assert memory == {"up": ["eth0=eth0", "eth0:1=eth0:1", "br0=br0"], "spare": []}
    assert problems == []
    assert down == "lo=lo\n"
    assert notes == ["ifdown br0", "ifdown eth0:1", "ifdown eth0", "ifup lan0", "ifup lan0:1", "ifup br0"]
    assert "192.0.2.20" in addresses
    assert "198.51.100.1" in addresses


def test_an_ifup_that_was_ended_is_taken_down_by_force() -> None:
    def work(programs: Programs, notes: t.List[str]) -> t.Any:
        back_end = BACK_ENDS["ifupdown"]
        memory = back_end.remember(programs, Held(("eth0",), (), ()))
        subprocess.run(["ifdown", "eth0:1", "br0"], check=True, stdout=subprocess.DEVNULL)
        text = pathlib.Path("/run/network/ifstate").read_text()
        pathlib.Path("/run/network/ifstate").write_text(text.replace("eth0=eth0\n", ""))
        back_end.stop(programs, {"up": ["eth0=eth0"], "spare": []}, {"eth0": "eth0"})
        return memory, notes[-1], ip("-br", "-4", "address", "show", "dev", "eth0")

    _memory, note, address = in_a_guest(work)
    assert note.startswith("ifdown --force eth0: status 0")
    assert "192.0.2.10" not in address


def test_what_was_up_on_the_other_adapter_comes_up_again_only_when_all_is_put_back() -> None:
    def work(programs: Programs, notes: t.List[str]) -> t.List[str]:
        memory = {"up": [], "spare": ["eth0=eth0"]}
        BACK_ENDS["ifupdown"].start(programs, memory, {}, time.monotonic() + 30)
        BACK_ENDS["ifupdown"].start(programs, memory, {}, time.monotonic() + 30, is_back=True)
        return [note.partition(": status")[0] for note in notes]

    assert in_a_guest(work) == ["ifup eth0"]


def test_daemons_are_told_to_leave_an_adapter_alone_until_the_next_boot() -> None:
    def work() -> t.Any:
        child_process.leave_mounts()
        child_process.mount("tmpfs", "/run", "tmpfs")
        programs, stacks = Programs(print), ("systemd-networkd", "network-manager")
        network_stacks.park(programs, ["legacy0"], stacks)
        paths = (network_stacks.NETWORKD_PARKED, network_stacks.NETWORK_MANAGER_PARKED)
        written = [pathlib.Path(path).read_text() for path in paths]
        modes = [pathlib.Path(path).stat().st_mode & 0o777 for path in paths]
        network_stacks.unpark(programs, stacks)
        return written, modes, [pathlib.Path(path).exists() for path in paths]

    needs_namespaces()
    written, modes, left = child_process.call(work)
    assert written == [
        "[Match]\nName=legacy0\n\n[Link]\nUnmanaged=yes\n",
        "[keyfile]\nunmanaged-devices+=interface-name:legacy0\n",
    ]
    assert modes == [0o644, 0o644]
    assert left == [False, False]
