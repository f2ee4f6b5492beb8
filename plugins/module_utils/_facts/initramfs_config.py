# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes initramfs images in the guest, and what it is told to put in."""

from __future__ import annotations

import typing as t

from .._catalog.paths import INITRAMFS_CHECKSUMS, INITRAMFS_HOOK
from .._formats import assignments, fstab
from .model import InitramfsConfig
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root
    from .model import TextFile

_PROGRAMS = (("initramfs-tools", ("/usr/sbin/mkinitramfs",)), ("dracut", ("/usr/bin/dracut", "/usr/sbin/dracut")))
_NETWORK_FS = frozenset({"nfs", "nfs4", "cifs", "9p", "ceph"})
_NETWORK_HOOKS = ("/usr/share/initramfs-tools/hooks/dropbear", "/etc/dropbear-initramfs", "/etc/dropbear/initramfs")


def gather(root: Root, note: Note) -> InitramfsConfig:
    """The configuration of initramfs-tools and dracut."""
    reader = Reader(root, note)
    generators = tuple([name for name, paths in _PROGRAMS if any(reader.exists(path) for path in paths)])
    if "initramfs-tools" in generators:
        files, policy = _initramfs_tools(reader)
    elif "dracut" in generators:
        files, policy = _dracut(reader)
    else:
        files, policy = (), None
    return InitramfsConfig(
        generators=generators,
        policy=policy,
        files=files,
        needs_network=_needs_network(reader),
        keeps_checksums=reader.names(INITRAMFS_CHECKSUMS),
    )


def _initramfs_tools(reader: Reader) -> tuple[tuple[TextFile, ...], str | None]:
    # mkinitramfs reads initramfs.conf, then conf.d in the C locale's order; the last MODULES= is in force
    main = reader.text("/etc/initramfs-tools/initramfs.conf")
    configs = (*((main,) if main else ()), *reader.texts("/etc/initramfs-tools/conf.d"))
    policy = None
    for file in configs:
        policy = assignments.value(assignments.parse(file.text), "MODULES") or policy
    others = [reader.text("/etc/initramfs-tools/modules"), reader.text(INITRAMFS_HOOK)]
    return (*configs, *[file for file in others if file is not None]), policy


def _dracut(reader: Reader) -> tuple[tuple[TextFile, ...], str | None]:
    main = reader.text("/etc/dracut.conf")
    shipped = reader.texts("/usr/lib/dracut/dracut.conf.d", ".conf")
    configs = (*shipped, *((main,) if main else ()), *reader.texts("/etc/dracut.conf.d", ".conf"))
    policy = None
    for file in configs:
        policy = assignments.value(assignments.parse(file.text, appending=True), "hostonly") or policy
    return configs, policy


def _needs_network(reader: Reader) -> bool:
    table = reader.text("/etc/fstab")
    entries = fstab.entries(fstab.parse(table.text)) if table else ()
    if any(entry.mount_point == "/" and entry.fs_type in _NETWORK_FS for entry in entries):
        return True
    return any(reader.exists(path) for path in _NETWORK_HOOKS)
