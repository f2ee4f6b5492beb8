# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import deb
from hypothesis import given
from hypothesis import strategies as st

NAME = "linux-image-6.12.9-hyperv"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb builds the package")
    tree = tmp_path_factory.mktemp("deb")
    (tree / "p" / "DEBIAN").mkdir(parents=True)
    (tree / "p" / "DEBIAN" / "postinst").write_text("#!/bin/sh\n" + "# long\n" * 999)
    (tree / "p" / "DEBIAN" / "postinst").chmod(0o755)
    (tree / "p" / "DEBIAN" / "control").write_text(
        f"Package: {NAME}\nVersion: 6.12.9-1\nArchitecture: amd64\nMaintainer: nobody <n@example.org>\n"
        "Depends: kmod,\n linux-base (>= 4.3~)\nDescription: a kernel\n Version: 7\n"
    )
    return tree


@pytest.mark.parametrize("compression", ["gzip", "xz", "none"])
def test_the_fields_of_a_package_are_read(package: pathlib.Path, compression: str) -> None:
    path = package / f"{compression}.deb"
    build = ["dpkg-deb", f"-Z{compression}", "--uniform-compression", "-b", package / "p", path]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    with path.open("rb") as stream:
        fields = deb.read_fields(stream)
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == (NAME, "6.12.9-1", "amd64")
    assert fields["Depends"] == "kmod, linux-base (>= 4.3~)"
    assert fields["Description"] == "a kernel"
    data = path.read_bytes()
    for cut in (*range(0, 330, 7), len(data) - 2):  # the last byte may be one that fills up to an even number
        with pytest.raises(GuestError):
            deb.read_fields(io.BytesIO(data[:cut]))


def test_a_size_that_is_no_octal_number_is_refused() -> None:
    control = b"./control".ljust(124, b"\0") + b"00000000089\0"
    content = control.ljust(1024, b"\0")
    header = b"control.tar".ljust(48) + str(len(content)).encode().ljust(10) + b"`\n"
    with pytest.raises(GuestError, match="a size in it is no number"):
        deb.read_fields(io.BytesIO(b"!<arch>\n" + header + content))


@given(st.binary(), st.sampled_from([b"control.tar", b"control.tar.gz", b"control.tar.xz", b"control.tar.zst"]))
def test_rubbish_is_refused(content: bytes, name: bytes) -> None:
    header = name.ljust(48) + str(len(content)).encode().ljust(10) + b"`\n"
    for text in (content, b"!<arch>\n" + content, b"!<arch>\n" + header + content):
        with pytest.raises(GuestError):
            deb.read_fields(io.BytesIO(text))
