# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import hypervisor
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem, VmbusDevice
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree
from hypothesis import given
from hypothesis import strategies as st

# What Hyper-V's support in each kernel prints: host build, features, high privileges, VMBus protocol.
DIALECTS = {
    "2.6.32": (
        """\
[    0.000000] Linux version 2.6.32-5-amd64 (Debian 2.6.32-48squeeze20) (jmm@debian.org) #1 SMP
[    4.101822] VMBUS: Windows hypervisor detected! Retrieving more info...
[    4.101824] VMBUS: Vendor ID: Microsoft Hv
[    4.101825] VMBUS: Interface ID: Hv#1
[    4.101827] VMBUS: OS Build:7601-6.1-17-0.17939
""",
        ("6.1.7601.17939-17-0", None, None, None),
    ),
    "3.2": (
        """\
[    0.000000] Linux version 3.2.0-4-amd64 (debian-kernel@lists.debian.org) #1 SMP Debian 3.2.102-1
[    0.000000] Hypervisor detected: Microsoft HyperV
[    0.000000] HyperV: features 0x67f, hints 0x2c
[    1.200000] hv_vmbus: Hyper-V Host OS Build:7601-6.1-17-0.17939
[    1.210000] hv_vmbus: registering driver hv_storvsc
""",
        ("6.1.7601.17939-17-0", 0x67F, None, None),
    ),
    "3.10": (
        """\
[    0.000000] Linux version 3.10.0-514.el7.x86_64 (builder@kbuilder) #1 SMP
[    0.000000] DMI: Microsoft Corporation Virtual Machine/Virtual Machine, BIOS 090007  06/02/2017
[    0.000000] Hypervisor detected: Microsoft HyperV
[    0.000000] HyperV: features 0xae7f, hints 0x64e2c
[    0.000000] tsc: Marking TSC unstable due to running on Hyper-V
[    1.000000] Switched to clocksource hyperv_clocksource
[    1.200000] hv_vmbus: Vmbus version:4.0
""",
        (None, 0xAE7F, None, "4.0"),
    ),
    "3.16": (
        """\
[    0.000000] Linux version 3.16.0-11-amd64 (debian-kernel@lists.debian.org) #1 SMP
[    0.000000] Hypervisor detected: Microsoft HyperV
[    0.000000] HyperV: features 0xe7f, hints 0x2c
[    0.900000] hv_vmbus: Hyper-V Host Build:9200-6.2-16-0.20655; Vmbus version:2.4
""",
        ("6.2.9200.20655-16-0", 0xE7F, None, "2.4"),
    ),
    "4.9": (
        """\
[    0.000000] Linux version 4.9.0-19-amd64 (debian-kernel@lists.debian.org) #1 SMP
[    0.000000] Hypervisor detected: Microsoft HyperV
[    0.000000] Hyper-V: features 0x2e7f, hints 0x24e24
[    0.000000] Hyper-V Host Build:14393-10.0-0-0.4583
[    0.900000] hv_vmbus: Vmbus version:4.0
""",
        ("10.0.14393.4583-0-0", 0x2E7F, None, "4.0"),
    ),
    "4.18": (
        """\
[    0.000000] Linux version 4.18.0-553.el8_10.x86_64 (builder@kbuilder) #1 SMP
[    0.000000] Hypervisor detected: Microsoft Hyper-V
[    0.000000] Hyper-V: privilege flags low 0xae7f, high 0x388030, hints 0x140c2c, misc 0xc0bed7b2
[    0.000000] Hyper-V Host Build:20348-10.0-2-0.2762
[    0.000000] Hyper-V: Nested features: 0x4a0000
""",
        ("10.0.20348.2762-2-0", 0xAE7F, 0x388030, None),
    ),
    "4.19": (
        """\
[    0.000000] Linux version 4.19.0-27-amd64 (debian-kernel@lists.debian.org) #1 SMP
[    0.000000] Hypervisor detected: Microsoft Hyper-V
[    0.000000] Hyper-V: features 0x2e7f, hints 0x60e24
[    0.000000] Hyper-V Host Build:17763-10.0-0-0.737
""",
        ("10.0.17763.737-0-0", 0x2E7F, None, None),
    ),
    "5.3": (
        """\
[    0.000000] Linux version 5.3.0-0.bpo.2-amd64 (debian-kernel@lists.debian.org) #1 SMP
[    0.000000] Hypervisor detected: Microsoft Hyper-V
[    0.000000] Hyper-V: features 0x2e7f, hints 0x60e24, misc 0xbed7b2
[    0.000000] Hyper-V Host Build:20348-10.0-3-0.3020
""",
        ("10.0.20348.3020-3-0", 0x2E7F, None, None),
    ),
    "6.1": (
        """\
[    0.000000] Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC
[    0.000000] Hypervisor detected: Microsoft Hyper-V
[    0.000000] Hyper-V: privilege flags low 0x2e7f, high 0x3b8030, hints 0x64e24, misc 0xe0bed7b2
[    0.000000] Hyper-V: Host Build 10.0.20348.3020-3-0
[    0.862842] [    T1] hv_vmbus: Vmbus version:5.3
""",
        ("10.0.20348.3020-3-0", 0x2E7F, 0x3B8030, "5.3"),
    ),
    "6.18": (
        """\
[    0.000000] Linux version 6.18.2+deb14-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC
[    0.000000] efi: EFI v2.7 by Microsoft
[    0.000000] DMI: Microsoft Corporation Virtual Machine/Virtual Machine, BIOS Hyper-V UEFI Release v4.1 09/25/2025
[    0.000000] Hypervisor detected: Microsoft Hyper-V
[    0.000000] Hyper-V: privilege flags low 0xae7f, high 0x3b8030, hints 0xe24, misc 0xe0bed7b2
[    0.000000] Hyper-V: Hypervisor Build 10.0.26100.1175-1-0
[    0.097621] hv_vmbus: Vmbus version:5.3
""",
        ("10.0.26100.1175-1-0", 0xAE7F, 0x3B8030, "5.3"),
    ),
}
LOG = DIALECTS["6.1"][0]
EXPECTED = DIALECTS["6.1"][1]


