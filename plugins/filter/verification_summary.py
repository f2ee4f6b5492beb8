# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: verification_summary
short_description: Say in a few lines which guests have arrived on Hyper-V, and what is wrong with the others
version_added: 0.1.0
author: [rehost.hyperv contributors (!UNKNOWN)]
description:
  - Makes lines of text from what M(rehost.hyperv.verification_info) returned for several guests.
positional: hosts
options:
  _input:
    description:
      - For each guest its name, and either the result of M(rehost.hyperv.verification_info) or its variables, with that
        result in C(migration_verify_result).
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
    msg: "{{ hostvars | rehost.hyperv.verification_summary(ansible_play_hosts_all) }}"
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
    verified = 0
    names = sorted(results) if hosts is None else hosts
    for name in names:
        found = results.get(name, {})
        if "verified" not in found:
            found = found.get("migration_verify_result") or {}
        verified += bool(found.get("verified"))
        lines += _lines(name, found)
    lines.append(f"{verified} of {len(names)} verified")
    return lines


def _lines(name: str, found: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if "verified" not in found:
        yield f"{name}: not looked at"
        return
    compared = (
        "as it was before the move" if found["has_baseline"] else "not compared with before, as there is no baseline"
    )
    yield f"{name}: verified, {compared}" if found["verified"] else f"{name}: NOT VERIFIED"
    for finding in found["findings"]:
        if finding["severity"] != "info":
            yield f"  {finding['severity']} {finding['id']}: {finding['message']}"
            yield f"    -> {finding['remedy']}"
    for proof in found["proofs"]:
        yield f"  {proof}"
    if found.get("clock"):
        yield from _clock_lines(found["clock"])


def _clock_lines(clock: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if not clock["synchronised"]:
        yield f"  the clock was not shown to be right: {clock['reason']}"
        for finding in clock["findings"]:
            if finding["severity"] == "error":
                yield f"    -> {finding['remedy']}"
    elif clock["reference"] is None:
        yield f"  the clock is synchronised, says {clock['service']}"
    else:
        figures = f"{1000 * clock['offset']:+.3f} ms +/- {1000 * clock['offset_uncertainty']:.3f} ms"
        yield f"  the clock is right: {figures} by {clock['reference']}"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"verification_summary": summarise}
