# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying disk images from format to format: the module disk_image."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._errors import GuestError, MalformedError
from .._image import qemu_img
from .guest_module import clean, ending_errors

_FORMATS = {"vhd": "vpc"}  # as qemu-img calls it


def run(argument_spec: dict[str, t.Any]) -> None:
    """Copies an image unless the target has its content already."""
    module = AnsibleModule(argument_spec, supports_check_mode=True)
    with ending_errors(module):
        changed, image = _copy(module.params, check_mode=module.check_mode)
    module.exit_json(changed=changed, image=clean(image._asdict()))


def _copy(arguments: t.Mapping[str, t.Any], *, check_mode: bool) -> tuple[bool, qemu_img.ImageInfo]:
    source, target = arguments["src"], arguments["dest"]
    target_format = _FORMATS.get(arguments["format"], arguments["format"])
    source_format = _FORMATS.get(arguments["src_format"], arguments["src_format"])
    found = qemu_img.info(source, source_format)
    if os.path.exists(target) and os.path.samefile(source, target):
        raise GuestError("src and dest are the same file", path=target, hint="The source is never written to.")
    if os.path.exists(target):
        there = qemu_img.info(target, target_format)
        try:
            qemu_img.compare(source, found.format, target, target_format, _reporter(arguments["progress_file"]))
            return False, there
        except MalformedError as error:
            if not arguments["replace"]:
                raise GuestError(
                    f"{target} exists and has another content than {source}",
                    path=target,
                    hint="Remove it, or say replace: true.",
                ) from error
    if check_mode:
        return True, found
    made = qemu_img.convert(
        source,
        found.format,
        target,
        target_format,
        subformat=arguments["subformat"],
        progress=_reporter(arguments["progress_file"]),
    )
    return True, made


def _reporter(path: str | None) -> qemu_img.Progress | None:
    """Writes the step and the percentage to a file that somebody watches."""
    if path is None:
        return None

    def report(step: str, percent: float) -> None:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f"{step} {percent:.0f}\n")

    return report
