# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Guest images: made from a recipe without loop devices, and kept under .cache/lab/images.

An image is a raw disk: MBR, GRUB, one ext4 root, swap.  Its name ends in a hash of everything it was made from, apart
from the versions of Debian's packages, which stand in the `.json` beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import recipe as recipes
from ._paths import CACHE, IMAGES, LabError
from .prerequisites import missing_for_images
from .recipe import File, Recipe

PRIVATE_KEY = CACHE / "ssh" / "id_ed25519"
HASH_DIGITS = 12
PAGE = 4096  # a swap header fills one
BOOT_CODE_BYTES = 440  # of the MBR; the partition table follows


def make_image(
    suite: str,
    flavour: str = "xenserver",
    *,
    network: str = "ifupdown",
    address: str = "dhcp",
    kernel: str = "stable",
    has_predictable_names: bool = False,
    extra_packages: Sequence[str] = (),
) -> Path:
    """The pristine image of a guest, made now (a minute or two) unless it is in the cache.  Never write to it.

    network: what configures its adapter: ifupdown, networkd, netplan (by networkd) or network-manager
    address: dhcp, or static: 10.0.2.15/24 with the gateway of lan1
    kernel: stable, or backports
    has_predictable_names: without net.ifnames=0, so that the adapter is enX0 on Xen (eth0 still on Debian 11)
    """
    recipe = recipes.find_recipe(
        suite,
        flavour,
        network=network,
        address=address,
        kernel=kernel,
        has_predictable_names=has_predictable_names,
        extra_packages=extra_packages,
    )
    with _locked(IMAGES / f"{recipe.name}.lock"):
        image = image_path(recipe)
        if image.exists():
            return image
        reason = missing_for_images()
        if reason:
            raise LabError(f"no image of a guest {recipe.name} is there, and none can be made: {reason}")
        _make(recipe, image)
        for outdated in IMAGES.glob(f"{recipe.name}-{'[0-9a-f]' * HASH_DIGITS}.*"):
            if outdated.stem != image.stem:
                outdated.unlink()
        return image


def image_path(recipe: Recipe) -> Path:
    """Where the image of this recipe is, or will be."""
    made_of = hashlib.sha256(Path(__file__).read_bytes())
    made_of.update(repr(recipes.ingredients(recipe, public_key())).encode())
    return IMAGES / f"{recipe.name}-{made_of.hexdigest()[:HASH_DIGITS]}.raw"


def public_key() -> str:
    """The key that every guest lets in as root; made at the first call."""
    public = PRIVATE_KEY.with_suffix(".pub")
    with _locked(PRIVATE_KEY.parent / "lock"):
        if not public.exists():
            PRIVATE_KEY.unlink(missing_ok=True)
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rehost-lab", "-f", PRIVATE_KEY)
    return public.read_text(encoding="ascii")


