# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes for every image that the boot loader may load to hold the drivers that find the root there."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import drivers
from .._catalog.paths import DRACUT_CONFIG, INITRAMFS_CHECKSUMS, INITRAMFS_HOOK
from .._errors import GuestError
from .._formats import assignments, crypttab, fstab, initramfs, lvm_conf, modprobe_conf
from .disk_names import LVM_FILTERS, is_unstable
from .model import OUTPUT, Command, FileChange, Finding, Plan, Proof
from .support import MODULE, boot_kernels, file_system_drivers, needed_from_image, provides

if t.TYPE_CHECKING:
    from .._facts.model import GuestFacts, Initramfs, InitramfsConfig, Kernel

# only while an image is built on the worker, see _inputs
_BUILD_CONFIG = "/etc/initramfs-tools/conf.d/zzz-rehost-hyperv-build"
_BUILD_HOOK = "/etc/initramfs-tools/hooks/zzz-rehost-hyperv-build"
_LOGICAL_VOLUME = re.compile(r"/dev/(?!disk/|md/)[^/]+/[^/]+")  # /dev/mapper/vg-root, /dev/vg/root


@dataclasses.dataclass(frozen=True)
class Wanted:
    """keep_xen: the guest must boot on Xen as well. extra: modules to have in every image that has them."""

    keep_xen: bool = True
    extra: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ImageProof(Proof):
    """An image in which a kernel finds these modules (names with underscores), a first program to run, and what opens
    these encrypted volumes (names of the crypttab)."""

    version: str
    modules: tuple[str, ...]
    opens: tuple[str, ...] = ()

    def problem_with(self, stream: t.BinaryIO) -> str:
        try:
            image = initramfs.read_image(stream)
        except GuestError as error:
            return error.message
        if not any(name in ("init", "sbin/init") for name in image.names):
            return "there is no init in it"
        closed = sorted(set(self.opens) - opened_by(image))
        if closed:
            return f"it does not open the encrypted {', '.join(closed)}"
        if self.opens and not any(name.endswith("sbin/cryptsetup") for name in image.names):
            return "cryptsetup is not in it"
        missing = _missing(image, self.version, self.modules)
        return f"it lacks {', '.join(missing)}" if missing else ""


def plan(facts: GuestFacts, wanted: Wanted) -> Plan:
    """The hook or dracut configuration that puts the drivers in from now on, and a new image for each kernel whose
    image lacks one, or still waits for a swap device that is no longer configured."""
    modules = wanted_modules(facts, wanted)
    findings: list[Finding] = []
    commands: list[Command] = []
    lacks = False
    for kernel in boot_kernels(facts):
        if not _has_storage(kernel):
            findings.append(_no_driver(facts, kernel))
        needed = needed_from_image(kernel, (*modules, *root_drivers(facts, kernel)))
        for path in images_of(facts, kernel):
            found = _judge(facts, kernel, path, needed)
            if found is None:
                continue
            findings.append(found)
            lacks = lacks or not found.id.startswith("initramfs.stale-")
            command = _build(facts, kernel, path, needed)
            if command is not None:
                commands.append(command)
    if not facts.initramfs.generators and any(finding.id.startswith("initramfs.") for finding in findings):
        findings.append(_no_generator())
    changes = _configuration(facts.initramfs, modules, lacks)
    return Plan(changes=changes, commands=tuple(commands), findings=tuple(findings))


def new_image(facts: GuestFacts, kernel: Kernel, path: str, wanted: Wanted) -> Command | None:
    """What builds the image of a kernel that was just installed in a guest that does not run; None where that cannot be
    planned. It stays with the package when all is rolled back."""
    needed = needed_from_image(kernel, (*wanted_modules(facts, wanted), *root_drivers(facts, kernel)))
    command = _build(facts, kernel, path, needed)
    if command is None:
        return None
    command = dataclasses.replace(command, stays=True, reason=f"kernel {kernel.version} needs it to find its root")
    if command.argv[0] != "mkinitramfs":
        return command
    inputs = {name: (name, text, mode) for name, text, mode in command.inputs}
    inputs.setdefault(_BUILD_HOOK, (_BUILD_HOOK, _hook(needed), 0o755))
    # else update-initramfs would not know it as its own, where it knows any
    record = f"{INITRAMFS_CHECKSUMS}/{kernel.version}" if facts.initramfs.keeps_checksums else None
    return dataclasses.replace(command, inputs=tuple(inputs.values()), record=record)


