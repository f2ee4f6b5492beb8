# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import grub_cfg
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_choice, kernel_default, kernel_offline
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_packages import Brought
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_pin import Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, PackageFile
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.kernel_guest import NEW, OLD, VERSIONS, Machine, advanced_id, menu

IMAGE = f"linux-image-{NEW}"
STATE = (
    "=== /var/lib/dpkg/status\nPackage: {name}\nStatus: install ok {state}\nArchitecture: amd64\nVersion: {version}\n"
)
FIELDS = {"Package": IMAGE, "Version": VERSIONS[NEW], "Architecture": "amd64", "Installed-Size": "1024"}
FILE = PackageFile("/srv/kernel.deb", "0" * 64)


def state_of(state: str, name: str = IMAGE) -> str:
    return STATE.format(name=name, state=state, version=VERSIONS[NEW])


class Stopped(Machine):
    """The same guest, that does not run. Without a new kernel's files it has them still to come."""

    def __init__(self, path: pathlib.Path, versions: t.Sequence[str] = (OLD,), extra: str = "") -> None:
        super().__init__(path, versions, extra=extra)
        self.is_live = False


def wanted(fields: dict[str, str] | None = None, **more: t.Any) -> Wanted:
    return dataclasses.replace(
        Wanted(choice=kernel_choice.Wanted(kernel=NEW), trial=None, brought=(Brought(FILE, fields or FIELDS),)), **more
    )


def with_new_kernel(more: str = "") -> str:
    """The files of the new kernel, without a menu entry for it."""
    return small_guest.kernel(NEW) + f"=== /boot/grub/grub.cfg mode=0444\n{menu([OLD])}" + state_of("installed") + more


def test_a_kernel_that_was_brought_is_installed_while_the_old_one_is_the_default_by_name(
    tmp_path: pathlib.Path,
) -> None:
    machine = Stopped(tmp_path)
    step = machine.step(wanted())
    assert (step.phase, step.default, step.findings, step.goes_on) == ("install", NEW, (), True)
    assert step.installation is not None
    assert step.installation.packages == (FILE,)
    assert step.installation.report()["command"] == "dpkg --install kernel.deb"
    assert f"{NEW} is installed from packages" in step.why
    (change,) = [one for one in step.changes if one.path == "/boot/grub/grub.cfg"]
    assert isinstance(change, FileChange)
    assert f'set default="{advanced_id(OLD)}"' in (change.after or "")
    assert NEW not in (change.after or "")


def test_an_installed_kernel_gets_its_image_before_its_entry(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path, extra=with_new_kernel())
    image = tmp_path / f"boot/initrd.img-{NEW}"
    image.rename(tmp_path / "image")
    step = machine.step(wanted())
    assert (step.phase, step.default, step.goes_on) == ("repair", NEW, True)
    (command,) = step.commands
    assert (command.output, command.stays) == (f"/boot/initrd.img-{NEW}", True)
    assert command.argv[0] == "mkinitramfs"
    assert not any(one.path == "/boot/grub/grub.cfg" for one in step.changes)
    hook = next(text for path, text, _mode in command.inputs if path.startswith("/etc/initramfs-tools/hooks/"))
    for module in ("hv_storvsc", "xen_blkfront", "ext4"):
        assert module in hook

    image.write_bytes(b"\x1f\x8bcut off")
    assert machine.step(wanted()).commands == (command,)

    (tmp_path / "image").rename(image)
    assert machine.step(wanted()).commands == ()


def test_the_entry_is_that_which_update_grub_makes(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path, extra=with_new_kernel())
    step = machine.step(wanted())
    (change,) = [one for one in step.changes if one.path == "/boot/grub/grub.cfg"]
    assert isinstance(change, FileChange)
    made = {one.id_path: one for one in grub_cfg.all_entries(grub_cfg.parse(change.after or ""))}
    for one in grub_cfg.all_entries(grub_cfg.parse(menu([NEW, OLD]))):
        if one.id_path == advanced_id(NEW):
            ours = made[one.id_path]
            assert (ours.title, ours.classes, ours.initrds) == (one.title, one.classes, one.initrds)
            assert ours.kernel is not None
            assert one.kernel is not None
            assert (ours.kernel.path, ours.kernel.command_line) == (one.kernel.path, one.kernel.command_line)
    assert f'set default="{advanced_id(OLD)}"' in (change.after or "")


def test_every_stage_leaves_a_guest_that_starts(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path, extra=with_new_kernel())
    seen = []
    for _stage in range(5):
        step = machine.step(wanted())
        if not step.changes:
            break
        kernel_default_before = kernel_default.current(machine.look().boot)
        machine.run(wanted(), changes=len(step.changes))
        seen.append((step.phase, kernel_default_before, kernel_default.current(machine.look().boot)))
    assert seen == [("repair", OLD, OLD), ("done", OLD, NEW)]
    assert machine.restart() == NEW
    assert machine.step(wanted()).phase == "done"
    machine.update_grub([NEW, OLD])
    assert machine.restart() == NEW


@pytest.mark.parametrize("state", ["unpacked", "half-configured", "triggers-pending"])
def test_dpkg_goes_on_where_it_was_cut_off(tmp_path: pathlib.Path, state: str) -> None:
    machine = Stopped(tmp_path, extra=with_new_kernel(state_of(state)))
    step = machine.step(wanted())
    assert (step.phase, step.goes_on, step.commands) == ("repair", True, ())
    assert step.installation is not None
    assert step.installation.report()["command"] == "dpkg --configure -a"
    assert "half-installed" not in "".join(one.id for one in step.findings)


