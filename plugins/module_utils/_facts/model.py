# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is known of a guest, as data. This is the file to read first.

Facts are gathered once and nothing is decided while gathering. Absent is None or (); what could not be read is a
L{Problem}. Paths are the guest's own, text keeps bytes that are not UTF-8 as surrogates.
"""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from .._formats import (
        apt_cache,
        dpkg_status,
        guest_state,
        initramfs,
        kernel_config,
        kernel_trial,
        modules_dep,
        rollback_journal,
        superblock,
    )
    from .._formats._connection import Connection


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that could not be read, and so is not known."""

    path: str
    message: str


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A configuration file, as it is."""

    path: str
    text: str


@dataclasses.dataclass(frozen=True)
class BlockDevice:
    """A partition, or a disk without any, and what its first bytes say it holds.

    C(names) are all kernel names by which the guest may know it: one on a running guest, those of every hypervisor
    for a disk image (C(xvda1), C(sda1), C(hda1), C(vda1)).
    """

    names: tuple[str, ...]
    content: superblock.FileSystem | None
    partition_uuid: str | None = None


@dataclasses.dataclass(frozen=True)
class Initramfs:
    """An initramfs image: C(image) is None when it could not be read, and C(problem) says why."""

    path: str
    size: int
    image: initramfs.Image | None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Kernel:
    """An installed kernel: one that has an image in /boot or modules in /lib/modules."""

    version: str  # as uname -r
    image: str | None  # path in /boot
    config: kernel_config.KernelConfig | None
    modules: modules_dep.Modules | None  # every module there is, and what it needs; what is built in
    initramfs: str | None  # path of the image that update-initramfs or dracut makes for this version
    config_path: str | None = None  # where the configuration was read
    package: tuple[str, str] | None = None  # name and version of the Debian package that it is from
    is_signed: bool | None = None  # for Secure Boot, by whomever; None where the image was not read


@dataclasses.dataclass(frozen=True)
class BootEntry:
    """One entry of a boot loader's menu, paths as the guest sees them when it runs."""

    title: str
    kernel: str
    initrds: tuple[str, ...]
    cmdline: str
    version: str | None  # of the kernel, as uname -r
    is_default: bool
    is_xen_hypervisor: bool = False


@dataclasses.dataclass(frozen=True)
class Boot:
    """How the guest starts."""

    loader: str | None  # grub2, grub-legacy, extlinux or None
    menu: TextFile | None  # grub.cfg, menu.lst or extlinux.conf
    defaults: tuple[TextFile, ...]  # /etc/default/grub and /etc/default/grub.d/*.cfg
    environment: TextFile | None  # grubenv
    entries: tuple[BootEntry, ...]
    unresolved: tuple[str, ...]  # what in the menu is decided only at boot
    has_mbr_loader: bool | None  # boot code in the first sector; None when the disk is not known
    esp_loaders: tuple[str, ...]  # EFI programs in the ESP, paths below it
    has_esp: bool

    @property
    def default(self) -> BootEntry | None:
        return next((entry for entry in self.entries if entry.is_default), None)


@dataclasses.dataclass(frozen=True)
class InitramfsConfig:
    """What makes initramfs images in this guest, and what it is told to put in."""

    generators: tuple[str, ...]  # initramfs-tools, dracut: those installed, the one in charge first
    policy: str | None  # MODULES= of initramfs-tools: most, dep, list; hostonly= of dracut: yes, no
    files: tuple[
        TextFile, ...
    ]  # initramfs.conf, conf.d/*, modules, hooks of this collection, dracut.conf, dracut.conf.d/*
    needs_network: bool  # root over the network, or a remote unlock (dropbear)
    keeps_checksums: tuple[str, ...]  # kernel versions with a file in /var/lib/initramfs-tools


