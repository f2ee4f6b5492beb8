# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make_guest.py UNIT-TESTS DIRECTORY: a golden guest, as the tree DIRECTORY/guest and the disk DIRECTORY/guest.raw."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

GUEST = "debian12-hvm"
ROOT_UUID = "5f1c9a52-6a3b-4f6e-9d0c-7e3b1a2c4d5e"
SWAP_UUID = "c0a81f3e-2b7d-4e59-8f10-93d4b6a7e8f9"
MIB = 1 << 20
ROOT_MIB, SWAP_MIB = 64, 8


def main() -> None:
    unit_tests, directory = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    sys.path.insert(0, os.fspath(unit_tests))
    import guest_tree

    tree, disk = directory / "guest", directory / "guest.raw"
    shutil.rmtree(tree, ignore_errors=True)
    disk.unlink(missing_ok=True)
    guest_tree.build_guest(GUEST, tree)
    with disk.open("wb") as stream:
        stream.write(b"\xeb")  # boot code, as far as anybody can tell
        stream.truncate((ROOT_MIB + SWAP_MIB + 2) * MIB)
    table = (
        f"label: dos\nstart=1MiB, size={ROOT_MIB}MiB, type=83\nstart={ROOT_MIB + 1}MiB, size={SWAP_MIB}MiB, type=82\n"
    )
    run("sfdisk", "-q", "--no-reread", disk, stdin=table)
    run("mke2fs", "-qF", "-t", "ext4", "-U", ROOT_UUID, "-d", tree, "-E", f"offset={MIB}", disk, f"{ROOT_MIB}M")
    swap = directory / "swap"
    with swap.open("wb") as stream:
        stream.truncate(SWAP_MIB * MIB)
    run("mkswap", "-q", "-U", SWAP_UUID, swap)
    with disk.open("r+b") as stream:
        stream.seek((ROOT_MIB + 1) * MIB)
        stream.write(swap.read_bytes()[:4096])
    swap.unlink()


def run(*words: object, stdin: str = "") -> None:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    subprocess.run([str(word) for word in words], input=stdin, text=True, env={**os.environ, "PATH": path}, check=True)


if __name__ == "__main__":
    main()
