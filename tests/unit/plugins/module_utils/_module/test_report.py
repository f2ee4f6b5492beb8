# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.gather import gather
from ansible_collections.rehost.hyperv.plugins.module_utils._formats._connection import Connection
from ansible_collections.rehost.hyperv.plugins.module_utils._module import report
from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import clean
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import readiness
from ansible_collections.rehost.hyperv.plugins.module_utils._root import Root
from ansible_collections.rehost.hyperv.tests.unit import guest_tree


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    directory = tmp_path_factory.mktemp("guest")
    guest_tree.build_guest("debian12-hvm", directory)
    return gather(Root(str(directory)))


def test_every_fact_can_be_written_as_json(facts):
    result = clean(report.guest(facts))
    assert json.loads(json.dumps(result)) == result


def test_the_network_is_shown_as_it_is_configured(facts):
    [loopback, ethernet] = clean(report.guest(facts))["connections"]
    assert (loopback["kind"], loopback["stack"]) == ("loopback", "ifupdown")
    assert loopback["path"] == "/etc/network/interfaces"
    assert ethernet["name"] == "enX0"
    assert set(ethernet) == {"stack", "path", *Connection.__dataclass_fields__}


def test_a_kernel_is_shown_with_its_drivers_and_its_image(facts):
    [kernel] = clean(report.guest(facts))["kernels"]
    assert kernel["drivers"]["hv_storvsc"] == "module"
    assert kernel["initramfs"]["path"] == f"/boot/initrd.img-{kernel['version']}"
    assert "xen_blkfront" in kernel["initramfs"]["modules"]
    assert "hv_storvsc" not in kernel["initramfs"]["modules"]


def test_a_kernel_is_shown_with_what_it_has_of_hyper_v(facts):
    [kernel] = clean(report.guest(facts))["kernels"]
    support = kernel["support"]
    assert (support["package_version"], support["origin"], support["grade"]) == ("6.1.176-1", "release", "good")
    assert support["features"]["network"] == {
        "state": "module",
        "module": "hv_netvsc",
        "read_from": "/lib/modules/6.1.0-50-amd64/kernel/drivers/net/hyperv/hv_netvsc.ko",
        "since": "2.6.32",
        "is_needed": True,
    }
    [judged] = clean(report.readiness(readiness.assess(facts)))["kernels"]
    assert judged["support"] == support


def test_the_advice_about_the_kernel_and_the_release_are_shown(facts):
    advice = clean(report.readiness(readiness.assess(facts)))["kernel_advice"]
    assert (advice["action"], advice["kernel"], advice["services"]) == ("keep", "6.1.0-50-amd64", "release")
    release = clean(report.guest(facts))["release_support"]
    assert (release["number"], release["kernel"], release["lts_until"]) == (12, "6.1", "2028-06-30")


def test_pairs_shared_with_the_host_are_not_shown(facts):
    shown = clean(report.guest(facts))
    assert "kvp" not in shown
    assert shown["integration"]["packages"] == []
    assert "/usr/lib/udev/rules.d/z10_xen-vcpu-hotplug.rules" not in shown["integration"]["rules"]


def test_the_default_boot_entry_is_shown(facts):
    boot = clean(report.guest(facts))["boot"]
    assert boot["default"]["is_default"]
    assert boot["default"] in boot["entries"]


def test_a_verdict_gives_reasons_for_both_generations(facts):
    result = clean(report.readiness(readiness.assess(facts)))
    assert json.loads(json.dumps(result)) == result
    [kernel] = result["kernels"]
    assert kernel["generation1"]["boots"] is False
    assert any("hv_storvsc" in why for why in kernel["generation1"]["why"])
    assert any("EFI" in why for why in kernel["generation2"]["why"])
    assert not result["ready"]
