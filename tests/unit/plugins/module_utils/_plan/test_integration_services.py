# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import integration as catalog
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    DiskQueue,
    Evidence,
    GuestFacts,
    Hypervisor,
    Integration,
    Memory,
    ServiceDaemon,
    TextFile,
    VmbusDevice,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_config, udev_rules
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.integration_services import Wanted, concerns, plan
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import (
    FileChange,
    LinkChange,
    Plan,
    RuntimeSetting,
)
from ansible_collections.rehost.hyperv.tests.unit import small_guest

INSTALLED = ((catalog.PACKAGE, "6.1.176-1"),)
BALLOON = small_guest.MODULES + "drivers/hv/hv_balloon: hv_vmbus\n"
UNIT = "/lib/systemd/system/hv-kvp-daemon.service"
KVP = ServiceDaemon("kvp", "hv-kvp-daemon", UNIT, False, False, True, None)
VSS = ServiceDaemon("vss", "hv-vss-daemon", "/lib/systemd/system/hv-vss-daemon.service", False, False, True, None)
COMPLETE = Integration(packages=INSTALLED, daemons=(KVP, VSS))
SDA = DiskQueue("sda", "mq-deadline", ("mq-deadline", "none"), 180)
SDB = DiskQueue("sdb", "none", ("mq-deadline", "none"), 180)
NOTHING = Wanted(daemons=(), hot_add=False, no_scheduler=False)
QUIET = Memory(128 << 20, "offline", (), 1024 << 20, 0)


def on_hyperv(generation: int = 1, *, balloon: bool = False) -> Hypervisor:
    """A guest that runs on Hyper-V."""
    pci = Evidence("/sys/bus/pci/devices", "8086:7111", "hyperv", "bus")
    dmi = Evidence("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation", "hyperv", "firmware")
    firmware = Evidence("/sys/firmware/efi", "Hyper-V UEFI Release v4.1", f"generation-{generation}", "firmware")
    devices = (VmbusDevice("a", "b", "dynamic-memory", "hv_balloon"),) if balloon else ()
    evidence = (dmi, pci, firmware) if generation == 1 else (dmi, firmware)
    return Hypervisor(evidence, None, None, None, generation == 2, False, devices)


@pytest.fixture
def guest(tmp_path: pathlib.Path) -> GuestFacts:
    """Complete, not running, with a kernel of Debian 12."""
    sections = small_guest.kernel(small_guest.VERSION, BALLOON)
    config = f"=== /boot/config-{small_guest.VERSION}\n# CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE is not set\n"
    facts = small_guest.look(tmp_path, sections + config)
    return dataclasses.replace(facts, integration=COMPLETE)


def live(facts: GuestFacts, integration: Integration = COMPLETE, **changes: t.Any) -> GuestFacts:
    changes.setdefault("hypervisor", on_hyperv())
    return dataclasses.replace(facts, is_live=True, integration=integration, **changes)


def ids(found: Plan) -> list[tuple[str, str]]:
    return [(finding.id, finding.severity) for finding in found.findings]


def rules_of(found: Plan) -> list[str]:
    """The rules that a plan leaves."""
    texts = [change.after for change in found.changes if isinstance(change, FileChange)]
    assert len(texts) == 1
    return [line for line in (texts[0] or "").split("\n") if line and not line.startswith("#")]


def own(*lines: str) -> TextFile:
    header = "# Hyper-V guest. Written by rehost.hyperv.integration_services, which replaces this file.\n"
    return TextFile(catalog.RULES, header + "".join(f"{line}\n" for line in lines))


# -- daemons


def test_a_missing_package_is_said_and_nothing_else_is_done(guest: GuestFacts) -> None:
    bare = dataclasses.replace(guest, integration=Integration())
    wanted = Wanted(hot_add=False, no_scheduler=False)
    assert ids(plan(bare, wanted)) == [("integration.daemons-missing", "info")]
    assert ids(plan(live(guest, Integration()), wanted)) == [("integration.daemons-missing", "warning")]
    assert not plan(bare, wanted)
    assert ids(plan(bare, NOTHING)) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [("7", "integration.daemons-unavailable"), ("6.0.10", "integration.daemons-unavailable")]
    + [(version, "integration.daemons-missing") for version in ("8", "12", None)],
)
def test_a_release_without_the_package_is_told_so(guest: GuestFacts, version: str | None, expected: str) -> None:
    system = dataclasses.replace(guest.system, id="debian", version_id=version)
    bare = dataclasses.replace(guest, system=system, integration=Integration())
    assert [name for name, _severity in ids(plan(bare, Wanted(hot_add=False, no_scheduler=False)))] == [expected]


