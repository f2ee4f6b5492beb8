# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._facts import integration
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    DiskQueue,
    Integration,
    Memory,
    Problem,
    ServiceDaemon,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

# As Debian's packages have them: 12, and 10 before the units were renamed.
BOOKWORM = """\
=== /lib -> usr/lib
=== /usr/lib/systemd/system/hv-kvp-daemon.service
[Service]
ExecStart=/usr/sbin/hv_kvp_daemon -n
=== /usr/lib/systemd/system/hv-vss-daemon.service
=== /usr/lib/udev/rules.d/60-hyperv-daemons.rules
KERNEL=="vmbus/hv_kvp", TAG+="systemd", ENV{SYSTEMD_WANTS}+="hv-kvp-daemon.service"
"""
BUSTER = """\
=== /lib/systemd/system/hyperv-daemons.hv-kvp-daemon.service
=== /lib/systemd/system/hyperv-daemons.hv-vss-daemon.service
=== /etc/systemd/system/multi-user.target.wants/hyperv-daemons.hv-kvp-daemon.service \
-> /lib/systemd/system/hyperv-daemons.hv-kvp-daemon.service
=== /etc/systemd/system/hyperv-daemons.hv-vss-daemon.service -> /dev/null
"""


def look(tree: pathlib.Path, manifest: str) -> Integration:
    problems: list[Problem] = []
    guest_tree.build(manifest, tree)
    found = integration.gather(Root(str(tree)), problems.append)
    assert problems == []
    return found


def test_an_empty_guest_has_nothing(tmp_path: pathlib.Path) -> None:
    assert look(tmp_path, "=== /etc/debian_version\n12\n") == Integration()


def test_units_are_found_by_either_name_and_how_they_start(tmp_path: pathlib.Path) -> None:
    kvp, vss = look(tmp_path / "12", BOOKWORM).daemons
    directory = "/usr/lib/systemd/system"
    assert kvp == ServiceDaemon("kvp", "hv-kvp-daemon", f"{directory}/hv-kvp-daemon.service", False, False, True, None)
    assert (vss.service, vss.is_started_by_rule) == ("vss", False)
    kvp, vss = look(tmp_path / "10", BUSTER).daemons
    assert (kvp.unit, kvp.is_enabled, kvp.is_masked) == ("hyperv-daemons.hv-kvp-daemon", True, False)
    assert (vss.unit, vss.is_enabled, vss.is_masked) == ("hyperv-daemons.hv-vss-daemon", False, True)
    assert vss.path == "/lib/systemd/system/hyperv-daemons.hv-vss-daemon.service"


def test_an_init_script_counts_with_its_program(tmp_path: pathlib.Path) -> None:
    script = "=== /etc/init.d/hv-kvp-daemon\n=== /etc/rc2.d/S03hv-kvp-daemon -> ../init.d/hv-kvp-daemon\n"
    assert look(tmp_path / "removed", script).daemons == ()
    (found,) = look(tmp_path / "there", script + "=== /usr/sbin/hv_kvp_daemon\n").daemons
    assert (found.path, found.is_enabled) == ("/etc/init.d/hv-kvp-daemon", True)


def test_a_daemon_runs_when_systemd_has_a_group_for_it(tmp_path: pathlib.Path) -> None:
    running = "=== /run/systemd/system/x\n=== /sys/fs/cgroup/system.slice/hv-kvp-daemon.service/cgroup.procs\n17\n"
    found = look(tmp_path, BOOKWORM + running).daemons
    assert [(daemon.service, daemon.is_running) for daemon in found] == [("kvp", True), ("vss", False)]


def test_rules_are_those_that_count(tmp_path: pathlib.Path) -> None:
    rule = 'SUBSYSTEM=="memory", ATTR{state}="online"\n'
    found = look(
        tmp_path,
        f"=== /lib -> usr/lib\n=== /usr/lib/udev/rules.d/40-memory.rules\n{rule}"
        f"=== /usr/lib/udev/rules.d/41-hidden.rules\n{rule}=== /etc/udev/rules.d/41-hidden.rules -> /dev/null\n"
        f"=== /usr/lib/udev/rules.d/42-replaced.rules\n{rule}=== /etc/udev/rules.d/42-replaced.rules\n# memory\n"
        '=== /usr/lib/udev/rules.d/50-tty.rules\nSUBSYSTEM=="tty", MODE="0620"\n'
        f"=== /etc/udev/rules.d/90.rules.old\n{rule}",
    )
    assert [(file.path, file.text) for file in found.rules] == [
        ("/usr/lib/udev/rules.d/40-memory.rules", rule),
        ("/etc/udev/rules.d/42-replaced.rules", "# memory\n"),
    ]


