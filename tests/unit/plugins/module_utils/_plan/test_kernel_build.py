# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kernel is built with, and what has become of the wanted symbols."""

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._catalog import kernel_profiles
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError, MalformedError
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import kconfig, kernel_config
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import kernel_build
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.kernel_build import Wanted

KCONFIG = """
config NET
\tbool "Networking"
config CONNECTOR
\ttristate "Connector"
\tdepends on NET
config HYPERV
\ttristate "Hyper-V"
\tselect PARAVIRT
config PARAVIRT
\tbool "Paravirtualization"
config HYPERV_UTILS
\ttristate "Utilities"
\tdepends on HYPERV && CONNECTOR
config UCS2_STRING
\ttristate
config HYPERV_NET
\ttristate "Network"
\tdepends on HYPERV
\tselect UCS2_STRING
config KCMP
\tbool "kcmp" if EXPERT
choice
\tprompt "Compression"
config KERNEL_GZIP
\tbool "gzip"
config KERNEL_XZ
\tbool "xz"
endchoice
config MITIGATION_RETPOLINE
\tbool "Avoid indirect branches"
config NR_CPUS
\tint "Processors"
"""


def definitions() -> dict[str, list[kconfig.Definition]]:
    return {one.symbol: [one] for one in kconfig.read(KCONFIG).definitions}


def lost(symbol: str, value: str, config: str, *, is_optional: bool = False) -> kernel_build.Lost | None:
    wanted = (Wanted(symbol, value, "fragment", is_optional),)
    found = kernel_build.find_lost(wanted, kernel_config.read(config), definitions())
    return found[0] if found else None


def test_a_fragment_is_read_and_written() -> None:
    text = '# why\nCONFIG_HYPERV=y\n\n# CONFIG_SWAP is not set\nCONFIG_AUDIT=n\nCONFIG_NAME="-a b"\nCONFIG_HZ=250\n'
    wanted = kernel_build.read_fragment(text, "fragment")
    assert [(one.symbol, one.value) for one in wanted] == [
        ("HYPERV", "y"),
        ("SWAP", "n"),
        ("AUDIT", "n"),
        ("NAME", '"-a b"'),
        ("HZ", "250"),
    ]
    assert kernel_build.render(wanted) == (
        'CONFIG_HYPERV=y\n# CONFIG_SWAP is not set\n# CONFIG_AUDIT is not set\nCONFIG_NAME="-a b"\nCONFIG_HZ=250\n'
    )


@pytest.mark.parametrize("line", ["HYPERV=y", "CONFIG_HYPERV", "CONFIG_HYPERV=yes", "CONFIG_A=y # b", 'CONFIG_A="b'])
def test_a_line_that_asks_for_nothing_known_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(MalformedError, match="my fragment, line 2") as caught:
        kernel_build.read_fragment(f"\n{line}\n", "my fragment")
    assert caught.value.line == 2


def test_the_last_fragment_wins() -> None:
    first, last = Wanted("A", "y", "profile"), Wanted("A", "m", "fragment")
    assert kernel_build.combine([(first, Wanted("B", "y", "profile")), (last,)]) == (last, Wanted("B", "y", "profile"))


@pytest.mark.parametrize(("value", "config"), [("y", "CONFIG_NET=y"), ("n", ""), ("n", "# CONFIG_NET is not set")])
def test_a_symbol_that_is_as_wanted_is_not_lost(value: str, config: str) -> None:
    assert lost("NET", value, config) is None


def test_an_empty_text_is_as_good_as_none() -> None:
    assert lost("BUILD_SALT", '""', "") is None
    assert lost("NR_CPUS", '"2"', "CONFIG_NR_CPUS=2") is None


def test_an_unmet_dependency_is_named_with_its_state() -> None:
    found = lost("HYPERV_UTILS", "y", "CONFIG_NET=y\nCONFIG_HYPERV=y\n")
    assert found is not None
    assert found.reason == "unmet-dependency"
    assert found.message == (
        "CONFIG_HYPERV_UTILS=y was asked for (fragment), and is n: it depends on CONNECTOR (CONNECTOR is n)"
    )


