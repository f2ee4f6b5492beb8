# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: readiness_summary
short_description: Say in a few lines which guests are ready for Hyper-V, and what is in the way of the others
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
description:
  - Makes lines of text from what M(rehost.hyperv.readiness_info) returned for several guests.
positional: hosts
options:
  _input:
    description:
      - For each guest its name, and either the result of M(rehost.hyperv.readiness_info) or its variables, with that
        result in C(migration_assess_readiness).
    type: dict
    required: true
  hosts:
    description: The guests to speak of, in this order. Without it all, sorted by name.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Summarise
  ansible.builtin.debug:
    msg: "{{ hostvars | rehost.hyperv.readiness_summary(ansible_play_hosts_all) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

import typing as t


def summarise(results: t.Mapping[str, t.Mapping[str, t.Any]], hosts: t.Sequence[str] | None = None) -> list[str]:
    """A line or more for each guest, and one that counts them."""
    lines: list[str] = []
    ready = 0
    names = sorted(results) if hosts is None else hosts
    for name in names:
        found = results.get(name, {})
        if "ready" not in found:
            found = found.get("migration_assess_readiness") or {}
        ready += bool(found.get("ready"))
        lines += _lines(name, found)
    lines.append(f"{ready} of {len(names)} ready")
    return lines


def _lines(name: str, found: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if "ready" not in found:
        yield f"{name}: not judged"
        return
    if found["ready"]:
        generations = " and ".join(str(number) for number in found["generations"])
        yield f"{name}: ready, boots on generation {generations}"
    else:
        yield f"{name}: NOT READY"
        for kernel in found["kernels"]:
            if kernel["is_default"]:
                for number in (1, 2):
                    for why in kernel[f"generation{number}"]["why"]:
                        if not kernel[f"generation{number}"]["boots"]:
                            yield f"  kernel {kernel['version']}, generation {number}: {why}"
    yield from _kernel(found.get("kernel_advice") or {})
    for finding in found["findings"]:
        if finding["severity"] != "info":
            yield f"  {finding['severity']} {finding['id']}: {finding['message']}"
            yield f"    -> {finding['remedy']}"


def _kernel(advice: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    what = {
        "switch": f"start kernel {advice.get('kernel')} by default",
        "newer": f"install {advice.get('package')}",
        "backports": f"install {advice.get('package')} from this release's backports",
        "build": "build one",
    }
    if advice.get("action") in what:
        yield f"  kernel: {what[advice['action']]}: {'; '.join(advice['reasons'][:2])}"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"readiness_summary": summarise}
