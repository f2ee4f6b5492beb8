# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.rehost.hyperv.plugins.module_utils._apply.switch_process import trial_files
from ansible_collections.rehost.hyperv.plugins.module_utils._apply.trial_files import TrialFile
from ansible_collections.rehost.hyperv.plugins.module_utils._plan.model import FileChange, LinkChange, Plan

# What the process does is tested in test_live_switch.py, as it is started: from a call of the module.


def test_only_files_that_are_there_are_shown_as_they_would_be() -> None:
    changes = (
        FileChange("/etc/network/interfaces", "before", "after", "name"),
        FileChange("/etc/systemd/network/10-old.link", "before", None, "gone"),
        FileChange("/etc/udev/rules.d/71-rehost-hyperv-net.rules", None, "rules", "new"),
        LinkChange("/etc/link", "a", "b", "link"),
    )
    assert trial_files(Plan(changes=changes)) == (
        TrialFile("/etc/network/interfaces", "after"),
        TrialFile("/etc/systemd/network/10-old.link", None),
    )
