# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guest of the lab consists of: packages, files, partitions.  Pure; `images` makes it real.

Two flavours:

* `xenserver`: as XenServer leaves a Debian guest.  Disks by their Xen names, console on hvc0, guest tools, and an
  initramfs with Xen's drivers only.
* `plain`: names its disk by UUID and has an initramfs for any hardware (`MODULES=most`), so it boots anywhere.

Its network adapter is configured by one of the back ends, for the name that it has on a `xenserver` machine, or, of a
plain guest, on a `hyperv-gen1` that has the legacy adapter alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from ._paths import LabError

SUITES = ("bullseye", "bookworm", "trixie")
FLAVOURS = ("xenserver", "plain")
NETWORKS = ("ifupdown", "networkd", "netplan", "network-manager")
ADDRESSES = ("dhcp", "static")
KERNELS = ("stable", "backports")
# What a guest has that is told no DHCP server: the first address of the lab's network lan1.
ADDRESS, GATEWAY, NAME_SERVER = "10.0.2.15", "10.0.2.2", "10.0.2.3"

SECTOR = 512
MIB = 1024 * 1024
DISK_BYTES = 3072 * MIB
SWAP_BYTES = 128 * MIB
ROOT_START = MIB
SWAP_START = DISK_BYTES - SWAP_BYTES
ROOT_BYTES = SWAP_START - ROOT_START

PACKAGES = (
    "ca-certificates",
    "dbus",
    "e2fsprogs",
    "grub-pc",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "kmod",
    "openssh-server",
    "procps",
    "python3",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "zstd",
)
NETWORK_PACKAGES = {
    "ifupdown": ("ifupdown", "isc-dhcp-client"),
    "networkd": ("systemd-resolved",),
    "netplan": ("netplan.io", "systemd-resolved"),
    "network-manager": ("network-manager",),
}
WITHOUT_RESOLVED = ("bullseye",)  # where it is in the package systemd, switched off
# What MODULES=dep finds on a XenServer guest with an ext4 root.  It has to be listed because the place where the image
# is made has no Xen devices to look at.
XEN_MODULES = ("xen-blkfront", "ext4", "crc32c_generic", "crc32c-intel")
WITH_PENALTIES = ("trixie",)  # its sshd turns away who has come without logging in
WITHOUT_XEN_NAMES = ("bullseye",)  # udev knows none for Xen's adapters there
LEGACY_NAME = "enp0s3"
BUILD_HOOK = "etc/initramfs-tools/hooks/lab"  # gone from the guest when its image is made


class File(NamedTuple):
    """A file of the guest; owner is root."""

    path: str
    text: str
    mode: int = 0o644


class Recipe(NamedTuple):
    """One kind of guest.  Equal recipes give guests that differ in package versions and SSH host keys at most."""

    suite: str
    flavour: str
    network: str = "ifupdown"
    address: str = "dhcp"
    kernel: str = "stable"
    has_predictable_names: bool = False
    extra_packages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Suite and flavour, then what is not as it is by default."""
        default = Recipe(self.suite, self.flavour)
        others = [word for word, usual in zip(self[2:5], default[2:5], strict=True) if word != usual]
        predictable = ["predictable"] if self.has_predictable_names else []
        return "-".join((self.suite, self.flavour, *others, *predictable, *self.extra_packages))

    @property
    def packages(self) -> tuple[str, ...]:
        """With recommended ones left out; mmdebstrap's spelling."""
        kernel = "linux-image-amd64"
        if self.kernel == "backports":
            kernel = f"{kernel}/{self.suite}-backports"
        network = (
            name
            for name in NETWORK_PACKAGES[self.network]
            if name != "systemd-resolved" or self.suite not in WITHOUT_RESOLVED
        )
        return tuple(sorted((*PACKAGES, kernel, *network, *self.extra_packages)))

    @property
    def services(self) -> tuple[str, ...]:
        """Those that do not come switched on."""
        resolved = ("systemd-resolved",) if self.is_resolved else ()
        return (*(("systemd-networkd",) if self.network == "networkd" else ()), *resolved)

    @property
    def is_resolved(self) -> bool:
        """Whether names are asked of systemd-resolved."""
        return "systemd-resolved" in NETWORK_PACKAGES[self.network]

    @property
    def interface(self) -> str:
        """The name of the adapter that is configured."""
        if not self.has_predictable_names:
            return "eth0"
        if self.is_xenserver:
            return "eth0" if self.suite in WITHOUT_XEN_NAMES else "enX0"
        return LEGACY_NAME

    @property
    def is_xenserver(self) -> bool:
        return self.flavour == "xenserver"

    @property
    def root_uuid(self) -> str:
        return _uuid(self, "root")

    @property
    def swap_uuid(self) -> str:
        return _uuid(self, "swap")

    @property
    def machine_id(self) -> str:
        return _uuid(self, "machine-id").replace("-", "")

    @property
    def disk_identifier(self) -> int:
        """Of the MBR: 32 bits, not zero."""
        return int(_uuid(self, "mbr")[:8], 16) | 1

    @property
    def root_device(self) -> str:
        return "/dev/xvda1" if self.is_xenserver else "/dev/sda1"

    @property
    def root_reference(self) -> str:
        return self.root_device if self.is_xenserver else f"UUID={self.root_uuid}"

    @property
    def swap_reference(self) -> str:
        return "/dev/xvda2" if self.is_xenserver else f"UUID={self.swap_uuid}"

    @property
    def command_line(self) -> str:
        """The last console that exists gets what user space writes: hvc0 on Xen, the serial port elsewhere."""
        names = () if self.has_predictable_names else ("net.ifnames=0",)
        if self.is_xenserver:
            return " ".join((f"root={self.root_device}", *names, "console=ttyS0,115200n8 console=hvc0"))
        return " ".join((*names, "console=tty0 console=ttyS0,115200n8"))


