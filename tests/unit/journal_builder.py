# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of systemd's journal for tests, written independently of the code that reads them.

journalctl reads them too, though they have no index but the list of entries.
"""

from __future__ import annotations

import struct
import typing as t

HEADER_SIZE = 264  # of systemd 252
COMPACT = 1 << 4
DATA, ENTRY, DATA_HASH_TABLE, FIELD_HASH_TABLE, ENTRY_ARRAY = 1, 3, 4, 5, 6
IDENTITY = bytes.fromhex("0123456789abcdef0123456789abcdef")


class Message(t.NamedTuple):
    text: str
    transport: str = "kernel"
    compression: int = 0
    """Flag of its DATA object; the text is then what it is stored as, whatever it unpacks to."""


def build_journal(messages: t.Iterable[Message], *, is_compact: bool = True, flags: int = 0) -> bytes:
    """A journal of these messages, in this order."""
    objects = bytearray()
    known: dict[bytes, int] = {}
    entries: list[int] = []

    def add(kind: int, payload: bytes, compression: int = 0) -> int:
        offset = HEADER_SIZE + len(objects)
        size = 16 + len(payload)
        objects.extend(struct.pack("<BB6xQ", kind, compression, size) + payload + b"\0" * (-size % 8))
        return offset

    def field(value: bytes, compression: int = 0) -> int:
        if value not in known:
            links = b"\0" * (56 if is_compact else 48)
            known[value] = add(DATA, links + value, compression)
        return known[value]

    tables = [add(DATA_HASH_TABLE, b"\0" * 16 * 64), add(FIELD_HASH_TABLE, b"\0" * 16 * 64)]
    for number, message in enumerate(messages, 1):
        fields = [
            field(b"_TRANSPORT=" + message.transport.encode()),
            field(b"MESSAGE=" + message.text.encode("utf-8", "surrogateescape"), message.compression),
            field(b"PRIORITY=6"),
        ]
        head = struct.pack("<QQQ16sQ", number, 1_700_000_000_000_000 + number, number, IDENTITY, 0)
        items = b"".join(struct.pack("<I" if is_compact else "<QQ", *((f,) if is_compact else (f, 0))) for f in fields)
        entries.append(add(ENTRY, head + items))
    array = add(ENTRY_ARRAY, struct.pack(f"<Q{len(entries)}{'I' if is_compact else 'Q'}", 0, *entries))
    header = struct.pack(
        "<8sIIB7x16s16s16s16s",
        *(b"LPKSHHRH", 0, flags | (COMPACT if is_compact else 0), 0, IDENTITY, IDENTITY, IDENTITY, IDENTITY),
    )
    tables_of_hashes = [value for table in tables for value in (table + 16, 16 * 64)]
    counts = (len(entries) + len(known) + 3, len(entries), len(entries), 1, array)
    times = (1_700_000_000_000_001, 1_700_000_000_000_000 + len(entries), len(entries))
    header += struct.pack("<QQ4QQ8Q", HEADER_SIZE, len(objects), *tables_of_hashes, array, *counts, *times)
    header += struct.pack("<QQQQ", len(known), 0, 0, 1)
    return header.ljust(HEADER_SIZE, b"\0") + bytes(objects)
