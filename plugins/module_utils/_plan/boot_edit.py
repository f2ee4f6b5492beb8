# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing the kernel command lines of a guest, wherever its boot loader takes them from.

With GRUB 2 both the menu that GRUB reads and the settings from which the next update-grub makes a new menu are
changed, so that the guest boots alike before and after that; nothing else in the menu changes. With GRUB legacy the
same goes for the entries and the magic comments of Debian's update-grub.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .._errors import GuestError
from .._formats import assignments, extlinux_conf, grub_cfg, kernel_cmdline, menu_lst
from .model import FileChange, Finding

if t.TYPE_CHECKING:
    from .._facts.model import Boot, TextFile
    from .._formats.kernel_cmdline import CommandLine

LINUX = "GRUB_CMDLINE_LINUX"
LINUX_DEFAULT = "GRUB_CMDLINE_LINUX_DEFAULT"

Edit = t.Callable[["CommandLine"], "CommandLine"]


@dataclasses.dataclass(frozen=True)
class BootEdit:
    """The same edit in two forms. C(whole): of a complete command line, as a menu entry has it. C(part): of one of
    several that make up a command line: it only takes away what C(whole) does not leave in its place."""

    whole: Edit
    part: Edit
    bare: Edit | None = None

    def of_entry(self, has_initramfs: bool) -> Edit:
        """C(whole), or for an entry that loads no initramfs C(bare), where the two are not the same."""
        return self.whole if has_initramfs or self.bare is None else self.bare


def edit_boot(boot: Boot, edit: BootEdit, reason: str) -> tuple[tuple[FileChange, ...], tuple[Finding, ...]]:
    """The changes that make every command line of the boot loader as the edit wants it, and what stands in the way."""
    changes: list[FileChange] = []
    findings: list[Finding] = []
    for file, change in (*_menu_edits(boot, edit), *_default_edits(boot, edit)):
        try:
            after = change()
        except GuestError as error:
            findings.append(_cannot_edit(file, error))
            continue
        if after != file.text:
            changes.append(FileChange(file.path, file.text, after, reason))
    return tuple(changes), tuple(findings)


def _menu_edits(boot: Boot, edit: BootEdit) -> t.Iterator[tuple[TextFile, t.Callable[[], str]]]:
    menu = boot.menu
    if menu is None:
        return
    editors = {"grub2": _edit_grub_cfg, "grub-legacy": _edit_menu_lst, "extlinux": _edit_extlinux}
    yield menu, functools.partial(editors[boot.loader or ""], menu.text, edit)


def _edit_grub_cfg(text: str, edit: BootEdit) -> str:
    document = grub_cfg.parse(text)
    for index in range(len(grub_cfg.all_entries(document))):
        entry = grub_cfg.all_entries(document)[index]  # positions move with every edit
        # memtest86+ is started like a kernel, and has a console= of its own
        if entry.kernel is not None and "memtest" not in entry.kernel.path:
            wanted = _edited(entry.kernel.command_line, edit.of_entry(bool(entry.initrds)))
            document = grub_cfg.with_cmdline(document, entry, wanted)
    return grub_cfg.render(document)


def _edit_menu_lst(text: str, edit: BootEdit) -> str:
    document = menu_lst.parse(text)
    for index in range(len(document.entries)):
        entry = document.entries[index]
        if entry.linux is not None:
            wanted = _edited(entry.linux.command_line, edit.of_entry(bool(entry.initrds)))
            document = menu_lst.with_cmdline(document, entry, wanted)
    for option in document.options:
        if option.name.startswith("kopt"):
            document = menu_lst.with_option(document, option.name, _edited(option.value, edit.whole))
        elif option.name == "defoptions":
            document = menu_lst.with_option(document, option.name, _edited(option.value, edit.part))
    return menu_lst.render(document)


