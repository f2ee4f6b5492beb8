# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import xen_leftovers as gather_xen
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts, TextFile, XenLeftovers
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import xen_leftovers
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

NOTHING = XenLeftovers((), (), None, (), (), (), None)
GETTYS = "1:2345:respawn:/sbin/getty 38400 tty1\n2:23:respawn:/sbin/getty 38400 tty2\n"
COMMENTED = "#1:2345:respawn:/sbin/getty 38400 tty1\n#2:23:respawn:/sbin/getty 38400 tty2\n"
HVC0 = "co:2345:respawn:/sbin/getty 38400 hvc0\n"
LINK = "/etc/systemd/system/getty.target.wants/serial-getty@hvc0.service"


def facts(xen: XenLeftovers) -> GuestFacts:
    """Facts of a guest of which nothing but the leftovers is known."""
    fields: dict[str, t.Any] = {field.name: None for field in dataclasses.fields(GuestFacts)}
    return GuestFacts(**{**fields, "xen": xen})


def plan(state: str, **leftovers: t.Any) -> Plan:
    return xen_leftovers.plan(facts(dataclasses.replace(NOTHING, **leftovers)), state)


def findings(found: Plan) -> list[tuple[str, str]]:
    return [(finding.id, finding.severity) for finding in found.findings]


def after(found: Plan) -> str | None:
    """The text of the only file that changes."""
    (change,) = found.changes
    assert isinstance(change, FileChange)
    return change.after


def read(path: pathlib.Path) -> GuestFacts:
    problems: list[t.Any] = []
    found = facts(gather_xen.gather(Root(str(path)), problems.append))
    assert problems == []
    return found


def apply(found: Plan, root: pathlib.Path) -> None:
    for change in found.changes:
        path = root / change.path.lstrip("/")
        if change.after is None:
            path.unlink()
        else:
            assert path.read_text() == change.before
            path.write_text(change.after)


@pytest.mark.parametrize("state", xen_leftovers.STATES)
@pytest.mark.parametrize("name", guest_tree.NAMES)
def test_a_plan_is_the_same_twice_and_empty_once_it_is_applied(name: str, state: str, tmp_path: pathlib.Path) -> None:
    guest_tree.build_guest(name, tmp_path)
    first = xen_leftovers.plan(read(tmp_path), state)
    assert xen_leftovers.plan(read(tmp_path), state) == first
    apply(first, tmp_path)
    assert not xen_leftovers.plan(read(tmp_path), state)


@pytest.mark.parametrize("name", guest_tree.NAMES)
def test_a_guest_can_go_to_absent_after_dual_boot(name: str, tmp_path: pathlib.Path) -> None:
    guest_tree.build_guest(name, tmp_path)
    apply(xen_leftovers.plan(read(tmp_path), "dual_boot"), tmp_path)
    apply(xen_leftovers.plan(read(tmp_path), "absent"), tmp_path)
    assert not xen_leftovers.plan(read(tmp_path), "absent")
    assert not xen_leftovers.plan(read(tmp_path), "dual_boot")


GUEST_TOOLS = ("xen.guest-tools", "info")
EXPECTED = {
    "debian6-pv-pygrub": [
        ("xen.getty-hvc0", "info"),
        ("xen.no-tty-getty", "warning"),
        ("xen.sysctl", "info"),
        ("xen.module-options", "info"),
        ("xen.module-options", "info"),
        GUEST_TOOLS,
    ],
    "debian6-hvm": [],
    "debian7-hvm": [("xen.getty-hvc0", "info"), GUEST_TOOLS],
    "debian8-hvm": [("xen.getty-hvc0", "warning"), ("xen.sysctl", "info"), GUEST_TOOLS],
    "debian9": [("xen.guest-tools-files", "info")],
    "debian9-i386": [("xen.guest-tools-files", "info")],
    "debian10-hvm": [
        ("xen.blacklists-hyperv", "error"),
        ("xen.blacklists-hyperv", "warning"),
        ("xen.module-options", "info"),
        GUEST_TOOLS,
    ],
    "debian11-hvm": [("xen.getty-hvc0", "warning"), GUEST_TOOLS],
    "debian12-hvm": [("xen.getty-hvc0", "warning"), ("xen.sysctl", "info"), GUEST_TOOLS],
    "debian12-dracut": [GUEST_TOOLS],
    "debian12-hyperv-ready": [],
    "debian12-hyperv-gen2": [],
    "debian13-hvm": [("xen.blacklists-hyperv", "error"), ("xen.blacklists-hyperv", "error"), GUEST_TOOLS],
}


