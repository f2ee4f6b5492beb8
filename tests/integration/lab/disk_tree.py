# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree in the first partition of a disk image, as the kernel shows it: nothing of the collection takes part.

python disk_tree.py IMAGE      as JSON, mounted where no other process sees it
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import typing as t

from ansible_collections.rehost.hyperv.tests.unit import guest_tree

Tree = t.Dict[str, guest_tree.Entry]


def read(image: pathlib.Path) -> Tree:
    """Path -> kind, mode, owner, mtime and content of everything in the first partition. As root."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with tempfile.TemporaryDirectory() as directory:
        raw = pathlib.Path(directory, "disk.raw")
        subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
        # What is mounted in a mount namespace of its own goes with the process.
        command = ["unshare", "--mount", sys.executable, __file__, os.fspath(raw)]
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return {path: guest_tree.Entry(*entry) for path, entry in json.loads(answer.stdout).items()}


def _show(raw: str) -> None:
    table = json.loads(subprocess.run(["sfdisk", "--json", raw], stdout=subprocess.PIPE, check=True).stdout)
    first = table["partitiontable"]["partitions"][0]
    with tempfile.TemporaryDirectory() as directory:
        place = f"loop,ro,noload,offset={first['start'] * 512},sizelimit={first['size'] * 512}"
        subprocess.run(["mount", "-o", place, raw, directory], check=True)
        try:
            json.dump(guest_tree.snapshot(directory), sys.stdout)
        finally:
            subprocess.run(["umount", directory], check=True)


if __name__ == "__main__":
    _show(sys.argv[1])
