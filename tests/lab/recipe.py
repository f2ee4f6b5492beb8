# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a guest of the lab consists of: packages, files, partitions.  Pure; `images` makes it real.

Two flavours:

* `xenserver`: as XenServer leaves a Debian guest.  Disks by their Xen names, console on hvc0, guest tools, and an
  initramfs with Xen's drivers only.
* `plain`: names its disk by UUID and has an initramfs for any hardware (`MODULES=most`), so it boots anywhere.
"""

from __future__ import annotations

import uuid
from typing import NamedTuple

from ._paths import LabError

SUITES = ("bullseye", "bookworm", "trixie")
FLAVOURS = ("xenserver", "plain")

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
    "ifupdown",
    "initramfs-tools",
    "iproute2",
    "isc-dhcp-client",
    "kmod",
    "linux-image-amd64",
    "openssh-server",
    "procps",
    "python3",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
    "zstd",
)
# What MODULES=dep finds on a XenServer guest with an ext4 root.  It has to be listed because the place where the image
# is made has no Xen devices to look at.
XEN_MODULES = ("xen-blkfront", "ext4", "crc32c_generic", "crc32c-intel")
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
        if self.is_xenserver:
            return f"root={self.root_device} net.ifnames=0 console=ttyS0,115200n8 console=hvc0"
        return "net.ifnames=0 console=tty0 console=ttyS0,115200n8"


def find_recipe(suite: str, flavour: str) -> Recipe:
    """LabError when there is no such suite or flavour."""
    if suite not in SUITES:
        raise LabError(f"no guest of Debian suite {suite}: there are {', '.join(SUITES)}")
    if flavour not in FLAVOURS:
        raise LabError(f"no guest of flavour {flavour}: there are {', '.join(FLAVOURS)}")
    return Recipe(suite, flavour)


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
        File("etc/network/interfaces", _INTERFACES),
        File("root/.ssh/authorized_keys", public_key, 0o600),
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
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rehost.hyperv/lab/{recipe.suite}/{recipe.flavour}/{name}"))


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


# The file and the setting that Debian's installer leaves after the answer "targeted: only drivers needed".
_DRIVER_POLICY = "# Only the drivers that this system needs.\nMODULES=dep\n"

_INTERFACES = """\
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug eth0
iface eth0 inet dhcp
"""

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