def test_daemons_without_their_package_are_as_good(guest: GuestFacts) -> None:
    built = dataclasses.replace(guest, integration=Integration(daemons=(KVP, VSS)))
    assert ids(plan(built, Wanted(hot_add=False, no_scheduler=False))) == []


def test_a_unit_started_by_a_rule_or_enabled_needs_nothing(guest: GuestFacts) -> None:
    enabled = dataclasses.replace(KVP, is_started_by_rule=False, is_enabled=True)
    facts = dataclasses.replace(guest, integration=dataclasses.replace(COMPLETE, daemons=(enabled, VSS)))
    assert plan(facts, Wanted(hot_add=False, no_scheduler=False)) == Plan()


def test_a_unit_that_does_not_start_is_enabled(guest: GuestFacts) -> None:
    unit = "/lib/systemd/system/hyperv-daemons.hv-kvp-daemon.service"
    off = ServiceDaemon("kvp", "hyperv-daemons.hv-kvp-daemon", unit, False, False, False, None)
    facts = dataclasses.replace(guest, integration=dataclasses.replace(COMPLETE, daemons=(off, VSS)))
    (change,) = plan(facts, Wanted(hot_add=False, no_scheduler=False)).changes
    path = "/etc/systemd/system/multi-user.target.wants/hyperv-daemons.hv-kvp-daemon.service"
    assert isinstance(change, LinkChange)
    assert (change.path, change.before, change.after) == (path, None, unit)


def test_an_init_script_that_does_not_start_is_left_alone(guest: GuestFacts) -> None:
    off = ServiceDaemon("kvp", "hv-kvp-daemon", "/etc/init.d/hv-kvp-daemon", False, False, False, None)
    facts = dataclasses.replace(guest, integration=dataclasses.replace(COMPLETE, daemons=(off, VSS)))
    assert not plan(facts, Wanted(hot_add=False, no_scheduler=False))


def test_a_mask_goes_only_when_the_service_is_wanted(guest: GuestFacts) -> None:
    masked = dataclasses.replace(VSS, is_masked=True)
    facts = dataclasses.replace(guest, integration=dataclasses.replace(COMPLETE, daemons=(KVP, masked)))
    (change,) = plan(facts, Wanted(hot_add=False, no_scheduler=False)).changes
    assert isinstance(change, LinkChange)
    assert (change.path, change.before, change.after) == (
        "/etc/systemd/system/hv-vss-daemon.service",
        "/dev/null",
        None,
    )
    assert not plan(facts, Wanted(daemons=("kvp",), hot_add=False, no_scheduler=False))


def test_a_daemon_that_does_not_run_is_said_on_hyperv_only(guest: GuestFacts) -> None:
    dead = dataclasses.replace(COMPLETE, daemons=(dataclasses.replace(KVP, is_running=False), VSS))
    wanted = Wanted(hot_add=False, no_scheduler=False)
    assert ids(plan(live(guest, dead), wanted)) == [("integration.daemon-not-running", "warning")]
    assert plan(live(guest, dead), wanted).findings[0].subject == "hv-kvp-daemon.service"
    elsewhere = live(guest, dead, hypervisor=guest.hypervisor)
    assert ids(plan(elsewhere, wanted)) == []


@pytest.mark.parametrize(("version", "says"), [("6.12.107-1", True), ("6.1.176-1", False)])
def test_the_daemon_for_files_is_gone_from_6_10(guest: GuestFacts, version: str, says: bool) -> None:
    newer = dataclasses.replace(COMPLETE, packages=((catalog.PACKAGE, version),))
    facts = dataclasses.replace(guest, integration=newer)
    (finding,) = plan(facts, Wanted(daemons=("fcopy",), hot_add=False, no_scheduler=False)).findings
    assert finding.id == "integration.no-fcopy"
    assert ("since 6.10" in finding.message) is says


# -- memory that is added

MEMORY_ONLY = Wanted(daemons=(), no_scheduler=False)


