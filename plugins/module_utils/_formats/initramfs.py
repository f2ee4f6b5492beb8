# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initramfs images, read as the kernel's init/initramfs.c unpacks them.

An image is a sequence of segments with any number of zero bytes between them.  A segment is a cpio archive as it is
(it begins at a multiple of four), or a compressed one; a compressed segment may hold several archives.  Debian
writes microcode as it is in front of one compressed segment (and, since 13, already compressed modules and firmware
as they are in between); dracut does the same.

Compressed data is read with Python's own modules where they exist, else (zstd, lz4, lzo) with the shared library, else
with the command-line tool.  Where the format tells the end of a segment (zstd, lz4, lzo), the tool is given exactly
that; where it does not (xz, lzma, bzip2 on a Python built without the module), a segment that the tool reads has to be
the last one.

What the kernel refuses is refused here: it is what the machine would stumble over.
"""

from __future__ import annotations

import contextlib
import re
import stat
import struct
import typing as t
import zlib
from dataclasses import dataclass

from .. import _tools
from .._errors import LimitError, MalformedError
from . import cpio

try:
    import lzma
except ImportError:  # pragma: no cover - a Python built without liblzma
    lzma = None  # type: ignore[assignment]
try:
    import bz2
except ImportError:  # pragma: no cover - a Python built without libbz2
    bz2 = None  # type: ignore[assignment]
try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # before Python 3.14
    zstd = None
try:
    from .. import _libraries
except ImportError:  # pragma: no cover - a Python built without libffi
    _libraries = None  # type: ignore[assignment]

_READ_SIZE = 1 << 18
_OUTPUT_SIZE = 1 << 20
_LARGEST_DICTIONARY = 128 << 20  # twice that of `xz -9`; zstd and the kernel stop at the same size

INITRAMFS_TOOLS = "initramfs-tools"
DRACUT = "dracut"
UNKNOWN = "unknown"


class Limits(t.NamedTuple):
    """Where reading stops with a LimitError, per image."""

    image: int = 1 << 30
    """Bytes of the image."""
    unpacked: int = 2 << 30
    """Bytes that come out of its compressed segments."""
    segments: int = 256
    entries: int = 200_000
    name_bytes: int = 32 << 20


KEPT_PER_IMAGE = 8 << 20
"""Bytes of file content that are kept of one image; what would go beyond is listed as not kept."""


@dataclass(frozen=True)
class Segment:
    """One part of an image."""

    offset: int
    """Where it begins, in bytes from the start of the image."""
    compression: str
    """``none``, ``gzip``, ``bzip2``, ``xz``, ``lzma``, ``zstd``, ``lz4`` or ``lzo``."""
    size: int
    """Bytes in the image."""
    unpacked_size: int
    entries: int


@dataclass(frozen=True)
class ModuleFile:
    """A kernel module in an image."""

    path: str
    """As the image has it, such as ``usr/lib/modules/6.12.0-1-amd64/kernel/drivers/scsi/hv_storvsc.ko.xz``."""
    version: str
    """The kernel that it belongs to: the directory under ``lib/modules``."""
    name: str
    """As the kernel spells it, with underscores."""
    size: int


@dataclass(frozen=True)
class Image:
    """What an initramfs image holds."""

    segments: tuple[Segment, ...]
    names: tuple[str, ...]
    """Of all entries, in the image's order, without a leading ``./`` or ``/``."""
    kernel_versions: tuple[str, ...]
    """The directories under ``lib/modules`` or ``usr/lib/modules``, sorted."""
    modules: tuple[ModuleFile, ...]
    files: tuple[tuple[str, bytes], ...]
    """Path and content of the regular files that were asked for; of several with one path the last, as at boot."""
    not_kept: tuple[str, ...]
    """Files that were asked for and are larger than is kept: see KEPT_PER_IMAGE and cpio.LARGEST_CONTENT."""
    generator: str
    """``initramfs-tools``, ``dracut`` or ``unknown``."""

    def module_names(self, version: str) -> frozenset[str]:
        """The modules that the image has for this kernel, with underscores."""
        return frozenset(module.name for module in self.modules if module.version == version)

    def content(self, path: str) -> bytes | None:
        """What the file holds, whether the image has it below ``/usr`` or not; None if absent or not asked for."""
        wanted = _merged(path)
        for name, content in self.files:
            if _merged(name) == wanted:
                return content
        return None


