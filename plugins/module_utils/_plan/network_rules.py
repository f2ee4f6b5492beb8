# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The udev rules by which whichever adapter the host gives bears the name that the guest's configuration says.

They are written so that udev 164 (Debian 6) reads them as udev 257 (Debian 13) does, and need no programs but C(sh)
and C(modprobe), so that they hold in an initramfs as well, which gets a copy of them.

* An assignment of NAME overrides an earlier one (70-persistent-net.rules), and what comes later leaves a name alone
  that is set (75-persistent-net-generator.rules, 80-net-setup-link.rules).
* A virtual function is not touched: its driver is another.
* udev from 209 on tries to rename once. A name that another adapter still bears is given as soon as that one has left
  it: the one that leaves asks for the other's turn, by an add event.
"""

from __future__ import annotations

import re
import typing as t

from .._catalog import vmbus
from .._formats import udev_rules

if t.TYPE_CHECKING:
    from .._facts.model import TextFile

PATH = "/etc/udev/rules.d/71-rehost-hyperv-net.rules"
LEGACY_NAME = "legacy"
"""How the name of a legacy adapter begins that has stepped back for a synthetic one."""

_DRIVERS = "|".join(vmbus.NETWORK_DRIVERS)
_NETWORK_CLASS = next(guid for guid, kind in vmbus.DEVICE_KINDS.items() if kind == "network")
_NEW_ADAPTER = 'ACTION=="add", SUBSYSTEM=="net", ATTR{type}=="1"'
_SYNTHETIC = f'DRIVERS=="{_DRIVERS}"'
_LEGACY = 'ATTRS{vendor}=="0x1011", ATTRS{device}=="0x0009"'
_XEN = 'DRIVERS=="vif"'
# In a rule $ and % stand for something unless they are doubled, and a value holds no double quote.
_HAS_SYNTHETIC = (
    "for c in /sys/bus/vmbus/devices/*/class_id; do if read g <$$c; then case $$g in "
    f"*{_NETWORK_CLASS}*) exec /sbin/modprobe -n -q {vmbus.NETWORK_DRIVERS[0]};; esac; fi; done; exit 1"
)
_HEAD = """\
# Made by the module rehost.hyperv.nic_switch, and made anew by it: changes are lost.
# Whichever adapter the host gives (synthetic, legacy, Xen's) bears the name that the network configuration says.
"""


class Naming(t.NamedTuple):
    """A name, and the addresses of the adapters that are to bear it; none: whatever their address."""

    name: str
    macs: tuple[str, ...] = ()


def render(names: t.Sequence[Naming]) -> str:
    """The rules file."""
    return _HEAD + "".join([_rules(naming, index) for index, naming in enumerate(names)])


def parse(text: str) -> tuple[Naming, ...]:
    """The names that the rules of such a file give to synthetic adapters, in their order."""
    found = []
    for rule in udev_rules.rules(udev_rules.parse(text)):
        name = rule.assigned("NAME")
        if rule.is_valid and rule.names_interface and name and rule.matched("DRIVERS") == _DRIVERS:
            macs = rule.matched("ATTR", "address")
            found.append(Naming(name, tuple(macs.split("|")) if macs else ()))
    return tuple(found)


def given(files: t.Iterable[TextFile]) -> tuple[Naming, ...]:
    """The names that the guest's own rules file gives already; () where there is none."""
    return next((parse(file.text) for file in files if file.path == PATH), ())


def _rules(naming: Naming, index: int) -> str:
    name, macs = naming
    base = _NEW_ADAPTER + (f', ATTR{{address}}=="{"|".join(macs)}"' if macs else "")
    program = _shell(_has_synthetic_with(macs) if macs else _HAS_SYNTHETIC)
    steps_back = f'PROGRAM=="{program}", NAME="{LEGACY_NAME}{index}", RUN+="{_shell(_ask_synthetic(name))}"'
    return "\n".join(
        [
            "",
            f"# {name}: {' or '.join(macs) if macs else 'the only adapter'}",
            f'{base}, {_SYNTHETIC}, NAME="{name}", RUN+="{_shell(_ask_legacy(name))}"',
            f'{base}, {_LEGACY}, NAME="{name}"',
            f"{base}, {_LEGACY}, {steps_back}",
            f'{base}, {_XEN}, NAME="{name}"',
            "",
        ]
    )


def _has_synthetic_with(macs: t.Sequence[str]) -> str:
    return (
        "for a in /sys/bus/vmbus/devices/*/net/*/address; do if read m <$$a; then "
        f"case $$m in {'|'.join(macs)}) exit 0;; esac; fi; done; exit 1"
    )


def _ask_legacy(name: str) -> str:
    """The legacy adapter came first, saw no other, and bears the name: it is asked to think again."""
    device = f"/sys/class/net/{name}"
    return (
        f"if [ -e {device}/device/vendor ] && read v <{device}/device/vendor && [ $$v = 0x1011 ]; then "
        f"echo add >{device}/uevent; fi"
    )


def _ask_synthetic(name: str) -> str:
    """The name is free now."""
    return (
        f"if [ ! -e /sys/class/net/{name} ]; then for u in /sys/bus/vmbus/devices/*/net/*/uevent; do "
        "if [ -e $$u ]; then echo add >$$u; fi; done; fi"
    )


def _shell(script: str) -> str:
    return f"/bin/sh -c '{script}'"


def names_by_mac(files: t.Iterable[TextFile]) -> tuple[tuple[str, str], ...]:
    """(address, name) of every rule that names an adapter by its address, as 70-persistent-net.rules has them."""
    found = []
    for file in files:
        if not file.path.endswith(".rules") or file.path == PATH:
            continue
        for rule in udev_rules.rules(udev_rules.parse(file.text)):
            mac = rule.matched("ATTR", "address") or rule.matched("SYSFS", "address") or ""
            name = rule.assigned("NAME")
            if name and re.fullmatch(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}", mac):
                found.append((mac.lower(), name))
    return tuple(found)
