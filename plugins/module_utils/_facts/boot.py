# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the guest starts: boot loader, its menu, and the entry that it takes by default."""

from __future__ import annotations

import functools
import re
import typing as t

from .model import Boot, BootEntry
from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root
    from .model import TextFile

GRUB_CFG = "/boot/grub/grub.cfg"
GRUBENV = "/boot/grub/grubenv"
GRUB_DEFAULT = "/etc/default/grub"
# where Debian and pygrub look, in pygrub's order
_MENU_LST = ("/boot/grub/menu.lst", "/boot/grub/grub.conf")
_EXTLINUX = ("/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/boot/syslinux/syslinux.cfg", "/extlinux.conf")
_DEVICE = re.compile(r"^\([^)]*\)")
_VERSION = re.compile(r"(?:vmlinuz|vmlinux|kernel)-(.+)")
_ESP = "/boot/efi"


def gather(root: Root, note: Note, *, has_mbr_loader: bool | None = None, has_esp: bool = False) -> Boot:
    """The boot configuration. What the first sector and the partition table of the disk show is handed in by whoever
    can see the disk."""
    reader = Reader(root, note)
    esp_loaders = tuple(_esp_loaders(reader))
    defaults = reader.text(GRUB_DEFAULT)
    common: dict[str, t.Any] = {
        "defaults": (*((defaults,) if defaults else ()), *reader.texts(GRUB_DEFAULT + ".d", ".cfg")),
        "environment": None,
        "unresolved": (),
        "has_mbr_loader": has_mbr_loader,
        "esp_loaders": esp_loaders,
        "has_esp": has_esp or bool(esp_loaders),
    }
    menu = reader.text(GRUB_CFG)
    if menu is not None:
        return _grub2(reader, menu, common)
    for path in _MENU_LST:
        menu = reader.text(path)
        if menu is not None:
            return Boot(loader="grub-legacy", menu=menu, entries=tuple(_grub_legacy(reader, menu)), **common)
    for path in _EXTLINUX:
        menu = reader.text(path)
        if menu is not None:
            return Boot(loader="extlinux", menu=menu, entries=tuple(_extlinux(reader, menu)), **common)
    return Boot(loader=None, menu=None, entries=(), **common)


def _grub2(reader: Reader, menu: TextFile, common: dict[str, t.Any]) -> Boot:
    from .._formats import grub_cfg, grubenv

    environment = reader.text(GRUBENV)
    document = grub_cfg.parse(menu.text)
    selection = grub_cfg.find_default(
        document,
        grubenv.variables(grubenv.parse(environment.text)) if environment else None,
        {"grub_platform": "efi" if common["esp_loaders"] else "pc"},
        frozenset(reader.names("/boot/grub")),
    )
    entries = []
    for entry in grub_cfg.all_entries(document):
        # Xen's hypervisor takes Linux as its first module, and the image as its second
        load = entry.modules[0] if entry.is_xen_hypervisor and entry.modules else entry.kernel
        if load is None:
            continue
        initrds = entry.initrds if load is entry.kernel else tuple([module.path for module in entry.modules[1:]])
        kernel = _guest_path(reader, load.path)
        entries.append(
            BootEntry(
                title=entry.title,
                kernel=kernel,
                initrds=tuple([_guest_path(reader, path) for path in initrds]),
                cmdline=load.command_line,
                version=_version(reader, kernel),
                is_default=entry is selection.entry,
                is_xen_hypervisor=entry.is_xen_hypervisor,
            )
        )
    # every menu of grub-mkconfig sources a custom.cfg that hardly any guest has
    has_custom = reader.exists("/boot/grub/custom.cfg")
    unresolved = [
        f"line {item.line}: {item.text}"
        for item in document.unresolved
        if item.kind in ("syntax", "nesting")
        or (item.kind == "source" and (has_custom or "custom.cfg" not in item.text))
    ]
    if selection.entry is None and selection.problem:
        unresolved.append(f"default entry: {selection.problem}")
    common.update(environment=environment, unresolved=tuple(unresolved))
    return Boot(loader="grub2", menu=menu, entries=tuple(entries), **common)


def _grub_legacy(reader: Reader, menu: TextFile) -> t.Iterator[BootEntry]:
    from .._formats import menu_lst

    document = menu_lst.parse(menu.text)
    default = menu_lst.default_entry(document)
    for entry in document.entries:
        if entry.linux is None:
            continue
        kernel = _guest_path(reader, entry.linux.path)
        yield BootEntry(
            title=entry.title,
            kernel=kernel,
            initrds=tuple([_guest_path(reader, path) for path in entry.initrds]),
            cmdline=entry.linux.command_line,
            version=_version(reader, kernel),
            is_default=entry is default,
            is_xen_hypervisor=entry.is_xen_hypervisor,
        )


def _extlinux(reader: Reader, menu: TextFile) -> t.Iterator[BootEntry]:
    from .._formats import extlinux_conf

    document = extlinux_conf.parse(menu.text)
    default = extlinux_conf.default_entry(document)
    for entry in document.entries:
        if not entry.kernel:
            continue
        kernel = _guest_path(reader, entry.kernel)
        yield BootEntry(
            title=entry.label,
            kernel=kernel,
            initrds=tuple([_guest_path(reader, path) for path in entry.initrds]),
            cmdline=entry.append or "",
            version=_version(reader, kernel),
            is_default=entry is default,
        )


def _guest_path(reader: Reader, path: str) -> str:
    """Where the guest has what the boot loader calls so: a loader's paths begin at the file system that holds /boot,
    and may have the device, or a btrfs subvolume, in front. Links are followed, as /vmlinuz is one."""
    plain = "/" + _DEVICE.sub("", path).lstrip("/")
    first, _slash, below = plain[1:].partition("/")
    for candidate in (plain, "/boot" + plain, *(["/" + below] if first.startswith("@") else [])):
        real = reader.attempt(candidate, functools.partial(reader.root.real_path, candidate))
        if real is not None:
            return real
    if first.startswith("@") and below.startswith("boot/"):
        return "/" + below
    return plain if plain.startswith("/boot/") else "/boot" + plain


def _version(reader: Reader, kernel: str) -> str | None:
    match = _VERSION.fullmatch(kernel.rsplit("/", 1)[-1])
    return match.group(1) if match else None


def _esp_loaders(reader: Reader) -> t.Iterator[str]:
    """EFI programs in the mounted EFI system partition, at most three directories deep."""
    todo = [""]
    while todo:
        below = todo.pop(0)
        for name in reader.names(_ESP + below):
            path = f"{below}/{name}"
            if name.lower().endswith(".efi"):
                yield path[1:]
            elif path.count("/") < 4 and "." not in name:
                todo.append(path)
