# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import pathlib
import resource
import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import source
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.tests.unit import child_process, kernel_source

needs_gpg = pytest.mark.skipif(
    not (shutil.which("gpg") and shutil.which("gpgv")), reason="gpg, which signs, is not installed"
)


def make_package(directory: pathlib.Path, files: dict[str, pathlib.Path]) -> pathlib.Path:
    above = directory / "package"
    (above / "DEBIAN").mkdir(parents=True)
    (above / "DEBIAN" / "control").write_text(
        "Package: linux-source-6.1\nVersion: 6.1.5-1\nArchitecture: all\nMaintainer: n <n@localhost>\nDescription: t\n"
    )
    for name, origin in files.items():
        (above / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin, above / name)
    target = directory / "linux-source-6.1_6.1.5-1_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(above), str(target)], check=True, stdout=subprocess.DEVNULL)
    return target


def test_a_tarball_is_unpacked_without_its_first_directory(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "linux"
    source.unpack(str(kernel_source.make_tarball(tmp_path)), str(target))
    assert (target / "init" / "main.c").read_text() == "main\n"
    assert int((target / "Makefile").stat().st_mtime) == kernel_source.WHEN
    assert not os.path.exists(f"{target}.partial")


def test_debians_package_is_unpacked_down_to_the_source(tmp_path: pathlib.Path) -> None:
    tarball = kernel_source.make_tarball(tmp_path)
    package = make_package(tmp_path, {"usr/src/linux-source-6.1.tar.xz": tarball})
    target = tmp_path / "linux"
    source.unpack(str(package), str(target))
    assert sorted(path.name for path in target.iterdir()) == [
        *("Kconfig", "Makefile", "arch", "drivers", "init", "kernel", "scripts"),
    ]


def test_what_was_half_unpacked_is_begun_anew(tmp_path: pathlib.Path) -> None:
    partial = tmp_path / "linux.partial"
    partial.mkdir()
    (partial / "left-over").write_text("half")
    source.unpack(str(kernel_source.make_tarball(tmp_path)), str(tmp_path / "linux"))
    assert not (tmp_path / "linux" / "left-over").exists()
    assert not partial.exists()


def test_what_is_unpacked_stays_as_it_is(tmp_path: pathlib.Path) -> None:
    (tmp_path / "linux").mkdir()
    source.unpack(str(tmp_path / "no-such-file"), str(tmp_path / "linux"))
    assert list((tmp_path / "linux").iterdir()) == []


def test_a_package_without_a_source_is_refused(tmp_path: pathlib.Path) -> None:
    package = make_package(tmp_path, {"usr/src/README": kernel_source.make_tarball(tmp_path)})
    with pytest.raises(GuestError, match="holds no tarball"):
        source.unpack(str(package), str(tmp_path / "linux"))
    assert not (tmp_path / "linux").exists()


def test_a_damaged_tarball_leaves_no_source(tmp_path: pathlib.Path) -> None:
    tarball = kernel_source.make_tarball(tmp_path)
    tarball.write_bytes(tarball.read_bytes()[:-100])
    with pytest.raises(GuestError, match="ended with status"):
        source.unpack(str(tarball), str(tmp_path / "linux"))
    assert not (tmp_path / "linux").exists()


def test_a_tarball_with_the_right_hash_is_genuine(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"kernel")
    digest = hashlib.sha256(b"kernel").hexdigest()
    assert source.check_tarball(str(path), digest.upper(), None, None) == digest
    with pytest.raises(GuestError, match=f"SHA-256 is {digest}"):
        source.check_tarball(str(path), "0" * 64, None, None)


def test_a_tarball_of_which_nothing_is_known_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(b"kernel")
    with pytest.raises(GuestError, match="nothing says that the tarball is genuine"):
        source.check_tarball(str(path), None, None, None)
    with pytest.raises(GuestError, match="no such tarball"):
        source.check_tarball(str(tmp_path / "b.tar"), "0" * 64, None, None)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory with a tarball, a.tar.xz, its signature, that of what is in it, and the keyring of the signer."""
    directory = tmp_path_factory.mktemp("signed")
    (directory / "a.tar").write_bytes(b"kernel" * 1000)
    subprocess.run(["xz", "--keep", str(directory / "a.tar")], check=True)
    kernel_source.sign(directory, [directory / "a.tar", directory / "a.tar.xz"])
    return directory


@needs_gpg
@pytest.mark.parametrize("name", ["a.tar.sign", "a.tar.xz.sign"])
def test_a_signature_of_the_file_or_of_what_is_in_it_counts(signed: pathlib.Path, name: str) -> None:
    found = source.check_tarball(str(signed / "a.tar.xz"), None, str(signed / name), str(signed / "keyring.gpg"))
    assert len(found) == 64


@needs_gpg
@pytest.mark.parametrize("program", ["xz", "gzip"])
def test_what_is_in_a_tarball_is_unpacked_nowhere(signed: pathlib.Path, tmp_path: pathlib.Path, program: str) -> None:
    """As where /tmp is small: a file that is written may have 4 KiB."""
    path = tmp_path / "any.name"
    with path.open("wb") as stream:
        subprocess.run([program, "--stdout", str(signed / "a.tar")], stdout=stream, check=True)

    def check() -> str:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        return source.check_tarball(str(path), None, str(signed / "a.tar.sign"), str(signed / "keyring.gpg"))

    assert (signed / "a.tar").stat().st_size > 4096
    assert len(child_process.call(check)) == 64


@needs_gpg
def test_a_tarball_that_cannot_be_unpacked_is_not_blamed_on_its_signature(
    signed: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "a.tar.xz"
    path.write_bytes((signed / "a.tar.xz").read_bytes()[:-20])
    with pytest.raises(GuestError, match=r"`xz .*ended with status 1, so the signature .* cannot be checked: xz: "):
        source.check_tarball(str(path), None, str(signed / "a.tar.sign"), str(signed / "keyring.gpg"))


@needs_gpg
def test_a_signature_is_checked_once(
    signed: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.tar.xz", "a.tar.sign", "a.tar.xz.sign", "keyring.gpg"):
        shutil.copy(signed / name, tmp_path)

    def check(signature: str = "a.tar.sign", proven: str | None = str(tmp_path / "proven")) -> str:
        return source.check_tarball(
            str(tmp_path / "a.tar.xz"), None, str(tmp_path / signature), str(tmp_path / "keyring.gpg"), proven
        )

    first = check()
    refusing = tmp_path / "bin" / "gpgv"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\ncat >/dev/null\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing.parent}:{os.environ['PATH']}")
    assert check() == first
    for again in (lambda: check(proven=None), lambda: check("a.tar.xz.sign")):
        with pytest.raises(GuestError, match="does not belong"):
            again()
    for name in ("keyring.gpg", "a.tar.sign", "a.tar.xz"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole + b"x")
        with pytest.raises(GuestError):
            check()
        (tmp_path / name).write_bytes(whole)
    assert check() == first


@needs_gpg
def test_a_signature_that_does_not_count_is_not_remembered(signed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "other.tar"
    path.write_bytes(b"other")
    for _attempt in range(2):
        with pytest.raises(GuestError, match="does not belong"):
            source.check_tarball(
                *(str(path), None, str(signed / "a.tar.sign"), str(signed / "keyring.gpg")), str(tmp_path / "proven")
            )
    assert not (tmp_path / "proven").exists()


def test_a_signature_or_a_keyring_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "other.tar"
    path.write_bytes(b"other")
    with pytest.raises(GuestError, match="no such signature"):
        source.check_tarball(str(path), None, str(tmp_path / "s"), str(path))
    with pytest.raises(GuestError, match="no such keyring"):
        source.check_tarball(str(path), None, str(path), str(tmp_path / "k"))


@needs_gpg
def test_a_signature_of_something_else_is_refused(signed: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "other.tar"
    path.write_bytes(b"other")
    with pytest.raises(GuestError, match="does not belong to the tarball"):
        source.check_tarball(str(path), None, str(signed / "a.tar.sign"), str(signed / "keyring.gpg"))
    with pytest.raises(GuestError, match="without a keyring"):
        source.check_tarball(str(path), None, str(signed / "a.tar.sign"), None)


def test_debians_configuration_is_found_in_its_package(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "config.amd64_none_amd64"
    config.write_text("CONFIG_HYPERV=m\n")
    subprocess.run(["xz", "--keep", str(config)], check=True)
    other = tmp_path / "other"
    other.write_text("CONFIG_OTHER=y\n")
    package = make_package(
        tmp_path,
        {
            "usr/src/linux-config-6.1/config.amd64_none_amd64.xz": tmp_path / "config.amd64_none_amd64.xz",
            "usr/src/linux-config-6.1/config.amd64_rt_amd64": other,
        },
    )
    assert source.debian_config(str(package), str(tmp_path)) == "CONFIG_HYPERV=m\n"


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="apt is not installed")
def test_what_apt_does_not_offer_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(GuestError, match=r"apt on the build host offers no linux-source-0\.0") as caught:
        source.find_offered("linux-source-0.0")
    assert "apt-get update" in caught.value.hint


def test_a_download_has_the_name_that_apt_gives_it() -> None:
    assert (
        source.Offered("linux-source-6.1", "1:6.1.5-1", "all", "0").file_name == "linux-source-6.1_1%3a6.1.5-1_all.deb"
    )
