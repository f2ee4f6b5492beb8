# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything in a guest that tells what it runs on. What it all means together is judged by C(_plan.hypervisor)."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._catalog import hypervisor as catalog
from .._catalog import vmbus
from .._root import Root
from .model import Evidence, Hypervisor, Problem, VmbusDevice
from .sysfs import KernelReader

LOGS = ("/var/log/dmesg", "/var/log/kern.log", "/var/log/syslog", "/var/log/messages", "/var/log/kern.log.1")
LOG_TAIL = 8 << 20  # bytes; read of one log
BOOT_LENGTH = 512 << 10  # characters; a boot says what is wanted here within its first 200 KiB
_MENTIONS = 1000  # of a kernel version, that are looked at to find the one that begins a boot
_PREFIX = 200  # characters; what stands before a kernel message in a line
_VALUE = 160  # characters; kept of a line

_DMI = "/sys/class/dmi/id"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\0]")
_SYSLOG = re.compile(r"(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\d[T ]\S+) \S+ ([^\s:\[]+)(?:\[\d+\])?:")
_KERNEL_PREFIX = re.compile(r"(?:^|kernel:|[\]>;])[ \t]*$")
_CGROUP = re.compile(r"/(docker|lxc|lxc\.payload|kubepods|libpod|containerd|crio|garden)(?=[./:\n-])")

# What the kernel says of its hypervisor. Hyper-V's own messages, oldest first: staging drivers of 2.6.32; 2.6.35 to
# 4.14 (HyperV); since then (Hyper-V). drivers/hv, arch/x86/kernel/cpu/mshyperv.c, arch/x86/xen.
_MESSAGES = tuple(
    (re.compile(pattern), kind, points_to)
    for pattern, kind, points_to in (
        (r"Linux version \S*microsoft-standard\S*", "interface", "wsl"),
        (r"Xen version:? \d+\.[\w.-]*\w", "interface", "xen"),
        (r"Booting (?:paravirtualized )?kernel on Xen HVM", "interface", "xen-hvm"),
        (r"Booting (?:paravirtualized )?kernel on Xen PVH", "interface", "xen-pvh"),
        (r"Booting (?:paravirtualized )?kernel on Xen(?! HVM| PVH)", "interface", "xen-pv"),
        (r"Hyper-V: running as root partition", "interface", "hyperv-root"),
        (r"EFI v[\d.]+ by Microsoft", "firmware", "generation-2"),
        (r"hv_vmbus: (?:\S.{0,99}; )?Vmbus version:\d+\.\d+", "bus", "hyperv"),
        (r"hv_vmbus: registering driver \w+", "bus", "hyperv"),
        (r"(?<!No )Windows hypervisor detected", "cpu", "hyperv"),
        (r"tsc: Marking TSC unstable due to running on Hyper-V", "cpu", "hyperv"),
        (r"kvm-clock: Using msrs \w+", "cpu", "kvm"),
    )
)
_DETECTED = re.compile(r"Hypervisor detected: (\w.{0,99})")
_DMI_LINE = re.compile(r"DMI: (\S.{0,199}?), BIOS (.{0,99})")  # bounded, for a log may be anything
_ACPI_TABLE = re.compile(r"ACPI: [A-Z]{4} [^\n(]{0,99}\(v\d+ +(\w+)")
_PCI_DEVICE = re.compile(r"pci [\da-f:.]+: \[([\da-f]{4}:[\da-f]{4})\]")
_CLOCKSOURCE = re.compile(r"Switch(?:ed|ing) to clocksource (\S+)")
_PRIVILEGES = re.compile(r"Hyper-?V: (?:features|privilege flags low) 0x([\da-f]{1,8})(?:, high 0x([\da-f]{1,8}))?")
_BUILD_FIRST = re.compile(r"(?:Host|OS) Build:(\d+)-(\d+)\.(\d+)-(\d+)-(\d+)\.(\d+)")  # up to 5.12
_VERSION_FIRST = re.compile(r"(?:Host|Hypervisor) Build (\d+)\.(\d+)\.(\d+)\.(\d+)-(\d+)-(\d+)")
_PROTOCOL = re.compile(r"Vmbus version:(\d+\.\d+)")


