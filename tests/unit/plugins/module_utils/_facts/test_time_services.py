# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import time

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts import time_services
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import TextFile, TimeServices
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree

SYSTEMD = "=== /sbin/init -> /lib/systemd/systemd\n=== /lib/systemd/systemd\n"
CHRONY = "=== /lib/systemd/system/chrony.service\n[Unit]\n"


def gather(manifest: str, path: pathlib.Path) -> TimeServices:
    guest_tree.build(manifest, path)
    return time_services.gather(Root(str(path)), pytest.fail)


def test_a_guest_without_any_has_none(tmp_path: pathlib.Path) -> None:
    assert gather("=== /etc/hostname\nweb01\n", tmp_path) == TimeServices()


def test_units_their_links_and_their_masks_are_found(tmp_path: pathlib.Path) -> None:
    found = gather(
        SYSTEMD
        + CHRONY
        + "=== /etc/systemd/system/multi-user.target.wants/chrony.service -> /lib/systemd/system/chrony.service\n"
        "=== /dev/null\n=== /etc/systemd/system/systemd-timesyncd.service -> /dev/null\n"
        "=== /etc/systemd/system/ntp.service\n[Service]\n",
        tmp_path,
    )
    assert found.has_systemd
    assert found.units == (("chrony", "/lib/systemd/system/chrony.service"),)
    assert found.wanted == ("chrony",)
    assert found.own_units == (("ntp", None), ("systemd-timesyncd", "/dev/null"))


def test_links_of_run_levels_are_found_and_others_are_not(tmp_path: pathlib.Path) -> None:
    found = gather(
        "=== /sbin/init mode=0755\n=== /etc/init.d/ntp\n=== /etc/rc2.d/S02ntp -> ../init.d/ntp\n"
        "=== /etc/rc3.d/K01ntp -> ../init.d/ntp\n=== /etc/rc2.d/S02ntpdate -> ../init.d/ntp\n",
        tmp_path,
    )
    assert not found.has_systemd
    assert found.start_links == (("/etc/rc2.d/S02ntp", "../init.d/ntp"),)
    assert found.stop_links == (("/etc/rc3.d/K01ntp", "../init.d/ntp"),)


def test_configuration_is_read_also_through_the_link_of_the_rules(tmp_path: pathlib.Path) -> None:
    found = gather(
        "=== /etc/chrony/chrony.conf\nrtcsync\n=== /etc/chrony/rehost-hyperv-refclock.conf\nrefclock\n"
        "=== /etc/chrony/rehost-hyperv.run -> /run/rehost-hyperv\n"
        "=== /run/rehost-hyperv/refclock.conf -> /etc/chrony/rehost-hyperv-refclock.conf\n",
        tmp_path,
    )
    assert found.files == (
        TextFile("/etc/chrony/chrony.conf", "rtcsync\n"),
        TextFile("/etc/chrony/rehost-hyperv-refclock.conf", "refclock\n"),
        TextFile("/run/rehost-hyperv/refclock.conf", "refclock\n"),
    )
    assert found.link == "/run/rehost-hyperv"


def test_what_others_keep_beside_the_own_part_of_chrony_is_read_once(tmp_path: pathlib.Path) -> None:
    parts = "=== /etc/chrony/conf.d/"
    found = gather(f"{parts}a.conf\nrtcsync\n{parts}b.txt\n#\n{parts}rehost-hyperv.conf\nmakestep 1.0 -1\n", tmp_path)
    assert [file.path for file in found.files] == [
        "/etc/chrony/conf.d/rehost-hyperv.conf",
        "/etc/chrony/conf.d/a.conf",
    ]


def test_the_start_of_a_service_is_the_time_of_the_link_itself(tmp_path: pathlib.Path) -> None:
    manifest = "=== /etc/chrony/chrony.conf\nrtcsync\n=== /run/systemd/units/invocation:chrony.service -> 0123\n"
    guest_tree.build(manifest, tmp_path)
    link = tmp_path / "run/systemd/units/invocation:chrony.service"
    os.utime(link, ns=(7, 1_700_000_100_000_000_007), follow_symlinks=False)
    found = time_services.gather(Root(str(tmp_path)), pytest.fail)
    assert found.started_ns == (("chrony", 1_700_000_100_000_000_007),)
    assert found.written_ns == (("/etc/chrony/chrony.conf", guest_tree.BUILD_TIME * 1_000_000_000),)


def test_a_file_that_was_written_before_the_clock_was_set_back_has_no_time(tmp_path: pathlib.Path) -> None:
    manifest = "=== /etc/chrony/chrony.conf\nrtcsync\n=== /etc/ntp.conf\ntinker panic 0\n"
    guest_tree.build(manifest, tmp_path)
    tomorrow = time.time_ns() + 86_400_000_000_000
    os.utime(tmp_path / "etc/chrony/chrony.conf", ns=(tomorrow, tomorrow))
    found = time_services.gather(Root(str(tmp_path)), pytest.fail)
    assert [path for path, _time in found.written_ns] == ["/etc/ntp.conf"]


def test_whether_hv_utils_sets_the_clock_is_known(tmp_path: pathlib.Path) -> None:
    assert gather("=== /sys/module/hv_utils/parameters/timesync_implicit\nY\n", tmp_path).implicit == "Y"


@pytest.mark.parametrize(("state", "version"), [("installed", "1.30-2+deb8u2"), ("config-files", None)])
def test_the_version_of_chrony_is_that_of_a_package_that_is_there(
    state: str, version: str, tmp_path: pathlib.Path
) -> None:
    status = f"Package: chrony\nStatus: install ok {state}\nVersion: 1.30-2+deb8u2\n"
    manifest = f"=== /etc/chrony/chrony.conf\nrtcsync\n=== /var/lib/dpkg/status\n{status}"
    assert gather(manifest, tmp_path).chrony_version == version
