# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_cmdline as cmdline
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_cmdline
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_cmdline import Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Plan
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import ROOT_UUID, VERSION
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = f"root=UUID={ROOT_UUID}"
DUAL = Wanted(consoles=kernel_cmdline.DUAL_BOOT_CONSOLES)
CONSOLES = "console=hvc0 console=tty0 console=ttyS0,115200n8"


def plan(path: pathlib.Path, wanted: Wanted, changes: str = "", **more: t.Any) -> Plan:
    return kernel_cmdline.plan(small_guest.look(path, changes, **more), wanted)


def after(found: Plan) -> dict[str, str]:
    changes = [change for change in found.changes if isinstance(change, FileChange)]
    return {change.path: change.after or "" for change in changes}


def menu(*cmdlines: str) -> str:
    return small_guest.grub(*(small_guest.entry(VERSION, line) for line in cmdlines))


def sections(found: Plan) -> str:
    return "".join(f"=== {path}\n{text}" for path, text in after(found).items())


def test_nothing_wanted_is_nothing_to_do(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, Wanted())
    assert not found
    assert found.findings == ()


def test_menu_and_settings_change_together(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, DUAL)
    texts = after(found)
    assert f"{ROOT} ro quiet {CONSOLES}\n" in texts["/boot/grub/grub.cfg"]
    assert f'GRUB_CMDLINE_LINUX="{CONSOLES}"\n' in texts["/etc/default/grub"]
    assert 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n' in texts["/etc/default/grub"]
    assert not plan(tmp_path / "again", DUAL, sections(found))


def test_consoles_that_are_as_wanted_stay_where_they_are(tmp_path: pathlib.Path) -> None:
    changes = menu(f"{ROOT} {CONSOLES} ro") + small_guest.defaults(
        "console=hvc0 console=tty0", "console=ttyS0,115200n8"
    )
    assert not plan(tmp_path, DUAL, changes)


def test_the_order_of_the_consoles_counts(tmp_path: pathlib.Path) -> None:
    changes = menu(f"{ROOT} console=ttyS0,115200n8 console=tty0 console=hvc0") + small_guest.defaults("console=hvc0")
    texts = after(plan(tmp_path, DUAL, changes))
    assert f"{ROOT} {CONSOLES}\n" in texts["/boot/grub/grub.cfg"]
    assert f'GRUB_CMDLINE_LINUX="{CONSOLES}"\n' in texts["/etc/default/grub"]


def test_no_consoles_at_all_can_be_wanted(tmp_path: pathlib.Path) -> None:
    changes = menu(f"{ROOT} console=hvc0 ro") + small_guest.defaults("console=hvc0 quiet")
    texts = after(plan(tmp_path, Wanted(consoles=()), changes))
    assert f"{ROOT} ro\n" in texts["/boot/grub/grub.cfg"]
    assert 'GRUB_CMDLINE_LINUX="quiet"\n' in texts["/etc/default/grub"]


def test_absent_is_a_pattern_and_present_an_argument(tmp_path: pathlib.Path) -> None:
    changes = menu(f"{ROOT} clocksource=xen notsc quiet") + small_guest.defaults("clocksource=xen", "quiet notsc")
    wanted = Wanted(present=("rootdelay=300", "quiet"), absent=("clocksource=*", "notsc"))
    found = plan(tmp_path, wanted, changes)
    texts = after(found)
    assert f"{ROOT} quiet rootdelay=300\n" in texts["/boot/grub/grub.cfg"]
    assert 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="rootdelay=300"\n' in texts["/etc/default/grub"]
    assert not plan(tmp_path / "again", wanted, sections(found))


def test_a_line_without_settings_file_changes_in_the_menu(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, DUAL, without=["/etc/default/grub"])
    assert list(after(found)) == ["/boot/grub/grub.cfg"]


def consoles(*values: str) -> str:
    return menu(" ".join([ROOT, *(f"console={value}" for value in values)]))