@dataclasses.dataclass(frozen=True)
class Storage:
    """Where the guest's configuration names disks."""

    fstab: TextFile | None
    crypttab: TextFile | None
    resume: tuple[TextFile, ...]  # files of initramfs-tools that set RESUME
    mdadm: TextFile | None
    lvm: TextFile | None
    devices: tuple[BlockDevice, ...]


@dataclasses.dataclass(frozen=True)
class XenLeftovers:
    """What only makes sense on Xen."""

    packages: tuple[tuple[str, str], ...]  # guest tools: name, version
    files: tuple[str, ...]  # of guest tools that no package owns
    inittab: TextFile | None
    getty_links: tuple[tuple[str, str], ...]  # symbolic links that start a getty on hvc0 or xvc0: path, target
    sysctl: tuple[TextFile, ...]
    modprobe: tuple[TextFile, ...]
    securetty: TextFile | None


@dataclasses.dataclass(frozen=True)
class Evidence:
    """One observation about the hypervisor, and what it points to."""

    source: str  # a path, or a line of a log
    value: str
    points_to: str  # hyperv, xen, kvm, virtualbox, vmware, wsl, container, physical, azure, hyperv-root ...
    kind: str = ""  # interface, firmware, bus, cpu, trait or software: how it was come by, see _plan.hypervisor


@dataclasses.dataclass(frozen=True)
class VmbusDevice:
    """A device on VMBus."""

    id: str  # instance GUID
    class_id: str  # GUID of its class
    kind: str  # network, scsi, ide, timesync ... ; the GUID when unknown
    driver: str | None


@dataclasses.dataclass(frozen=True)
class Nic:
    """A network interface with hardware behind it."""

    name: str
    mac: str | None
    driver: str | None
    kind: str  # synthetic, legacy, xen, virtual-function, emulated, virtio, other
    bus: str | None
    state: str | None  # operstate
    lower_of: str | None  # the synthetic NIC that this virtual function belongs to


@dataclasses.dataclass(frozen=True)
class ConfiguredConnection:
    """An interface as a file configures it."""

    stack: str  # ifupdown, systemd-networkd, netplan or network-manager
    path: str  # where its configuration begins, or where it is matched by an address
    connection: Connection


@dataclasses.dataclass(frozen=True)
class DefaultRoute:
    """A default route of the running kernel."""

    interface: str
    gateway: str | None  # None when the network is reached without one
    family: str  # inet or inet6


@dataclasses.dataclass(frozen=True)
class Disk:
    """A whole disk that the running kernel sees."""

    name: str
    driver: str | None
    size: int | None  # bytes
    vendor: str | None
    model: str | None
    kind: str  # synthetic, emulated, xen, virtio, other


@dataclasses.dataclass(frozen=True)
class Clock:
    """The clock source of the running kernel, and the services that set the clock."""

    current: str | None
    available: tuple[str, ...]
    services: tuple[str, ...]  # installed: chrony, ntpsec, ntp, openntpd, systemd-timesyncd
    enabled: tuple[str, ...]  # those that start at boot
    has_ptp_hyperv: bool
    running: tuple[str, ...] = ()  # those of which a process is there
    cmdline: str | None = None  # of the kernel that runs
    hindered: tuple[tuple[str, str], ...] = ()  # services that do not start beside a program that is there, with it


@dataclasses.dataclass(frozen=True)
class TimeServices:
    """How the services that set the clock are started and configured."""

    has_systemd: bool = True
    units: tuple[tuple[str, str], ...] = ()  # service, path of its unit
    own_units: tuple[tuple[str, str | None], ...] = ()  # what lies in /etc/systemd/system: service, target of a link
    wanted: tuple[str, ...] = ()  # services that a target of systemd wants
    start_links: tuple[tuple[str, str], ...] = ()  # links of run levels that start one, with their targets
    stop_links: tuple[tuple[str, str], ...] = ()  # and those of the same run levels that stop one
    files: tuple[TextFile, ...] = ()  # configuration, and what this collection added to it
    link: str | None = None  # target of the one by which chronyd finds the reference clock
    written_ns: tuple[tuple[str, int], ...] = ()  # when each of the files was written, as far as that is past
    started_ns: tuple[tuple[str, int], ...] = ()  # when systemd started a service last
    implicit: str | None = None  # parameter of hv_utils, Y: it sets the clock also without a pause
    chrony_version: str | None = None  # of the package


