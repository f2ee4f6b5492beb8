# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every golden guest: the verdict on it, and the laws of planning, applying and rolling back."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from ansible.module_utils import basic
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import Runner
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog.paths import (
    BASELINE,
    DRACUT_CONFIG,
    INITRAMFS_HOOK,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import EVERYTHING, ImageDisk, gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import BlockDevice, GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.state import gather_baseline
from ansible_collections.rehost.hyperv.plugins.module_utils._formats.superblock import FileSystem
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import (
    adaptation,
    block_references,
    initramfs_modules,
    integration_services,
    kernel_cmdline,
    nic_switch,
    readiness,
    rollback,
    xen_leftovers,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Command, FileChange, Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.plugins.modules import block_references as block_references_module
from ansible_collections.rehost.hyperv.plugins.modules import (
    guest_adaptation,
    guest_info,
    readiness_info,
    verification_info,
)
from ansible_collections.rehost.hyperv.plugins.modules import initramfs_modules as initramfs_modules_module
from ansible_collections.rehost.hyperv.plugins.modules import integration_services as integration_services_module
from ansible_collections.rehost.hyperv.plugins.modules import kernel_cmdline as kernel_cmdline_module
from ansible_collections.rehost.hyperv.plugins.modules import kvp as kvp_module
from ansible_collections.rehost.hyperv.plugins.modules import kvp_info as kvp_info_module
from ansible_collections.rehost.hyperv.plugins.modules import nic_switch as nic_switch_module
from ansible_collections.rehost.hyperv.plugins.modules import rollback as rollback_module
from ansible_collections.rehost.hyperv.plugins.modules import xen_leftovers as xen_leftovers_module
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, initramfs_builder, state_builder

ROOT_UUID = "5f1c9a52-6a3b-4f6e-9d0c-7e3b1a2c4d5e"
SWAP_UUID = "c0a81f3e-2b7d-4e59-8f10-93d4b6a7e8f9"
DATA_UUID = "7b2d0f4c-91e5-4a38-b6c1-2f8e4d5a6b70"


def device(names: str, kind: str, uuid: str | None, partition_uuid: str | None = None) -> BlockDevice:
    return BlockDevice(tuple(names.split()), FileSystem(kind, uuid) if uuid else None, partition_uuid)


ROOT_DISK = device("xvda1 sda1 hda1 vda1", "ext4", ROOT_UUID)
SWAP_DISK = device("xvda2 sda2 hda2 vda2", "swap", SWAP_UUID)
LOGICAL_SWAP_DISK = device("xvda5 sda5 hda5 vda5", "swap", SWAP_UUID)


class Expectation(t.NamedTuple):
    """What a golden guest's manifest says of it. kernels: whether each boots on generations 1 and 2."""

    devices: tuple[BlockDevice, ...]
    kernels: dict[str, tuple[bool, bool]]
    findings: set[tuple[str, str]]
    adapted: tuple[int, ...]  # the generations on which it is ready after all that can be done was done
    adapted_findings: t.AbstractSet[tuple[str, str]] = frozenset()
    generations: tuple[int, ...] = ()  # those on which the default kernel boots as the guest is
    ready: bool = False
    has_boot_code: bool = True
    has_esp: bool = False


def missing(version: str) -> tuple[str, str]:
    return ("initramfs.missing-module", f"/boot/initrd.img-{version}")


def defective(version: str) -> tuple[str, str]:
    return ("kernel.known-defect", version)


NO_DAEMONS = ("integration.daemons-unavailable", "hyperv-daemons")
FIXED_MEMORY = ("integration.memory-32bit", "i386")
HVC0_LINK = ("xen.getty-hvc0", "/etc/systemd/system/getty.target.wants/serial-getty@hvc0.service")
TOOLS = ("xen.guest-tools", "xe-guest-utilities")
NETWORKD = ("network.xen-name", "/etc/systemd/network/10-lan.network")
AGENT = ("xen.guest-tools", "xen-guest-agent")
TOOLS_FILES = ("xen.guest-tools-files", "/etc/init.d/xe-linux-distribution")
DEBIAN_9 = {
    ("storage.kernel-name", "/dev/xvda1"),
    ("storage.kernel-name", "/dev/xvda5"),
    ("storage.grub-disables-uuid", "/etc/default/grub"),
    TOOLS_FILES,
}

EXPECTED = {
    "debian6-hvm": Expectation(
        devices=(ROOT_DISK, LOGICAL_SWAP_DISK, device("xvdb1 sdb1 hdb1 vdb1", "ext3", DATA_UUID)),
        kernels={"2.6.32-5-amd64": (False, False)},
        findings={
            NO_DAEMONS,
            missing("2.6.32-5-amd64"),
            defective("2.6.32-5-amd64"),
            ("storage.kernel-name", "/dev/hda5"),
            ("storage.kernel-name", "/dev/hdb1"),
        },
        adapted=(1,),
        adapted_findings={defective("2.6.32-5-amd64")},
    ),
    "debian6-pv-pygrub": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        has_boot_code=False,
        kernels={"2.6.32-5-xen-amd64": (False, False)},
        findings={
            NO_DAEMONS,
            missing("2.6.32-5-xen-amd64"),
            defective("2.6.32-5-xen-amd64"),
            ("boot.no-loader", "/boot"),
            ("storage.kernel-name", "/dev/xvda1"),
            ("storage.kernel-name", "/dev/xvda2"),
            ("console.only-xen", "console=hvc0"),
            ("xen.no-tty-getty", "/etc/inittab"),
            ("xen.getty-hvc0", "/etc/inittab"),
            ("xen.module-options", "/etc/modprobe.d/xen.conf"),
            ("xen.module-options", "/etc/modules"),
            ("xen.sysctl", "/etc/sysctl.conf"),
            TOOLS,
        },
        adapted=(),
        adapted_findings={("boot.no-loader", "/boot"), defective("2.6.32-5-xen-amd64")},
    ),
    "debian7-hvm": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        kernels={"3.2.0-4-amd64": (False, False)},
        findings={
            NO_DAEMONS,
            missing("3.2.0-4-amd64"),
            ("xen.getty-hvc0", "/etc/inittab"),
            TOOLS,
        },
        adapted=(1,),
    ),
    "debian8-hvm": Expectation(
        devices=(ROOT_DISK, SWAP_DISK, device("xvdb1 sdb1 hdb1 vdb1", "ext4", DATA_UUID)),
        kernels={"3.16.0-11-amd64": (False, False)},
        findings={
            ("storage.kernel-name", "/dev/xvdb1"),
            ("console.only-xen", "console=hvc0"),
            ("xen.sysctl", "/etc/sysctl.d/xen.conf"),
            HVC0_LINK,
            TOOLS,
        },
        adapted=(1,),
    ),
    "debian9": Expectation(
        devices=(ROOT_DISK, LOGICAL_SWAP_DISK),
        kernels={"4.9.0-19-amd64": (False, False)},
        findings={missing("4.9.0-19-amd64"), defective("4.9.0-19-amd64"), *DEBIAN_9},
        adapted=(1,),
        adapted_findings={defective("4.9.0-19-amd64")},
    ),
    "debian9-i386": Expectation(
        devices=(ROOT_DISK, LOGICAL_SWAP_DISK),
        kernels={"4.9.0-19-686-pae": (False, False)},
        findings={missing("4.9.0-19-686-pae"), defective("4.9.0-19-686-pae"), FIXED_MEMORY, *DEBIAN_9},
        adapted=(),
        adapted_findings={defective("4.9.0-19-686-pae")},
    ),
    "debian10-hvm": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        kernels={"4.19.0-27-amd64": (False, False), "4.19.0-26-amd64": (True, False)},
        findings={
            missing("4.19.0-27-amd64"),
            defective("4.19.0-27-amd64"),
            ("xen.blacklists-hyperv", "/etc/modprobe.d/local.conf"),
            ("xen.module-options", "/etc/modules"),
            TOOLS,
        },
        adapted=(1,),
        adapted_findings={defective("4.19.0-27-amd64")},
    ),
    "debian11-hvm": Expectation(
        devices=(
            device("xvda1 sda1 hda1 vda1", "ext2", ROOT_UUID),
            device("xvda2 sda2 hda2 vda2", "LVM2_member", "q3kZ0V-Xw1c-7YbH-2dTn-LmPe-5rFs-GaJo8u"),
            device("xvdb1 sdb1 hdb1 vdb1", "", None, "3d6a51c8-01"),
        ),
        kernels={"5.10.0-32-amd64": (False, False)},
        findings={
            missing("5.10.0-32-amd64"),
            defective("5.10.0-32-amd64"),
            ("storage.kernel-name", "a|^/dev/xvd.*|"),
            ("storage.kernel-name", "/dev/xvdb1"),
            HVC0_LINK,
            TOOLS,
        },
        adapted=(1,),
        adapted_findings={defective("5.10.0-32-amd64")},
    ),
    "debian12-dracut": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        kernels={"6.1.0-50-amd64": (False, False)},
        findings={missing("6.1.0-50-amd64"), ("network.xen-name", "/etc/network/interfaces"), AGENT},
        adapted=(1,),
    ),
    "debian12-hvm": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        kernels={"6.1.0-50-amd64": (False, False)},
        findings={
            missing("6.1.0-50-amd64"),
            ("storage.kernel-name", "/dev/xvda2"),
            ("xen.sysctl", "/etc/sysctl.d/60-xen.conf"),
            ("network.xen-name", "/etc/network/interfaces"),
            HVC0_LINK,
            TOOLS,
        },
        adapted=(1,),
    ),
    "debian12-hyperv-gen2": Expectation(
        devices=(device("sda2", "ext4", ROOT_UUID), device("sda3", "swap", SWAP_UUID)),
        has_boot_code=False,
        has_esp=True,
        kernels={"6.1.0-50-amd64": (False, True)},
        findings=set(),
        generations=(2,),
        ready=True,
        adapted=(2,),
    ),
    "debian12-hyperv-ready": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        kernels={"6.1.0-50-amd64": (True, False)},
        findings=set(),
        generations=(1,),
        ready=True,
        adapted=(1,),
    ),
    "debian13-hvm": Expectation(
        devices=(ROOT_DISK, SWAP_DISK),
        kernels={"6.12.107+deb13-amd64": (False, False)},
        findings={("xen.blacklists-hyperv", "/etc/modprobe.d/blacklist-hyperv.conf"), NETWORKD, AGENT},
        adapted=(1,),
    ),
}
# what stays on a guest that must still boot on Xen
HARMLESS = {
    *("xen.guest-tools", "xen.guest-tools-files", "xen.sysctl", "xen.module-options"),
    *("integration.daemons-unavailable", "integration.memory-32bit"),
}
HARMLESS_GETTY = ("xen.getty-hvc0", "/etc/inittab")

