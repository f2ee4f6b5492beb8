# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entry a grub.cfg starts by default, as an edit: the value of "default", and a block of its own at the end.

grub-mkconfig assigns the variable once (util/grub.d/00_header.in), and once more the entry for the next boot only,
where the environment block has one.
"""

from __future__ import annotations

import re

from .._errors import GuestError
from . import grub_cfg

_ASSIGNMENT = re.compile(r"^([ \t]*set default=)(\"(?:[^\"\\\n]|\\.)*\"|[^\s\"]+)(?=[ \t]*$)", re.MULTILINE)
_ONCE = '"${next_entry}"'
_PLAIN = re.compile(r"[^\"\\$`\n]*")


def has_one_shot(text: str) -> bool:
    """Whether the script takes the entry for the next boot from the environment block, and clears it there."""
    return _ONCE in text and "save_env next_entry" in text and "load_env" in text


def with_default(text: str, wanted: str) -> str:
    """The script with this default: an index, the path of an entry by ids or titles, or C(${saved_entry}).

    Raises GuestError when it does not assign the variable exactly once besides the entry of the next boot.
    """
    if not _PLAIN.fullmatch(wanted) and wanted != "${saved_entry}":
        raise GuestError(f"{wanted!r} cannot be made GRUB's default: it holds characters that GRUB would interpret")
    found = [match for match in _ASSIGNMENT.finditer(text) if match.group(2) != _ONCE]
    if len(found) != 1:
        raise GuestError(
            f"grub.cfg sets its default {len(found)} times, and not once as update-grub writes it",
            hint="Let update-grub make it anew, or choose the default entry by hand.",
        )
    (match,) = found
    return f'{text[: match.start(2)]}"{wanted}"{text[match.end(2) :]}'


def with_block(text: str, name: str, content: str | None) -> str:
    """The script with this block at its end, between marks that update-grub would write; None removes it."""
    begin, end = f"### BEGIN {name} ###\n", f"### END {name} ###\n"
    start = text.find(begin)
    if start >= 0:
        stop = text.find(end, start)
        text = text[:start] + (text[stop + len(end) :] if stop >= 0 else "")
    if content is None:
        return text
    glue = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{glue}{begin}{content}{end}"


def copy_of(text: str, entry: grub_cfg.Entry, title: str, identity: str, added: str) -> str:
    """The entry's text under another title and id, with these arguments behind those of its kernel.

    Raises GuestError when it loads no kernel, or its end cannot be told.
    """
    load = entry.kernel
    if load is None:
        raise GuestError(f"the menu entry {entry.title!r} loads no Linux kernel", line=entry.line)
    end = _end_of_entry(text, entry.start)
    body = text.find("{\n", entry.start, load.path_end)
    stop = load.arguments[-1].end if load.arguments else load.path_end
    # without it whoever sits at the console would have to log in where the menu asks for it
    options = " --unrestricted" if "--unrestricted" in text[entry.start : body] else ""
    copy = f"menuentry '{title}'{options} --id '{identity}' {text[body:stop]} {added}{text[stop:end]}\n"
    known = [one for one in grub_cfg.all_entries(grub_cfg.parse(copy)) if one.id == identity]
    if len(known) != 1 or known[0].kernel is None or known[0].kernel.path != load.path:
        raise GuestError(f"the menu entry {entry.title!r} cannot be copied", line=entry.line)
    if known[0].kernel.command_line != f"{load.command_line} {added}".strip() or known[0].initrds != entry.initrds:
        raise GuestError(f"the menu entry {entry.title!r} cannot be copied", line=entry.line)
    return copy


def with_twin(text: str, entry: grub_cfg.Entry, version: str, other: str) -> str:
    """The script with a copy of one kernel's entry in front of it that starts another kernel, as update-grub names it.

    Raises GuestError when the entry does not name its kernel in its title and its files.
    """
    end = _end_of_entry(text, entry.start)
    indentation = text[text.rfind("\n", 0, entry.start) + 1 : entry.start]
    twin = text[entry.start : end].replace(version, other)
    after = f"{text[: entry.start]}{twin}\n{indentation}{text[entry.start :]}"
    known = {one.id_path for one in grub_cfg.all_entries(grub_cfg.parse(text))}
    new = [one for one in grub_cfg.all_entries(grub_cfg.parse(after)) if one.id_path not in known]
    load = new[0].kernel if len(new) == 1 and other in new[0].title and not indentation.strip() else None
    if load is None or not load.path.endswith(f"/vmlinuz-{other}") or not any(other in path for path in new[0].initrds):
        raise GuestError(
            f"the menu entry {entry.title!r} does not name its kernel {version} in its title, id and files, so there is"
            f" no telling what one for {other} looks like",
            line=entry.line,
            hint="Let update-grub make the menu anew in the guest.",
        )
    return after


def _end_of_entry(text: str, start: int) -> int:
    """Where the entry that starts there ends: the first place up to which the text is one entry and nothing else."""
    place = start
    while True:
        place = text.find("}", place) + 1
        if place == 0:
            raise GuestError("a menu entry of grub.cfg does not end")
        document = grub_cfg.parse(text[start:place] + "\n")
        if len(document.entries) == 1 and not [one for one in document.unresolved if one.kind == "syntax"]:
            return place
