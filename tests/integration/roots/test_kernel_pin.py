# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pins a kernel, read by the apt and dpkg of a real Debian tree."""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import GuestFacts
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import apt_cache
from ansible_collections.rehost.hyperv.plugins.module_utils._module.kernel_pin import PARTS
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import (
    kernel_choice,
    kernel_default,
    kernel_packages,
    kernel_pin,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_pin import Wanted
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import PackageFile, Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.integration.roots.test_roots import CACHE, DISK, Tree, pristine, tree
from ansible_collections.rehost.hyperv.tests.unit import guest_tree, kernel_guest
from ansible_collections.rehost.hyperv.tests.unit.plugins.module_utils._module.test_guest_module import (
    ANSIBLE,
    MODULES,
    call,
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts and chroots"),
    pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap makes the trees"),
]
__all__ = ["pristine", "tree"]

NEWER, NEW, FAULTY = "linux-image-6.1.0-999-amd64", "linux-image-6.1.0-998-amd64", "linux-image-6.1.0-21-amd64"
PACKAGES = ((NEWER, "6.1.999-1"), (NEW, "6.1.998-1"), (FAULTY, "6.1.90-1"))


def chroot(guest: Tree, *argv: str) -> str:
    done = subprocess.run(
        ["chroot", str(guest.path), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        check=False,
    )
    return f"{done.stdout}status {done.returncode}\n"


@pytest.fixture
def guest(tree: Tree, tmp_path: pathlib.Path) -> Tree:
    """With a source of packages that has a newer kernel, and one with a known defect."""
    repository = tree.path / "srv" / "repository"
    repository.mkdir(parents=True)
    index = []
    for name, version in PACKAGES:
        build = tmp_path / name
        (build / "DEBIAN").mkdir(parents=True)
        (build / "boot").mkdir()
        (build / "boot" / f"vmlinuz-{name[12:]}").write_bytes(b"MZ")
        fields = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: n\nDescription: kernel\n"
        (build / "DEBIAN" / "control").write_text(fields)
        file = repository / f"{name}.deb"
        subprocess.run(["dpkg-deb", "-b", build, file], check=True, stdout=subprocess.DEVNULL)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        index.append(f"{fields}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n")
    (repository / "Packages").write_text("\n".join(index))
    shutil.rmtree(tree.path / "etc/apt/sources.list.d", ignore_errors=True)
    (tree.path / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/repository ./\n")
    assert chroot(tree, "apt-get", "-qq", "update").endswith("status 0\n")
    return tree


def look(guest: Tree) -> GuestFacts:
    facts = gather(Root(str(guest.path)), PARTS, DISK)
    names = chroot(guest, "apt-cache", "pkgnames", "linux-image-").splitlines()[:-1]
    offered = apt_cache.read_madison(chroot(guest, "apt-cache", "madison", *names))
    return dataclasses.replace(facts, packages=dataclasses.replace(facts.packages, offered=offered))


def pin(guest: Tree, wanted: Wanted) -> kernel_pin.Step:
    found = kernel_pin.step(look(guest), wanted)
    root = Root(str(guest.path))
    apply(root, Plan(changes=found.changes), OfflineRunner(root))
    again = kernel_pin.step(look(guest), wanted)
    assert again.changes == ()
    return again


def policy(guest: Tree, name: str) -> t.List[str]:
    return [line.strip() for line in chroot(guest, "apt-cache", "policy", name).splitlines()]


def test_apt_offers_what_can_be_chosen(guest: Tree) -> None:
    """By name, as a source without suites is of no release."""
    chosen = kernel_choice.choose(look(guest), kernel_choice.Wanted(kernel="6.1.999-1"))
    assert chosen.kernel == kernel_choice.Candidate(NEWER[12:], NEWER, "6.1.999-1", kernel_choice.OTHER)


def test_apt_keeps_the_kernel_and_stays_away_from_the_faulty_one(guest: Tree) -> None:
    package = f"linux-image-{guest.version}"
    assert policy(guest, FAULTY)[2] == "Candidate: 6.1.90-1"
    step = pin(guest, Wanted(choice=kernel_choice.Wanted(kernel=guest.version), trial=None))
    assert step.phase == "done"
    assert any(line.endswith(" 1001") for line in policy(guest, package))
    assert policy(guest, FAULTY)[2] == "Candidate: (none)"
    assert policy(guest, NEWER)[2] == "Candidate: 6.1.999-1"
    assert "no installation candidate" in chroot(guest, "apt-get", "-s", "install", FAULTY)
    # apt itself keeps the two newest
    for argv in (
        ("dpkg", "-i", f"/srv/repository/{NEW}.deb", f"/srv/repository/{NEWER}.deb"),
        ("apt-mark", "auto", package),
    ):
        assert chroot(guest, *argv).endswith("status 0\n")
    assert chroot(guest, "dpkg", "--remove", "linux-image-amd64").endswith("status 0\n")
    assert f"Remv {package} " not in chroot(guest, "apt-get", "-s", "autoremove")
    pin(guest, Wanted(is_present=False))
    assert f"Remv {package} " in chroot(guest, "apt-get", "-s", "autoremove")
    assert policy(guest, FAULTY)[2] == "Candidate: 6.1.90-1"


def test_a_kernel_that_dpkg_was_cut_off_in_is_not_made_the_default(guest: Tree) -> None:
    wanted = Wanted(choice=kernel_choice.Wanted(kernel=NEWER[12:]), trial=None)
    assert chroot(guest, "dpkg", "--unpack", f"/srv/repository/{NEWER}.deb").endswith("status 0\n")
    step = live_step(guest, wanted)
    assert (step.phase, step.default) == ("repair", guest_default(guest))
    assert "unpacked" in step.findings[0].message
    assert chroot(guest, "dpkg", "--configure", "-a").endswith("status 0\n")
    assert "no list of its modules" in pin(guest, wanted).findings[0].message


def live_step(guest: Tree, wanted: Wanted) -> kernel_pin.Step:
    """What comes next in a guest like this that is running."""
    return kernel_pin.step(dataclasses.replace(look(guest), is_live=True), wanted)


def guest_default(guest: Tree) -> str:
    default = look(guest).boot.default
    assert default is not None
    assert default.version is not None
    return default.version


# -- a power cut while dpkg installs a real kernel


@pytest.fixture
def with_package(guest: Tree, pristine: t.Callable[[str], pathlib.Path]) -> str:
    """The kernel of another release lies in the tree, and a program in it does what update-grub does."""
    pristine("bullseye")
    found = sorted((CACHE.parent / "lab" / "debs" / "bullseye").glob("linux-image-5.10.*-amd64_*.deb"))
    if not found:
        pytest.skip("the package of the other kernel is not kept here any more")
    shutil.copy(found[-1], guest.path / "srv" / "kernel.deb")
    release = found[-1].name.split("_")[0][len("linux-image-") :]
    (guest.path / "boot/grub/grub.cfg").write_text(kernel_guest.menu([guest.version]))
    (guest.path / "srv/menu").write_text(kernel_guest.menu([release, guest.version]))
    (guest.path / "etc/initramfs-tools/conf.d/driver-policy").write_text("MODULES=list\n")
    (guest.path / "etc/default").mkdir(exist_ok=True)
    script = guest.path / "etc/kernel/postinst.d/zz-update-grub"
    script.write_text(
        "#!/bin/sh\nset -e\n. /etc/default/grub.d/zz-rehost-hyperv-kernel.cfg\n"
        'sed "s/default=\\"0\\"/default=\\"$GRUB_DEFAULT\\"/" /srv/menu >/boot/grub/new\n'
        "mv /boot/grub/new /boot/grub/grub.cfg\n"
    )
    script.chmod(0o755)
    return release


@pytest.mark.parametrize("moment", ["unpacking", "building the initramfs", "before the menu"])
def test_after_a_power_cut_in_an_installation_the_old_kernel_starts_and_a_second_run_finishes(
    guest: Tree, with_package: str, moment: str
) -> None:
    release, old = with_package, guest.version
    fields = {"Package": f"linux-image-{release}", "Version": version_of(guest), "Architecture": "amd64"}
    brought = kernel_packages.Brought(PackageFile("/srv/kernel.deb", ""), fields)
    wanted = Wanted(choice=kernel_choice.Wanted(kernel=release), trial=None, brought=(brought,))
    prepare(guest, wanted)
    cut(guest, release, moment)
    step = live_step(guest, wanted) if is_known(guest, release) else None
    assert kernel_default.current(look(guest).boot) == old
    if step is not None:
        assert step.phase in ("repair", "refused")
        assert step.default == old
    # as the role does
    chroot(guest, "dpkg", "--configure", "-a")
    assert chroot(guest, "dpkg", "-i", "/srv/kernel.deb").endswith("status 0\n")
    assert kernel_default.current(look(guest).boot) == old
    step = pin(guest, wanted)
    assert (step.phase, step.default) == ("done", release)
    assert kernel_default.current(look(guest).boot) == release
    assert kernel_default.has_entry(look(guest).boot, old)


def version_of(guest: Tree) -> str:
    return chroot(guest, "dpkg-deb", "-f", "/srv/kernel.deb", "Version").split("\n", maxsplit=1)[0]


def prepare(guest: Tree, wanted: Wanted) -> None:
    """The first step, which on a running guest comes before the installation: the old kernel is the default by name."""
    found = live_step(guest, wanted)
    assert found.phase == "install", found.findings
    root = Root(str(guest.path))
    apply(root, Plan(changes=found.changes), OfflineRunner(root))


def is_known(guest: Tree, release: str) -> bool:
    return any(one.release == release for one in kernel_choice.candidates(look(guest)))


def cut(guest: Tree, release: str, moment: str) -> None:
    """Installs the package, and kills everything at that moment."""
    # the last step of each is what the script waits for
    if moment == "before the menu":
        script = guest.path / "etc/kernel/postinst.d/zy-wait"
        script.write_text("#!/bin/sh\ntouch /srv/reached\nsleep 60\n")
    elif moment == "building the initramfs":
        script = guest.path / "etc/initramfs-tools/hooks/wait"
        script.write_text('#!/bin/sh\n[ "$1" = prereqs ] && exit 0\ntouch /srv/reached\nsleep 60\n')
    else:
        script = guest.path / "srv/none"
        script.touch()
    script.chmod(0o755)
    process = subprocess.Popen(
        ["chroot", str(guest.path), "dpkg", "-i", "/srv/kernel.deb"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
    )
    half_way = guest.path / f"lib/modules/{release}/kernel/drivers.dpkg-new"
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        is_unpacking = (guest.path / f"lib/modules/{release}/kernel/drivers").exists() or half_way.exists()
        if (guest.path / "srv/reached").exists() or (moment == "unpacking" and is_unpacking):
            break
        time.sleep(0.005)
    assert process.poll() is None, "it was over before"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    script.unlink()


# -- a guest that does not run: the module installs


class Offline(t.NamedTuple):
    """A tree as a migrated guest has it, and the package of another release's kernel, on the worker."""

    tree: Tree
    old: str
    new: str
    package: pathlib.Path

    def call(self, **more: t.Any) -> t.Dict[str, t.Any]:
        arguments = {"root": str(self.tree.path), "packages": [str(self.package)], "trial": False, **more}
        answer = call("kernel_pin", **arguments)
        assert answer.status == 0, answer
        return answer.result

    def starts(self) -> t.Optional[str]:
        return kernel_default.current(self.look().boot)

    def look(self) -> GuestFacts:
        return gather(Root(str(self.tree.path)), PARTS, DISK)

    def dpkg(self) -> str:
        """What dpkg has to complain of, the kernel's files compared with their checksums. The tree has no documents."""
        said = chroot(self.tree, "dpkg", "--audit") + chroot(self.tree, "dpkg", "--verify", f"linux-image-{self.new}")
        return "".join(line for line in said.splitlines(keepends=True) if "/usr/share/doc/" not in line)


@pytest.fixture
def offline(tree: Tree, pristine: t.Callable[[str], pathlib.Path]) -> Offline:
    pristine("trixie")
    found = sorted((CACHE.parent / "lab" / "debs" / "trixie").glob("linux-image-6.12.*+deb13-amd64_*.deb"))
    if not found:
        pytest.skip("the package of the other kernel is not kept here any more")
    old = tree.version
    (tree.path / "boot/grub/grub.cfg").write_text(kernel_guest.menu([old]))
    (tree.path / "etc/default/grub").write_text("GRUB_DEFAULT=0\n")
    # what the isolation must not run, as there are no devices to be asked
    for name in ("zz-update-grub", "initramfs-tools"):
        script = tree.path / "etc/kernel/postinst.d" / name
        script.write_text("#!/bin/sh\ntouch /srv/hook\nexit 1\n")
        script.chmod(0o755)
    return Offline(tree, old, found[-1].name.split("_")[0][len("linux-image-") :], found[-1])


def test_a_kernel_is_installed_in_a_guest_that_does_not_run_and_is_its_default(offline: Offline) -> None:
    before = guest_tree.snapshot(offline.tree.path)
    told = offline.call(check=True)
    assert (told["after"]["phase"], told["after"]["default"]) == ("install", offline.new)
    assert told["after"]["default_before"] == offline.old
    assert offline.new in told["after"]["why"]
    assert [one["command"] for one in told["commands"]] == [f"dpkg --install {offline.package.name}"]
    assert guest_tree.compare(before, guest_tree.snapshot(offline.tree.path), directory_times=True) == []

    scratch = [sorted(os.listdir(offline.tree.path / name)) for name in ("tmp", "run")]
    told = offline.call()
    assert (told["after"]["phase"], told["after"]["default"], told["findings"]) == ("done", offline.new, [])
    assert [one["command"].split()[0] for one in told["commands"]] == ["dpkg", "mkinitramfs"]
    assert offline.starts() == offline.new
    assert kernel_default.has_entry(offline.look().boot, offline.old)
    assert offline.dpkg() == "status 0\nstatus 0\n"
    assert not (offline.tree.path / "srv/hook").exists()
    assert [sorted(os.listdir(offline.tree.path / name)) for name in ("tmp", "run")] == scratch
    image = offline.look().image_at(f"/boot/initrd.img-{offline.new}")
    assert image is not None
    assert image.image is not None
    assert {"hv_vmbus", "hv_storvsc", "ext4"} <= image.image.module_names(offline.new)

    before = guest_tree.snapshot(offline.tree.path)
    told = offline.call()
    assert (told["changed"], told["after"]["phase"]) == (False, "done")
    assert guest_tree.compare(before, guest_tree.snapshot(offline.tree.path), directory_times=True) == []

    # the old kernel starts after a rollback; the new one stays installed, and would find its root
    assert call("rollback", root=str(offline.tree.path)).result["changed"]
    assert (offline.tree.path / "boot/grub/grub.cfg").read_text() == kernel_guest.menu([offline.old])
    assert offline.dpkg() == "status 0\nstatus 0\n"
    assert (offline.tree.path / f"boot/initrd.img-{offline.new}").exists()


@pytest.mark.parametrize("moment", ["unpacking", "configuring", "building the image"])
def test_a_call_that_is_killed_is_finished_by_the_next_one(
    offline: Offline, moment: str, tmp_path: pathlib.Path
) -> None:
    reached = offline.tree.path / "srv/reached"
    script = offline.tree.path / "etc/initramfs-tools/hooks/wait"
    if moment == "building the image":
        script.write_text('#!/bin/sh\n[ "$1" = prereqs ] && exit 0\nsleep 600\n')
        script.chmod(0o755)
    if moment == "configuring":
        script = offline.tree.path / "usr/local/sbin/depmod"
        script.write_text("#!/bin/sh\ntouch /srv/reached\nsleep 600\n")
        script.chmod(0o755)
    with (tmp_path / "arguments").open("w+b") as stdin:
        process = start(stdin, root=str(offline.tree.path), packages=[str(offline.package)], trial=False)
    modules = offline.tree.path / "usr/lib/modules" / offline.new
    signs = {
        "unpacking": lambda: any(modules.glob("kernel/drivers*")) or any(modules.glob("kernel.dpkg-new")),
        "configuring": reached.exists,
        "building the image": lambda: runs_below(process.pid, "sleep"),
    }
    end = time.monotonic() + 240
    while not signs[moment]() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None, "it was over before"
    assert time.monotonic() < end
    process.kill()
    process.wait()
    time.sleep(1)  # what it started ends with it, in its own time
    if script.exists():
        script.unlink()
    assert offline.starts() == offline.old
    state = [one.state for one in offline.look().packages.installed if one.name.endswith(offline.new)]
    told = offline.call()
    assert (told["after"]["phase"], told["after"]["default"], told["findings"]) == ("done", offline.new, []), (
        state,
        told,
    )
    assert offline.starts() == offline.new
    assert offline.dpkg() == "status 0\nstatus 0\n"
    assert offline.call()["changed"] is False


def start(stdin: t.BinaryIO, **arguments: t.Any) -> "subprocess.Popen[bytes]":
    """The module, as a process that can be killed."""
    arguments.update(_ansible_check_mode=False, _ansible_diff=False, _ansible_remote_tmp="/tmp")
    stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
    stdin.seek(0)
    code = (
        "import runpy, sys\nimport ansible.module_utils.basic as basic\nbasic._ANSIBLE_PROFILE = 'legacy'\n"
        "runpy.run_path(sys.argv.pop(), run_name='__main__')\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(MODULES / "kernel_pin.py")],
        stdin=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join((os.environ["ANSIBLE_COLLECTIONS_PATH"], ANSIBLE))),
    )


def runs_below(process: int, name: str) -> bool:
    """Whether a program of this name was started by a process, or by one that it started."""
    children = pathlib.Path(f"/proc/{process}/task/{process}/children")
    try:
        if pathlib.Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0] == name.encode():
            return True
        return any(runs_below(int(child), name) for child in children.read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("damage", ["cut off", "rubbish inside"])
def test_a_damaged_package_changes_nothing_of_what_starts(
    offline: Offline, damage: str, tmp_path: pathlib.Path
) -> None:
    content = offline.package.read_bytes()
    bad = tmp_path / offline.package.name
    middle = len(content) // 2
    bad.write_bytes(content[:-1] if damage == "cut off" else content[:middle] + b"rubbish" + content[middle + 7 :])
    answer = call("kernel_pin", root=str(offline.tree.path), packages=[str(bad)], trial=False)
    assert answer.status == 1
    assert ("data.tar is missing" if damage == "cut off" else "dpkg --install") in answer.result["msg"]
    assert not (offline.tree.path / f"boot/vmlinuz-{offline.new}").exists()
    assert f"linux-image-{offline.new}" not in (offline.tree.path / "var/lib/dpkg/status").read_text()
    assert offline.starts() == offline.old
