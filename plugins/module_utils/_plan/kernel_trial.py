# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial boot of a kernel: it is started once, and the next start is the old kernel's unless somebody confirms.

The default stays the old kernel. GRUB takes the entry for one start from its environment block, and clears it there
before it loads anything. That entry is a copy of the kernel's own, with arguments by which a panic ends in a restart.
In user space a guard waits for the confirmation, and restarts the guest when the time is over. What none of this ends
is a kernel that hangs without a panic before user space: it takes a reset from the host, and then the old kernel
starts.
"""

from __future__ import annotations

import typing as t

from .._catalog import kernel_pin as catalog
from .._errors import GuestError
from .._formats import grub_default, grubenv, kernel_trial
from . import kernel_default
from .model import Change, FileChange, LinkChange

if t.TYPE_CHECKING:
    from .._facts.model import Boot, GuestFacts
    from .._formats.kernel_trial import Trial

GRUBENV = "/boot/grub/grubenv"
ARGUMENTS = f"panic=10 oops=panic softlockup_panic=1 rd.shell=0 rd.emergency=reboot {catalog.TRIAL_ENTRY}"
"""initramfs-tools restarts the guest after a panic= of seconds as well, where it does not find the root; dracut by its
own two."""
_SNIPPET = """#!/bin/sh
exec tail -n +4 "$0"
# Written by rehost.hyperv.kernel_pin, which removes this file when the trial of a kernel is over.
"""
_EMPTY = "# GRUB Environment Block\n" + "#" * (grubenv.SIZE - len("# GRUB Environment Block\n"))

_PATIENCE = 360  # seconds for an orderly end: longer than the stop timeouts of systemd, one after another

# It ends when it is removed, which is the confirmation. dash and busybox run it, without anything below /usr.
_GUARD = """#!/bin/sh
# Written by rehost.hyperv.kernel_pin, which removes this file when the trial of a kernel is over.
# Restarts the guest, with the old kernel, unless the trial of {kernel} is confirmed in {limit} seconds.
case " $(cat /proc/cmdline) " in
*" {argument} "*) ;;
*) exit 0 ;;
esac
log() {{
    echo "$(date '+%Y-%m-%d %H:%M:%S') $*" >>{log}
    sync
}}
log "trial {boot}"
log "$(uname -r) has reached user space, and has {limit} seconds to be confirmed"
# GRUB has done that; if it could not, the next start must still be that of the old kernel
clear() {{
    if grep -qs '^next_entry={argument}$' {grubenv}; then
        log "GRUB did not clear the entry for one start: that is done now"
        grub-editenv {grubenv} unset next_entry
    fi
}}
clear
up() {{
    read -r seconds rest </proc/uptime
    echo "${{seconds%%.*}}"
}}
while [ "$(up)" -lt {limit} ]; do
    [ -e {guard} ] || exit 0
    sleep 2
done
[ -e {guard} ] || exit 0
log "nobody confirmed the trial of $(uname -r) in {limit} seconds: restart with {fallback}"
if command -v systemctl >/dev/null 2>&1; then
    failed=$(systemctl list-units --failed --plain --no-legend 2>/dev/null | cut -d ' ' -f 1)
    log "units that failed:" ${{failed:-none}}
fi
# at the start of this script a /boot of its own may not have been mounted yet
clear
sync
(reboot || shutdown -r now) >/dev/null 2>&1 &
sleep 60
# services may take 90 seconds and more to stop: they are not cut off while that goes on
waited=60
while [ "$waited" -lt {patience} ] && [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]; do
    sleep 5
    waited=$((waited + 5))
done
log "the guest did not restart in $waited seconds: that is forced"
sync
echo 1 >/proc/sys/kernel/sysrq
# written to the disks, read-only, restart
for key in s u b; do
    echo "$key" >/proc/sysrq-trigger
    sleep 2
done
"""
_UNIT = f"""# Written by rehost.hyperv.kernel_pin, which removes this file when the trial of a kernel is over.
[Unit]
Description=Restart with the old kernel unless the trial of this one is confirmed
DefaultDependencies=no
After=systemd-remount-fs.service
ConditionKernelCommandLine={catalog.TRIAL_ENTRY}
IgnoreOnIsolate=yes

[Service]
ExecStart=/bin/sh {catalog.GUARD}
KillMode=process
"""
_SCRIPT = f"""#!/bin/sh
### BEGIN INIT INFO
# Provides:          rehost-hyperv-kernel-trial
# Required-Start:    mountall
# Required-Stop:
# Default-Start:     S
# Default-Stop:
# Short-Description: Restart with the old kernel unless the trial of this one is confirmed
### END INIT INFO
# Written by rehost.hyperv.kernel_pin, which removes this file when the trial of a kernel is over.
if [ "$1" = start ]; then
    /bin/sh {catalog.GUARD} </dev/null >/dev/null 2>&1 &