# What decides at boot, and is text: written by initramfs-tools or dracut from the guest's configuration.
_CONFIGURATION = re.compile(
    r"conf/.+"
    r"|cryptroot/.+"
    r"|etc/(?:crypttab|fstab|fstab\.empty|initrd-release)"
    r"|etc/(?:modprobe\.d|modules-load\.d|cmdline\.d|conf\.d|lvm)/.+"
    r"|(?:usr/)?lib/(?:modprobe\.d|modules-load\.d)/.+"
    r"|(?:usr/)?lib/modules/[^/]+/modules\.(?:dep|builtin|softdep|order)"
    r"|(?:usr/)?lib/(?:initrd-release|dracut/.+)"
)


def is_configuration(path: str) -> bool:
    """Whether this is one of the small text files in which an image says how it was made and what it does."""
    return _CONFIGURATION.fullmatch(path) is not None


def read_image(
    stream: t.BinaryIO, wanted: t.Callable[[str], bool] = is_configuration, limits: Limits | None = None
) -> Image:
    """The content of an image, whose bytes ``stream`` yields from the first one on.

    Linear in the size of the image and of what it unpacks to.  Memory: at most 1 MiB of each (of lz4 one block, 8 MiB),
    the window of the decompressor (128 MiB at most), the names (32 MiB) and the content of the files for whose path
    ``wanted`` says True (8 MiB).

    Raises MalformedError for an image that the kernel could not unpack (LimitError for one that exceeds ``limits``),
    with segment and offset; ToolMissingError when a segment needs a program that is not here.
    """
    limits = limits or Limits()
    image = cpio.ByteSource(iter(lambda: stream.read(_READ_SIZE), b""), limits.image)
    allowance = cpio.Allowance(limits.entries, limits.name_bytes)
    content = _Content(wanted)
    segments: list[Segment] = []
    unpacked = 0
    while image.skip_zeros():
        offset = image.offset
        number = len(segments) + 1
        if number > limits.segments:
            raise LimitError("more than {:,} segments, at byte {:,} of the image".format(limits.segments, offset))
        compression = _recognise(image, number)
        count = len(content.names)
        try:
            if compression == "none":
                for entry in cpio.read_archive(image, content.keep, allowance):
                    content.add(entry)
                unpacked_size = image.offset - offset
            else:
                with contextlib.closing(_DECOMPRESSORS[compression](image)) as chunks:
                    source = cpio.ByteSource(chunks, limits.unpacked - unpacked)
                    for entry in cpio.read_archives(source, content.keep, allowance):
                        content.add(entry)
                unpacked_size = source.offset
                if not unpacked_size:
                    raise MalformedError("it unpacks to nothing")
                unpacked += unpacked_size
        except MalformedError as error:
            where = "segment {} ({}, at byte {:,} of the image): ".format(number, compression, offset)
            raise type(error)(where + error.message, hint=error.hint) from error
        segments.append(Segment(offset, compression, image.offset - offset, unpacked_size, len(content.names) - count))
    if not segments:
        raise MalformedError("the image is empty, or holds nothing but zeros")
    return content.image(tuple(segments))


_MODULE = re.compile(r"(?:usr/)?lib/modules/([^/]+)/(?:.+/)?([^/]+)\.ko(?:\.(?:gz|bz2|xz|lzma|zst|lz4|lzo))?")
_VERSION = re.compile(r"(?:usr/)?lib/modules/([^/]+)(/)?")
_TOP_DIRECTORIES = re.compile(r"(?:bin|sbin|lib|lib32|lib64|libx32)/")


def _merged(path: str) -> str:
    """The path as it is when the top directories are links into /usr."""
    path = path.lstrip("/")
    return "usr/" + path if _TOP_DIRECTORIES.match(path) else path


