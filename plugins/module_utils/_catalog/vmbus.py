# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Hyper-V puts on VMBus. The class GUIDs are those of Linux' include/linux/hyperv.h and tools/hv/lsvmbus."""

from __future__ import annotations

DEVICE_KINDS: dict[str, str] = {
    "f8615163-df3e-46c5-913f-f2d2f965ed0e": "network",
    "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f": "scsi",
    "32412632-86cb-44a2-9b5c-50d1417354f5": "ide",
    "2f9bcc4a-0069-4af3-b76b-6fd0be528cda": "fibre-channel",
    "9527e630-d0ae-497b-adce-e80ab0175caf": "timesync",
    "0e0b6031-5213-4934-818b-38d90ced39db": "shutdown",
    "57164f39-9115-4e78-ab55-382f3bd5422d": "heartbeat",
    "a9a0f4e7-5a45-4d96-b827-8a841e8c03e6": "kvp",
    "35fa2e29-ea23-4236-96ae-3a6ebacba440": "vss",
    "34d14be3-dee4-41c8-9ae7-6b174977c192": "guest-services",
    "525074dc-8985-46e2-8057-a307dc18a502": "dynamic-memory",
    "cfa8b69e-5b4a-4cc0-b98b-8ba1a1f3f95a": "mouse",
    "f912ad6d-2b17-48ea-bd65-f927a61c7684": "keyboard",
    "da0a7802-e377-4aac-8e77-0558eb1073f8": "framebuffer",
    "44c4f61d-4444-4400-9d52-802e27ede19f": "pci",
    "8c2eaf3d-32a7-4b09-ab99-bd1f1c86b501": "rdma",
    "f8e65716-3cb3-4a06-9a60-1889c5cccab5": "activation",
    "3375baf4-9e15-4b30-b765-67acb10d607b": "activation",
    "276aacf4-ac15-426c-98dd-7521ad3f01fe": "remote-desktop",
    "c376c1c3-d276-48d2-90a9-c04748072c60": "machine-configuration",
}
"""Kind of a device by the GUID of its class."""

# Names of drivers as sysfs shows them. The second and third storage driver are those of Linux 2.6.32's staging tree.
NETWORK_DRIVERS = ("hv_netvsc", "netvsc")
STORAGE_DRIVERS = ("hv_storvsc", "storvsc", "blkvsc", "hv_blkvsc")
