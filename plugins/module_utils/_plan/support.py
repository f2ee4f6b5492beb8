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


class Found(t.NamedTuple):
    """form: C(builtin), C(module), or None for a driver that a kernel has not. where: what says so; empty when nothing
    tells whether there is one."""

    form: str | None
    where: str


def provides(kernel: Kernel, module: str) -> str | None:
    """C(builtin), C(module) or None: in which form a kernel has a driver. None also when nothing is known of it."""
    return find_driver(kernel, module, drivers.SYMBOLS.get(module, ())).form


def find_driver(kernel: Kernel, module: str, symbols: t.Sequence[str]) -> Found:
    """In which form a kernel has a driver, by its module's name, and by the first of the symbols that the configuration
    knows."""
    state = configured(kernel, symbols)
    if kernel.modules is not None:
        if module in kernel.modules.by_name:
            return Found(MODULE, f"/lib/modules/{kernel.version}/{kernel.modules.by_name[module].path}")
        if module in kernel.modules.builtin:
            return Found(BUILTIN, f"/lib/modules/{kernel.version}/modules.builtin")
    if state.form == BUILTIN:
        return state
    if kernel.modules is None:
        return Found(None, "" if state.form == MODULE else state.where)
    if state.where:
        return Found(None, f"{state.where}, and not in modules.dep" if state.form == MODULE else state.where)
    return Found(None, f"/lib/modules/{kernel.version}/modules.builtin" if kernel.modules.builtin else "")


def configured(kernel: Kernel, symbols: t.Sequence[str]) -> Found:
    """What the configuration says of a driver, whether it is there or not."""
    if kernel.config is None or not symbols:
        return Found(None, "")
    path = kernel.config_path or "the configuration"
    for symbol in symbols:
        if kernel.config.knows(symbol):
            value = kernel.config.state(symbol)
            where = f"{symbol}={value} in {path}" if value else f"{symbol} is not set in {path}"
            return Found({"y": BUILTIN, "m": MODULE}.get(value or ""), where)
    return Found(None, f"no {symbols[0]} in {path}")


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


def debian_release(facts: GuestFacts) -> int | None:
    """The number of the Debian release; None for others."""
    match = re.match(r"\d+", facts.system.version_id or "") if facts.system.id == "debian" else None
    return int(match.group()) if match else None


def boot_kernels(facts: GuestFacts) -> tuple[Kernel, ...]:
    """The kernels that the boot loader's menu offers, in its order; where there is no menu, all that have an image
    in /boot."""
    versions = dict.fromkeys(entry.version for entry in facts.boot.entries if not entry.is_xen_hypervisor)
    offered = [facts.kernel(version) for version in versions]
    kernels = [kernel for kernel in offered if kernel is not None]
    return tuple(kernels) or tuple([kernel for kernel in facts.kernels if kernel.image is not None])
