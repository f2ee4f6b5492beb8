# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: clock_records
short_description: Read the measurements of clocks that are kept in a directory
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
description:
  - Gives the text of every file in a directory, sorted by name, for P(rehost.hyperv.clock_report#filter).
  - What is no regular file, is larger than 16 MiB or cannot be read comes with the reason instead of a text.
  - A directory that is not there has no files in it.
options:
  _terms:
    description: Directories on the controller.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Count the measurements
  ansible.builtin.debug:
    msg: "{{ query('rehost.hyperv.clock_records', '/srv/clocks/measurements') | length }}"
"""

RETURN = r"""
_raw:
  description: For each file its C(name), and C(text) or C(problem).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import GuestError
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_files


class LookupModule(LookupBase):
    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, str]]:
        try:
            return [file for directory in terms for file in _clock_files.read_all(directory)]
        except GuestError as error:
            raise AnsibleLookupError(error.message) from error
