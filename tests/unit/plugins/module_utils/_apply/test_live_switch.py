# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A switch with real interfaces and the real ifupdown, in namespaces."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply import live_switch, network_checks, switch_process
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.switch_state import SwitchDirectory, SwitchState
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Nic
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, Plan
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.switch_model import Pair, Rename, Switch
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import child_process
from ansible_collections.rehost.hyperv.tests.unit.small_network import (
    ADDRESS,
    ADDRESS6,
    INTERFACES,
    NEW_MAC,
    OLD_MAC,
    Network,
    find_ifupdown,
    ip,
    needs_namespaces,
    use_ifupdown,
    wait_until,
)

pytestmark = pytest.mark.slow  # minutes, most of them waited
RULES = "/etc/network/rules"  # where the namespace may be written to
ROOT = Root("/")


def nic(name: str, mac: str, kind: str) -> Nic:
    return Nic(name=name, mac=mac, driver=None, kind=kind, bus=None, state=None, lower_of=None)


def switch_to(name: str = "eth0", uppers: t.Tuple[str, ...] = ()) -> Switch:
    interfaces = pathlib.Path("/etc/network/interfaces").read_text()
    changes = [FileChange(RULES, None, "the rules\n", "the name")]
    if name != "eth0":
        changes.insert(0, FileChange("/etc/network/interfaces", interfaces, interfaces.replace("eth0", name), "name"))
    pair = Pair("eth0", name, "ifupdown", nic("eth0", OLD_MAC, "legacy"), nic("eth1", NEW_MAC, "synthetic"), "order")
    return Switch(
        plan=Plan(changes=tuple(changes)),
        pairs=(dataclasses.replace(pair, uppers=uppers),),
        renames=(Rename("eth0", "legacy0"), Rename("eth1", name)),
        stacks=("ifupdown",),
    )


def mac_of(name: str) -> str:
    return str(json.loads(ip("-j", "link", "show", "dev", name))[0]["address"])


def addresses_of(name: str) -> t.Set[str]:
    shown = json.loads(ip("-j", "address", "show", "dev", name))[0]["addr_info"]
    return {address["local"] for address in shown if address["scope"] == "global"}


def begin(switch: Switch, timeout: float = 6.0) -> t.Dict[str, t.Any]:
    live_switch.SHORTEST = 1.0
    report = live_switch.start(ROOT, switch, timeout=timeout, targets=["192.0.2.1:80"])
    pathlib.Path(report["go"]).write_text(report["token"])
    return report


def phase() -> str:
    found = live_switch.status(ROOT)
    return "" if found is None else str(found["phase"])


def is_as_before() -> bool:
    return mac_of("eth0") == OLD_MAC and mac_of("eth1") == NEW_MAC and addresses_of("eth0") == {ADDRESS, ADDRESS6}


