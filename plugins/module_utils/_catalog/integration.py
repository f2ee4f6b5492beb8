# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Integration services that need more than a driver: daemons, rules for devices, what Microsoft's packages left.

Names of Debian's units and files were read from its packages: hyperv-daemons 5.10.223-1 (Debian 11), 6.1.176-1 (12) and
6.12.107-1 (13), and the changelog in the last one.
"""

from __future__ import annotations

PACKAGE = "hyperv-daemons"

FIRST_RELEASE = 8
"""The first release of Debian that has the package itself, since 8.3; Debian 7 has it in its backports, which are gone,
and the kernel of Debian 6 has no driver for it: MicrosoftDocs, Supported Debian virtual machines on Hyper-V, note 2."""

SERVICES = ("kvp", "vss", "fcopy")
"""Key-value pairs (what the host knows of the guest, its addresses among it), freezing file systems for backups, and
copying files from the host. The last one is not in 6.10 and later: the kernel's driver for it is gone
(Debian's linux 6.10-1~exp1)."""

WITHOUT_FCOPY = (6, 10)

UNITS = ("hv-{}-daemon", "hyperv-daemons.hv-{}-daemon")
"""Unit, and init script, of a service; the second up to Debian 10 (renamed in linux 5.8~rc7-1~exp1)."""

RULES = "/etc/udev/rules.d/80-rehost-hyperv.rules"
"""Where this collection keeps its rules: behind those that set schedulers in general, before the administrator's 99."""

MEMORY_RULE = 'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}=="offline", ATTR{state}="online"'

# Of a disk with one hardware queue, as a machine with one processor has it, the kernel's choice is another than none.
_ANY_DISK = 'ACTION=="add|change", SUBSYSTEM=="block", KERNEL=="sd*", ATTRS{vendor}=="Msft*"'
SCHEDULER_RULES = (
    _ANY_DISK + ', ATTR{queue/scheduler}=="*none*", ATTR{queue/scheduler}="none"',
    _ANY_DISK + ', ATTR{queue/scheduler}=="*noop*", ATTR{queue/scheduler}="noop"',
)
NO_SCHEDULER = ("none", "noop")

TIMEOUT_RULE = (
    'ACTION=="add", SUBSYSTEM=="scsi", ENV{DEVTYPE}=="scsi_device", ATTR{vendor}=="Msft*", ATTR{type}=="0",'
    ' ATTR{timeout}="%d"'
)

DISK_VENDOR = "Msft"

ONLINE_SYMBOLS = (
    "CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE",  # up to 6.11
    "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_AUTO",
    "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_KERNEL",
    "CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE_MOVABLE",
)
"""With one of these the kernel takes memory that is added by itself: not in Debian 12 (6.1), but in 13 (6.12)."""

MEMORY_STEP = 128 << 20
"""Bytes; what Hyper-V adds is a multiple of it, and so should all sizes of a virtual machine with dynamic memory be:
MicrosoftDocs, Feature descriptions for Linux and FreeBSD virtual machines on Hyper-V."""

CRASH_MEMORY = 256 << 20
"""Bytes that a crash kernel needs: MicrosoftDocs, Best practices for running Linux on Hyper-V (384M-:256M)."""

HARDWARE_WATCHDOGS = ("iTCO_wdt", "i6300esb", "ib700wdt", "xen_wdt")
"""Drivers of watchdogs that other hypervisors have. Hyper-V has none."""

FOREIGN_PACKAGES = ("microsoft-hyper-v", "kmod-microsoft-hyper-v", "microsoft-hyper-v-kmod", "msft-daemons")
FOREIGN_FILES = (
    "/etc/depmod.d/hyperv.conf",
    "/etc/modprobe.d/hyperv_mod_blacklist.conf",
    "/etc/modprobe.d/hyperv_pvdrivers.conf",
    "/etc/udev/rules.d/100-balloon.rules",
    "/lib/systemd/system/hv_fcopy_daemon.service",
    "/lib/systemd/system/hv_kvp_daemon.service",
    "/lib/systemd/system/hv_vss_daemon.service",
    "/lib/udev/rules.d/70-hv_fcopy.rules",
    "/lib/udev/rules.d/70-hv_kvp.rules",
    "/lib/udev/rules.d/70-hv_vss.rules",
    "/usr/sbin/hv_fcopy_daemon",
    "/usr/sbin/hv_get_dhcp_info",
    "/usr/sbin/hv_get_dns_info",
    "/usr/sbin/hv_kvp_daemon",
    "/usr/sbin/hv_set_ifconfig",
    "/usr/sbin/hv_vss_daemon",
)
"""What Microsoft's Linux Integration Services for other distributions, from a package that alien converted or their
install script, leave: github.com/LIS/lis-next, rpmbuild/rh7/SPECS and hv-rhel7.x/hv/rhel7-hv-driver-install."""

FOREIGN_MODULES = ("extra/", "updates/", "weak-updates/")
"""Directories of a kernel's modules, for modules that did not come with it."""

DRIVERS = ("hv_vmbus", "hv_storvsc", "hv_netvsc", "hv_utils", "hv_balloon", "hyperv_keyboard", "hid_hyperv")
