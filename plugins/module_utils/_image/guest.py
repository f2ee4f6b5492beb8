# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of a guest that is not running, out of a disk image: open_guest()."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import struct
import typing as t

from .. import _errors
from .._formats import crypttab, fstab, partition_table
from . import image_format, libguestfs, loop
from . import keys as volume_keys
from .access import Access, UnmountableError
from .volumes import Layout, Volume, read_layout

# What can be a root file system of Debian.
_ROOT_TYPES = ("ext2", "ext3", "ext4", "xfs", "btrfs", "reiserfs", "jfs")
# Where Debian's installer and GNU/Linux tools put an operating system in a btrfs.
_SUBVOLUMES = ("", "@rootfs", "@")
# What the boot chain and its configuration lie on; other separate file systems hold data, and are left alone.
_MOUNTED = ("/boot", "/boot/efi", "/usr", "/var", "/var/lib")
_OPTIONAL = ("/boot/efi",)
_MAPPER = "/dev/mapper/"
_CONTAINERS = {
    "crypto_LUKS": (
        "is encrypted, and there is no key",
        "give its passphrase with keys, or use the playbooks in the running guest",
    ),
    "linux_raid_member": ("is a member of a software RAID", "use the playbooks in the running guest"),
    "LVM2_member": ("is an LVM physical volume whose volumes could not be used", "use the libguestfs back end"),
}

# QEMU marks an image it uses by locks on single bytes from 100 and from 200 on (its file-posix driver).
_QEMU_LOCKS = (100, 200)


