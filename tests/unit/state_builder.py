# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small web server's state, to vary in tests."""

from __future__ import annotations

import typing as t

from ansible_collections.rehost.hyperv.plugins.module_utils._formats.guest_state import (
    Address,
    Listener,
    LoggedError,
    Mount,
    Route,
    State,
    Unit,
)

ROOT = "5f1c9a52-6a3b-4f6e-9d0c-7e3b1a2c4d5e"
SWAP = "c0a81f3e-2b7d-4e59-8f10-93d4b6a7e8f9"


def make(**changes: t.Any) -> State:
    """A state with these fields in place of the usual ones."""
    return State(
        boot_id="0d5c3a52-1d42-4f7e-8a5d-9b2f3c4d5e6f",
        kernel="6.1.0-50-amd64",
        phase="running",
        file_systems=(ROOT, SWAP),
        root_disks=("sda",),
        nameservers=("192.0.2.53",),
        units=(
            Unit("ssh.service", "active", "running", "enabled"),
            Unit("nginx.service", "active", "running", "enabled"),
            Unit("networking.service", "active", "exited", "enabled"),
        ),
        listeners=(Listener("tcp", 22, False), Listener("tcp", 80, False)),
        mounts=(Mount("/", "ext4", f"UUID={ROOT}"), Mount("swap", "swap", f"UUID={SWAP}")),
        addresses=(Address("eth0", "192.0.2.10", 24, False),),
        routes=(Route(4, "eth0", "192.0.2.1", ("eth0",)),),
        errors=(LoggedError("kernel", "usb #-#: device descriptor read failed", "usb 1-1: device ...", 2),),
    )._replace(**changes)
