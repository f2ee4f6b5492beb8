# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules on a guest whose root is a logical volume in pieces, which only the appliance of libguestfs can mount.

tests/run-libguestfs runs them where the appliance has a kernel. Each call of a module starts it once.
"""

from __future__ import annotations

import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import initramfs, lvm2
from ansible_collections.rehost.hyperv.plugins.module_utils._image import volumes
from ansible_collections.rehost.hyperv.tests.unit import guest_tree
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import (
    Disk,
    Part,
    add_logical_volumes,
    build_disk,
    run,
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
    pytest.mark.skipif(not os.environ.get("REHOST_TEST_LIBGUESTFS"), reason="run by tests/run-libguestfs"),
]

VERSION = "6.1.0-50-amd64"
IMAGE = f"/boot/initrd.img-{VERSION}"
BOOT_UUID = "0d9aa032-3182-4682-9d56-59bd5a564ff0"
SWAP_UUID = "c0a81f3e-2b7d-4e59-8f10-93d4b6a7e8f9"
SYSTEM = "UUID=5f1c9a52-6a3b-4f6e-9d0c-7e3b1a2c4d5e"  # what the golden guest calls its root
BUILT = "/usr/built"
STEPS: dict[str, dict[str, t.Any]] = {
    "kernel_cmdline": {"consoles": ["hvc0", "tty0", "ttyS0,115200n8"]},
    "block_references": {},
    "initramfs_modules": {},
}
# It also tries to change the guest.
MKINITRAMFS = f"""\
#!/bin/sh -e
while [ $# -gt 0 ]; do
    case $1 in -o) output=$2; shift ;; esac
    shift
