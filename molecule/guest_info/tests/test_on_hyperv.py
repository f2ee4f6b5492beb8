# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""guest_info on the virtual Hyper-V, against what the guest's own programs and /sys say."""

from __future__ import annotations

import posixpath
import re
import typing as t

testinfra_hosts = ["ansible://gen1"]


def module_names(paths: t.Iterable[str]) -> t.List[str]:
    """Of paths of modules, as the kernel has them."""
    found = [re.fullmatch(r"(.+)\.ko(?:\.xz|\.zst|\.gz)?", posixpath.basename(path)) for path in paths]
    return sorted({match.group(1).replace("-", "_") for match in found if match})


def test_it_is_generation_1_and_nothing_speaks_against_it(guest: t.Any) -> None:
    hypervisor = guest["hypervisor"]
    assert (hypervisor["name"], hypervisor["generation"], hypervisor["is_azure"]) == ("hyperv", 1, False)
    # What the lab shows of its own emulator.
    assert {evidence["points_to"] for evidence in hypervisor["contradictions"]} <= {"qemu"}


def test_the_host_told_its_build_to_the_kernel(host: t.Any, guest: t.Any) -> None:
    log = host.check_output("dmesg")
    assert "Hypervisor detected: Microsoft Hyper-V" in log
    build = re.search(r"Hyper-V: Host Build (\S+)", log)
    protocol = re.search(r"Vmbus version:(\S+)", log)
    assert build
    assert protocol
    assert guest["hypervisor"]["host_build"] == build.group(1)
    assert guest["hypervisor"]["vmbus_protocol"] == protocol.group(1)


def test_devices_on_vmbus_are_those_in_sys(host: t.Any, guest: t.Any) -> None:
    shown = host.check_output(
        "cd /sys/bus/vmbus/devices; "
        "for d in *; do echo $d $(cat $d/class_id) $(readlink -e $d/driver | sed 's/.*\\///'); done"
    )
    devices = [
        " ".join([device["id"], f"{{{device['class_id']}}}", device["driver"] or ""]).strip()
        for device in guest["vmbus"]
    ]
    assert sorted(devices) == sorted(shown.split("\n"))


def test_one_adapter_is_legacy_and_one_synthetic(host: t.Any, guest: t.Any) -> None:
    kinds = {nic["name"]: (nic["kind"], nic["driver"]) for nic in guest["nics"]}
    assert sorted(kinds.values()) == [("legacy", "tulip"), ("synthetic", "hv_netvsc")]
    for name, (_kind, driver) in kinds.items():
        assert host.check_output("readlink /sys/class/net/%s/device/driver", name).endswith(f"/{driver}")


def test_the_disk_is_synthetic(guest: t.Any) -> None:
    assert [(disk["name"], disk["kind"]) for disk in guest["disks"]] == [("sda", "synthetic")]


def test_the_clocksource_is_the_one_of_hyperv(guest: t.Any) -> None:
    assert guest["clock"]["current"] == "hyperv_clocksource_tsc_page"
    assert guest["clock"]["has_ptp_hyperv"] is True


def test_modules_in_the_image_are_those_that_lsinitramfs_lists(host: t.Any, guest: t.Any) -> None:
    (kernel,) = guest["kernels"]
    listed = host.check_output("lsinitramfs /boot/initrd.img-%s", kernel["version"]).split("\n")
    assert kernel["initramfs"]["modules"] == module_names(listed)


def test_the_default_entry_is_the_one_that_was_booted(host: t.Any, guest: t.Any) -> None:
    default = guest["boot"]["default"]
    assert default["version"] == host.check_output("uname -r")
    assert default["cmdline"].split() == host.file("/proc/cmdline").content_string.split()[1:]


def test_block_devices_have_the_uuids_that_blkid_finds(host: t.Any, guest: t.Any) -> None:
    for device in guest["block_devices"]:
        assert host.check_output("blkid -s UUID -o value /dev/%s", device["names"][0]) == device["uuid"]
    assert [device["type"] for device in guest["block_devices"]] == ["ext4", "swap"]
