# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from lab import relay

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def guest(serve: Serve) -> Iterator[int]:
    """The port of somebody who accepts every connection, as QEMU does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def accept() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                kept.append(connection)
                threading.Thread(target=serve, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def is_silent(_connection: socket.socket) -> None:
    """Nobody has this address."""


def hangs_up(connection: socket.socket) -> None:
    connection.close()


def echoes(banner: bytes) -> Serve:
    """Speaks first, then repeats everything until the other side has nothing more to say."""

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            connection.sendall(banner)
            data = connection.recv(65536)
            while data:
                connection.sendall(data)
                data = connection.recv(65536)

    return serve


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "HEAD_START", 0.3)
    monkeypatch.setattr(relay, "ROUND", 0.8)


@contextlib.contextmanager
def relayed(*ports: int) -> Iterator[tuple[int, subprocess.Popen[bytes], threading.Thread]]:
    """The port of a relay, the process that it ends with, and the thread that it runs in."""
    with subprocess.Popen(["sleep", "60"]) as parent:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        run = relay.run(listener, parent.pid, ports, has_names=False)
        thread = threading.Thread(target=asyncio.run, args=[run])
        thread.start()
        try:
            yield port, parent, thread
        finally:
            parent.kill()
            thread.join(10)
            assert not thread.is_alive()


def first_word(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return connection.recv(100)


def test_a_connection_goes_where_somebody_speaks() -> None:
    guests = [is_silent, hangs_up, echoes(b"SSH-")]
    with contextlib.ExitStack() as stack:
        port, *_processes = stack.enter_context(relayed(*(stack.enter_context(guest(one)) for one in guests)))
        assert first_word(port) == b"SSH-"


def test_who_has_spoken_is_asked_alone_the_next_time() -> None:
    with guest(is_silent) as first, guest(echoes(b"SSH-")) as second, relayed(first, second) as (port, *_processes):
        assert first_word(port) == b"SSH-"
        begin = time.monotonic()
        assert first_word(port) == b"SSH-"
        assert time.monotonic() - begin < relay.HEAD_START


def test_an_address_that_moves_is_followed() -> None:
    is_gone = False

    def leaves(connection: socket.socket) -> None:
        if not is_gone:
            echoes(b"old")(connection)

    with guest(echoes(b"new")) as second, guest(leaves) as first, relayed(first, second) as (port, *_processes):
        assert first_word(port) == b"old"
        is_gone = True
        assert first_word(port) == b"new"


def test_who_comes_back_is_found_by_a_connection_that_began_before() -> None:
    connections = []

    def speaks_the_second_time(connection: socket.socket) -> None:
        connections.append(connection)
        if len(connections) == 2:
            connection.sendall(b"SSH-")

    with guest(speaks_the_second_time) as first, relayed(first) as (port, *_processes):
        assert first_word(port) == b"SSH-"


def test_nobody_is_searched_for_when_the_client_has_hung_up() -> None:
    asked = []

    def counts(_connection: socket.socket) -> None:
        asked.append(time.monotonic())

    with guest(counts) as silent, relayed(silent) as (port, _parent, _thread):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"SSH-2.0-client\r\n")
            time.sleep(0.1)
        time.sleep(2.5 * relay.ROUND)
        count = len(asked)
        time.sleep(2 * relay.ROUND)
        assert count
        assert len(asked) == count


def test_both_sides_are_carried_whole_and_each_may_end_first() -> None:
    data = os.urandom(3_000_000)

    def speak(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)

    with contextlib.ExitStack() as stack:
        guests = [stack.enter_context(guest(one)) for one in (is_silent, echoes(b"SSH-"))]
        port, *_processes = stack.enter_context(relayed(*guests))
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        threading.Thread(target=speak, args=[connection]).start()  # who connects may speak at once, too
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer == b"SSH-" + data


def test_when_nobody_will_ever_speak_the_connection_ends() -> None:
    with guest(hangs_up) as first, relayed(first) as (port, *_processes):
        assert first_word(port) == b""


def test_it_ends_with_the_machine() -> None:
    with guest(is_silent) as port, relayed(port) as (_port, parent, thread):
        assert thread.is_alive()
        parent.kill()
        thread.join(10)
        assert not thread.is_alive()


def test_the_name_server_knows_no_name() -> None:
    question = b"\4host\3lab\0\0\1\0\1"
    extended = b"\0\0\x29\4\xd0\0\0\0\0\0\0"  # EDNS
    answer = relay.refuse_name(b"\xab\xcd\1\0\0\1\0\0\0\0\0\1" + question + extended)
    assert answer == b"\xab\xcd\x81\x83\0\1\0\0\0\0\0\0" + question
    assert relay.refuse_name(answer) == b""
    assert relay.refuse_name(b"\0") == b""


def test_a_query_is_answered_to_who_asked() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as names, socket.socket(type=socket.SOCK_DGRAM) as guest:
        names.bind(("127.0.0.1", 0))
        guest.settimeout(10)
        guest.sendto(b"\xab\xcd\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1", names.getsockname())
        relay.answer_query(names)
        assert guest.recv(100) == b"\xab\xcd\x81\x83\0\1\0\0\0\0\0\0\0\0\1\0\1"
