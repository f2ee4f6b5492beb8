# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Debian package says of itself, deb(5): an ar archive with a compressed tar archive of control files. Read
only."""

from __future__ import annotations

import lzma
import re
import typing as t
import zlib

from .._errors import LimitError, MalformedError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_BLOCK = 512
MAX_CONTROL = 32 << 20  # bytes of the control files, unpacked
_FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", re.MULTILINE)
_RELATIONS = re.compile(r"^(Depends|Pre-Depends|Breaks|Conflicts|Provides):[ \t]*(.*(?:\n[ \t].*)*)$", re.MULTILINE)


def read_fields(stream: t.BinaryIO) -> dict[str, str]:
    """The fields of a package's control file, the first line of each, but the whole of those that name other packages.
    Raises MalformedError when this is no package, or one that is cut off."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise MalformedError("this is no Debian package: it does not begin as an ar archive")
    while True:
        header = stream.read(_HEADER)
        if len(header) < _HEADER or header[58:] != b"`\n":
            raise MalformedError("this is no complete Debian package: it holds no control.tar")
        name = header[:16].rstrip(b" /").decode("latin-1")
        size = _number(header[48:58], 10)
        if name.startswith("control.tar"):
            if size > MAX_CONTROL:
                raise LimitError(f"the control files of this package take {size} bytes")
            packed = stream.read(size)
            if len(packed) < size:
                raise MalformedError(f"{name} in this package is cut off")
            fields = _fields(_unpacked(name, packed))
            stream.seek(size % 2, 1)
            _require_data(stream)
            return fields
        stream.seek(size + size % 2, 1)


def _require_data(stream: t.BinaryIO) -> None:
    """The files of the package stand behind its control files, and at its end, deb(5)."""
    header = stream.read(_HEADER)
    if len(header) < _HEADER or header[58:] != b"`\n" or not header.startswith(b"data.tar"):
        raise MalformedError("this is no complete Debian package: it holds no data.tar behind its control.tar")
    end = stream.tell() + _number(header[48:58], 10)
    if stream.seek(0, 2) < end:
        raise MalformedError("this is no complete Debian package: the end of its data.tar is missing")


def _unpacked(name: str, packed: bytes) -> bytes:
    """At most MAX_CONTROL bytes."""
    try:
        if name == "control.tar":
            return packed
        if name == "control.tar.gz":
            return zlib.decompressobj(31).decompress(packed, MAX_CONTROL)
        if name == "control.tar.xz":
            return lzma.LZMADecompressor().decompress(packed, MAX_CONTROL)
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise MalformedError(f"{name} in this package is damaged: {error}") from error
    raise MalformedError(
        f"{name} in this package is compressed by something that Debian's packages do not use",
        hint="Build it with dpkg-deb -Zxz.",
    )


def _fields(archive: bytes) -> dict[str, str]:
    place = 0
    while place + _BLOCK <= len(archive):
        header = archive[place : place + _BLOCK]
        name = header[:100].rstrip(b"\0")
        if not name:
            break
        size = _number(header[124:136].strip(b"\0 "), 8)
        if name in (b"./control", b"control"):
            text = archive[place + _BLOCK : place + _BLOCK + size].decode("utf-8", "surrogateescape")
            found = {field: value.rstrip() for field, value in _FIELD.findall(text)}
            found.update({field: " ".join(value.split()) for field, value in _RELATIONS.findall(text)})
            return found
        place += _BLOCK + (size + _BLOCK - 1) // _BLOCK * _BLOCK
    raise MalformedError("this package holds no file named control")


def _number(text: bytes, base: int) -> int:
    digits = rb"[0-7]{1,12} *" if base == 8 else rb"[0-9]{1,12} *"
    if not re.fullmatch(digits, text):
        raise MalformedError("this is no complete Debian package: a size in it is no number")
    return int(text, base)