def _make(recipe: Recipe, image: Path) -> None:
    work = image.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    work.chmod(0o755)  # apt reads below it as its own user
    start = time.monotonic()
    try:
        tree = work / "root"
        _say(f"{image.name}: Debian {recipe.suite} packages ...")
        _install_packages(recipe, work, tree)
        packages = time.monotonic()
        _put(tree, recipes.files_after_packages(recipe, public_key()))
        (tree / "root/.ssh").chmod(0o700)
        if recipe.is_xenserver:
            wants = tree / "etc/systemd/system/getty.target.wants"
            wants.mkdir(parents=True, exist_ok=True)
            (wants / "serial-getty@hvc0.service").symlink_to("/lib/systemd/system/serial-getty@.service")
        if recipe.is_resolved:
            (tree / "etc/resolv.conf").unlink(missing_ok=True)
            (tree / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
        versions = _run("dpkg-query", f"--admindir={tree}/var/lib/dpkg", "-W", "-f", "${Package} ${Version}\n")
        disk = work / "disk"
        _assemble(recipe, tree, disk)
        end = time.monotonic()
        seconds = {"packages": round(packages - start), "disk": round(end - packages), "all": round(end - start)}
        about = {**recipe._asdict(), "seconds": seconds}
        about["packages"] = dict(line.split(" ", 1) for line in versions.splitlines())
        image.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        disk.chmod(0o444)
        disk.rename(image)
    finally:
        shutil.rmtree(work)
    _say(f"{image.name}: made in {seconds['all']} s (packages {seconds['packages']} s, disk {seconds['disk']} s)")


def _install_packages(recipe: Recipe, work: Path, tree: Path) -> None:
    """Debian in `tree`, with its initramfs built and its boot loader configured."""
    before, during = work / "before", work / "during"
    _put(before, recipes.files_before_packages(recipe))
    _put(
        during,
        (
            File("grub", recipes.grub_defaults(recipe)),
            File("grub-probe", recipes.grub_probe(recipe), 0o755),
            File("configure", _configuration(recipe), 0o755),
        ),
    )
    if recipe.is_xenserver:
        _build_guest_tools(work / "tools", during / "xe-guest-utilities.deb")
    archives = CACHE / "debs" / recipe.suite
    archives.mkdir(parents=True, exist_ok=True)
    log = IMAGES / f"{recipe.name}.log"
    hooks = (
        *(f"--setup-hook={command}" for command in _backports(recipe)),
        '--setup-hook=mkdir -p "$1"/var/cache/apt/archives',
        f'--setup-hook=find {archives} -name "*.deb" -exec cp -lt "$1"/var/cache/apt/archives {{}} +',
        f'--essential-hook=cp -a {before}/. "$1"',
        '--essential-hook=echo grub-pc grub-pc/install_devices_empty boolean true | chroot "$1" debconf-set-selections',
        f'--customize-hook=find "$1"/var/cache/apt/archives -name "*.deb" -exec cp -lft {archives} {{}} +',
        f'--customize-hook=cp -a {during} "$1"/lab && chroot "$1" /lab/configure && rm -r "$1"/lab',
        '--customize-hook=rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*',
    )
    with log.open("wb") as output:
        result = subprocess.run(
            [
                "nice",
                "mmdebstrap",
                "--mode=root",
                "--variant=minbase",
                "--skip=cleanup/apt",
                '--aptopt=APT::Install-Recommends "false"',
                "--dpkgopt=force-unsafe-io",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                f"--include={','.join(recipe.packages)}",
                *hooks,
                recipe.suite,
                tree,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        last = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise LabError(f"mmdebstrap failed with status {result.returncode}; the end of {log}:\n{last}")


def _backports(recipe: Recipe) -> tuple[str, ...]:
    """Adds them to apt's sources, from the mirror that the suite comes from."""
    if recipe.kernel != "backports":
        return ()
    line = f"s/^\\(deb .*\\) {recipe.suite} main.*/\\1 {recipe.suite}-backports main/p"
    return (f'sed -n "{line}" "$1"/etc/apt/sources.list > "$1"/etc/apt/sources.list.d/backports.list',)


def _configuration(recipe: Recipe) -> str:
    """The script that runs inside the guest's tree when all packages are there."""
    tools = "dpkg --install /lab/xe-guest-utilities.deb\n" if recipe.is_xenserver else ""
    enable = f"systemctl --quiet enable {' '.join(recipe.services)}\n" if recipe.services else ""
    # grub-mkconfig names the root by UUID only when udev has made this link
    link = f"/dev/disk/by-uuid/{recipe.root_uuid}"
    return f"""\
#!/bin/sh
set -eu
{tools}rm -f /{recipes.BUILD_HOOK}
cp /lab/grub /etc/default/grub
mkdir -p /boot/grub /dev/disk/by-uuid
touch {link}
cp -r /usr/lib/grub/i386-pc /boot/grub/
grub-mkimage -O i386-pc -p '(,msdos1)/boot/grub' -o /boot/grub/i386-pc/core.img biosdisk part_msdos ext2
grub-editenv /boot/grub/grubenv create
mv /usr/sbin/grub-probe /usr/sbin/grub-probe.real
cp /lab/grub-probe /usr/sbin/grub-probe
grub-mkconfig -o /boot/grub/grub.cfg
mv /usr/sbin/grub-probe.real /usr/sbin/grub-probe
rm -r /dev/disk
{enable}"""


def _build_guest_tools(tree: Path, package: Path) -> None:
    _put(tree, recipes.guest_tools())
    for link, target in recipes.GUEST_TOOLS_LINKS:
        (tree / link).symlink_to(target)
    _run("dpkg-deb", "--build", "--root-owner-group", tree, package)


def _assemble(recipe: Recipe, tree: Path, disk: Path) -> None:
    """A bootable disk out of the tree.  mke2fs fills the file system itself, so nothing is mounted."""
    with disk.open("wb") as output:
        output.truncate(recipes.DISK_BYTES)
    _run("sfdisk", "-q", disk, text=recipes.partition_table(recipe))
    # Debian 11's GRUB reads neither of the two features
    features = "^metadata_csum_seed,^orphan_file"
    options = f"offset={recipes.ROOT_START},hash_seed={recipe.root_uuid},root_owner=0:0"
    _run(
        *("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", features, "-U", recipe.root_uuid, "-L", "root"),
        *("-d", tree, "-E", options, disk, f"{recipes.ROOT_BYTES // 1024}k"),
    )
    swap = disk.with_suffix(".swap")
    with swap.open("wb") as output:
        output.truncate(recipes.SWAP_BYTES)
    swap.chmod(0o600)
    _run("mkswap", "-q", "-U", recipe.swap_uuid, swap)
    grub = tree / "boot/grub/i386-pc"
    with disk.open("r+b") as output, swap.open("rb") as header:
        output.seek(recipes.SWAP_START)
        output.write(header.read(PAGE))
        output.seek(0)
        output.write((grub / "boot.img").read_bytes()[:BOOT_CODE_BYTES])
        output.seek(recipes.SECTOR)  # where boot.img looks for core.img unless told otherwise
        output.write((grub / "core.img").read_bytes())


def _put(tree: Path, files: Iterable[File]) -> None:
    for file in files:
        path = tree / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(file.text, encoding="utf-8")
        path.chmod(file.mode)


def _run(*command: str | os.PathLike[str], text: str | None = None) -> str:
    """Standard output; LabError with what the program said when it fails."""
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"{command[0]} failed with status {result.returncode}: {result.stderr.strip()}")
    return result.stdout


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
