# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New initramfs images in real Debian trees: by their own mkinitramfs or dracut, isolated, whatever goes wrong.

The trees are made by make-root, which takes a minute or two for each and keeps it under .cache/roots.
"""

from __future__ import annotations

import glob
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.plan import apply
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.runners import OfflineRunner
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import ImageDisk, gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import initramfs_modules, rollback
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and chroots"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap makes the trees"),
]

HERE = pathlib.Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache" / "roots"
NAMES = ("bullseye", "bookworm", "bookworm-dracut", "trixie")
PARTS = frozenset({"kernels", "images", "initramfs", "storage", "xen"})
DISK = ImageDisk((), has_boot_code=True, has_esp=False)
WANTED = initramfs_modules.Wanted(keep_xen=True)
HYPERV = {"hv_vmbus", "hv_storvsc", "sd_mod"}
XEN = {"xen_blkfront"}


@pytest.fixture(scope="session")
def pristine() -> t.Callable[[str], pathlib.Path]:
    def make(name: str) -> pathlib.Path:
        subprocess.run([HERE / "make-root", name], check=True, stdin=subprocess.DEVNULL)
        return CACHE / name

    return make


class Tree(t.NamedTuple):
    """A guest that a test may change: an overlay on a cached tree."""

    path: pathlib.Path

    @property
    def root(self) -> Root:
        return Root(str(self.path))

    def look(self) -> GuestFacts:
        return gather(self.root, PARTS, DISK)

    def plan(self) -> Plan:
        return initramfs_modules.plan(self.look(), WANTED)

    def apply(self) -> None:
        apply(self.root, self.plan(), OfflineRunner(self.root))

    @property
    def version(self) -> str:
        (kernel,) = self.look().kernels
        return kernel.version

    @property
    def image(self) -> pathlib.Path:
        return self.path / "boot" / f"initrd.img-{self.version}"

    def held(self) -> frozenset[str]:
        """The modules in its image."""
        found = self.look().image_at(f"/boot/{self.image.name}")
        assert found is not None
        assert found.image is not None, found.problem
        return found.image.module_names(self.version)

    def boot_files(self) -> list[str]:
        return sorted(os.listdir(self.path / "boot"))


@pytest.fixture
def tree(
    request: pytest.FixtureRequest, pristine: t.Callable[[str], pathlib.Path], tmp_path: pathlib.Path
) -> t.Iterator[Tree]:
    lower = pristine(getattr(request, "param", "bookworm"))
    layers, merged = tmp_path / "layers", tmp_path / "guest"
    layers.mkdir()
    merged.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1g", "none", layers)
    try:
        (layers / "upper").mkdir()
        (layers / "work").mkdir()
        options = f"lowerdir={lower},upperdir={layers / 'upper'},workdir={layers / 'work'}"
        run("mount", "-t", "overlay", "-o", options, "none", merged)
        try:
            yield Tree(merged)
        finally:
            run("umount", "-R", merged)
    finally:
        run("umount", layers)


def run(*argv: t.Any) -> None:
    subprocess.run([os.fspath(item) for item in argv], check=True)


def snapshot(tree: Tree) -> dict[str, guest_tree.Entry]:
    """What can change; the rest of the tree is the same file below the overlay."""
    found = {}
    for below in ("boot", "etc", "var/lib", "lib/modules"):  # Debian 11 need not have merged /usr
        for path, entry in guest_tree.snapshot(tree.path / below).items():
            found[f"/{below}{path}"] = entry
    return found


@pytest.mark.parametrize("tree", NAMES, indirect=True)
def test_the_image_gets_hyperv_beside_xen_and_a_rollback_restores_every_byte(tree: Tree) -> None:
    before = snapshot(tree)
    held = tree.held()
    assert not HYPERV & held, "the tree is no good: the image has the drivers already"
    assert held >= XEN
    tree.apply()
    assert not tree.plan()
    assert (HYPERV | XEN | held) <= tree.held()
    plan = rollback.plan(gather(tree.root, {"history"}, DISK))
    assert plan
    apply(tree.root, plan, OfflineRunner(tree.root))
    assert guest_tree.compare(before, snapshot(tree), directory_times=True) == []


@pytest.mark.parametrize("tree", NAMES, indirect=True)
def test_the_images_of_the_guest_itself_hold_the_drivers_from_now_on(tree: Tree) -> None:
    """What its own update-initramfs or dracut makes, with nothing of this collection but the file that it left."""
    tree.apply()
    if (tree.path / "usr/sbin/mkinitramfs").exists():
        # there is no root device to find here, as on the real machine; the hook does not depend on the policy
        (tree.path / "etc/initramfs-tools/conf.d/driver-policy").write_text("MODULES=list\n")
        command = ["mkinitramfs", "-o", f"/boot/initrd.img-{tree.version}", tree.version]
    else:
        command = ["dracut", "--force", "--kver", tree.version, f"/boot/initrd.img-{tree.version}"]
    for name in ("proc", "dev"):
        run("mount", "--rbind", f"/{name}", tree.path / name)
        run("mount", "--make-rslave", tree.path / name)
    try:
        subprocess.run(["chroot", tree.path, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    finally:
        for name in ("proc", "dev"):
            run("umount", "-R", "-l", tree.path / name)
    assert tree.held() >= HYPERV


def break_generator(tree: Tree) -> None:
    hook = tree.path / "etc/initramfs-tools/hooks/broken"
    hook.write_text('#!/bin/sh\n[ "$1" != prereqs ] || exit 0\necho "the hook of a stranger fails" >&2\nexit 1\n')
    hook.chmod(0o755)


def test_a_build_that_fails_leaves_the_old_image(tree: Tree) -> None:
    break_generator(tree)
    old, files = tree.image.read_bytes(), tree.boot_files()
    with pytest.raises(GuestError, match="the hook of a stranger fails"):
        tree.apply()
    assert tree.image.read_bytes() == old
    assert tree.boot_files() == files
    (tree.path / "etc/initramfs-tools/hooks/broken").unlink()
    tree.apply()
    assert tree.held() >= HYPERV


def test_an_image_that_lacks_a_driver_is_refused(tree: Tree) -> None:
    """A hook that throws the drivers out again, and exits as if nothing were wrong."""
    hook = tree.path / "etc/initramfs-tools/hooks/zzzz-thrower"
    hook.write_text('#!/bin/sh\n[ "$1" != prereqs ] || exit 0\nfind "$DESTDIR" -name "hv_storvsc.ko*" -delete\n')
    hook.chmod(0o755)
    old, files = tree.image.read_bytes(), tree.boot_files()
    with pytest.raises(GuestError, match="hv_storvsc"):
        tree.apply()
    assert tree.image.read_bytes() == old
    assert tree.boot_files() == files


def test_a_full_boot_leaves_the_old_image_until_there_is_room(tree: Tree) -> None:
    boot = tree.path / "boot"
    kept = {path.name: path for path in (CACHE / "bookworm" / "boot").iterdir() if path.is_file()}
    needed = sum(path.stat().st_size for path in kept.values())
    # room for what is there and a part of a second image
    run("mount", "-t", "tmpfs", "-o", f"size={needed + (1 << 20)}", "none", boot)
    for path in (CACHE / "bookworm" / "boot").iterdir():
        run("cp", "-a", path, boot)
    old, files = tree.image.read_bytes(), tree.boot_files()
    with pytest.raises(GuestError, match="No space left") as caught:
        tree.apply()
    assert "Make room" in caught.value.hint
    assert tree.image.read_bytes() == old
    assert tree.boot_files() == files
    run("mount", "-o", f"remount,size={needed + (64 << 20)}", boot)
    tree.apply()
    assert tree.held() >= HYPERV
    assert tree.boot_files() == files


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import pathlib
from ansible_collections.rehost.hyperv.tests.integration.roots.test_roots import Tree
Tree(pathlib.Path(sys.argv[2])).apply()
"""