@dataclasses.dataclass(frozen=True)
class KernelLog:
    """What the last boot in a kernel log tells of the hypervisor. Fields as in L{Hypervisor}."""

    evidence: tuple[Evidence, ...] = ()
    host_build: str | None = None
    features: int | None = None
    privileges_high: int | None = None
    vmbus_protocol: str | None = None


def gather(root: Root, note: t.Callable[[Problem], None], kernel_log: str | None = None) -> Hypervisor:
    """What tells on what the guest runs. C(kernel_log) is the running kernel's, where the caller can have it.

    Where it is not given, or has lost its beginning, the newest log in /var/log counts that holds a boot: on a running
    guest only one written to since this boot, because older ones may tell of another hypervisor. Where there is none,
    as without rsyslog, it is the newest file of the journal that holds one; of a guest that is not running only, for
    the kernel of a running one has its log itself.
    """
    reader = KernelReader(root, note)
    log = _read_log(reader, kernel_log or "")
    devices = _vmbus_devices(reader)
    is_running = reader.exists("/sys/class")
    is_uefi = reader.exists("/sys/firmware/efi") if is_running else None
    in_container = list(_container_proofs(reader))
    markers = list(_container_markers(reader)) if is_running else []
    if markers and reader.line("/proc/2/comm") != "kthreadd":
        in_container.extend(markers)  # not in the first PID namespace, or the kernel's own threads would be seen
    return Hypervisor(
        evidence=(
            *_kernel(reader),
            *_efi(is_uefi),
            *_xen(reader),
            *_dmi(reader),
            *_buses(reader, devices),
            *_processor(reader),
            *in_container,
            *(marker for marker in markers if marker not in in_container),
            *_software(reader),
            *log.evidence,
        ),
        host_build=log.host_build,
        features=log.features,
        vmbus_protocol=log.vmbus_protocol,
        is_uefi=is_uefi,
        is_container=bool(in_container),
        vmbus=devices,
        privileges_high=log.privileges_high,
        secure_boot=_secure_boot(reader) if is_uefi else False if is_running else None,
    )


def parse_kernel_log(text: str, source: str = "kernel log") -> KernelLog:
    """Reads the last boot in a log: output of dmesg, syslog, a serial console's capture, /dev/kmsg.

    A log that has lost its beginning is read as one boot.
    """
    start = _last_boot(text)
    boot = _messages(text[-BOOT_LENGTH:] if start is None else text[start : start + BOOT_LENGTH])
    evidence = []

    def add(value: str, points_to: str, kind: str) -> None:
        found = Evidence(source, value.strip()[:_VALUE], points_to, kind)
        if found not in evidence:
            evidence.append(found)

    for pattern, kind, points_to in _MESSAGES:
        match = pattern.search(boot)
        if match:
            add(match.group(), points_to, kind)
    match = _DMI_LINE.search(boot)
    if match:
        for points_to in _machine(match.group(1)):
            add(match.group(), points_to, "trait" if points_to == "physical" else "firmware")
            if points_to == "hyperv":
                add(match.group(), _generation(match.group(2)), "firmware")
    for match in _ACPI_TABLE.finditer(boot):
        if match.group(1) in catalog.ACPI_OEM_IDS:
            add(f"ACPI tables by {match.group(1)}", catalog.ACPI_OEM_IDS[match.group(1)], "bus")
    for match in _PCI_DEVICE.finditer(boot):
        for points_to in catalog.PCI_DEVICES.get(match.group(1), ()):
            add(match.group(), points_to, "bus")
    match = _DETECTED.search(boot)
    if match:
        name = match.group(1)
        names = (points_to for prefix, points_to in catalog.DETECTED_NAMES if name.startswith(prefix))
        add(match.group(), next(names, "virtual"), "cpu")
    for match in list(_CLOCKSOURCE.finditer(boot))[-1:]:
        if match.group(1) in catalog.CLOCKSOURCES:
            add(match.group(), catalog.CLOCKSOURCES[match.group(1)], "cpu")

    features = high = None
    match = _PRIVILEGES.search(boot)
    if match:
        features = int(match.group(1), 16) & 0xFFFF
        high = int(match.group(2), 16) if match.group(2) else None
        add(match.group(), "hyperv" if features & catalog.FEATURE_SYNIC else "hyperv-imitation", "cpu")
        if high is not None and _is_root(high):
            add(match.group(), "hyperv-root", "interface")
    protocol = _PROTOCOL.search(boot)
    return KernelLog(tuple(evidence), _host_build(boot), features, high, protocol.group(1) if protocol else None)


