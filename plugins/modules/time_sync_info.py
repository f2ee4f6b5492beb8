#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: time_sync_info
short_description: Prove that a guest's clock is synchronised, or tell why it is not
description:
  - Reads what the time services of the guest say of themselves (chrony, ntp, ntpsec, openntpd, systemd-timesyncd), and
    measures for itself, against NTP servers and against the clock of the host (C(/dev/ptp_hyperv)).
  - What is measured comes with its uncertainty. A clock counts as synchronised when it is shown to be, not when nothing
    speaks against it.
  - The offset holds at the end of the measurement, the drift since the clock was last set. A pause of the guest in
    between is seen and spoils neither.
  - Nothing is changed; the clock is never touched.
  - Takes O(interval) seconds, and some more for services and servers that do not answer. It never waits for them
    without end.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
options:
  servers:
    description:
      - NTP servers to measure against, names or addresses. They need not be those that the guest's time service uses.
      - With three or more, one that is wrong is found out. Each is asked eight times.
    type: list
    elements: str
    default: []
  interval:
    description:
      - Seconds over which is measured. The longer, the more certain the drift. Up to one hour.
      - The host tells its time every five seconds. Against its clock there is no drift with less than 7.5, and the
        offset is told as if the clocksource were wrong by 500 ppm at most.
    type: float
    default: 10
  wait:
    description:
      - Seconds to wait until the clock is synchronised. When it is not by then, the module fails and says why.
      - With V(0) there is one measurement, and RV(synchronised) tells what came of it.
    type: int
    default: 0
  max_offset:
    description:
      - Seconds by which the clock may be wrong, its uncertainty included. A negative number asks for none.
    type: float
    default: 0.1
  max_drift:
    description: Drift in ppm that the clock may have, its uncertainty included.
    type: float
  max_stratum:
    description: The highest stratum that the guest's time service may have.
    type: int
  require_source:
    description:
      - The source that the guest's time service has to follow, as the service names it.
      - V(phc) stands for the clock of the host, used as a reference clock.
    type: str
attributes:
  check_mode:
    description: The module only reads.
    support: full
  diff_mode:
    description: The module only reads, so there is no difference.
    support: N/A
  platform:
    description: A guest that is running, with Python 3.7 or later. Root may read more than others.
    support: full
    platforms: posix
seealso:
  - module: rehost.hyperv.clocksource
  - module: rehost.hyperv.guest_info
"""

EXAMPLES = r"""
- name: Prove that the clock is right, to 10 ms against the host and three servers
  rehost.hyperv.time_sync_info:
    servers: [ntp1.example.org, ntp2.example.org, ntp3.example.org]
    max_offset: 0.01
    wait: 120
  become: true

- name: Measure the drift over a minute
  rehost.hyperv.time_sync_info:
    servers: [192.0.2.1]
    interval: 60
  become: true
  register: clock

- name: Show it
  ansible.builtin.debug:
    msg: "{{ clock.drift }} ppm +/- {{ clock.drift_uncertainty }}"
"""

RETURN = r"""
synchronised:
  description: Whether the clock was shown to be as asked for.
  returned: always
  type: bool
reason:
  description: Why it was not; empty when it was.
  returned: always
  type: str
service:
  description: The time service that answered.
  returned: always
  type: str
source:
  description: What that service follows.
  returned: always
  type: str
stratum:
  description: The guest's own stratum, as its service says.
  returned: always
  type: int
leap:
  description: One of V(normal), V(insert), V(delete), V(unset), as the service says.
  returned: always
  type: str
reference:
  description: What the figures are measured against, the most certain of the references that agree with each other.
  returned: always
  type: str
offset:
  description: Seconds by which the guest's clock is ahead of the reference; negative when it is behind.
  returned: always
  type: float
offset_uncertainty:
  description: Seconds by which the offset may be wrong to either side, if the reference tells the truth about itself.
  returned: always
  type: float
drift:
  description: ppm by which the clock gains on the reference, as it is kept by the time service.
  returned: always
  type: float
drift_uncertainty:
  description: ppm by which the drift may be wrong to either side, with a confidence of 95 %.
  returned: always
  type: float
frequency_error:
  description: ppm by which the clocksource runs fast by itself, without any time service.
  returned: always
  type: float
references:
  description: Every reference that gave its time, with RV(offset), RV(drift) and so on against it.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The server, or the path of the device.
      type: str
      returned: always
    kind:
      description: V(server) or V(phc).
      type: str
      returned: always
    trusted:
      description: Whether it is one of those that agree with each other.
      type: bool
      returned: always
    delay:
      description: Seconds of the shortest way there and back.
      type: float
      returned: always
    samples:
      description: What was measured. For each sample RC(time), RC(offset) and RC(uncertainty).
      type: list
      elements: dict
      returned: always
services:
  description: What each time service that runs says of itself, or why it says nothing.
  returned: always
  type: list
  elements: dict
kernel:
  description: What the kernel says of its clock.
  returned: always
  type: dict
events:
  description: What happened to the clock meanwhile. It was set (V(clock-set)), there was a leap second, or the guest
    was paused (V(gap)).
  returned: always
  type: list
  elements: dict
findings:
  description: What the administrator should know. The ids are explained in the findings reference of the collection.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: Stable name of the kind of finding.
      type: str
      returned: always
      sample: time.two-masters
    severity:
      description: V(error) is a reason why the clock does not count as synchronised; V(warning) and V(info) are not.
      type: str
      returned: always
    subject:
      description: What it is about, such as a service or a server.
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
      description: Always false here.
      type: bool
      returned: always
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.time_sync import run


def main() -> None:
    run(
        {
            "servers": {"type": "list", "elements": "str", "default": []},
            "interval": {"type": "float", "default": 10},
            "wait": {"type": "int", "default": 0},
            "max_offset": {"type": "float", "default": 0.1},
            "max_drift": {"type": "float"},
            "max_stratum": {"type": "int"},
            "require_source": {"type": "str"},
        }
    )


if __name__ == "__main__":
    main()