fi
"""


def problem_with(facts: GuestFacts, version: str) -> tuple[str, str]:
    """Why a kernel cannot be tried on this guest, and what to do; two empty texts when it can."""
    boot = facts.boot
    otherwise = "Choose trial: false: the kernel is then the default at once, and the old one stays in the menu."
    if not facts.is_live:
        return "a guest that is not running cannot be restarted", otherwise
    if facts.hypervisor.is_container:
        return "a container has no kernel of its own", "Run this on the guest itself."
    if boot.loader != "grub2" or boot.menu is None:
        return f"the boot loader ({boot.loader or 'none was found'}) knows no entry for one start only", otherwise
    if not grub_default.has_one_shot(boot.menu.text):
        return f"{boot.menu.path} does not look for an entry for one start only (GRUB before 2.00)", otherwise
    try:
        entry = kernel_default.entry_of(boot, version)
    except GuestError as error:
        return error.message, error.hint
    for module in entry.insmods:
        if module in catalog.UNWRITABLE:
            where = catalog.UNWRITABLE[module]
            return f"/boot is on {where}, where GRUB cannot write: it would start with every start", otherwise
    return "", ""


def changes(facts: GuestFacts, trial: Trial, reason: str) -> tuple[Change, ...]:
    """Everything that a trial needs, the entry for the next start last. Raises GuestError when that does not go."""
    menu = facts.boot.menu
    if menu is None:
        raise GuestError("no boot loader's menu was found")
    entry = kernel_default.entry_of(facts.boot, trial.kernel)
    copy = grub_default.copy_of(
        menu.text, entry, f"Trial of Linux {trial.kernel}, once", catalog.TRIAL_ENTRY, ARGUMENTS
    )
    found: list[Change | None] = [
        *kernel_default.changes(
            facts.boot, trial.fallback, reason, lambda text: grub_default.with_block(text, catalog.GRUB_SNIPPET, copy)
        ),
        _file(facts, catalog.GRUB_SNIPPET, _SNIPPET + copy, reason, 0o755),
        *_guard(facts, trial, reason),
        _file(facts, catalog.TRIAL, kernel_trial.render(trial), reason),
        _next_entry(facts.boot, catalog.TRIAL_ENTRY, reason),
    ]
    return tuple([change for change in found if change is not None])


def without_entry(text: str) -> str:
    """A menu without the entry of a trial."""
    return grub_default.with_block(text, catalog.GRUB_SNIPPET, None)


def cleaned(facts: GuestFacts, reason: str, record: Trial | None = None) -> tuple[Change, ...]:
    """What removes a trial, but for its entry in the menu. C(record) is what is left of it."""
    packages = facts.packages
    paths = (catalog.GRUB_SNIPPET, catalog.GUARD, catalog.GUARD_UNIT, catalog.GUARD_SCRIPT)
    found: list[Change | None] = [_next_entry(facts.boot, None, reason)]
    found += [LinkChange(path, target, None, reason) for path, target in packages.links]
    found += [_file(facts, path, None, reason) for path in paths]
    found.append(_file(facts, catalog.TRIAL, kernel_trial.render(record) if record else None, reason))
    return tuple([change for change in found if change is not None])


def log_of(facts: GuestFacts, trial: Trial) -> str:
    """What the guard of this trial wrote; empty where it never ran."""
    _before, mark, after = facts.packages.log.rpartition(f" trial {trial.boot}\n")
    return after.strip() if mark else ""


def _guard(facts: GuestFacts, trial: Trial, reason: str) -> t.Iterator[Change | None]:
    script = _GUARD.format(
        boot=trial.boot,
        kernel=trial.kernel,
        fallback=trial.fallback,
        limit=trial.limit,
        argument=catalog.TRIAL_ENTRY,
        log=catalog.LOG,
        guard=catalog.GUARD,
        grubenv=GRUBENV,
        patience=_PATIENCE,
    )
    links = dict(facts.packages.links)
    yield _file(facts, catalog.GUARD, script, reason, 0o755)
    if facts.packages.has_systemd:
        yield _file(facts, catalog.GUARD_UNIT, _UNIT, reason)
        link, target = catalog.GUARD_WANTED, catalog.GUARD_UNIT
    else:
        yield _file(facts, catalog.GUARD_SCRIPT, _SCRIPT, reason, 0o755)
        link, target = catalog.GUARD_STARTED, "../init.d/" + catalog.GUARD_SCRIPT.rsplit("/", 1)[-1]
    if links.get(link) != target:
        yield LinkChange(link, links.get(link), target, reason)


def _next_entry(boot: Boot, wanted: str | None, reason: str) -> FileChange | None:
    """Also where somebody else asked for another entry for the next start: that one is not taken away."""
    before = boot.environment.text if boot.environment else None
    document = grubenv.parse(before if before is not None else _EMPTY)
    if not grubenv.is_valid(document):
        document = grubenv.parse(_EMPTY)
    held = grubenv.variables(document).get("next_entry")
    if wanted is None and held != catalog.TRIAL_ENTRY:
        return None
    after = grubenv.render(grubenv.with_value(document, "next_entry", wanted))
    return FileChange(GRUBENV, before, after, reason) if after != before else None


def _file(facts: GuestFacts, path: str, after: str | None, reason: str, mode: int = 0o644) -> FileChange | None:
    before = facts.packages.text(path)
    return FileChange(path, before, after, reason, mode) if after != before else None