done
echo changed > /etc/fstab
echo changed > /boot/written-by-mkinitramfs
cat {BUILT} > "$output"
"""


class Flow(t.NamedTuple):
    """What the modules said, by the name of the step, and the image before, after the changes, and at the end."""

    results: t.Mapping[str, t.Mapping[str, t.Any]]
    before: pathlib.Path
    changed: pathlib.Path
    after: pathlib.Path


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    directory = tmp_path_factory.mktemp("guest")
    disk = build_guest_disk(directory)
    before, changed = directory / "before.raw", directory / "changed.raw"
    copy(disk.path, before)
    results = {module: call(module, disk.path, **arguments) for module, arguments in STEPS.items()}
    copy(disk.path, changed)
    results["again"] = call("initramfs_modules", disk.path)
    results["rollback"] = call("rollback", disk.path, backend="auto")
    return Flow(results, before, changed, disk.path)


def build_guest_disk(directory: pathlib.Path) -> Disk:
    """/boot and swap on partitions, the root in two pieces of a volume group, and a mkinitramfs that can run."""
    tree = directory / "tree"
    manifest = guest_tree.load("debian12-hvm")
    built = guest_tree.sections(manifest)[IMAGE]
    guest_tree.build(
        manifest.replace(f"root={SYSTEM}", "root=/dev/mapper/guest-root")
        .replace(f"{SYSTEM} /  ", "/dev/xvda1 /boot ext2 defaults 0 2\n/dev/mapper/guest-root /  ")
        .replace("/boot/vmlinuz-", "/vmlinuz-")
        .replace("/boot/initrd.img-", "/initrd.img-")
        .replace("=== /vmlinuz-", "=== /boot/vmlinuz-")
        .replace("=== /initrd.img-", "=== /boot/initrd.img-")
        + f"\n=== /usr/sbin/mkinitramfs mode=0755\n{MKINITRAMFS}"
        + f"\n=== /built-{VERSION} initramfs={built.attributes['initramfs']}\n*\n",
        tree,
    )
    (tree / f"built-{VERSION}").rename(tree / BUILT.lstrip("/"))
    for name in ("dev", "proc", "run", "sys", "tmp"):
        (tree / name).mkdir(exist_ok=True)
    (tree / "bin").symlink_to("usr/bin")
    for program in ("sh", "cat"):
        add_program(tree, program)
    boot = directory / "boot"
    (tree / "boot").rename(boot)
    (tree / "boot").mkdir()
    parts = [
        Part(16, file_system(directory / "boot.img", "ext2", boot, 16), uuid=BOOT_UUID),
        Part(8, "swap", uuid=SWAP_UUID),
        Part(120, "lvm"),
    ]
    disk = build_disk(directory / "guest.raw", "dos", parts)
    disk.flip(0, b"\xeb")  # boot code, as far as anybody can tell
    root = file_system(directory / "root.img", "ext4", tree, 64)
    add_logical_volumes(disk, 3, "guest", [("root", Part(32, root)), ("home", Part(8, "ext4")), ("root", Part(32))])
    return disk


def file_system(path: pathlib.Path, kind: str, tree: pathlib.Path, size: int) -> pathlib.Path:
    uuid = ["-U", BOOT_UUID] if kind == "ext2" else []
    run("mke2fs", "-q", "-F", "-t", kind, *uuid, "-d", tree, path, f"{size}M")
    return path


def add_program(tree: pathlib.Path, name: str) -> None:
    """A program of this machine and its libraries, at the same places in the guest."""
    path = shutil.which(name)
    assert path is not None
    words = run("ldd", path).decode().split()
    for source in (path, *(word for word in words if word.startswith("/"))):
        target = tree / source.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    run("cp", "--sparse=always", source, target)


def call(module: str, image: pathlib.Path, **arguments: t.Any) -> t.Mapping[str, t.Any]:
    """The result of a module, run by Ansible on this machine."""
    words = json.dumps({"image": os.fspath(image), "backend": "libguestfs", **arguments})
    local = ["localhost,", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    programs = pathlib.Path(sys.executable).parent
    done = subprocess.run(
        [programs / "ansible", *local, "-m", f"rehost.hyperv.{module}", "-a", words],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: t.Mapping[str, t.Any] = json.loads(done.stdout.partition("=> ")[2])
    return result


def paths(result: t.Mapping[str, t.Any]) -> list[str]:
    return sorted(change["path"] for change in result["changes"])


def extract(image: pathlib.Path, point: str, target: pathlib.Path) -> pathlib.Path:
    """The file system of the root ("") or of /boot, put together out of its pieces."""
    with image.open("rb") as source, target.open("wb") as single:
        for start, size in where(source, image.stat().st_size)[point]:
            source.seek(start)
            single.write(source.read(size))
    return target


def where(source: t.BinaryIO, size: int) -> dict[str, list[tuple[int, int]]]:
    """Starts and sizes of the pieces of /boot and of the root ("") in an image."""
    boot, _swap, physical = volumes.read_layout(source, size).volumes[:3]
    assert boot.start is not None
    assert physical.start is not None
    group = lvm2.read_volume_group(source, physical.start, physical.size)
    assert group is not None
    root = next(volume for volume in group.logical_volumes if volume.name == "root")
    pieces = [(physical.start + segment.stripes[0][1], segment.size) for segment in root.segments]
    return {"": pieces, "/boot": [(boot.start, boot.size)]}


def content(image: pathlib.Path, directory: pathlib.Path) -> dict[str, guest_tree.Entry]:
    """Everything in the root and in /boot, as the kernel of this machine sees it; both file systems are sound."""
    found: dict[str, guest_tree.Entry] = {}
    for point in ("", "/boot"):
        single, mounted = extract(image, point, directory / "single"), directory / "mounted"
        run("e2fsck", "-fn", single)
        mounted.mkdir(exist_ok=True)
        run("mount", "-o", "loop,ro", single, mounted)
        try:
            for path, entry in guest_tree.snapshot(mounted).items():
                found[(point + path).rstrip("/")] = entry
        finally:
            run("umount", mounted)
    return found


def test_the_root_is_one_that_only_lvm_can_put_together(flow: Flow) -> None:
    with flow.before.open("rb") as source:
        first, second = where(source, flow.before.stat().st_size)[""]
    assert first[0] + first[1] < second[0]


def test_what_was_said_is_done_and_no_more(flow: Flow, tmp_path: pathlib.Path) -> None:
    assert paths(flow.results["kernel_cmdline"]) == ["/boot/grub/grub.cfg", "/etc/default/grub"]
    assert paths(flow.results["block_references"]) == ["/etc/fstab", "/etc/initramfs-tools/conf.d/resume"]
    assert [command["output"] for command in flow.results["initramfs_modules"]["commands"]] == [IMAGE]
    said = {IMAGE}.union(*(paths(flow.results[step]) for step in STEPS))
    before, after = content(flow.before, tmp_path), content(flow.changed, tmp_path)
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    own = {path for path in changed if path.startswith("/var/lib/rehost-hyperv")}
    directories = {path for path in changed & set(after) if after[path].kind == "directory"}
    assert changed - own - directories == said


def test_an_image_built_by_the_guests_program_arrives_in_the_guest(flow: Flow, tmp_path: pathlib.Path) -> None:
    boot = extract(flow.changed, "/boot", tmp_path / "boot")
    image = io.BytesIO(run("debugfs", "-R", f"cat {os.path.basename(IMAGE)}", boot))
    assert {"hv_vmbus", "hv_storvsc", "xen_blkfront"} <= initramfs.read_image(image).module_names(VERSION)


def test_partitions_get_their_uuid_and_logical_volumes_keep_their_name(flow: Flow, tmp_path: pathlib.Path) -> None:
    root = extract(flow.changed, "", tmp_path / "root")
    lines = run("debugfs", "-R", "cat /etc/fstab", root).decode().split("\n")
    named = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert named == [f"UUID={BOOT_UUID}", "/dev/mapper/guest-root", f"UUID={SWAP_UUID}", "/dev/sr0"]


def test_a_second_time_nothing_is_to_do(flow: Flow) -> None:
    assert not flow.results["again"]["changed"]
    assert flow.results["again"]["commands"] == []


def test_a_rollback_restores_every_byte(flow: Flow, tmp_path: pathlib.Path) -> None:
    assert flow.results["rollback"]["changed"]
    before, after = content(flow.before, tmp_path), content(flow.after, tmp_path)
    assert guest_tree.compare(before, after, directory_times=True) == []