class _Content:
    """What is gathered while the entries pass by."""

    def __init__(self, wanted: t.Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._room = KEPT_PER_IMAGE
        self.names: list[str] = []
        self._versions: set[str] = set()
        self._modules: dict[str, ModuleFile] = {}
        self._files: dict[str, bytes] = {}
        self._not_kept: set[str] = set()

    def keep(self, entry: cpio.Entry) -> bool:
        return (
            stat.S_ISREG(entry.mode)
            and entry.size <= min(cpio.LARGEST_CONTENT, self._room)
            and self._wanted(_plain(entry.name))
        )

    def add(self, entry: cpio.Entry) -> None:
        path = _plain(entry.name)
        self.names.append(path)
        if ".." in path.split("/"):
            return  # leads somewhere else: a name, and nothing more
        within = _VERSION.match(path)
        if within and (within.group(2) or stat.S_ISDIR(entry.mode)):
            self._versions.add(within.group(1))
        if not stat.S_ISREG(entry.mode):
            return
        module = _MODULE.fullmatch(path)
        if module:
            version, name = module.groups()
            self._modules[path] = ModuleFile(path, version, name.replace("-", "_"), entry.size)
        if not self._wanted(path):
            return
        # A later file takes the place of an earlier one.
        self._room += len(self._files.pop(path, b""))
        self._not_kept.discard(path)
        if entry.content is None:
            self._not_kept.add(path)
        else:
            self._room -= entry.size
            self._files[path] = entry.content

    def image(self, segments: tuple[Segment, ...]) -> Image:
        return Image(
            segments=segments,
            names=tuple(self.names),
            kernel_versions=tuple(sorted(self._versions)),
            modules=tuple(self._modules.values()),
            files=tuple(self._files.items()),
            not_kept=tuple(sorted(self._not_kept)),
            generator=_generator(self.names),
        )


def _plain(name: str) -> str:
    while name.startswith(("./", "/")):
        name = name[1:] if name[0] == "/" else name[2:]
    return name


def _generator(names: t.Iterable[str]) -> str:
    """initramfs-tools always writes conf/initramfs.conf and scripts/functions; dracut its library and its directory."""
    merged = {_merged(name) for name in names}
    found = set()
    if "conf/initramfs.conf" in merged and "scripts/functions" in merged:
        found.add(INITRAMFS_TOOLS)
    if merged & {"usr/lib/dracut-lib.sh", "usr/lib/dracut", "usr/lib/dracut/hooks", "usr/bin/dracut-util"}:
        found.add(DRACUT)
    return found.pop() if len(found) == 1 else UNKNOWN


_GZIP = b"\x1f\x8b"
_XZ = b"\xfd7zXZ\0"
_LZ4 = b"\x02\x21\x4c\x18"
_LZO = b"\x89LZO\0\r\n\x1a\n"
_COMPRESSIONS = (
    (b"070701", "none"),
    (b"070702", "none"),
    (_GZIP, "gzip"),
    (b"BZh", "bzip2"),
    (_XZ, "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (_LZ4, "lz4"),
    (_LZO, "lzo"),
)
_LZ4_FRAME = b"\x04\x22\x4d\x18"


def _recognise(image: cpio.ByteSource, number: int) -> str:
    """How the segment that begins here is compressed, by its magic number."""
    offset = image.offset
    begin = image.peek(9)
    place = "segment {} (at byte {:,} of the image)".format(number, offset)
    if begin.startswith(_LZ4_FRAME):
        raise MalformedError(
            "{}: the lz4 frame format, which the kernel does not unpack".format(place),
            hint="Compress it in the legacy format, with `lz4 -l`.",
        )
    if begin.startswith(_XZ) and image.peek(8)[7:] not in (b"\0", b"\1"):
        # Documentation/staging/xz.rst
        raise MalformedError(
            "{}: xz with another check than CRC32, which the kernel does not unpack".format(place),
            hint="Compress it with `xz --check=crc32`.",
        )
    if begin.startswith(b"0") and offset % 4:
        raise MalformedError("{}: a cpio archive that does not begin at a multiple of four".format(place))
    for magic, compression in _COMPRESSIONS:
        if begin.startswith(magic):
            return compression
    if begin.startswith((b"070707", b"\xc7\x71", b"\x71\xc7")):
        return "none"  # cpio says what is wrong with it
    if number == 1:
        raise MalformedError("{}: {!r} is the beginning of no initramfs image".format(place, begin))
    raise MalformedError("{}: {!r} is neither a cpio archive nor a known compression".format(place, begin))


_Output = t.Generator[cpio.Chunk, None, None]


def _inflate(image: cpio.ByteSource) -> _Output:
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with gzip's header and checksum
    while not decompressor.eof:
        data = decompressor.unconsumed_tail or image.take_chunk()
        if not data:
            raise _ends_within("gzip", image)
        try:
            yield decompressor.decompress(data, _OUTPUT_SIZE)
        except zlib.error as error:
            raise _damaged("gzip", image, error) from error
    image.untake(len(decompressor.unused_data))


def _unpack(
    name: str, decompressor: t.Any, errors: tuple[type[Exception], ...]
) -> t.Callable[[cpio.ByteSource], _Output]:
    """Decompression by the interface that bz2, lzma and compression.zstd have in common."""

    def unpacked(image: cpio.ByteSource) -> _Output:
        state = decompressor()
        while not state.eof:
            data = image.take_chunk() if state.needs_input else b""
            if state.needs_input and not data:
                raise _ends_within(name, image)
            try:
                yield state.decompress(data, _OUTPUT_SIZE)
            except errors as error:
                raise _damaged(name, image, error) from error
        image.untake(len(state.unused_data))

    return unpacked


def _ends_within(name: str, image: cpio.ByteSource) -> MalformedError:
    return MalformedError("the image ends at byte {:,}, within the {} data".format(image.offset, name))


def _damaged(name: str, image: cpio.ByteSource, error: Exception) -> MalformedError:
    return MalformedError("damaged {} data before byte {:,} of the image: {}".format(name, image.offset, error))


def _by_tool(
    tool: str, frames: t.Callable[[cpio.ByteSource], t.Iterator[bytes]]
) -> t.Callable[[cpio.ByteSource], _Output]:
    def unpacked(image: cpio.ByteSource) -> _Output:
        return _tools.decompress(tool, frames(image))

    return unpacked


def _all_that_follows(image: cpio.ByteSource) -> t.Iterator[bytes]:
    return iter(image.take_chunk, b"")


def _zstd_frame(image: cpio.ByteSource) -> t.Iterator[bytes]:
    """The bytes of one zstd frame (RFC 8878, section 3.1.1)."""
    start = image.take(5)
    flags = start[4]
    single_segment = flags & 0x20
    header_size = (0 if single_segment else 1) + (0, 1, 2, 4)[flags & 3]
    header_size += (1 if single_segment else 0, 2, 4, 8)[flags >> 6]
    yield start + image.take(header_size)
    while True:
        header = image.take(3)
        value = int.from_bytes(header, "little")
        last, kind, size = value & 1, value >> 1 & 3, value >> 3
        if kind == 3 or size > 128 << 10:
            raise MalformedError("a damaged zstd block before byte {:,} of the image".format(image.offset))
        yield header + image.take(1 if kind == 1 else size)  # kind 1: one byte, repeated
        if last:
            break
    if flags & 4:
        yield image.take(4)


_LZ4_BLOCK = 8 << 20
_LZ4_LARGEST = _LZ4_BLOCK + _LZ4_BLOCK // 255 + 16  # what such a block takes when it cannot be compressed


def _lz4_blocks(image: cpio.ByteSource) -> t.Iterator[int]:
    """The size of each block of an lz4 stream in the legacy format, at whose first byte the image stands then.

    Goes up to where the kernel's lib/decompress_unlz4.c stops.
    """
    image.take(4)
    while True:
        header = image.peek(4)
        if len(header) < 4 or header == b"\0\0\0\0":
            break
        image.take(4)
        if header == _LZ4:
            continue  # streams behind one another are one
        size = int.from_bytes(header, "little")
        if size > _LZ4_LARGEST:
            raise MalformedError("a damaged lz4 block before byte {:,} of the image".format(image.offset))
        yield size


def _lz4_stream(image: cpio.ByteSource) -> t.Iterator[bytes]:
    yield _LZ4
    for size in _lz4_blocks(image):
        yield size.to_bytes(4, "little")
        yield from image.take_in_chunks(size)


def _lz4_by_library(image: cpio.ByteSource) -> _Output:
    output = bytearray(_LZ4_BLOCK)
    for size in _lz4_blocks(image):
        unpacked_size = _libraries.decompress_lz4_block(image.take(size), output)
        if unpacked_size < 0:
            raise MalformedError("damaged lz4 data before byte {:,} of the image".format(image.offset))
        yield memoryview(output)[:unpacked_size]


_LZO_BLOCK = 256 << 10  # LZO_BLOCK_SIZE of the kernel's lib/decompress_unlzo.c, and what lzop writes


def _lzo_header(image: cpio.ByteSource) -> tuple[bytes, int]:
    """The header of an lzop file, in the layout that the kernel's lib/decompress_unlzo.c reads, and its flags."""
    header = image.take(9 + 7)
    recent = struct.unpack_from(">H", header, 9)[0] >= 0x0940
    header += image.take((1 if recent else 0) + 4)
    (flags,) = struct.unpack(">I", header[-4:])
    # filter, mode, time of the last change; the length of the name
    header += image.take((4 if flags & 0x800 else 0) + 4 + (8 if recent else 4) + 1)
    return header + image.take(header[-1] + 4), flags  # name and checksum of the header


def _lzo_blocks(image: cpio.ByteSource, flags: int) -> t.Iterator[tuple[bytes, int, int]]:
    """Of each block the header, its size and what it unpacks to; its first byte is where the image stands then.

    The last header is alone: a size of zero.
    """
    while True:
        header = image.take(4)
        unpacked_size = int.from_bytes(header, "big")
        if not unpacked_size:
            yield header, 0, 0
            break
        header += image.take(4)
        size = int.from_bytes(header[4:], "big")
        if not 0 < size <= unpacked_size <= _LZO_BLOCK:
            raise _damaged_lzo(image)
        checksums = sum(1 for flag in (0x1, 0x100) if flags & flag)
        if size < unpacked_size:
            checksums += sum(1 for flag in (0x2, 0x200) if flags & flag)
        yield header + image.take(4 * checksums), size, unpacked_size


def _damaged_lzo(image: cpio.ByteSource) -> MalformedError:
    return MalformedError("a damaged lzo block before byte {:,} of the image".format(image.offset))


def _lzo_stream(image: cpio.ByteSource) -> t.Iterator[bytes]:
    start, flags = _lzo_header(image)
    yield start
    for header, size, _unpacked_size in _lzo_blocks(image, flags):
        yield header + image.take(size)


def _lzo_by_library(image: cpio.ByteSource) -> _Output:
    _start, flags = _lzo_header(image)
    output = bytearray(_LZO_BLOCK)
    for header, size, unpacked_size in _lzo_blocks(image, flags):
        block: cpio.Chunk = image.take(size)
        if size < unpacked_size:
            if _libraries.decompress_lzo_block(bytes(block), output) != unpacked_size:
                raise _damaged_lzo(image)
            block = memoryview(output)[:unpacked_size]
        if size and flags & 0x1 and zlib.adler32(block) != int.from_bytes(header[8:12], "big"):
            raise _damaged_lzo(image)
        yield block


def _choose_decompressors() -> dict[str, t.Callable[[cpio.ByteSource], _Output]]:
    chosen = {
        "gzip": _inflate,
        "bzip2": _by_tool("bzip2", _all_that_follows),
        "xz": _by_tool("xz", _all_that_follows),
        "lzma": _by_tool("lzma", _all_that_follows),
        "zstd": _by_tool("zstd", _zstd_frame),
        "lz4": _by_tool("lz4", _lz4_stream),
        "lzo": _by_tool("lzop", _lzo_stream),
    }
    if bz2:
        chosen["bzip2"] = _unpack("bzip2", bz2.BZ2Decompressor, (OSError,))
    if lzma:
        for name, container in (("xz", lzma.FORMAT_XZ), ("lzma", lzma.FORMAT_ALONE)):
            chosen[name] = _unpack(
                name,
                lambda container=container: lzma.LZMADecompressor(container, memlimit=_LARGEST_DICTIONARY),
                (lzma.LZMAError, EOFError),
            )
    if zstd:
        chosen["zstd"] = _unpack("zstd", zstd.ZstdDecompressor, (zstd.ZstdError,))
    elif _libraries and _libraries.has_zstd():
        chosen["zstd"] = _unpack("zstd", _libraries.ZstdDecompressor, (_libraries.ZstdError,))
    if _libraries and _libraries.has_lz4():
        chosen["lz4"] = _lz4_by_library
    if _libraries and _libraries.has_lzo():
        chosen["lzo"] = _lzo_by_library
    return chosen


_DECOMPRESSORS = _choose_decompressors()