@pytest.mark.parametrize("name", guest_tree.NAMES)
def test_golden_guests_have_the_leftovers_that_they_are_said_to_have(name: str, tmp_path: pathlib.Path) -> None:
    guest_tree.build_guest(name, tmp_path)
    assert findings(xen_leftovers.plan(read(tmp_path), "dual_boot")) == EXPECTED[name]


@pytest.mark.parametrize("state", xen_leftovers.STATES)
def test_a_guest_without_leftovers_needs_nothing(state: str) -> None:
    assert plan(state) == Plan()


@pytest.mark.parametrize("state", xen_leftovers.STATES)
def test_the_link_that_delays_each_boot_off_xen_goes_in_both_states(state: str) -> None:
    found = plan(state, getty_links=((LINK, "/lib/systemd/system/serial-getty@.service"),))
    (change,) = found.changes
    assert (change.path, change.before, change.after) == (LINK, "/lib/systemd/system/serial-getty@.service", None)
    assert findings(found) == [("xen.getty-hvc0", "warning")]
    assert "hvc0" in found.findings[0].message


def test_dual_boot_enables_the_gettys_of_the_screen_and_keeps_that_of_xen() -> None:
    found = plan("dual_boot", inittab=TextFile("/etc/inittab", COMMENTED + HVC0))
    assert after(found) == GETTYS + HVC0


def test_absent_enables_the_gettys_of_the_screen_and_comments_out_that_of_xen() -> None:
    found = plan("absent", inittab=TextFile("/etc/inittab", COMMENTED + HVC0))
    assert after(found) == GETTYS + "#" + HVC0
    assert findings(found) == [("xen.getty-hvc0", "warning"), ("xen.no-tty-getty", "warning")]


def test_gettys_that_the_administrator_turned_off_stay_off_where_one_is_left() -> None:
    text = "1:2345:respawn:/sbin/getty 38400 tty1\n#2:23:respawn:/sbin/getty 38400 tty2\n" + HVC0
    assert not plan("dual_boot", inittab=TextFile("/etc/inittab", text))


def test_a_guest_without_a_login_on_xens_console_is_left_alone() -> None:
    text = COMMENTED + "T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n"
    assert plan("absent", inittab=TextFile("/etc/inittab", text)) == Plan()


def test_tty1_gets_an_entry_of_its_own_when_xens_console_took_its_identifier() -> None:
    text = "1:2345:respawn:/sbin/getty 38400 hvc0\n#1:2345:respawn:/sbin/getty 38400 tty1\n"
    found = plan("dual_boot", inittab=TextFile("/etc/inittab", text))
    assert after(found) == text + "tty1:2345:respawn:/sbin/getty 38400 tty1\n"


def test_tty1_gets_an_entry_when_there_is_none() -> None:
    found = plan("dual_boot", inittab=TextFile("/etc/inittab", HVC0))
    assert after(found) == HVC0 + "tty1:2345:respawn:/sbin/getty 38400 tty1\n"


def test_the_clock_of_xen_is_left_to_itself_only_as_long_as_there_is_xen() -> None:
    file = TextFile("/etc/sysctl.conf", "vm.swappiness=1\nxen.independent_wallclock = 1\n")
    assert findings(plan("dual_boot", sysctl=(file,))) == [("xen.sysctl", "info")]
    assert plan("dual_boot", sysctl=(file,)).changes == ()
    assert after(plan("absent", sysctl=(file,))) == "vm.swappiness=1\n#xen.independent_wallclock = 1\n"


