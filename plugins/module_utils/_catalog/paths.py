# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this collection keeps its own files in a guest."""

from __future__ import annotations

STATE_PARENT = "/var/lib"
STATE = "/var/lib/rehost-hyperv"
JOURNAL = STATE + "/journal"
BLOBS = STATE + "/blobs"
"""Copies of the files that were changed, as they were before."""
LIVE_SWITCH = STATE + "/live-switch"
"""How far the switch of the running guest's network is."""
BASELINE = STATE + "/baseline.json"
"""How the guest was before it moved."""

STAGED_SUFFIX = ".rehost-new"
"""A file's new content lies beside it, under its name with a dot before and this behind, until it takes its place."""

INITRAMFS_HOOK = "/etc/initramfs-tools/hooks/rehost-hyperv"
DRACUT_CONFIG = "/etc/dracut.conf.d/90-rehost-hyperv.conf"

INITRAMFS_CHECKSUMS = "/var/lib/initramfs-tools"
"""Where update-initramfs of Debian 6 to 9 remembers what it made, to leave alone what others changed."""