def with_config(facts: GuestFacts, text: str | None) -> GuestFacts:
    config = None if text is None else kernel_config.read(text)
    kernels = tuple([dataclasses.replace(kernel, config=config) for kernel in facts.kernels])
    return dataclasses.replace(facts, kernels=kernels)


def test_the_kernel_of_debian_12_needs_the_rule(guest: GuestFacts) -> None:
    found = plan(guest, MEMORY_ONLY)
    assert rules_of(found) == [catalog.MEMORY_RULE]
    assert ids(found) == [("integration.hot-add", "info")]
    assert ids(plan(live(guest), MEMORY_ONLY)) == [("integration.hot-add", "warning")]


def test_a_rule_that_is_there_stays_and_nothing_is_said(guest: GuestFacts) -> None:
    facts = dataclasses.replace(guest, integration=Integration(rules=(own(catalog.MEMORY_RULE),)))
    assert plan(facts, MEMORY_ONLY) == Plan()


@pytest.mark.parametrize("symbol", catalog.ONLINE_SYMBOLS)
def test_a_kernel_that_takes_memory_by_itself_needs_none(guest: GuestFacts, symbol: str) -> None:
    assert not plan(with_config(guest, f"{symbol}=y\n"), MEMORY_ONLY)


def test_a_kernel_of_which_nothing_is_known_gets_the_rule(guest: GuestFacts) -> None:
    assert rules_of(plan(with_config(guest, None), MEMORY_ONLY)) == [catalog.MEMORY_RULE]


def test_a_kernel_without_the_balloon_driver_needs_none(tmp_path: pathlib.Path) -> None:
    assert not plan(small_guest.look(tmp_path), MEMORY_ONLY)


def test_the_command_line_may_do_it(guest: GuestFacts) -> None:
    def told(argument: str) -> GuestFacts:
        entries = tuple(
            [dataclasses.replace(entry, cmdline=f"{entry.cmdline} {argument}") for entry in guest.boot.entries]
        )
        return dataclasses.replace(guest, boot=dataclasses.replace(guest.boot, entries=entries))

    assert not plan(told("memhp_default_state=online_movable"), MEMORY_ONLY)
    assert plan(told("memhp_default_state=offline"), MEMORY_ONLY)
    half = told("memhp_default_state=online")
    boot = dataclasses.replace(half.boot, entries=(*half.boot.entries, *guest.boot.entries))
    assert plan(dataclasses.replace(half, boot=boot), MEMORY_ONLY)  # another entry starts the kernel without it


@pytest.mark.parametrize(
    ("rule", "does"),
    [
        ('SUBSYSTEM=="memory", ACTION=="add", ATTR{state}="online"', True),
        (
            'SUBSYSTEM=="memory", ACTION=="add", PROGRAM="/bin/uname -r", RESULT!="2.6*", ATTR{state}="online_kernel"',
            True,
        ),
        ('SUBSYSTEM=="memory", ACTION=="add", RUN+="/bin/sh -c \'echo online > /sys$devpath/state\'"', True),
        ('SUBSYSTEM=="memory", ACTION=="add", ATTR{state}="offline"', False),
        ('# SUBSYSTEM=="memory", ATTR{state}="online"', False),
    ],
)
def test_another_rule_may_do_it(guest: GuestFacts, rule: str, does: bool) -> None:
    other = TextFile("/etc/udev/rules.d/100-balloon.rules", f"{rule}\n")
    facts = dataclasses.replace(guest, integration=Integration(rules=(other,)))
    assert bool(plan(facts, MEMORY_ONLY)) is not does


def test_a_running_kernel_that_was_told_needs_none(guest: GuestFacts) -> None:
    system = dataclasses.replace(guest.system, running_kernel=small_guest.VERSION)
    told = dataclasses.replace(COMPLETE, memory=dataclasses.replace(QUIET, online_policy="online"))
    assert not plan(live(guest, told, system=system), MEMORY_ONLY)


def test_32_bit_guests_have_no_dynamic_memory(guest: GuestFacts) -> None:
    system = dataclasses.replace(guest.system, architecture="i386")
    kernels = tuple([dataclasses.replace(kernel, version="6.1.0-50-686-pae") for kernel in guest.kernels])
    boot = dataclasses.replace(guest.boot, entries=())
    found = plan(dataclasses.replace(guest, system=system, kernels=kernels, boot=boot), MEMORY_ONLY)
    assert not found
    assert ids(found) == [("integration.memory-32bit", "info")]
    mixed = plan(dataclasses.replace(guest, system=system), MEMORY_ONLY)  # a 64-bit kernel under it
    assert ids(mixed) == [("integration.hot-add", "info")]


