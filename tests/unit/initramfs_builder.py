# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small initramfs images for tests, written independently of the code that reads them."""

from __future__ import annotations

import bz2
import lzma
import os
import shutil
import subprocess
import typing as t
import zlib

_TOOLS = {
    "zstd": ("zstd", "-q", "-c"),
    "lz4": ("lz4", "-l", "-q", "-c"),
    "lz4-frame": ("lz4", "-q", "-c"),
    "lzo": ("lzop", "-q", "-c"),
}
COMPRESSIONS = ("none", "gzip", "bzip2", "xz", "lzma", "zstd", "lz4", "lzo")


class Item(t.NamedTuple):
    """An entry to write: a regular file, unless mode says otherwise."""

    name: str
    content: bytes = b""
    mode: int = 0o100644
    inode: int = 0
    links: int = 1


def directory(name: str) -> Item:
    return Item(name, mode=0o040755, links=2)


def link(name: str, target: str) -> Item:
    return Item(name, os.fsencode(target), mode=0o120777)


def build_cpio(items: t.Iterable[Item], magic: bytes = b"070701", trailer: bool = True) -> bytes:
    """An archive as `cpio -H newc` writes it, without the padding to whole blocks at its end."""
    written = b""
    for item in [*items, *([Item("TRAILER!!!", mode=0)] if trailer else [])]:
        name = os.fsencode(item.name) + b"\0"
        fields = (item.inode, item.mode, 0, 0, item.links, 0, len(item.content), 8, 1, 0, 0, len(name), 0)
        written += _padded(magic + b"".join(b"%08X" % field for field in fields) + name)
        written += _padded(item.content)
    return written


def compress(compression: str, data: bytes) -> bytes:
    """The data as a kernel can unpack it (but for ``lz4-frame``, which it cannot)."""
    if compression == "none":
        return data
    if compression == "gzip":
        packer = zlib.compressobj(wbits=31)  # gzip, without a time
        return packer.compress(data) + packer.flush()
    if compression == "bzip2":
        return bz2.compress(data)
    if compression == "xz":
        return lzma.compress(data, check=lzma.CHECK_CRC32)
    if compression == "lzma":
        return lzma.compress(data, lzma.FORMAT_ALONE)
    return subprocess.run(_TOOLS[compression], input=data, stdout=subprocess.PIPE, check=True).stdout


def can_compress(compression: str) -> bool:
    return compression not in _TOOLS or shutil.which(_TOOLS[compression][0]) is not None


def build_image(segments: t.Iterable[tuple[str, t.Iterable[Item]]], alignment: int = 512) -> bytes:
    """The segments, given as compression and items, each padded with zeros to a multiple of ``alignment``."""
    image = b""
    for compression, items in segments:
        image += compress(compression, build_cpio(items))
        image += b"\0" * (-len(image) % alignment)
    return image


def debian_items(version: str, modules: t.Iterable[str] = ("hv_vmbus", "hv_storvsc")) -> list[Item]:
    """What is in an image by initramfs-tools on merged /usr, in small; modules are empty but for a few bytes."""
    base = "usr/lib/modules/" + version
    directories = [".", "conf", "scripts", "usr", "usr/lib", "usr/lib/modules", base, base + "/kernel"]
    return [
        *(directory(name) for name in directories),
        link("lib", "usr/lib"),
        Item("conf/initramfs.conf", b"MODULES=most\n"),
        Item("scripts/functions", b"# shell functions\n"),
        Item("init", b"#!/bin/sh\n", mode=0o100755),
        Item(base + "/modules.dep", b"".join(b"kernel/%s.ko:\n" % os.fsencode(name) for name in modules)),
        *(Item("{}/kernel/{}.ko".format(base, name), b"\x7fELF" * 8) for name in modules),
    ]


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