@dataclasses.dataclass(frozen=True)
class GuestDisk:
    """A guest's tree, mounted. Only this process and its children see mount_point, and only until they end.

    backend      "loop" or "libguestfs"
    root         the volume whose file system is "/"
    mounts       (path in the guest, volume) in the order of mounting, "/" first
    problems     what was got around or left out, in words; warnings: unusual, and harmless
    """

    mount_point: str
    backend: str
    writable: bool
    layout: Layout
    root: Volume
    mounts: tuple[tuple[str, Volume], ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def table(self) -> partition_table.PartitionTable | None:
        return self.layout.table

    @property
    def volumes(self) -> tuple[Volume, ...]:
        return self.layout.volumes

    def find(self, reference: str) -> Volume | None:
        """The volume that a reference of the guest means: see Layout.find."""
        return self.layout.find(reference)


class _Mount(t.NamedTuple):
    path: str
    volume: Volume
    subvolume: str


@contextlib.contextmanager
def open_guest(
    image_path: str,
    *,
    backend: str = "auto",
    writable: bool = False,
    root_device: str | None = None,
    source_format: str | None = None,
    keys: t.Sequence[volume_keys.Key] = (),
) -> t.Iterator[GuestDisk]:
    """Mounts the guest in an image: its root, and /boot, /boot/efi, /usr, /var, /var/lib where they are separate.

    backend      "loop", "libguestfs", or "auto": libguestfs where it is installed and either KVM makes it fast or the
                 guest cannot do without it; loop otherwise
    root_device  which volume is the root, where there are several: anything that Layout.find understands
    source_format "raw", or None: look whether it is; every other format must be converted first
    keys         to encrypted volumes. What there is no key for stays closed, which is an error only if it is needed

    From the first call on, the process has mounts of its own. All checks come before the first byte is written:
    everything is mounted read only first. GuestError, with nothing left mounted, for what cannot be done.
    """
    if os.geteuid() != 0:
        raise _errors.GuestError("a disk image can be opened by root only", hint="use become: true")
    with _open_image(image_path, writable) as image:
        _check_format(image, image_path, source_format)
        with _open_access(image, image_path, backend, keys, writable=writable) as access:
            try:
                yield _mount_guest(access, writable, root_device)
            except _errors.GuestError as error:
                error.path = error.path or image_path
                raise


@contextlib.contextmanager
def _open_image(path: str, writable: bool) -> t.Iterator[t.BinaryIO]:
    try:
        # O_NONBLOCK: opening a fifo must not wait.
        fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NONBLOCK)
        image = os.fdopen(fd, "r+b" if writable else "rb")
    except OSError as error:
        raise _errors.GuestError("the image cannot be opened: %s" % error.strerror, path=path) from error
    with image:
        if not os.path.isfile(path):
            raise _errors.GuestError("the image is not a regular file", path=path)
        in_use = _errors.GuestError(
            "the image is in use; mounting it now could destroy it",
            path=path,
            hint="stop the virtual machine or the other task that uses it",
        )
        try:
            fcntl.flock(image, (fcntl.LOCK_EX if writable else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise in_use from None
        for start in _QEMU_LOCKS if writable else ():
            wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, 64, 0)
            if struct.unpack("hhqqi4x", fcntl.fcntl(image, fcntl.F_GETLK, wanted))[0] != fcntl.F_UNLCK:
                raise in_use
        yield image


def _check_format(image: t.BinaryIO, path: str, expected: str | None) -> None:
    """Refuses what is no raw image, unless the caller says that it is one."""
    found = expected or image_format.detect(image)
    if found == "raw":
        return
    if found == "tar":
        hint = "take the disk out of the XVA first"
    else:
        hint = "convert it first (qemu-img convert -f %s -O raw), or say format: raw if it is raw all the same" % found
    raise _errors.GuestError(
        "the image is in the format %s; it must be raw to be mounted" % found, path=path, hint=hint
    )


def _open_access(
    image: t.BinaryIO, path: str, backend: str, keys: t.Sequence[volume_keys.Key], *, writable: bool
) -> t.ContextManager[Access]:
    if backend not in ("auto", "loop", "libguestfs"):
        raise _errors.GuestError("there is no back end %s" % backend, hint="auto, loop or libguestfs")
    if backend == "auto":
        backend = _choose(image, keys)
    if backend == "libguestfs":
        return libguestfs.open_access(path, writable=writable, given=keys)
    if keys:
        layout = _layout_of(image)
        volume_keys.check_names(keys, layout, complete=True)
        if volume_keys.are_of_use(keys, layout):
            raise _errors.GuestError(
                "%s is encrypted, which the loop back end does not open" % layout.locked[0].describe(),
                path=path,
                hint="use the libguestfs back end",
            )
    return loop.open_access(image, writable=writable)


def _choose(image: t.BinaryIO, keys: t.Sequence[volume_keys.Key]) -> str:
    layout = _layout_of(image)
    if volume_keys.are_of_use(keys, layout):
        return "libguestfs"  # whether it is installed or not: nothing else will do
    if not libguestfs.is_installed():
        return "loop"
    if libguestfs.kvm_works():
        return "libguestfs"
    return "libguestfs" if any(volume.group and volume.start is None for volume in layout.volumes) else "loop"


def _layout_of(image: t.BinaryIO) -> Layout:
    return read_layout(image, os.fstat(image.fileno()).st_size)


# --- finding the root, and what belongs to it ---


def _mount_guest(access: Access, writable: bool, root_device: str | None) -> GuestDisk:
    left_out: list[str] = []
    root, subvolume = _find_root(access, root_device)
    mounts = [_Mount("/", root, subvolume)]
    problems = list(access.mount(root, "/", writable=False, subvolume=subvolume))
    for mount in _separate_mounts(access, left_out):
        try:
            problems.extend(access.mount(mount.volume, mount.path, writable=False, subvolume=mount.subvolume))
        except UnmountableError as error:
            if mount.path not in _OPTIONAL:
                raise
            left_out.append("%s was left out: %s" % (mount.path, error.message))
        else:
            mounts.append(mount)
    problems.extend(_hibernation(access.layout))
    if writable:
        _check_writable(access.layout, mounts)
        access.unmount_all()
        problems = []
        for mount in mounts:
            problems.extend(access.mount(mount.volume, mount.path, writable=True, subvolume=mount.subvolume))
    return GuestDisk(
        access.expose(),
        access.name,
        writable,
        access.layout,
        root,
        tuple((mount.path, mount.volume) for mount in mounts),
        (*access.layout.problems, *problems, *left_out),
        access.layout.warnings,
    )


def _find_root(access: Access, root_device: str | None) -> tuple[Volume, str]:
    """The volume and its subvolume that hold the guest's root; nothing is mounted afterwards."""
    layout = access.layout
    if root_device is not None:
        wanted = layout.find(root_device)
        if wanted is None:
            raise _errors.GuestError(
                "the image has no %s" % root_device,
                hint="it has: %s" % (", ".join(volume.describe() for volume in layout.volumes) or "nothing known"),
            )
        candidates = [layout.content_of(wanted)]
    else:
        candidates = [v for v in layout.volumes if v.type in _ROOT_TYPES or (v.group and v.file_system is None)]
    found = []
    refusals = []
    for volume in candidates:
        for subvolume in _SUBVOLUMES if volume.type == "btrfs" else ("",):
            try:
                access.mount(volume, "/", writable=False, subvolume=subvolume)
            except UnmountableError as error:
                if not subvolume:
                    refusals.append(error)
                continue
            is_root = _is_root(access)
            access.unmount_all()
            if is_root:
                found.append((volume, subvolume))
                break
    if len(found) > 1:
        raise _errors.GuestError(
            "there is more than one root file system: " + ", ".join(volume.describe() for volume, _subvolume in found),
            hint="say which with root_device",
        )
    if not found:
        raise _no_root(layout, refusals)
    return found[0]


def _is_root(access: Access) -> bool:
    try:
        return access.read_text("/etc/fstab") is not None and (
            access.exists("/etc/os-release") or access.exists("/etc/debian_version")
        )
    except _errors.GuestError:  # what stands there is no file that a system could use
        return False


def _no_root(layout: Layout, refusals: t.Sequence[UnmountableError]) -> _errors.GuestError:
    """Why no root was found: the most telling reason."""
    if refusals:
        return _errors.GuestError(refusals[0].message, hint=refusals[0].hint)
    for kind, (reason, hint) in _CONTAINERS.items():
        for volume in layout.volumes:
            if volume.type == kind and layout.content_of(volume) is volume:
                return _errors.GuestError(
                    "no root file system was found, and %s %s" % (volume.describe(), reason), hint=hint
                )
    if not layout.volumes:
        problem = "".join("; " + problem for problem in layout.problems)
        return _errors.GuestError(
            "the image holds neither a partition table nor a file system that is known here" + problem,
            hint="look whether it is the disk that the guest boots from, and whether it was exported completely",
        )
    return _errors.GuestError(
        "no root file system was found (none has /etc/fstab and /etc/debian_version); there are: "
        + ", ".join(volume.describe() for volume in layout.volumes),
        hint="look whether it is the disk that the guest boots from",
    )


def _separate_mounts(access: Access, left_out: list[str]) -> t.Iterator[_Mount]:
    """What the guest's fstab mounts of the paths that matter, parents first. GuestError: it is not on this disk."""
    entries = {}
    for entry in fstab.entries(fstab.parse(access.read_text("/etc/fstab") or "")):
        path = "/" + entry.mount_point.strip("/")
        if path in _MOUNTED:
            entries[path] = entry
    for path in sorted(entries):
        entry = entries[path]
        volume = _find(access, entry.spec)
        if volume is not None and volume.type != "crypto_LUKS":
            subvolumes = [option[len("subvol=") :] for option in entry.options if option.startswith("subvol=")]
            yield _Mount(path, volume, (subvolumes or [""])[0].lstrip("/") if volume.type == "btrfs" else "")
            continue
        why = "not on this disk" if volume is None else "encrypted, without a key: " + volume.describe()
        absent = "fstab mounts %s from %s, which is %s" % (path, entry.spec, why)
        if path in _OPTIONAL or "noauto" in entry.options or "nofail" in entry.options:
            left_out.append("%s was left out: %s" % (path, absent))
            continue
        raise _errors.GuestError(
            absent + ", and without it the guest is not complete",
            path="/etc/fstab",
            line=entry.number,
            hint="if it lies on another disk of the guest, use the playbooks in the running guest"
            if volume is None
            else "give its passphrase with keys",
        )


def _find(access: Access, reference: str) -> Volume | None:
    """What the guest's fstab means; /dev/mapper/NAME may be a volume that its crypttab opens."""
    found = access.layout.find(reference)
    if found is None and reference.startswith(_MAPPER):
        for entry in crypttab.entries(crypttab.parse(access.read_text("/etc/crypttab") or "")):
            if entry.name == reference[len(_MAPPER) :]:
                found = access.layout.find(entry.device)
    return None if found is None else access.layout.content_of(found)


def _hibernation(layout: Layout) -> list[str]:
    return [
        "%s holds a hibernated system: what it would write is not on the disk" % volume.describe()
        for volume in layout.volumes
        if volume.type == "swsuspend"
    ]


def _check_writable(layout: Layout, mounts: t.Sequence[_Mount]) -> None:
    """Refuses a disk that a write could make worse. Everything was found to be mountable already."""
    reasons = [*layout.problems, *_hibernation(layout)]
    for mount in mounts:
        file_system = mount.volume.file_system
        if file_system is not None:
            reasons.extend("%s: %s" % (mount.volume.describe(), problem) for problem in file_system.problems)
            if file_system.others:
                others = ", ".join(file_system.others)
                reasons.append("%s could also be %s, by its signatures" % (mount.volume.describe(), others))
    if reasons:
        raise _errors.GuestError(
            "nothing is written to this disk: " + "; ".join(reasons),
            hint="start the guest once and shut it down cleanly, or check the disk (fsck, sfdisk --verify) in a copy",
        )
