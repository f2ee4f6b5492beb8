# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools of key-value pairs: enum hv_kvp_exchg_pool of include/uapi/linux/hyperv.h, and who writes what to them:
learn.microsoft.com, "Data Exchange: Using key-value pairs to share information between the host and guest"."""

from __future__ import annotations

DIRECTORY = "/var/lib/hyperv"
DAEMON = "/usr/sbin/hv_kvp_daemon"

POOLS = ("external", "guest", "auto", "host", "internal")
"""Names of the pools by their numbers. external: written by whoever administers the host. guest: written in the guest,
read by the host. auto: what the daemon says of the guest, made when it is asked, the file stays empty. host: what the
host says of itself and of the virtual machine. internal: not used."""

PATHS = tuple([f"{DIRECTORY}/.kvp_pool_{number}" for number in range(len(POOLS))])
"""The files that hold the pools."""

GUEST = 1
HOST = 3

VIRTUAL_MACHINE_NAME = "VirtualMachineName"
HOST_NAME = "PhysicalHostNameFullyQualified"