def wanted_modules(facts: GuestFacts, wanted: Wanted) -> tuple[str, ...]:
    """The modules that every image should hold, as far as its kernel has them, in a fixed order."""
    modules = [*drivers.HYPERV_STORAGE, *drivers.HYPERV_STAGING_STORAGE]
    if _is_encrypted(facts):
        modules += drivers.HYPERV_KEYBOARD  # to type the passphrase
    if facts.initramfs.needs_network:
        modules += drivers.HYPERV_NETWORK
    if wanted.keep_xen:
        modules += drivers.XEN_STORAGE
        if facts.initramfs.needs_network:
            modules += drivers.XEN_NETWORK
    modules += [name.replace("-", "_") for name in wanted.extra]
    return tuple(dict.fromkeys(modules))


def images_of(facts: GuestFacts, kernel: Kernel) -> tuple[str, ...]:
    """Paths of the images that the boot loader loads with a kernel; where no menu says so, the kernel's own."""
    entries = [entry for entry in facts.boot.entries if entry.version == kernel.version and entry.initrds]
    loaded = [main_image(kernel, entry.initrds) for entry in entries]
    own = [] if loaded or kernel.initramfs is None else [kernel.initramfs]
    return tuple(dict.fromkeys([*loaded, *own]))


def main_image(kernel: Kernel, initrds: t.Sequence[str]) -> str:
    """Of the images that a menu entry loads one after the other, the one with the drivers: the kernel's own, else the
    last, as microcode stands in front."""
    return next((path for path in initrds if path == kernel.initramfs), initrds[-1])


def missing_modules(facts: GuestFacts, kernel: Kernel, path: str, modules: t.Iterable[str]) -> tuple[str, ...] | None:
    """What an image lacks of what a kernel must load from it, sorted; None when the image cannot be read."""
    found = facts.image_at(path)
    if found is None or found.image is None:
        return None
    return _missing(found.image, kernel.version, needed_from_image(kernel, modules))


def _missing(image: initramfs.Image, version: str, modules: t.Iterable[str]) -> tuple[str, ...]:
    held = image.module_names(version)
    return tuple(sorted(set(modules) - held))


def _has_storage(kernel: Kernel) -> bool:
    return kernel.modules is None or provides(kernel, "hv_storvsc") is not None


def _judge(facts: GuestFacts, kernel: Kernel, path: str, needed: tuple[str, ...]) -> Finding | None:
    found = facts.image_at(path)
    if found is None:
        return Finding(
            "initramfs.absent",
            "error",
            path,
            f"the boot loader starts kernel {kernel.version} with {path}, which is not there, so it does not boot",
            f"initramfs_modules makes it. By hand: update-initramfs -c -k {kernel.version}",
            blocks=True,
        )
    if found.image is None:
        return Finding(
            "initramfs.unreadable",
            "error",
            path,
            f"{path}, which kernel {kernel.version} boots with, cannot be read: {found.problem}",
            f"initramfs_modules builds it anew. By hand: update-initramfs -u -k {kernel.version}",
            blocks=True,
        )
    missing = _missing(found.image, kernel.version, needed)
    if missing:
        return Finding(
            "initramfs.missing-module",
            "error",
            path,
            f"{path} lacks {', '.join(missing)}: with it kernel {kernel.version} does not find its root on Hyper-V"
            if "hv_storvsc" in missing or "hv_vmbus" in missing
            else f"{path} lacks {', '.join(missing)}, which kernel {kernel.version} needs at boot",
            f"initramfs_modules puts them in. By hand: list them in /etc/initramfs-tools/modules and run "
            f"update-initramfs -u -k {kernel.version}",
            blocks=True,
        )
    kept_away = blacklisted_in(found.image) & set(needed) - _blacklisted(facts)
    if kept_away:
        return Finding(
            "initramfs.blacklists-module",
            "error",
            path,
            f"{path} holds a blacklist of {', '.join(sorted(kept_away))}, which the guest has no longer: with it "
            f"kernel {kernel.version} does not find its root on Hyper-V",
            f"initramfs_modules builds the image anew. By hand: update-initramfs -u -k {kernel.version}",
            blocks=True,
        )
    outdated = _outdated_names(facts, found.image)
    if outdated:
        return Finding(
            "initramfs.stale-configuration",
            "error",
            path,
            f"{path} holds an older configuration of the guest, which finds the root by {', '.join(outdated)}: on "
            f"Hyper-V there is no such device, and kernel {kernel.version} does not boot",
            f"initramfs_modules builds the image anew. By hand: update-initramfs -u -k {kernel.version}",
            blocks=True,
        )
    stale = _stale_resume(facts, found)
    if stale:
        return Finding(
            "initramfs.stale-resume",
            "warning",
            path,
            f"{path} waits at boot for the swap device {stale}, which does not exist on Hyper-V: a boot takes up to "
            "30 seconds longer",
            f"block_references names the device by its UUID, then initramfs_modules builds the image anew. By hand: "
            f"mend RESUME= in /etc/initramfs-tools/conf.d/resume and run update-initramfs -u -k {kernel.version}",
        )
    return None