@dataclasses.dataclass(frozen=True)
class ServiceDaemon:
    """A daemon of the integration services, as systemd or an init script starts it."""

    service: str  # kvp, vss or fcopy
    unit: str  # without .service; also the name of the init script
    path: str  # of the unit, or of the init script where there is no unit
    is_masked: bool
    is_enabled: bool  # started at boot
    is_started_by_rule: bool  # started when its device appears
    is_running: bool | None  # None: not known


@dataclasses.dataclass(frozen=True)
class Memory:
    """The memory of the running guest."""

    block_bytes: int | None  # in which the kernel adds and takes it away
    online_policy: str | None  # what the kernel does with added memory: offline, online, online_movable ...
    offline: tuple[str, ...]  # blocks that are there and not used
    installed_bytes: int | None  # at the start, as the firmware tells
    crash_bytes: int | None  # kept for a crash kernel


@dataclasses.dataclass(frozen=True)
class DiskQueue:
    """How the running kernel treats a disk of Hyper-V."""

    name: str
    scheduler: str
    schedulers: tuple[str, ...]  # those that it can have
    timeout: int | None  # seconds until a command counts as lost


@dataclasses.dataclass(frozen=True)
class Integration:
    """The integration services besides their drivers, and what else works otherwise on Hyper-V."""

    packages: tuple[tuple[str, str], ...] = ()  # Debian's daemons, Microsoft's own services: name, version
    daemons: tuple[ServiceDaemon, ...] = ()
    rules: tuple[TextFile, ...] = ()  # of udev: about memory, schedulers, VMBus or disks of Hyper-V
    memory: Memory | None = None
    queues: tuple[DiskQueue, ...] = ()
    foreign_files: tuple[str, ...] = ()  # of Microsoft's own services, that no package owns
    watchdogs: tuple[str, ...] = ()  # identities of those that the running kernel has
    watchdog_settings: tuple[TextFile, ...] = ()
    serial_ports: tuple[str, ...] | None = None  # with hardware behind them; None: not running
    kdump: TextFile | None = None  # settings of kdump-tools, where they are installed


@dataclasses.dataclass(frozen=True)
class KvpPool:
    """A pool of key-value pairs that guest and host share."""

    number: int
    name: str  # external, guest, auto, host or internal
    path: str
    pairs: tuple[tuple[str, str], ...] | None  # None: no such file


@dataclasses.dataclass(frozen=True)
class Kvp:
    """Key-value pairs, and whether there is a daemon that exchanges them with the host."""

    pools: tuple[KvpPool, ...] = ()
    has_daemon: bool = False


@dataclasses.dataclass(frozen=True)
class KernelPackage:
    """A package with a kernel in it, as dpkg has it."""

    name: str
    version: str
    state: str  # installed, or how far dpkg came: unpacked, half-configured, half-installed, triggers-pending ...
    is_held: bool


@dataclasses.dataclass(frozen=True)
class DkmsModule:
    """A module that DKMS builds from its source for each kernel."""

    name: str
    version: str
    kernels: tuple[str, ...]  # for which it is built


@dataclasses.dataclass(frozen=True)
class KernelPackages:
    """Where kernels come from, what is pinned, and the trial of one."""

    installed: tuple[KernelPackage, ...] = ()
    offered: tuple[apt_cache.Offer, ...] = ()  # what apt can get; of a running guest only
    is_interrupted: bool = False  # dpkg was cut off, and refuses to go on before it has settled that
    with_headers: tuple[str, ...] = ()  # kernels for which modules can be built
    dkms: tuple[DkmsModule, ...] = ()
    files: tuple[TextFile, ...] = ()  # those of _catalog.kernel_pin
    links: tuple[tuple[str, str], ...] = ()  # path, target
    trial: kernel_trial.Trial | None = None
    log: str = ""  # the end of what the guard of a trial boot wrote
    boot_id: str | None = None  # of this start; None: not running
    has_systemd: bool = False  # as the first process
    all: tuple[dpkg_status.Package, ...] = ()  # every package as dpkg has it; of a guest that does not run only

    def text(self, path: str) -> str | None:
        return next((file.text for file in self.files if file.path == path), None)


