# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a running guest moves to another adapter, and comes back by itself when nobody confirms it.

The order of the calls, each of them in a module run of its own: C(resume) before anything is planned, C(start), then
over a new connection C(confirm) as often as needed. The action plugin nic_switch makes these calls.

Everything is imported here, at the top: the process that does the work outlives the archive it came in.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import sys
import time
import typing as t

from .._catalog.paths import LIVE_SWITCH
from .._errors import GuestError
from .._plan.model import Plan
from .detached import detach, leave_session
from .guest import Guest
from .links import driver_of, on_top_of, read_links, unconfigured_addresses
from .network_checks import checks_of, interface_of, parse_target
from .network_stacks import BACK_ENDS, Held, back_ends_of, renamed
from .programs import Programs
from .switch_process import SwitchProcess, trial_files
from .switch_state import UNTOUCHED, Adapter, SwitchDirectory, SwitchState
from .trial_files import hide

if t.TYPE_CHECKING:
    from .._plan.switch_model import Switch
    from .._root import Root
    from .links import Link

SHORTEST = 30.0  # seconds; a DHCP server may take ten to answer, and all is done twice when it does not
_CONFIRM_WAIT = 60.0  # seconds for the files to be written
_MAX_ANCESTORS = 64


def resume(root: Root) -> dict[str, t.Any] | None:
    """Deals with a switch that was interrupted in this boot of the guest: a process of its own puts all back.

    None when there is none, and the guest may be looked at. Otherwise the report of C(status): the module then has
    nothing else to do, and returns it as C(live); the facts of a guest in such a state mean nothing.
    Raises GuestError while a switch is under way.
    """
    directory = SwitchDirectory(_place(root))
    state = directory.read()
    if state is None or state.is_over:
        return None
    lock = _lock(directory)
    try:
        is_same_boot = state.boot == _boot_id()
        if is_same_boot and state.phase == "writing":  # confirmed: what is left to be written is planned anew
            hide(Programs(_nothing), state.shown)
        if state.phase in (*UNTOUCHED, "writing") or not is_same_boot:
            directory.write(_interrupted(state))
            return None
        reason = state.reason or "the process that switched the network was ended"
        process = _process(root, Plan(), directory, state)
        _set_off(process, lock, lambda: process.put_back(reason))
        return {**state.report(), "phase": "putting-back", "reason": reason}
    finally:
        os.close(lock)


