# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine needs on the host's side of its networks: one port for SSH, and a name server.

The port leads to the guest whichever of its addresses it is reached at.  QEMU forwards a port to each address that the
guest may have, and accepts connections there whether it has it or not.  A connection is given to the one behind which
somebody speaks first, as an SSH server does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from collections.abc import Sequence

# The PORT that spoke last is asked alone for so long: two addresses at a time are two logins in the guest's journal.
HEAD_START = 1.0
# QEMU says again what was not answered after 6 s, then after 12: who comes back meanwhile is found by asking anew.
ROUND = 5.0
LIMIT = 65536

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """`ports`: the one that spoke last comes first."""

    def __init__(self, ports: Sequence[int]) -> None:
        """Of this system, forwarded to the addresses of the guest."""
        self._ports = list(ports)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        search = asyncio.create_task(self._find_speaker())
        heard = b""
        listening = asyncio.create_task(reader.read(LIMIT))
        try:
            # A client speaks at once.  When it has no more to say, mostly as it has hung up, one more round must do.
            while not search.done():
                await asyncio.wait([search, listening], return_when=asyncio.FIRST_COMPLETED)
                if listening.done():
                    word = listening.result()
                    if not word:
                        await asyncio.wait([search], timeout=ROUND)
                        break
                    heard += word
                    listening = asyncio.create_task(reader.read(LIMIT))
            if not search.done():
                return
            found = search.result()
            if found is None:
                return
            word, (guest_reader, guest_writer) = found
            try:
                writer.write(word)
                guest_writer.write(heard)
                await asyncio.gather(_pump(guest_reader, writer), _pump(reader, guest_writer, listening))
            finally:
                guest_writer.close()
        except OSError:
            pass  # one of the two sides is gone: so is the connection
        finally:
            search.cancel()
            listening.cancel()
            writer.close()

    async def _find_speaker(self) -> tuple[bytes, Stream] | None:
        """The first words and the connection that they came by; None when nobody wants to."""
        while True:
            found, has_refused = await self._ask_all()
            if found or has_refused:
                return found

    async def _ask_all(self) -> tuple[tuple[bytes, Stream] | None, bool]:
        """Who spoke within one round; whether all have refused."""
        end = asyncio.get_running_loop().time() + ROUND
        attempts: dict[asyncio.Task[tuple[bytes, Stream] | None], int] = {}
        try:
            for number, port in enumerate(self._ports):
                attempts[asyncio.create_task(_listen_to(port))] = port
                if number == 0:
                    await asyncio.wait(attempts, timeout=HEAD_START)
            while attempts:
                rest = end - asyncio.get_running_loop().time()
                done, _pending = await asyncio.wait(attempts, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    return None, False
                for task in done:
                    port = attempts.pop(task)
                    found = task.result()
                    if found is not None:
                        self._ports.remove(port)
                        self._ports.insert(0, port)
                        return found, False
            return None, True
        finally:
            for task in attempts:
                task.cancel()


async def _listen_to(port: int) -> tuple[bytes, Stream] | None:
    try:
        stream = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
    except OSError:
        return None
    word = b""
    try:
        word = await stream[0].read(LIMIT)
    except OSError:
        pass
    finally:
        if not word:
            stream[1].close()
    return (word, stream) if word else None


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: asyncio.Task[bytes] | None = None
) -> None:
    """`first`: a read that has begun already."""
    data = await (first or reader.read(LIMIT))
    while data:
        writer.write(data)
        await writer.drain()
        data = await reader.read(LIMIT)
    if writer.can_write_eof():
        writer.write_eof()


def answer_query(names: socket.socket) -> None:
    """One query for a name, of those that wait at the socket."""
    query, peer = names.recvfrom(LIMIT)
    answer = refuse_name(query)
    if answer:
        names.sendto(answer, peer)


def refuse_name(query: bytes) -> bytes:
    """NXDOMAIN (RFC 1035, 4.1.1) for a query; nothing for what is none."""
    if len(query) < 12 or query[2] & 0x80:
        return b""
    recursion_desired = query[2] & 0x01
    # The question is repeated, what follows it (EDNS) is not understood and so left out.
    end = 12
    while end < len(query) and query[end]:
        end += 1 + query[end]
    question = query[12 : end + 5]
    flags = bytes([0x80 | recursion_desired, 0x80 | 3])  # response; recursion available, no such name
    return query[:2] + flags + b"\0\1\0\0\0\0\0\0" + question


async def run(listener: socket.socket, pid: int, ports: Sequence[int], *, has_names: bool) -> None:
    """Until the process `pid` ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop.add_reader(process, ended.set)
    if has_names:
        names = socket.socket(type=socket.SOCK_DGRAM)
        names.bind(("127.0.0.1", 53))
        loop.add_reader(names, answer_query, names)
    server = await asyncio.start_server(Relay(ports).serve, sock=listener, limit=LIMIT)
    await ended.wait()
    server.close()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", type=int, required=True, help="descriptor of a socket that listens")
    parser.add_argument("--until", type=int, required=True, help="process to end with")
    parser.add_argument("--names", action="store_true", help="serve names on 127.0.0.1")
    parser.add_argument("ports", type=int, nargs="*", help="forwarded to one address of the guest each")
    given = parser.parse_args()
    listener = socket.socket(fileno=given.listen)
    asyncio.run(run(listener, given.until, given.ports, has_names=given.names))


if __name__ == "__main__":
    _main()
