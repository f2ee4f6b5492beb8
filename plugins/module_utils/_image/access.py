# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a back end must be able to do: mount the volumes of one image, as a tree that the guest would see."""

from __future__ import annotations

import abc

from .. import _errors
from .volumes import Layout, Volume


class UnmountableError(_errors.GuestError):
    """A volume that cannot be mounted here; the others may be."""


class Access(abc.ABC):
    """An open image. Paths are the guest's; its symbolic links never lead out of its tree."""

    name: str
    layout: Layout

    @abc.abstractmethod
    def mount(self, volume: Volume, path: str, *, writable: bool, subvolume: str = "") -> tuple[str, ...]:
        """Mounts a volume, the first one on "/". Returns problems that were got around. UnmountableError."""

    @abc.abstractmethod
    def unmount_all(self) -> None:
        """Unmounts everything, and all that was written is in the image. GuestError when something still uses it."""

    @abc.abstractmethod
    def exists(self, path: str) -> bool:
        """Whether anything has this name; a last component that is a link is not followed."""

    @abc.abstractmethod
    def read_text(self, path: str) -> str | None:
        """A configuration file; None when there is none."""

    @abc.abstractmethod
    def expose(self) -> str:
        """Where this process and its children see the tree; nothing can be mounted after that."""
