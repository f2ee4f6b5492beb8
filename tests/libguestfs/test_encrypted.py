# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest whose root is a logical volume in LUKS2, as Debian's installer makes it, and whose /var is in LUKS1.

tests/run-libguestfs runs them where the appliance has a kernel. Each opening of the disk starts it once.
"""

from __future__ import annotations

import functools
import glob
import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils import _errors
from ansible_collections.rehost.hyperv.plugins.module_utils._image import guest, libguestfs
from ansible_collections.rehost.hyperv.plugins.module_utils._image.keys import Key
from ansible_collections.rehost.hyperv.tests.unit import child_process
from ansible_collections.rehost.hyperv.tests.unit.disk_builder import (
    PASSPHRASE,
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

OTHER = " \"!second\\ passphrase' "  # what would be a command, had it not been read as a key
ROOT_UUID = "7b1de0c2-41f3-4a6c-9d55-20c1e3a8b9f4"
VAR_UUID = "e3c7a9d1-5b20-4f88-8a3e-6d41b0c2f795"
CRYPTTAB = f"xvda2_crypt /dev/xvda2 none luks,discard\nvar_crypt UUID={VAR_UUID} none luks\n"
FSTAB = """\
/dev/mapper/guest-root / ext4 errors=remount-ro 0 1
/dev/xvda1 /boot ext2 defaults 0 2
/dev/mapper/var_crypt /var ext4 defaults 0 2
/dev/mapper/guest-swap_1 none swap sw 0 0
"""
BOTH = (Key("/dev/xvda2", PASSPHRASE), Key("UUID=" + VAR_UUID, OTHER))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """The disk as it was made; tests work on copies."""
    directory = tmp_path_factory.mktemp("encrypted")
    root = {
        "etc/fstab": FSTAB,
        "etc/crypttab": CRYPTTAB,
        "etc/os-release": "ID=debian\n",
        "boot/": "",
        "var/": "",
    }
    group = build_disk(directory / "group.raw", "dos", [Part(60, "lvm")])
    add_logical_volumes(group, 1, "guest", [("root", Part(40, "ext4", root)), ("swap_1", Part(8, "swap"))])
    with group.path.open("rb") as stream:
        stream.seek(group.placed[0].start)
        (directory / "physical").write_bytes(stream.read(group.placed[0].size))
    var = build_disk(directory / "var.raw", None, [Part(12, "ext4", {"lib/dpkg/status": "Package: base\n"})])
    parts = [
        Part(8, "ext2", {"vmlinuz": "kernel"}),
        Part(80, "luks2", uuid=ROOT_UUID, options=("--sector-size", "512")),  # the file system has blocks of 1 KiB
        Part(20, encrypted(directory / "luks1", "luks1", 20, VAR_UUID, OTHER)),
    ]
    disk = build_disk(directory / "disk.raw", "dos", parts)
    contents = [(2, PASSPHRASE, directory / "physical"), (3, OTHER, var.path)]
    commands = [
        f"cryptsetup-open /dev/sda{number} c{number}\n{passphrase}\nupload {content} /dev/mapper/c{number}"
        for number, passphrase, content in contents
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIBGUESTFS_BACKEND", "direct")
        if not libguestfs.kvm_works():
            patch.setenv("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg")
        run("guestfish", "--keys-from-stdin", "--format=raw", "-a", disk.path, stdin="\n".join(["run", *commands, ""]))
    return disk


def encrypted(path: pathlib.Path, kind: str, size: int, uuid: str, passphrase: str) -> pathlib.Path:
    with path.open("wb") as stream:
        stream.truncate(size << 20)
    quick = ["--pbkdf-force-iterations", "1000", "--batch-mode", "--uuid", uuid]
    run("cryptsetup", "luksFormat", "--type", kind, *quick, path, "-", stdin=passphrase)
    return path


@pytest.fixture
def disk(made: Disk, tmp_path: pathlib.Path) -> pathlib.Path:
    run("cp", "--sparse=always", made.path, tmp_path / "disk.raw")
    return tmp_path / "disk.raw"


class Seen(t.NamedTuple):
    mounts: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    files: dict[str, str]
    tellers: tuple[str, ...]  # what of this machine shows a passphrase to others


def visit(path: pathlib.Path, new: str = "", **options: t.Any) -> Seen:
    """Opens the guest, writes where asked to, and looks around."""
    names = ("etc/fstab", "boot/vmlinuz", "var/lib/dpkg/status", "etc/new", "var/new")
    with guest.open_guest(str(path), writable=bool(new), keys=BOTH, **options) as opened:
        tree = pathlib.Path(opened.mount_point)
        for name in ("etc/new", "var/new") if new else ():
            (tree / name).write_text(new)
        files = {name: (tree / name).read_text() for name in names if (tree / name).exists()}
        mounts = tuple((place, volume.describe()) for place, volume in opened.mounts)
        return Seen(mounts, opened.problems, files, tuple(tell(tree.parent)))


def tell(directory: pathlib.Path) -> t.Iterator[str]:
    """The command lines, environments and files of the session that hold a passphrase."""
    files = [str(path) for path in directory.iterdir() if path.is_file()]
    for path in (*glob.glob("/proc/[0-9]*/cmdline"), *glob.glob("/proc/[0-9]*/environ"), *files):
        try:
            content = pathlib.Path(path).read_bytes()
        except OSError:
            continue  # it has ended
        if PASSPHRASE.encode() in content or OTHER.encode() in content:
            yield path


def test_what_is_encrypted_is_read_and_written(disk: pathlib.Path) -> None:
    seen = child_process.call(functools.partial(visit, disk, new="text"))  # auto: nothing else can open it
    assert seen.mounts == (
        ("/", "logical volume guest/root (ext4)"),
        ("/boot", "partition 1 (ext2)"),
        ("/var", "the encrypted content of partition 3 (ext4)"),
    )
    assert seen.problems == ()
    assert seen.tellers == ()
    before = disk.read_bytes()
    again = child_process.call(functools.partial(visit, disk, root_device="/dev/guest/root"))
    assert again.files == {
        "etc/fstab": FSTAB,
        "boot/vmlinuz": "kernel",
        "var/lib/dpkg/status": "Package: base\n",
        "etc/new": "text",
        "var/new": "text",
    }
    assert disk.read_bytes() == before
    assert b"Package: base" not in before


def test_a_key_that_does_not_fit_opens_nothing_and_tells(disk: pathlib.Path) -> None:
    """One start of the appliance for all of them."""
    wrong = Key("/dev/xvda2", "wrong")
    attempts: list[tuple[Key, ...]] = [
        (wrong,),
        (Key("all", "wrong"), Key("all", "wrong as well")),
        (*BOTH, Key("UUID=00000000-0000-4000-8000-000000000000", "x")),
        (*BOTH, Key("/dev/xvda1", "x")),
    ]

    def attempt() -> list[str]:
        said = []
        with libguestfs.open_access(str(disk), writable=True) as access:
            for given in attempts:
                try:
                    access.unlock(given)
                except _errors.GuestError as error:
                    said.append(error.message if error.hint else "no advice")
                else:
                    said.append("opened")
            said.extend(volume.describe() for volume in access.layout.locked)
        return said

    before = disk.read_bytes()
    said = child_process.call(attempt)
    assert disk.read_bytes() == before
    assert said[0].startswith("partition 2 (crypto_LUKS) cannot be opened: the key does not fit")
    assert said[1].startswith("partition 2 (crypto_LUKS) cannot be opened: none of 2 keys fits")
    assert said[2] == "there is a key for UUID=00000000-0000-4000-8000-000000000000, which the image does not have"
    assert said[3] == "there is a key for /dev/xvda1, and partition 1 (ext2) is no LUKS volume"
    assert said[4:] == []


def test_a_volume_without_a_key_that_the_guest_needs_is_an_error(disk: pathlib.Path) -> None:
    def open_without_var() -> tuple[str, str]:
        with pytest.raises(_errors.GuestError) as caught, guest.open_guest(str(disk), writable=True, keys=BOTH[:1]):
            pass
        return caught.value.message, caught.value.hint

    before = disk.read_bytes()
    message, hint = child_process.call(open_without_var)
    assert "/var from /dev/mapper/var_crypt, which is encrypted, without a key: partition 3 (crypto_LUKS)" in message
    assert "keys" in hint
    assert disk.read_bytes() == before


def test_a_module_takes_the_keys_and_shows_none(disk: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "key").write_text(OTHER + "\n")
    keys = [{"device": "/dev/xvda2", "key": PASSPHRASE}, {"device": "all", "file": os.fspath(tmp_path / "key")}]
    (tmp_path / "variables.json").write_text(json.dumps({"keys_of_guest": keys}))
    arguments = json.dumps({"image": os.fspath(disk), "keys": "{{ keys_of_guest }}"})
    local = ["localhost,", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    programs = pathlib.Path(sys.executable).parent
    done = subprocess.run(
        [
            *(programs / "ansible", *local, "-vvv", "--diff", "-e", f"@{tmp_path}/variables.json"),
            *("-m", "rehost.hyperv.block_references", "-a", arguments),
        ],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": f"{programs}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"+xvda2_crypt UUID={ROOT_UUID} none luks,discard" in done.stdout
    assert PASSPHRASE not in done.stdout + done.stderr
    assert OTHER.strip() not in done.stdout + done.stderr