def test_memory_is_what_the_kernel_and_the_firmware_say(tmp_path: pathlib.Path) -> None:
    """A machine of 1000 MiB: holes below 1 MiB, tables of ACPI at the end, and addresses that are no memory."""
    ranges = [
        (0, 0x9FBFF, "System RAM"),
        (0x9FC00, 0x9FFFF, "Reserved"),
        (0x100000, 0x3E7EFFFF, "System RAM"),
        (0x3E7F0000, 0x3E7FEFFF, "ACPI Tables"),
        (0x3E7FF000, 0x3E7FFFFF, "ACPI Non-volatile Storage"),
        (0xFEFFC000, 0xFEFFFFFF, "Reserved"),
        (0xFD00000000, 0xFFFFFFFFFF, "Reserved"),
    ]
    firmware = "".join(
        f"=== /sys/firmware/memmap/{number}/start\n0x{start:x}\n=== /sys/firmware/memmap/{number}/end\n0x{end:x}\n"
        f"=== /sys/firmware/memmap/{number}/type\n{kind}\n"
        for number, (start, end, kind) in enumerate(ranges)
    )
    blocks = "/sys/devices/system/memory"
    found = look(
        tmp_path,
        f"=== {blocks}/block_size_bytes\n8000000\n=== {blocks}/auto_online_blocks\noffline\n"
        f"=== {blocks}/memory0/state\nonline\n=== {blocks}/memory32/state\noffline\n"
        f"=== /sys/kernel/kexec_crash_size\n134217728\n{firmware}",
    )
    assert found.memory == Memory(128 << 20, "offline", ("memory32",), 1000 << 20, 128 << 20)


def test_only_disks_of_hyperv_have_their_queue_told(tmp_path: pathlib.Path) -> None:
    def disk(name: str, vendor: str, scheduler: str) -> str:
        base = f"/sys/block/{name}"
        return (
            f"=== {base}/device/vendor\n{vendor}\n=== {base}/device/timeout\n180\n"
            f"=== {base}/queue/scheduler\n{scheduler}\n"
        )

    found = look(
        tmp_path,
        disk("sda", "Msft    ", "[mq-deadline] none")
        + disk("sdb", "QEMU", "[none]")
        + disk("sr0", "Msft", "[bfq] none"),
    )
    assert found.queues == (DiskQueue("sda", "mq-deadline", ("mq-deadline", "none"), 180),)


def test_a_serial_port_is_one_with_hardware(tmp_path: pathlib.Path) -> None:
    found = look(
        tmp_path, "=== /sys/class/tty/ttyS0/type\n4\n=== /sys/class/tty/ttyS1/type\n0\n=== /sys/class/tty/tty1/x\n"
    )
    assert found.serial_ports == ("ttyS0",)


def test_what_asks_for_a_watchdog_and_what_the_kernel_has(tmp_path: pathlib.Path) -> None:
    found = look(
        tmp_path,
        "=== /etc/default/watchdog\nwatchdog_module=none\n=== /etc/modules\nxen_wdt\n"
        "=== /etc/modules-load.d/modules.conf -> ../modules\n=== /etc/systemd/system.conf.d/a.conf\n[Manager]\n"
        "=== /sys/class/watchdog/watchdog0/identity\nSoftware Watchdog\n",
    )
    paths = ["/etc/default/watchdog", "/etc/modules", "/etc/systemd/system.conf.d/a.conf"]
    assert [file.path for file in found.watchdog_settings] == paths
    assert found.watchdogs == ("Software Watchdog",)


def test_kdump_counts_when_it_is_installed(tmp_path: pathlib.Path) -> None:
    settings = "=== /etc/default/kdump-tools\nUSE_KDUMP=1\n"
    assert look(tmp_path / "removed", settings).kdump is None
    found = look(tmp_path / "there", settings + "=== /usr/sbin/kdump-config\n#!/bin/sh\n").kdump
    assert found is not None
    assert found.text == "USE_KDUMP=1\n"


def test_what_microsofts_own_packages_left_is_found(tmp_path: pathlib.Path) -> None:
    found = look(
        tmp_path,
        "=== /usr/sbin/hv_kvp_daemon\n=== /usr/sbin/hv_set_ifconfig\n=== /etc/udev/rules.d/100-balloon.rules\n"
        "=== /var/lib/dpkg/info/hyperv-daemons.list\n/usr/sbin/hv_kvp_daemon\n"
        "=== /var/lib/dpkg/status\nPackage: microsoft-hyper-v\nStatus: install ok installed\nVersion: 4.3.5-2\n",
    )
    assert found.foreign_files == ("/etc/udev/rules.d/100-balloon.rules", "/usr/sbin/hv_set_ifconfig")
    assert found.packages == (("microsoft-hyper-v", "4.3.5-2"),)
