# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's way from XenServer to Hyper-V and back: its disk by itself, and the running guest."""

from __future__ import annotations

import json
import pathlib
import subprocess
import typing as t

import pytest
from ansible_collections.rehost.hyperv.tests import lab
from ansible_collections.rehost.hyperv.tests.integration.lab import control, disk_tree
from ansible_collections.rehost.hyperv.tests.lab import recipe as recipes
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(lab.missing()), reason=lab.missing())]

RECIPE = recipes.find_recipe("bookworm", "xenserver")
SECONDS = 600  # for a boot, on a machine that is busy with other things as well

# What stands between this guest and Hyper-V: finding, subject, and whether it blocks.
IN_THE_WAY = {
    ("storage.kernel-name", "/dev/xvda1", True),
    ("storage.kernel-name", "/dev/xvda2", False),
    ("storage.grub-disables-uuid", "/etc/default/grub", False),
    ("xen.getty-hvc0", "/etc/systemd/system/getty.target.wants/serial-getty@hvc0.service", False),
    ("xen.guest-tools", "xe-guest-utilities", False),
    ("xen.sysctl", "/etc/sysctl.d/xen.conf", False),
}
HARMLESS = {
    ("xen.guest-tools", "xe-guest-utilities", False),
    ("xen.sysctl", "/etc/sysctl.d/xen.conf", False),
}
PREPARE: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "block_references": {"rehost.hyperv.block_references": {}},
    "kernel_cmdline": {"rehost.hyperv.kernel_cmdline": {"consoles": ["hvc0", "tty0", "ttyS0,115200n8"]}},
    "xen_leftovers": {"rehost.hyperv.xen_leftovers": {}},
    "initramfs_modules": {"rehost.hyperv.initramfs_modules": {}},
}
STATE_OF_GUEST = r"""
find / -xdev \( -path /dev -o -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var -o -path /root \) \
    -prune -o \
    -printf '%p %y %m %U:%G %T@ %s %l\n' | sort
find /etc /boot -xdev -type f -exec sha256sum {} + | sort -k 2
ls -d /var/lib/rehost* 2>&1 || true
"""
# A lease is written there at each boot.
OF_EACH_BOOT = ("/etc ", "/etc/resolv.conf", "  /etc/resolv.conf")


@pytest.fixture(scope="module")
def pristine() -> pathlib.Path:
    return lab.make_image(RECIPE.suite, RECIPE.flavour)


def findings_of(judged: t.Mapping[str, t.Any]) -> t.Set[t.Tuple[str, str, bool]]:
    return {(finding["id"], finding["subject"], finding["blocks"]) for finding in judged["findings"]}


def settle(host: t.Any) -> str:
    """The state of systemd when all of the boot's jobs are done."""
    return str(host.run("systemctl is-system-running --wait").stdout.strip())


def check_health(host: t.Any, swap: str) -> None:
    assert settle(host) == "running", host.run("systemctl --failed; journalctl -b -p err").stdout
    assert host.check_output("systemctl --failed --no-legend") == ""
    assert host.check_output("swapon --show=NAME --noheadings") == swap
    assert "Timed out waiting for device" not in host.check_output("journalctl -b --no-pager")


def test_a_guest_as_it_is_has_no_root_on_hyperv(pristine: pathlib.Path) -> None:
    with lab.start("hyperv-gen1", pristine, overlay=True) as machine:
        machine.wait_for_console("Gave up waiting for root file system device", SECONDS)
        machine.wait_for_console("ALERT!  /dev/xvda1 does not exist", 60)


