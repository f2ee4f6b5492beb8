# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guest's boot loader would start, for a machine whose firmware cannot read the guest's disk."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._paths import CHECKOUT, LabError

KERNEL, INITRD = "vmlinuz", "initrd"


def read_default_entry(disk: Path, disk_format: str, target: Path) -> str:
    """The command line; puts the kernel and the initrd, as KERNEL and INITRD, into the directory `target`.

    The disk is only read.  As GRUB, this does not look into the journal of a file system that was not unmounted.
    """
    with tempfile.TemporaryDirectory(dir=target) as scratch, _as_raw(disk, disk_format, Path(scratch)) as raw:
        for offset in _partitions(raw):
            tree = Path(scratch, "tree")
            tree.mkdir()
            # An empty directory where there is no such thing; what is wrong with it is told below.
            _run("debugfs", "-R", f"rdump /boot {tree}", f"{raw}?offset={offset}")
            entry = _default_entry(tree)
            if entry is not None:
                (tree / entry.kernel[1:]).rename(target / KERNEL)
                with (target / INITRD).open("wb") as output:
                    for initrd in entry.initrds:
                        output.write((tree / initrd[1:]).read_bytes())
                return str(entry.cmdline)
            shutil.rmtree(tree)
    raise LabError(f"{disk}: no partition has a /boot with a menu of GRUB whose default entry can be told")


def _default_entry(tree: Path) -> Any:
    """The product's BootEntry, or None."""
    if str(CHECKOUT) not in sys.path:
        sys.path.append(str(CHECKOUT))
    boot = importlib.import_module("plugins.module_utils._facts.boot")
    root = importlib.import_module("plugins.module_utils._root")
    found = boot.gather(root.Root(str(tree)), lambda _problem: None)
    defaults = [entry for entry in found.entries if entry.is_default]
    return defaults[0] if defaults else None


@contextmanager
def _as_raw(disk: Path, disk_format: str, scratch: Path) -> Iterator[Path]:
    if disk_format == "raw":
        yield disk
        return
    raw = scratch / "disk.raw"
    _run("qemu-img", "convert", "-U", "-f", disk_format, "-O", "raw", str(disk), str(raw))
    yield raw
    raw.unlink()


def _partitions(raw: Path) -> list[int]:
    """Where they begin, in bytes."""
    table = json.loads(_run("sfdisk", "--json", str(raw)))["partitiontable"]
    return [partition["start"] * 512 for partition in table["partitions"]]


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"{command[0]} failed with status {result.returncode}: {result.stderr.strip()}")
    return result.stdout