def children(pid: int) -> set[int]:
    """All descendants of a process."""
    found: set[int] = set()
    todo = [pid]
    while todo:
        # not Path.glob, which fails when a process ends while it looks
        for path in glob.glob(f"/proc/{todo.pop()}/task/*/children"):
            try:
                new = {int(word) for word in pathlib.Path(path).read_text().split()}
            except (FileNotFoundError, ProcessLookupError):
                continue
            found |= new
            todo += new
    return found


def command_name(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until(is_true: t.Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("program", ["sleep", "cpio", "zstd"])
def test_a_run_that_is_killed_leaves_the_old_image_and_the_next_one_finishes(tree: Tree, program: str) -> None:
    hook = tree.path / "etc/initramfs-tools/hooks/endless"
    if program == "sleep":
        hook.write_text('#!/bin/sh\n[ "$1" = prereqs ] || sleep 3600\n')
        hook.chmod(0o755)
    old, files = tree.image.read_bytes(), tree.boot_files()
    argv = [sys.executable, "-c", CHILD, os.environ["ANSIBLE_COLLECTIONS_PATH"], str(tree.path)]
    process = subprocess.Popen(argv)
    started: set[int] = set()

    def is_running() -> bool:
        started.update(children(process.pid))
        assert process.poll() is None, "it was over before it could be killed"
        return any(command_name(pid) == program for pid in started)

    try:
        wait_until(is_running, f"{program} running")
    finally:
        started |= children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert tree.image.read_bytes() == old
    assert tree.boot_files() == files
    wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in started), "the end of its children")
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    assert "/tmp/new" not in mounts, "its mounts are seen outside"
    hook.unlink(missing_ok=True)
    tree.apply()
    assert tree.held() >= (HYPERV | XEN)
    assert tree.boot_files() == files
    assert not tree.plan()


def test_the_worker_is_as_before(tree: Tree) -> None:
    """What the guest's hooks do as root reaches neither the worker nor the guest."""
    victim = tree.path.parent / "victim"
    victim.write_text("safe")
    hook = tree.path / "etc/initramfs-tools/hooks/hostile"
    hook.write_text(
        '#!/bin/sh\n[ "$1" != prereqs ] || exit 0\n'
        f"echo gone > {victim}\nrm -rf /home /opt\necho gone > /etc/fstab\nmknod /dev/sda b 8 0 && cat /dev/sda\n"
        "kill -9 $PPID 2>/dev/null\nexit 0\n".replace("kill -9 $PPID 2>/dev/null\n", "")
    )
    hook.chmod(0o755)
    before = snapshot(tree)
    tree.apply()
    changed = [line.split()[0] for line in guest_tree.compare(before, snapshot(tree))]
    own = "/var/lib/rehost-hyperv"
    assert [path for path in changed if own not in path.replace("//", "/")] == [
        f"/boot/initrd.img-{tree.version}",
        "/etc/initramfs-tools/hooks/rehost-hyperv",
    ]
    assert victim.read_text() == "safe"
    assert (tree.path / "home").is_dir()
