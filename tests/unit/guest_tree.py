# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests as text: a manifest becomes a directory tree, and two states of a tree are compared to the byte.

A manifest is a header per path, each followed by the content. What stands before the first header describes the
guest. One empty line before a header belongs to neither.

    === /etc/fstab                              a file, mode 0644
    === /etc/sudoers mode=0440 uid=0 gid=0      owners only matter when root builds the tree
    === /etc/mtab -> ../proc/mounts             a symbolic link
    === /run/ mode=0755                         a directory; those above a path come by themselves
    === /boot/grub/grubenv no-newline           the last line has no newline
    === /boot/vmlinuz base64                    content is base64
    === /swapfile size=1073741824               a sparse file
    === /usr/lib/modules/6.1.0-50-amd64/ modules [suffix=.ko.xz]
        one module per line, as path below kernel/ without suffix, and after a colon the modules it needs itself;
        "builtin PATH" for those that are part of the kernel. Makes the files, modules.dep and modules.builtin.
    === /boot/initrd.img-6.1.0-50-amd64 initramfs=zstd [generator=dracut] [version=...] [suffix=.ko] [merged] [early]
        one line per content: the name of a module (with everything it needs), "*" for all of its kernel, or
        "path: line" of a file. "merged" puts modules below usr/lib, "early" puts microcode in front.

A later section for the same path replaces the earlier, so that a test can append to a manifest.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import os
import pathlib
import posixpath
import shlex
import stat
import subprocess
import typing as t

GUESTS = pathlib.Path(__file__).resolve().parent / "guests"
NAMES = tuple(sorted(path.stem for path in GUESTS.glob("*.txt")))
BUILD_TIME = 1_700_000_000  # every path of a built tree has this mtime, so that any later one shows
_WHOLE = 64 << 20  # bytes; of larger files only what is not a hole is read


class Section(t.NamedTuple):
    """One path of a manifest: its attributes (flags are "") and the lines below its header."""

    path: str
    target: t.Optional[str]
    attributes: t.Dict[str, str]
    lines: t.Tuple[str, ...]


class Entry(t.NamedTuple):
    """What is at one path: kind is file, directory, link or special; content a SHA-256 or a link's target."""

    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    content: str


def load(name: str) -> str:
    """The manifest of a golden guest."""
    return (GUESTS / (name + ".txt")).read_text(encoding="utf-8")


def description(manifest: str) -> str:
    """What stands before the first header: what is to be expected of this guest."""
    lines = manifest.split("\n=== ", 1)[0].split("\n")
    return "\n".join(line.lstrip("#").strip() for line in lines).strip()


def sections(manifest: str) -> t.Dict[str, Section]:
    """The sections by path, in the order of the manifest."""
    found: t.Dict[str, Section] = {}
    for block in ("\n" + manifest).split("\n=== ")[1:]:
        header, *lines = block.split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        words = shlex.split(header)
        path, words = words[0], words[1:]
        target = None
        if words and words[0] == "->":
            target, words = words[1], words[2:]
        attributes = {word.partition("=")[0]: word.partition("=")[2] for word in words}
        found.pop(path, None)
        found[path] = Section(path, target, attributes, tuple(lines))
    return found


def build(manifest: str, directory: t.Union[str, pathlib.Path]) -> None:
    """Makes the tree of a manifest in a directory, which may exist."""
    top = pathlib.Path(directory)
    top.mkdir(parents=True, exist_ok=True)
    found = sections(manifest)
    kernels = {}
    for section in found.values():
        if "modules" in section.attributes:
            kernels[posixpath.basename(section.path.rstrip("/"))] = _Modules(section)
    for section in found.values():
        _make(top, section, kernels)
    for section in found.values():
        if "mode" in section.attributes:
            os.chmod(_below(top, section.path), int(section.attributes["mode"], 8))
    for path, directories, files in os.walk(top, topdown=False):
        for name in directories + files:
            os.utime(os.path.join(path, name), (BUILD_TIME, BUILD_TIME), follow_symlinks=False)
    os.utime(top, (BUILD_TIME, BUILD_TIME))


def build_guest(name: str, directory: t.Union[str, pathlib.Path]) -> None:
    """Makes the tree of a golden guest."""
    build(load(name), directory)


def snapshot(directory: t.Union[str, pathlib.Path]) -> t.Dict[str, Entry]:
    """Everything at and below a directory by path ("/" is the directory itself), links not followed."""
    top = os.fspath(directory)
    found = {"/": _entry(top)}
    for parent, directories, files in os.walk(top):
        for name in directories + files:
            path = os.path.join(parent, name)
            found["/" + os.path.relpath(path, top)] = _entry(path)
    return found


