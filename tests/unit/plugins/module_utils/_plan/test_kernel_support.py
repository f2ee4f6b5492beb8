# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import pathlib
import typing as t

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import debian_kernels, kernel_features
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import (
    ConfiguredConnection,
    GuestFacts,
    Kernel,
    Nic,
)
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kernel_config, modules_dep
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_support
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_support import KernelAdvice, KernelSupport
from ansible_collections.rehost.hyperv.tests.unit import small_guest
from ansible_collections.rehost.hyperv.tests.unit.small_guest import MODULES, VERSION, entry, kernel

MORE = """\
drivers/hv/hv_utils: hv_vmbus
drivers/hv/hv_balloon: hv_vmbus
drivers/hid/hid-hyperv: hv_vmbus
drivers/gpu/drm/hyperv/hyperv_drm: hv_vmbus
drivers/pci/controller/pci-hyperv: hv_vmbus
net/vmw_vsock/hv_sock: hv_vmbus
drivers/net/ethernet/dec/tulip/tulip
builtin drivers/input/serio/i8042
"""
FULL = MODULES + MORE
SYMBOLS = (
    *("HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "HYPERV_UTILS", "HYPERV_BALLOON", "HYPERV_KEYBOARD", "DRM_HYPERV"),
    *("HID_HYPERV_MOUSE", "PCI_HYPERV", "HYPERV_VSOCKETS", "TULIP", "ATA_PIIX"),
)
CONFIG = "CONFIG_HYPERV_TIMER=y\nCONFIG_PTP_1588_CLOCK=y\n" + "".join(f"CONFIG_{name}=m\n" for name in SYMBOLS)
PRESENT = ("hv_vmbus", "hv_storvsc", "hv_netvsc", "hv_utils", "tulip", "ata_piix")
DEP = "".join(f"kernel/{name}.ko:\n" for name in PRESENT)


def debian(release: str, architecture: str = "amd64", *packages: tuple[str, str]) -> str:
    """A release, and the kernel packages that are installed."""
    status = "".join(
        f"\nPackage: linux-image-{name}\nStatus: install ok installed\nArchitecture: {architecture}\n"
        f"Version: {version}\n"
        for name, version in packages
    )
    return (
        f"=== /etc/os-release\nID=debian\nVERSION_ID={release}\n=== /var/lib/dpkg/status\nPackage: base-files\n"
        f"Status: install ok installed\nArchitecture: {architecture}\nVersion: 12\n{status}"
    )


def installed(
    version: str, config: str | None = None, dep: str | None = DEP, builtin: str | None = None, package: str = ""
) -> Kernel:
    return Kernel(
        version,
        f"/boot/vmlinuz-{version}",
        kernel_config.read(config) if config is not None else None,
        modules_dep.read(dep, builtin) if dep is not None else None,
        None,
        f"/boot/config-{version}" if config is not None else None,
        (f"linux-image-{version}", package) if package else None,
    )


@pytest.fixture
def facts(tmp_path: pathlib.Path) -> GuestFacts:
    return small_guest.look(tmp_path, debian("12"))


def with_kernels(facts: GuestFacts, *kernels: Kernel, release: str = "12", architecture: str = "amd64") -> GuestFacts:
    """The boot loader starts the first of them."""
    entries = [dataclasses.replace(facts.boot.entries[0], version=one.version, is_default=False) for one in kernels]
    entries[0] = dataclasses.replace(entries[0], is_default=True)
    return dataclasses.replace(
        facts,
        kernels=kernels,
        boot=dataclasses.replace(facts.boot, entries=tuple(entries)),
        system=dataclasses.replace(facts.system, version_id=release, architecture=architecture),
    )


def judged(facts: GuestFacts, one: Kernel, architecture: str = "amd64") -> KernelSupport:
    return kernel_support.judge_kernel(with_kernels(facts, one, architecture=architecture), one)


def advised(facts: GuestFacts, *kernels: Kernel, **more: t.Any) -> KernelAdvice:
    facts = with_kernels(facts, *kernels, **more)
    return kernel_support.advise(facts, kernel_support.judge(facts))


def states(found: KernelSupport) -> dict[str, str]:
    return {feature.name: feature.state for feature in found.features}


def ids(found: KernelSupport) -> list[str]:
    return [defect.id for defect in found.defects]


# -- features


def test_every_installed_kernel_is_judged(tmp_path: pathlib.Path) -> None:
    old = "5.10.0-30-amd64"
    changes = (
        debian("12", "amd64", (VERSION, "6.1.176-1")) + kernel(old, FULL) + f"=== /boot/config-{VERSION}\n{CONFIG}"
    )
    first, second = kernel_support.judge(small_guest.look(tmp_path, changes + kernel(VERSION, FULL)))
    assert (first.version, first.is_default, first.package) == (old, False, None)
    assert (second.version, second.is_default) == (VERSION, True)
    assert (second.package, second.package_version) == (f"linux-image-{VERSION}", "6.1.176-1")
    assert (second.series, second.flavour, second.origin, second.grade) == ("6.1", "amd64", "release", "good")
    assert (second.defects, second.reasons) == ((), ())
    assert set(states(second).values()) == {"module", "builtin"}


def test_a_module_on_disk_says_more_than_the_configuration(facts: GuestFacts) -> None:
    found = judged(facts, installed(VERSION, CONFIG))
    network = found.feature("network")
    assert (network.state, network.module, network.since) == ("module", "hv_netvsc", "2.6.32")
    assert network.read_from == f"/lib/modules/{VERSION}/kernel/hv_netvsc.ko"
    balloon = found.feature("balloon")
    assert (balloon.state, balloon.module) == ("absent", None)
    assert balloon.read_from == f"CONFIG_HYPERV_BALLOON=m in /boot/config-{VERSION}, and not in modules.dep"


def test_built_in_is_known_from_either(facts: GuestFacts) -> None:
    by_config = judged(facts, installed(VERSION, "CONFIG_HYPERV_STORAGE=y\nCONFIG_HYPERV=y\n", None))
    assert by_config.feature("storage").state == "builtin"
    assert by_config.feature("storage").read_from == f"CONFIG_HYPERV_STORAGE=y in /boot/config-{VERSION}"
    by_list = judged(facts, installed(VERSION, None, DEP, "kernel/drivers/hv/hv_balloon.ko\n"))
    assert by_list.feature("balloon").state == "builtin"
    assert by_list.feature("balloon").read_from == f"/lib/modules/{VERSION}/modules.builtin"


def test_what_is_in_neither_list_is_absent_and_without_lists_unknown(facts: GuestFacts) -> None:
    assert judged(facts, installed(VERSION, None, DEP, "kernel/x.ko\n")).feature("balloon").state == "absent"
    assert judged(facts, installed(VERSION, None, DEP)).feature("balloon").state == "unknown"
    nothing = judged(facts, installed(VERSION, None, None))
    assert set(states(nothing).values()) == {"unknown"}
    assert nothing.grade == "unknown"


def test_a_module_without_its_directory_is_unknown(facts: GuestFacts) -> None:
    assert judged(facts, installed(VERSION, CONFIG, None)).feature("network").state == "unknown"


@pytest.mark.parametrize(
    ("version", "absent"),
    [
        ("2.6.32-5-amd64", {"shutdown", "timesync", "heartbeat", "kvp", "vss", "ptp", "clocksource"}),
        ("3.2.0-4-amd64", {"vss", "ptp"}),
        ("3.16.0-4-amd64", {"ptp"}),
        ("4.10.0-1-amd64", {"ptp"}),
        ("4.11.0-1-amd64", set()),
    ],
)
def test_what_hv_utils_does_depends_on_the_version(version: str, absent: set[str], facts: GuestFacts) -> None:
    found = judged(facts, installed(version, CONFIG.replace("CONFIG_HYPERV_TIMER=y\n", "")))
    of_utils = {"shutdown", "timesync", "heartbeat", "kvp", "vss", "ptp", "clocksource"}
    assert {name for name, state in states(found).items() if state == "absent"} & of_utils == absent


def test_the_clocksource_is_part_of_the_kernel(facts: GuestFacts) -> None:
    by_config = judged(facts, installed(VERSION, CONFIG)).feature("clocksource")
    assert (by_config.state, by_config.module) == ("builtin", None)
    assert by_config.read_from == f"CONFIG_HYPERV_TIMER=y in /boot/config-{VERSION}"
    by_vmbus = judged(facts, installed(VERSION)).feature("clocksource")
    assert (by_vmbus.state, by_vmbus.read_from) == ("builtin", f"/lib/modules/{VERSION}/kernel/hv_vmbus.ko")
    without = installed(VERSION, "# CONFIG_HYPERV is not set\n", "kernel/x.ko:\n")
    assert judged(facts, without).feature("clocksource").state == "absent"


def test_a_dependency_on_ptp_tells_of_a_clock_that_was_added_to_an_older_kernel(facts: GuestFacts) -> None:
    dep = DEP.replace("kernel/hv_utils.ko:", "kernel/hv_utils.ko: kernel/ptp.ko") + "kernel/ptp.ko:\n"
    assert judged(facts, installed("4.9.0-19-amd64", CONFIG, dep)).feature("ptp").state == "module"


def test_without_ptp_support_there_is_no_ptp_device(facts: GuestFacts) -> None:
    found = judged(facts, installed(VERSION, CONFIG.replace("PTP_1588_CLOCK=y", "PTP_1588_CLOCK=n")))
    assert (found.feature("ptp").state, found.feature("timesync").state) == ("absent", "module")


def test_either_driver_of_the_screen_will_do(facts: GuestFacts) -> None:
    for module in ("hyperv_fb", "hyperv_drm"):
        assert (
            judged(facts, installed(VERSION, CONFIG, DEP + f"kernel/{module}.ko:\n")).feature("screen").module == module
        )


def test_the_first_disk_driver_counts_as_one(facts: GuestFacts) -> None:
    only_ide = DEP.replace("hv_storvsc", "hv_blkvsc")
    assert (
        judged(facts, installed("2.6.32-5-amd64", "CONFIG_HYPERV=m\n", only_ide)).feature("storage").module
        == "hv_blkvsc"
    )


def test_architectures_have_features_of_their_own(facts: GuestFacts) -> None:
    assert "pci" not in states(judged(facts, installed("6.1.0-50-686-pae", CONFIG), "i386"))
    arm = judged(facts, installed("6.1.0-50-arm64", CONFIG), "arm64")
    assert "clocksource" not in states(arm)
    assert arm.grade == "good"


def test_features_have_names_of_their_own() -> None:
    names = [feature.name for feature in kernel_features.FEATURES]
    assert len(set(names)) == len(names)


# -- the split of 6.18, and VTL mode


def test_a_6_18_with_the_old_symbol_alone_has_no_vmbus(facts: GuestFacts) -> None:
    config = "CONFIG_HYPERV=y\n# CONFIG_HYPERV_VMBUS is not set\nCONFIG_ATA_PIIX=y\n"
    found = judged(facts, installed("6.18.3", config, "kernel/tulip.ko:\n", "kernel/x.ko\n"))
    assert found.feature("vmbus").state == "absent"
    assert found.feature("vmbus").read_from == "CONFIG_HYPERV_VMBUS is not set in /boot/config-6.18.3"
    assert found.feature("clocksource").state == "builtin"  # that hangs on the menu alone
    assert ids(found) == ["vmbus-not-built"]
    assert (found.origin, found.grade) == ("own", "unusable")


def test_a_6_18_with_both_symbols_has_it(facts: GuestFacts) -> None:
    found = judged(facts, installed("6.18.3", CONFIG + "CONFIG_HYPERV_VMBUS=m\n"))
    assert (found.feature("vmbus").state, found.defects, found.grade) == ("module", (), "good")
    assert (
        judged(facts, installed("6.18.3", CONFIG + "CONFIG_HYPERV_VMBUS=y\n", None)).feature("vmbus").state == "builtin"
    )


def test_before_6_18_one_symbol_is_enough(facts: GuestFacts) -> None:
    found = judged(facts, installed("6.17.12", CONFIG))
    assert (found.feature("vmbus").state, found.defects) == ("module", ())


@pytest.mark.parametrize("version", ["6.12.107+deb13-amd64", "6.18.3", "local"])
def test_a_kernel_for_a_higher_trust_level_is_no_guest(version: str, facts: GuestFacts) -> None:
    found = judged(facts, installed(version, CONFIG + "CONFIG_HYPERV_VMBUS=m\nCONFIG_HYPERV_VTL_MODE=y\n"))
    assert ids(found) == ["vtl-mode"]
    assert (found.defects[0].is_certain, found.grade) == (True, "unusable")


# -- versions


@pytest.mark.parametrize(
    ("version", "package", "has_it"),
    [
        ("6.1.0-0.deb11.21-amd64", "6.1.90-1~bpo11+1", True),
        ("6.1.0-21-amd64", "6.1.90-1", True),
        ("6.1.0-29-amd64", "6.1.123-1", False),
        ("6.1.0-28-amd64", "6.1.119-1", True),
        ("6.1.0-50-amd64", "6.1.176-1", False),
        ("5.10.0-33-amd64", "5.10.226-1", True),
        ("5.10.0-34-amd64", "5.10.234-1", False),
        ("4.19.0-27-amd64", "4.19.316-1", True),
        ("4.8.0-2-amd64", "4.8.15-2", False),
        ("3.16.0-11-amd64", "3.16.84-1", False),
        ("6.12.6-amd64", "6.12.6-1", True),
        ("6.12.8-amd64", "6.12.8-1", False),
        ("6.13-rc1-amd64", "6.13~rc1-1~exp1", False),
    ],
)
def test_the_version_of_the_package_decides(version: str, package: str, has_it: bool) -> None:
    found = [defect for defect in kernel_support.defects_of(version, package) if defect.id == "kvp-early-daemon"]
    assert [defect.is_certain for defect in found] == ([True] if has_it else [])


@pytest.mark.parametrize(
    ("version", "certain"),
    [
        ("6.1.0-21-amd64", [False]),  # some 6.1, as far as its name tells
        ("4.19.0-27-amd64", [True]),  # no 4.19 is any better
        ("3.16.0-11-amd64", []),
        ("6.1.90", [True]),
        ("6.1.121", [True]),
        ("6.1.122", []),
        ("6.1.130-custom", []),
        ("6.12.5+deb13-amd64", [True]),
        ("6.12.107+deb13-amd64", []),
        ("6.7-rc3", []),
        ("6.7.0", [True]),
        ("something", []),
    ],
)
def test_without_a_package_the_name_tells_what_it_can(version: str, certain: list[bool]) -> None:
    found = [defect for defect in kernel_support.defects_of(version) if defect.id == "kvp-early-daemon"]
    assert [defect.is_certain for defect in found] == certain


def test_a_defect_says_in_which_version_it_is_gone_and_who_says_so() -> None:
    (found,) = [one for one in kernel_support.defects_of("6.1.0-21-amd64", "6.1.90-1") if one.severity == "warning"]
    assert (found.fixed_in, found.is_certain) == ("6.1.122", True)
    assert "CVE-2024-55916; upstream commit 07a756a4" in found.sources


def test_a_defect_of_hv_utils_is_none_of_a_kernel_without(facts: GuestFacts) -> None:
    without = installed(
        "4.19.0-27-amd64", CONFIG.replace("CONFIG_HYPERV_UTILS=m", ""), DEP.replace("hv_utils", "other")
    )
    assert ids(judged(facts, without)) == []
    assert ids(judged(facts, installed("4.19.0-27-amd64", CONFIG))) == ["kvp-early-daemon"]


def test_4_9_is_only_bad_for_32_bits() -> None:
    def names(version: str, architecture: str) -> list[str]:
        return [one.id for one in kernel_support.defects_of(version, None, architecture) if one.severity == "error"]

    assert names("4.9.0-19-686-pae", "i386") == ["i386-no-ide-disk"]
    assert names("4.9.0-19-amd64", "amd64") == []
    assert names("4.19.0-27-686-pae", "i386") == []
    assert names("3.16.0-11-686-pae", "i386") == []


def test_only_realtime_kernels_sleep_in_the_disk_driver() -> None:
    def names(version: str, package: str) -> list[str]:
        return [one.id for one in kernel_support.defects_of(version, package) if one.severity == "warning"]

    assert names("6.1.0-44-rt-amd64", "6.1.164-1") == ["rt-storage-sleeps"]
    assert names("6.1.0-44-amd64", "6.1.164-1") == []
    assert names("6.1.0-47-rt-amd64", "6.1.170-1") == []


def test_hosts_of_2008_ask_for_an_older_kernel(facts: GuestFacts) -> None:
    assert kernel_support.defects_of("6.1.0-50-amd64", "6.1.176-1", "amd64", "6.1.7601-17514-1-0") != ()
    assert kernel_support.defects_of("6.1.0-50-amd64", "6.1.176-1", "amd64", "10.0.20348-3020-3-0") == ()
    assert kernel_support.defects_of("5.10.0-34-amd64", "5.10.234-1", "amd64", "6.1.7601-17514-1-0") == ()
    old_host = dataclasses.replace(
        facts, hypervisor=dataclasses.replace(facts.hypervisor, host_build="6.1.7601-17514-1-0")
    )
    found = advised(old_host, installed(VERSION, CONFIG, package="6.1.176-1"))
    assert (found.action, found.kernel, found.package) == ("build", None, None)
    assert any("stay below 5.19" in reason for reason in found.reasons)


def test_a_kernel_of_the_staging_tree_is_of_little_use(facts: GuestFacts) -> None:
    found = judged(facts, installed("2.6.32-5-amd64", CONFIG, package="2.6.32-48squeeze20"))
    assert (ids(found), found.grade, found.series) == (["staging-drivers"], "limited", "2.6.32")


# -- grade and origin


@pytest.mark.parametrize(
    ("gone", "grade"),
    [("hv_vmbus", "unusable"), ("hv_storvsc", "unusable"), ("hv_netvsc", "limited"), ("tulip", "good")],
)
def test_without_disks_it_is_no_use_and_without_a_network_of_little(gone: str, grade: str, facts: GuestFacts) -> None:
    found = judged(facts, installed(VERSION, CONFIG, DEP.replace(f"kernel/{gone}.ko:\n", "")))
    assert found.grade == grade
    assert (grade == "good") != any(reason.startswith("lacks ") for reason in found.reasons)


def test_rarely_mattering_and_possible_defects_do_not_count(facts: GuestFacts) -> None:
    assert judged(facts, installed(VERSION, CONFIG, package="6.1.135-1")).grade == "good"
    possible = judged(facts, installed(VERSION, CONFIG))
    assert (possible.grade, "kvp-early-daemon" in ids(possible)) == ("good", True)
    assert judged(facts, installed(VERSION, CONFIG, package="6.1.90-1")).grade == "limited"


@pytest.mark.parametrize(
    ("version", "package", "origin", "flavour"),
    [
        ("6.1.0-50-amd64", "6.1.176-1", "release", "amd64"),
        ("6.1.0-50-cloud-amd64", "6.1.176-1", "release", "cloud-amd64"),
        ("6.12.117+deb12-amd64", "6.12.117-1~deb12u1", "release", "amd64"),
        ("6.12.22+bpo-rt-amd64", "6.12.22-1~bpo12+1", "backports", "rt-amd64"),
        ("5.10.0-34-amd64", "5.10.234-1", "other", "amd64"),
        ("6.1.0-50-amd64", "", "unknown", "amd64"),
        ("6.18.3", "6.18.3-1", "own", None),
        ("6.18.3-mine", "", "own", None),
    ],
)
def test_where_a_kernel_is_from(
    version: str, package: str, origin: str, flavour: str | None, facts: GuestFacts
) -> None:
    found = judged(facts, installed(version, CONFIG, package=package))
    assert (found.origin, found.flavour) == (origin, flavour)


# -- advice


def test_what_is_good_enough_stays(facts: GuestFacts) -> None:
    found = advised(facts, installed(VERSION, CONFIG, package="6.1.176-1"))
    assert (found.action, found.kernel, found.package, found.services) == ("keep", VERSION, None, "release")


def test_another_installed_kernel_is_the_nearest_remedy(facts: GuestFacts) -> None:
    bad, good = installed("6.1.0-21-amd64", CONFIG, package="6.1.90-1"), installed(VERSION, CONFIG, package="6.1.176-1")
    found = advised(facts, bad, good)
    assert (found.action, found.kernel) == ("switch", VERSION)
    assert found.reasons[0] == "kernel 6.1.0-21-amd64 has shortcomings on Hyper-V"


def test_an_update_of_the_release_is_next(facts: GuestFacts) -> None:
    found = advised(facts, installed("6.1.0-21-amd64", CONFIG, package="6.1.90-1"))
    assert (found.action, found.package) == ("newer", "linux-image-amd64")


def test_a_release_may_have_a_newer_series_beside_its_own(facts: GuestFacts) -> None:
    old = installed("4.9.0-19-686-pae", CONFIG, package="4.9.320-2")
    found = advised(facts, old, release="9", architecture="i386")
    assert (found.action, found.package) == ("newer", "linux-image-4.19-686-pae")


def test_backports_help_the_oldest(facts: GuestFacts) -> None:
    old = installed("2.6.32-5-amd64", CONFIG, package="2.6.32-48squeeze20")
    found = advised(facts, old, release="6")
    assert (found.action, found.package, found.services) == ("backports", "linux-image-amd64", "unavailable")


def test_what_nothing_cures_is_kept_with_the_reasons(facts: GuestFacts) -> None:
    found = advised(facts, installed("4.19.0-27-amd64", CONFIG, package="4.19.316-1"), release="10")
    assert (found.action, found.kernel) == ("keep", "4.19.0-27-amd64")
    assert any("starts before hv_utils" in reason for reason in found.reasons)
    assert any("no kernel of this release" in reason for reason in found.reasons)


def test_a_kernel_of_ones_own_that_does_not_do_gives_way_to_debians(facts: GuestFacts) -> None:
    own = installed("6.18.3", "CONFIG_HYPERV=y\n# CONFIG_HYPERV_VMBUS is not set\n", "kernel/x.ko:\n")
    found = advised(facts, own, release="13")
    assert (found.action, found.package) == ("newer", "linux-image-amd64")
    assert "build it with CONFIG_HYPERV_VMBUS, or install a kernel of Debian" in found.reasons


def test_where_debian_has_no_kernel_one_is_built(facts: GuestFacts) -> None:
    bare = installed("6.1.0-50-686-pae", "# CONFIG_HYPERV is not set\n", "kernel/x.ko:\n", package="6.1.192-2")
    assert advised(facts, bare, release="13", architecture="i386").action == "build"
    assert advised(facts, bare, release="99").action == "build"
    assert advised(facts, bare, release="12", architecture="i386").package == "linux-image-6.12-686-pae"


def test_a_guest_without_a_kernel_gets_one(facts: GuestFacts) -> None:
    empty = dataclasses.replace(facts, kernels=(), boot=dataclasses.replace(facts.boot, entries=()))
    found = kernel_support.advise(empty, ())
    assert (found.action, found.package) == ("newer", "linux-image-amd64")


def test_where_it_is_not_known_what_starts_the_worst_counts(facts: GuestFacts) -> None:
    kernels = (installed("6.1.0-21-amd64", CONFIG, package="6.1.90-1"), installed(VERSION, CONFIG, package="6.1.176-1"))
    several = with_kernels(facts, *kernels)
    entries = tuple(dataclasses.replace(entry, is_default=False) for entry in several.boot.entries)
    several = dataclasses.replace(several, boot=dataclasses.replace(several.boot, entries=entries))
    assert kernel_support.advise(several, kernel_support.judge(several)).action == "switch"


def test_releases_are_in_order_and_their_kernels_never_older_than_the_one_before() -> None:
    numbers = [release.number for release in debian_kernels.RELEASES]
    assert numbers == sorted(set(numbers)) == list(range(6, 14))
    for release in debian_kernels.RELEASES:
        assert release.supported_until < release.lts_until < (release.extended_until or "9999")


# -- findings


LEGACY = Nic("eth0", "00:15:5d:01:02:03", "tulip", "legacy", "pci", "up", None)
CLOUD = "6.1.0-50-cloud-amd64"
NO_TULIP = DEP.replace("kernel/tulip.ko:\n", "")
CLOUD_CONFIG = CONFIG.replace("CONFIG_TULIP=m\n", "# CONFIG_NET_VENDOR_DEC is not set\n")


def findings(facts: GuestFacts) -> list[tuple[str, str, str, bool]]:
    found = kernel_support.find(facts, kernel_support.judge(facts))
    return [(one.id, one.severity, one.subject, one.blocks) for one in found]


def cloud(package: str = "6.1.176-1") -> Kernel:
    return installed(CLOUD, CLOUD_CONFIG, NO_TULIP, package=package)


def test_a_cloud_kernel_and_a_legacy_adapter_do_not_go_together(facts: GuestFacts) -> None:
    guest = dataclasses.replace(with_kernels(facts, cloud()), nics=(LEGACY,))
    assert findings(guest) == [("kernel.no-legacy-driver", "error", CLOUD, False)]
    advice = kernel_support.advise(guest, kernel_support.judge(guest))
    assert (advice.action, advice.package) == ("newer", "linux-image-amd64")


def test_the_kernel_beside_it_has_the_driver(facts: GuestFacts) -> None:
    guest = with_kernels(facts, cloud(), installed(VERSION, CONFIG, package="6.1.176-1"))
    guest = dataclasses.replace(guest, nics=(LEGACY,))
    advice = kernel_support.advise(guest, kernel_support.judge(guest))
    assert (advice.action, advice.kernel) == ("switch", VERSION)


def test_with_a_synthetic_adapter_a_cloud_kernel_is_fine(facts: GuestFacts) -> None:
    synthetic = dataclasses.replace(LEGACY, name="eth1", kind="synthetic", driver="hv_netvsc")
    assert findings(dataclasses.replace(with_kernels(facts, cloud()), nics=(LEGACY, synthetic))) == []
    assert findings(with_kernels(facts, cloud())) == []


def test_a_configuration_that_waits_for_the_legacy_adapter_counts(facts: GuestFacts) -> None:
    connection = Connection("ethernet", "lan", drivers=("tulip",))
    waiting = ConfiguredConnection("systemd-networkd", "/etc/systemd/network/lan.network", connection)
    guest = dataclasses.replace(with_kernels(facts, cloud()), connections=(waiting,))
    assert findings(guest) == [("kernel.no-legacy-driver", "error", CLOUD, False)]


def test_a_defect_of_the_default_kernel_is_told_with_its_source(facts: GuestFacts) -> None:
    guest = with_kernels(facts, installed("6.1.0-21-amd64", CONFIG, package="6.1.90-1"))
    assert findings(guest) == [("kernel.known-defect", "warning", "6.1.0-21-amd64", False)]
    (found,) = kernel_support.find(guest, kernel_support.judge(guest))
    assert "CVE-2024-55916" in found.message
    assert "(fixed in 6.1.122)" in found.message


def test_of_other_kernels_only_what_keeps_them_from_starting_is_told(facts: GuestFacts) -> None:
    good, limited = (
        installed(VERSION, CONFIG, package="6.1.176-1"),
        installed("6.1.0-21-amd64", CONFIG, package="6.1.90-1"),
    )
    own = installed("6.17.1", CONFIG + "CONFIG_HYPERV_VTL_MODE=y\n")
    assert findings(with_kernels(facts, good, limited, own)) == [("kernel.known-defect", "warning", "6.17.1", False)]
    assert findings(with_kernels(facts, own, good)) == [("kernel.known-defect", "error", "6.17.1", True)]


def test_a_kernel_that_no_menu_offers_is_not_spoken_of(tmp_path: pathlib.Path) -> None:
    left = "6.1.0-21-amd64"
    changes = debian("12", "amd64", (left, "6.1.90-1")) + kernel(left, FULL) + small_guest.grub(entry(VERSION))
    assert findings(small_guest.look(tmp_path, changes)) == []
