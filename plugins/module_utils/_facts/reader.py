# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading for facts: what cannot be read becomes a Problem, and gathering goes on."""

from __future__ import annotations

import typing as t

from .._errors import GuestError
from .model import Problem, TextFile

if t.TYPE_CHECKING:
    from .._root import Root

Note = t.Callable[[Problem], None]
T = t.TypeVar("T")


class Reader:
    """A Root whose errors are noted: every answer is what there is, or nothing."""

    def __init__(self, root: Root, note: Note) -> None:
        self.root = root
        self.note = note

    def text(self, path: str) -> TextFile | None:
        """A text file under the path that was asked for."""
        text = self.attempt(path, lambda: self.root.read_text(path))
        return None if text is None else TextFile(path, text)

    def value(self, path: str) -> str | None:
        """Content of a file of one line, as sysfs has them, without the white space around it."""
        text = self.attempt(path, lambda: self.root.read_text(path))
        return None if text is None else text.strip()

    def names(self, path: str) -> tuple[str, ...]:
        """Names in a directory."""
        return self.attempt(path, lambda: self.root.list_names(path)) or ()

    def texts(self, directory: str, suffix: str = "") -> tuple[TextFile, ...]:
        """The regular files in a directory whose name ends so, in the order of their names."""
        found = [
            self.text(f"{directory}/{name}") for name in self.names(directory) if self._is_part(directory, name, suffix)
        ]
        return tuple([file for file in found if file is not None])

    def _is_part(self, directory: str, name: str, suffix: str) -> bool:
        if name.startswith(".") or not name.endswith(suffix):
            return False
        found = self.attempt(f"{directory}/{name}", lambda: self.root.stat(f"{directory}/{name}"))
        return found is not None and found.kind == "file"

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        return bool(self.attempt(path, lambda: self.root.exists(path)))

    def attempt(self, path: str, read: t.Callable[[], T]) -> T | None:
        """What a reading gives; None, and a Problem, when it fails."""
        try:
            return read()
        except GuestError as error:
            self.note(Problem(path, error.message))
            return None
