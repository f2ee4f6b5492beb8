# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Initramfs images, read as the kernel's init/initramfs.c unpacks them.

An image is a sequence of segments with any number of zero bytes between them.  A segment is a cpio archive as it is
(it begins at a multiple of four), or a compressed one; a compressed segment may hold several archives.  Debian
writes microcode as it is in front of one compressed segment (and, since 13, already compressed modules and firmware
as they are in between); dracut does the same.

What the kernel refuses is refused here: it is what the machine would stumble over.
"""

from __future__ import annotations

import contextlib
import re
import stat
import typing as t
from dataclasses import dataclass

from .._errors import LimitError, MalformedError
from . import cpio

if t.TYPE_CHECKING:
    from .decompression import Decompressor

_READ_SIZE = 1 << 20

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


class Segment(t.NamedTuple):
    """One part of an image."""

    offset: int
    """Where it begins, in bytes from the start of the image."""
    compression: str
    """``none``, ``gzip``, ``bzip2``, ``xz``, ``lzma``, ``zstd``, ``lz4`` or ``lzo``."""
    size: int
    """Bytes in the image."""
    unpacked_size: int
    entries: int


class ModuleFile(t.NamedTuple):
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

    Linear in the size of the image and of what it unpacks to.  Memory: 1 MiB of each (of lz4 one block, 8 MiB), the
    window of the decompressor (128 MiB at most), the names (32 MiB) and the content of the files for whose path
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
                with contextlib.closing(_decompressor_for(compression)(image)) as chunks:
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


def _decompressor_for(compression: str) -> Decompressor:
    from . import decompression  # not needed where nothing is compressed

    return decompression.decompressor_for(compression)


_MODULE = re.compile(r"(?:usr/)?lib/modules/([^/]+)/(?:.+/)?([^/]+)\.ko(?:\.(?:gz|bz2|xz|lzma|zst|lz4|lzo))?")
_VERSION = re.compile(r"(?:usr/)?lib/modules/([^/]+)(/)?")
_MODULE_TREES = ("usr/lib/modules/", "lib/modules/")
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
        if ".." in path and ".." in path.split("/"):
            return  # leads somewhere else: a name, and nothing more
        is_file = stat.S_ISREG(entry.mode)
        if path.startswith(_MODULE_TREES):
            self._add_to_kernel(path, entry, is_file)
        if not is_file:
            return
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

    def _add_to_kernel(self, path: str, entry: cpio.Entry, is_file: bool) -> None:
        module = _MODULE.fullmatch(path) if is_file else None
        if module:
            version, name = module.groups()
            self._versions.add(version)
            self._modules[path] = ModuleFile(path, version, name.replace("-", "_"), entry.size)
            return
        within = _VERSION.match(path)
        if within and (within.group(2) or stat.S_ISDIR(entry.mode)):
            self._versions.add(within.group(1))

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
    """Without the leading ``./`` and ``/`` that some writers put there."""
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
