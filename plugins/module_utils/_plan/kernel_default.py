# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kernel a guest starts when nobody intervenes, whatever is installed beside it.

As update-grub makes the newest kernel the first entry, an entry is the default by what names it: with GRUB 2 by the ids
on the way to it (titles before GRUB 2.00), in the menu and in the settings of the next update-grub. With GRUB legacy it
is a number, which Debian's update-grub keeps on the same entry if it is told to. extlinux has labels.
"""

from __future__ import annotations

import re
import typing as t

from .._catalog import kernel_pin as catalog
from .._errors import GuestError
from .._formats import assignments, extlinux_conf, grub_cfg, grub_default, grubenv, menu_lst
from .._formats._lines import line_ending
from .model import FileChange

if t.TYPE_CHECKING:
    from .._facts.model import Boot, BootEntry

HEADER = "# Written by rehost.hyperv.kernel_pin, which replaces this file.\n"
_OWN = "# by rehost.hyperv.kernel_pin"
_GRUB_DEFAULT = "/etc/default/grub"
_SETTING = "GRUB_DEFAULT"
_DEFAULT_LINE = re.compile(r"^default[ \t=]+[^\r\n]*", re.MULTILINE)
_RECOVERY = ("single", "recovery", "emergency", "systemd.unit=rescue.target")


def current(boot: Boot) -> str | None:
    """The kernel that is started by default, an entry for the next start only left aside; None when it cannot be
    told."""
    if boot.loader != "grub2":
        return boot.default.version if boot.default else None
    return _started(boot, grub_cfg.parse(boot.menu.text if boot.menu else ""))


def has_entry(boot: Boot, version: str) -> bool:
    """Whether the menu has an entry that can be made the default."""
    return any(_is_regular(entry) and entry.version == version for entry in boot.entries)


def is_fixed(boot: Boot, version: str) -> bool:
    """Whether the default names this kernel, and not just the first entry. A number counts with GRUB legacy."""
    try:
        return current(boot) == version and not changes(boot, version, "")
    except GuestError:
        return False


def changes(boot: Boot, version: str, reason: str, rest: t.Callable[[str], str] = str) -> tuple[FileChange, ...]:
    """What makes a kernel the default. C(rest): a further edit of the menu. Raises GuestError when that does not go."""
    if boot.menu is None:
        raise GuestError("no boot loader's menu was found, so no kernel can be made the default")
    if not has_entry(boot, version):
        raise GuestError(
            f"{boot.menu.path} has no entry that starts {version}",
            path=boot.menu.path,
            hint="Let update-grub make the menu anew.",
        )
    if boot.loader == "grub2":
        wanted = _grub_path(boot, version)
        after = rest(grub_default.with_default(boot.menu.text, wanted))
        started = _started(boot, grub_cfg.parse(after))
        if started != version:
            raise GuestError(
                f"{version} cannot be made GRUB's default: the changed menu would start {started or 'another entry'}"
            )
        found = [_changed(boot.menu.path, boot.menu.text, after, reason), *_settings(boot, wanted, reason)]
    elif boot.loader == "grub-legacy":
        found = [_changed(boot.menu.path, boot.menu.text, _legacy(boot, version), reason)]
    else:
        found = [_changed(boot.menu.path, boot.menu.text, _extlinux(boot, version), reason)]
    return tuple([change for change in found if change is not None])


def added(
    boot: Boot, version: str, like: str, reason: str, rest: t.Callable[[str], str] = str
) -> tuple[FileChange, ...]:
    """What puts a kernel into the menu of GRUB 2, with an entry like that of another one, which is the default by name.
    Raises GuestError when that does not go."""
    if boot.loader != "grub2" or boot.menu is None:
        raise GuestError(
            f"the menu of {boot.loader or 'a boot loader that was not found'} gets its entries from the guest only",
            hint="Install the kernel while the guest runs.",
        )
    path = boot.menu.path
    found = {change.path: change for change in changes(boot, like, reason, rest)}
    text = (found[path].after if path in found else None) or boot.menu.text
    wanted = _grub_path(boot, like)
    entry = next(one for one in grub_cfg.all_entries(grub_cfg.parse(text)) if one.kernel and one.id_path == wanted)
    found[path] = FileChange(path, boot.menu.text, grub_default.with_twin(text, entry, like, version), reason)
    return tuple(found.values())


def undo(boot: Boot, reason: str, rest: t.Callable[[str], str] = str) -> tuple[FileChange, ...]:
    """What gives the default back to the guest's own settings. With GRUB legacy and extlinux it stays where it is."""
    if boot.loader != "grub2" or boot.menu is None:
        return ()
    found: list[FileChange | None] = []
    after = rest(boot.menu.text)
    settings = _without_setting(boot, reason)
    if settings:
        after = grub_default.with_default(after, _own_default(boot))
    found = [_changed(boot.menu.path, boot.menu.text, after, reason), *settings]
    return tuple([change for change in found if change is not None])


def entry_of(boot: Boot, version: str) -> grub_cfg.Entry:
    """The entry of GRUB 2 that starts a kernel: one whose name says so, where there is one."""
    found = [
        known
        for known, shown in _grub_entries(boot, grub_cfg.parse(boot.menu.text if boot.menu else ""))
        if _is_regular(shown)
        and shown.version == version
        and not known.is_conditional
        and catalog.TRIAL_ENTRY not in known.id_path
    ]
    if not found:
        raise GuestError(f"the menu of GRUB has no entry that starts {version}", hint="Let update-grub make it anew.")
    return next((entry for entry in found if version in (entry.id or entry.title)), found[0])


