#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: time_sync
short_description: One service keeps the guest's clock, and follows the clock of the Hyper-V host
description:
  - Configures the time service of the guest (chrony, ntpsec, ntp, openntpd or systemd-timesyncd) for a virtual machine.
    It steps the clock after a pause or a restore, where it can at all, and chrony uses the clock of the host
    (C(/dev/ptp_hyperv)) as a reference, beside the NTP servers that check it and that it falls back to.
  - Lets one service only set the clock. Others that start at boot are masked.
  - May run before the move. Where there is no clock of the host, nothing of it is used, and no service is kept from
    starting; chronyd is told of it by a rule of udev when the device appears.
  - Writes files of its own (C(conf.d), C(ntp.d), C(timesyncd.conf.d)). Where a service reads none, as chrony up to
    Debian 10, ntp and openntpd, a marked block stands at the end of its configuration.
  - Installs no package, and starts and stops nothing. The findings C(time-service.*) say what is left to do, and the
    role C(rehost.hyperv.guest_time) does it.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  service:
    description:
      - The service that is to keep the time.
      - V(auto) takes, of those that are installed, one that starts at boot, in the order of the choices; where none
        does, one that is installed.
    type: str
    choices: [auto, chrony, ntpsec, ntp, openntpd, systemd-timesyncd]
    default: auto
  servers:
    description: NTP servers, names or addresses, besides those that the service has already.
    type: list
    elements: str
    default: []
  reference_clock:
    description:
      - Whether chrony uses the clock of the host as a reference where there is one. It takes a kernel from 4.11 on, and
        chrony from 2.2 on (Debian 9).
      - A reference clock (C(refclock PHC)) that C(chrony.conf) or another file in C(conf.d) names itself is left as it
        is, and nothing is added.
    type: bool
    default: true
notes:
  - On another hypervisor, and in an image, everything is staged.
  - Where another C(makestep) is read later, as that of C(chrony.conf) behind C(confdir) (Debian 11 and 12),
    C(chronyc) tells chronyd after each start, and without systemd a block at the end of the file does; the
    C(makestep) in the file stays.
seealso:
  - module: rehost.hyperv.time_sync_info
  - module: rehost.hyperv.clocksource
"""

EXAMPLES = r"""
- name: Follow the clock of the host, and step after a pause
  rehost.hyperv.time_sync:
  become: true
  register: time

- name: Use chrony with servers of our own, in a disk image
  rehost.hyperv.time_sync:
    image: /srv/transfer/web01.raw
    service: chrony
    servers: [ntp1.example.org, ntp2.example.org, ntp3.example.org]
  become: true
"""

RETURN = r"""
changes:
  description: Every file, link or setting that was changed, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path in the guest.
      type: str
      returned: always
    action:
      description: One of V(create), V(change), V(remove), V(restore).
      type: str
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
commands:
  description: Every program of the guest that was run, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    command:
      description: The command line.
      type: str
      returned: always
    output:
      description: The file that it made.
      type: str
      returned: always
    reason:
      description: Why.
      type: str
      returned: always
findings:
  description: What the administrator should know. The ids are explained in the findings reference of the collection.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Stable name of the kind of finding.
      type: str
      returned: always
      sample: time-service.stale
    severity:
      description: One of V(error), V(warning), V(info).
      type: str
      returned: always
    subject:
      description: What it is about, such as a path, a kernel version or a device.
      type: str
      returned: always
    message:
      description: What was found, where, and why it matters.
      type: str
      returned: always
    remedy:
      description: What to do about it.
      type: str
      returned: always
    blocks:
      description: Whether the guest does not come up on Hyper-V, or not completely, because of it.
      type: bool
      returned: always
before:
  description: What kept the time before anything was changed.
  returned: success
  type: dict
  contains: &state
    service:
      description: The service that is to keep the time; null when it is not installed, or would not start.
      type: str
      returned: always
    installed:
      description: The time services that are installed.
      type: list
      elements: str
      returned: always
    enabled:
      description: Those of them that start at boot.
      type: list
      elements: str
      returned: always
    running:
      description: Those of which a process is there.
      type: list
      elements: str
      returned: always
    reference_clock:
      description:
        - V(used) when chronyd was started with the clock of the host, V(staged) when it will be, where there is one,
          and V(none).
      type: str
      returned: always
    host_clock:
      description: Whether the running kernel shows the clock of the host.
      type: bool
      returned: always
    systemd:
      description: Whether the guest is started by systemd.
      type: bool
      returned: always
    on_hyperv:
      description: Whether the guest runs on Hyper-V now.
      type: bool
      returned: always
after:
  description: The same as RV(before), after the changes.
  returned: success
  type: dict
  contains: *state
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import time_service


def main() -> None:
    run(
        {
            "service": {
                "type": "str",
                "choices": ["auto", "chrony", "ntpsec", "ntp", "openntpd", "systemd-timesyncd"],
                "default": "auto",
            },
            "servers": {"type": "list", "elements": "str", "default": []},
            "reference_clock": {"type": "bool", "default": True},
        },
        lambda facts, arguments: time_service.plan(facts, time_service.wanted_by(arguments)),
        frozenset({"hypervisor", "clock", "time_services"}),
        lambda facts, arguments: time_service.report(facts, time_service.wanted_by(arguments)),
    )


if __name__ == "__main__":
    main()