def test_memory_that_lies_idle_is_said(guest: GuestFacts) -> None:
    memory = dataclasses.replace(QUIET, offline=("memory40", "memory41"))
    (finding,) = plan(live(guest, Integration(memory=memory)), NOTHING).findings
    assert (finding.id, finding.subject) == ("integration.memory-offline", "/sys/devices/system/memory/memory40")
    assert "2 blocks of memory, 256 MiB" in finding.message


def test_a_size_that_is_no_multiple_matters_with_the_device(guest: GuestFacts) -> None:
    odd = Integration(memory=dataclasses.replace(QUIET, installed_bytes=1000 << 20))
    found = plan(live(guest, odd, hypervisor=on_hyperv(balloon=True)), NOTHING)
    assert [(finding.id, finding.subject) for finding in found.findings] == [("integration.memory-step", "1000 MiB")]
    assert ids(plan(live(guest, odd), NOTHING)) == []
    assert ids(plan(live(guest, Integration(memory=QUIET), hypervisor=on_hyperv(balloon=True)), NOTHING)) == []


# -- disks

DISKS_ONLY = Wanted(daemons=(), hot_add=False)


def test_before_the_move_the_scheduler_is_staged(guest: GuestFacts) -> None:
    found = plan(guest, DISKS_ONLY)
    assert rules_of(found) == list(catalog.SCHEDULER_RULES)
    assert len(found.changes) == 1


def test_on_hyperv_a_disk_with_another_scheduler_is_set_and_gets_the_rule(guest: GuestFacts) -> None:
    found = plan(live(guest, Integration(queues=(SDA, SDB))), DISKS_ONLY)
    assert rules_of(found) == list(catalog.SCHEDULER_RULES)
    settings = [change for change in found.changes if isinstance(change, RuntimeSetting)]
    assert [(change.path, change.before, change.after) for change in settings] == [
        ("/sys/block/sda/queue/scheduler", "mq-deadline", "none")
    ]


def test_old_kernels_have_noop(guest: GuestFacts) -> None:
    old = DiskQueue("sda", "cfq", ("noop", "deadline", "cfq"), 30)
    found = plan(live(guest, Integration(queues=(old,))), DISKS_ONLY)
    assert [change.after for change in found.changes if isinstance(change, RuntimeSetting)] == ["noop"]


def test_on_hyperv_disks_that_are_as_wanted_need_no_rule_but_one_that_is_there_stays(guest: GuestFacts) -> None:
    assert not plan(live(guest, Integration(queues=(SDB,))), DISKS_ONLY)
    kept = Integration(queues=(SDB,), rules=(own(*catalog.SCHEDULER_RULES),))
    assert not plan(live(guest, kept), DISKS_ONLY)


def test_a_rule_of_somebody_else_decides(guest: GuestFacts) -> None:
    text = 'ACTION=="add|change", KERNEL=="sd[a-z]", ATTR{queue/scheduler}="bfq"\n'
    other = TextFile("/etc/udev/rules.d/60-io.rules", text)
    assert not plan(live(guest, Integration(queues=(SDA,), rules=(other,))), DISKS_ONLY)
    assert not plan(dataclasses.replace(guest, integration=Integration(rules=(other,))), DISKS_ONLY)


def test_what_is_no_longer_wanted_goes(guest: GuestFacts) -> None:
    both = Integration(rules=(own(catalog.MEMORY_RULE, *catalog.SCHEDULER_RULES),))
    facts = dataclasses.replace(guest, integration=both)
    assert rules_of(plan(facts, MEMORY_ONLY)) == [catalog.MEMORY_RULE]
    (change,) = plan(facts, NOTHING).changes
    assert isinstance(change, FileChange)
    assert change.after is None