def find_recipe(
    suite: str,
    flavour: str,
    *,
    network: str = "ifupdown",
    address: str = "dhcp",
    kernel: str = "stable",
    has_predictable_names: bool = False,
    extra_packages: Sequence[str] = (),
) -> Recipe:
    """LabError when there is no such guest."""
    for what, word, words in (
        ("Debian suite", suite, SUITES),
        ("flavour", flavour, FLAVOURS),
        ("network", network, NETWORKS),
        ("address", address, ADDRESSES),
        ("kernel", kernel, KERNELS),
    ):
        if word not in words:
            raise LabError(f"no guest of {what} {word}: there are {', '.join(words)}")
    extra = tuple(sorted(set(extra_packages)))
    return Recipe(suite, flavour, network, address, kernel, has_predictable_names, extra)


def ingredients(recipe: Recipe, public_key: str) -> tuple[object, ...]:
    """All that a guest is made of; their `repr` is equal for equal guests only."""
    return (
        *(recipe, recipe.packages, recipe.services, recipe.is_resolved),
        *(DISK_BYTES, SWAP_BYTES, ROOT_START, partition_table(recipe)),
        *(files_before_packages(recipe), files_after_packages(recipe, public_key)),
        *(grub_defaults(recipe), grub_probe(recipe)),
        *((guest_tools(), GUEST_TOOLS_LINKS) if recipe.is_xenserver else ()),
    )


def files_before_packages(recipe: Recipe) -> tuple[File, ...]:
    """What has to be there when the kernel's package builds the initramfs."""
    files = (
        File("etc/fstab", _fstab(recipe)),
        File("etc/initramfs-tools/conf.d/resume", f"RESUME={recipe.swap_reference}\n"),
        File(BUILD_HOOK, _build_hook(recipe), 0o755),
    )
    if not recipe.is_xenserver:
        return files
    return (*files, File("etc/initramfs-tools/conf.d/driver-policy", _DRIVER_POLICY.replace("dep", "list")))


def files_after_packages(recipe: Recipe, public_key: str) -> tuple[File, ...]:
    """The configuration of the guest, when nothing will be installed any more."""
    files = (
        File("etc/hostname", "guest\n"),
        File("etc/hosts", "127.0.0.1\tlocalhost\n127.0.1.1\tguest\n"),
        File("etc/machine-id", f"{recipe.machine_id}\n", 0o444),
        *_network_files(recipe),
        File("root/.ssh/authorized_keys", public_key, 0o600),
        # Everybody comes from the address of the gateway, some only to see whether a server is there.
        *(
            [File("etc/ssh/sshd_config.d/lab.conf", "PerSourcePenalties no\n")]
            if recipe.suite in WITH_PENALTIES
            else []
        ),
    )
    if not recipe.is_xenserver:
        return files
    return (
        *files,
        File("etc/initramfs-tools/conf.d/driver-policy", _DRIVER_POLICY),
        File("etc/sysctl.d/xen.conf", "xen.independent_wallclock=1\n"),
    )


