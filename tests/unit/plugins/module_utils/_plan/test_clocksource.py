# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import clocksource
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.clocksource import Wanted, judge, plan
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Plan, RuntimeSetting
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from hypothesis import example, given
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


@pytest.mark.parametrize(
    ("running", "menu", "is_needed"),
    [
        ("ro clocksource=acpi_pm", "quiet", True),
        ("ro notsc", "notsc", False),
        ("ro quiet", "quiet", False),
        ("ro quiet", "clocksource=acpi_pm", True),
    ],
)
def test_a_restart_is_needed_while_the_kernel_was_told_what_the_boot_loader_does_not_say(
    tmp_path: pathlib.Path, running: str, menu: str, is_needed: bool
) -> None:
    manifest = HYPERV + sources(PAGE, PAGE_KERNEL) + log(ONLY_PAGE, "6.1.0-50-amd64") + pinned(menu)

    assert judge(small_guest.look(tmp_path, manifest + f"=== /proc/cmdline\n{running}\n")).restart_needed is is_needed


def test_a_guest_that_does_not_run_needs_no_restart(tmp_path: pathlib.Path) -> None:
    assert not judge(small_guest.look(tmp_path, HYPERV + pinned("clocksource=acpi_pm"))).restart_needed


@example("\N{ARABIC-INDIC DIGIT SIX}.1")
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


ROOT = f"root=UUID={small_guest.ROOT_UUID} ro"


def pinned(arguments: str, **more: t.Any) -> str:
    """The sections of a guest whose menu and settings give the kernel these arguments."""
    return small_guest.grub(small_guest.entry(small_guest.VERSION, f"{ROOT} {arguments} quiet")) + small_guest.defaults(
        arguments, **more
    )


def texts(found: Plan) -> t.Dict[str, str]:
    return {change.path: change.after or "" for change in found.changes if isinstance(change, FileChange)}


def settings(found: Plan) -> t.List[t.Tuple[str, str]]:
    return [(change.before, change.after) for change in found.changes if isinstance(change, RuntimeSetting)]


def live(facts: GuestFacts) -> GuestFacts:
    return dataclasses.replace(facts, is_live=True)


def ids(found: Plan) -> t.List[str]:
    return [finding.id for finding in found.findings]


def test_a_guest_as_it_should_be_is_left_alone(tmp_path: pathlib.Path) -> None:
    found = plan(live(look(tmp_path, PAGE)), Wanted())

    assert not found
    assert found.findings == ()


def test_a_wrong_clocksource_is_set_right_where_the_guest_runs(tmp_path: pathlib.Path) -> None:
    facts = look(tmp_path, "acpi_pm")

    assert settings(plan(live(facts), Wanted())) == [("acpi_pm", PAGE)]
    assert ids(plan(live(facts), Wanted())) == ["clocksource.wrong"]
    assert settings(plan(facts, Wanted())) == []


def test_a_kernel_that_has_nothing_better_is_left_alone_and_told_of(tmp_path: pathlib.Path) -> None:
    found = plan(live(look(tmp_path, "acpi_pm", "acpi_pm pit", version="2.6.32-5-amd64")), Wanted())

    assert not found
    assert ids(found) == ["clocksource.none"]


@pytest.mark.parametrize(
    "argument",
    [
        *("clocksource=xen", "clocksource=acpi_pm", "clocksource=pit", "clocksource=jiffies", "clocksource=hpet"),
        *("clocksource=refined-jiffies", "clock=pit", "notsc", "divider=10", "independent_wallclock=1"),
        *("xen.independent_wallclock=1", "clocksource=tsc", "clocksource=kvm-clock"),
    ],
)
@pytest.mark.parametrize("platform", [HYPERV, XEN, ""])
def test_what_pins_a_wrong_one_goes_from_menu_and_settings(
    argument: str, platform: str, tmp_path: pathlib.Path
) -> None:
    found = plan(small_guest.look(tmp_path, platform + pinned(argument)), Wanted())
    after = texts(found)

    assert f"{ROOT} quiet\n" in after["/boot/grub/grub.cfg"]
    assert 'GRUB_CMDLINE_LINUX=""\n' in after["/etc/default/grub"]
    assert [(finding.id, finding.subject) for finding in found.findings] == [("clocksource.pinned", argument)]
    again = plan(
        small_guest.look(tmp_path / "again", "".join(f"=== {path}\n{text}" for path, text in after.items())), Wanted()
    )
    assert not again
    assert again.findings == ()


@pytest.mark.parametrize(
    "arguments",
    ["clocksource=hyperv_clocksource_tsc_page", "tsc=reliable", "nohpet", "clocksource_failover", "noclock=1"],
)
def test_what_pins_nothing_wrong_stays(arguments: str, tmp_path: pathlib.Path) -> None:
    assert not plan(small_guest.look(tmp_path, pinned(arguments)), Wanted())


def test_a_tsc_that_is_pinned_stays_where_it_is_right(tmp_path: pathlib.Path) -> None:
    manifest = pinned("clocksource=tsc")
    facts = look(tmp_path, "tsc", "tsc " + PAGE_KERNEL, features=INVARIANT)
    boot = small_guest.look(tmp_path / "boot", manifest).boot

    assert not plan(live(dataclasses.replace(facts, boot=boot)), Wanted())


def test_one_that_is_forced_is_set_and_pinned(tmp_path: pathlib.Path) -> None:
    facts = live(look(tmp_path, PAGE))
    boot = small_guest.look(tmp_path / "boot", pinned("clocksource=xen notsc")).boot
    found = plan(dataclasses.replace(facts, boot=boot), Wanted(force="acpi_pm"))

    assert settings(found) == [(PAGE, "acpi_pm")]
    assert "clocksource=acpi_pm" in texts(found)["/boot/grub/grub.cfg"]
    assert "clocksource=xen" not in texts(found)["/boot/grub/grub.cfg"]
    assert "notsc" not in texts(found)["/etc/default/grub"]
    after = "".join(f"=== {path}\n{text}" for path, text in texts(found).items())
    boot = small_guest.look(tmp_path / "again", after).boot
    assert not plan(live(dataclasses.replace(look(tmp_path / "b", "acpi_pm"), boot=boot)), Wanted(force="acpi_pm"))


def test_one_that_is_not_there_cannot_be_forced_now(tmp_path: pathlib.Path) -> None:
    found = plan(live(look(tmp_path, PAGE)), Wanted(force="hpet"))

    assert settings(found) == []
    assert ids(found) == ["clocksource.not-offered"]


def test_the_verdict_is_plain_data(tmp_path: pathlib.Path) -> None:
    report = judge(look(tmp_path, "acpi_pm", cmdline="clocksource=acpi_pm")).report()

    assert report["current"] == "acpi_pm"
    assert report["expected"] == PAGE
    assert report["forced_by"] == ("clocksource=acpi_pm",)
    assert report["is_right"] is False