def _is_root(high: int) -> bool:
    """Whether these privileges make a root partition. Without the management of CPUs it is a guest that may have
    guests of its own (L1VH); a confidential guest never is one (hv_identify_partition_type, drivers/hv/hv_common.c)."""
    needed = catalog.HIGH_CREATE_PARTITIONS | catalog.HIGH_CPU_MANAGEMENT
    return high & needed == needed and not high & catalog.HIGH_ISOLATION


def _host_build(boot: str) -> str | None:
    match = _VERSION_FIRST.search(boot)
    if match:
        return "{}.{}.{}.{}-{}-{}".format(*match.groups())
    match = _BUILD_FIRST.search(boot)
    if match:
        build, major, minor, service_pack, branch, number = match.groups()
        return f"{major}.{minor}.{build}.{number}-{service_pack}-{branch}"
    return None


def _read_log(reader: KernelReader, kernel_log: str) -> KernelLog:
    if _last_boot(kernel_log) is not None:
        return parse_kernel_log(kernel_log)
    booted = re.search(r"^btime (\d+)$", reader.content("/proc/stat"), re.MULTILINE)
    earliest = int(booted.group(1)) if booted else 0
    written = [(reader.mtime(path), path) for path in LOGS]
    current = [(time, path) for time, path in written if time is not None and time >= earliest]
    for _time, path in sorted(current, key=lambda item: -item[0]):
        text = reader.tail(path, LOG_TAIL)
        if _last_boot(text) is not None:
            return parse_kernel_log(text, path)
    if not reader.root.is_live:
        from . import journal  # only where there is nothing else

        found = journal.last_boot(reader)
        if found is not None:
            return parse_kernel_log(found.text, found.path)
    return parse_kernel_log(kernel_log)


def _last_boot(text: str) -> int | None:
    """Where the line begins with which the last boot does."""
    found = len(text)
    for _mention in range(_MENTIONS):
        found = text.rfind("Linux version ", 0, found)
        if found < 0:
            return None
        start = text.rfind("\n", max(0, found - _PREFIX), found) + 1 or max(0, found - _PREFIX)
        prefix = _ESCAPE.sub("", text[start:found])
        syslog = _SYSLOG.match(prefix)
        if (syslog is None or syslog.group(1) == "kernel") and _KERNEL_PREFIX.search(prefix):
            return start
    return None


def _messages(text: str) -> str:
    """The log without terminal escapes, and without what programs have written to syslog."""
    lines = []
    for line in _ESCAPE.sub("", text).split("\n"):
        syslog = _SYSLOG.match(line)
        if syslog is None or syslog.group(1) == "kernel":
            lines.append(line)
    return "\n".join(lines)


def _kernel(reader: KernelReader) -> t.Iterator[Evidence]:
    path = "/proc/sys/kernel/osrelease"
    release = reader.line(path) or ""
    if catalog.WSL2_KERNEL in release:
        yield Evidence(path, release, "wsl", "interface")
    if release.endswith("-azure"):
        yield Evidence(path, release, "azure", "software")