@dataclasses.dataclass(frozen=True)
class Hypervisor:
    """What tells on what the guest runs. For a guest that is not running, what its logs tell of the last time."""

    evidence: tuple[Evidence, ...]
    host_build: str | None  # 10.0.20348.3020-3-0, as the kernel printed it, order normalised
    features: int | None  # low word of the Hyper-V privilege flags
    vmbus_protocol: str | None  # 4.0
    is_uefi: bool | None
    is_container: bool
    vmbus: tuple[VmbusDevice, ...]
    privileges_high: int | None = None  # high word of the Hyper-V privilege flags
    secure_boot: bool | None = None  # whether the firmware, through shim, starts signed kernels only


@dataclasses.dataclass(frozen=True)
class System:
    """The distribution."""

    id: str | None
    version_id: str | None
    codename: str | None
    pretty_name: str | None
    architecture: str | None  # as dpkg names it
    running_kernel: str | None
    network_stacks: tuple[str, ...]  # ifupdown, systemd-networkd, netplan, network-manager: those with configuration


@dataclasses.dataclass(frozen=True)
class Touched:
    """A path that this collection changed: what was there first, what it left there each time, what is there now."""

    original: rollback_journal.Original
    written: tuple[str | None, ...]  # SHA-256 of a file, target of a link, value of a setting, None for nothing; () if
    # it was not changed
    kind: str  # file, link, directory, setting, special or absent: what is there now
    state: str | None  # in the form of C(written)
    metadata: tuple[int, int, int, int] | None  # mode, uid, gid, mtime in nanoseconds
    names: tuple[str, ...] = ()  # in a directory that was not there first


@dataclasses.dataclass(frozen=True)
class History:
    """Everything that this collection changed, in the order of the first change."""

    touched: tuple[Touched, ...]


@dataclasses.dataclass(frozen=True)
class GuestFacts:
    """All of it."""

    is_live: bool
    system: System
    hypervisor: Hypervisor
    nics: tuple[Nic, ...]
    disks: tuple[Disk, ...]
    clock: Clock
    kernels: tuple[Kernel, ...]
    images: tuple[Initramfs, ...]  # those of the kernels, and what else the boot loader loads
    boot: Boot
    initramfs: InitramfsConfig
    storage: Storage
    xen: XenLeftovers
    network: tuple[TextFile, ...]  # the files that configure it
    connections: tuple[ConfiguredConnection, ...]  # what they configure
    default_routes: tuple[DefaultRoute, ...]  # the one that is used first
    network_mentions: tuple[TextFile, ...]  # hooks, firewall, sysctl ...: what else names a configured interface
    history: History | None
    free_bytes: t.Mapping[str, int]  # of the file systems that hold /boot, /var/tmp and /
    problems: tuple[Problem, ...] = ()
    has_udev: bool = True  # what gives network adapters their names
    integration: Integration = Integration()
    kvp: Kvp = Kvp()
    time_services: TimeServices = TimeServices()
    state: guest_state.State | None = None  # of a running guest
    baseline: guest_state.Baseline | None = None  # its state before it moved
    packages: KernelPackages = KernelPackages()

    def kernel(self, version: str | None) -> Kernel | None:
        """The installed kernel of that version."""
        return next((kernel for kernel in self.kernels if kernel.version == version), None)

    def image_at(self, path: str | None) -> Initramfs | None:
        """The initramfs image at a path."""
        return next((image for image in self.images if image.path == path), None)