def compare(before: t.Dict[str, Entry], after: t.Dict[str, Entry], *, directory_times: bool = False) -> t.List[str]:
    """How two snapshots differ, one sentence per path; [] when they are the same.

    The times of directories count only on request: a file made and removed again leaves them changed.
    """
    differences = []
    for path in sorted(set(before) | set(after)):
        old, new = before.get(path), after.get(path)
        if old is None or new is None:
            differences.append("{} {}".format(path, "is new" if old is None else "is gone"))
            continue
        if not directory_times and old.kind == new.kind == "directory":
            new = new._replace(mtime_ns=old.mtime_ns)
        fields = [field for field in Entry._fields if getattr(old, field) != getattr(new, field)]
        if fields:
            changes = ", ".join("{} {} -> {}".format(f, _shown(f, old), _shown(f, new)) for f in fields)
            differences.append("{} changed: {}".format(path, changes))
    return differences


def cpio(members: t.Iterable[t.Tuple[str, int, bytes]]) -> bytes:
    """A newc archive of (path, mode with file type, content)."""
    data = b""
    for number, (path, mode, content) in enumerate([*members, ("TRAILER!!!", 0, b"")], start=1):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        data += _padded(b"070701" + b"".join(b"%08X" % field for field in fields) + name) + _padded(content)
    return data


def compress(data: bytes, method: str) -> bytes:
    """Data as mkinitramfs compresses it; lz4, lzo and zstd need the tools of that name."""
    if method == "none":
        return data
    if method == "gzip":
        stream = io.BytesIO()
        with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
            packed.write(data)
        return stream.getvalue()
    if method == "bzip2":
        return bz2.compress(data)
    if method == "xz":
        return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32)
    if method == "lzma":
        return lzma.compress(data, lzma.FORMAT_ALONE)
    tools = {"zstd": ["zstd", "-q", "-c"], "lz4": ["lz4", "-q", "-l", "-c"], "lzo": ["lzop", "-c"]}
    return subprocess.run(tools[method], input=data, stdout=subprocess.PIPE, check=True).stdout


class _Modules:
    """The modules of one kernel, as a manifest lists them."""

    def __init__(self, section: Section) -> None:
        self.path = section.path
        self.suffix = section.attributes.get("suffix", ".ko")
        self.builtin: t.List[str] = []
        self.paths: t.Dict[str, str] = {}
        self.needs: t.Dict[str, t.List[str]] = {}
        for line in section.lines:
            if not line or line.startswith("#"):
                continue
            path, _colon, needs = line.partition(":")
            if path.startswith("builtin "):
                self.builtin.append("kernel/" + path.split()[1] + ".ko")
                continue
            name = module_name(path)
            self.paths[name] = "kernel/" + path.strip()
            self.needs[name] = [module_name(need) for need in needs.split()]

    def closure(self, name: str) -> t.List[str]:
        """Modules that one needs, directly or not, itself left out; what is needed first comes last."""
        found: t.List[str] = []
        for need in self.needs[name]:
            found += [other for other in [need, *self.closure(need)] if other not in found]
        return found

    def dep(self, names: t.Iterable[str], suffix: str) -> str:
        """Text of modules.dep for some modules."""
        lines = []
        for name in names:
            needs = " ".join(self.paths[need] + suffix for need in self.closure(name))
            lines.append("{}{}: {}".format(self.paths[name], suffix, needs).rstrip() + "\n")
        return "".join(lines)

    def content(self) -> bytes:
        method = {".ko.xz": "xz", ".ko.gz": "gzip", ".ko.zst": "zstd"}.get(self.suffix, "none")
        return compress(b"", method)


def module_name(path: str) -> str:
    """The name that the kernel gives a module file."""
    return posixpath.basename(path.strip()).split(".ko")[0].replace("-", "_")


def _make(top: pathlib.Path, section: Section, kernels: t.Dict[str, _Modules]) -> None:
    path = _below(top, section.path)
    attributes = section.attributes
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.is_file():
        path.unlink()
    if section.target is not None:
        path.symlink_to(section.target)
    elif "modules" in attributes:
        _make_modules(path, kernels[path.name])
    elif section.path.endswith("/"):
        path.mkdir(exist_ok=True)
    elif "initramfs" in attributes:
        path.write_bytes(_initramfs(section, kernels))
    elif "size" in attributes:
        with path.open("wb") as stream:
            stream.truncate(int(attributes["size"]))
    elif "base64" in attributes:
        path.write_bytes(base64.b64decode("".join(section.lines)))
    else:
        text = "".join(line + "\n" for line in section.lines)
        path.write_bytes((text[:-1] if "no-newline" in attributes else text).encode("utf-8", "surrogateescape"))
    if os.geteuid() == 0:
        os.chown(path, int(attributes.get("uid", 0)), int(attributes.get("gid", 0)), follow_symlinks=False)


