# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cpio archives in the new ASCII format (``newc`` 070701, ``crc`` 070702), read as a stream.

The layout is that of the kernel's Documentation/driver-api/early-userspace/buffer-format.rst: a header of 110
bytes (magic and 13 numbers of eight hexadecimal digits), the name with its NUL, the content, the latter two padded
to four bytes; the entry ``TRAILER!!!`` ends an archive.  Only the headers, the names and the content that was asked
for are looked at; the rest is stepped over.  The checksums of ``crc`` archives are not verified.

Memory: one chunk of the source, the names of hard links that still wait for their content, and what is kept.
"""

from __future__ import annotations

import binascii
import stat
import struct
import typing as t

from .._errors import LimitError, MalformedError

TRAILER = "TRAILER!!!"
LONGEST_NAME = 4096  # PATH_MAX with its NUL: the kernel's init/initramfs.c drops an entry with a longer one
LARGEST_CONTENT = 1 << 20

_MAGICS = (b"070701", b"070702")
_HEADER_SIZE = 110
_FIELDS = struct.Struct(">13I")
_OLD_FORMATS = {
    b"070707": "the old portable format (odc)",
    b"\xc7\x71": "the old binary format",
    b"\x71\xc7": "the old binary format",
}


class Entry(t.NamedTuple):
    """One name in an archive."""

    name: str
    """As it stands there, up to the first NUL; bytes that are not UTF-8 are surrogate escapes.  Never to be opened."""
    mode: int
    """Type and permissions, as in ``st_mode``."""
    size: int
    """Bytes of content; that of the shared file for each of its hard links."""
    content: bytes | None = None
    """What the entry holds (of a symbolic link: its target), if it was asked for."""


class Allowance:
    """What may still be read in entries and bytes of names, over as many archives as it is handed to."""

    def __init__(self, entries: int = 200_000, name_bytes: int = 32 << 20) -> None:
        self._limits = (entries, name_bytes)
        self._entries = entries
        self._name_bytes = name_bytes

    def spend(self, name_size: int) -> None:
        """Count one entry, which may be a trailer.  Raises LimitError when there have been too many."""
        self._entries -= 1
        self._name_bytes -= name_size
        if self._entries < 0:
            raise LimitError("more than {:,} entries".format(self._limits[0]))
        if self._name_bytes < 0:
            raise LimitError("more than {:,} bytes of names".format(self._limits[1]))


Chunk = t.Union[bytes, memoryview]


class ByteSource:
    """Bytes that arrive in chunks, taken or stepped over in order; holds one chunk at a time."""

    def __init__(self, chunks: t.Iterable[Chunk], limit: int) -> None:
        """``limit``: the bytes that may arrive in all; LimitError beyond.

        A chunk may lie in a buffer that is used again for the next one.
        """
        self._chunks = iter(chunks)
        self._limit = limit
        self._chunk: Chunk = b""
        self._position = 0
        self._arrived = 0

    @property
    def offset(self) -> int:
        """How many bytes have been taken or stepped over."""
        return self._arrived - len(self._chunk) + self._position

    def take_chunk(self) -> bytes:
        """What is at hand, or else the next chunk; empty at the end only."""
        if self._position == len(self._chunk) and not self._fetch():
            return b""
        chunk = bytes(self._chunk[self._position :])
        self._position = len(self._chunk)
        return chunk

    def untake(self, count: int) -> None:
        """Give back the last ``count`` bytes of what take_chunk just returned."""
        self._position -= count

    def peek(self, count: int) -> bytes:
        """The next ``count`` bytes without taking them; fewer at the end."""
        while len(self._chunk) - self._position < count:
            rest = bytes(self._chunk[self._position :])
            if not self._fetch():
                self._chunk, self._position = rest, 0
                break
            self._chunk = rest + bytes(self._chunk)
        return bytes(self._chunk[self._position : self._position + count])

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes.  Raises MalformedError when there are fewer."""
        end = self._position + count
        if end <= len(self._chunk):
            taken = bytes(self._chunk[self._position : end])
            self._position = end
            return taken
        return b"".join(self.take_in_chunks(count))

    def take_at_most(self, count: int) -> bytes:
        """The next ``count`` bytes; fewer at the end."""
        if self._position + count > len(self._chunk):
            count = len(self.peek(count))
        return self.take(count)

    def take_in_chunks(self, count: int) -> t.Iterator[bytes]:
        """The next ``count`` bytes, as they arrive.  Raises MalformedError when there are fewer."""
        missing = count
        while missing:
            chunk = self.take_chunk()
            if not chunk:
                raise _cut_off(self.offset, count, missing)
            if len(chunk) > missing:
                self.untake(len(chunk) - missing)
                chunk = chunk[:missing]
            missing -= len(chunk)
            yield chunk

    def skip(self, count: int) -> None:
        """Step over ``count`` bytes.  Raises MalformedError when there are fewer."""
        missing = count
        while missing > len(self._chunk) - self._position:
            missing -= len(self._chunk) - self._position
            self._position = len(self._chunk)
            if not self._fetch():
                raise _cut_off(self.offset, count, missing)
        self._position += missing

    def skip_zeros(self) -> bool:
        """Step over zero bytes; False when there is nothing behind them."""
        size = 64
        while self._position < len(self._chunk) or self._fetch():
            block = bytes(self._chunk[self._position : self._position + size])
            rest = block.lstrip(b"\0")
            self._position += len(block) - len(rest)
            if rest:
                return True
            # Larger steps for more zeros, while a few of them cost little, however often that happens.
            size = min(2 * size, 1 << 16)
        return False

    def _fetch(self) -> bool:
        chunk: Chunk = b""
        while not chunk:
            try:
                chunk = next(self._chunks)
            except StopIteration:
                return False
        self._arrived += len(chunk)
        if self._arrived > self._limit:
            raise LimitError("more than {:,} bytes".format(self._limit))
        self._chunk = chunk
        self._position = 0
        return True


