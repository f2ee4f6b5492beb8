# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import modules_dep
from hypothesis import given
from hypothesis import strategies as st

DEP = """\
kernel/drivers/hv/hv_vmbus.ko.xz:
kernel/drivers/scsi/hv_storvsc.ko.xz: kernel/drivers/scsi/scsi_transport_fc.ko.xz kernel/drivers/scsi/scsi_mod.ko.xz \
kernel/drivers/scsi/scsi_common.ko.xz kernel/drivers/hv/hv_vmbus.ko.xz
kernel/drivers/scsi/scsi_transport_fc.ko.xz: kernel/drivers/scsi/scsi_mod.ko.xz kernel/drivers/scsi/scsi_common.ko.xz
kernel/drivers/scsi/scsi_mod.ko.xz: kernel/drivers/scsi/scsi_common.ko.xz
kernel/drivers/scsi/scsi_common.ko.xz:
kernel/drivers/net/xen-netfront.ko.zst: kernel/lost.ko
"""
SQUEEZE = """\
/lib/modules/2.6.32-5-amd64/kernel/drivers/staging/hv/hv_storvsc.ko: /lib/modules/2.6.32-5-amd64/kernel/drivers/staging/hv/hv_vmbus.ko
/lib/modules/2.6.32-5-amd64/kernel/drivers/staging/hv/hv_vmbus.ko:
"""  # noqa: E501
BUILTIN = "kernel/drivers/ata/libata.ko\nkernel/drivers/clocksource/hyperv-timer.ko\n"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kernel/drivers/scsi/sd_mod.ko.xz", "sd_mod"),
        ("kernel/drivers/net/xen-netfront.ko", "xen_netfront"),
        ("/lib/modules/2.6.32-5-amd64/kernel/fs/ext3/ext3.ko", "ext3"),
        ("a.ko.gz", "a"),
        ("updates/dkms/v.2.ko.zst", "v.2"),
        ("modules.dep", None),
        ("a.ko.sig", None),
        ("", None),
    ],
)
def test_a_module_is_named_by_its_file(path: str, name: str | None) -> None:
    assert modules_dep.name_of(path) == name


def test_dependencies_come_before_what_needs_them() -> None:
    closure = modules_dep.read(DEP, BUILTIN).closure(["hv-storvsc"])
    assert [module.name for module in closure.modules] == [
        "hv_vmbus",
        "scsi_common",
        "scsi_mod",
        "scsi_transport_fc",
        "hv_storvsc",
    ]
    assert (closure.builtin, closure.unknown) == ((), ())


def test_builtin_and_unknown_names_are_told_apart() -> None:
    modules = modules_dep.read(DEP, BUILTIN)
    closure = modules.closure(["libata", "hyperv_timer", "hv_blkvsc", "xen_netfront"])
    assert [module.name for module in closure.modules] == ["xen_netfront"]
    assert closure.builtin == ("libata", "hyperv_timer")
    assert closure.unknown == ("hv_blkvsc", "lost")
    assert modules.knows("hyperv-timer")
    assert modules.knows("hv_vmbus")
    assert not modules.knows("hv_blkvsc")


def test_absolute_paths_without_a_list_of_builtin_modules_are_read() -> None:
    modules = modules_dep.read(SQUEEZE)
    assert [module.name for module in modules.closure(["hv_storvsc"]).modules] == ["hv_vmbus", "hv_storvsc"]
    assert modules.by_name["hv_vmbus"].path.startswith("/lib/modules/2.6.32-5-amd64/")
    assert modules.builtin == frozenset()


def test_a_cycle_ends() -> None:
    closure = modules_dep.read("a.ko: b.ko\nb.ko: c.ko a.ko\nc.ko: c.ko\n").closure(["a", "b"])
    assert sorted(module.name for module in closure.modules) == ["a", "b", "c"]


def test_a_chain_of_any_length_is_followed() -> None:
    text = "".join(f"m{n}.ko: m{n + 1}.ko\n" for n in range(20_000)) + "m20000.ko:\n"
    assert len(modules_dep.read(text).closure(["m0"]).modules) == 20_001


def test_soft_dependencies_and_aliases_are_read() -> None:
    assert modules_dep.soft_dependencies("# x\nsoftdep a-b pre: c-d e post: f\nsoftdep a_b pre: g\nsoftdep x\n") == {
        "a_b": ("c_d", "e", "f", "g")
    }
    aliases = modules_dep.aliases(
        "# x\nalias vmbus:635161f83edfc546913ff2d2f965ed0e hv_netvsc\nalias pci:v*d* tu-lip\n"
    )
    assert modules_dep.modules_for(aliases, "vmbus:635161f83edfc546913ff2d2f965ed0e") == ("hv_netvsc",)
    assert modules_dep.modules_for(aliases, "pci:v00001011d00000009sv") == ("tu_lip",)
    assert modules_dep.modules_for(aliases, "usb:v1d") == ()


NAME = st.sampled_from("abcdef")
GRAPH = st.dictionaries(NAME, st.lists(NAME, max_size=4))


@given(GRAPH, st.lists(NAME))
def test_a_closure_is_what_can_be_reached(graph: dict[str, list[str]], names: list[str]) -> None:
    text = "".join(f"{name}.ko: {' '.join(f'{item}.ko' for item in needs)}\n" for name, needs in graph.items())
    closure = modules_dep.read(text, "f.ko\n").closure(names)
    reached = set(names)
    while True:
        more = reached | {item for name in reached for item in graph.get(name, ())}
        if more == reached:
            break
        reached = more
    assert {module.name for module in closure.modules} == reached & set(graph)
    assert set(closure.builtin) == (reached - set(graph)) & {"f"}
    assert set(closure.unknown) == reached - set(graph) - {"f"}
    assert len(closure.modules) == len(set(closure.modules))


@given(st.text(), st.text() | st.none())
def test_no_text_is_an_error(dep: str, builtin: str | None) -> None:
    modules = modules_dep.read(dep, builtin)
    modules.closure(modules.by_name)
    modules_dep.soft_dependencies(dep)
    modules_dep.aliases(dep)