def _make_modules(path: pathlib.Path, modules: _Modules) -> None:
    content = modules.content()
    for name in modules.paths:
        file = path / (modules.paths[name] + modules.suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    path.mkdir(exist_ok=True)
    (path / "modules.dep").write_text(modules.dep(modules.paths, modules.suffix))
    if modules.builtin:  # there is no such file before 2.6.33
        (path / "modules.builtin").write_text("".join(line + "\n" for line in modules.builtin))


def _initramfs(section: Section, kernels: t.Dict[str, _Modules]) -> bytes:
    attributes = section.attributes
    version = attributes.get("version") or posixpath.basename(section.path).split("-", 1)[1]
    modules = kernels[version]
    suffix = attributes.get("suffix", modules.suffix)
    top = ("usr/" if "merged" in attributes else "") + "lib/modules/" + version + "/"
    files = dict(_GENERATORS[attributes.get("generator", "initramfs-tools")])
    written: t.Dict[str, str] = {}
    names: t.Dict[str, None] = {}
    for line in section.lines:
        path, separator, content = line.partition(":")
        if separator:
            written[path] = written.get(path, "") + content.strip() + "\n"
        elif line == "*":
            names.update(dict.fromkeys(modules.paths))
        elif line and not line.startswith("#"):
            name = module_name(line)
            names.update(dict.fromkeys([name, *modules.closure(name)]))
    files.update(written)
    for name in names:
        files[top + modules.paths[name] + suffix] = ""
    files[top + "modules.dep"] = modules.dep(names, suffix)
    if modules.builtin:
        files[top + "modules.builtin"] = "".join(line + "\n" for line in modules.builtin)
    empty = _Modules(Section("", None, {"suffix": suffix}, ())).content()
    contents = {path: empty if ".ko" in path and not text else text.encode() for path, text in files.items()}
    microcode = {"kernel/x86/microcode/GenuineIntel.bin": b"\0" * 64} if "early" in attributes else {}
    # initramfs-tools of Debian 13 puts what is compressed already into a segment of its own, as it is
    packed = {path: data for path, data in contents.items() if path.endswith((".xz", ".zst"))}
    if attributes.get("generator") == "dracut":
        packed = {}
    rest = {path: data for path, data in contents.items() if path not in packed}
    links = [("lib", stat.S_IFLNK | 0o777, b"usr/lib")] if "merged" in attributes else []
    image = b"".join(cpio(_with_parents(part)) for part in (microcode, packed) if part)
    return image + compress(cpio(_with_parents(rest) + links), attributes["initramfs"])


# What the images of a generator have in common with no other's: its own programs and configuration.
_GENERATORS = {
    "initramfs-tools": {
        "init": "#!/bin/sh\n",
        "conf/arch.conf": "DPKG_ARCH=amd64\n",
        "conf/initramfs.conf": "MODULES=most\n",
        "conf/modules": "",
        "scripts/functions": "",
        "scripts/local": "",
    },
    "dracut": {
        "init": "",
        "etc/initrd-release": "NAME=dracut\n",
        "usr/lib/dracut-lib.sh": "",
        "usr/lib/dracut/hooks/cmdline/30-parse-lvm.sh": "",
        "usr/lib/dracut/modules.txt": "bash\nsystemd\nkernel-modules\nrootfs-block\n",
        "usr/lib/dracut/build-parameter.txt": "\n",
    },
}


def _with_parents(files: t.Dict[str, bytes]) -> t.List[t.Tuple[str, int, bytes]]:
    members = {".": (".", stat.S_IFDIR | 0o755, b"")}
    for path, content in files.items():
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            members.setdefault(parent, (parent, stat.S_IFDIR | 0o755, b""))
        members[path] = (path, stat.S_IFREG | 0o644, content)
    return list(members.values())


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _below(top: pathlib.Path, path: str) -> pathlib.Path:
    """The place of a guest's path; one that leads through a link is a mistake in the manifest."""
    place = top
    *parents, name = [part for part in path.split("/") if part] or ["."]
    for parent in parents:
        place = place / parent
        if place.is_symlink():
            raise ValueError("{} leads through the link {}".format(path, place))
    return place / name


def _entry(path: str) -> Entry:
    found = os.lstat(path)
    kind, content = "special", ""
    if stat.S_ISLNK(found.st_mode):
        kind, content = "link", os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        kind = "directory"
    elif stat.S_ISREG(found.st_mode):
        kind, content = "file", _digest(path, found.st_size)
    return Entry(kind, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, found.st_mtime_ns, content)


def _digest(path: str, size: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        if size <= _WHOLE:
            digest.update(stream.read())
            return digest.hexdigest()
        digest.update(b"%d" % size)
        position = 0
        while True:
            try:
                position = os.lseek(stream.fileno(), position, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but a hole up to the end
                return digest.hexdigest()
            end = os.lseek(stream.fileno(), position, os.SEEK_HOLE)
            while position < end:
                data = os.pread(stream.fileno(), min(1 << 20, end - position), position)
                digest.update(b"%d:" % position + data)
                position += len(data)


def _shown(field: str, entry: Entry) -> str:
    value = getattr(entry, field)
    return oct(value) if field == "mode" else str(value)