def test_a_dependency_that_is_a_module_keeps_a_symbol_from_being_built_in() -> None:
    found = lost("HYPERV_UTILS", "y", "CONFIG_HYPERV=m\nCONFIG_CONNECTOR=y\nCONFIG_HYPERV_UTILS=m\n")
    assert found is not None
    assert (found.reason, found.got) == ("unmet-dependency", "m")
    assert "HYPERV (HYPERV is m)" in found.message
    assert lost("HYPERV_UTILS", "m", "CONFIG_HYPERV=m\nCONFIG_CONNECTOR=y\nCONFIG_HYPERV_UTILS=m\n") is None


def test_a_renamed_symbol_is_told_by_its_new_and_its_old_name() -> None:
    found = lost("RETPOLINE", "y", "")
    assert found is not None
    assert (found.reason, "CONFIG_MITIGATION_RETPOLINE" in found.message) == ("renamed", True)


def test_a_symbol_that_no_version_has_is_told() -> None:
    found = lost("NO_SUCH_THING", "y", "")
    assert found is not None
    assert found.reason == "not-in-this-version"


def test_a_profile_may_name_what_a_version_does_not_have_but_not_what_is_unmet() -> None:
    assert lost("NO_SUCH_THING", "y", "", is_optional=True) is None
    assert lost("RETPOLINE", "y", "", is_optional=True) is None
    assert lost("HYPERV_UTILS", "y", "", is_optional=True) is not None


def test_a_symbol_that_only_others_set_is_told_with_those() -> None:
    found = lost("UCS2_STRING", "y", "")
    assert found is not None
    assert (found.reason, "CONFIG_HYPERV_NET" in found.message) == ("no-prompt", True)


def test_a_symbol_that_others_switch_on_is_told_with_those() -> None:
    found = lost("PARAVIRT", "n", "CONFIG_HYPERV=y\nCONFIG_PARAVIRT=y\n")
    assert found is not None
    assert (found.reason, "CONFIG_HYPERV" in found.message) == ("selected", True)


def test_a_prompt_that_is_not_shown_counts_as_a_dependency() -> None:
    found = lost("KCMP", "y", "")
    assert found is not None
    assert (found.reason, "EXPERT" in found.message) == ("unmet-dependency", True)


def test_another_member_of_a_choice_is_told() -> None:
    found = lost("KERNEL_GZIP", "y", "CONFIG_KERNEL_XZ=y\n")
    assert found is not None
    assert found.reason == "choice"


def test_a_number_that_was_not_taken_is_told() -> None:
    found = lost("NR_CPUS", "100000", "CONFIG_NR_CPUS=8192\n")
    assert found is not None
    assert (found.reason, found.got) == ("value", "8192")


@pytest.mark.parametrize("text", [kernel_profiles.HYPERV_GUEST, kernel_profiles.XEN, kernel_profiles.FOREIGN_BASE])
def test_a_profile_is_a_fragment_that_names_each_symbol_once(text: str) -> None:
    symbols = [one.symbol for one in kernel_build.read_fragment(text, "profile")]
    assert len(symbols) == len(set(symbols))


def test_the_small_profile_boots_without_modules() -> None:
    wanted = {one.symbol: one.value for one in kernel_build.read_fragment(kernel_profiles.HYPERV_GUEST, "profile")}
    for symbol in ("HYPERV", "HYPERV_STORAGE", "HYPERV_NET", "TULIP", "BLK_DEV_SD", "EXT4_FS", "EFI_STUB", "DEVTMPFS"):
        assert wanted[symbol] == "y"


@pytest.mark.parametrize(
    ("makefile", "version"),
    [
        ("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 192\nEXTRAVERSION =\nNAME = x\n", "6.1.192"),
        ("VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION = -rc3\n", "6.12.0-rc3"),
    ],
)
def test_the_makefile_says_the_version(makefile: str, version: str) -> None:
    assert kernel_build.source_version(makefile) == version


