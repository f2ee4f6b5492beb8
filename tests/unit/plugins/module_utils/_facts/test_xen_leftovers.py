# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

from ansible_collections.rehost.hyperv.plugins.module_utils._facts import xen_leftovers
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import Problem, XenLeftovers
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

INITTAB = "co:2345:respawn:/sbin/getty 38400 hvc0\n"
STATUS = """=== /var/lib/dpkg/status
Package: xe-guest-utilities
Status: {}
Architecture: all
Version: 7.20.0-9
"""


def gather(manifest: str, path: pathlib.Path, problems: list[Problem] | None = None) -> XenLeftovers:
    guest_tree.build(manifest, path)
    noted = [] if problems is None else problems
    leftovers = xen_leftovers.gather(Root(str(path)), noted.append)
    assert problems is not None or noted == []
    return leftovers


def test_a_guest_without_anything_of_xen_has_no_leftovers(tmp_path: pathlib.Path) -> None:
    assert gather("=== /etc/fstab\n", tmp_path) == XenLeftovers((), (), None, (), (), (), None)


def test_debian_6_on_xen(tmp_path: pathlib.Path) -> None:
    leftovers = gather(guest_tree.load("debian6-pv-pygrub"), tmp_path)
    assert leftovers.packages == (("xe-guest-utilities", "6.0.2-756"),)
    assert leftovers.files == ()
    assert leftovers.inittab is not None
    assert INITTAB in leftovers.inittab.text
    assert [file.path for file in leftovers.sysctl] == ["/etc/sysctl.conf"]
    assert [file.path for file in leftovers.modprobe] == ["/etc/modprobe.d/xen.conf", "/etc/modules"]
    assert leftovers.securetty is not None


def test_debian_12_on_xen(tmp_path: pathlib.Path) -> None:
    leftovers = gather(guest_tree.load("debian12-hvm"), tmp_path)
    path = "/etc/systemd/system/getty.target.wants/serial-getty@hvc0.service"
    assert leftovers.getty_links == ((path, "/lib/systemd/system/serial-getty@.service"),)
    assert leftovers.inittab is None
    assert [file.path for file in leftovers.sysctl] == ["/etc/sysctl.conf", "/etc/sysctl.d/60-xen.conf"]


def test_files_that_a_package_owns_are_left_to_it_even_with_merged_usr(tmp_path: pathlib.Path) -> None:
    assert gather(guest_tree.load("debian12-hvm"), tmp_path).files == ()


def test_tools_from_a_tgz_are_found_by_their_files(tmp_path: pathlib.Path) -> None:
    assert gather(guest_tree.load("debian9"), tmp_path).files == (
        "/etc/init.d/xe-linux-distribution",
        "/etc/udev/rules.d/z10_xen-vcpu-hotplug.rules",
        "/usr/bin/xenstore",
        "/usr/bin/xenstore-read",
        "/usr/sbin/xe-daemon",
        "/usr/sbin/xe-linux-distribution",
    )


def test_a_tool_file_that_is_a_dangling_link_is_found(tmp_path: pathlib.Path) -> None:
    assert gather("=== /usr/bin/xenstore-ls -> xenstore\n", tmp_path).files == ("/usr/bin/xenstore-ls",)


def test_a_package_that_was_removed_but_left_its_configuration_is_still_there(tmp_path: pathlib.Path) -> None:
    manifest = STATUS.format("deinstall ok config-files")
    assert gather(manifest, tmp_path).packages == (("xe-guest-utilities", "7.20.0-9"),)


def test_a_package_that_was_purged_is_gone(tmp_path: pathlib.Path) -> None:
    assert gather(STATUS.format("purge ok not-installed"), tmp_path).packages == ()


def test_inittab_does_not_matter_under_systemd(tmp_path: pathlib.Path) -> None:
    manifest = f"=== /etc/inittab\n{INITTAB}=== /sbin/init -> /lib/systemd/systemd\n"
    assert gather(manifest, tmp_path).inittab is None


def test_inittab_matters_under_another_init(tmp_path: pathlib.Path) -> None:
    assert gather(f"=== /etc/inittab\n{INITTAB}=== /sbin/init mode=0755\n", tmp_path).inittab is not None


def test_only_links_that_start_a_getty_on_a_console_of_xen_count(tmp_path: pathlib.Path) -> None:
    wants = "/etc/systemd/system/getty.target.wants"
    manifest = (
        f"=== {wants}/serial-getty@ttyS0.service -> /lib/systemd/system/serial-getty@.service\n"
        f"=== {wants}/getty@xvc0.service -> /lib/systemd/system/getty@.service\n"
        "=== /etc/systemd/system/multi-user.target.wants/serial-getty@hvc1.service -> /lib/x\n"
        "=== /etc/systemd/system/serial-getty@hvc0.service -> /dev/null\n"
    )
    assert gather(manifest, tmp_path).getty_links == (
        (f"{wants}/getty@xvc0.service", "/lib/systemd/system/getty@.service"),
        ("/etc/systemd/system/multi-user.target.wants/serial-getty@hvc1.service", "/lib/x"),
    )


def test_a_file_behind_a_link_is_there_once_and_under_its_real_path(tmp_path: pathlib.Path) -> None:
    manifest = (
        "=== /etc/sysctl.conf\na = 1\n=== /etc/sysctl.d/99-sysctl.conf -> ../sysctl.conf\n"
        "=== /etc/modules\nloop\n=== /etc/modules-load.d/modules.conf -> ../modules\n"
    )
    leftovers = gather(manifest, tmp_path)
    assert [file.path for file in leftovers.sysctl] == ["/etc/sysctl.conf"]
    assert [file.path for file in leftovers.modprobe] == ["/etc/modules"]


def test_links_to_dev_null_and_files_that_nothing_reads_are_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev/null")  # like the device node, it is not a regular file
    manifest = (
        "=== /etc/sysctl.d/10-masked.conf -> /dev/null\n"
        "=== /etc/sysctl.d/README.sysctl\nxen.a=1\n=== /etc/modprobe.d/x.conf.dpkg-old\nblacklist a\n"
        "=== /etc/modprobe.d/hidden.conf -> /no/such/file\n=== /etc/modprobe.d/subdirectory.conf/\n"
    )
    leftovers = gather(manifest, tmp_path)
    assert leftovers.sysctl == ()
    assert leftovers.modprobe == ()


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_gathered(tmp_path: pathlib.Path) -> None:
    problems: list[Problem] = []
    manifest = "=== /etc/modprobe.d/loop.conf -> loop.conf\n=== /etc/modprobe.d/x.conf\nblacklist hv_vmbus\n"
    leftovers = gather(manifest, tmp_path, problems)
    assert [file.path for file in leftovers.modprobe] == ["/etc/modprobe.d/x.conf"]
    assert [problem.path for problem in problems] == ["/etc/modprobe.d/loop.conf"]