def _secure_boot(reader: KernelReader) -> bool | None:
    """UEFI 2.10, section 3.3 (SecureBoot); shim's MokSBStateRT is 1 where its owner has switched its checks off."""
    is_on = _efi_variable(reader, "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c")
    is_unchecked = _efi_variable(reader, "MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23")
    return None if is_on is None else is_on and not is_unchecked


def _efi_variable(reader: KernelReader, name: str) -> bool | None:
    """A variable of one byte; the kernel puts four bytes of attributes before it."""
    path = f"/sys/firmware/efi/efivars/{name}"
    content = reader.attempt(path, lambda: reader.root.read_bytes(path))
    return content[4] == 1 if content is not None and len(content) == 5 else None


def _efi(is_uefi: bool | None) -> t.Iterator[Evidence]:
    if is_uefi is not None:
        points_to, kind, value = (
            ("generation-2", "interface", "exists") if is_uefi else ("generation-1", "trait", "absent")
        )
        yield Evidence("/sys/firmware/efi", value, points_to, kind)


def _xen(reader: KernelReader) -> t.Iterator[Evidence]:
    kind = reader.line("/sys/hypervisor/type")
    if kind:
        yield Evidence("/sys/hypervisor/type", kind, "xen" if kind == "xen" else "virtual", "interface")
    guest = reader.line("/sys/hypervisor/guest_type")
    if guest in catalog.XEN_GUEST_TYPES:
        yield Evidence("/sys/hypervisor/guest_type", guest, catalog.XEN_GUEST_TYPES[guest], "interface")
    capabilities = reader.line("/sys/hypervisor/properties/capabilities")
    if capabilities and capabilities.startswith("xen-"):
        yield Evidence("/sys/hypervisor/properties/capabilities", capabilities, "xen", "interface")
    domain = reader.line("/proc/xen/capabilities")
    if domain and "control_d" in domain.split():
        yield Evidence("/proc/xen/capabilities", domain, "xen-dom0", "interface")


def _dmi(reader: KernelReader) -> t.Iterator[Evidence]:
    names = ("sys_vendor", "product_name", "product_version", "bios_vendor", "bios_version", "board_name")
    value = {name: reader.line(f"{_DMI}/{name}") or "" for name in (*names, "chassis_asset_tag")}
    machine = f"{value['sys_vendor']} {value['product_name']}".strip()
    for points_to in _machine(machine):
        is_physical = points_to == "physical"
        yield Evidence(f"{_DMI}/product_name", machine, points_to, "trait" if is_physical else "firmware")
        if points_to == "hyperv" and value["bios_version"]:
            generation = _generation(value["bios_version"])
            yield Evidence(f"{_DMI}/bios_version", value["bios_version"], generation, "firmware")
    for name in names[2:]:
        maker = _firmware(value[name])
        if maker:
            yield Evidence(f"{_DMI}/{name}", value[name], maker, "firmware")
    if value["chassis_asset_tag"] == catalog.AZURE_ASSET_TAG:
        yield Evidence(f"{_DMI}/chassis_asset_tag", value["chassis_asset_tag"], "azure", "firmware")


def _machine(name: str) -> tuple[str, ...]:
    """What a vendor and product name point to; () when the firmware names no machine."""
    if name.strip(" /").lower().startswith(catalog.DMI_UNSET[1:]) or not name.strip(" /"):
        return ()
    points = (points_to for prefix, points_to in catalog.DMI_MACHINES if f"{name} ".startswith(prefix))
    return (next(points, "physical"),)


def _firmware(value: str) -> str | None:
    """What the name or version of a firmware or board points to."""
    if value.startswith(catalog.HYPERV_UEFI):
        return "hyperv"
    return {"Xen": "xen", "VirtualBox": "virtualbox", "innotek GmbH": "virtualbox"}.get(value)


def _generation(bios_version: str) -> str:
    return "generation-2" if bios_version.startswith(catalog.HYPERV_UEFI) else "generation-1"


