#!/usr/bin/python
# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: clocksource
short_description: Make sure that the kernel uses the right clocksource
description:
  - Tells which clocksource the guest should have, from what the host offers (reference TSC page, invariant TSC), the
    kernel and the hypervisor, and why.
  - Sets it in the running kernel when a wrong one is in use, and takes from the boot loader's settings and menu what
    pins a wrong one (V(clocksource=xen), V(clocksource=acpi_pm), V(clock=pit), V(notsc), V(divider=10) and other advice
    that is obsolete), so that the kernel chooses by itself at the next boot. Nothing is forced unless O(force) says so.
  - On XenServer, before the move, only the boot loader's settings change, and the guest starts there as well as before.
  - Of a guest that is not running only the boot loader's settings are judged.
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
extends_documentation_fragment:
  - rehost.hyperv.guest
  - rehost.hyperv.guest.changes
options:
  force:
    description:
      - A clocksource to set and to pin, whatever is known against it. Without this option the kernel is left alone to
        choose.
    type: str
notes:
  - A clocksource that a script sets at boot through C(/sys) is not found; it is set right, and wrong again after the
    next boot.
seealso:
  - module: rehost.hyperv.kernel_cmdline
  - module: rehost.hyperv.time_sync_info
"""

EXAMPLES = r"""
- name: Use the clocksource that this host and kernel have for it
  rehost.hyperv.clocksource:
  become: true
  register: clocksource

- name: Tell why
  ansible.builtin.debug:
    var: clocksource.after.reason

- name: Take obsolete advice out of a disk image
  rehost.hyperv.clocksource:
    image: /srv/transfer/web01.raw
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
      sample: integration.daemons-missing
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
  description: What is known of the clocksource before anything was changed.
  returned: success
  type: dict
  contains: &verdict
    is_right:
      description: Whether it is the right one; null where that cannot be told.
      type: bool
      returned: always
    current:
      description: The clocksource in use.
      type: str
      returned: always
    available:
      description: Those that the running kernel has on this host.
      type: list
      elements: str
      returned: always
    expected:
      description: The best of them for this host and kernel.
      type: str
      returned: always
    forced_by:
      description: Arguments of the running kernel that decide on it.
      type: list
      elements: str
      returned: always
    reason:
      description: Why it is right or wrong.
      type: str
      returned: always
    restart_needed:
      description:
        - Whether the boot loader gives the kernel other arguments that decide on it than the running kernel got, as
          after a change without a restart.
      type: bool
      returned: always
after:
  description: The same as RV(before), after the changes.
  returned: success
  type: dict
  contains: *verdict
"""

from ansible_collections.rehost.hyperv.plugins.module_utils._module.guest_module import run
from ansible_collections.rehost.hyperv.plugins.module_utils._plan import clocksource


def main() -> None:
    run(
        {"force": {"type": "str"}},
        lambda facts, arguments: clocksource.plan(facts, clocksource.Wanted(force=arguments["force"])),
        frozenset({"hypervisor", "clock"}),
        lambda facts, arguments: clocksource.judge(facts).report(),
    )


if __name__ == "__main__":
    main()
