# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import socket
import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import BASELINE
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import state
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.sysfs import KernelReader
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import guest_state
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.guest_state import (
    Address,
    Listener,
    LoggedError,
    Mount,
    Unit,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, state_builder


def reader(path: pathlib.Path, tree: str) -> KernelReader:
    guest_tree.build(tree, path)
    return KernelReader(Root(str(path)), lambda problem: None)


def test_units_are_services_that_are_up_and_whatever_failed_with_the_state_of_their_files() -> None:
    loaded = (
        "cron.service            loaded    active   running Regular background program processing daemon\n"
        "● nginx.service         loaded    failed   failed  A high performance web server\n"
        "syslog.service          not-found inactive dead    syslog.service\n"
        "dev-xvda.device         loaded    active   plugged /dev/xvda\n"
        "srv.mount               loaded    failed   failed  /srv\n"
        "home.mount              loaded    active   mounted /home\n"
        "rescue.service          loaded    inactive dead    Rescue Shell\n"
        "getty@tty1.service      loaded    active   running Getty on tty1\n"
        "\n"
    )
    files = "cron.service enabled enabled\nnginx.service  enabled\ngetty@.service enabled\n"
    assert state.units(loaded, files) == [
        Unit("cron.service", "active", "running", "enabled"),
        Unit("nginx.service", "failed", "failed", "enabled"),
        Unit("srv.mount", "failed", "failed", ""),
        Unit("getty@tty1.service", "active", "running", ""),
    ]


def test_addresses_are_those_that_others_reach() -> None:
    links = [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {
            "ifname": "eth0",
            "addr_info": [
                {"local": "192.0.2.7", "prefixlen": 24, "scope": "global", "dynamic": True},
                {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
                {"local": "2001:db8::7", "prefixlen": 64, "scope": "global", "temporary": True},
                {"local": "2001:db8::8", "prefixlen": 64, "scope": "global"},
            ],
        },
        {},
    ]
    assert state.addresses(json.dumps(links)) == [
        Address("eth0", "192.0.2.7", 24, True),
        Address("eth0", "2001:db8::8", 64, False),
    ]
    assert state.addresses("not JSON") == []


def test_errors_that_differ_in_numbers_are_of_one_kind() -> None:
    rows: t.List[t.Dict[str, t.Any]] = [
        {"_TRANSPORT": "kernel", "MESSAGE": "usb 1-1: device not accepting address 2, error -71"},
        {"_TRANSPORT": "kernel", "MESSAGE": "usb 1-2: device not accepting address 3, error -71"},
        {"_TRANSPORT": "syslog", "SYSLOG_IDENTIFIER": "nginx", "MESSAGE": "bind() failed\nmore"},
        {"_TRANSPORT": "stdout", "_COMM": "job", "MESSAGE": "x" * 1000},
        {"_TRANSPORT": "syslog", "MESSAGE": [255, 254]},
        {"_TRANSPORT": "syslog", "MESSAGE": None},
    ]
    found = state.errors("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    assert found[0] == LoggedError("kernel", "usb #-#: device not accepting address #, error -#", rows[0]["MESSAGE"], 2)
    assert found[1] == LoggedError("nginx", "bind() failed", "bind() failed", 1)
    assert (found[2].source, len(found[2].message)) == ("job", guest_state.MAX_TEXT)
    assert len(found) == 3


MOUNTS = """=== /proc/self/mountinfo
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
23 22 0:21 / /proc rw - proc proc rw
24 22 8:17 / /srv/my\\040data rw - xfs /dev/sdb1 rw
25 22 0:40 / /home rw shared:2 master:3 - nfs4 nas:/home rw,vers=4.2
26 22 8:1 /var/x /opt/bound rw - ext4 /dev/sda1 rw
27 22 8:33 / /media/stick rw - vfat /dev/sdc1 rw
28 22 7:1 / /opt/image rw - squashfs /dev/loop1 ro
=== /proc/swaps
Filename\tType\tSize\tUsed\tPriority
/dev/sda2                               partition\t999420\t0\t-2
/dev/zram0                              partition\t1000\t0\t100
/swapfile                               file\t1000\t0\t-3
=== /dev/sda1
=== /dev/sda2
=== /dev/sdb1
=== /dev/disk/by-uuid/AAAA -> ../../sda1
=== /dev/disk/by-uuid/BBBB -> ../../sda2
=== /dev/disk/by-uuid/2024-01-01-00-00 -> ../../sr0
"""


def test_mounts_are_those_that_last_named_by_uuid(tmp_path: pathlib.Path) -> None:
    read = reader(tmp_path, MOUNTS)
    uuids = state._uuids(read)
    assert uuids == {"sda1": "AAAA", "sda2": "BBBB"}
    assert list(state._mounts(read, uuids)) == [
        Mount("/", "ext4", "UUID=AAAA"),
        Mount("/srv/my data", "xfs", "/dev/sdb1"),
        Mount("/home", "nfs4", "nas:/home"),
        Mount("swap", "swap", "UUID=BBBB"),
        Mount("swap", "swap", "/swapfile"),
    ]


def test_the_disks_of_the_root_are_found_below_logical_volumes(tmp_path: pathlib.Path) -> None:
    tree = """=== /proc/self/mountinfo
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw
=== /sys/devices/virtual/block/dm-0/slaves/sda2 -> ../../../../vmbus/block/sda/sda2
=== /sys/devices/virtual/block/dm-0/slaves/sdb -> ../../../../vmbus/block/sdb
=== /sys/devices/vmbus/block/sda/sda2/partition
2
=== /sys/devices/vmbus/block/sdb/size
8
=== /sys/dev/block/254:0 -> ../../devices/virtual/block/dm-0
=== /sys/class/block/sda2 -> ../../devices/vmbus/block/sda/sda2
=== /sys/class/block/sdb -> ../../devices/vmbus/block/sdb
"""
    assert state._root_disks(reader(tmp_path, tree)) == ("sda", "sdb")


def test_a_route_over_a_vlan_on_a_bridge_leads_to_hardware(tmp_path: pathlib.Path) -> None:
    tree = """=== /sys/class/net/br0/lower_bond0 -> ../bond0
=== /sys/class/net/bond0/lower_eth0 -> ../eth0
=== /sys/class/net/bond0/lower_eth1 -> ../eth1
=== /sys/class/net/eth0/device -> ../../../devices/vmbus/a
=== /sys/class/net/eth1/device -> ../../../devices/vmbus/b
=== /sys/class/net/loop0/lower_loop0 -> ../loop0
"""
    read = reader(tmp_path, tree)
    assert state._hardware(read, "br0", 0) == {"eth0", "eth1"}
    assert state._hardware(read, "loop0", 0) == set()
    assert state._hardware(read, "tun0", 0) == set()


def test_listeners_on_the_loopback_are_told_apart(tmp_path: pathlib.Path) -> None:
    tree = """=== /proc/net/tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   2: 0A00020A:0016 0A00020B:D431 01 00000000:00000000 00:00000000 00000000     0        0 1
=== /proc/net/tcp6
  sl  local_address rem_address   st
   0: 00000000000000000000000001000000:0019 00000000000000000000000000000000:0000 0A 0
   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0
"""
    read = reader(tmp_path, tree)
    assert list(state._listeners(read, "tcp", "0A")) == [Listener("tcp", 22, False), Listener("tcp", 25, True)]
    assert list(state._listeners(read, "tcp6", "0A")) == [Listener("tcp", 25, True), Listener("tcp", 80, False)]


def test_behind_the_stub_are_the_name_servers_that_it_asks(tmp_path: pathlib.Path) -> None:
    stub = "=== /etc/resolv.conf\n# stub\nnameserver 127.0.0.53\noptions edns0\n"
    assert state._nameservers(reader(tmp_path / "alone", stub)) == ("127.0.0.53",)
    behind = stub + "=== /run/systemd/resolve/resolv.conf\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
    assert state._nameservers(reader(tmp_path / "behind", behind)) == ("192.0.2.1", "192.0.2.2")


def test_this_machine_has_a_state_and_a_tree_has_none(tmp_path: pathlib.Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        found = state.gather(Root("/"), lambda problem: None)
        assert found is not None
        assert Listener("tcp", listening.getsockname()[1], True) in found.listeners
    assert found.kernel == pathlib.Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert found.boot_id
    assert guest_state.parse(guest_state.render(guest_state.Baseline("kvm", found))).state == found
    assert state.gather(Root(str(tmp_path)), lambda problem: None) is None


def test_a_baseline_is_read_and_a_damaged_one_is_a_problem(tmp_path: pathlib.Path) -> None:
    problems: t.List[Problem] = []
    root = Root(str(tmp_path))
    assert state.gather_baseline(root, problems.append) is None
    baseline = guest_state.Baseline("xen-hvm", state_builder.make())
    path = tmp_path / BASELINE[1:]
    path.parent.mkdir(parents=True)
    path.write_text(guest_state.render(baseline))
    assert state.gather_baseline(root, problems.append) == baseline
    assert problems == []
    path.write_text("{}")
    assert state.gather_baseline(root, problems.append) is None
    assert [problem.path for problem in problems] == [BASELINE]
