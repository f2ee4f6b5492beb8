# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other tests rely on the lab's machines for: generation 2, adapters on one switch, counters, the host's clock."""

from __future__ import annotations

import contextlib
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

SECONDS = 600  # for a boot, on a machine that is busy with other things as well
DRIVERS = r"""for nic in /sys/class/net/*; do
    [ ! -e $nic/device/driver ] || echo $(basename $nic) $(basename $(readlink $nic/device/driver))
done"""
# Its own unit, as it cuts the connection that it comes by.
MOVE = """systemd-run --quiet sh -c '
    ip address flush dev {old}; ip link set {old} down
    ip link set {new} up; ip address add 10.0.2.15/24 dev {new}; ip route add default via 10.0.2.2
    until ping -c 1 -W 1 10.0.2.2; do sleep 1; done
'"""


@contextlib.contextmanager
def started(kind: str, *nics: str) -> t.Iterator[lab.Machine]:
    """A plain guest, reached by SSH."""
    with lab.start(kind, lab.make_image("bookworm", "plain"), overlay=True, nics=nics) as machine:
        machine.wait_for_ssh(SECONDS)
        yield machine


def nic_with(machine: lab.Machine, driver: str) -> str:
    """The name that the guest has for it."""
    (name,) = [line.split()[0] for line in machine.run(DRIVERS).stdout.splitlines() if line.endswith(f" {driver}")]
    return name


class TestGeneration2:
    @pytest.fixture(scope="class")
    @classmethod
    def guest(cls) -> t.Iterator[lab.Machine]:
        with started("hyperv-gen2") as machine:
            yield machine

    def test_it_is_started_by_uefi(self, guest: lab.Machine) -> None:
        assert guest.run("test -d /sys/firmware/efi; systemd-detect-virt").stdout == "microsoft\n"

    def test_its_disk_and_its_network_are_synthetic_and_nothing_is_emulated(self, guest: lab.Machine) -> None:
        assert guest.run(DRIVERS).stdout.split()[1::2] == ["hv_netvsc"]
        assert guest.run("findmnt -no SOURCE /").stdout == "/dev/sda1\n"
        assert "/vmbus" in guest.run("readlink -f /sys/block/sda/device/../../../subsystem").stdout
        # Classes of PCI: storage, network, display.
        assert guest.run("grep -l '^0x0[123]' /sys/bus/pci/devices/*/class", check=False).stdout == ""


class TestTwoAdaptersOnOneSwitch:
    @pytest.fixture(scope="class")
    @classmethod
    def guest(cls) -> t.Iterator[lab.Machine]:
        with started("hyperv-gen1", "legacy@lan1", "synthetic@lan1,mac=00:15:5d:0a:0b:0c") as machine:
            yield machine

    def test_each_has_its_driver_and_the_address_that_it_was_given(self, guest: lab.Machine) -> None:
        for driver, mac in (("tulip", "00:15:5d:01:02:04"), ("hv_netvsc", "00:15:5d:0a:0b:0c")):
            assert guest.run(f"cat /sys/class/net/{nic_with(guest, driver)}/address").stdout == f"{mac}\n"

    def test_the_gateway_answers_and_leads_nowhere(self, guest: lab.Machine) -> None:
        assert "default via 10.0.2.2" in guest.run("ip route").stdout
        assert guest.run("ping -c 1 -W 10 10.0.2.2", check=False).returncode == 0
        assert guest.run("ping -c 1 -W 2 192.0.2.1", check=False).returncode != 0

    def test_names_are_asked_of_somebody_who_knows_none(self, guest: lab.Machine) -> None:
        ask = "import socket\ntry: socket.getaddrinfo('host.example', 1)\nexcept socket.gaierror as e: print(e.errno)"
        assert guest.run(["python3", "-c", ask]).stdout == "-2\n"  # EAI_NONAME: told so, not left waiting

    def test_the_legacy_adapter_costs_more_per_packet(self, guest: lab.Machine) -> None:
        cost = {}
        for nic, driver, other in (("legacy", "tulip", "hv_netvsc"), ("synthetic", "hv_netvsc", "tulip")):
            if nic == "synthetic":
                guest.run(MOVE.format(old=nic_with(guest, other), new=nic_with(guest, driver)))
                guest.wait_for_ssh(120)
            before = guest.intercepts(nic)
            guest.run("ping -q -c 50 -i 0.02 10.0.2.2")
            counted = guest.intercepts(nic).since(before)
            assert counted.packets >= 100
            cost[nic] = counted.accesses / counted.packets
        assert cost["legacy"] > 2 * cost["synthetic"]

    def test_ssh_came_by_the_other_adapter(self, guest: lab.Machine) -> None:
        name = nic_with(guest, "hv_netvsc")
        assert guest.run("ip -o -4 address show scope global").stdout.split()[1] == name

    def test_a_cable_that_is_out_is_seen_and_comes_back(self, guest: lab.Machine) -> None:
        guest.set_link("synthetic", up=False)
        with pytest.raises(lab.BootError):
            guest.wait_for_ssh(5)
        guest.set_link("synthetic", up=True)
        guest.wait_for_ssh(120)

    def test_a_pause_stops_the_clock_of_the_guest(self, guest: lab.Machine) -> None:
        def uptime() -> float:
            return float(guest.run("cat /proc/uptime").stdout.split()[0])

        begin, before = time.monotonic(), uptime()
        guest.pause()
        time.sleep(20)
        guest.resume()
        assert uptime() - before < time.monotonic() - begin - 15

    def test_the_host_shows_another_time(self, guest: lab.Machine) -> None:
        read = "import os, time; print(time.clock_gettime(~os.open('/dev/ptp_hyperv', os.O_RDONLY) << 3 | 3))"

        def host_time() -> float:
            return float(guest.run(["python3", "-c", read]).stdout)

        assert abs(host_time() - time.time()) < 30
        guest.step_host_clock(3600)
        deadline = time.monotonic() + 60
        while abs(host_time() - time.time() - 3600) > 30:
            assert time.monotonic() < deadline
