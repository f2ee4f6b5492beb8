# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest has only because it runs on Xen. Modules are spelled with underscores."""

from __future__ import annotations

TOOL_PACKAGES = ("xe-guest-utilities", "xe-guest-utilities-latest", "xen-guest-agent")
"""Guest tools of XenServer and XCP-ng as .deb; the last is the agent of the Xen project that follows the others."""

TOOL_FILES = (
    "/etc/init.d/xe-daemon",
    "/etc/init.d/xe-linux-distribution",
    "/etc/systemd/system/xe-daemon.service",
    "/etc/systemd/system/xe-linux-distribution.service",
    "/etc/udev/rules.d/z10-xen-vcpu-hotplug.rules",
    "/etc/udev/rules.d/z10_xen-vcpu-hotplug.rules",
    "/lib/systemd/system/xe-daemon.service",
    "/lib/systemd/system/xe-linux-distribution.service",
    "/lib/udev/rules.d/z10_xen-vcpu-hotplug.rules",
    "/usr/bin/xenstore",
    "/usr/bin/xenstore-exists",
    "/usr/bin/xenstore-list",
    "/usr/bin/xenstore-ls",
    "/usr/bin/xenstore-read",
    "/usr/bin/xenstore-rm",
    "/usr/bin/xenstore-write",
    "/usr/sbin/xe-daemon",
    "/usr/sbin/xe-linux-distribution",
    "/usr/sbin/xe-update-guest-attrs",
    "/usr/sbin/xen-guest-agent",
)
"""Where the tools' own Makefile and install.sh put their files: github.com/xenserver/xe-guest-utilities, mk/. Not what
they write while they run, which is there with the package as well."""

MODULES = (
    "xen_blkfront",
    "xen_fbfront",
    "xen_kbdfront",
    "xen_netfront",
    "xen_pcifront",
    "xen_platform_pci",
    "xen_vbd",
    "xen_vnif",
    "xenblk",
    "xennet",
)
"""Drivers of a Xen guest's devices: those of the kernel, those of XenSource's kernel up to 2.6.18 (xenblk, xennet) and
of the unmodified_drivers for HVM (xen_platform_pci, xen_vbd, xen_vnif)."""

SYSCTL_PREFIX = "xen."
"""Of kernel parameters: xen.independent_wallclock. Kernels with XenSource's patches had it; mainline never did."""

TOOL_UNITS = ("xe-daemon.service", "xe-linux-distribution.service", "xen-guest-agent.service", "xenstored.service")
"""Units of the guest tools. They have nothing to do off Xen."""