PLANNERS: dict[str, t.Callable[[GuestFacts], Plan]] = {
    "xen_leftovers": lambda facts: xen_leftovers.plan(facts, "dual_boot"),
    "block_references": block_references.plan,
    "kernel_cmdline": lambda facts: kernel_cmdline.plan(
        facts, kernel_cmdline.Wanted(consoles=kernel_cmdline.DUAL_BOOT_CONSOLES)
    ),
    "nic_switch": lambda facts: nic_switch.plan(facts, nic_switch.Wanted()).plan,
    "initramfs_modules": lambda facts: initramfs_modules.plan(facts, initramfs_modules.Wanted(keep_xen=True)),
    "integration_services": lambda facts: integration_services.plan(facts, integration_services.Wanted()),
}
every_guest = pytest.mark.parametrize("name", guest_tree.NAMES)


class Guest(t.NamedTuple):
    """A golden guest, built."""

    name: str
    path: pathlib.Path

    @property
    def root(self) -> Root:
        return Root(str(self.path))

    def look(self, parts: t.AbstractSet[str] = EVERYTHING) -> GuestFacts:
        expected = EXPECTED[self.name]
        return gather(self.root, parts, ImageDisk(expected.devices, expected.has_boot_code, expected.has_esp))

    def read(self, path: str) -> str:
        return (self.path / path.lstrip("/")).read_text()