def seen(text: str) -> tuple[str | None, int | None, int | None, str | None]:
    log = hypervisor.parse_kernel_log(text)
    return log.host_build, log.features, log.privileges_high, log.vmbus_protocol


def points(text: str) -> set[str]:
    return {evidence.points_to for evidence in hypervisor.parse_kernel_log(text).evidence}


@pytest.mark.parametrize("kernel", DIALECTS)
def test_the_dialect_of_every_kernel_is_read(kernel: str) -> None:
    text, expected = DIALECTS[kernel]

    assert seen(text) == expected
    assert "hyperv" in points(text)


@pytest.mark.parametrize("kernel", DIALECTS)
def test_no_hyperv_dialect_points_to_another_hypervisor(kernel: str) -> None:
    assert points(DIALECTS[kernel][0]) <= {"hyperv", "generation-1", "generation-2"}


@pytest.mark.parametrize(
    "shape",
    [
        lambda line: line[15:],
        lambda line: "Mar  2 08:00:00 web01 kernel: " + line,
        lambda line: "Mar  2 08:00:00 web01 kernel: " + line[15:],
        lambda line: "2026-03-02T08:00:00.100000+01:00 web01 kernel: " + line,
        lambda line: "6,271,0,-;" + line[15:],
        lambda line: "<6>" + line,
        lambda line: line + "\r",
        lambda line: "\x1b[32m" + line[:14] + "\x1b[0m" + line[14:] + "\x1b[K",
        lambda line: "[  \x1b[32mOK\x1b[0m  ] Reached target " + line + "[  OK  ] Started login",
    ],
    ids=["no times", "syslog", "syslog only", "syslog ISO", "kmsg", "level", "CRLF", "colours", "interleaved"],
)
def test_the_log_is_read_in_every_shape(shape) -> None:  # type: ignore[no-untyped-def]
    assert seen("\n".join(shape(line) for line in LOG.splitlines())) == EXPECTED