class TestRunningGuest:
    """On XenServer all the time: judged, prepared for both hypervisors, started again, and rolled back."""

    @pytest.fixture(scope="class")
    @classmethod
    def disk(cls, pristine: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
        """The guest's, to be written to."""
        path = tmp_path_factory.mktemp("guest") / "guest.qcow2"
        subprocess.run(["qemu-img", "create", "-qf", "qcow2", "-F", "raw", "-b", pristine, path], check=True)
        return path

    @pytest.fixture(scope="class")
    @classmethod
    def xenserver(cls, disk: pathlib.Path) -> t.Iterator[lab.Machine]:
        with lab.start("xenserver", disk) as machine:
            machine.wait_for_ssh(SECONDS)
            yield machine

    @pytest.fixture(scope="class")
    @classmethod
    def looked_at(cls, xenserver: lab.Machine) -> t.Dict[str, t.Any]:
        look = {"rehost.hyperv.guest_info": {}}
        return control.run_tasks(xenserver.inventory, {"info": look, "judged": {"rehost.hyperv.readiness_info": {}}})

    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, xenserver: lab.Machine, looked_at: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
        """What each step returned, and asked once more in check mode; the state before; the verdict after."""
        before = xenserver.run(STATE_OF_GUEST).stdout
        again = {f"{name}_again": {**task, "check_mode": True} for name, task in PREPARE.items()}
        tasks = {**PREPARE, **again, "judged": {"rehost.hyperv.readiness_info": {}}}
        return {**control.run_tasks(xenserver.inventory, tasks), "before": before}

    @pytest.fixture(scope="class")
    @classmethod
    def started_again(
        cls, xenserver: lab.Machine, disk: pathlib.Path, prepared: t.Dict[str, t.Any]
    ) -> t.Iterator[lab.Machine]:
        """Stopped, and started on XenServer. Not by a reboot: after one, nobody reads the console hvc0 of the lab."""
        xenserver.stop()
        with lab.start("xenserver", disk) as machine:
            machine.wait_for_ssh(SECONDS)
            yield machine

    def test_the_guest_lives_on_its_xen_disk(self, xenserver: lab.Machine) -> None:
        assert xenserver.run("findmnt -no SOURCE /").stdout == "/dev/xvda1\n"
        assert xenserver.run("cat /sys/hypervisor/type").stdout == "xen\n"

    def test_guest_info_knows_xen_by_its_evidence(self, looked_at: t.Dict[str, t.Any]) -> None:
        guest = looked_at["info"]["guest"]
        assert guest["hypervisor"]["name"] == "xen-hvm"
        # What the lab's own emulator shows of itself.
        assert {evidence["points_to"] for evidence in guest["hypervisor"]["contradictions"]} <= {"qemu"}
        assert [(nic["name"], nic["kind"]) for nic in guest["nics"]] == [("eth0", "xen")]
        assert [(disk["name"], disk["kind"]) for disk in guest["disks"]] == [("xvda", "xen")]
        assert guest["problems"] == []

    def test_uuids_are_those_on_the_disk(self, looked_at: t.Dict[str, t.Any]) -> None:
        found = {
            name: device["uuid"] for device in looked_at["info"]["guest"]["block_devices"] for name in device["names"]
        }
        assert found == {"xvda1": RECIPE.root_uuid, "xvda2": RECIPE.swap_uuid}

    def test_it_is_not_ready_and_for_what_reasons(self, looked_at: t.Dict[str, t.Any]) -> None:
        judged = looked_at["judged"]
        (kernel,) = judged["kernels"]
        image = ("initramfs.missing-module", f"/boot/initrd.img-{kernel['version']}", True)
        assert judged["ready"] is False
        assert findings_of(judged) == IN_THE_WAY | {image}
        assert kernel["generation1"]["boots"] is False

    def test_each_step_changes_once(self, prepared: t.Dict[str, t.Any]) -> None:
        assert {name: prepared[name]["changed"] for name in PREPARE} == dict.fromkeys(PREPARE, True)
        assert {name: prepared[f"{name}_again"]["changed"] for name in PREPARE} == dict.fromkeys(PREPARE, False)

    def test_it_is_ready_while_it_still_runs_on_xenserver(self, prepared: t.Dict[str, t.Any]) -> None:
        assert prepared["judged"]["ready"] is True
        assert prepared["judged"]["generations"] == [1]
        assert findings_of(prepared["judged"]) == HARMLESS

    def test_it_starts_again_on_xenserver_by_uuid(self, started_again: lab.Machine) -> None:
        host = control.log_in(started_again)
        assert host.check_output("findmnt -no SOURCE /") == "/dev/xvda1"
        assert f"root=UUID={RECIPE.root_uuid}" in host.file("/proc/cmdline").content_string
        check_health(host, "/dev/xvda2")

    def test_rollback_leaves_every_path_as_it_was(
        self, started_again: lab.Machine, prepared: t.Dict[str, t.Any]
    ) -> None:
        def lines(state: str) -> t.Set[str]:
            return {line for line in state.split("\n") if not any(path in line for path in OF_EACH_BOOT)}

        rollback = {"rehost.hyperv.rollback": {}}
        done = control.run_tasks(started_again.inventory, {"once": rollback, "twice": rollback})
        assert (done["once"]["changed"], done["twice"]["changed"]) == (True, False)
        assert lines(started_again.run(STATE_OF_GUEST).stdout) ^ lines(prepared["before"]) == set()


class TestDisk:
    """Adapted while the guest is off, and then started on both."""

    @pytest.fixture(scope="class")
    @classmethod
    def adapted(cls, pristine: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
        output = tmp_path_factory.mktemp("adapted") / "guest.vhdx"
        before = pristine.stat()
        control.run_playbook(
            "rehost.hyperv.adapt",
            control.LOCAL,
            migration_adapt_image=str(pristine),
            migration_adapt_image_format="raw",
            migration_adapt_output=str(output),
            migration_adapt_backend="loop",
        )
        assert pristine.stat() == before
        assert sorted(path.name for path in output.parent.iterdir()) == ["guest.vhdx", "guest.vhdx.json"]
        return output

    @pytest.fixture(scope="class")
    @classmethod
    def hyperv(cls, adapted: pathlib.Path) -> t.Iterator[lab.Machine]:
        with lab.start("hyperv-gen1", adapted, overlay=True) as machine:
            machine.wait_for_ssh(SECONDS)
            yield machine

    def test_verdicts_are_written_down(self, adapted: pathlib.Path) -> None:
        report = json.loads(adapted.with_name("guest.vhdx.json").read_text())
        assert [finding for finding in findings_of(report["before"]) if finding[2]]
        assert report["before"]["ready"] is False
        assert report["after"]["ready"] is True
        assert findings_of(report["after"]) == HARMLESS

    def test_its_root_is_found_by_hv_storvsc(self, hyperv: lab.Machine) -> None:
        host = control.log_in(hyperv)
        assert host.check_output("findmnt -no SOURCE /") == "/dev/sda1"
        # .../vmbus device/host0/target0:0:0/0:0:0:0/block/sda
        device = host.check_output("readlink -f /sys/class/block/sda/device/../../..")
        assert host.check_output("readlink -f %s/subsystem", device) == "/sys/bus/vmbus"
        assert host.check_output("readlink -f %s/driver", device) == "/sys/bus/vmbus/drivers/hv_storvsc"

    def test_it_is_well_on_hyperv(self, hyperv: lab.Machine) -> None:
        check_health(control.log_in(hyperv), "/dev/sda2")

    def test_the_modules_agree_on_hyperv(self, hyperv: lab.Machine) -> None:
        tasks = {"info": {"rehost.hyperv.guest_info": {}}, "judged": {"rehost.hyperv.readiness_info": {}}}
        found = control.run_tasks(hyperv.inventory, tasks)
        guest = found["info"]["guest"]
        assert (guest["hypervisor"]["name"], guest["hypervisor"]["generation"]) == ("hyperv", 1)
        assert [(disk["name"], disk["kind"]) for disk in guest["disks"]] == [("sda", "synthetic")]
        assert found["judged"]["ready"] is True
        hyperv.cut_power()  # the next machine takes its place

    def test_it_is_well_on_xenserver_as_before(self, adapted: pathlib.Path) -> None:
        with lab.start("xenserver", adapted, overlay=True) as xenserver:
            xenserver.wait_for_ssh(SECONDS)
            host = control.log_in(xenserver)
            assert host.check_output("findmnt -no SOURCE /") == "/dev/xvda1"
            check_health(host, "/dev/xvda2")
            xenserver.wait_for_console("guest login:", 60, name="hvc0")

    def test_rollback_leaves_every_path_as_it_was(
        self, adapted: pathlib.Path, pristine: pathlib.Path, tmp_path: pathlib.Path
    ) -> None:
        restored = tmp_path / "restored.raw"
        control.run_playbook(
            "rehost.hyperv.rollback",
            control.LOCAL,
            migration_rollback_image=str(adapted),
            migration_rollback_output=str(restored),
        )
        before, adapted_tree, after = (disk_tree.read(image) for image in (pristine, adapted, restored))
        assert guest_tree.compare(before, adapted_tree)
        assert guest_tree.compare(before, after, directory_times=True) == []