def test_what_is_no_kernel_has_no_version() -> None:
    with pytest.raises(MalformedError, match="not a kernel's source"):
        kernel_build.source_version("all:\n\tcc a.c\n")


def test_newer_kernels_need_more_packages() -> None:
    old = kernel_build.needed_packages("6.1.192-2", has_certificates=False)
    new = kernel_build.needed_packages("6.12.117-1~deb12u1", has_certificates=False)
    assert set(new) - set(old) == {"debhelper", "libssl-dev"}
    assert "libssl-dev" in kernel_build.needed_packages("6.1.192-2", has_certificates=True)


@pytest.mark.parametrize("suffix", ["hyperv", "-", "", "-Hyper", "-a b", "-a/b", "-a_b"])
def test_a_suffix_that_no_package_can_have_is_refused(suffix: str) -> None:
    with pytest.raises(GuestError, match="cannot end the release"):
        kernel_build.check_suffix(suffix)
    kernel_build.check_suffix("-web.1")


def test_a_build_is_named_after_its_inputs() -> None:
    first = kernel_build.build_key({"a": 1, "b": "x"})
    assert kernel_build.build_key({"b": "x", "a": 1}) == first
    assert kernel_build.build_key({"a": 2, "b": "x"}) != first


def test_progress_only_grows_and_reaches_a_hundred_at_the_end() -> None:
    seen = [kernel_build.percent(step, part / 4) for step, _weight in kernel_build.STEPS for part in range(5)]
    assert seen == sorted(seen)
    assert seen[-1] < 100
    assert sum(weight for _step, weight in kernel_build.STEPS) == 100
    assert kernel_build.percent("compile", 7.0) <= 99


def test_objects_are_counted_in_what_make_prints_and_in_what_it_would_do() -> None:
    printed = ["  CC      init/main.o", "  CC [M]  fs/xfs/xfs_log.o", "  AS      a.o", "  LD      vmlinux.o", "CC a.o"]
    assert [kernel_build.is_compilation(line) for line in printed] == [True, True, True, False, False]
    dry = "echo '  CC      init/main.o';  gcc -c init/main.c\necho '  AR      a.a'\nset -e; echo '  CC [M]  b.o'\n"
    assert kernel_build.announced_objects(dry + dry) == ("init/main.o", "b.o")


def test_what_depmod_cannot_resolve_is_read() -> None:
    said = (
        "depmod: WARNING: /x/lib/modules/6.1.5/kernel/drivers/hid/hid-hyperv.ko needs unknown symbol hid_add_device\n"
        "depmod: WARNING: /x/lib/modules/6.1.5/kernel/drivers/hid/hid-hyperv.ko needs unknown symbol hid_add_device\n"
    )
    assert kernel_build.unresolved(said) == ("hid-hyperv: hid_add_device",)
    assert kernel_build.unresolved("depmod: nothing to say\n") == ()


def test_the_telling_lines_of_a_log_are_found() -> None:
    log = "  CC      a.o\na.c:3:1: error: unknown type\n  CC      b.o\nmake[1]: *** [a.o] Error 1\n"
    assert kernel_build.first_errors(log) == "a.c:3:1: error: unknown type; make[1]: *** [a.o] Error 1"
    assert kernel_build.first_errors("one\ntwo\n") == "one; two"


def test_a_build_knows_nothing_of_its_time_and_host() -> None:
    found = kernel_build.environment(1700000000, "Tue, 14 Nov 2023 22:13:20 +0000")
    assert found["SOURCE_DATE_EPOCH"] == "1700000000"
    assert found["HOSTLDFLAGS"] == "-Wl,--build-id=none"
    assert {"KBUILD_BUILD_TIMESTAMP", "KBUILD_BUILD_USER", "KBUILD_BUILD_HOST", "TZ", "LC_ALL"} <= set(found)
