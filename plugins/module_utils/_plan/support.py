# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an installed kernel can drive, and from where."""

from __future__ import annotations

import re
import typing as t

from .._catalog import drivers

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Kernel

BUILTIN, MODULE = "builtin", "module"


def provides(kernel: Kernel, module: str) -> str | None:
    """C(builtin), C(module) or None: in which form a kernel has a driver. None also when nothing is known of it."""
    if kernel.modules is not None and module in kernel.modules.by_name:
        return MODULE
    if kernel.modules is not None and module in kernel.modules.builtin:
        return BUILTIN
    if kernel.config is not None and any(
        kernel.config.state(symbol) == "y" for symbol in drivers.SYMBOLS.get(module, ())
    ):
        return BUILTIN
    return None


def needed_from_image(kernel: Kernel, modules: t.Iterable[str]) -> tuple[str, ...]:
    """Those of the modules, and of what they depend on, that the kernel can only load from its initramfs, sorted.
    Modules that the kernel does not have at all are left out."""
    if kernel.modules is None:
        return ()
    wanted = [name for name in modules if provides(kernel, name) == MODULE]
    return tuple(sorted(module.name for module in kernel.modules.closure(wanted).modules))


def file_system_drivers(kernel: Kernel, fs_type: str) -> tuple[str, ...]:
    """The driver that mounts a file system on this kernel; () when it has none."""
    names = drivers.FILE_SYSTEM_DRIVERS.get(fs_type, (fs_type,))
    found = [name for name in names if provides(kernel, name) is not None]
    return tuple(found[:1])


def version_of(kernel_version: str) -> tuple[int, ...]:
    """The numbers of a kernel version, to compare: 6.1.0-56-amd64 is (6, 1, 0)."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", kernel_version)
    return tuple([int(part or 0) for part in match.groups()]) if match else ()


def boot_kernels(facts: GuestFacts) -> tuple[Kernel, ...]:
    """The kernels that the boot loader's menu offers, in its order; where there is no menu, all that have an image
    in /boot."""
    versions = dict.fromkeys(entry.version for entry in facts.boot.entries if not entry.is_xen_hypervisor)
    offered = [facts.kernel(version) for version in versions]
    kernels = [kernel for kernel in offered if kernel is not None]
    return tuple(kernels) or tuple([kernel for kernel in facts.kernels if kernel.image is not None])