def _edit_extlinux(text: str, edit: BootEdit) -> str:
    document = extlinux_conf.parse(text)
    for index in range(len(document.entries)):
        entry = document.entries[index]
        if entry.kernel:
            wanted = _edited(entry.append or "", edit.of_entry(bool(entry.initrds)))
            document = extlinux_conf.with_append(document, entry, wanted)
    return extlinux_conf.render(document)


def _default_edits(boot: Boot, edit: BootEdit) -> t.Iterator[tuple[TextFile, t.Callable[[], str]]]:
    """GRUB 2's settings: both variables are edited where they stand; what is missing is added to the last assignment
    of GRUB_CMDLINE_LINUX that is complete in itself, as update-grub takes that variable for every entry. A file that
    adds to what an earlier one sets (GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX more") sees it as it is after the edit."""
    if boot.loader != "grub2" or not boot.defaults:
        return
    documents = [assignments.parse(file.text) for file in boot.defaults]
    known = {LINUX: "", LINUX_DEFAULT: ""}
    for document in documents:
        known.update(_values(document, known))
    whole = " ".join([value for value in known.values() if value])
    if _edited(whole, edit.whole) == whole:
        return
    complete = [index for index, document in enumerate(documents) if assignments.value(document, LINUX) is not None]
    place = complete[-1] if complete else 0
    known = {LINUX: "", LINUX_DEFAULT: ""}
    for index, document in enumerate(documents):
        lacking = _added(whole, edit) if index == place else ()
        yield boot.defaults[index], functools.partial(_edit_defaults, document, edit, dict(known), lacking)
        known.update({key: _edited(value, edit.part) for key, value in _values(document, known).items()})
        known[LINUX] = _with_arguments(known[LINUX], lacking)


def _edit_defaults(
    document: assignments.Document, edit: BootEdit, known: t.Mapping[str, str], lacking: t.Sequence[str]
) -> str:
    for key in (LINUX, LINUX_DEFAULT):
        value = assignments.value(document, key, initial=known)
        if key not in assignments.keys(document):
            continue
        if value is None:
            raise GuestError(f"{key} is computed by the file, so it is not known what it is", hint="Write it out.")
        document = _assign(document, key, value, _edited(value, edit.part))
    if lacking:
        value = assignments.value(document, LINUX, initial=known) or ""
        document = _assign(document, LINUX, value, _with_arguments(value, lacking))
    return assignments.render(document)


def _assign(document: assignments.Document, key: str, before: str, after: str) -> assignments.Document:
    return document if after == before else assignments.with_value(document, key, after)


def _added(whole: str, edit: BootEdit) -> list[str]:
    """The arguments that the edit of the complete line adds to what its parts are after theirs."""
    parts, wanted = [
        [argument.text for argument in kernel_cmdline.parse(_edited(whole, form)).kernel_arguments]
        for form in (edit.part, edit.whole)
    ]
    return [text for text in wanted if text not in parts]


def _with_arguments(text: str, arguments: t.Iterable[str]) -> str:
    line = kernel_cmdline.parse(text)
    for argument in arguments:
        line = kernel_cmdline.with_argument(line, argument)
    return kernel_cmdline.render(line)


def _values(document: assignments.Document, known: t.Mapping[str, str]) -> dict[str, str]:
    """What a file sets the two variables to, where that can be told without running it."""
    found = {}
    for key in (LINUX, LINUX_DEFAULT):
        if key in assignments.keys(document):
            found[key] = assignments.value(document, key, initial=known) or ""
    return found


def _edited(text: str, edit: Edit) -> str:
    return kernel_cmdline.render(edit(kernel_cmdline.parse(text)))


def _cannot_edit(file: TextFile, error: GuestError) -> Finding:
    return Finding(
        "boot.cannot-edit",
        "error",
        file.path,
        f"the kernel command line in {file.path} cannot be changed: {error.message}",
        error.hint or "Change it by hand.",
        blocks=True,
    )