def blacklisted_in(image: initramfs.Image) -> frozenset[str]:
    """The modules that an image's modprobe.d keeps from being loaded for the devices that need them."""
    files = [content for path, content in image.files if "modprobe.d/" in path and path.endswith(".conf")]
    documents = [modprobe_conf.parse(content.decode("utf-8", "surrogateescape")) for content in files]
    return frozenset(name for document in documents for name in modprobe_conf.blacklisted(document))


def _blacklisted(facts: GuestFacts) -> frozenset[str]:
    documents = [modprobe_conf.parse(file.text) for file in facts.xen.modprobe if "/modprobe.d/" in file.path]
    return frozenset(name for document in documents for name in modprobe_conf.blacklisted(document))


def _outdated_names(facts: GuestFacts, image: initramfs.Image) -> tuple[str, ...]:
    """What the filters of LVM and the crypttab in an image say of Xen's disks, and the guest's own no longer do."""
    found: dict[str, None] = {}
    for now, name, read in (
        (facts.storage.lvm, "etc/lvm/lvm.conf", _xen_only_filters),
        (facts.storage.crypttab, "cryptroot/crypttab", _unstable_sources),
    ):
        held = image.content(name)
        if held is not None:
            still = read(now.text) if now is not None else ()
            found.update(
                dict.fromkeys(item for item in read(held.decode("utf-8", "surrogateescape")) if item not in still)
            )
    return tuple(found)


def _xen_only_filters(text: str) -> tuple[str, ...]:
    """The patterns in an lvm.conf that speak of Xen's disks and have no twin that speaks of SCSI disks."""
    document = lvm_conf.parse(text)
    found = []
    for path in LVM_FILTERS:
        patterns = lvm_conf.values(document, path) or ()
        found += [item for item in patterns if "xvd" in item and item.replace("xvd", "sd") not in patterns]
    return tuple(found)


def _unstable_sources(text: str) -> tuple[str, ...]:
    return tuple([entry.device for entry in crypttab.entries(crypttab.parse(text)) if is_unstable(entry.device)])


def _stale_resume(facts: GuestFacts, image: Initramfs) -> str | None:
    """The swap device that the image waits for by a name that changes, unless the guest's configuration still wants
    just that: then a new image would be no better."""
    if image.image is None:
        return None
    for path, content in image.image.files:
        if not path.startswith("conf/conf.d/"):
            continue
        baked = assignments.value(assignments.parse(content.decode("utf-8", "surrogateescape")), "RESUME")
        if baked and is_unstable(baked) and baked not in _configured_resume(facts):
            return baked
    return None


def _configured_resume(facts: GuestFacts) -> tuple[str | None, ...]:
    return tuple([assignments.value(assignments.parse(file.text), "RESUME") for file in facts.storage.resume])


