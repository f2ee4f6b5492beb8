# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import OfflineRunner
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import kernel_pin as catalog
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Evidence, VmbusDevice
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.apt_cache import Offer
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_choice, kernel_pin, rollback
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_pin import Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, small_guest
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import (
    CLOUD,
    NEW,
    OLD,
    Machine,
    advanced_id,
    menu,
    menu_entry,
    status,
)


def named(kernel: str, **more: object) -> Wanted:
    return dataclasses.replace(Wanted(choice=kernel_choice.Wanted(kernel=kernel)), **more)  # type: ignore[arg-type]


def text(machine: Machine, path: str) -> str:
    return (machine.path / path.lstrip("/")).read_text()


def ids(step: kernel_pin.Step) -> list[str]:
    return [finding.id for finding in step.findings]


def test_a_kernel_that_passes_its_trial_becomes_the_default(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    step = machine.run(named(NEW))
    assert (step.phase, step.default) == ("restart", OLD)
    assert machine.restart() == NEW
    step = machine.run(named(NEW))
    assert (step.phase, step.default, step.findings) == ("done", NEW, ())
    assert [machine.restart(), machine.restart()] == [NEW, NEW]
    assert machine.step(named(NEW)).changes == ()
    for path in (catalog.GUARD, catalog.GUARD_UNIT, catalog.GUARD_WANTED, catalog.TRIAL):
        assert not (tmp_path / path[1:]).is_symlink()
        assert not (tmp_path / path[1:]).exists()
    assert catalog.TRIAL_ENTRY not in text(machine, "/boot/grub/grub.cfg")


def test_the_next_update_grub_makes_the_same_default(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    assert text(machine, catalog.GRUB_SETTING).endswith(f'GRUB_DEFAULT="{advanced_id(OLD)}"\n')
    machine.restart()
    machine.run(named(NEW))
    assert text(machine, catalog.GRUB_SETTING).endswith(f'GRUB_DEFAULT="{advanced_id(NEW)}"\n')


def test_a_trial_outlives_an_update_grub_before_it_starts(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    staged = text(machine, "/boot/grub/grub.cfg")
    machine.update_grub([NEW, OLD])
    # nothing but the empty line before the block is another one
    assert text(machine, "/boot/grub/grub.cfg").replace("\n\n", "\n") == staged
    assert machine.step(named(NEW)).changes == ()
    assert machine.restart() == NEW
    assert catalog.TRIAL_ENTRY in machine.cmdline
    assert machine.run(named(NEW)).phase == "done"
    machine.update_grub([NEW, OLD])
    assert catalog.TRIAL_ENTRY not in text(machine, "/boot/grub/grub.cfg")
    assert machine.restart() == NEW


def test_after_a_panic_the_old_kernel_starts_and_the_new_one_is_not_tried_again(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    assert machine.restart(broken=[NEW]) == OLD
    assert machine.started == [NEW, OLD]
    step = machine.run(named(NEW))
    assert (step.phase, step.default) == ("failed", OLD)
    assert ids(step) == ["kernel.trial-failed"]
    assert f"back on {OLD}" in step.findings[0].message
    assert "never reached user space" in step.findings[0].message
    assert machine.restart() == OLD
    assert not (tmp_path / catalog.GUARD[1:]).exists()
    assert machine.step(named(NEW)).changes == ()
    assert catalog.PREFERENCES not in [path.as_posix() for path in tmp_path.rglob("*")]


def test_what_the_guard_wrote_is_told(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.restart()
    log = tmp_path / catalog.LOG[1:]
    log.parent.mkdir(exist_ok=True)
    log.write_text("10:00:00 trial start-0\n10:00:00 it has reached user space\n10:05:00 nobody confirmed the trial\n")
    machine.restart()
    step = machine.run(named(NEW))
    assert "it has reached user space / 10:05:00 nobody confirmed the trial." in step.findings[0].message
    machine.run(named(NEW, retry=True))
    machine.restart(broken=[NEW])
    assert "never reached user space" in machine.run(named(NEW)).findings[0].message  # that log is of the one before


def test_a_kernel_that_failed_is_tried_again_when_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.restart(broken=[NEW])
    machine.run(named(NEW))
    assert machine.run(named(NEW, retry=True)).phase == "restart"
    assert machine.restart() == NEW
    assert machine.run(named(NEW)).phase == "done"


def test_the_run_that_hears_of_a_failure_may_try_again_at_once(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.restart(broken=[NEW])
    heard = machine.step(named(NEW, retry=True))
    assert [(finding.id, finding.severity) for finding in heard.findings] == [("kernel.trial-failed", "warning")]
    assert f"the trial of {NEW} failed" in heard.why.lower().replace(NEW.lower(), NEW)
    assert machine.run(named(NEW, retry=True)).phase == "restart"
    assert machine.restart() == NEW
    assert machine.run(named(NEW)).phase == "done"


@pytest.mark.parametrize("trial", [None, 300])
def test_a_failure_is_told_also_when_another_kernel_is_wanted_meanwhile(
    tmp_path: pathlib.Path, trial: int | None
) -> None:
    machine = Machine(tmp_path, [NEW, OLD, CLOUD])
    machine.run(named(NEW))
    machine.restart(broken=[NEW])
    heard = machine.step(named(CLOUD, trial=trial))
    assert "kernel.trial-failed" in ids(heard)
    assert machine.run(named(CLOUD, trial=trial)).phase == ("restart" if trial else "done")
    assert machine.restart() == CLOUD


def test_a_failure_before_another_kernel_is_installed_is_remembered(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.restart(broken=[NEW])
    machine.offered = (Offer(f"linux-image-{CLOUD}", "6.1.176-1", "bookworm/main"),)
    assert ids(machine.step(named(CLOUD))) == ["kernel.trial-failed"]
    assert machine.run(named(CLOUD)).phase == "install"
    assert ids(machine.step(named(NEW))) == ["kernel.trial-failed"]


def test_a_kernel_without_its_devices_is_not_confirmed_by_a_wish_for_another(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.restart()
    machine.offered = (Offer(f"linux-image-{CLOUD}", "6.1.176-1", "bookworm/main"),)
    facts = machine.look()
    adapter = VmbusDevice("a1b2", "f8615163-df3e-46c5-913f-f2d2f965ed0e", "network", None)
    facts = dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, vmbus=(adapter,)))
    step = kernel_pin.step(facts, named(CLOUD))
    assert (step.phase, step.default, ids(step)) == ("failed", OLD, ["kernel.trial-unhealthy"])
    assert {change.path for change in step.changes} == {catalog.PREFERENCES, catalog.KEPT}
    assert machine.run(named(CLOUD)).phase == "install"  # with its driver
    assert machine.restart() == NEW


def test_a_kernel_without_its_devices_is_not_confirmed(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.restart()
    facts = machine.look()
    adapter = VmbusDevice("a1b2", "f8615163-df3e-46c5-913f-f2d2f965ed0e", "network", None)
    facts = dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, vmbus=(adapter,)))
    step = kernel_pin.step(facts, named(NEW))
    assert (step.phase, step.default, ids(step)) == ("failed", OLD, ["kernel.trial-unhealthy"])
    bound = dataclasses.replace(adapter, driver="hv_netvsc")
    facts = dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, vmbus=(bound,)))
    assert kernel_pin.step(facts, named(NEW)).phase == "done"


@pytest.mark.slow
def test_a_power_cut_after_any_change_leaves_a_guest_that_starts_and_a_second_run_finishes(
    tmp_path: pathlib.Path,
) -> None:
    by_name = advanced_id(OLD)  # as it is since the kernel was installed
    stage = len(Machine(tmp_path / "whole", default=by_name).step(named(NEW)).changes)
    assert stage >= 7
    for cut in range(stage + 1):
        machine = Machine(tmp_path / f"stage-{cut}", default=by_name)
        machine.run(named(NEW), changes=cut)
        machine.restart(broken=[NEW])
        assert machine.running == OLD
        finish(machine)
    machine = Machine(tmp_path / "confirmed", default=by_name)
    machine.run(named(NEW))
    machine.restart()
    confirm = len(machine.step(named(NEW)).changes)
    assert confirm >= 6
    for cut in range(confirm + 1):
        machine = Machine(tmp_path / f"confirm-{cut}", default=by_name)
        machine.run(named(NEW))
        machine.restart()
        machine.run(named(NEW), changes=cut)
        assert machine.restart() in (OLD, NEW)
        finish(machine)


def finish(machine: Machine) -> None:
    """What a second run, restarted as often as it wants, ends with."""
    for _turn in range(4):
        step = machine.run(named(NEW, retry=machine.step(named(NEW)).phase == "failed" and not pending(machine)))
        if step.phase == "done":
            break
        if step.phase == "restart":
            machine.restart()
    assert step.phase == "done"
    assert [machine.restart(), machine.restart()] == [NEW, NEW]


def pending(machine: Machine) -> bool:
    return bool(machine.step(named(NEW)).changes)


def test_before_a_kernel_is_installed_the_one_that_runs_is_the_default_by_name(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD])
    machine.offered = (Offer(f"linux-image-{NEW}", "6.12.9-1~bpo12+1", "bookworm-backports/main"),)
    wanted = Wanted(choice=kernel_choice.Wanted(backports=True))
    step = machine.run(wanted)
    assert (step.phase, step.default) == ("install", OLD)
    report = step.report(machine.look())
    assert (report["package"], report["version"]) == (f"linux-image-{NEW}", "6.12.9-1~bpo12+1")
    # as the package's scripts make it anew, with the setting that is there
    default = text(machine, catalog.GRUB_SETTING).rpartition('="')[2].rstrip('"\n')
    (tmp_path / "boot/grub/grub.cfg").chmod(0o644)
    guest_tree.build(
        f"=== /boot/grub/grub.cfg\n{menu([NEW, OLD], default)}=== /boot/vmlinuz-{NEW}\nMZ\n", tmp_path / "after"
    )
    assert Machine(tmp_path / "again", [NEW, OLD], default=default).restart() == OLD


def test_no_kernel_is_installed_where_there_is_no_room(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD])
    machine.offered = (Offer(f"linux-image-{NEW}", "6.12.9-1", "bookworm/main"),)
    facts = dataclasses.replace(machine.look(), free_bytes={"/": 1 << 40, "/boot": 20 << 20, "/var/tmp": 1 << 40})
    step = kernel_pin.step(facts, Wanted())
    assert (step.phase, step.changes, ids(step)) == ("refused", (), ["kernel.no-space"])


@pytest.mark.parametrize("module", ["lvm", "diskfilter", "btrfs"])
def test_where_grub_cannot_write_no_kernel_is_tried(tmp_path: pathlib.Path, module: str) -> None:
    machine = Machine(tmp_path, module=module)
    step = machine.step(named(NEW))
    assert (step.phase, step.changes, ids(step)) == ("refused", (), ["kernel.no-trial"])
    assert "trial: false" in step.findings[0].remedy
    machine.run(named(NEW, trial=None))
    assert machine.restart() == NEW


@pytest.mark.parametrize("trial", [None, 300])
def test_a_kernel_that_does_not_find_its_root_is_neither_tried_nor_the_default(
    tmp_path: pathlib.Path, trial: int | None
) -> None:
    machine = Machine(tmp_path, extra=small_guest.kernel(NEW, image="ext4\nxen-blkfront\n"))
    facts = machine.look()
    evidence = (
        Evidence("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation", "hyperv", "firmware"),
        Evidence("/sys/firmware/efi", "absent", "generation-1", "firmware"),
    )
    facts = dataclasses.replace(facts, hypervisor=dataclasses.replace(facts.hypervisor, evidence=evidence))
    step = kernel_pin.step(facts, named(NEW, trial=trial))
    assert (step.phase, step.changes) == ("refused", ())
    (finding,) = step.findings
    assert "the guest would not start" in finding.message
    assert "initramfs_modules" in finding.remedy
    assert kernel_pin.step(facts, named(OLD, trial=trial)).phase == "done"


@pytest.mark.parametrize("trial", [None, 300])
@pytest.mark.parametrize(("is_on", "is_signed"), [(True, False), (True, True), (False, False), (None, False)])
def test_while_secure_boot_is_on_no_kernel_without_a_signature_is_tried_or_made_the_default(
    tmp_path: pathlib.Path, trial: int | None, is_on: bool | None, is_signed: bool
) -> None:
    facts = Machine(tmp_path).look()
    kernels = tuple([dataclasses.replace(kernel, is_signed=is_signed) for kernel in facts.kernels])
    hypervisor = dataclasses.replace(facts.hypervisor, secure_boot=is_on)
    step = kernel_pin.step(dataclasses.replace(facts, kernels=kernels, hypervisor=hypervisor), named(NEW, trial=trial))
    if is_on and not is_signed:
        assert (step.phase, step.changes) == ("refused", ())
        (finding,) = step.findings
        assert "it has no signature, and Secure Boot is on" in finding.message
        assert "-EnableSecureBoot Off" in finding.remedy
    else:
        assert step.phase == ("restart" if trial else "done")


def test_a_guest_that_does_not_run_gets_its_default_without_a_trial(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.is_live = False
    assert ids(machine.step(named(OLD))) == ["kernel.no-trial"]
    assert machine.run(named(OLD, trial=None)).phase == "done"
    assert machine.restart() == OLD


def test_a_kernel_that_dpkg_has_not_finished_is_not_tried(tmp_path: pathlib.Path) -> None:
    half = status([OLD, NEW]).replace(
        f"Package: linux-image-{NEW}\nStatus: install ok installed", f"Package: linux-image-{NEW}\nStatus: install ok x"
    )
    machine = Machine(tmp_path, extra=half.replace("install ok x", "install ok half-configured"))
    step = machine.step(named(NEW))
    assert (step.phase, ids(step)) == ("repair", ["kernel.half-installed"])
    assert "half-configured" in step.findings[0].message


def test_nothing_is_installed_before_dpkg_has_settled_an_interruption(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD], extra="=== /var/lib/dpkg/updates/0001\nPackage: x\n")
    machine.offered = (Offer(f"linux-image-{NEW}", "6.12.9-1", "bookworm/main"),)
    assert (machine.step(Wanted()).phase, machine.step(Wanted()).changes[:-2]) == ("repair", ())


def test_a_kernel_whose_image_is_cut_off_is_not_tried(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    image = tmp_path / f"boot/initrd.img-{NEW}"
    image.write_bytes(image.read_bytes()[:-20])
    assert machine.step(named(NEW)).phase == "repair"
    image.unlink()
    assert machine.step(named(NEW)).phase == "repair"


def test_pins_name_the_kernel_and_keep_apt_from_removing_it(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD])
    machine.run(Wanted())
    assert f"Package: linux-image-{OLD}\nPin: version 6.1.176-1\nPin-Priority: 1001\n" in text(
        machine, catalog.PREFERENCES
    )
    assert 'NeverAutoRemove { "^linux-image-6\\.1\\.0-50-amd64$"; };' in text(machine, catalog.KEPT)
    assert machine.step(Wanted()).hold == (f"linux-image-{OLD}",)


def test_known_bad_kernels_are_kept_away_also_when_they_are_no_longer_offered(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD])
    machine.offered = (Offer("linux-image-6.1.0-21-amd64", "6.1.90-1", "bookworm/main"),)
    machine.run(Wanted())
    stanza = "Package: linux-image-*\nPin: version 6.1.90-1\nPin-Priority: -1\n"
    assert stanza in text(machine, catalog.PREFERENCES)
    machine.offered = ()
    assert machine.step(Wanted()).changes == ()


