# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's messages in a file of systemd's journal: https://systemd.io/JOURNAL_FILE_FORMAT. Read only.

A file is a header and then objects, each at a multiple of eight and with its size. A DATA object holds one field of
entries ("_TRANSPORT=kernel"), each distinct value once; an ENTRY object names the DATA objects of one entry by their
offsets, which lie before it. So one pass over the objects in their order finds all, and the indexes are not needed.

Long values are compressed (from 512 bytes on, unless journald.conf says otherwise) and are passed over: the messages
that tell of a hypervisor are shorter.
"""

from __future__ import annotations

import struct
import sys
import typing as t

from .._errors import LimitError, MalformedError

MOST_OBJECTS = 2_000_000  # of 128 MiB, where journald begins a new file, with small entries
LARGEST_ENTRY = 64 << 10
LARGEST_MESSAGE = 4096  # bytes; longer ones are passed over

_HEADER = struct.Struct("<8s4xI72xQ40xQ")  # signature, incompatible flags, size of the header, place of the last object
_OBJECT = struct.Struct("<BB6xQ")  # type, flags, size with this header
_SIGNATURE = b"LPKSHHRH"
_COMPACT = 1 << 4
_KNOWN_FLAGS = 0b11111  # xz, lz4, keyed hashes, zstd, compact
_DATA = 1
_ENTRY = 3
_COMPRESSED = 0b111
_ENTRY_HEADER = 64
_TRANSPORT = b"_TRANSPORT=kernel"
_MESSAGE = b"MESSAGE="


def kernel_messages(stream: t.BinaryIO) -> t.Iterator[str]:
    """What the kernel said, message by message, in the order of the file; surrogateescaped.

    A file that was not closed, or is damaged, is read as far as it goes. Raises MalformedError for what is no journal
    or one of a future version, LimitError when there are too many objects. Memory: one entry and one message.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
        raise MalformedError("this is no file of the systemd journal")
    _signature, flags, offset, last = _HEADER.unpack(header)
    if flags & ~_KNOWN_FLAGS:
        raise MalformedError(f"a journal with features that are not known here: {flags & ~_KNOWN_FLAGS:#x}")
    is_compact = bool(flags & _COMPACT)
    payload = 72 if is_compact else 64  # where the content of a DATA object begins
    transport = None
    count = 0
    while _HEADER.size <= offset <= last:
        count += 1
        if count > MOST_OBJECTS:
            raise LimitError(f"more than {MOST_OBJECTS:,} objects in a journal")
        kind, compression, size = _read_object(stream, offset)
        if size < _OBJECT.size:
            break  # not written, or damaged
        if kind == _DATA and size == payload + len(_TRANSPORT) and not compression:
            stream.seek(offset + payload)
            if stream.read(len(_TRANSPORT)) == _TRANSPORT:
                transport = offset
        elif kind == _ENTRY and transport is not None and size <= LARGEST_ENTRY:
            fields = _fields(stream, offset, size, is_compact)
            if transport in fields:
                yield from _message(stream, fields, payload)
        offset += size + -size % 8


def _read_object(stream: t.BinaryIO, offset: int) -> tuple[int, int, int]:
    """Type, compression and size of an object; zeros where there is none."""
    stream.seek(min(offset, sys.maxsize))
    header = stream.read(_OBJECT.size)
    if len(header) < _OBJECT.size:
        return 0, 0, 0
    kind, flags, size = _OBJECT.unpack(header)
    return kind, flags & _COMPRESSED, size


def _fields(stream: t.BinaryIO, offset: int, size: int, is_compact: bool) -> tuple[int, ...]:
    """The offsets of an entry's DATA objects; with each its hash, where the file is not compact."""
    stream.seek(offset + _ENTRY_HEADER)
    items = stream.read(size - _ENTRY_HEADER) if size > _ENTRY_HEADER else b""
    if is_compact:
        return struct.unpack_from(f"<{len(items) // 4}I", items)
    return struct.unpack_from(f"<{len(items) // 16 * 2}Q", items)[::2]


def _message(stream: t.BinaryIO, fields: t.Iterable[int], payload: int) -> t.Iterator[str]:
    for offset in fields:
        kind, compression, size = _read_object(stream, offset)
        if kind == _DATA and not compression and payload + len(_MESSAGE) <= size <= payload + LARGEST_MESSAGE:
            stream.seek(offset + payload)
            content = stream.read(size - payload)
            if content.startswith(_MESSAGE):
                yield content[len(_MESSAGE) :].decode("utf-8", "surrogateescape")
                return