# -- GRUB 2


def _grub_entries(boot: Boot, document: grub_cfg.Document) -> list[tuple[grub_cfg.Entry, BootEntry]]:
    """The entries that load a kernel, as GRUB and as the guest has them: the facts hold them in the same order."""
    loading = [
        entry
        for entry in grub_cfg.all_entries(document)
        if (entry.modules if entry.is_xen_hypervisor and entry.modules else entry.kernel)
    ]
    return list(zip(loading, boot.entries))


def _environment(boot: Boot) -> dict[str, str]:
    held = grubenv.variables(grubenv.parse(boot.environment.text)) if boot.environment else {}
    return {name: value for name, value in held.items() if name != "next_entry"}


def _started(boot: Boot, document: grub_cfg.Document) -> str | None:
    """The kernel that GRUB starts with this menu, and with what its environment holds."""
    platform = {"grub_platform": "efi" if boot.esp_loaders else "pc"}
    entry = grub_cfg.find_default(document, _environment(boot) if boot.environment else None, platform).entry
    return next((shown.version for known, shown in _grub_entries(boot, document) if known is entry), None)


def _is_regular(entry: BootEntry) -> bool:
    return not entry.is_xen_hypervisor and not set(entry.cmdline.split()) & set(_RECOVERY)


def _grub_path(boot: Boot, version: str) -> str:
    path = entry_of(boot, version).id_path
    if re.match(r"[ \t]*[0-9]", path):
        raise GuestError(f"the menu entry {path!r} begins with a digit, which GRUB takes for the number of an entry")
    return path


def _settings(boot: Boot, wanted: str, reason: str) -> t.Iterator[FileChange | None]:
    """The setting for the next update-grub. Before GRUB 2.00, which brought ids, it reads no directory of settings."""
    if boot.menu is None:
        return
    if "menuentry_id_option" in boot.menu.text:
        before = next((file.text for file in boot.defaults if file.path == catalog.GRUB_SETTING), None)
        yield _changed(catalog.GRUB_SETTING, before, f'{HEADER}{_SETTING}="{wanted}"\n', reason)
        return
    file = next((file for file in boot.defaults if file.path == _GRUB_DEFAULT), None)
    if file is not None:
        text = _without_own_line(file.text)
        end = line_ending(text)
        glue = "" if text.endswith("\n") or not text else end
        yield _changed(file.path, file.text, f'{text}{glue}{_SETTING}="{wanted}" {_OWN}{end}', reason)


def _without_setting(boot: Boot, reason: str) -> list[FileChange | None]:
    found: list[FileChange | None] = []
    for file in boot.defaults:
        if file.path == catalog.GRUB_SETTING:
            found.append(FileChange(file.path, file.text, None, reason))
        elif file.path == _GRUB_DEFAULT and _without_own_line(file.text) != file.text:
            found.append(FileChange(file.path, file.text, _without_own_line(file.text), reason))
    return found


def _without_own_line(text: str) -> str:
    return "".join([line for line in re.findall(r"[^\n]*\n|[^\n]+", text) if not line.rstrip().endswith(_OWN)])


def _own_default(boot: Boot) -> str:
    """What update-grub would write without this collection."""
    value: str | None = None
    for file in boot.defaults:
        if file.path != catalog.GRUB_SETTING:
            document = assignments.parse(_without_own_line(file.text))
            if _SETTING in assignments.keys(document):
                value = assignments.value(document, _SETTING)
    return "${saved_entry}" if value == "saved" else value or "0"


# -- the others


def _legacy(boot: Boot, version: str) -> str:
    text = boot.menu.text if boot.menu else ""
    document = menu_lst.parse(text)
    if menu_lst.option_values(document, "updatedefaultentry") not in ((), ("true",)) or (
        document.automagic is not None and not menu_lst.option_values(document, "updatedefaultentry")
    ):
        # else update-grub leaves the number, and puts a newer kernel in front
        document = menu_lst.with_option(document, "updatedefaultentry", "true")
    loading = [entry for entry in document.entries if entry.linux is not None]
    entry = next(
        entry for entry, shown in zip(loading, boot.entries) if _is_regular(shown) and shown.version == version
    )
    text = menu_lst.render(document)
    match = _DEFAULT_LINE.search(text, 0, _first_title(text))
    if match is None:
        return f"default {entry.index}{line_ending(text)}{text}"
    number = re.sub(r"[^ \t=]+[ \t]*$", str(entry.index), match.group())
    return text[: match.start()] + number + text[match.end() :]


def _first_title(text: str) -> int:
    match = re.search(r"^title[ \t]", text, re.MULTILINE)
    return match.start() if match else len(text)


def _extlinux(boot: Boot, version: str) -> str:
    text = boot.menu.text if boot.menu else ""
    document = extlinux_conf.parse(text)
    loading = [entry for entry in document.entries if entry.kernel]
    found = [entry for entry, shown in zip(loading, boot.entries) if _is_regular(shown) and shown.version == version]
    label = found[0].label
    own = list(re.finditer(r"^[ \t]*default[ \t]+([^\r\n]*)", text, re.MULTILINE | re.IGNORECASE))
    if any(entry.is_menu_default for entry in document.entries) or len(own) != 1:
        raise GuestError(
            "extlinux has not exactly one DEFAULT, so it is not known what to change",
            hint=f"Write DEFAULT {label} before the first label, and no MENU DEFAULT.",
        )
    return text[: own[0].start(1)] + label + text[own[0].end(1) :]


def _changed(path: str, before: str | None, after: str, reason: str) -> FileChange | None:
    return FileChange(path, before, after, reason) if after != before else None
