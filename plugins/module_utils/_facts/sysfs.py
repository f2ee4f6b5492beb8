# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a running kernel shows of itself: attributes of one line, and links between objects."""

from __future__ import annotations

import os
import posixpath
import typing as t

from .._errors import GuestError
from . import reader

MAX_ATTRIBUTE = 64 << 10  # bytes; the kernel refuses to read /proc/sys in pieces of more than 4 MiB (ENOMEM)


class KernelReader(reader.Reader):
    """A Reader for /sys, /proc and logs."""

    def content(self, path: str) -> str:
        """Text of a file; empty when there is none."""
        text: str | None = self.attempt(path, lambda: self.root.read_text(path))
        return text or ""

    def line(self, path: str) -> str | None:
        """Content of a file of one line; None when it is empty."""
        text: str | None = self.attempt(path, lambda: self.root.read_text(path, MAX_ATTRIBUTE))
        return (text or "").strip(" \t\r\n\0") or None

    def tail(self, path: str, limit: int) -> str:
        """The last C(limit) bytes of a file; empty when there is none."""
        text: str | None = self.attempt(path, lambda: self._read_tail(path, limit))
        return text or ""

    def link_name(self, path: str) -> str | None:
        """Last component of a link's target: the name of what the link stands for."""
        target: str | None = self.attempt(path, lambda: self.root.read_link(path))
        return posixpath.basename(target) if target is not None else None

    def real_path(self, path: str) -> str | None:
        """A path without any link in it."""
        real: str | None = self.attempt(path, lambda: self.root.real_path(path))
        return real

    def mtime(self, path: str) -> float | None:
        """When a file was last written to, in seconds since the epoch."""
        found = self.attempt(path, lambda: self.root.stat(path))
        return found.mtime_ns / 1e9 if found is not None else None

    def pci_id(self, path: str) -> str:
        """Vendor and device of a PCI device, as C(8086:7111)."""
        return ":".join([(self.line(f"{path}/{name}") or "")[2:] for name in ("vendor", "device")]).lower()

    def _read_tail(self, path: str, limit: int) -> str | None:
        stream: t.BinaryIO | None = self.root.open(path)
        if stream is None:
            return None
        with stream:
            try:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - limit))
                return stream.read(limit).decode("utf-8", "surrogateescape")
            except OSError as error:
                raise GuestError(f"{path} cannot be read: {error.strerror}", path=path) from error