@pytest.fixture
def guest(name: str, tmp_path: pathlib.Path) -> Guest:
    guest_tree.build_guest(name, tmp_path / name)
    return Guest(name, tmp_path / name)


class GuestProgram(Runner):
    """Makes images as the guest's mkinitramfs or dracut would: from the configuration in its tree, and no more."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def generate(self, command: Command, target: t.BinaryIO) -> None:
        is_dracut = command.argv[0] == "dracut"
        version = command.argv[command.argv.index("--kver") + 1] if is_dracut else command.argv[-1]
        inputs = {path: text for path, text, _mode in command.inputs}
        paths = self._paths(version)
        wanted = self._wanted_by_dracut(command.argv) if is_dracut else self._wanted_by_mkinitramfs(inputs, paths)
        base = f"usr/lib/modules/{version}"
        items = [
            initramfs_builder.Item("init", b"#!/bin/sh\n", 0o100755),
            *(initramfs_builder.Item(f"{base}/{path}", b"\x7fELF") for path in sorted(self._closure(wanted, paths))),
            *(initramfs_builder.Item(f"etc/modprobe.d/{path.name}", path.read_bytes()) for path in self._modprobe()),
        ]
        if not is_dracut:
            files = self._directory("etc/initramfs-tools/conf.d")
            items += [initramfs_builder.Item(f"conf/conf.d/{path.name}", path.read_bytes()) for path in files]
        target.write(initramfs_builder.build_image([("gzip", items)]))

    def _paths(self, version: str) -> dict[str, tuple[str, list[str]]]:
        """Of every module its path and the paths that it needs."""
        found = {}
        for line in self.guest.read(f"lib/modules/{version}/modules.dep").splitlines():
            path, _colon, needs = line.partition(":")
            found[guest_tree.module_name(path)] = (path, needs.split())
        return found

    @staticmethod
    def _closure(names: t.Iterable[str], paths: dict[str, tuple[str, list[str]]]) -> set[str]:
        held = [paths[name] for name in names if name in paths]
        return {path for path, _needs in held} | {need for _path, needs in held for need in needs}

    def _directory(self, path: str) -> list[pathlib.Path]:
        directory = self.guest.path / path
        return sorted(directory.iterdir()) if directory.is_dir() else []

    def _modprobe(self) -> list[pathlib.Path]:
        return [path for path in self._directory("etc/modprobe.d") if path.suffix == ".conf"]

    def _wanted_by_mkinitramfs(self, inputs: dict[str, str], paths: t.Iterable[str]) -> set[str]:
        texts = {"/" + str(path.relative_to(self.guest.path)): path.read_text() for path in self._tool_files()}
        texts.update(inputs)
        main = "/etc/initramfs-tools/initramfs.conf"
        configs = [main, *sorted(path for path in texts if path.startswith("/etc/initramfs-tools/conf.d/"))]
        policies = [policy for path in configs for policy in re.findall(r"^MODULES=(\w+)", texts[path], re.MULTILINE)]
        if policies[-1] == "dep":
            raise GuestError("mkinitramfs: failed to determine device for /")
        wanted = set(paths) if policies[-1] == "most" else set()
        for path, text in texts.items():
            if path.startswith("/etc/initramfs-tools/hooks/"):
                for names in re.findall(r"^for module in (.*); do$", text, re.MULTILINE):
                    wanted.update(names.split())
        return wanted

    def _tool_files(self) -> list[pathlib.Path]:
        below = [path for name in ("conf.d", "hooks") for path in self._directory(f"etc/initramfs-tools/{name}")]
        return [self.guest.path / "etc/initramfs-tools/initramfs.conf", *below]

    def _wanted_by_dracut(self, argv: tuple[str, ...]) -> set[str]:
        texts = "".join(path.read_text() for path in self._directory("etc/dracut.conf.d"))
        added = [*re.findall(r'^add_drivers\+="(.*)"$', texts, re.MULTILINE), argv[argv.index("--drivers") + 1]]
        return set(" ".join(added).split())


def adapt(guest: Guest) -> None:
    """What playbook adapt does: each planner in its turn, and a second look that finds nothing left to do."""
    for name, planner in PLANNERS.items():
        plan = planner(guest.look())
        if plan:
            apply(guest.root, plan, GuestProgram(guest))
        assert not planner(guest.look()), name


def subjects(findings: t.Iterable[t.Any]) -> set[tuple[str, str]]:
    return {(finding.id, finding.subject) for finding in findings}


def test_every_golden_guest_has_an_expectation() -> None:
    assert set(EXPECTED) == set(guest_tree.NAMES)


@every_guest
def test_a_guest_is_judged_as_its_manifest_says(guest: Guest) -> None:
    expected = EXPECTED[guest.name]
    facts = guest.look()
    assert facts.problems == ()
    found = readiness.assess(facts)
    verdicts = {kernel.version: (kernel.generation1.boots, kernel.generation2.boots) for kernel in found.kernels}
    assert verdicts == expected.kernels
    assert subjects(found.findings) == expected.findings
    assert (found.ready, found.generations) == (expected.ready, expected.generations)
    assert found.ready is not any(finding.blocks for finding in found.findings)


# Of each guest: the findings of integration_services, and whether a kernel of it leaves memory idle that is added.
INTEGRATION: dict[str, tuple[list[str], bool]] = {
    **dict.fromkeys(("debian6-hvm", "debian6-pv-pygrub", "debian7-hvm"), (["daemons-unavailable"], False)),
    **dict.fromkeys(("debian8-hvm", "debian9", "debian10-hvm", "debian11-hvm"), (["daemons-missing", "hot-add"], True)),
    **dict.fromkeys(("debian12-hvm", "debian12-dracut"), (["daemons-missing", "hot-add"], True)),
    **dict.fromkeys(("debian12-hyperv-gen2", "debian12-hyperv-ready"), (["hot-add"], True)),
    "debian9-i386": (["daemons-missing", "memory-32bit"], False),
    "debian13-hvm": (["daemons-missing"], False),  # the kernel takes it by itself
}


@every_guest
def test_integration_services_are_staged_as_each_release_needs_them(guest: Guest) -> None:
    plan = PLANNERS["integration_services"](guest.look())
    findings, needs_rule = INTEGRATION[guest.name]
    assert [finding.id for finding in plan.findings] == [f"integration.{name}" for name in findings]
    (change,) = plan.changes
    assert isinstance(change, FileChange)
    assert ('SUBSYSTEM=="memory"' in (change.after or "")) is needs_rule


@every_guest
def test_the_default_kernel_is_the_first_of_the_menu(guest: Guest) -> None:
    judged = readiness.assess(guest.look()).kernels
    assert [kernel.version for kernel in judged if kernel.is_default] == [next(iter(EXPECTED[guest.name].kernels))]


@every_guest
def test_looking_twice_finds_the_same_and_changes_nothing(guest: Guest) -> None:
    before = guest_tree.snapshot(guest.path)
    first = dataclasses.replace(guest.look(), free_bytes={})  # others write to the same file system
    second = dataclasses.replace(guest.look(), free_bytes={})
    assert first == second
    for planner in PLANNERS.values():
        assert repr(planner(first)) == repr(planner(second))
    assert readiness.assess(first) == readiness.assess(second)
    assert guest_tree.compare(before, guest_tree.snapshot(guest.path), directory_times=True) == []


def plans_as_text(directory: pathlib.Path) -> dict[str, str]:
    """Everything that is planned for the guests in a directory."""
    found = {}
    for name in guest_tree.NAMES:
        facts = Guest(name, directory / name).look()
        plans = [planner(facts) for planner in PLANNERS.values()]
        found[name] = repr((plans, readiness.assess(facts)))
    return found


@pytest.mark.slow
def test_another_process_makes_the_same_plan(tmp_path: pathlib.Path) -> None:
    for name in guest_tree.NAMES:
        guest_tree.build_guest(name, tmp_path / name)
    code = (
        "import json, pathlib, sys; sys.path.insert(0, sys.argv[1]);"
        "from ansible_collections.rehost.hyperv.tests.unit.test_guest_laws import plans_as_text;"
        "print(json.dumps(plans_as_text(pathlib.Path(sys.argv[2]))))"
    )
    here = plans_as_text(tmp_path)
    for seed in ("1", "2"):
        environment = dict(os.environ, PYTHONHASHSEED=seed)
        argv = [sys.executable, "-c", code, os.environ["ANSIBLE_COLLECTIONS_PATH"], str(tmp_path)]
        done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True)
        assert json.loads(done.stdout) == here


MODULES: dict[str, tuple[t.Callable[[], None], dict[str, t.Any]]] = {
    "guest_info": (guest_info.main, {}),
    "readiness_info": (readiness_info.main, {}),
    "verification_info": (verification_info.main, {}),
    "guest_adaptation": (guest_adaptation.main, {"baseline": "latest"}),
    "xen_leftovers": (xen_leftovers_module.main, {"state": "dual_boot"}),
    "block_references": (block_references_module.main, {}),
    "kernel_cmdline": (kernel_cmdline_module.main, {"consoles": ["tty0", "ttyS0,115200n8"], "absent": ["quiet"]}),
    "nic_switch": (nic_switch_module.main, {}),
    "initramfs_modules": (initramfs_modules_module.main, {}),
    "integration_services": (integration_services_module.main, {"disk_timeout": 300}),
    "kvp": (kvp_module.main, {"present": {"role": "database"}}),
    "kvp_info": (kvp_info_module.main, {}),
    "rollback": (rollback_module.main, {}),
}


@every_guest
def test_check_mode_leaves_the_tree_as_it_is(
    guest: Guest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = guest_tree.snapshot(guest.path)
    changed = {}
    for module, (main, arguments) in MODULES.items():
        passed = {**arguments, "root": str(guest.path), "_ansible_check_mode": True, "_ansible_diff": True}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": passed}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit):
            main()
        result = json.loads(capsys.readouterr().out)
        assert "failed" not in result, result
        changed[module] = result["changed"]
    assert changed["rollback"] is False
    assert changed["kernel_cmdline"] is True  # no golden guest has exactly these arguments
    assert guest_tree.compare(before, guest_tree.snapshot(guest.path), directory_times=True) == []


@every_guest
def test_an_adapted_guest_boots_on_both_hypervisors(guest: Guest) -> None:
    expected = EXPECTED[guest.name]
    held_before = {image.path: image.image for image in guest.look().images}
    adapt(guest)
    facts = guest.look()
    for name, planner in PLANNERS.items():
        assert not planner(facts), f"{name} is not done"
    found = readiness.assess(facts)
    assert (found.ready, found.generations) == (bool(expected.adapted), expected.adapted)
    left = {finding for finding in subjects(found.findings) if finding[0] not in HARMLESS} - {HARMLESS_GETTY}
    assert left == expected.adapted_findings
    for kernel in facts.kernels:
        image = facts.image_at(kernel.initramfs)
        assert image is not None
        assert image.image is not None
        held = image.image.module_names(kernel.version)
        before = held_before[image.path]
        assert before is not None
        wanted = {"xen_blkfront", "hv_storvsc", "hv_vmbus", "sd_mod"}
        assert kernel.modules is not None
        assert wanted & set(kernel.modules.by_name) <= held
        assert before.module_names(kernel.version) <= held, "something that was in the image is lost"


@every_guest
def test_a_rollback_restores_every_byte(guest: Guest) -> None:
    for number, path in enumerate(("etc/fstab", "etc/inittab", "boot/grub/grub.cfg", "boot/grub/menu.lst")):
        if (guest.path / path).exists() and os.geteuid() == 0:
            os.chown(guest.path / path, 1000 + number, 2000 + number)
            os.chmod(guest.path / path, 0o640 + number)
            os.utime(guest.path / path, ns=(number, 1_234_567_890_123_456_789 + number))
    before = guest_tree.snapshot(guest.path)
    adapt(guest)
    assert guest_tree.compare(before, guest_tree.snapshot(guest.path)) != []
    plan = rollback.plan(guest.look({"history"}))
    apply(guest.root, plan, GuestProgram(guest))
    assert guest_tree.compare(before, guest_tree.snapshot(guest.path), directory_times=True) == []
    assert not rollback.plan(guest.look({"history"}))


EVERYTHING_AT_ONCE = adaptation.Wanted(network=nic_switch.Wanted(), integration=integration_services.Wanted())


@every_guest
def test_one_plan_leaves_what_single_modules_leave_one_after_the_other(name: str, tmp_path: pathlib.Path) -> None:
    """Initramfs images as well: they are built once, from what the configuration will be."""
    guests = [Guest(name, tmp_path / directory) for directory in ("one", "other")]
    for guest in guests:
        guest_tree.build_guest(name, guest.path)
    plan = adaptation.plan(guests[0].look(), EVERYTHING_AT_ONCE)
    apply(guests[0].root, plan, GuestProgram(guests[0]))
    adapt(guests[1])
    assert not adaptation.plan(guests[0].look(), EVERYTHING_AT_ONCE), "once is enough"
    one, other = (content_below(guest.path) for guest in guests)
    assert one == other


@every_guest
def test_what_is_cleaned_stays_ready_and_is_rolled_back_to_the_byte(name: str, tmp_path: pathlib.Path) -> None:
    guest = Guest(name, tmp_path)
    guest_tree.build_guest(name, tmp_path)
    before = guest_tree.snapshot(tmp_path)
    for keep_xen in (True, False):
        apply(guest.root, adaptation.plan(guest.look(), adaptation.Wanted(keep_xen=keep_xen)), GuestProgram(guest))
        assert not adaptation.plan(guest.look(), adaptation.Wanted(keep_xen=keep_xen))
    facts = guest.look()
    assert readiness.assess(facts).generations == EXPECTED[name].adapted
    assert "hvc0" not in "".join(entry.cmdline for entry in facts.boot.entries)
    assert not any("xen" in file.text for file in facts.initramfs.files if file.path in (INITRAMFS_HOOK, DRACUT_CONFIG))
    apply(guest.root, rollback.plan(guest.look({"history"})), GuestProgram(guest))
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path), directory_times=True) == []


def content_below(path: pathlib.Path) -> t.Dict[str, t.Union[bytes, str]]:
    found: t.Dict[str, t.Union[bytes, str]] = {}
    for each in path.rglob("*"):
        name = str(each.relative_to(path))
        if name.startswith("var/lib/rehost-hyperv"):
            continue
        if each.is_symlink():
            found[name] = str(each.readlink()) if hasattr(each, "readlink") else name
        elif each.is_file():
            found[name] = each.read_bytes()
    return found


def test_rollback_removes_the_baseline(tmp_path: pathlib.Path) -> None:
    guest = Guest("debian12-hvm", tmp_path)
    guest_tree.build_guest(guest.name, tmp_path)
    before = guest_tree.snapshot(tmp_path)
    for boot in ("one", "two"):  # taken, and taken again
        state = state_builder.make(boot_id=boot)
        held = gather_baseline(Root(str(tmp_path)), lambda problem: pytest.fail(problem.message))
        facts = dataclasses.replace(guest.look(), state=state, baseline=held)
        apply(
            guest.root,
            adaptation.merge([adaptation.plan(facts, adaptation.Wanted(baseline="latest"))]),
            GuestProgram(guest),
        )
    assert (tmp_path / BASELINE[1:]).stat().st_mode & 0o777 == 0o600
    plan = rollback.plan(guest.look({"history"}))
    apply(guest.root, plan, GuestProgram(guest))
    assert guest_tree.compare(before, guest_tree.snapshot(tmp_path), directory_times=True) == []