def test_a_time_limit_is_set_only_when_asked(guest: GuestFacts) -> None:
    wanted = dataclasses.replace(NOTHING, disk_timeout=300)
    found = plan(live(guest, Integration(queues=(SDA, SDB))), wanted)
    assert rules_of(found) == [catalog.TIMEOUT_RULE % 300]
    settings = [change for change in found.changes if isinstance(change, RuntimeSetting)]
    assert [(change.path, change.before, change.after) for change in settings] == [
        ("/sys/block/sda/device/timeout", "180", "300"),
        ("/sys/block/sdb/device/timeout", "180", "300"),
    ]
    assert plan(live(guest, Integration(queues=(SDA,))), NOTHING) == Plan()
    assert len(plan(guest, wanted).changes) == 1


def test_nothing_of_the_running_kernel_is_set_elsewhere(guest: GuestFacts) -> None:
    queues = Integration(queues=(SDA,))
    wanted = dataclasses.replace(DISKS_ONLY, disk_timeout=300)
    for facts in (
        live(guest, queues, hypervisor=guest.hypervisor),
        dataclasses.replace(guest, integration=queues, hypervisor=on_hyperv()),
    ):
        assert not any(isinstance(change, RuntimeSetting) for change in plan(facts, wanted).changes)


@pytest.mark.parametrize("rule", [catalog.MEMORY_RULE, *catalog.SCHEDULER_RULES, catalog.TIMEOUT_RULE % 300])
def test_every_rule_is_one_that_udev_reads(rule: str) -> None:
    (read,) = udev_rules.rules(udev_rules.parse(f"{rule}\n"))
    assert read.is_valid
    assert sum(not term.matches for term in read.terms) == 1


# -- what works otherwise


def test_microsofts_own_packages_are_to_be_removed(guest: GuestFacts) -> None:
    foreign = Integration(
        packages=(("microsoft-hyper-v", "4.3.5"), ("hyperv-daemons", "6.1")),
        foreign_files=("/usr/sbin/hv_kvp_daemon", "/usr/sbin/hv_set_ifconfig"),
    )
    found = plan(dataclasses.replace(guest, integration=foreign), NOTHING).findings
    assert [(finding.id, finding.subject) for finding in found] == [
        ("integration.foreign-package", "microsoft-hyper-v"),
        ("integration.foreign-files", "/usr/sbin/hv_kvp_daemon"),
    ]


def test_drivers_that_did_not_come_with_the_kernel_are_told(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    (kernel,) = facts.kernels
    assert kernel.modules is not None
    by_name = dict(kernel.modules.by_name)
    by_name["hv_vmbus"] = by_name["hv_vmbus"]._replace(path="extra/microsoft-hyper-v/hv_vmbus.ko")
    foreign = dataclasses.replace(kernel, modules=dataclasses.replace(kernel.modules, by_name=by_name))
    assert ids(plan(facts, NOTHING)) == []
    (finding,) = plan(dataclasses.replace(facts, kernels=(foreign,)), NOTHING).findings
    assert (finding.id, finding.subject) == ("integration.foreign-drivers", small_guest.VERSION)
    assert "extra/microsoft-hyper-v/hv_vmbus.ko" in finding.message


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("/etc/default/watchdog", 'watchdog_module="xen_wdt"\n', "watchdog_module=xen_wdt"),
        ("/etc/default/watchdog", 'watchdog_module="softdog"\n', ""),
        ("/etc/systemd/system.conf", "[Manager]\nRuntimeWatchdogSec=30s\n", "RuntimeWatchdogSec=30s"),
        ("/etc/systemd/system.conf", "[Manager]\n#RuntimeWatchdogSec=30\n", ""),
        ("/etc/systemd/system.conf", "[Manager]\nRuntimeWatchdogSec=30\nRuntimeWatchdogSec=off\n", ""),
        ("/etc/modules", "loop\niTCO-wdt\n", "iTCO-wdt"),
        ("/etc/modules-load.d/a.conf", "softdog\n", ""),
    ],
)
def test_a_watchdog_that_is_not_there_is_told(guest: GuestFacts, path: str, text: str, said: str) -> None:
    asked = Integration(watchdog_settings=(TextFile(path, text),))
    found = plan(live(guest, asked), NOTHING).findings
    assert [(finding.id, finding.severity) for finding in found] == [("integration.no-watchdog", "warning")] * bool(
        said
    )
    assert all(f"({said})" in finding.message for finding in found)
    has_one = dataclasses.replace(asked, watchdogs=("Software Watchdog",))
    assert ids(plan(live(guest, has_one), NOTHING)) == []
    staged = ids(plan(dataclasses.replace(guest, integration=asked), NOTHING))
    assert staged == [("integration.no-watchdog", "info")] * bool(said)


