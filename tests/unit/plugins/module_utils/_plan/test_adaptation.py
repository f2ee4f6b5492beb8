# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import (
    BASELINE,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Evidence, GuestFacts, Problem
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import guest_state
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import (
    adaptation,
    block_references,
    integration_services,
    kernel_cmdline,
    network_pairs,
    nic_switch,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.adaptation import Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Plan
from ansible_collections.rehost.hyperv.tests.unit import small_guest, state_builder
from ansible_collections.rehost.hyperv.tests.unit.small_guest import VERSION, entry

XEN = Evidence("/sys/hypervisor/type", "xen", "xen", "interface")
HYPERV = Evidence("/sys/class/dmi/id/product_name", "Virtual Machine", "hyperv", "firmware")
WHOLE = Wanted(network=nic_switch.Wanted(), integration=integration_services.Wanted())
KVM = Evidence("CPUID", "KVMKVMKVM", "kvm", "cpu")


def on(facts: GuestFacts, *evidence: Evidence) -> GuestFacts:
    return dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, evidence=evidence))


def test_adapters_that_nothing_tells_apart_keep_no_guest_from_being_adapted(tmp_path: pathlib.Path) -> None:
    interfaces = "=== /etc/network/interfaces\nauto eth0 eth1\niface eth0 inet dhcp\niface eth1 inet dhcp\n"
    facts = small_guest.look(tmp_path, small_guest.fstab("/dev/xvda1 / ext4 errors=remount-ro 0 1") + interfaces)
    planned = adaptation.plan(facts, WHOLE)
    assert "network.cannot-be-switched" in [finding.id for finding in planned.findings]
    assert "/etc/fstab" in [change.path for change in planned.changes]
    told = nic_switch.Wanted(pairs=(network_pairs.WantedPair("eth7"),))
    with pytest.raises(GuestError, match="eth7"):
        adaptation.plan(facts, dataclasses.replace(WHOLE, network=told))


def test_a_file_that_two_planners_edit_changes_once_and_names_both_reasons(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path, small_guest.grub(entry(VERSION, "root=/dev/xvda1 ro console=hvc0")))
    changes = [change for change in adaptation.plan(facts, Wanted()).changes if change.path == "/boot/grub/grub.cfg"]
    (change,) = changes
    assert isinstance(change, FileChange)
    assert change.before is not None
    assert "root=/dev/xvda1" in change.before
    assert change.after is not None
    assert f"root=UUID={small_guest.ROOT_UUID}" in change.after
    assert "console=hvc0 console=tty0 console=ttyS0,115200n8" in change.after
    assert change.reason == f"{block_references.REASON}; kernel arguments fit the hypervisor"


def test_a_change_that_another_takes_back_is_none() -> None:
    first = FileChange("/etc/x", "a", "b", "one")
    second = FileChange("/etc/x", "b", "a", "two")
    assert not adaptation.merge([Plan((first,)), Plan((second,))])
    assert adaptation.merge([Plan((first,)), Plan()]) == Plan((first,))


def test_facts_are_foreseen_where_they_are_text_and_nowhere_else(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path, "=== /etc/modprobe.d/x.conf\nblacklist hv_vmbus\n")
    seen = adaptation.foresee(
        facts, [FileChange("/etc/fstab", "", "new\n", ""), FileChange("/etc/modprobe.d/x.conf", "", None, "")]
    )
    assert seen.storage.fstab is not None
    assert seen.storage.fstab.text == "new\n"
    assert seen.xen.modprobe == ()
    assert seen.kernels is facts.kernels
    assert adaptation.foresee(facts, []) is facts


def test_without_xen_its_console_is_none(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    texts = {
        keep: "".join(
            c.after or "" for c in adaptation.plan(facts, Wanted(keep_xen=keep)).changes if isinstance(c, FileChange)
        )
        for keep in (True, False)
    }
    assert "console=hvc0" in texts[True]
    assert "hvc0" not in texts[False]
    assert "console=tty0" in texts[False]


@pytest.mark.parametrize(
    ("evidence", "wanted", "fits"),
    [
        (XEN, ("xen",), True),
        (XEN, ("hyperv",), False),
        (HYPERV, ("hyperv",), True),
        (HYPERV, ("xen", "hyperv"), True),
        (KVM, ("xen", "hyperv"), False),
        (KVM, (), True),
    ],
)
def test_a_guest_elsewhere_is_refused_before_anything_changes(
    tmp_path: pathlib.Path, evidence: Evidence, wanted: t.Tuple[str, ...], fits: bool
) -> None:
    facts = on(small_guest.look(tmp_path), evidence)
    if fits:
        adaptation.plan(facts, Wanted(hypervisors=wanted))
        return
    with pytest.raises(GuestError) as raised:
        adaptation.plan(facts, Wanted(hypervisors=wanted))
    assert "nothing was changed" in raised.value.message
    assert evidence.value in raised.value.message


def baseline_change(facts: GuestFacts, which: str) -> t.Optional[FileChange]:
    found = [change for change in adaptation.plan(facts, Wanted(baseline=which)).changes if change.path == BASELINE]
    return t.cast("t.Optional[FileChange]", found[0] if found else None)


def test_the_first_baseline_stays_and_the_latest_is_of_this_boot(tmp_path: pathlib.Path) -> None:
    now = dataclasses.replace(on(small_guest.look(tmp_path), XEN), state=state_builder.make(boot_id="two"))
    assert baseline_change(now, "none") is None
    taken = baseline_change(now, "first")
    assert taken is not None
    assert (taken.before, taken.mode) == (None, 0o600)
    assert taken.after is not None
    assert guest_state.parse(taken.after) == guest_state.Baseline("xen-pv", now.state)  # type: ignore[arg-type]
    earlier = guest_state.Baseline("xen-pv", state_builder.make(boot_id="one"))
    with_one = dataclasses.replace(now, baseline=earlier)
    assert baseline_change(with_one, "first") is None
    renewed = baseline_change(with_one, "latest")
    assert renewed is not None
    assert renewed.before == guest_state.render(earlier)
    of_now = dataclasses.replace(now, baseline=guest_state.parse(renewed.after or ""))
    assert baseline_change(of_now, "latest") is None


def test_a_guest_that_does_not_run_has_no_baseline_and_a_damaged_one_is_kept(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    assert baseline_change(facts, "latest") is None
    damaged = dataclasses.replace(facts, state=state_builder.make(), problems=(Problem(BASELINE, "damaged"),))
    assert baseline_change(damaged, "latest") is None


def test_consoles_of_the_operator_win(tmp_path: pathlib.Path) -> None:
    facts = small_guest.look(tmp_path)
    wanted = Wanted(consoles=("ttyS1",))
    alone = kernel_cmdline.plan(facts, kernel_cmdline.Wanted(consoles=("ttyS1",)))
    assert {c.path: c.after for c in adaptation.plan(facts, wanted).changes if isinstance(c, FileChange)} == {
        c.path: c.after for c in alone.changes if isinstance(c, FileChange)
    }
