# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network of a guest that has been on both hypervisors, with three adapters."""

from __future__ import annotations

import typing as t

testinfra_hosts = ["ansible://guests"]
CONFIGURED = "enX0"  # on XenServer, where the configuration was written


def test_the_adapter_bears_the_name_that_the_configuration_says(host: t.Any) -> None:
    assert host.check_output("ip -4 route show default").split()[4] == CONFIGURED
    assert host.run("grep -rqw %s /etc/systemd/network /etc/NetworkManager", CONFIGURED).rc == 0


def test_it_has_the_address_that_it_asks_for_by_dhcp(host: t.Any) -> None:
    assert host.interface(CONFIGURED).addresses[0].startswith("10.0.2.")