def on_console(facts: GuestFacts, line: str) -> GuestFacts:
    entries = tuple([dataclasses.replace(entry, cmdline=f"{entry.cmdline} {line}") for entry in facts.boot.entries])
    return dataclasses.replace(facts, boot=dataclasses.replace(facts.boot, entries=entries))


def test_generation_2_may_have_no_serial_port(guest: GuestFacts) -> None:
    facts = on_console(guest, "console=tty0 console=ttyS0,115200n8")
    without = Integration(serial_ports=())
    (finding,) = plan(live(facts, without, hypervisor=on_hyperv(2)), NOTHING).findings
    assert (finding.id, finding.subject) == ("integration.no-serial-port", "ttyS0")
    assert "Set-VMComPort -VMName NAME -Number 1" in finding.remedy
    assert ids(plan(live(facts, Integration(serial_ports=("ttyS0",)), hypervisor=on_hyperv(2)), NOTHING)) == []
    assert ids(plan(live(facts, without, hypervisor=on_hyperv(1)), NOTHING)) == []
    assert ids(plan(live(guest, without, hypervisor=on_hyperv(2)), NOTHING)) == []


APPEND = "reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1 irqpoll usbcore.nousb"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (f'KDUMP_CMDLINE_APPEND="{APPEND} ata_piix.prefer_ms_hyperv=0"', []),
        (f'KDUMP_CMDLINE_APPEND="{APPEND} console=hvc0 ata_piix.prefer_ms_hyperv=0"', ["integration.kdump-console"]),
        ("USE_KDUMP=1", ["integration.kdump-disk"]),
    ],
)
def test_the_crash_kernel_is_judged_by_its_command_line(guest: GuestFacts, settings: str, expected: list[str]) -> None:
    enough = dataclasses.replace(QUIET, crash_bytes=256 << 20)
    kdump = Integration(kdump=TextFile("/etc/default/kdump-tools", f"{settings}\n"), memory=enough)
    assert [finding.id for finding in plan(live(guest, kdump), NOTHING).findings] == expected


def test_generation_2_has_no_emulated_disk_for_the_dump(guest: GuestFacts) -> None:
    enough = dataclasses.replace(QUIET, crash_bytes=256 << 20)
    kdump = Integration(kdump=TextFile("/etc/default/kdump-tools", "USE_KDUMP=1\n"), memory=enough)
    assert ids(plan(live(guest, kdump, hypervisor=on_hyperv(2)), NOTHING)) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("crashkernel=128M", "128 MiB"),
        ("crashkernel=384M-:128M", "128 MiB"),
        ("", "0 MiB"),
        ("crashkernel=384M-:256M", ""),
        ("crashkernel=512M-2G:64M,2G-:320M", ""),
        ("crashkernel=1G@16M", ""),
    ],
)
def test_too_little_memory_for_the_crash_kernel_is_told(guest: GuestFacts, line: str, says: str) -> None:
    text = 'KDUMP_CMDLINE_APPEND="ata_piix.prefer_ms_hyperv=0"\n'
    kdump = Integration(kdump=TextFile("/etc/default/kdump-tools", text))
    found = plan(dataclasses.replace(on_console(guest, line), integration=kdump), NOTHING).findings
    assert [finding.id for finding in found] == ["integration.kdump-memory"] * bool(says)
    assert all(finding.message.startswith(says) for finding in found)


def test_no_finding_of_this_module_blocks(guest: GuestFacts) -> None:
    assert not any(finding.blocks for finding in plan(live(guest, Integration()), Wanted()).findings)


def test_before_the_move_only_that_concerns_which_is_not_put_right_on_the_way(guest: GuestFacts) -> None:
    asked = Integration(watchdog_settings=(TextFile("/etc/modules", "xen_wdt\n"),))
    here = dataclasses.replace(guest, integration=asked)
    assert [finding.id for finding in concerns(here)] == ["integration.no-watchdog"]
    assert [finding.id for finding in concerns(live(guest, asked))] == [
        "integration.daemons-missing",
        "integration.hot-add",
        "integration.no-watchdog",
    ]
