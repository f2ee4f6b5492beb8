# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys to encrypted volumes (LUKS), and which volume each is for."""

from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from .. import _errors
from .volumes import Layout, Volume

ALL = "all"
_LONGEST = 8192  # bytes; the longest that cryptsetup takes from a terminal is 512


@dataclasses.dataclass(frozen=True)
class Key:
    """A passphrase, one line of text. device: one volume, by anything that Layout.find understands, or ALL."""

    device: str
    passphrase: str = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        # The programs that open a volume read it as a line, and hand it on as a string of C.
        for what, found in (("is empty", not self.passphrase), ("has a NUL byte", "\0" in self.passphrase)):
            if found:
                raise _unusable(self.device, what)
        if "\n" in self.passphrase:
            raise _unusable(self.device, "has more than one line")


def _unusable(device: str, why: str) -> _errors.GuestError:
    return _errors.GuestError(
        "the key for %s %s; only a passphrase of one line can be used" % (device, why),
        hint="give a passphrase of the volume; cryptsetup luksAddKey adds one in the running guest",
    )


def read_key_file(device: str, path: str) -> Key:
    """The key in a file. A newline at its end does not belong to it. GuestError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # opening a fifo must not wait
        with os.fdopen(fd, "rb") as stream:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise _errors.GuestError("the key file is not a regular file", path=path, hint="name a file")
            raw = stream.read(_LONGEST + 1)
    except OSError as error:
        raise _errors.GuestError(
            "the key file cannot be read: %s" % error.strerror,
            path=path,
            hint="it must be on the machine that has the image",
        ) from error
    if len(raw) > _LONGEST:
        raise _errors.LimitError(
            "the key file has more than %d bytes" % _LONGEST, path=path, hint="see whether it is it"
        )
    text = raw.decode("utf-8", "surrogateescape")
    return Key(device, text[:-1] if text.endswith("\n") else text)


def keys_for(keys: t.Sequence[Key], layout: Layout, volume: Volume) -> tuple[Key, ...]:
    """Those that a volume is to be opened with, in the order in which to try them: first the ones that name it."""
    named = [key for key in keys if key.device != ALL and layout.find(key.device) == volume]
    return (*named, *(key for key in keys if key.device == ALL))


def are_of_use(keys: t.Sequence[Key], layout: Layout) -> bool:
    """Whether one of them is for an encrypted volume that can be seen without opening another one first."""
    return any(keys_for(keys, layout, volume) for volume in layout.locked)


def check_names(keys: t.Sequence[Key], layout: Layout, *, complete: bool) -> None:
    """GuestError for a key whose volume is not there, or not encrypted.

    complete: the layout shows everything; otherwise a volume that is missing may turn up in one that will be opened.
    """
    for key in keys:
        if key.device == ALL:
            continue
        volume = layout.find(key.device)
        if volume is None:
            others = [other for other in keys if other is not key]
            if complete or not (are_of_use(others, layout) or _is_incomplete(layout)):
                raise _errors.GuestError(
                    "there is a key for %s, which the image does not have" % key.device,
                    hint="it has: %s" % (", ".join(volume.describe() for volume in layout.volumes) or "nothing known"),
                )
        elif volume.type != "crypto_LUKS" and (complete or volume.file_system or volume.start is not None):
            raise _errors.GuestError(
                "there is a key for %s, and %s is no LUKS volume" % (key.device, volume.describe()),
                hint="a volume whose header is kept elsewhere (detached), or that has none (plain dm-crypt), cannot be "
                "opened here: use the playbooks in the running guest",
            )


def _is_incomplete(layout: Layout) -> bool:
    return any(volume.group and volume.start is None for volume in layout.volumes)