def grub_defaults(recipe: Recipe) -> str:
    """/etc/default/grub."""
    by_name = "GRUB_DISABLE_LINUX_UUID=true\n" if recipe.is_xenserver else ""
    return f"""\
# If you change this file, run 'update-grub' afterwards to update
# /boot/grub/grub.cfg.

GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="{recipe.command_line}"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
{by_name}"""


def grub_probe(recipe: Recipe) -> str:
    """A stand-in for grub-probe: grub-mkconfig asks about a disk that is not made yet."""
    return f"""\
#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
        --target=*) target=${{1#--target=}} ;;
        -t|--target) target=$2; shift ;;
    esac
    shift
done
case $target in
    device) echo {recipe.root_device} ;;
    fs) echo ext2 ;;
    fs_uuid) echo {recipe.root_uuid} ;;
    fs_label) ;;
    partuuid) echo {recipe.disk_identifier:08x}-01 ;;
    partmap) echo msdos ;;
    abstraction|cryptodisk_uuid) ;;
    drive|bios_hints) echo '(hd0,msdos1)' ;;
    compatibility_hint) echo hd0,msdos1 ;;
    hints_string) echo --hint-bios=hd0,msdos1 --hint-efi=hd0,msdos1 --hint-baremetal=ahci0,msdos1 ;;
    *) echo "grub-probe: no answer for target '$target'" >&2; exit 1 ;;
esac
"""


def partition_table(recipe: Recipe) -> str:
    """What sfdisk is told."""
    return f"""\
label: dos
label-id: 0x{recipe.disk_identifier:08x}
start={ROOT_START // SECTOR}, size={ROOT_BYTES // SECTOR}, type=83, bootable
start={SWAP_START // SECTOR}, size={SWAP_BYTES // SECTOR}, type=82
"""


def guest_tools() -> tuple[File, ...]:
    """The package xe-guest-utilities, unpacked: same name, files and registration as XenServer's, programs hollow."""
    return (
        File("DEBIAN/control", _TOOLS_CONTROL),
        File("DEBIAN/conffiles", "/etc/init.d/xe-linux-distribution\n"),
        File("DEBIAN/postinst", "#!/bin/sh\nset -e\nupdate-rc.d xe-linux-distribution defaults\n", 0o755),
        File("DEBIAN/postrm", _TOOLS_POSTRM, 0o755),
        File("etc/init.d/xe-linux-distribution", _TOOLS_INIT, 0o755),
        File("lib/udev/rules.d/z10_xen-vcpu-hotplug.rules", _TOOLS_UDEV),
        File("usr/bin/xenstore", "#!/bin/sh\necho 'xenstore: hollow program of the lab' >&2\nexit 1\n", 0o755),
        File("usr/sbin/xe-daemon", "#!/bin/sh\nexec sleep infinity\n", 0o755),
        File("usr/sbin/xe-linux-distribution", _TOOLS_DISTRIBUTION, 0o755),
        File("usr/share/doc/xe-guest-utilities/copyright", "Made by the lab of rehost.hyperv; GPL-3.0-or-later.\n"),
    )


GUEST_TOOLS_LINKS = tuple(
    (f"usr/bin/xenstore-{verb}", "/usr/bin/xenstore") for verb in ("exists", "list", "ls", "read", "rm", "write")
)


def _uuid(recipe: Recipe, name: str) -> str:
    of_recipe = "/".join((recipe.suite, recipe.name[len(recipe.suite) + 1 :]))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rehost.hyperv/lab/{of_recipe}/{name}"))


def _build_hook(recipe: Recipe) -> str:
    """Puts into the initramfs what initramfs-tools itself would, were it running on the guest's hardware.

    Which file system to check it asks the root device.  Xen's drivers come by a hook, and the image is told the policy
    that it stands for: a list in MODULES=list style would be written into the image, which MODULES=dep does not do.
    """
    drivers = f"""\
manual_add_modules {" ".join(XEN_MODULES)}
sed -i s/MODULES=list/MODULES=dep/ "$DESTDIR/conf/conf.d/driver-policy"
"""
    return f"""\
#!/bin/sh
[ "$1" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions
for program in fsck fsck.ext4 logsave; do
    copy_exec "/sbin/$program"
done
{drivers if recipe.is_xenserver else ""}"""