def test_of_several_boots_the_last_one_counts() -> None:
    log = hypervisor.parse_kernel_log(LOG + DIALECTS["3.16"][0])

    assert log.host_build == "6.2.9200.20655-16-0"
    assert log.privileges_high is None


def test_a_later_line_that_only_mentions_a_kernel_version_begins_no_boot() -> None:
    assert seen(LOG + "[    9.1] systemd[1]: a unit spoke of Linux version 6.1.0\n") == EXPECTED


def test_a_log_without_its_beginning_is_read() -> None:
    assert seen("\n".join(LOG.splitlines()[1:])) == EXPECTED


def test_a_log_of_something_else_says_nothing() -> None:
    assert hypervisor.parse_kernel_log("cron[1]: (root) CMD (true)\n") == hypervisor.KernelLog()


def test_no_hypervisor_detected_is_not_taken_for_one() -> None:
    text = "[    0.000000] Linux version 2.6.32-5-amd64\n[    4.1] VMBUS: No Windows hypervisor detected!!\n"

    assert points(text) == set()


@pytest.mark.parametrize(
    ("line", "points_to"),
    [
        ("Hypervisor detected: Xen HVM", {"xen-hvm"}),
        ("Hypervisor detected: Xen PV", {"xen-pv"}),
        ("Hypervisor detected: Xen", {"xen"}),
        ("Hypervisor detected: KVM", {"kvm"}),
        ("Hypervisor detected: VMware", {"vmware"}),
        ("Hypervisor detected: Jailhouse", {"virtual"}),
        ("Xen version 4.13.", {"xen"}),
        ("Xen version: 4.5.1 (preserve-AD)", {"xen"}),
        ("Booting paravirtualized kernel on Xen", {"xen-pv"}),
        ("Booting paravirtualized kernel on Xen HVM", {"xen-hvm"}),
        ("Booting kernel on Xen PVH", {"xen-pvh"}),
        ("Booting paravirtualized kernel on KVM", set()),
        ("Booting paravirtualized kernel on bare hardware", set()),
        ("kvm-clock: Using msrs 4b564d01 and 4b564d00", {"kvm"}),
        ("DMI: innotek GmbH VirtualBox/VirtualBox, BIOS VirtualBox 12/01/2006", {"virtualbox"}),
        ("DMI: VMware, Inc. VMware Virtual Platform/440BX Desktop, BIOS 6.00 11/12/2020", {"vmware"}),
        ("DMI: Microsoft Corporation Surface Pro 7/Surface Pro 7, BIOS 9.102.140 05/06/2021", {"physical"}),
        (
            "DMI: Microsoft Corporation Virtual Machine/Virtual Machine, BIOS 090006  05/23/2012",
            {"hyperv", "generation-1"},
        ),
        ("DMI:  /, BIOS 5.11 06/12/2017", set()),
        ("DMI: Memory slots populated: 1/1", set()),
        ("DMI not present or invalid.", set()),
        ("ACPI: RSDP 00000000000f0310 00014 (v00 VBOX  )", {"virtualbox"}),
        ("ACPI: FACP 0x000000003FFF0200 000081 (v02 VRTUAL MICROSFT 12001807 MSFT 00000097)", {"hyperv"}),
        ("ACPI: DSDT 0x000000008CE49000 000074 (v02 MSFT   MSFT     00000002 INTL 20180531)", set()),
        ("clocksource: Switched to clocksource hyperv_clocksource_tsc_page", {"hyperv"}),
        ("Switching to clocksource xen", {"xen"}),
        ("clocksource: Switched to clocksource tsc", set()),
        ("HyperV: features 0x70, hints 0x0", {"hyperv-imitation"}),
        ("Hyper-V: running on a nested hypervisor", set()),
        ("Hyper-V: running as root partition", {"hyperv-root"}),
        ("Hyper-V: privilege flags low 0xae7f, high 0x3b9031, hints 0x0, misc 0x0", {"hyperv", "hyperv-root"}),
        ("Hyper-V: privilege flags low 0xae7f, high 0x3b8031, hints 0x0, misc 0x0", {"hyperv"}),  # L1VH
        ("Hyper-V: privilege flags low 0xae7f, high 0x7b9031, hints 0x0, misc 0x0", {"hyperv"}),  # confidential
    ],
)
def test_a_line_points_to_what_it_says(line: str, points_to: set[str]) -> None:
    assert points(f"[    0.000000] Linux version 6.1.0-50-amd64\n[    0.000000] {line}\n") == points_to