def _no_driver(facts: GuestFacts, kernel: Kernel) -> Finding:
    default = facts.boot.default
    return Finding(
        "kernel.no-storage-driver",
        "error" if default is not None and default.version == kernel.version else "warning",
        kernel.version,
        f"kernel {kernel.version} has no driver for the synthetic disks of Hyper-V (hv_storvsc): it boots on "
        "generation 1 at most, from the emulated IDE disk",
        "install a newer kernel (linux-image-amd64 of this release) before the move",
    )


def _no_generator() -> Finding:
    return Finding(
        "initramfs.no-generator",
        "error",
        "/usr/sbin/mkinitramfs",
        "neither initramfs-tools nor dracut is installed, so no image can be built",
        "install initramfs-tools in the guest",
        blocks=True,
    )


def _is_encrypted(facts: GuestFacts) -> bool:
    table = facts.storage.crypttab
    return table is not None and bool(crypttab.entries(crypttab.parse(table.text)))


def opened_by(image: initramfs.Image) -> frozenset[str]:
    """The encrypted volumes, by the names in the guest's crypttab, that an image of initramfs-tools opens at boot."""
    table = (image.content("cryptroot/crypttab") or b"").decode("utf-8", "surrogateescape")
    before_debian_10 = (image.content("conf/conf.d/cryptroot") or b"").decode("utf-8", "surrogateescape")
    names = [entry.name for entry in crypttab.entries(crypttab.parse(table))]
    return frozenset([*names, *re.findall(r"(?:^|,)target=([^,\s]+)", before_debian_10, re.MULTILINE)])


def _to_open(facts: GuestFacts, image: initramfs.Image | None) -> tuple[crypttab.Entry, ...]:
    """What a new image has to open: what the old one did, else what the other images do. Where none can be read, all
    that asks for a passphrase."""
    table = facts.storage.crypttab
    entries = crypttab.entries(crypttab.parse(table.text)) if table is not None else ()
    images = [held.image for held in facts.images if held.image is not None] if image is None else [image]
    if not images:
        return tuple([entry for entry in entries if entry.key == "none"])
    opened = {name for one in images for name in opened_by(one)}
    return tuple([entry for entry in entries if entry.name in opened])


def root_drivers(facts: GuestFacts, kernel: Kernel) -> tuple[str, ...]:
    """The driver of the root file system, and the device mapper where the root is on it, that for encryption included
    where the crypttab has it."""
    if facts.storage.fstab is None:
        return ()
    for entry in fstab.entries(fstab.parse(facts.storage.fstab.text)):
        if entry.mount_point == "/":
            mapper = ("dm_mod",) if _LOGICAL_VOLUME.fullmatch(entry.spec) else ()
            table = facts.storage.crypttab
            encrypted = crypttab.entries(crypttab.parse(table.text)) if table is not None else ()
            if entry.spec in [f"/dev/mapper/{volume.name}" for volume in encrypted]:
                mapper = (*mapper, "dm_crypt")
            return (*file_system_drivers(kernel, entry.fs_type), *mapper)
    return ()


# -- configuration


def _configuration(config: InitramfsConfig, modules: tuple[str, ...], lacks: bool) -> tuple[FileChange, ...]:
    """What makes later images hold the modules too. Needed where the guest does not put in all drivers by itself."""
    generator = config.generators[0] if config.generators else None
    if generator == "initramfs-tools":
        if config.policy == "most" and not lacks and _text_of(config, INITRAMFS_HOOK) is None:
            return ()
        return _written(config, INITRAMFS_HOOK, _hook(modules), 0o755)
    if generator == "dracut":
        if config.policy == "no" and not lacks and _text_of(config, DRACUT_CONFIG) is None:
            return ()
        return _written(config, DRACUT_CONFIG, _dracut_text(modules), 0o644)
    return ()


def _written(config: InitramfsConfig, path: str, text: str, mode: int) -> tuple[FileChange, ...]:
    before = _text_of(config, path)
    if before == text:
        return ()
    return (FileChange(path, before, text, "every initramfs image made from now on holds the drivers", mode),)


def _text_of(config: InitramfsConfig, path: str) -> str | None:
    return next((file.text for file in config.files if file.path == path), None)


