# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import clock
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Clock
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

SYSTEMD = "=== /sbin/init -> /lib/systemd/systemd\n=== /lib/systemd/systemd\n"
SYSVINIT = "=== /sbin/init mode=0755\n"
WANTED = "=== /etc/systemd/system/multi-user.target.wants/"
CHRONY = "=== /lib/systemd/system/chrony.service\n[Unit]\n=== /usr/sbin/chronyd mode=0755\n"
TIMESYNCD = (
    "=== /lib/systemd/system/systemd-timesyncd.service\n[Unit]\n"
    "=== /etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service"
    " -> /lib/systemd/system/systemd-timesyncd.service\n"
)


def gather(manifest: str, path: pathlib.Path) -> Clock:
    guest_tree.build(manifest, path)
    return clock.gather(Root(str(path)), pytest.fail)


def test_the_clocksource_is_read(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /sys/devices/system/clocksource/clocksource0/current_clocksource
hyperv_clocksource_tsc_page
=== /sys/devices/system/clocksource/clocksource0/available_clocksource
hyperv_clocksource_tsc_page hyperv_clocksource_msr acpi_pm \n"""

    found = gather(manifest, tmp_path)

    assert found.current == "hyperv_clocksource_tsc_page"
    assert found.available == ("hyperv_clocksource_tsc_page", "hyperv_clocksource_msr", "acpi_pm")


def test_a_guest_without_anything_has_no_clock(tmp_path: pathlib.Path) -> None:
    assert gather("=== /etc/hostname\nweb01\n", tmp_path) == Clock(None, (), (), (), False)


def test_a_service_that_its_target_wants_starts_at_boot(tmp_path: pathlib.Path) -> None:
    link = WANTED + "chrony.service -> /lib/systemd/system/chrony.service\n"

    assert gather(SYSTEMD + CHRONY + link, tmp_path).enabled == ("chrony",)


def test_a_tree_without_an_init_is_taken_to_start_by_systemd(tmp_path: pathlib.Path) -> None:
    assert gather(TIMESYNCD, tmp_path).enabled == ("systemd-timesyncd",)


def test_a_service_that_nothing_wants_does_not_start(tmp_path: pathlib.Path) -> None:
    found = gather(SYSTEMD + CHRONY + "=== /etc/rc2.d/S01chrony -> ../init.d/chrony\n", tmp_path)

    assert found.services == ("chrony",)
    assert found.enabled == ()


def test_a_masked_service_does_not_start(tmp_path: pathlib.Path) -> None:
    manifest = (
        SYSTEMD
        + CHRONY
        + WANTED
        + "chrony.service -> /lib/systemd/system/chrony.service\n"
        + "=== /etc/systemd/system/chrony.service -> /dev/null\n=== /dev/null\n"
    )

    found = gather(manifest, tmp_path)

    assert found.services == ("chrony",)
    assert found.enabled == ()


def test_on_sysvinit_a_mask_of_systemd_does_not_count(tmp_path: pathlib.Path) -> None:
    manifest = "=== /etc/init.d/ntp mode=0755\n=== /usr/sbin/ntpd\n=== /etc/rc2.d/S02ntp -> ../init.d/ntp\n"
    mask = "=== /etc/systemd/system/ntp.service -> /dev/null\n"

    assert gather(SYSVINIT + manifest + mask, tmp_path).enabled == ("ntp",)


def test_another_name_of_a_service_is_no_service(tmp_path: pathlib.Path) -> None:
    # as ntpsec of Debian 12 has it
    manifest = (
        "=== /lib/systemd/system/ntpsec.service\n[Install]\nAlias=ntp.service\n"
        "=== /etc/systemd/system/ntp.service -> /lib/systemd/system/ntpsec.service\n"
        + WANTED
        + "ntpsec.service -> /lib/systemd/system/ntpsec.service\n"
    )

    found = gather(SYSTEMD + manifest, tmp_path)

    assert found.services == ("ntpsec",)
    assert found.enabled == ("ntpsec",)


def test_units_are_found_on_a_merged_usr(tmp_path: pathlib.Path) -> None:
    manifest = (
        "=== /lib -> usr/lib\n=== /sbin -> usr/sbin\n=== /usr/sbin/init -> ../lib/systemd/systemd\n"
        "=== /usr/lib/systemd/system/systemd-timesyncd.service\n[Unit]\n"
        "=== /etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service"
        " -> /usr/lib/systemd/system/systemd-timesyncd.service\n"
    )

    found = gather(manifest, tmp_path)

    assert found.services == ("systemd-timesyncd",)
    assert found.enabled == ("systemd-timesyncd",)


@pytest.mark.parametrize(
    ("daemon", "enabled"), [("", ("systemd-timesyncd",)), ("=== /usr/sbin/VBoxService mode=0755\n", ())]
)
def test_timesyncd_gives_way_to_other_services_up_to_debian_10(daemon: str, enabled: tuple[str, ...], tmp_path) -> None:  # type: ignore[no-untyped-def]
    condition = """\
=== /lib/systemd/system/systemd-timesyncd.service.d/disable-with-time-daemon.conf
[Unit]
ConditionFileIsExecutable=!/usr/sbin/ntpd
ConditionFileIsExecutable=!/usr/sbin/VBoxService
"""

    found = gather(SYSTEMD + TIMESYNCD + condition + daemon, tmp_path)

    assert found.enabled == enabled
    assert found.hindered == ((("systemd-timesyncd", "/usr/sbin/VBoxService"),) if daemon else ())


def test_an_init_script_without_a_unit_is_started_by_systemd_too(tmp_path: pathlib.Path) -> None:
    manifest = "=== /etc/init.d/ntp mode=0755\n=== /usr/sbin/ntpd\n=== /etc/rc2.d/S02ntp -> ../init.d/ntp\n"

    assert gather(SYSTEMD + manifest, tmp_path).enabled == ("ntp",)


@pytest.mark.parametrize(("link", "enabled"), [("S23ntp", ("ntp",)), ("K01ntp", ()), ("S23ntpdate", ())])
def test_on_sysvinit_the_start_links_count(link: str, enabled: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    manifest = f"=== /etc/init.d/ntp mode=0755\n=== /usr/sbin/ntpd\n=== /etc/rc3.d/{link} -> ../init.d/ntp\n"

    found = gather(SYSVINIT + manifest, tmp_path)

    assert found.services == ("ntp",)
    assert found.enabled == enabled


def test_on_sysvinit_links_of_systemd_do_not_count(tmp_path: pathlib.Path) -> None:
    assert gather(SYSVINIT + TIMESYNCD, tmp_path).enabled == ()


def test_an_init_script_that_a_removed_package_has_left_is_no_service(tmp_path: pathlib.Path) -> None:
    assert (
        gather("=== /etc/init.d/chrony mode=0755\n=== /etc/rc2.d/S01chrony -> ../init.d/chrony\n", tmp_path).services
        == ()
    )


@pytest.mark.parametrize(("mode", "name"), [("0755", "ntp"), ("0644", "ntp"), ("0755", "ntpsec")])
def test_an_init_script_that_was_left_behind_is_no_service_beside_one_that_has_the_program_now(
    mode: str, name: str, tmp_path: pathlib.Path
) -> None:
    left = f"=== /etc/init.d/{name} mode={mode}\n=== /etc/rc2.d/S01{name} -> ../init.d/{name}\n"
    openntpd = "=== /lib/systemd/system/openntpd.service\n[Unit]\n=== /usr/sbin/ntpd mode=0755\n"
    process = "=== /proc/77/comm\nntpd\n"

    found = gather(SYSTEMD + left + openntpd + process, tmp_path)

    assert found.services == ("openntpd",)
    assert found.running == ("openntpd",)


def test_an_init_script_that_nobody_may_execute_is_no_service(tmp_path: pathlib.Path) -> None:
    assert gather("=== /etc/init.d/ntp mode=0644\n=== /usr/sbin/ntpd mode=0755\n", tmp_path).services == ()


@pytest.mark.parametrize(("script", "services"), [("", ()), ("=== /etc/init.d/chrony mode=0755\n", ("chrony",))])
def test_on_sysvinit_a_unit_alone_starts_nothing(
    script: str, services: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    assert gather(SYSVINIT + CHRONY + script, tmp_path).services == services


def test_openntpd_of_debian_7_has_its_own_program(tmp_path: pathlib.Path) -> None:
    assert gather("=== /etc/init.d/openntpd mode=0755\n=== /usr/sbin/openntpd\n", tmp_path).services == ("openntpd",)


@pytest.mark.parametrize(
    ("manifest", "has_clock"),
    [
        ("=== /sys/class/ptp/ptp1/clock_name\nhyperv\n", True),
        ("=== /sys/class/ptp/ptp0/clock_name\nKVM virtual PTP\n", False),
        ("=== /dev/ptp_hyperv -> ptp0\n=== /dev/ptp0\n", True),
        ("=== /dev/ptp0\n", False),
    ],
)
def test_the_host_s_clock_is_found_by_its_name(manifest: str, has_clock: bool, tmp_path: pathlib.Path) -> None:
    assert gather(manifest, tmp_path).has_ptp_hyperv is has_clock


@pytest.mark.parametrize(
    ("manifest", "comm", "running"),
    [
        (CHRONY, "chronyd", ("chrony",)),
        ("=== /lib/systemd/system/ntpsec.service\n[Unit]\n", "ntpd", ("ntpsec",)),
        ("=== /lib/systemd/system/openntpd.service\n[Unit]\n", "ntpd", ("openntpd",)),
        (TIMESYNCD, "systemd-timesyn", ("systemd-timesyncd",)),
        (CHRONY, "bash", ()),
        ("", "ntpd", ("ntpsec",)),
    ],
)
def test_a_service_runs_when_it_has_a_process(
    manifest: str, comm: str, running: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    processes = f"=== /proc/1/comm\nsystemd\n=== /proc/77/comm\n{comm}\n=== /proc/self/comm\nchronyd\n"

    assert gather(manifest + processes, tmp_path).running == running


def test_what_the_running_kernel_was_told_is_read(tmp_path: pathlib.Path) -> None:
    assert gather("=== /proc/cmdline\nro clocksource=acpi_pm\n", tmp_path).cmdline == "ro clocksource=acpi_pm"