@pytest.mark.parametrize("values", [("hvc0",), ("xvc0",), ("hvc0", "xvc0")])
def test_consoles_of_xen_alone_are_reported(values: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    (finding,) = plan(tmp_path, Wanted(), consoles(*values)).findings
    assert (finding.id, finding.subject, finding.blocks) == ("console.only-xen", f"console={values[-1]}", False)


@pytest.mark.parametrize("values", [(), ("tty0",), ("hvc0", "tty0"), ("tty0", "hvc0"), ("ttyS0,115200n8",)])
def test_a_console_that_exists_everywhere_is_enough(values: tuple[str, ...], tmp_path: pathlib.Path) -> None:
    assert plan(tmp_path, Wanted(), consoles(*values)).findings == ()


def test_the_consoles_of_another_entry_do_not_matter(tmp_path: pathlib.Path) -> None:
    changes = menu(f"{ROOT} console=tty0", f"{ROOT} console=hvc0")
    assert plan(tmp_path, Wanted(), changes).findings == ()


def test_a_guest_without_any_menu_cannot_be_judged(tmp_path: pathlib.Path) -> None:
    found = plan(tmp_path, DUAL, without=["/boot/grub/grub.cfg"])
    assert [(finding.id, finding.blocks) for finding in found.findings] == [("boot.no-menu", True)]
    assert not found


def test_what_is_decided_only_at_boot_is_said(tmp_path: pathlib.Path) -> None:
    changes = '=== /boot/grub/grub.cfg\nset default="${chosen}"\nsource /boot/grub/more.cfg\n' + small_guest.entry(
        VERSION
    )
    found = plan(tmp_path, Wanted(), changes)
    assert {(finding.id, finding.severity) for finding in found.findings} == {("boot.menu-unresolved", "info")}


ARGUMENTS = st.sampled_from(
    [
        "ro",
        "quiet",
        "console=hvc0",
        "console=tty0",
        "console=ttyS0,115200n8",
        "console=tty1",
        'dyndbg="file a +p"',
        "-- x",
    ]
)
LINES = st.lists(ARGUMENTS, max_size=6).map(" ".join)
NAMES = st.lists(st.sampled_from(["hvc0", "tty0", "ttyS0,115200n8", "tty1"]), max_size=3, unique=True).map(tuple)
WANTED = st.builds(
    Wanted,
    present=st.lists(st.sampled_from(["rootdelay=300", "quiet", "net.ifnames=0"]), max_size=2, unique=True).map(tuple),
    absent=st.lists(st.sampled_from(["ro", "dyndbg*", "notsc"]), max_size=2, unique=True).map(tuple),
    consoles=st.none() | NAMES,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=LINES, linux=LINES, linux_default=LINES, wanted=WANTED)
def test_a_second_run_finds_nothing_and_the_consoles_are_exactly_those_wanted(
    entry: str, linux: str, linux_default: str, wanted: Wanted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    quoted = [text.replace('"', "'").replace("'", "") for text in (linux, linux_default)]
    changes = menu(f"{ROOT} {entry}") + small_guest.defaults(*quoted)
    facts = small_guest.look(tmp_path_factory.mktemp("guest"), changes, parts=frozenset())
    found = kernel_cmdline.plan(facts, wanted)
    assert [finding for finding in found.findings if finding.id == "boot.cannot-edit"] == []
    again = small_guest.look(tmp_path_factory.mktemp("guest"), changes + sections(found), parts=frozenset())
    assert not kernel_cmdline.plan(again, wanted)
    (only,) = again.boot.entries
    line = cmdline.parse(only.cmdline)
    if wanted.consoles is not None:
        assert cmdline.values(line, "console") == wanted.consoles
    for argument in wanted.present:
        assert argument in [found.text for found in line.kernel_arguments]
    for pattern in wanted.absent:
        assert cmdline.without(line, pattern) == line