def _hook(modules: t.Iterable[str]) -> str:
    names = " ".join(modules)
    return (
        "#!/bin/sh\n"
        "# Written by the Ansible collection rehost.hyperv: the drivers that this guest needs to find its root on\n"
        "# Hyper-V (and on Xen, as long as it must boot there) are in every initramfs image. A module that a kernel\n"
        "# does not have is skipped.\n"
        'case "$1" in\n'
        "prereqs)\n"
        "\texit 0\n"
        "\t;;\n"
        "esac\n"
        ". /usr/share/initramfs-tools/hook-functions\n"
        f"for module in {names}; do\n"
        '\tmanual_add_modules "$module"\n'
        "done\n"
    )


def _dracut_text(modules: t.Iterable[str]) -> str:
    return (
        "# Written by the Ansible collection rehost.hyperv: the drivers that this guest needs to find its root on\n"
        "# Hyper-V (and on Xen, as long as it must boot there) are in every initramfs image.\n"
        f'add_drivers+=" {" ".join(modules)} "\n'
    )


# -- building


def _build(facts: GuestFacts, kernel: Kernel, path: str, needed: tuple[str, ...]) -> Command | None:
    generator = facts.initramfs.generators[0] if facts.initramfs.generators else None
    if generator is None or kernel.modules is None:
        return None
    held = facts.image_at(path)
    opens: tuple[crypttab.Entry, ...] = ()
    keep: tuple[str, ...] = ()
    if held is not None and held.image is not None and not facts.is_live:
        keep = tuple(
            sorted(name for name in held.image.module_names(kernel.version) if provides(kernel, name) == MODULE)
        )
    if generator == "dracut":
        # as with MODULES=dep: what the old image had of drivers, where that was chosen for the host
        drivers_option = "--drivers" if keep and facts.initramfs.policy == "yes" else "--add-drivers"
        names = " ".join(sorted({*keep, *needed}))
        elsewhere = () if facts.is_live else ("--no-hostonly", drivers_option, names)
        argv = ("dracut", "--force", *elsewhere, "--kver", kernel.version, OUTPUT)
        inputs: tuple[tuple[str, str, int], ...] = ()
    else:
        argv = ("mkinitramfs", "-o", OUTPUT, kernel.version)
        opens = () if facts.is_live else _to_open(facts, held.image if held is not None else None)
        inputs = (*_inputs(facts.initramfs, keep), *_crypttab_input(facts, opens))
    return Command(
        argv=argv,
        output=path,
        reason=f"kernel {kernel.version} finds its root on Hyper-V",
        proof=ImageProof(kernel.version, tuple(sorted({*needed, *keep})), tuple([entry.name for entry in opens])),
        inputs=inputs,
        record=f"{INITRAMFS_CHECKSUMS}/{kernel.version}" if kernel.version in facts.initramfs.keeps_checksums else None,
    )


def _inputs(config: InitramfsConfig, keep: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    """What replaces the guest's hardware while its image is built on the worker.

    MODULES=dep looks for the root device in /sys, and there is none. The old image knows what it found on the real
    machine: everything in it goes into the new one. Where there is no old image, most drivers do.
    """
    if config.policy == "dep" and not keep:
        return ((_BUILD_CONFIG, "MODULES=most\n", 0o644),)
    hook = ((_BUILD_HOOK, _hook(keep), 0o755),) if keep and config.policy != "most" else ()
    return ((_BUILD_CONFIG, "MODULES=list\n", 0o644), *hook) if config.policy == "dep" else hook


def _crypttab_input(facts: GuestFacts, opens: t.Iterable[crypttab.Entry]) -> t.Iterator[tuple[str, str, int]]:
    """The crypttab with the option C(initramfs) where an image has to open a volume.

    The hook of cryptsetup puts in what the running system has its root on, which on the worker it does not find, and
    what has that option (crypttab(5), since Debian 8).
    """
    table = facts.storage.crypttab
    if table is None:
        return
    document = crypttab.parse(table.text)
    for entry in opens:
        document = crypttab.with_option(document, entry, "initramfs")
    if crypttab.render(document) != table.text:
        yield table.path, crypttab.render(document), 0o644
