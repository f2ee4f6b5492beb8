# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In the guest, as root: python3 watch.py MOMENT takes its power away when the moment has come.

MOMENT: a phase of the live switch of the network, or the path of a file that is written.
"""

from __future__ import annotations

import os
import sys
import time

STATE = "/var/lib/rehost-hyperv/live-switch/state.json"


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def main() -> None:
    moment = sys.argv[1]
    before = read(STATE)
    power = os.open("/proc/sysrq-trigger", os.O_WRONLY)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    while True:
        if moment.startswith("/"):
            has_come = os.path.exists(moment)
        else:
            state = read(STATE)
            has_come = state != before and f'"phase": "{moment}"' in state
        if has_come:
            os.write(power, b"b")
        time.sleep(0.005)


if __name__ == "__main__":
    main()
