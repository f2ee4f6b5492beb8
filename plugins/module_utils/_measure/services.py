# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the time services what they think of their clock."""

from __future__ import annotations

import typing as t

from .._errors import MalformedError
from .._formats import chronyc, ntpctl, ntpq, timedatectl
from .._formats._time_status import TimeStatus
from . import programs
from .model import ServiceAnswer


class _SilentError(Exception):
    """A program did not tell what it was asked; the message is what it said instead."""


Document = t.TypeVar("Document")


def ask(service: str) -> ServiceAnswer:
    """What a service says; when it says nothing, why."""
    questions = {
        "chrony": _chrony,
        "ntp": _ntp,
        "ntpsec": _ntp,
        "openntpd": _openntpd,
        "systemd-timesyncd": _timesyncd,
    }
    try:
        return ServiceAnswer(service, questions[service]())
    except _SilentError as error:
        return ServiceAnswer(service, None, str(error))


def _chrony() -> TimeStatus:
    try:
        # CSV is for programs; before chrony 2.4 there is none
        status = _answer(("chronyc", "-c", "-n", "tracking"), chronyc.parse_tracking)
        sources = _answer(("chronyc", "-c", "-n", "sources"), chronyc.parse_sources)
    except _SilentError:
        status = _answer(("chronyc", "-n", "tracking"), chronyc.parse_tracking)
        sources = _answer(("chronyc", "-n", "sources"), chronyc.parse_sources)
    return status._replace(sources=sources)


def _ntp() -> TimeStatus:
    status = _answer(("ntpq", "-n", "-c", "rv"), ntpq.parse_variables)
    return status._replace(sources=_answer(("ntpq", "-pn"), ntpq.parse_peers))


def _openntpd() -> TimeStatus:
    return _answer(("ntpctl", "-s", "all"), ntpctl.parse)


def _timesyncd() -> TimeStatus:
    try:
        is_synchronised = _answer(("timedatectl", "show"), timedatectl.parse_status)
        status = _answer(("timedatectl", "show-timesync", "--all"), timedatectl.parse_timesync)
    except _SilentError:  # before systemd 239
        is_synchronised = _answer(("timedatectl", "status"), timedatectl.parse_status)
        status = TimeStatus()
    return status._replace(is_synchronised=is_synchronised)


def _answer(argv: tuple[str, ...], parse: t.Callable[[str], Document]) -> Document:
    said = programs.ask(argv)
    try:
        return parse(said.text)
    except MalformedError as error:
        lines = [line.strip(" *") for line in (said.complaint + "\n" + said.text).split("\n") if line.strip(" *")]
        raise _SilentError(f"{' '.join(argv)}: {lines[0][:200] if lines else error.message}") from error
