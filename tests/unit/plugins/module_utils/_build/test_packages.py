# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._build import packages, source, tree
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_build import Wanted
from ansible_collections.rehost.hyperv.tests.unit import kernel_source

EXPECTED = packages.Expected("6.1.5-small", "6.1.5-1", (Wanted("HYPERV", "y", "fragment"),), ("hv_vmbus", "hv_utils"))


def make_packages(directory: pathlib.Path, **changed: str) -> t.Tuple[str, ...]:
    source.unpack(str(kernel_source.make_tarball(directory, **changed)), str(directory / "linux"))
    tree.make_shims(str(directory / "bin"))
    with (directory / "log").open("w") as log:
        kernel = tree.Tree(str(directory / "linux"), str(directory / "bin"), log)
        kernel.configure(None, 'CONFIG_LOCALVERSION="-small"\nCONFIG_HYPERV=y\n')
        kernel.prepare()
        kernel.compile(1, lambda: None)
        return kernel.package()


def test_good_packages_are_described_and_others_removed(tmp_path: pathlib.Path) -> None:
    found = packages.check(make_packages(tmp_path), EXPECTED, str(tmp_path))
    assert [(one.kind, one.name, one.version, one.architecture) for one in found] == [
        ("headers", "linux-headers-6.1.5-small", "6.1.5-1", "amd64"),
        ("image", "linux-image-6.1.5-small", "6.1.5-1", "amd64"),
    ]
    assert len(list(tmp_path.glob("*.deb"))) == 2
    assert not list(tmp_path.glob(".opened-*"))
    assert packages.still_good([one._asdict() for one in found])


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (EXPECTED._replace(drivers=("hv_vmbus", "hv_balloon")), "the kernel has no hv_balloon"),
        (EXPECTED._replace(version="6.1.5-2"), "not version 6.1.5-2"),
        (EXPECTED._replace(wanted=(Wanted("HYPERV", "m", "fragment"),)), "does not have CONFIG_HYPERV=m"),
        (EXPECTED._replace(release="6.1.5-other"), "no package with the image of 6.1.5-other"),
    ],
)
def test_what_is_not_as_expected_is_not_called_good(
    tmp_path: pathlib.Path, expected: packages.Expected, message: str
) -> None:
    with pytest.raises(MalformedError, match=message):
        packages.check(make_packages(tmp_path), expected, str(tmp_path))
    assert not list(tmp_path.glob(".opened-*"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("printf HdrS", "printf None", "nothing that a boot loader can start"),
        ("boot/vmlinuz-", "boot/linux-", "holds no /boot/vmlinuz-6.1.5-small"),
        ("scripts/mod/modpost", "", "headers lack scripts/mod/modpost"),
        (": > $image/boot/System.map-$RELEASE", "rm -r $image/lib", "holds no /lib/modules/6.1.5-small"),
    ],
)
def test_a_package_that_lacks_something_is_not_called_good(
    tmp_path: pathlib.Path, old: str, new: str, message: str
) -> None:
    assert old in kernel_source.PACK
    script = kernel_source.PACK.replace(old, new)
    if "lib" in new:
        script = script.replace(": > $image/lib/modules/$RELEASE/modules.order", "").replace(
            "> $image/lib/modules/$RELEASE/modules.builtin", ">/dev/null"
        )
    with pytest.raises(MalformedError, match=message):
        packages.check(make_packages(tmp_path, pack=script), EXPECTED, str(tmp_path))


def test_a_package_that_changed_is_not_good_any_more(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(b"package")
    known = {"path": str(path), "sha256": source.sha256_of(str(path))}
    assert packages.still_good([known])
    path.write_bytes(b"packagf")
    assert not packages.still_good([known])
    path.unlink()
    assert not packages.still_good([known])
    assert not packages.still_good([])


@pytest.mark.skipif(not shutil.which("gcc"), reason="no compiler is installed")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_module_that_needs_what_is_not_there_is_told(tmp_path: pathlib.Path, is_there: bool) -> None:
    directory = tmp_path / "lib" / "modules" / "6.1.5"
    (directory / "kernel").mkdir(parents=True)
    (directory / "modules.order").write_text("kernel/hid.ko\n")
    (directory / "modules.builtin").write_text("")
    (tmp_path / "hid.c").write_text("int hid_add_device(void);\nint probe(void) { return hid_add_device(); }\n")
    subprocess.run(["gcc", "-c", tmp_path / "hid.c", "-o", directory / "kernel" / "hid.ko"], check=True)
    symbols = tmp_path / "System.map"
    symbols.write_text("ffffffff81000000 T __ksymtab_hid_add_device\n" if is_there else "")
    if is_there:
        assert packages.modules_of(str(tmp_path), "6.1.5", str(symbols), "a.deb").knows("hid")
        return
    with pytest.raises(MalformedError, match="modules need what is not there: hid: hid_add_device"):
        packages.modules_of(str(tmp_path), "6.1.5", str(symbols), "a.deb")