def start(root: Root, switch: Switch, *, timeout: float, targets: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """Starts the process that carries out a switch, and returns the report of C(status); nothing has changed yet.

    The process begins when the file C(go) of the report holds its token (the controller writes it once it has the
    report), and gives up after a minute without it. C(timeout) is in seconds from then to the confirmation; when it is
    over, the old adapter works again. C(targets) are HOST:PORT that have to be reachable afterwards if they are before.
    Raises GuestError when a switch cannot be tried here at all; nothing was changed then.
    """
    if not root.is_live:
        raise GuestError("only a running guest can be switched live", hint="Use the staged mode.")
    if timeout < SHORTEST:
        raise GuestError(f"a time limit of {timeout:.0f} seconds is too short: give at least {SHORTEST:.0f}")
    goals = tuple([parse_target(target) for target in targets])
    with Guest(root) as guest:
        guest.record(LIVE_SWITCH)
    directory = SwitchDirectory(_place(root))
    os.makedirs(directory.path, mode=0o700, exist_ok=True)
    lock = _lock(directory)
    try:
        with open(directory.log, "w", encoding="utf-8", errors="replace") as log:
            os.fchmod(log.fileno(), 0o600)
            programs = Programs(lambda text: _write(log, text))
            state = _look(programs, switch, timeout)
            checks = checks_of(programs, _all_names(state), goals)
            state = dataclasses.replace(
                state,
                targets=goals,
                caller=_interface_of_caller(programs),
                before={name: check() for name, check in checks.items()},
            )
        directory.begin(state)
        process = _process(root, switch.plan, directory, state)
        _set_off(process, lock, process.supervise)
    finally:
        os.close(lock)
    return _report(directory, state)


def confirm(root: Root, token: str) -> dict[str, t.Any]:
    """Says that the guest was reached over its network as it now is, and waits until that is made permanent.

    Returns the report of C(status). Before the checks are through, or after all was put back, nothing is confirmed and
    the report says so. Raises GuestError when the token is of no switch, or when the connection over which this is
    called came in over another adapter.
    """
    directory = SwitchDirectory(_place(root))
    state = directory.read()
    if state is None or state.token != token:
        raise GuestError(
            f"there is no switch {token} in this guest",
            hint="Run nic_switch with mode: live; it confirms by itself.",
        )
    if state.phase == "waiting":
        directory.confirm(token, _judge_connection(Programs(_nothing), state))
        deadline = time.monotonic() + _CONFIRM_WAIT
        while not state.is_over and directory.is_locked() and time.monotonic() < deadline:
            time.sleep(0.2)
            state = directory.read() or state
    return _report(directory, _as_it_is(directory, state))


def status(root: Root) -> dict[str, t.Any] | None:
    """What the last switch came to; None when there never was one.

    C(token); C(phase): one of waiting-to-begin, taking-down, renaming, bringing-up, checking, waiting (for the
    confirmation), writing, putting-back, and when it is over confirmed, put-back, abandoned or interrupted;
    C(is_over); C(timeout); C(reason) why it was put back; C(problems) what did not work while it was put back;
    C(checks) by name C(passed_before) and C(problem), which is empty when it passed; C(connection) over which the
    confirmation came: C(address), C(interface), C(driver), C(shown); C(seconds) from the beginning, by phase; paths of
    C(go) and C(log).
    """
    directory = SwitchDirectory(_place(root))
    state = directory.read()
    return None if state is None else _report(directory, _as_it_is(directory, state))


def _report(directory: SwitchDirectory, state: SwitchState) -> dict[str, t.Any]:
    return {**state.report(), "go": directory.go, "log": directory.log}


def _as_it_is(directory: SwitchDirectory, state: SwitchState) -> SwitchState:
    """A state that says that something happens is not true when no process is there."""
    if state.is_over or directory.is_locked():
        return state
    return _interrupted(directory.read() or state)


def _interrupted(state: SwitchState) -> SwitchState:
    if state.is_over:
        return state
    if state.boot != _boot_id():
        which = "what had been confirmed" if state.phase == "writing" else "its configuration as it was before"
        reason = f"the guest was restarted in the phase {state.phase}, and booted with {which}"
    else:
        reason = f"the process that switched the network was ended in the phase {state.phase}"
    return dataclasses.replace(state, phase="interrupted", reason=reason)


def _place(root: Root) -> str:
    return os.path.join(root.path, LIVE_SWITCH.lstrip("/"))


def _lock(directory: SwitchDirectory) -> int:
    lock = directory.lock()
    if lock is None:
        raise GuestError(
            "the network of this guest is being switched right now, and one switch at a time is enough",
            path=directory.path,
            hint="Wait until it is confirmed or put back.",
        )
    return lock


def _process(root: Root, plan: Plan, directory: SwitchDirectory, state: SwitchState) -> SwitchProcess:
    # its standard output is the log of the switch
    programs = Programs(lambda text: _write(sys.stdout, text))
    return SwitchProcess(root, plan, directory, state, programs)


def _set_off(process: SwitchProcess, lock: int, work: t.Callable[[], None]) -> None:
    def prepare() -> None:
        has_left = leave_session(process.programs, f"rehost-hyperv-{process.state.token}")
        process.programs.note("in a scope of its own" if has_left else "in the session that started it")

    detach(work, process.directory.log, (lock,), prepare)


def _look(programs: Programs, switch: Switch, timeout: float) -> SwitchState:
    """What will be done, and with what. Raises GuestError when it cannot be."""
    links = read_links(programs)
    by_name = {link.name: link for link in links}
    for pair in switch.pairs:
        for nic in (pair.old, pair.synthetic):
            if nic is None or nic.name not in by_name:
                raise GuestError(
                    f"a live switch of {pair.configured} needs both adapters, and "
                    f"{'one' if nic is None else nic.name} is not there",
                    hint="Attach it (the guest has to be off for that), or use the staged mode.",
                )
    if not switch.renames:
        raise GuestError("no adapter has to be renamed, so there is nothing to switch", hint="Use the staged mode.")
    spare = [pair.synthetic.name for pair in switch.pairs if pair.synthetic is not None]
    configured = [pair.old.name for pair in switch.pairs if pair.old is not None]
    uppers = _uppers(links, switch, configured)
    _refuse_what_would_be_lost(links, switch, configured, uppers)
    adapters = tuple(
        [
            Adapter(by_name[rename.before].index, rename.before, rename.after, by_name[rename.before].is_up)
            for rename in switch.renames
        ]
    )
    names = {pair.old.name: pair.name for pair in switch.pairs if pair.old is not None}
    back_ends = back_ends_of(switch.stacks)
    held = Held((*configured, *uppers), tuple(spare), tuple([adapter.index for adapter in adapters]))
    return SwitchState(
        token=secrets.token_hex(8),
        boot=_boot_id(),
        timeout=timeout,
        adapters=adapters,
        names=names,
        uppers=uppers,
        back_ends=back_ends,
        memory={name: BACK_ENDS[name].remember(programs, held) for name in back_ends},
        shown=tuple([file.path for file in trial_files(switch.plan)]),
    )


def _uppers(links: t.Sequence[Link], switch: Switch, configured: t.Sequence[str]) -> tuple[str, ...]:
    """Configured interfaces on top of the adapters, the lowest first, whether they are there or not."""
    there = [link.name for link in on_top_of(links, configured)]
    said = [upper for pair in switch.pairs for upper in pair.uppers]
    return (*(name for name in there if name in said), *dict.fromkeys(name for name in said if name not in there))


def _refuse_what_would_be_lost(
    links: t.Sequence[Link], switch: Switch, configured: t.Sequence[str], uppers: t.Sequence[str]
) -> None:
    """Raises GuestError for what was set by hand, and no configuration would bring back."""
    strange = [link.name for link in on_top_of(links, configured) if link.name not in uppers]
    if strange:
        raise GuestError(
            f"{', '.join(strange)} on top of {', '.join(configured)} is in no network configuration, so nothing would "
            "make it again on the new adapter",
            hint="Configure it, or remove it; the staged mode does not touch it before the next boot.",
        )
    held = [link for link in links if link.name in (*configured, *uppers)]
    by_hand = unconfigured_addresses(held)
    if by_hand:
        raise GuestError(
            f"no network configuration has the address {', '.join(by_hand)}, so it would be lost on the new adapter",
            hint="Configure it, or remove it; the staged mode does not touch it before the next boot.",
        )


def _all_names(state: SwitchState) -> tuple[str, ...]:
    """Of the configured adapters and what is on top of them, as they are called before."""
    return (*state.names, *state.uppers)


def _judge_connection(programs: Programs, state: SwitchState) -> dict[str, str]:
    """Over which interface the module is called that confirms. Raises GuestError when that proves nothing."""
    address = _server_address()
    if not address:
        return {
            "address": "",
            "interface": "",
            "driver": "",
            "shown": "nothing: the connection of this call is no SSH connection. What was checked is the guest's own "
            "view: its address, its gateway, name servers and targets",
        }
    interface = interface_of(programs, address)
    switched = [*state.names.values(), *(renamed(upper, state.names) for upper in state.uppers)]
    is_over_it = interface in switched
    if not is_over_it and interface != state.caller:
        raise GuestError(
            f"the controller reached the guest at {address} on {interface or 'no interface'}, and not through "
            f"{', '.join(switched)}; so the switch is not confirmed"
        )
    lowest = [name for name in state.names.values() if name == interface] or list(state.names.values())
    return {
        "address": address,
        "interface": interface,
        "driver": driver_of(lowest[0]) if is_over_it else "",
        "shown": "the controller reaches the guest over the new adapter"
        if is_over_it
        else "the controller reaches the guest over an adapter that was not switched, as before",
    }


def _interface_of_caller(programs: Programs) -> str:
    address = _server_address()
    return interface_of(programs, address) if address else ""


def _server_address() -> str:
    """The address of this guest to which the SSH connection goes, in the session of which this runs; "" when there is
    none. become drops the variable, so the processes that lead here are asked as well."""
    found = os.environ.get("SSH_CONNECTION", "")
    pid = os.getppid()
    for _generation in range(_MAX_ANCESTORS):
        if found or pid <= 1:
            break
        try:
            with open(f"/proc/{pid}/environ", "rb") as stream:
                variables = stream.read().split(b"\0")
            with open(f"/proc/{pid}/stat", "rb") as stream:
                pid = int(stream.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
        values = [value[len("SSH_CONNECTION=") :] for value in variables if value.startswith(b"SSH_CONNECTION=")]
        found = values[0].decode("ascii", "replace") if values else ""
    fields = found.split()
    return fields[2] if len(fields) == 4 else ""


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def _write(log: t.TextIO, text: str) -> None:
    log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}\n")
    log.flush()


def _nothing(_text: str) -> None:
    """Takes the notes of programs where nobody reads them."""
