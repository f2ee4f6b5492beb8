# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes for nothing in the guest to name a disk by a name that changes with the hypervisor."""

from __future__ import annotations

import functools
import typing as t

from .._errors import GuestError
from .._formats import assignments, crypttab, fstab, kernel_cmdline, lvm_conf, mdadm_conf
from .boot_edit import BootEdit, edit_boot
from .disk_names import LVM_FILTERS, find, is_unstable, is_unstable_pattern, stable_spec
from .model import FileChange, Finding, Plan

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts
    from .._formats.kernel_cmdline import CommandLine

REASON = "device names change with the hypervisor"
_DEVICE_ARGUMENTS = ("root", "resume")
# a removable drive that is empty or absent delays nothing
_REMOVABLE = frozenset({"iso9660", "udf", "udf,iso9660", "auto"})


def plan(facts: GuestFacts) -> Plan:
    """UUIDs (else labels) instead of names like /dev/xvda1: fstab, crypttab, resume device, RAID, LVM, boot loader."""
    changes: list[FileChange] = []
    findings: list[Finding] = []
    for rewrite in (_fstab, _crypttab, _resume, _mdadm, _lvm):
        for change in rewrite(facts, findings):
            changes.append(change)
    changes.extend(_boot(facts, findings))
    return Plan(changes=tuple(changes), findings=tuple(findings))


def _stable(facts: GuestFacts, spec: str) -> str | None:
    device = find(facts.storage.devices, spec)
    return stable_spec(facts.storage.devices, device) if device is not None else None


def _fstab(facts: GuestFacts, findings: list[Finding]) -> t.Iterator[FileChange]:
    table = facts.storage.fstab
    if table is None:
        return
    document = fstab.parse(table.text)
    for entry in fstab.entries(document):
        if not is_unstable(entry.spec):
            continue
        # a swap device that does not appear costs a boot 90 seconds, and nothing else
        is_needed = entry.fs_type != "swap" and not {"noauto", "nofail"} & set(entry.options)
        if entry.fs_type in _REMOVABLE and not is_needed:
            continue
        stable = _stable(facts, entry.spec)
        where = "swap" if entry.fs_type == "swap" else entry.mount_point
        if stable is None:
            findings.append(_unknown(table.path, entry.number, entry.spec, where, blocks=is_needed))
            continue
        findings.append(_kernel_name(table.path, entry.number, entry.spec, where, stable, blocks=is_needed))
        document = fstab.with_spec(document, entry, stable)
    if fstab.render(document) != table.text:
        yield FileChange(table.path, table.text, fstab.render(document), REASON)


def _crypttab(facts: GuestFacts, findings: list[Finding]) -> t.Iterator[FileChange]:
    table = facts.storage.crypttab
    if table is None:
        return
    document = crypttab.parse(table.text)
    for entry in crypttab.entries(document):
        if not is_unstable(entry.device):
            continue
        stable = _stable(facts, entry.device)
        # a swap partition that is encrypted with a new random key at every boot has no UUID that stays
        if stable is None or entry.key in ("/dev/urandom", "/dev/random"):
            device = find(facts.storage.devices, entry.device)
            stable = f"PARTUUID={device.partition_uuid}" if device is not None and device.partition_uuid else None
        is_needed = not {"noauto", "nofail"} & set(entry.options)
        if stable is None:
            findings.append(_unknown(table.path, entry.number, entry.device, entry.name, blocks=is_needed))
            continue
        findings.append(_kernel_name(table.path, entry.number, entry.device, entry.name, stable, blocks=is_needed))
        document = crypttab.with_device(document, entry, stable)
    if crypttab.render(document) != table.text:
        yield FileChange(table.path, table.text, crypttab.render(document), REASON)


def _resume(facts: GuestFacts, findings: list[Finding]) -> t.Iterator[FileChange]:
    for file in facts.storage.resume:
        document = assignments.parse(file.text)
        named = assignments.value(document, "RESUME")
        if named is None or not is_unstable(named):
            continue
        stable = _stable(facts, named)
        if stable is None:
            # without a device there is nothing to resume from, and waiting for it costs 30 seconds at every boot
            stable = "none"
        findings.append(_kernel_name(file.path, None, named, "resume", stable, blocks=False))
        yield FileChange(
            file.path, file.text, assignments.render(assignments.with_value(document, "RESUME", stable)), REASON
        )


def _mdadm(facts: GuestFacts, findings: list[Finding]) -> t.Iterator[FileChange]:
    """DEVICE and devices= limit where mdadm looks for the members of an array; their UUIDs say which ones they are."""
    file = facts.storage.mdadm
    if file is None:
        return
    document = mdadm_conf.parse(file.text)
    for position, statement in enumerate(mdadm_conf.statements(document)):
        for index, word in enumerate(statement.words):
            instead = None
            if statement.keyword == "DEVICE" and is_unstable_pattern(word):
                instead = "partitions"
            elif statement.keyword == "ARRAY" and word.startswith("devices="):
                patterns = word[len("devices=") :].split(",")
                has_identity = statement.option("UUID") or statement.option("name")
                instead = "devices=/dev/*" if has_identity and any(map(is_unstable_pattern, patterns)) else None
            if instead is not None:
                use = "the members of a RAID"
                findings.append(_kernel_name(file.path, statement.number, word, use, instead, blocks=True))
                document = mdadm_conf.with_word(document, mdadm_conf.statements(document)[position], index, instead)
    if mdadm_conf.render(document) != file.text:
        yield FileChange(file.path, file.text, mdadm_conf.render(document), REASON)