def _fstab(recipe: Recipe) -> str:
    return f"""\
# /etc/fstab: static file system information.
#
# <file system> <mount point>   <type>  <options>       <dump>  <pass>
{recipe.root_reference}\t/\text4\terrors=remount-ro\t0\t1
{recipe.swap_reference}\tnone\tswap\tsw\t0\t0
"""


def _network_files(recipe: Recipe) -> tuple[File, ...]:
    name, is_static = recipe.interface, recipe.address == "static"
    if recipe.network == "ifupdown":
        stanza = f"allow-hotplug {name}\niface {name} inet {recipe.address}\n"
        if not is_static:
            return (File("etc/network/interfaces", _INTERFACES + stanza),)
        stanza += f"\taddress {ADDRESS}/24\n\tgateway {GATEWAY}\n"
        return (
            File("etc/network/interfaces", _INTERFACES + stanza),
            File("etc/resolv.conf", f"nameserver {NAME_SERVER}\n"),
        )
    if recipe.network == "networkd":
        addresses = f"Address={ADDRESS}/24\nGateway={GATEWAY}\nDNS={NAME_SERVER}\n" if is_static else "DHCP=ipv4\n"
        text = f"[Match]\nName={name}\n\n[Network]\n{addresses}"
        return (File("etc/systemd/network/10-lan.network", text),)
    if recipe.network == "netplan":
        return (File("etc/netplan/01-netcfg.yaml", _NETPLAN_HEAD + _netplan_ethernet(name, is_static), 0o600),)
    addresses = (
        f"method=manual\naddress1={ADDRESS}/24,{GATEWAY}\ndns={NAME_SERVER};\n" if is_static else "method=auto\n"
    )
    text = f"""\
[connection]
id=lan
uuid={_uuid(recipe, "connection")}
type=ethernet
interface-name={name}

[ethernet]

[ipv4]
{addresses}
[ipv6]
method=ignore
"""
    return (File("etc/NetworkManager/system-connections/lan.nmconnection", text, 0o600),)


def _netplan_ethernet(name: str, is_static: bool) -> str:
    if not is_static:
        return f"    {name}:\n      dhcp4: true\n"
    return f"""\
    {name}:
      addresses: [{ADDRESS}/24]
      routes:
        - to: 0.0.0.0/0
          via: {GATEWAY}
      nameservers:
        addresses: [{NAME_SERVER}]
"""


_INTERFACES = """\
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

"""

_NETPLAN_HEAD = """\
network:
  version: 2
  renderer: networkd
  ethernets:
"""

# The file and the setting that Debian's installer leaves after the answer "targeted: only drivers needed".
_DRIVER_POLICY = "# Only the drivers that this system needs.\nMODULES=dep\n"

_TOOLS_CONTROL = """\
Package: xe-guest-utilities
Version: 7.20.0-1
Architecture: amd64
Maintainer: rehost.hyperv contributors <nobody@localhost>
Section: admin
Priority: optional
Description: guest tools as XenServer's, without their programs
 Same name, files and registration; the programs do nothing.
"""

_TOOLS_POSTRM = """\
#!/bin/sh
set -e
if [ "$1" = purge ]; then
    update-rc.d xe-linux-distribution remove
fi
"""

_TOOLS_INIT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          xe-linux-distribution
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Tells XenServer about this guest
### END INIT INFO
case $1 in
    start)
        /usr/sbin/xe-linux-distribution > /var/cache/xe-linux-distribution
        start-stop-daemon --start --background --make-pidfile --pidfile /run/xe-daemon.pid --exec /usr/sbin/xe-daemon
        ;;
    stop) start-stop-daemon --stop --oknodo --remove-pidfile --pidfile /run/xe-daemon.pid ;;
    restart|force-reload) "$0" stop && "$0" start ;;
    *) echo "usage: $0 start|stop|restart|force-reload" >&2; exit 2 ;;
esac
"""

_TOOLS_UDEV = 'SUBSYSTEM=="cpu", ACTION=="add", TEST=="/dev/xen/xenbus", ATTR{online}=="0", ATTR{online}="1"\n'

_TOOLS_DISTRIBUTION = """\
#!/bin/sh
. /etc/os-release
cat <<X
os_distro="$ID"
os_majorver="${VERSION_ID%%.*}"
os_uname="$(uname -r)"
os_name="$PRETTY_NAME"
X
"""
