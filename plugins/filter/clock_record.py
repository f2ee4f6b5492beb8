# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: clock_record
short_description: Make the document that is kept of one measurement of a guest's clock
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
description:
  - Puts together what M(rehost.hyperv.time_sync_info) and M(rehost.hyperv.guest_info) returned, as far as a report
    needs it. Texts are made printable and short, and what cannot be a clock's figure is refused.
  - For P(rehost.hyperv.clock_report#filter).
options:
  _input:
    description: What M(rehost.hyperv.time_sync_info) returned.
    type: dict
    required: true
  guest:
    description: The RV(rehost.hyperv.guest_info#module:guest) that M(rehost.hyperv.guest_info) returned.
    type: dict
    required: true
  host:
    description: The guest's name.
    type: str
    required: true
  taken:
    description: The controller's time, in UTC, as V(2026-01-31T12:00:00Z).
    type: str
    required: true
  label:
    description:
      - What the moment is called.
      - Without it the hypervisor, and V(-emulated) behind it when the guest uses an emulated timer or network adapter.
        Examples are V(xen), V(hyperv-emulated), V(hyperv).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: What is kept
  ansible.builtin.set_fact:
    kept: "{{ proof | rehost.hyperv.clock_record(guest=look.guest, host=inventory_hostname, taken=now(utc=true,
      fmt='%Y-%m-%dT%H:%M:%SZ')) }}"
"""

RETURN = r"""
_value:
  description: The document.
  type: dict
  contains:
    name:
      description: A file name that no other document has.
      type: str
    content:
      description: What belongs into the file, as JSON.
      type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.rehost.hyperv.plugins.module_utils._errors import MalformedError
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_record


def record(
    proof: t.Mapping[str, t.Any], guest: t.Mapping[str, t.Any], host: str, taken: str, label: str = ""
) -> dict[str, t.Any]:
    try:
        content = _clock_record.make(proof, guest, host=host, label=label, taken=taken)
    except MalformedError as error:
        raise AnsibleFilterError(f"What the guest told of its clock cannot be kept: {error.message}") from error
    return {"name": _clock_record.file_name(content), "content": content}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"clock_record": record}
