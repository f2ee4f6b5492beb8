# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running guest on Hyper-V is moved from the legacy to the synthetic adapter, over the connection that this changes.

For each back end: a network that does not work behind the new adapter, from which the guest comes back by itself; one
that does; and a start without the legacy adapter.
"""

from __future__ import annotations

import pathlib
import socket
import subprocess
import threading
import time
import types
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

SECONDS = 600  # for a boot, on a machine that is busy with other things as well
LIMIT = 120  # for the confirmation
ROLLBACK = 10  # seconds after it
DEAD = 15  # seconds at least in which a guest is not reached that tries a network that does not work
LOG = "/var/lib/rehost-hyperv/live-switch/log"
RULES = "/etc/udev/rules.d/71-rehost-hyperv-net.rules"
GUESTS = {
    "ifupdown": ("bookworm", "dhcp"),
    "networkd": ("trixie", "dhcp"),
    "netplan": ("bookworm", "static"),
    "network-manager": ("bullseye", "dhcp"),
}


class Watch:
    """Looks from outside, again and again, whether the guest's SSH server answers."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._seen: t.List[float] = []  # when it answered
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: t.Optional[t.Type[BaseException]],
        error: t.Optional[BaseException],
        trace: t.Optional[types.TracebackType],
    ) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def longest_silence(self) -> float:
        """Seconds between two answers."""
        return max(after - before for before, after in zip(self._seen, self._seen[1:]))

    def _look(self) -> None:
        while not self._is_over.wait(1.0):
            try:
                with socket.create_connection(("127.0.0.1", self._port), 15) as connection:
                    answer = connection.recv(4)
            except OSError:
                continue
            if answer == b"SSH-":
                self._seen.append(time.monotonic())


def switch(machine: lab.Machine) -> t.Dict[str, t.Any]:
    task = {"rehost.hyperv.nic_switch": {"mode": "live", "timeout": LIMIT}, "failed_when": False}
    found: t.Dict[str, t.Any] = control.run_tasks(machine.inventory, {"switch": task})["switch"]
    print(machine.run(f"cat {LOG}", check=False).stdout)
    return found


def driver_of(machine: lab.Machine, interface: str) -> str:
    return machine.run(f"basename $(readlink /sys/class/net/{interface}/device/driver)").stdout.strip()


def interface_of_the_default_route(machine: lab.Machine) -> str:
    return machine.run("ip -o route show default | sed 's/.* dev \\([^ ]*\\).*/\\1/' | sort -u").stdout.strip()


def files_of(machine: lab.Machine) -> str:
    return machine.run(
        "find /etc/network /etc/systemd/network /etc/netplan /etc/NetworkManager /etc/udev -type f "
        "-exec sha256sum {} + 2>/dev/null | sort -k 2",
        check=False,
    ).stdout


@pytest.mark.parametrize("network", sorted(GUESTS))
def test_a_guest_is_switched_live_and_comes_back_when_the_new_network_does_not_work(
    network: str, tmp_path: pathlib.Path
) -> None:
    suite, address = GUESTS[network]
    image = lab.make_image(suite, "plain", network=network, address=address)
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", "-F", "raw", "-b", image, disk], check=True)
    with lab.start("hyperv-gen1", disk, nics=["legacy@lan1", "synthetic@lan1,link=down"]) as machine:
        machine.wait_for_ssh(SECONDS)
        before = files_of(machine)

        with Watch(machine.port) as watch:
            failed = switch(machine)
        assert "put back" in failed.get("msg", ""), failed
        assert failed["live"]["phase"] == "put-back", failed["live"]
        assert failed["live"]["problems"] == []
        assert failed["live"]["seconds"]["put-back"] <= LIMIT + ROLLBACK
        assert DEAD < watch.longest_silence <= LIMIT + ROLLBACK
        assert driver_of(machine, interface_of_the_default_route(machine)) == "tulip"
        assert files_of(machine) == before
        print(f"{network}: away for {watch.longest_silence:.0f} s; {failed['live']['seconds']}")

        machine.set_link("synthetic", up=True)
        with Watch(machine.port) as watch:
            done = switch(machine)
        assert done["live"]["phase"] == "confirmed", done
        assert done["live"]["connection"]["driver"] == "hv_netvsc"
        assert watch.longest_silence <= LIMIT
        assert driver_of(machine, interface_of_the_default_route(machine)) == "hv_netvsc"
        assert [line.split()[-1] for line in files_of(machine).splitlines() if line not in before.splitlines()] == [
            RULES
        ]
        print(f"{network}: away for {watch.longest_silence:.0f} s; {done['live']['seconds']}")
        machine.stop()

    with lab.start("hyperv-gen1", disk, nics=["synthetic@lan1"]) as machine:
        machine.wait_for_ssh(SECONDS)
        assert driver_of(machine, interface_of_the_default_route(machine)) == "hv_netvsc"
        again = switch(machine)
        assert not again["changed"], again