def test_the_last_clocksource_counts() -> None:
    text = LOG + "[ 1.0] Switched to clocksource xen\n[ 2.0] clocksource: Switched to clocksource kvm-clock\n"

    assert "kvm" in points(text)
    assert "xen" not in points(text)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    hypervisor.parse_kernel_log(text)


@pytest.mark.parametrize(
    "text",
    [
        "Linux version " * 400_000,
        "DMI: " * 1_000_000,
        "hv_vmbus: " * 500_000,
        "ACPI: RSDP " * 400_000,
        "\x1b[" * 2_000_000,
    ],
    ids=["boots", "DMI", "vmbus", "ACPI", "escapes"],
)
def test_a_hostile_log_takes_no_time(text: str) -> None:
    start = time.process_time()

    hypervisor.parse_kernel_log(text)

    assert time.process_time() - start < 1


def gather(manifest: str, path: pathlib.Path, **logged: str) -> tuple[hypervisor.Hypervisor, list[Problem]]:
    guest_tree.build(manifest, path)
    problems: list[Problem] = []
    return hypervisor.gather(Root(str(path)), problems.append, **logged), problems


def test_vmbus_devices_have_kinds_and_drivers(tmp_path: pathlib.Path) -> None:
    manifest = """\
=== /sys/bus/vmbus/devices/a/class_id
{9527E630-D0AE-497b-ADCE-E80AB0175CAF}
=== /sys/bus/vmbus/devices/a/device_id
{2dd1ce17-079e-403c-b352-a1921ee207ee}
=== /sys/bus/vmbus/devices/a/driver -> ../../../../bus/vmbus/drivers/hv_utils
=== /sys/bus/vmbus/devices/b/class_id
{6e382d18-3336-4f4b-acc4-2b7703d4df4a}
"""

    found, problems = gather(manifest, tmp_path)

    assert found.vmbus == (
        VmbusDevice(
            "2dd1ce17-079e-403c-b352-a1921ee207ee", "9527e630-d0ae-497b-adce-e80ab0175caf", "timesync", "hv_utils"
        ),
        VmbusDevice("b", "6e382d18-3336-4f4b-acc4-2b7703d4df4a", "6e382d18-3336-4f4b-acc4-2b7703d4df4a", None),
    )
    assert problems == []


def test_uefi_is_only_known_of_a_running_guest(tmp_path: pathlib.Path) -> None:
    assert gather("=== /sys/class/net/\n=== /sys/firmware/efi/\n", tmp_path / "uefi")[0].is_uefi is True
    assert gather("=== /sys/class/net/\n", tmp_path / "bios")[0].is_uefi is False
    assert gather("=== /boot/efi/\n", tmp_path / "offline")[0].is_uefi is None


SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
MOK_STATE = "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({SECURE_BOOT: 0}, False),
        ({SECURE_BOOT: 1}, True),
        ({SECURE_BOOT: 1, MOK_STATE: 0}, True),
        ({SECURE_BOOT: 1, MOK_STATE: 1}, False),
        ({MOK_STATE: 1}, None),
    ],
)
def test_secure_boot_is_what_the_firmware_and_shim_say(
    tmp_path: pathlib.Path, variables: dict[str, int], expected: bool | None
) -> None:
    guest_tree.build("=== /sys/class/net/\n=== /sys/firmware/efi/efivars/\n", tmp_path)
    for path, value in variables.items():
        (tmp_path / path[1:]).write_bytes(b"\x06\0\0\0" + bytes([value]))
    assert hypervisor.gather(Root(str(tmp_path)), pytest.fail).secure_boot is expected


