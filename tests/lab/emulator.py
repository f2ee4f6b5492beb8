# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The QEMU that can be a Hyper-V and a XenServer under software emulation: built by `build`, found here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from ._paths import CACHE, CHECKOUT, LabError

VARIABLE = "REHOST_LAB_QEMU"
PROGRAM = "qemu-system-x86_64"
# Only a QEMU with both of the patches has all of these.
DEVICES = ("hv-net", "hv-ide", "hv-timesync", "xen-disk")


class Emulator(NamedTuple):
    """`origin` says where it was found, for the reader of a report."""

    path: Path
    origin: str


def find_emulator() -> Emulator:
    """The first QEMU there is: $REHOST_LAB_QEMU, the one prebuilt beside the checkout, the one `make lab` built.

    The variable names the program, or the directory that `build` was given; a relative one is below the checkout.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        path = CHECKOUT / named
        return _proved(Emulator(path / "bin" / PROGRAM if path.is_dir() else path, f"${VARIABLE}"))
    candidates = (
        Emulator(CHECKOUT.parent / "shared" / "lab" / "prebuilt" / "bin" / PROGRAM, "prebuilt, beside the checkout"),
        Emulator(CACHE / "qemu" / "bin" / PROGRAM, "built by `make lab`"),
    )
    for candidate in candidates:
        if candidate.path.exists():
            return _proved(candidate)
    raise LabError(f"no QEMU with the lab's patches: run `make lab` (some minutes), or set ${VARIABLE} to one")


def _proved(emulator: Emulator) -> Emulator:
    """The same emulator, or LabError when it does not run here or is not the lab's."""
    try:
        answer = subprocess.run(
            [emulator.path, "-M", "none", "-device", "help"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError as error:
        raise LabError(f"{emulator.path} ({emulator.origin}) does not run: {error}") from error
    if answer.returncode:
        hint = "install the packages of tests/lab/packages.txt, or build one for this system with `make lab`"
        raise LabError(f"{emulator.path} ({emulator.origin}) does not run: {answer.stderr.strip()}; {hint}")
    absent = [device for device in DEVICES if f'"{device}"' not in answer.stdout]
    if absent:
        raise LabError(f"{emulator.path} ({emulator.origin}) has no {', '.join(absent)}: not built by tests/lab/build")
    return emulator
