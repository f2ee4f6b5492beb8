# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes for kernel arguments to be there or not, and for consoles to be those that are wanted."""

from __future__ import annotations

import dataclasses
import typing as t

from .._formats import kernel_cmdline
from .boot_edit import BootEdit, edit_boot
from .model import Finding, Plan

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._formats.kernel_cmdline import CommandLine


@dataclasses.dataclass(frozen=True)
class Wanted:
    """present: arguments that every kernel gets. absent: patterns of arguments that none gets (C(console=hvc*)).
    consoles: the consoles in their order, the last one is /dev/console; None leaves them alone."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    consoles: tuple[str, ...] | None = None


DUAL_BOOT_CONSOLES = ("hvc0", "tty0", "ttyS0,115200n8")
HYPERV_CONSOLES = ("tty0", "ttyS0,115200n8")


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """The boot loader's menu and settings, edited; and what is wrong with the arguments as they are."""
    findings = [*_console_findings(facts), *_loader_findings(facts)]
    edit = BootEdit(
        whole=lambda line: _with_consoles(_with_present(_without_absent(line, wanted), wanted), wanted),
        part=lambda line: _without_consoles(_without_absent(line, wanted), wanted),
    )
    changes, problems = edit_boot(facts.boot, edit, "kernel arguments fit the hypervisor")
    return Plan(changes=changes, findings=(*findings, *problems))


def _without_absent(line: CommandLine, wanted: Wanted) -> CommandLine:
    for pattern in wanted.absent:
        line = kernel_cmdline.without(line, pattern)
    return line


def _with_present(line: CommandLine, wanted: Wanted) -> CommandLine:
    for argument in wanted.present:
        line = kernel_cmdline.with_argument(line, argument)
    return line


def _without_consoles(line: CommandLine, wanted: Wanted) -> CommandLine:
    return line if wanted.consoles is None else kernel_cmdline.without(line, "console=*")


def _with_consoles(line: CommandLine, wanted: Wanted) -> CommandLine:
    if wanted.consoles is None or kernel_cmdline.values(line, "console") == wanted.consoles:
        return line
    line = kernel_cmdline.without(line, "console=*")
    for console in wanted.consoles:
        line = kernel_cmdline.with_argument(line, f"console={console}")
    return line


def _console_findings(facts: GuestFacts) -> t.Iterator[Finding]:
    default = facts.boot.default
    if default is None:
        return
    consoles = kernel_cmdline.values(kernel_cmdline.parse(default.cmdline), "console")
    if consoles and all(console.startswith(("hvc", "xvc")) for console in consoles):
        yield Finding(
            "console.only-xen",
            "warning",
            "console=" + consoles[-1],
            f"the only console of the default boot entry is {consoles[-1]}, which exists on Xen alone: on Hyper-V "
            "nothing is shown while the guest boots, and a guest that stops there cannot be seen to",
            "kernel_cmdline adds console=tty0 and console=ttyS0,115200n8",
        )


def _loader_findings(facts: GuestFacts) -> t.Iterator[Finding]:
    if facts.boot.menu is None:
        yield Finding(
            "boot.no-menu",
            "error",
            "/boot",
            "no boot loader configuration was found (grub.cfg, menu.lst, extlinux.conf), so it is not known which "
            "kernel starts, and its arguments cannot be changed",
            "install GRUB in the guest; a guest that pygrub booted without any needs one to boot on Hyper-V",
            blocks=True,
        )
    for what in facts.boot.unresolved:
        yield Finding(
            "boot.menu-unresolved",
            "info",
            facts.boot.menu.path if facts.boot.menu else "/boot",
            f"a part of the menu is decided only when GRUB runs and is not judged ({what})",
            "look at the menu by hand if the guest boots from that part",
        )