def _cut_off(end: int, count: int, missing: int) -> MalformedError:
    start = end - (count - missing)
    return MalformedError(
        "at byte {:,}: {:,} bytes are announced here, but the data ends {:,} bytes short".format(start, count, missing)
    )


def nothing(_entry: Entry) -> bool:
    """The content of no entry."""
    return False


def read_archives(
    source: ByteSource, keep: t.Callable[[Entry], bool] = nothing, allowance: Allowance | None = None
) -> t.Iterator[Entry]:
    """The entries of all archives up to the end of ``source``, which may be padded with zeros; see read_archive."""
    allowance = allowance or Allowance()
    while source.skip_zeros():
        yield from read_archive(source, keep, allowance)


def read_archive(
    source: ByteSource, keep: t.Callable[[Entry], bool] = nothing, allowance: Allowance | None = None
) -> t.Iterator[Entry]:
    """The entries of one archive, without its trailer, behind which ``source`` stands at the end.

    The content of the entries that ``keep`` says True to (asked with the size in place) comes with them.  Names of
    one hard-linked file come out when its content does, which most writers put behind the last of them.
    Raises MalformedError (LimitError for more than LARGEST_CONTENT to keep, or what exceeds the allowance), with the
    place in the source.
    """
    allowance = allowance or Allowance()
    waiting: dict[tuple[int, int, int], list[Entry]] = {}
    known: dict[tuple[int, int, int], Entry] = {}
    while True:
        header = source.take_at_most(_HEADER_SIZE)
        if not header.startswith(_MAGICS) or len(header) < _HEADER_SIZE:
            raise _no_header(header, source.offset - len(header))
        try:
            inode, mode, _uid, _gid, links, _mtime, size, major, minor, _rmajor, _rminor, name_size, _sum = (
                _FIELDS.unpack(binascii.unhexlify(header[6:]))
            )
        except binascii.Error:
            raise MalformedError(
                "at byte {:,}: a cpio header with {!r}, where only hexadecimal digits stand".format(
                    source.offset - _HEADER_SIZE, header[6:]
                )
            ) from None
        name = _read_name(source, name_size)
        allowance.spend(name_size)
        if name == TRAILER:
            source.skip(_padded(size))
            break
        entry = Entry(name, mode, size)
        if links < 2 or not stat.S_ISREG(mode):
            if keep(entry):
                yield entry._replace(content=_take_content(source, entry))
            else:
                source.skip(_padded(size))
                yield entry
            continue
        identity = (inode, major, minor)
        if size:
            group = _with_content(source, [*waiting.pop(identity, []), entry], keep)
            known[identity] = group[-1]
            yield from group
        elif identity in known:
            yield known[identity]._replace(name=name)
        else:
            waiting.setdefault(identity, []).append(entry)
    for group in waiting.values():
        yield from _with_content(source, group, keep)


def _read_name(source: ByteSource, name_size: int) -> str:
    """The name whose header the source stands behind."""
    if name_size > LONGEST_NAME:
        raise LimitError(
            "at byte {:,}: a name of {:,} bytes; {:,} are possible".format(
                source.offset - _HEADER_SIZE, name_size, LONGEST_NAME
            )
        )
    # The header's own 110 bytes and the name are padded together.
    size = name_size + -(_HEADER_SIZE + name_size) % 4
    raw = source.take(size)
    if not name_size or raw[name_size - 1]:
        start = source.offset - size - _HEADER_SIZE
        raise MalformedError("at byte {:,}: a name that does not end with NUL".format(start))
    # Some writers (dracut-cpio) put more NULs behind a name, to align the content on disk.
    return raw[: raw.index(b"\0")].decode("utf-8", "surrogateescape")


def _with_content(source: ByteSource, group: list[Entry], keep: t.Callable[[Entry], bool]) -> list[Entry]:
    """The group's entries with the size of the last, and the content if any of them is to be kept."""
    size = group[-1].size
    group = [entry._replace(size=size) for entry in group]
    if not any(keep(entry) for entry in group):
        source.skip(_padded(size))
        return group
    content = _take_content(source, group[-1])
    return [entry._replace(content=content) for entry in group]


def _take_content(source: ByteSource, entry: Entry) -> bytes:
    if entry.size > LARGEST_CONTENT:
        raise LimitError("{!r}: {:,} bytes; {:,} are read at most".format(entry.name, entry.size, LARGEST_CONTENT))
    return source.take(_padded(entry.size))[: entry.size]


def _padded(size: int) -> int:
    return size + -size % 4


def _no_header(header: bytes, start: int) -> MalformedError:
    magic = header[:6]
    if any(known.startswith(magic) for known in _MAGICS):
        return _cut_off(start + len(header), _HEADER_SIZE, _HEADER_SIZE - len(header))
    for known, name in _OLD_FORMATS.items():
        if magic.startswith(known):
            return MalformedError(
                "at byte {:,}: a cpio archive in {}, which the kernel does not read".format(start, name),
                hint="Write the archive with `cpio -H newc`.",
            )
    return MalformedError(
        "at byte {:,}: {!r} where a cpio header begins or the entry TRAILER!!! has to be".format(start, magic)
    )