def _lvm(facts: GuestFacts, findings: list[Finding]) -> t.Iterator[FileChange]:
    """A filter that speaks of Xen's disks is made to speak of SCSI disks in the same way, beside them."""
    file = facts.storage.lvm
    if file is None:
        return
    document = lvm_conf.parse(file.text)
    for path in LVM_FILTERS:
        patterns = lvm_conf.values(document, path) or ()
        wanted: list[str] = []
        for pattern in patterns:
            wanted.append(pattern)
            twin = pattern.replace("xvd", "sd")
            if twin != pattern and twin not in patterns:
                wanted.append(twin)
                use = f"{path.split('/')[1]} of LVM"
                findings.append(_kernel_name(file.path, None, pattern, use, f"{twin} beside it", blocks=True))
        if tuple(wanted) != patterns:
            try:
                document = lvm_conf.with_values(document, path, wanted)
            except GuestError as error:
                findings.append(_unknown(file.path, None, path, f"a filter ({error.message})", blocks=True))
    if lvm_conf.render(document) != file.text:
        yield FileChange(file.path, file.text, lvm_conf.render(document), REASON)


def _boot(facts: GuestFacts, findings: list[Finding]) -> t.Iterator[FileChange]:
    default = facts.boot.default
    seen: set[str] = set()
    for entry in sorted(facts.boot.entries, key=lambda entry: not entry.is_default):
        if entry.is_xen_hypervisor:
            continue
        line = kernel_cmdline.parse(entry.cmdline)
        for name in _DEVICE_ARGUMENTS:
            for value in kernel_cmdline.values(line, name):
                if not is_unstable(value) or value in seen:
                    continue
                seen.add(value)
                path = facts.boot.menu.path if facts.boot.menu else "/boot"
                stable = _stable(facts, value)
                is_needed = name == "root" and (default is None or entry.is_default)
                if stable is None:
                    findings.append(_unknown(path, None, value, f"{name}=", blocks=is_needed))
                else:
                    findings.append(_kernel_name(path, None, value, f"{name}=", stable, blocks=is_needed))

    def edit(line: CommandLine) -> CommandLine:
        return _with_names(line, functools.partial(_stable, facts))

    def edit_bare(line: CommandLine) -> CommandLine:
        # the kernel itself understands PARTUUID= only; UUID= and LABEL= take an initramfs
        return _with_names(line, functools.partial(_partition, facts))

    changes, problems = edit_boot(facts.boot, BootEdit(edit, edit, edit_bare), REASON)
    findings.extend(problems)
    changed = {change.path: change for change in changes}
    for file in facts.boot.defaults:
        # GRUB_DISABLE_LINUX_UUID=true makes update-grub write /dev/xvda1 again
        before = changed[file.path].after or "" if file.path in changed else file.text
        document = assignments.parse(before)
        if assignments.value(document, "GRUB_DISABLE_LINUX_UUID") == "true":
            findings.append(
                Finding(
                    "storage.grub-disables-uuid",
                    "warning",
                    file.path,
                    f"GRUB_DISABLE_LINUX_UUID=true in {file.path} makes the next update-grub name the root by its "
                    "kernel name again",
                    "block_references sets it to false",
                )
            )
            after = assignments.render(assignments.with_value(document, "GRUB_DISABLE_LINUX_UUID", "false"))
            changed[file.path] = FileChange(file.path, file.text, after, REASON)
    yield from changed.values()


def _with_names(line: CommandLine, name_of: t.Callable[[str], str | None]) -> CommandLine:
    for argument in _DEVICE_ARGUMENTS:
        for value in kernel_cmdline.values(line, argument):
            instead = name_of(value) if is_unstable(value) else None
            if instead is not None:
                line = kernel_cmdline.with_value(line, argument, instead)
    return line


def _partition(facts: GuestFacts, spec: str) -> str | None:
    device = find(facts.storage.devices, spec)
    return f"PARTUUID={device.partition_uuid}" if device is not None and device.partition_uuid else None


def _kernel_name(path: str, line: int | None, spec: str, use: str, stable: str, *, blocks: bool) -> Finding:
    where = path if line is None else f"{path}, line {line},"
    effect = "the guest does not boot there" if blocks else "what uses it fails or waits there"
    return Finding(
        "storage.kernel-name",
        "error" if blocks else "warning",
        spec,
        f"{where} names {spec} for {use}; on Hyper-V that device has another name, so {effect}",
        f"block_references writes {stable}",
        blocks=blocks,
    )


def _unknown(path: str, line: int | None, spec: str, use: str, *, blocks: bool) -> Finding:
    where = path if line is None else f"{path}, line {line},"
    return Finding(
        "storage.unknown-device",
        "error" if blocks else "warning",
        spec,
        f"{where} names {spec} for {use}; that name changes on Hyper-V, and what is on the device could not be read, "
        "so there is no UUID to write instead",
        "run as root where the disk is there; if the device does not exist any more, remove the line or add nofail",
        blocks=blocks,
    )
