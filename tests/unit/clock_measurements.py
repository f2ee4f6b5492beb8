# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements of clocks as time_sync_info and guest_info return them, made of a few numbers."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_record

BEGIN = 1_795_000_000.0  # seconds since 1970, by the reference
NTP = "ntp1.example.org"


def samples(offsets: t.Iterable[float], *, every: float = 10.0, uncertainty: float = 0.001) -> list[dict[str, float]]:
    return [
        {"time": BEGIN + every * number + offset, "offset": offset, "uncertainty": uncertainty}
        for number, offset in enumerate(offsets)
    ]


def reference(name: str, offsets: t.Iterable[float], **more: t.Any) -> dict[str, t.Any]:
    about = {"kind": more.pop("kind", "server"), "trusted": more.pop("trusted", True)}
    return {"name": name, **about, "samples": samples(offsets, **more)}


def proof(offsets: t.Sequence[float] = (0.002, 0.002, 0.002, 0.002), **changes: t.Any) -> dict[str, t.Any]:
    return {
        "synchronised": True,
        "reason": "",
        "service": "chrony",
        "source": NTP,
        "stratum": 3,
        "leap": "normal",
        "reference": NTP,
        "offset": offsets[-1],
        "offset_uncertainty": 0.0003,
        "drift": 0.02,
        "drift_uncertainty": 0.05,
        "frequency_error": -12.4,
        "references": [reference(NTP, offsets)],
        "services": [],
        "kernel": None,
        "events": [],
        "findings": [],
        "changed": False,
        **changes,
    }


def guest(
    hypervisor: str = "hyperv", clocksource: str = "hyperv_clocksource_tsc_page", nics: t.Sequence[str] = ("synthetic",)
) -> dict[str, t.Any]:
    return {
        "system": {"pretty_name": "Debian GNU/Linux 12 (bookworm)", "running_kernel": "6.1.0-56-amd64"},
        "hypervisor": {"name": hypervisor, "generation": 1 if hypervisor == "hyperv" else None, "container_on": None},
        "clock": {"current": clocksource, "available": [clocksource]},
        "nics": [{"name": f"eth{number}", "kind": kind} for number, kind in enumerate(nics)],
        "default_routes": [{"interface": "eth0", "gateway": "192.0.2.1", "family": "ipv4"}],
    }


def file(
    measured: t.Mapping[str, t.Any],
    host: str = "web1",
    label: str = "",
    day: int = 1,
    where: t.Optional[t.Mapping[str, t.Any]] = None,
) -> dict[str, str]:
    """A file as the lookup gives it."""
    taken = f"2026-10-{day:02}T12:00:00Z"
    document = _clock_record.make(measured, where or guest(), host=host, label=label, taken=taken)
    return {"name": _clock_record.file_name(document), "text": json.dumps(document)}
