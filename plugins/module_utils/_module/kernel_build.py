# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module kernel_build between Ansible and a build that goes on without it."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._apply.detached import detach
from .._build.request import fulfil
from .guest_module import clean, ending_errors


def run(argument_spec: dict[str, t.Any], **rules: t.Any) -> None:
    """Starts a build unless it is done or under way already, and waits for it as long as it is told to."""
    module = AnsibleModule(argument_spec, supports_check_mode=True, **rules)
    with ending_errors(module):
        result = fulfil(module.params, detach, is_check=module.check_mode)
    if result["state"] == "failed":
        message = result["message"] + (f". {result['hint']}" if result["hint"] else "")
        module.fail_json(msg=clean(message), **clean(result))
    module.exit_json(**clean(result))