def _vmbus_devices(reader: KernelReader) -> tuple[VmbusDevice, ...]:
    devices = []
    for name in reader.names("/sys/bus/vmbus/devices"):
        path = f"/sys/bus/vmbus/devices/{name}"
        class_id = (reader.line(f"{path}/class_id") or "").strip("{}").lower()
        instance = (reader.line(f"{path}/device_id") or name).strip("{}").lower()
        kind = vmbus.DEVICE_KINDS.get(class_id, class_id)
        devices.append(VmbusDevice(instance, class_id, kind, reader.link_name(f"{path}/driver")))
    return tuple(devices)


def _buses(reader: KernelReader, devices: tuple[VmbusDevice, ...]) -> t.Iterator[Evidence]:
    if devices:
        yield Evidence("/sys/bus/vmbus/devices", ", ".join(sorted({d.kind for d in devices})), "hyperv", "bus")
    for name in reader.names("/sys/bus/acpi/devices"):
        points_to = catalog.ACPI_DEVICES.get(name.partition(":")[0].upper())
        if points_to:
            yield Evidence("/sys/bus/acpi/devices", name, points_to, "bus")
    for name in reader.names("/sys/bus/pci/devices"):
        path = f"/sys/bus/pci/devices/{name}"
        for points_to in catalog.PCI_DEVICES.get(reader.pci_id(path), ()):
            yield Evidence(path, reader.pci_id(path), points_to, "bus")


def _processor(reader: KernelReader) -> t.Iterator[Evidence]:
    cpu = reader.content("/proc/cpuinfo").partition("\n\n")[0]
    fields = {key.strip(): value.strip() for key, _colon, value in (line.partition(":") for line in cpu.split("\n"))}
    if "flags" in fields:  # x86
        is_virtual = "hypervisor" in fields["flags"].split()
        value = "flag hypervisor" if is_virtual else "no flag hypervisor"
        yield Evidence("/proc/cpuinfo", value, "virtual" if is_virtual else "physical", "trait")
    if fields.get("microcode", "") == hex(catalog.HIDDEN_MICROCODE):
        yield Evidence("/proc/cpuinfo", "microcode " + fields["microcode"], "virtual", "trait")

    interrupts = reader.content("/proc/interrupts")
    for pattern, points_to, kind in (
        (r"^ *HVS:.*Hyper-V stimer0 interrupts", "hyperv", "cpu"),
        (r"^ *\d+:.* xen-(?:percpu|dyn)\b", "xen", "bus"),
    ):
        match = re.search(pattern, interrupts, re.MULTILINE)
        if match:
            yield Evidence("/proc/interrupts", " ".join(match.group().split())[:_VALUE], points_to, kind)

    path = "/sys/devices/system/clocksource/clocksource0/available_clocksource"
    for name in (reader.line(path) or "").split():
        if name in catalog.CLOCKSOURCES:
            yield Evidence(path, name, catalog.CLOCKSOURCES[name], "cpu")


def _container_proofs(reader: KernelReader) -> t.Iterator[Evidence]:
    for path, pattern in (
        ("/proc/1/environ", re.compile(r"(?:^|(?<=\0))container=[^\0]+")),
        ("/run/systemd/container", re.compile(r"\S+")),
        ("/proc/1/cgroup", _CGROUP),
    ):
        match = pattern.search(reader.content(path))
        if match and not match.group().endswith("wsl"):  # which systemd takes for a container
            yield Evidence(path, match.group(), "container", "interface")
    if reader.exists("/proc/vz") and not reader.exists("/proc/bc"):  # the host of OpenVZ has both
        yield Evidence("/proc/vz", "OpenVZ", "container", "interface")


def _container_markers(reader: KernelReader) -> t.Iterator[Evidence]:
    """Files that are also left over where a disk was made from the image of a container."""
    for path in ("/.dockerenv", "/run/.containerenv"):
        if reader.exists(path):
            yield Evidence(path, "exists", "container", "trait")


def _software(reader: KernelReader) -> t.Iterator[Evidence]:
    if reader.exists("/var/lib/waagent"):
        yield Evidence("/var/lib/waagent", "exists", "azure", "software")