def test_a_kernel_whose_files_are_not_complete_yet_is_not_judged_by_them(tmp_path: pathlib.Path) -> None:
    config = f"=== /boot/config-{NEW}\n# CONFIG_HYPERV is not set\n"
    machine = Stopped(tmp_path, extra=with_new_kernel(state_of("half-configured") + config))
    (tmp_path / f"lib/modules/{NEW}/modules.dep").write_text("")
    asked = wanted(choice=kernel_choice.Wanted())
    step = machine.step(asked)
    assert (step.phase, step.kernel and step.kernel.release) == ("repair", NEW)
    status = tmp_path / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("half-configured", "installed"))
    assert [one.id for one in machine.step(asked).findings] == ["kernel.none-offered"]


def test_dpkg_does_not_go_on_where_it_would_run_the_scripts_of_others(tmp_path: pathlib.Path) -> None:
    update = "=== /var/lib/dpkg/updates/0001\nPackage: openssh-server\nStatus: install ok unpacked\nVersion: 1\n"
    machine = Stopped(tmp_path, extra=with_new_kernel(update))
    step = machine.step(wanted())
    assert (step.phase, step.changes, step.installation, step.default) == ("refused", (), None, OLD)
    assert [one.id for one in step.findings] == ["kernel.install-offline"]
    assert "openssh-server" in step.findings[0].message


def test_a_half_installed_kernel_is_installed_anew(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path, extra=with_new_kernel(state_of("half-installed")))
    step = machine.step(wanted())
    assert (step.phase, step.installation is not None and step.installation.packages) == ("install", (FILE,))


def test_without_its_package_a_half_installed_kernel_is_left_alone(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path, extra=with_new_kernel(state_of("half-installed")))
    step = machine.step(wanted(brought=()))
    assert (step.installation, [one.id for one in step.findings]) == (None, ["kernel.half-installed"])


def test_a_trial_cannot_be_asked_for(tmp_path: pathlib.Path) -> None:
    step = Stopped(tmp_path).step(wanted(trial=300))
    assert (step.phase, step.installation, [one.id for one in step.findings]) == ("refused", None, ["kernel.no-trial"])
    assert "trial: false" in step.findings[0].remedy


def refusal(machine: Machine, fields: dict[str, str] | None = None) -> tuple[str, str]:
    step = machine.step(wanted(fields))
    assert (step.phase, step.installation, step.changes, step.default) == ("refused", None, (), OLD)
    return step.findings[0].id, step.findings[0].message


def test_a_kernel_is_not_replaced_by_another_version_of_itself(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path)
    package = Brought(FILE, {**FIELDS, "Package": f"linux-image-{OLD}", "Version": "6.1.180-1"})
    asked = wanted(choice=kernel_choice.Wanted(kernel="6.1.180-1"), brought=(package,))
    step = machine.step(asked)
    assert (step.phase, step.installation) == ("refused", None)
    assert step.findings[0].id == "kernel.install-offline"
    assert "would replace the files" in step.findings[0].message


def test_a_guest_that_cannot_make_an_image_gets_no_kernel(tmp_path: pathlib.Path) -> None:
    machine = Stopped(tmp_path)
    (tmp_path / "usr/sbin/mkinitramfs").unlink()
    finding, message = refusal(machine)
    assert (finding, "nothing could make its image" in message) == ("kernel.install-offline", True)


def test_a_menu_without_versions_gets_no_kernel(tmp_path: pathlib.Path) -> None:
    text = menu([OLD]).replace(f", with Linux {OLD}", "").replace(f"gnulinux-{OLD}-", "gnulinux-")
    machine = Stopped(tmp_path, extra=f"=== /boot/grub/grub.cfg mode=0444\n{text}")
    finding, message = refusal(machine)
    assert (finding, "does not name its kernel" in message) == ("kernel.cannot-set-default", True)


def test_another_boot_loader_gets_no_kernel(tmp_path: pathlib.Path) -> None:
    legacy = f"default 0\ntitle Debian\nroot (hd0,0)\nkernel /boot/vmlinuz-{OLD} ro\ninitrd /boot/initrd.img-{OLD}\n"
    machine = Stopped(tmp_path, extra=f"=== /boot/grub/menu.lst\n{legacy}")
    (tmp_path / "boot/grub/grub.cfg").unlink()
    finding, message = refusal(machine)
    assert (finding, "grub-legacy" in message) == ("kernel.cannot-set-default", True)


@pytest.mark.parametrize("path", ["/", "/boot"])
def test_space_is_looked_for_first(tmp_path: pathlib.Path, path: str) -> None:
    facts = Stopped(tmp_path).look()
    taken = kernel_choice.Candidate(NEW, IMAGE, VERSIONS[NEW], kernel_choice.BROUGHT)
    brought = (Brought(FILE, {**FIELDS, "Installed-Size": "102400"}),)
    room = {"/": 400 << 20, "/boot": 100 << 20}
    for space, ids in ((room, []), ({**room, path: room[path] // 2}, ["kernel.no-space"])):
        roomy = dataclasses.replace(facts, free_bytes=space)
        stage = kernel_offline.to_install(roomy, taken, brought, OLD)
        assert [one.id for one in stage.findings] == ids
