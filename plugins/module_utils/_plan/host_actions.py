# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network adapters of a guest ask of the Hyper-V host: no guest can do it for itself.

The options of microsoft.hyperv.hv_network_adapter are those of its documentation: vm_name, name, switch_name,
mac_address, state. It finds an adapter by its name, which a guest does not know, and has no word for a legacy adapter.
"""

from __future__ import annotations

import typing as t

from .switch_model import HostAction

if t.TYPE_CHECKING:
    from .._facts.model import Nic
    from .switch_model import Pair

UNKNOWN_MACHINE = "NAME OF THE VIRTUAL MACHINE"
UNKNOWN_SWITCH = "NAME OF THE VIRTUAL SWITCH"
_MODULE = "microsoft.hyperv.hv_network_adapter"
_DYNAMIC = "00:15:5d:"  # Hyper-V's own addresses; any other was set by somebody, and stays


def actions(
    pairs: t.Sequence[Pair],
    nics: t.Sequence[Nic],
    *,
    is_hyperv: bool,
    generation: int | None,
    vm_name: str | None,
    keep_legacy: bool,
) -> tuple[HostAction, ...]:
    """What is left to do there, in the order in which to do it."""
    machine = vm_name or UNKNOWN_MACHINE
    missing = [pair for pair in pairs if pair.synthetic is None and (is_hyperv or pair.macs)]
    found = [_add(pair, machine, generation, is_hyperv=is_hyperv) for pair in missing]
    for pair in pairs:
        if pair.macs and pair.synthetic is not None and (pair.synthetic.mac or "").startswith(_DYNAMIC):
            found.append(_set_mac(pair, machine))
    legacy = [nic for nic in nics if nic.kind == "legacy"]
    is_replaced = bool(pairs) and all(pair.synthetic is not None for pair in pairs)
    if legacy and is_replaced and not keep_legacy:
        found.append(_remove_legacy(legacy, machine))
    return tuple(found)


def _add(pair: Pair, machine: str, generation: int | None, *, is_hyperv: bool) -> HostAction:
    mac = pair.macs[0] if pair.macs else None
    address = f" -StaticMacAddress {_quoted(_bare(mac))}" if mac else ""
    add = (
        f"Add-VMNetworkAdapter -VMName {_quoted(machine)} -Name {_quoted(pair.name)} "
        f"-SwitchName {_quoted(UNKNOWN_SWITCH)}{address}"
    )
    options = {"vm_name": machine, "name": pair.name, "switch_name": UNKNOWN_SWITCH, "state": "present"}
    if mac:
        options["mac_address"] = mac
    reason = f"there is no synthetic adapter for {pair.name} yet"
    if mac:
        reason += f"; the guest knows it by the address {mac}, as there are several"
    return HostAction(
        "add-adapter",
        reason,
        _while_off(machine, add) if is_hyperv and generation == 1 else add,
        {"module": _MODULE, "options": options},
    )


def _set_mac(pair: Pair, machine: str) -> HostAction:
    mac = pair.synthetic.mac if pair.synthetic is not None and pair.synthetic.mac is not None else ""
    select = f"Where-Object MacAddress -eq {_quoted(_bare(mac))}"
    command = (
        f"Get-VMNetworkAdapter -VMName {_quoted(machine)} | {select} | "
        f"Set-VMNetworkAdapter -StaticMacAddress {_quoted(_bare(mac))}"
    )
    return HostAction(
        "set-static-mac",
        f"the guest knows the adapter of {pair.name} by its address, {mac}, as there are several. If Hyper-V gave it "
        "the address (it is from its own range), it may give it another on another host",
        _while_off(machine, command),
        None,
        f"{_MODULE} finds an adapter by its name, which the guest does not know; with the name it is vm_name, name "
        f"and mac_address={mac}",
    )


def _remove_legacy(legacy: t.Sequence[Nic], machine: str) -> HostAction:
    names = ", ".join([nic.name for nic in legacy])
    command = f"Get-VMNetworkAdapter -VMName {_quoted(machine)} | Where-Object IsLegacy | Remove-VMNetworkAdapter"
    return HostAction(
        "remove-legacy-adapter",
        f"{names} is no longer used: the synthetic adapter has the network. A legacy adapter can be removed only while "
        "the virtual machine is off",
        _while_off(machine, command),
        None,
        f"{_MODULE} has no option for legacy adapters: it can neither find nor tell them from others",
    )


def _while_off(machine: str, command: str) -> str:
    return f"Stop-VM -Name {_quoted(machine)}\n{command}\nStart-VM -Name {_quoted(machine)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bare(mac: str) -> str:
    return mac.replace(":", "").upper()
