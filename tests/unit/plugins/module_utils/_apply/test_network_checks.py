# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import threading
import time
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._apply import network_checks
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.network_checks import Target, parse_target
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.programs import Programs
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.tests.unit import child_process
from ansible_collections.rehost.hyperv.tests.unit.small_network import (
    ADDRESS,
    ADDRESS6,
    GATEWAY,
    GATEWAY6,
    OLD_MAC,
    Network,
    ip,
    needs_namespaces,
)

PROGRAMS = Programs(print)


def in_a_network(work: t.Callable[[Network], t.Any], *, is_dead: bool = False) -> t.Any:
    needs_namespaces()

    def inside() -> t.Any:
        network_checks._NEIGHBOUR_WAIT = network_checks._ANSWER_WAIT = 0.5
        network = Network()
        network.plug("eth0", OLD_MAC, is_dead=is_dead)
        ip("link", "set", "eth0", "up")
        ip("address", "add", f"{ADDRESS}/24", "dev", "eth0")
        ip("address", "add", f"{ADDRESS6}/64", "dev", "eth0", "nodad")
        ip("route", "add", "default", "via", GATEWAY, "dev", "eth0")
        ip("-6", "route", "add", "default", "via", GATEWAY6, "dev", "eth0")
        try:
            return work(network)
        finally:
            network.end()

    return child_process.call(inside)


def results(_network: Network) -> t.Dict[str, str]:
    targets = [parse_target(text) for text in (f"{GATEWAY}:80", f"{GATEWAY}:81", f"[{GATEWAY6}]:80", "192.0.2.99:80")]
    checks = network_checks.checks_of(PROGRAMS, ["eth0"], targets)
    return {name: check() for name, check in checks.items()}


def test_a_network_that_works_passes_every_check() -> None:
    found = in_a_network(results)
    assert found.pop("target 192.0.2.99:80").startswith("192.0.2.99 does not answer")
    # that a port is closed is an answer of the machine
    assert f"target {GATEWAY}:81" in found
    assert set(found.values()) == {""}


def test_behind_a_dead_cable_nothing_answers_but_the_address_is_there() -> None:
    found = in_a_network(results, is_dead=True)
    assert {name for name, problem in found.items() if not problem} == {"address inet", "address inet6"}
    assert found["gateway inet"] == f"{GATEWAY} does not answer on eth0"


def test_a_gateway_that_answered_before_is_asked_anew() -> None:
    def work(network: Network) -> t.Tuple[str, str]:
        first = network_checks.check_gateway(PROGRAMS, ["eth0"], "inet")
        network.far("ip", "link", "set", "far-eth0", "nomaster")
        return first, network_checks.check_gateway(PROGRAMS, ["eth0"], "inet")

    assert in_a_network(work) == ("", f"{GATEWAY} does not answer on eth0")


def test_a_gateway_that_is_a_link_local_address_is_asked_on_its_interface() -> None:
    def work(network: Network) -> str:
        network.far("ip", "address", "add", "fe80::1/64", "dev", "switch", "nodad")
        ip("-6", "route", "replace", "default", "via", "fe80::1", "dev", "eth0")
        return network_checks.check_gateway(PROGRAMS, ["eth0"], "inet6")

    assert in_a_network(work) == ""


def test_other_interfaces_do_not_count() -> None:
    def work(_network: Network) -> t.Any:
        return [
            check(PROGRAMS, ["eth9"], "inet") for check in (network_checks.check_address, network_checks.check_gateway)
        ]

    assert in_a_network(work) == ["no address on eth9", "no default route over eth9"]


def test_an_address_belongs_to_an_interface_however_it_is_written() -> None:
    def work(_network: Network) -> t.List[str]:
        written = (ADDRESS, f"::ffff:{ADDRESS}", "2001:0db8:0::10", "192.0.2.99")
        return [network_checks.interface_of(PROGRAMS, address) for address in written]

    assert in_a_network(work) == ["eth0", "eth0", "eth0", ""]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("192.0.2.1:22", Target("192.0.2.1:22", "inet", "192.0.2.1", 22)),
        ("[2001:db8::1]:443", Target("[2001:db8::1]:443", "inet6", "2001:db8::1", 443)),
    ],
)
def test_a_target_is_a_host_and_a_port(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "2001:db8::1:22"])
def test_what_is_no_target_is_an_error(text: str) -> None:
    with pytest.raises(GuestError, match="is no target"):
        parse_target(text)


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        (lambda question: question[:2] + b"\x81\x83" + question[4:], True),
        (lambda question: question, False),
        (lambda question: b"\0\0" + b"\x81\x80" + question[4:], False),
        (lambda question: question[:2] + b"\x81", False),
    ],
    ids=["no such name", "the question again", "another question's", "cut off"],
)
def test_only_an_answer_to_the_question_is_one(answer: t.Callable[[bytes], bytes], is_one: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            question, asking = server.recvfrom(512)
            # the identifier of another question must differ from this one's
            said = answer(question)
            server.sendto(bytes([question[0] ^ 1]) + said[1:] if said[:2] == b"\0\0" else said, asking)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert network_checks.answers_query("127.0.0.1", server.getsockname()[1]) is is_one
        thread.join()


def test_the_neighbours_are_told_who_has_an_address_now() -> None:
    def work(network: Network) -> str:
        network.far("ip", "neigh", "replace", ADDRESS, "lladdr", "00:15:5d:00:00:99", "dev", "switch", "nud", "stale")
        network_checks.announce(PROGRAMS, ["eth0"])
        time.sleep(0.2)
        return network.far_says("ip", "neigh", "show", ADDRESS)

    assert f"lladdr {OLD_MAC}" in in_a_network(work)
