# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the guests ended: on machines of generation 2."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guests"]


def test_it_was_started_by_uefi_and_has_no_emulated_disk_or_adapter(host: t.Any) -> None:
    assert host.file("/sys/firmware/efi").is_directory
    for kind in ("0x0101", "0x0200"):  # IDE, Ethernet
        assert host.run("grep -q ^%s /sys/bus/pci/devices/*/class", kind).rc == 1