@pytest.mark.parametrize("state", xen_leftovers.STATES)
@pytest.mark.parametrize(
    ("line", "severity", "blocks"),
    [
        ("blacklist hv_vmbus", "error", True),
        ("blacklist hv-storvsc", "error", True),
        ("install hv_netvsc /bin/true", "error", True),
        ("install hv_utils /bin/false", "warning", False),
        ("blacklist hyperv-keyboard", "warning", False),
    ],
)
def test_hyperv_drivers_are_let_in_again_in_both_states(line: str, severity: str, blocks: bool, state: str) -> None:
    found = plan(state, modprobe=(TextFile("/etc/modprobe.d/a.conf", f"# a\n{line}\nblacklist pcspkr\n"),))
    assert after(found) == f"# a\n#{line}\nblacklist pcspkr\n"
    (finding,) = found.findings
    assert (finding.id, finding.severity, finding.blocks) == ("xen.blacklists-hyperv", severity, blocks)
    assert finding.message.startswith("Line 2 ")


@pytest.mark.parametrize(
    "line",
    [
        "blacklist hv_balloon",
        "blacklist hyperv_fb",
        "options hv_netvsc ring_size=512",
        "install hv_netvsc /sbin/modprobe --ignore-install hv_netvsc",
        "#blacklist hv_vmbus",
    ],
)
def test_what_keeps_no_driver_away_for_want_of_hyperv_stays(line: str) -> None:
    assert plan("absent", modprobe=(TextFile("/etc/modprobe.d/a.conf", line + "\n"),)) == Plan()


@pytest.mark.parametrize(
    "line",
    ["alias eth0 xennet", "options xen-blkfront max=32", "blacklist xen_fbfront", "alias scsi_hostadapter xenblk"],
)
def test_options_of_xens_drivers_go_with_xen(line: str) -> None:
    file = TextFile("/etc/modprobe.d/xen.conf", f"{line}\noptions loop max_loop=64\n")
    assert plan("dual_boot", modprobe=(file,)).changes == ()
    assert findings(plan("dual_boot", modprobe=(file,))) == [("xen.module-options", "info")]
    assert after(plan("absent", modprobe=(file,))) == f"#{line}\noptions loop max_loop=64\n"


@pytest.mark.parametrize("path", ["/etc/modules", "/etc/modules-load.d/xen.conf"])
def test_drivers_of_xen_that_are_loaded_by_force_go_with_xen(path: str) -> None:
    file = TextFile(path, "# drivers\nloop\nxen-blkfront\nxennet\n")
    assert plan("dual_boot", modprobe=(file,)).changes == ()
    assert after(plan("absent", modprobe=(file,))) == "# drivers\nloop\n"


def test_packages_are_left_to_the_module_for_packages() -> None:
    found = plan("absent", packages=(("xe-guest-utilities", "7.20.0-9"),))
    assert not found
    assert findings(found) == [("xen.guest-tools", "warning")]
    assert "ansible.builtin.apt with name=xe-guest-utilities" in found.findings[0].remedy
    assert findings(plan("dual_boot", packages=(("xe-guest-utilities", "7.20.0-9"),))) == [("xen.guest-tools", "info")]


def test_tools_without_a_package_are_named_all() -> None:
    (finding,) = plan("absent", files=("/usr/sbin/xe-daemon", "/usr/bin/xenstore")).findings
    assert (finding.id, finding.severity, finding.subject) == (
        "xen.guest-tools-files",
        "warning",
        "/usr/sbin/xe-daemon",
    )
    assert "/usr/bin/xenstore" in finding.message


@pytest.mark.parametrize("state", xen_leftovers.STATES)
def test_terminals_where_root_may_log_in_are_left_alone(state: str) -> None:
    assert plan(state, securetty=TextFile("/etc/securetty", "console\nhvc0\nxvc0\n")) == Plan()
