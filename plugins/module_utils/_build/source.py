# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a kernel's source comes from: Debian's package of it, or a tarball; checked either way."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import tempfile
import typing as t

from .._errors import GuestError
from . import programs

_FIELD = re.compile(r"^(Package|Version|SHA256|Architecture):[ \t]*(\S+)", re.MULTILINE)
_CHUNK = 1 << 20


class Offered(t.NamedTuple):
    """A package that the build host's apt can download."""

    package: str
    version: str
    architecture: str
    sha256: str

    @property
    def file_name(self) -> str:
        """As apt names the file; the colon of an epoch is written as %3a."""
        return f"{self.package}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


def find_offered(package: str, version: str | None = None) -> Offered:
    """The version that apt would install, or the one that is asked for. GuestError when apt knows none."""
    name = package if version is None else f"{package}={version}"
    done = programs.attempt("apt-cache", "show", "--no-all-versions", name)
    fields = dict(_FIELD.findall(done.output.split("\n\n")[0]))
    if done.status != 0 or "SHA256" not in fields:
        stem = re.sub(r"[0-9.]+$", "", package)
        known = sorted(set(programs.attempt("apt-cache", "pkgnames", stem).output.split()))
        raise GuestError(
            f"apt on the build host offers no {name}",
            hint=(f"It offers {', '.join(known)}." if known else f"It offers no {stem}* at all.")
            + " Add the release, its security updates or backports to apt's sources there, and run apt-get update.",
        )
    return Offered(fields["Package"], fields["Version"], fields["Architecture"], fields["SHA256"])


def fetch(offered: Offered, directory: str) -> str:
    """The path of the downloaded package, whose SHA-256 is that of apt's signed lists. Downloaded once."""
    path = os.path.join(directory, offered.file_name)
    if os.path.exists(path) and sha256_of(path) == offered.sha256:
        return path
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as place:
        programs.output_of("apt-get", "--quiet", "download", f"{offered.package}={offered.version}", cwd=place)
        found = [os.path.join(place, name) for name in os.listdir(place) if name.endswith(".deb")]
        if len(found) != 1 or sha256_of(found[0]) != offered.sha256:
            raise GuestError(
                f"what apt downloaded as {offered.package} {offered.version} is not what its lists describe",
                path=directory,
                hint="Run apt-get update on the build host, and try again.",
            )
        os.replace(found[0], path)
    return path


def sha256_of(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def check_tarball(
    path: str, sha256: str | None, signature: str | None, keyring: str | None, proven: str | None = None
) -> str:
    """The SHA-256 of a tarball that is what it should be. GuestError when it is not, or when nothing says so.

    A signature is one of the file, or of what is in it: kernel.org signs the archive before it is compressed. With
    C(proven), a directory in which nobody else can write, it is checked once for the same three files.
    """
    if not os.path.isfile(path):
        raise GuestError("there is no such tarball on the build host", path=path)
    if sha256 is None and signature is None:
        raise GuestError(
            "nothing says that the tarball is genuine",
            path=path,
            hint="Give its SHA-256, or a signature and a keyring.",
        )
    found = sha256_of(path)
    if sha256 is not None and found != sha256.lower():
        raise GuestError(f"the tarball's SHA-256 is {found}, not {sha256}", path=path, hint="Get it anew.")
    if signature is not None:
        if keyring is None:
            raise GuestError(
                "a signature without a keyring says nothing", path=signature, hint="Give the keyring of its signers."
            )
        _check_signature_once(path, found, os.path.abspath(signature), os.path.abspath(keyring), proven)
    return found


def _check_signature_once(path: str, sha256: str, signature: str, keyring: str, proven: str | None) -> None:
    for what, name in (("signature", signature), ("keyring", keyring)):
        if not os.path.isfile(name):
            raise GuestError(f"there is no such {what} on the build host", path=name)
    if proven is None:
        _check_signature(path, signature, keyring)
        return
    proof = os.path.join(proven, "-".join((sha256, sha256_of(signature)[:32], sha256_of(keyring)[:32])))
    if os.path.exists(proof):
        return
    _check_signature(path, signature, keyring)
    os.makedirs(proven, exist_ok=True)
    with open(proof, "w", encoding="ascii"):
        pass  # its name says it all


def _check_signature(path: str, signature: str, keyring: str) -> None:
    done = programs.attempt("gpgv", "--keyring", keyring, signature, path)
    reader = _decompressor(path)
    if done.status != 0 and reader is not None:
        words = (*reader, path)
        content, done = programs.pipe(words, ("gpgv", "--keyring", keyring, signature, "-"))
        # gpgv need not read all of what it does not accept
        is_cut_off = content.status == -signal.SIGPIPE and done.status != 0
        if content.status != 0 and not is_cut_off:
            raise GuestError(
                f"`{' '.join(words)}` ended with status {content.status}, so the signature of what is in the tarball "
                f"cannot be checked: {' '.join(content.errors.split())}",
                path=path,
                hint="Get the tarball anew.",
            )
    if done.status != 0:
        raise GuestError(
            "the signature does not belong to the tarball, or its signer is not in the keyring: "
            + " ".join(done.errors.split()),
            path=signature,
            hint="Get the tarball and its signature anew, and look whose keys the keyring holds.",
        )


def _decompressor(path: str) -> tuple[str, ...] | None:
    """What prints the content of a compressed file, by its first bytes; None for one that is not compressed."""
    with open(path, "rb") as stream:
        head = stream.read(6)
    if head == b"\xfd7zXZ\0":
        return ("xz", "--decompress", "--stdout")
    if head[:2] == b"\x1f\x8b":
        return ("gzip", "--decompress", "--stdout", "--force")  # whatever the file's name ends with
    return None


def unpack(path: str, directory: str) -> None:
    """The source is in C(directory), which is there only when all of it is."""
    if os.path.isdir(directory):
        return
    partial = f"{directory}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    tarball = path
    if path.endswith(".deb"):
        package = os.path.join(partial, ".package")
        programs.output_of("dpkg-deb", "--extract", path, package)
        tarball = _tarball_in(os.path.join(package, "usr", "src"), path)
    programs.output_of(
        *("tar", "--extract", "--no-same-owner", "--no-same-permissions", "--strip-components=1"),
        *("--file", os.path.abspath(tarball), "--directory", partial),
    )
    shutil.rmtree(os.path.join(partial, ".package"), ignore_errors=True)
    if not os.path.isfile(os.path.join(partial, "Kconfig")):
        raise GuestError("there is no kernel's source in it", path=path)
    os.sync()  # else a directory of this name could survive a power cut without its files
    os.rename(partial, directory)


def _tarball_in(directory: str, package: str) -> str:
    found = [name for name in sorted(os.listdir(directory)) if re.match(r"linux-source-.*\.tar\.\w+$", name)]
    if len(found) != 1:
        raise GuestError("the package holds no tarball of a kernel's source", path=package)
    return os.path.join(directory, found[0])


def debian_config(path: str, directory: str) -> str:
    """Debian's configuration for amd64 out of a package linux-config-*, as text."""
    with tempfile.TemporaryDirectory(dir=directory) as place:
        programs.output_of("dpkg-deb", "--extract", path, place)
        for folder, _folders, names in os.walk(os.path.join(place, "usr", "src")):
            for name in names:
                if re.match(r"config\.amd64_none_(?:amd64)(?:\.xz)?$", name):
                    return programs.output_of("xz", "--decompress", "--force", "--stdout", os.path.join(folder, name))
    raise GuestError("the package holds no configuration for amd64", path=path)