@pytest.fixture
def guest() -> t.Callable[[t.Callable[[Network], t.Any]], t.Any]:
    """Runs what it is given in a guest that has eth0 up, and eth1 beside it."""
    needs_namespaces()
    directory = find_ifupdown()

    def run(work: t.Callable[[Network], t.Any], *, is_dead: bool = False) -> t.Any:
        def inside() -> t.Any:
            switch_process.GRACE = 0.1
            network_checks._NEIGHBOUR_WAIT = network_checks._ANSWER_WAIT = 0.5
            network = Network()
            try:
                network.plug("eth0", OLD_MAC)
                network.plug("eth1", NEW_MAC, is_dead=is_dead)
                use_ifupdown(directory)
                return work(network)
            finally:
                print(_read("/var/lib/rehost-hyperv/live-switch/log"))
                network.end()

        return child_process.call(inside)

    return run


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def test_a_confirmed_switch_leaves_the_name_with_the_other_adapter(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        report = begin(switch_to())
        wait_until(lambda: phase() == "waiting")
        assert not os.path.exists(RULES)
        confirmed = live_switch.confirm(ROOT, report["token"])
        return confirmed, mac_of("eth0"), addresses_of("eth0"), mac_of("legacy0"), addresses_of("legacy0"), _read(RULES)

    confirmed, mac, addresses, legacy, left, rules = guest(work)
    assert confirmed["phase"] == "confirmed"
    assert (mac, addresses) == (NEW_MAC, {ADDRESS, ADDRESS6})
    assert (legacy, left) == (OLD_MAC, set())
    assert rules == "the rules\n"
    assert {name for name, check in confirmed["checks"].items() if check["passed_before"]} == {
        *("address inet", "address inet6", "gateway inet", "gateway inet6", "name server", "target 192.0.2.1:80"),
    }


def test_a_network_that_does_not_work_behind_the_new_adapter_is_put_back_at_once(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        begin(switch_to())
        wait_until(lambda: phase() == "put-back")
        return live_switch.status(ROOT), is_as_before(), _read(RULES)

    last, is_back, rules = guest(work, is_dead=True)
    assert is_back
    assert rules == ""
    assert last["problems"] == []
    assert "gateway inet (192.0.2.1 does not answer on eth0)" in last["reason"]
    assert last["seconds"]["put-back"] < 20


def test_without_confirmation_everything_is_put_back_within_the_limit(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:

        begin(switch_to("lan0"), timeout=6.0)
        wait_until(lambda: phase() == "waiting")
        trial = _read("/etc/network/interfaces"), mac_of("lan0")
        wait_until(lambda: phase() == "put-back")
        return trial, live_switch.status(ROOT), is_as_before(), _read("/etc/network/interfaces")

    (shown, mac), last, is_back, interfaces = guest(work)
    assert (shown, mac) == (INTERFACES.replace("eth0", "lan0"), NEW_MAC)
    assert is_back
    assert interfaces == INTERFACES
    assert last["reason"] == "nobody confirmed within 6 seconds that the guest can be reached through lan0"
    assert last["seconds"]["put-back"] < 7


def test_another_name_is_in_the_files_once_it_is_confirmed(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        token = begin(switch_to("lan0"))["token"]
        wait_until(lambda: phase() == "waiting")
        live_switch.confirm(ROOT, token)
        return mac_of("lan0"), addresses_of("lan0"), _read("/etc/network/interfaces"), _read("/proc/self/mountinfo")

    mac, addresses, interfaces, mounts = guest(work)
    assert (mac, addresses) == (NEW_MAC, {ADDRESS, ADDRESS6})
    assert interfaces == INTERFACES.replace("eth0", "lan0")
    assert "/etc/network/interfaces" not in mounts


def die_at(wanted: str, *, is_of_all: bool) -> None:
    """The process that switches kills itself as soon as it has announced a phase, or its supervisor with it."""
    write = SwitchDirectory.write
    tester = os.getpid()

    def fatal(self: SwitchDirectory, state: SwitchState) -> None:
        write(self, state)
        if state.phase == wanted and os.getpid() != tester and not os.path.exists("/run/died"):
            pathlib.Path("/run/died").touch()
            if is_of_all:
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    SwitchDirectory.write = fatal  # type: ignore[method-assign]


def _files_after_a_boot() -> t.Tuple[str, str]:
    """Those on the disk, whatever is mounted over them."""
    child_process.leave_mounts()
    while "/etc/network/interfaces" in _read("/proc/self/mountinfo"):
        subprocess.run(["umount", "/etc/network/interfaces"], check=True)
    return _read("/etc/network/interfaces"), _read(RULES)


PHASES = ("taking-down", "renaming", "bringing-up", "checking", "waiting", "putting-back")


@pytest.mark.parametrize("fatal", PHASES)
def test_a_switch_that_is_killed_at_any_step_is_put_back_by_its_supervisor(guest: t.Any, fatal: str) -> None:
    def work(network: Network) -> t.Any:
        if fatal == "putting-back":
            network.far("ip", "link", "set", "far-eth1", "nomaster")
        die_at(fatal, is_of_all=False)
        begin(switch_to("lan0"))
        wait_until(lambda: phase() == "put-back")
        return os.path.exists("/run/died"), is_as_before(), live_switch.status(ROOT), _read("/etc/network/interfaces")

    died, is_back, last, interfaces = guest(work)
    assert died
    assert is_back
    assert last["problems"] == []
    assert interfaces == INTERFACES


@pytest.mark.parametrize("fatal", PHASES)
def test_a_switch_of_which_all_is_killed_changes_no_file_and_is_put_back_by_the_next_run(
    guest: t.Any, fatal: str
) -> None:
    def work(network: Network) -> t.Any:
        if fatal == "putting-back":
            network.far("ip", "link", "set", "far-eth1", "nomaster")
        die_at(fatal, is_of_all=True)
        begin(switch_to("lan0"))
        wait_until(lambda: phase() == "interrupted")
        after_a_boot = child_process.call(_files_after_a_boot)
        resumed = live_switch.resume(ROOT)
        wait_until(lambda: phase() == "put-back")
        return after_a_boot, resumed, is_as_before(), _read("/etc/network/interfaces"), live_switch.resume(ROOT)

    (interfaces, rules), resumed, is_back, now, nothing = guest(work)
    assert (interfaces, rules) == (INTERFACES, "")
    assert resumed["phase"] == "putting-back"
    assert is_back
    assert now == INTERFACES
    assert nothing is None


def test_a_confirmed_switch_that_is_killed_while_it_is_written_is_finished(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        die_at("writing", is_of_all=False)
        token = begin(switch_to("lan0"))["token"]
        wait_until(lambda: phase() == "waiting")
        last = live_switch.confirm(ROOT, token)
        return last, mac_of("lan0"), _read("/etc/network/interfaces"), _read(RULES)

    last, mac, interfaces, rules = guest(work)
    assert last["phase"] == "confirmed"
    assert (mac, interfaces, rules) == (NEW_MAC, INTERFACES.replace("eth0", "lan0"), "the rules\n")


def test_what_cannot_be_written_is_put_back(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        token = begin(switch_to("lan0"))["token"]
        wait_until(lambda: phase() == "waiting")
        pathlib.Path(RULES).write_text("somebody else's\n")
        return live_switch.confirm(ROOT, token), is_as_before(), _read("/etc/network/interfaces"), _read(RULES)

    last, is_back, interfaces, rules = guest(work)
    assert last["phase"] == "put-back"
    assert "cannot be made permanent" in last["reason"]
    assert is_back
    assert (interfaces, rules) == (INTERFACES, "somebody else's\n")


def test_only_one_switch_goes_on_at_a_time(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        begin(switch_to())
        messages = []
        for again in (lambda: begin(switch_to()), lambda: live_switch.resume(ROOT)):
            with pytest.raises(GuestError) as caught:
                again()
            messages.append(caught.value.message)
        return messages

    assert all("is being switched right now" in message for message in guest(work))


def test_a_switch_that_the_controller_forgets_about_touches_nothing(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        switch_process.GO_WAIT = 0.5
        live_switch.start(ROOT, switch_to(), timeout=30.0)
        wait_until(lambda: phase() == "abandoned")
        return is_as_before(), live_switch.resume(ROOT)

    assert guest(work) == (True, None)


def test_an_address_that_no_configuration_has_is_not_lost(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        ip("address", "add", "192.0.2.78/24", "dev", "eth0")
        with pytest.raises(GuestError) as caught:
            begin(switch_to())
        return caught.value.message, mac_of("eth0")

    message, mac = guest(work)
    assert "192.0.2.78 on eth0" in message
    assert mac == OLD_MAC


def test_what_somebody_put_on_top_of_the_adapter_is_not_lost(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        ip("link", "add", "mine", "link", "eth0", "type", "macvlan")
        with pytest.raises(GuestError) as caught:
            begin(switch_to())
        return caught.value.message, mac_of("eth0")

    message, mac = guest(work)
    assert "mine on top of eth0 is in no network configuration" in message
    assert mac == OLD_MAC


def test_a_connection_over_the_switched_adapter_is_what_confirms(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        os.environ["SSH_CONNECTION"] = f"192.0.2.1 40000 {ADDRESS} 22"
        token = begin(switch_to("lan0"))["token"]
        wait_until(lambda: phase() == "waiting")
        return live_switch.confirm(ROOT, token)

    last = guest(work)
    assert last["phase"] == "confirmed"
    assert (last["connection"]["address"], last["connection"]["interface"]) == (ADDRESS, "lan0")
    assert last["connection"]["shown"] == "the controller reaches the guest over the new adapter"


def test_a_connection_that_takes_another_way_confirms_nothing(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        os.environ["SSH_CONNECTION"] = f"192.0.2.1 40000 {ADDRESS} 22"
        token = begin(switch_to(), timeout=5.0)["token"]
        wait_until(lambda: phase() == "waiting")
        os.environ["SSH_CONNECTION"] = "127.0.0.1 40000 127.0.0.1 22"
        with pytest.raises(GuestError) as caught:
            live_switch.confirm(ROOT, token)
        wait_until(lambda: phase() == "put-back")
        return caught.value.message, is_as_before()

    message, is_back = guest(work)
    assert "127.0.0.1 on lo, and not through eth0" in message
    assert is_back


def test_a_wrong_token_confirms_nothing(guest: t.Any) -> None:
    def work(_network: Network) -> t.Any:
        with pytest.raises(GuestError) as caught:
            live_switch.confirm(ROOT, "0123")
        return caught.value.message, live_switch.status(ROOT), live_switch.resume(ROOT)

    assert guest(work) == ("there is no switch 0123 in this guest", None, None)


def test_the_connection_is_found_where_become_has_dropped_it() -> None:
    code = (
        "import sys; sys.path[:0] = {!r}\n"
        "from ansible_collections.rehost.hyperv.plugins.module_utils._apply import live_switch\n"
        "print(live_switch._server_address())"
    ).format(sys.path)
    command = ["sh", "-c", 'env -i "$@"; true', "become", sys.executable, "-c", code]
    environment = {**os.environ, "SSH_CONNECTION": "192.0.2.1 40000 192.0.2.10 22"}
    if os.geteuid() != 0:
        pytest.skip("needs root, as become gives it")
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, universal_newlines=True)
    assert done.stdout == "192.0.2.10\n"


def test_only_a_running_guest_is_switched(tmp_path: pathlib.Path) -> None:
    with pytest.raises(GuestError, match="only a running guest"):
        live_switch.start(Root(os.fspath(tmp_path)), Switch(Plan()), timeout=60.0)
