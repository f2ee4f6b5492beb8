# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kernel_pin: what it is told, as its planner wants it, and the packages at hand, opened."""

from __future__ import annotations

import functools
import typing as t

from .._errors import GuestError, MalformedError
from .._plan import kernel_choice, kernel_packages, kernel_pin
from .._plan.model import PackageFile
from .._root import Root

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._plan.model import Plan
    from .guest_module import Arguments

ARGUMENTS: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "kernel": {"type": "str"},
    "flavour": {"type": "str"},
    "minimum": {"type": "str"},
    "backports": {"type": "bool", "default": False},
    "upgrade": {"type": "bool", "default": False},
    "packages": {"type": "list", "elements": "path", "default": []},
    "pin": {"type": "bool", "default": True},
    "trial": {"type": "bool", "default": True},
    "trial_limit": {"type": "int", "default": 300},
    "retry": {"type": "bool", "default": False},
    "restart": {"type": "bool", "default": False},  # what the action plugin does
}
PARTS = frozenset({"hypervisor", "kernels", "images", "initramfs", "storage", "packages"})
_SHORTEST, _LONGEST = 30, 86400  # seconds


def plan(facts: GuestFacts, arguments: Arguments) -> Plan:
    """The plan of the next step."""
    return kernel_pin.plan(facts, _wanted(arguments))


def judge(facts: GuestFacts, arguments: Arguments) -> dict[str, t.Any]:
    """Where the guest is."""
    return kernel_pin.step(facts, _wanted(arguments)).report(facts)


def _wanted(arguments: Arguments) -> kernel_pin.Wanted:
    limit: int = arguments["trial_limit"]
    if not _SHORTEST <= limit <= _LONGEST:
        raise GuestError(
            f"trial_limit is {limit} seconds, and it must be between {_SHORTEST} and {_LONGEST}",
            hint="It counts from the start of the kernel until this module has been called again.",
        )
    return kernel_pin.Wanted(
        choice=kernel_choice.Wanted(
            kernel=arguments["kernel"] or None,
            flavour=arguments["flavour"] or None,
            minimum=arguments["minimum"] or None,
            backports=arguments["backports"],
            upgrade=arguments["upgrade"],
        ),
        is_present=arguments["state"] == "present",
        pin=arguments["pin"],
        trial=limit if arguments["trial"] else None,
        retry=arguments["retry"],
        brought=_brought(tuple(arguments["packages"])),
    )


@functools.lru_cache(maxsize=1)
def _brought(paths: tuple[str, ...]) -> tuple[kernel_packages.Brought, ...]:
    from .._formats import deb  # only a few calls have any

    root = Root("/")
    found = []
    for path in paths:
        stream = root.open(path)
        if stream is None:
            raise GuestError(f"the package {path} is not there", path=path, hint="Copy it to this machine first.")
        try:
            with stream:
                fields = deb.read_fields(stream)
        except MalformedError as error:
            raise MalformedError(f"{path}: {error.message}", path=path, hint=error.hint) from error
        found.append(kernel_packages.Brought(PackageFile(path, root.sha256(path) or ""), fields))
    if paths and not any(one.release for one in found):
        raise GuestError(
            f"none of the {len(paths)} packages holds a kernel",
            hint="A package with a kernel is called linux-image and its version.",
        )
    return tuple(found)
