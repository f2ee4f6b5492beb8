# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import clocksource
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.clocksource import judge
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from hypothesis import given
from hypothesis import strategies as st

HYPERV = (
    "=== /sys/class/dmi/id/sys_vendor\nMicrosoft Corporation\n=== /sys/class/dmi/id/product_name\nVirtual Machine\n"
)
XEN = (
    "=== /sys/hypervisor/type\nxen\n"
    "=== /sys/class/dmi/id/sys_vendor\nXen\n=== /sys/class/dmi/id/product_name\nHVM domU\n"
)
ONLY_PAGE = 0x2E7F  # 2016 to 2022
INVARIANT = 0xAE7F
ONLY_MSR = 0x067F & ~0x200
NO_TIME = 0x70 | 0x4
PAGE_KERNEL = "hyperv_clocksource_tsc_page hyperv_clocksource_msr acpi_pm"


def sources(current: str, available: str) -> str:
    directory = "=== /sys/devices/system/clocksource/clocksource0"
    return f"{directory}/current_clocksource\n{current}\n{directory}/available_clocksource\n{available} \n"


def log(features: int, version: str) -> str:
    return (
        f"=== /var/log/dmesg\n[    0.000000] Linux version {version} (debian)\n"
        f"[    0.000000] Hyper-V: privilege flags low 0x{features:x}, high 0x3b8030, hints 0x24, misc 0x0\n"
        f"=== /proc/sys/kernel/osrelease\n{version}\n"
    )


def look(
    path: pathlib.Path,
    current: str,
    available: str = PAGE_KERNEL,
    *,
    features: int = ONLY_PAGE,
    version: str = "6.1.0-50-amd64",
    platform: str = HYPERV,
    cmdline: str = "ro quiet",
) -> GuestFacts:
    manifest = platform + sources(current, available) + log(features, version) + f"=== /proc/cmdline\n{cmdline}\n"
    return small_guest.look(path, manifest)


class Case(t.NamedTuple):
    """What a kernel has on a host, and what the verdict is."""

    current: str
    available: str
    features: int
    version: str
    is_right: bool
    expected: t.Optional[str]


PAGE = "hyperv_clocksource_tsc_page"
MSR = "hyperv_clocksource_msr"
CASES = (
    Case(PAGE, PAGE_KERNEL, ONLY_PAGE, "6.1.0-50-amd64", True, PAGE),
    Case(PAGE, PAGE + " acpi_pm", ONLY_PAGE, "4.9.0-19-amd64", True, PAGE),
    Case("hyperv_clocksource", "hyperv_clocksource acpi_pm", ONLY_PAGE, "3.2.0-6-amd64", True, "hyperv_clocksource"),
    Case(MSR, MSR + " acpi_pm", ONLY_MSR, "6.1.0-50-686", True, MSR),
    Case(MSR, PAGE_KERNEL, ONLY_PAGE, "6.1.0-50-amd64", False, PAGE),
    Case("acpi_pm", PAGE_KERNEL, ONLY_PAGE, "6.1.0-50-amd64", False, PAGE),
    Case("jiffies", PAGE_KERNEL, ONLY_PAGE, "4.19.0-27-amd64", False, PAGE),
    Case("tsc", "tsc " + PAGE_KERNEL, INVARIANT, "6.1.0-50-amd64", True, "tsc"),
    Case("tsc", "tsc " + PAGE_KERNEL, INVARIANT, "5.10.0-30-amd64", True, PAGE),
    Case("tsc", "tsc " + PAGE_KERNEL, INVARIANT, "4.19.0-27-amd64", False, PAGE),
    Case("tsc", "tsc " + PAGE_KERNEL, ONLY_PAGE, "6.1.0-50-amd64", False, PAGE),
    Case(PAGE, "tsc " + PAGE_KERNEL, INVARIANT, "6.1.0-50-amd64", True, "tsc"),
    Case(PAGE, PAGE_KERNEL, INVARIANT, "6.1.0-50-amd64", True, PAGE),
    Case("acpi_pm", "acpi_pm", ONLY_PAGE, "6.1.0-50-amd64", False, None),
    Case("acpi_pm", "acpi_pm pit jiffies", ONLY_PAGE, "2.6.32-5-amd64", False, None),
    Case("tsc", "tsc acpi_pm", NO_TIME, "6.1.0-50-amd64", True, None),
)


@pytest.mark.parametrize("case", CASES)
def test_a_kernel_on_hyperv(tmp_path: pathlib.Path, case: Case) -> None:
    facts = look(tmp_path, case.current, case.available, features=case.features, version=case.version)
    found = judge(facts)

    assert (found.is_right, found.expected) == (case.is_right, case.expected), found.reason
    assert found.is_settable == (not case.is_right and case.expected is not None)


def test_a_kernel_without_a_clocksource_for_hyperv_is_told_the_way_out(tmp_path: pathlib.Path) -> None:
    reason = judge(look(tmp_path, "acpi_pm", "acpi_pm", version="2.6.32-5-amd64")).reason

    assert "no clocksource for Hyper-V" in reason
    assert "newer kernel" in reason
    assert "No setting changes that" in reason


@pytest.mark.parametrize(("current", "is_right"), [("xen", True), ("tsc", True), ("acpi_pm", False)])
def test_on_xen_its_own_clocksource_is_right(tmp_path: pathlib.Path, current: str, is_right: bool) -> None:
    found = judge(look(tmp_path, current, "xen tsc acpi_pm", platform=XEN, version="5.10.0-30-amd64"))

    assert found.is_right is is_right
    assert found.expected == (current if is_right else "xen")


def test_on_an_unknown_machine_nothing_is_said(tmp_path: pathlib.Path) -> None:
    manifest = sources("acpi_pm", "tsc acpi_pm")

    assert judge(small_guest.look(tmp_path, manifest)).is_right is None


def test_a_guest_that_does_not_run_has_no_clocksource(tmp_path: pathlib.Path) -> None:
    found = judge(small_guest.look(tmp_path, HYPERV))

    assert (found.is_right, found.current, found.expected, found.is_settable) == (None, None, None, False)


def test_what_the_running_kernel_was_told_is_shown(tmp_path: pathlib.Path) -> None:
    found = judge(look(tmp_path, "acpi_pm", cmdline="ro clocksource=acpi_pm notsc -- clocksource=init"))

    assert found.forced_by == ("clocksource=acpi_pm", "notsc")


@given(st.text(max_size=60))
def test_any_release_has_a_version(release: str) -> None:
    numbers = clocksource.kernel_version(release)

    assert all(number >= 0 for number in numbers)
    assert release.startswith(".".join(map(str, numbers))[:1]) or not numbers or release[0] == "0"


NAMES = st.sampled_from([*clocksource.HYPERV_SOURCES, *clocksource.EMULATED, "tsc", "xen", "kvm-clock", ""])


@given(
    st.text(max_size=20) | NAMES,
    st.lists(st.text(max_size=20) | NAMES, max_size=6),
    st.none() | st.integers(0, 0xFFFF),
    st.sampled_from(["", "2.6.32-5-amd64", "3.2.0", "4.9.0", "5.10", "6.1", "x"]),
)
def test_what_is_expected_is_there_and_what_is_right_has_a_reason(
    current: str, available: t.List[str], features: t.Optional[int], release: str
) -> None:
    is_right, expected, reason = clocksource._on_hyperv(
        current, tuple(available), clocksource.kernel_version(release), features
    )

    assert expected is None or expected in available
    assert reason.endswith(".")
    if current in clocksource.EMULATED and expected is not None:
        assert is_right is False