def test_absent_leaves_nothing_but_the_journal(tmp_path: pathlib.Path) -> None:
    machine = Machine(
        tmp_path, extra="=== /etc/default/grub.d/\n=== /etc/apt/preferences.d/\n=== /etc/apt/apt.conf.d/\n"
    )
    before = guest_tree.snapshot(tmp_path)
    machine.run(named(NEW))
    machine.restart()
    machine.run(named(NEW))
    step = machine.run(Wanted(is_present=False))
    assert step.phase == "done"
    after = guest_tree.snapshot(tmp_path)
    assert after["/boot/grub/grub.cfg"].content == before["/boot/grub/grub.cfg"].content
    kept = {path for path in after if path not in before and after[path].kind != "directory"}
    assert {path for path in kept if not path.startswith("/var/lib/rehost-hyperv/")} == {"/boot/grub/grubenv"}
    assert machine.restart() == NEW  # the first entry, as before


def test_a_trial_that_is_called_off_is_not_started(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    machine.run(named(NEW))
    machine.run(named(OLD))
    assert machine.restart() == OLD
    assert machine.step(named(OLD)).phase == "done"


def test_a_rollback_after_the_trial_undoes_everything(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path)
    before = guest_tree.snapshot(tmp_path)
    machine.run(named(NEW))
    root = Root(str(tmp_path))
    plan = rollback.plan(gather(root, {"history"}))
    assert plan
    assert plan.findings == ()
    apply(root, plan, OfflineRunner(root))
    assert guest_tree.snapshot(tmp_path) == before


def test_dkms_modules_that_are_not_built_for_the_kernel_are_named(tmp_path: pathlib.Path) -> None:
    dkms = f"=== /var/lib/dkms/nvidia/535/source -> /usr/src/nvidia-535\n=== /var/lib/dkms/nvidia/535/{OLD}/\n"
    machine = Machine(tmp_path, extra=dkms)
    step = machine.step(named(NEW))
    assert ids(step) == ["kernel.dkms-missing"]
    assert f"linux-headers-{NEW} are not installed" in step.findings[0].message
    assert ids(machine.step(named(OLD))) == []


def test_a_default_that_cannot_be_told_changes_nothing(tmp_path: pathlib.Path) -> None:
    twice = f'set default="1"\nset default="2"\n{menu_entry("Linux", "x", OLD)}'
    machine = Machine(tmp_path, [OLD], extra=f"=== /boot/grub/grub.cfg\n{twice}")
    step = machine.step(named(OLD))
    assert (step.phase, step.changes, ids(step)) == ("refused", (), ["kernel.cannot-set-default"])


def test_another_flavour_is_taken_when_it_is_asked_for(tmp_path: pathlib.Path) -> None:
    machine = Machine(tmp_path, [OLD, CLOUD])
    step = machine.step(Wanted(choice=kernel_choice.Wanted(flavour="cloud-amd64")))
    assert step.phase == "restart"
    assert step.kernel is not None
    assert step.kernel.release == CLOUD