def test_without_uefi_there_is_no_secure_boot_and_of_a_guest_that_does_not_run_it_is_not_known(
    tmp_path: pathlib.Path,
) -> None:
    assert gather("=== /sys/class/net/\n", tmp_path / "bios")[0].secure_boot is False
    assert gather("=== /etc/hostname\nguest\n", tmp_path / "disk")[0].secure_boot is None


def test_a_variable_of_another_length_tells_nothing(tmp_path: pathlib.Path) -> None:
    guest_tree.build(f"=== /sys/class/net/\n=== {SECURE_BOOT}\n\x06\n", tmp_path)
    assert hypervisor.gather(Root(str(tmp_path)), pytest.fail).secure_boot is None


def test_a_kernel_log_that_is_handed_in_counts_instead_of_files(tmp_path: pathlib.Path) -> None:
    manifest = "=== /var/log/dmesg\n" + DIALECTS["3.16"][0]

    assert gather(manifest, tmp_path, kernel_log=LOG)[0].host_build == "10.0.20348.3020-3-0"


def test_a_kernel_log_that_has_lost_its_beginning_counts_only_where_no_file_has_it(tmp_path: pathlib.Path) -> None:
    late = "[ 9000.0] hv_vmbus: Vmbus version:4.1\n"
    manifest = "=== /var/log/dmesg\n" + LOG

    assert gather(manifest, tmp_path / "file", kernel_log=late)[0].vmbus_protocol == "5.3"
    assert gather("=== /etc/\n", tmp_path / "none", kernel_log=late)[0].vmbus_protocol == "4.1"


def test_the_newest_log_that_holds_a_boot_counts(tmp_path: pathlib.Path) -> None:
    manifest = f"=== /var/log/dmesg\n{DIALECTS['3.16'][0]}=== /var/log/kern.log\n{LOG}=== /var/log/syslog\nnothing\n"
    guest_tree.build(manifest, tmp_path)
    for name, mtime in (("dmesg", 1_700_000_000), ("kern.log", 1_700_000_100), ("syslog", 1_700_000_200)):
        os.utime(tmp_path / "var/log" / name, (mtime, mtime))

    found = hypervisor.gather(Root(str(tmp_path)), pytest.fail)

    assert found.host_build == "10.0.20348.3020-3-0"
    assert {evidence.source for evidence in found.evidence} == {"/var/log/kern.log"}


def test_only_the_end_of_a_large_log_is_read(tmp_path: pathlib.Path) -> None:
    guest_tree.build("=== /var/log/kern.log size=10737418240\n", tmp_path)
    with open(tmp_path / "var/log/kern.log", "a", encoding="utf-8") as log:
        log.write("\n" + LOG)

    start = time.process_time()
    found = hypervisor.gather(Root(str(tmp_path)), pytest.fail)

    assert found.host_build == "10.0.20348.3020-3-0"
    assert time.process_time() - start < 3


def test_what_cannot_be_read_is_noted_and_the_rest_is_gathered(tmp_path: pathlib.Path) -> None:
    manifest = "=== /var/log/dmesg\n" + LOG + "=== /sys/hypervisor/type/\n=== /var/log/kern.log -> kern.log\n"

    found, problems = gather(manifest, tmp_path)

    assert found.features == 0x2E7F
    assert {problem.path for problem in problems} == {"/sys/hypervisor/type", "/var/log/kern.log"}


def test_a_fifo_in_place_of_a_log_is_not_opened(tmp_path: pathlib.Path) -> None:
    guest_tree.build("=== /var/log/\n", tmp_path)
    os.mkfifo(tmp_path / "var/log/dmesg")
    problems: list[Problem] = []

    hypervisor.gather(Root(str(tmp_path)), problems.append)

    assert [problem.path for problem in problems] == ["/var/log/dmesg"]
