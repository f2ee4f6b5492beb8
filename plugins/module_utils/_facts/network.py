# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in which a guest's network is configured."""

from __future__ import annotations

import typing as t

from .reader import Note, Reader

if t.TYPE_CHECKING:
    from .._root import Root
    from .model import TextFile

# directory and ending: ifupdown, systemd-networkd, netplan, NetworkManager, udev
_DIRECTORIES = (
    ("/etc/network/interfaces.d", ""),
    ("/etc/systemd/network", ".network"),
    ("/etc/systemd/network", ".link"),
    ("/etc/netplan", ".yaml"),
    ("/etc/NetworkManager/system-connections", ""),
    ("/etc/udev/rules.d", "-net.rules"),
)


def gather(root: Root, note: Note) -> tuple[TextFile, ...]:
    """Those that are there, whole."""
    reader = Reader(root, note)
    main = reader.text("/etc/network/interfaces")
    files = [file for directory, ending in _DIRECTORIES for file in reader.texts(directory, ending)]
    return (*((main,) if main else ()), *files)
