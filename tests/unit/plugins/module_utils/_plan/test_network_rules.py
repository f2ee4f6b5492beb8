# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.rehost.hyperv.plugins.module_utils._facts.model import TextFile
from ansible_collections.rehost.hyperv.plugins.module_utils._formats import udev_rules
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import network_rules
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.network_rules import Naming
from hypothesis import given
from hypothesis import strategies as st

MAC = "00:16:3e:00:00:01"
MAC_2 = "00:15:5d:00:00:02"
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,14}", fullmatch=True)
MACS = st.lists(st.from_regex(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", fullmatch=True), max_size=3, unique=True).map(tuple)


@given(st.lists(st.builds(Naming, NAMES, MACS), max_size=4))
def test_what_the_rules_say_is_read_back(names: list[Naming]) -> None:
    text = network_rules.render(names)
    assert network_rules.parse(text) == tuple(names)
    assert all(rule.is_valid for rule in udev_rules.rules(udev_rules.parse(text)))


def test_other_rules_give_no_names() -> None:
    text = 'SUBSYSTEM=="net", ATTR{address}=="00:16:3e:00:00:01", NAME="eth0"\n'
    assert network_rules.parse(text) == ()
    assert network_rules.given([TextFile("/etc/udev/rules.d/70-persistent-net.rules", text)]) == ()


def test_names_by_address_are_those_of_rules_that_are_not_ours() -> None:
    rule = f'SUBSYSTEM=="net", ACTION=="add", ATTR{{address}}=="{MAC.upper()}", KERNEL=="eth*", NAME="eth1"\n'
    old = 'SUBSYSTEM=="net", SYSFS{address}=="00:15:5d:00:00:02", NAME="eth2"\n'
    files = [
        TextFile("/etc/udev/rules.d/70-persistent-net.rules", rule + old + 'KERNEL=="eth*", NAME="lan0"\n'),
        TextFile(network_rules.PATH, network_rules.render([Naming("eth0", (MAC, MAC_2))])),
        TextFile("/etc/network/interfaces", rule),
    ]
    assert network_rules.names_by_mac(files) == ((MAC, "eth1"), (MAC_2, "eth2"))


class Adapter:
    """A network adapter in a tree like /sys: its device, with the bus and the driver, and the interface itself."""

    def __init__(self, device: str, bus: str, driver: str, attributes: dict[str, str]) -> None:
        self.device = device
        self.bus = bus
        self.driver = driver
        self.attributes = attributes

    def build(self, sys: pathlib.Path, name: str, index: int, mac: str, kind: str = "1") -> None:
        device = sys / "devices" / self.device
        net = device / "net" / name
        net.mkdir(parents=True)
        for path in (sys / f"bus/{self.bus}/devices", sys / f"bus/{self.bus}/drivers/{self.driver}", sys / "class/net"):
            path.mkdir(parents=True, exist_ok=True)
        (device / "uevent").write_text(f"DRIVER={self.driver}\n")
        for attribute, value in self.attributes.items():
            (device / attribute).write_text(value + "\n")
        (device / "driver").symlink_to(os.path.relpath(sys / f"bus/{self.bus}/drivers/{self.driver}", device))
        (device / "subsystem").symlink_to(os.path.relpath(sys / f"bus/{self.bus}", device))
        (sys / f"bus/{self.bus}/devices" / device.name).symlink_to(
            os.path.relpath(device, sys / f"bus/{self.bus}/devices")
        )
        (net / "uevent").write_text(f"INTERFACE={name}\nIFINDEX={index}\n")
        for attribute, value in (("address", mac), ("type", kind), ("ifindex", str(index)), ("dev_id", "0x0")):
            (net / attribute).write_text(value + "\n")
        (net / "subsystem").symlink_to(os.path.relpath(sys / "class/net", net))
        (net / "device").symlink_to("../..")
        (sys / "class/net" / name).symlink_to(os.path.relpath(net, sys / "class/net"))


NETWORK_CLASS = "{f8615163-df3e-46c5-913f-f2d2f965ed0e}"
VMBUS = "LNXSYSTM:00/LNXSYBUS:00/VMBUS:00"
SYNTHETIC = Adapter(f"{VMBUS}/00155d00-aa", "vmbus", "hv_netvsc", {"class_id": NETWORK_CLASS, "vendor": "0x1414"})
LEGACY = Adapter("pci0000:00/0000:00:0a.0", "pci", "tulip", {"vendor": "0x1011", "device": "0x0009"})
XEN = Adapter("vif-0", "xen", "vif", {"devtype": "vif"})
FUNCTION = Adapter(f"{VMBUS}/44c4f61d-bb/pci0001:00/0001:00:02.0", "pci", "mlx5_core", {"vendor": "0x15b3"})
EMULATED = Adapter("pci0000:00/0000:00:03.0", "pci", "e1000", {"vendor": "0x8086", "device": "0x100e"})


def named_by_udev(path: pathlib.Path, rules: str, name: str) -> tuple[str | None, list[str]]:
    """The name that the real udev gives to an interface of a tree like /sys, and what it runs: in a mount and a
    network namespace of its own, where the tree lies over /sys and these rules are the only ones beside
    80-net-setup-link.rules."""
    (path / "rules").mkdir(exist_ok=True)
    (path / "rules/71-rehost-hyperv-net.rules").write_text(rules)
    (path / "rules/80-net-setup-link.rules").write_text(
        'SUBSYSTEM=="net", NAME=="", NAME="predictable0"\n'  # as that of systemd does with a name that is not set
    )
    mounts = ("--bind rules /usr/lib/udev/rules.d", "-t tmpfs none /etc/udev", "-t tmpfs none /run", "--bind sys /sys")
    script = " && ".join([f"mount {mount}" for mount in ("--make-rprivate /", *mounts)])
    script += f" && exec udevadm test --action=add /sys/class/net/{name}"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", script],
        cwd=path,
        env=dict(os.environ, SYSTEMD_LOG_LEVEL="debug", SYSTEMD_DEVICE_VERIFY_SYSFS="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        check=False,
    )
    found = None
    for line in done.stdout.splitlines():
        if " NAME '" in line:
            found = line.split(" NAME '")[1].split("'")[0]
    runs = [line.split("run: ", 1)[1] for line in done.stdout.splitlines() if line.startswith("run: ")]
    assert "71-rehost-hyperv-net.rules" in done.stdout or found, done.stdout
    return found, runs


needs_udev = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("udevadm") is None or shutil.which("unshare") is None,
    reason="needs root, udev and mount namespaces",
)


@needs_udev
@pytest.mark.parametrize(
    ("adapter", "mac", "expected"),
    [
        (SYNTHETIC, MAC, "lan0"),
        (LEGACY, MAC, "lan0"),
        (XEN, MAC, "lan0"),
        (FUNCTION, MAC, "predictable0"),
        (EMULATED, MAC, "predictable0"),
    ],
)
def test_udev_names_the_one_adapter_and_leaves_others_alone(
    adapter: Adapter, mac: str, expected: str, tmp_path: pathlib.Path
) -> None:
    adapter.build(tmp_path / "sys", "eth0", 70001, mac)
    assert named_by_udev(tmp_path, network_rules.render([Naming("lan0")]), "eth0")[0] == expected


@needs_udev
@pytest.mark.parametrize(
    ("adapter", "mac", "expected"),
    [
        (SYNTHETIC, MAC_2, "lan1"),
        (SYNTHETIC, MAC, "lan0"),
        (XEN, MAC, "lan0"),
        (XEN, "00:16:3e:ff:ff:ff", "predictable0"),
    ],
)
def test_udev_tells_several_adapters_apart_by_their_addresses(
    adapter: Adapter, mac: str, expected: str, tmp_path: pathlib.Path
) -> None:
    adapter.build(tmp_path / "sys", "eth0", 70001, mac)
    rules = network_rules.render([Naming("lan0", (MAC,)), Naming("lan1", ("00:16:3e:00:00:09", MAC_2))])
    assert named_by_udev(tmp_path, rules, "eth0")[0] == expected


@needs_udev
def test_in_udev_the_legacy_adapter_steps_back_for_the_synthetic_one_with_its_address(tmp_path: pathlib.Path) -> None:
    LEGACY.build(tmp_path / "sys", "eth0", 70001, MAC)
    rules = network_rules.render([Naming("lan9", (MAC_2,)), Naming("lan0", (MAC, MAC_2))])
    assert named_by_udev(tmp_path, rules, "eth0")[0] == "lan0"
    SYNTHETIC.build(tmp_path / "sys", "eth1", 70002, MAC_2)
    name, runs = named_by_udev(tmp_path, rules, "eth0")
    assert name == "legacy1"
    assert [("/sys/class/net/lan0" in run, "echo add >$u" in run) for run in runs] == [(True, True)]


@needs_udev
def test_in_udev_the_legacy_adapter_steps_back_when_the_kernel_can_drive_a_synthetic_one(
    tmp_path: pathlib.Path,
) -> None:
    LEGACY.build(tmp_path / "sys", "eth0", 70001, MAC)
    SYNTHETIC.build(tmp_path / "sys", "eth1", 70002, MAC_2)
    can_drive = subprocess.run(["modprobe", "-n", "-q", "hv_netvsc"], check=False).returncode == 0
    rules = network_rules.render([Naming("eth0")])
    assert named_by_udev(tmp_path, rules, "eth0")[0] == ("legacy0" if can_drive else "eth0")


def run_shell(path: pathlib.Path, text: str, program: str) -> int:
    """A command of the rules as udev gives it to the shell, in a tree that lies beside."""
    script = text.split(f"{program}\"/bin/sh -c '")[1].split("'", 1)[0].replace("$$", "$")
    script = script.replace("/sys/", f"{path}/sys/").replace("/sbin/modprobe -n -q hv_netvsc", "true")
    return subprocess.run(["sh", "-c", script], check=False, stderr=subprocess.DEVNULL).returncode


def test_the_synthetic_adapter_asks_the_legacy_one_only_for_a_name_that_that_one_bears(tmp_path: pathlib.Path) -> None:
    text = network_rules.render([Naming("eth0")]).splitlines()[4]
    sys = tmp_path / "sys"
    SYNTHETIC.build(sys, "eth1", 2, MAC_2)
    assert run_shell(tmp_path, text, "RUN+=") == 0
    LEGACY.build(sys, "eth0", 1, MAC)
    assert run_shell(tmp_path, text, "RUN+=") == 0
    assert (sys / "class/net/eth0/uevent").read_text() == "add\n"
    assert (sys / "class/net/eth1/uevent").read_text() != "add\n"


def test_the_legacy_adapter_asks_the_synthetic_ones_once_the_name_is_free(tmp_path: pathlib.Path) -> None:
    text = network_rules.render([Naming("eth0")]).splitlines()[6]
    sys = tmp_path / "sys"
    LEGACY.build(sys, "legacy0", 1, MAC)
    assert run_shell(tmp_path, text, "RUN+=") == 0  # there is none to ask
    assert run_shell(tmp_path, text, "PROGRAM==") != 0
    SYNTHETIC.build(sys, "eth1", 2, MAC_2)
    assert run_shell(tmp_path, text, "PROGRAM==") == 0
    assert run_shell(tmp_path, text, "RUN+=") == 0
    assert (sys / "class/net/eth1/uevent").read_text() == "add\n"
    (sys / "class/net/eth1/uevent").write_text("")
    EMULATED.build(sys, "eth0", 3, MAC)
    assert run_shell(tmp_path, text, "RUN+=") == 0
    assert (sys / "class/net/eth1/uevent").read_text() == ""
