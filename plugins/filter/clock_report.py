# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: clock_report
short_description: Draw drift and offset of the clocks of a fleet, before and after
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
description:
  - Makes a page and a JSON document from measurements that were kept, as P(rehost.hyperv.clock_records#lookup) reads
    them and P(rehost.hyperv.clock_record#filter) makes them.
  - The same input gives the same output, to the byte.
  - What is no such measurement is named and skipped.
positional: title, missing
options:
  _input:
    description: For each file its C(name), and its C(text) or the C(problem) with it.
    type: list
    elements: dict
    required: true
  title:
    description: The title of the page.
    type: str
    default: The clocks of the guests
  missing:
    description: Guests that were not measured this time, each with the reason.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ (files | rehost.hyperv.clock_report).page }}"
    dest: /srv/clocks/clock-report.html
    mode: "0644"
  vars:
    files: "{{ query('rehost.hyperv.clock_records', '/srv/clocks/measurements') }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    page:
      description: A page of HTML that needs nothing else.
      type: str
    figures:
      description: The same figures as a document, of which the README of the role clock_report tells the schema.
      type: dict
    lines:
      description: A line for each guest.
      type: list
      elements: str
"""

import typing as t

from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_figures, _clock_page


def report(
    files: t.Iterable[t.Mapping[str, t.Any]],
    title: str = "The clocks of the guests",
    missing: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    made = _clock_figures.report(files, title, missing or {})
    return {
        "page": _clock_page.page(made),
        "figures": _clock_figures.document(made),
        "lines": _clock_page.summary_lines(made),
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"clock_report": report}
