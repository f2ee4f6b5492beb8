# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab needs on this system, and whether it is there."""

from __future__ import annotations

import os
import shutil

from ._paths import LabError
from .emulator import find_emulator

# Program -> Debian package that has it; packages.txt is the same list for apt.
FOR_MACHINES = {
    "qemu-img": "qemu-utils",
    "ssh": "openssh-client",
    "scp": "openssh-client",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
FOR_IMAGES = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "mkswap": "util-linux",
    "sfdisk": "fdisk",
    "dpkg-deb": "dpkg",
}


def missing_programs(programs: dict[str, str]) -> str:
    """What to install, or the empty string."""
    absent = [program for program in programs if not shutil.which(program)]
    if not absent:
        return ""
    packages = sorted({programs[program] for program in absent})
    return f"no {', '.join(absent)}: apt-get install {' '.join(packages)}"


def missing_for_images() -> str:
    """Why no guest image can be made here, or the empty string."""
    if os.geteuid() != 0:
        return "guest images are made as root (chroot, device nodes, owners of files)"
    return missing_programs({**FOR_MACHINES, **FOR_IMAGES})


def missing() -> str:
    """Why the lab is not available here, in one line; the empty string when it is."""
    try:
        find_emulator()
    except LabError as error:
        return str(error)
    return missing_programs(FOR_MACHINES) or missing_for_images()
