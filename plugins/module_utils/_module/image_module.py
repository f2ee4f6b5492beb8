# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module disk_image between Ansible and the copying of disk images."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._image.copy import copy_image
from .guest_module import clean, ending_errors


def run(argument_spec: dict[str, t.Any]) -> None:
    """Copies an image unless the target has its content already."""
    module = AnsibleModule(argument_spec, supports_check_mode=True)
    arguments = module.params
    with ending_errors(module):
        copied = copy_image(
            arguments["src"],
            arguments["dest"],
            arguments["format"],
            source_format=arguments["src_format"],
            subformat=arguments["subformat"],
            replace=arguments["replace"],
            dry_run=module.check_mode,
            progress_file=arguments["progress_file"],
        )
    module.exit_json(changed=copied.changed, image=clean(copied.image._asdict()))
