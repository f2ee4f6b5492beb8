# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of one measurement of a guest's clock: a JSON document, in a file of its own on the controller.

Everything in it comes from a guest, and the files lie where anybody may have put others: each is read as if it were
hostile. Numbers are finite, texts short and printable, lists bounded.

Two clocks are named. C(taken) is the controller's, when the measurement arrived. C(time) of a sample is the guest's
own, the one that is measured; a sample's time less its offset is the time of the reference.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import typing as t

from ..module_utils._errors import LimitError, MalformedError

SCHEMA = "rehost.hyperv/clock-record"
VERSION = 1

EMULATED_CLOCKSOURCES = ("acpi_pm", "hpet", "pit", "jiffies", "refined-jiffies")
EMULATED_NICS = ("legacy", "emulated")

_LONGEST_TEXT = 500  # characters
_LARGEST_NUMBER = 1e12  # seconds, ppm; more than any clock shows
_MOST_SAMPLES = 20_000  # of one reference; an hour at five a second
_MOST_ITEMS = 200  # of any other list
_TAKEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


class Sample(t.NamedTuple):
    """Seconds: the guest's clock since 1970, its offset from the reference, and what that may be wrong by."""

    time: float
    offset: float
    uncertainty: float

    @property
    def reference_time(self) -> float:
        return self.time - self.offset


class Event(t.NamedTuple):
    """What happened to the clock. C(at) is the guest's time, of a gap the reference's; C(amount) in seconds."""

    kind: str
    at: float
    amount: float
    reference: str | None


class Finding(t.NamedTuple):
    id: str
    severity: str
    subject: str
    message: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the clock was measured against."""

    name: str
    kind: str
    trusted: bool
    samples: tuple[Sample, ...]


@dataclasses.dataclass(frozen=True)
class Record:
    """One measurement of one guest; seconds and ppm, positive when the guest's clock is ahead, or gains."""

    host: str
    label: str
    taken: str
    hypervisor: str | None
    generation: int | None
    system: str | None
    kernel: str | None
    clocksource: str | None
    nics: tuple[str, ...]  # kinds
    synchronised: bool
    reason: str
    service: str | None
    source: str | None
    stratum: int | None
    leap: str | None
    reference: str | None
    offset: float | None
    offset_uncertainty: float | None
    drift: float | None
    drift_uncertainty: float | None
    frequency_error: float | None
    references: tuple[Reference, ...]
    events: tuple[Event, ...]
    findings: tuple[Finding, ...]


def make(
    proof: t.Mapping[str, t.Any], guest: t.Mapping[str, t.Any], *, host: str, label: str, taken: str
) -> dict[str, t.Any]:
    """The document, from what time_sync_info and guest_info returned. Without a label it is that of the moment."""
    facts = _Fields(guest, "guest")
    system, verdict, clock = facts.part("system"), facts.part("hypervisor"), facts.part("clock")
    # bounded as one that is read from a file is
    return write(
        _record(
            {
                "host": host,
                "label": label or moment(guest),
                "taken": taken,
                "guest": {
                    "hypervisor": verdict.text("name"),
                    "generation": verdict.whole("generation"),
                    "system": system.text("pretty_name"),
                    "kernel": system.text("running_kernel"),
                    "clocksource": clock.text("current"),
                    "nics": [nic.text("kind") or "other" for nic in facts.items("nics")],
                },
                "clock": proof,
            }
        )
    )


def write(record: Record) -> dict[str, t.Any]:
    """The document of a record, such that reading it gives the record again."""
    guest = ("hypervisor", "generation", "system", "kernel", "clocksource", "nics")
    known = dataclasses.asdict(record)
    top = {name: known.pop(name) for name in ("host", "label", "taken")}
    about = {name: known.pop(name) for name in guest}
    known["references"] = [
        {
            "name": one.name,
            "kind": one.kind,
            "trusted": one.trusted,
            "samples": [sample._asdict() for sample in one.samples],
        }
        for one in record.references
    ]
    known["events"] = [event._asdict() for event in record.events]
    known["findings"] = [finding._asdict() for finding in record.findings]
    about["nics"] = list(record.nics)
    return {"schema": SCHEMA, "version": VERSION, **top, "guest": about, "clock": known}


def file_name(document: t.Mapping[str, t.Any]) -> str:
    """A name for the document's file that no other document has, and that says what it is."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]
    words = [_NOT_IN_FILE_NAMES.sub("-", str(document[name]))[:60] for name in ("host", "label")]
    taken = re.sub(r"[-:]", "", str(document["taken"]))
    return f"{words[0]}.{words[1]}.{taken}.{digest}.json"


def read(text: str) -> Record:
    """The record of a file's text; MalformedError for anything else than this version of this schema."""
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"it is no JSON ({printable(str(error))})") from error
    fields = _Fields(document, "document")
    if fields.text("schema") != SCHEMA:
        raise MalformedError("it is not a record of a clock")
    if fields.whole("version") != VERSION:
        raise MalformedError(f"it is version {printable(str(document.get('version')))}, and only {VERSION} is known")
    return _record(document)


def moment(guest: t.Mapping[str, t.Any]) -> str:
    """What tells one moment of a guest's way from another: the hypervisor, and whether an emulated timer or network
    adapter is in use there. V(xen), V(hyperv-emulated), V(hyperv), ..."""
    facts = _Fields(guest, "guest")
    verdict = facts.part("hypervisor")
    name = verdict.text("container_on") or verdict.text("name") or "unknown"
    family = "xen" if name.startswith("xen-") else name
    routed = {route.text("interface") for route in facts.items("default_routes")}
    nics = facts.items("nics")
    used = [nic.text("kind") for nic in nics if nic.text("name") in routed] or [nic.text("kind") for nic in nics]
    is_emulated = facts.part("clock").text("current") in EMULATED_CLOCKSOURCES or (
        bool(used) and all(kind in EMULATED_NICS for kind in used)
    )
    return f"{family}-emulated" if is_emulated and name != "physical" else family


def printable(text: str) -> str:
    """Text of one line that may stand in a page and on a terminal: no control characters, no lone surrogates, nothing
    that turns the direction of writing, and not long."""
    shown = "".join([char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:_LONGEST_TEXT]])
    return shown + "\N{HORIZONTAL ELLIPSIS}" if len(text) > _LONGEST_TEXT else shown


def _refuse_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is no number of JSON")


class _Fields:
    """The members of a JSON object that is not trusted; MalformedError when one is of another kind than it should."""

    def __init__(self, value: t.Any, where: str) -> None:
        if not isinstance(value, t.Mapping):
            raise MalformedError(f"{where} is no object")
        self._value = value
        self._where = where

    def part(self, name: str) -> _Fields:
        value = self._value.get(name)
        return _Fields({} if value is None else value, name)

    def text(self, name: str) -> str | None:
        value = self._value.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "text")
        return None if value is None else printable(value)

    def flag(self, name: str) -> bool:
        value = self._value.get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def number(self, name: str) -> float | None:
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self._wrong(name, "a number")
        if not abs(value) <= _LARGEST_NUMBER or not math.isfinite(value):
            raise self._wrong(name, "a number that a clock could show")
        return float(value)

    def whole(self, name: str) -> int | None:
        value = self.number(name)
        return None if value is None else int(value)

    def items(self, name: str, most: int = _MOST_ITEMS) -> list[_Fields]:
        return [_Fields(item, f"an item of {name}") for item in self.values(name, most)]

    def values(self, name: str, most: int = _MOST_ITEMS) -> t.Sequence[t.Any]:
        value = self._value.get(name)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)):
            raise self._wrong(name, "a list")
        if len(value) > most:
            raise LimitError(f"{name} has {len(value)} items, more than {most}")
        return value

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise self._wrong(name, "text")
        return value

    def required_number(self, name: str) -> float:
        value = self.number(name)
        if value is None:
            raise self._wrong(name, "a number")
        return value

    def _wrong(self, name: str, wanted: str) -> MalformedError:
        return MalformedError(f"{name} of {self._where} is not {wanted}")


def _record(document: t.Mapping[str, t.Any]) -> Record:
    fields = _Fields(document, "document")
    guest, clock = fields.part("guest"), fields.part("clock")
    taken = fields.required_text("taken")
    if not _TAKEN.fullmatch(taken):
        raise MalformedError("taken is not a time such as 2026-01-31T12:00:00Z")
    kinds = [kind for kind in guest.values("nics") if isinstance(kind, str)]
    return Record(
        host=fields.required_text("host"),
        label=fields.required_text("label"),
        taken=taken,
        hypervisor=guest.text("hypervisor"),
        generation=guest.whole("generation"),
        system=guest.text("system"),
        kernel=guest.text("kernel"),
        clocksource=guest.text("clocksource"),
        nics=tuple([printable(kind) for kind in kinds]),
        synchronised=clock.flag("synchronised"),
        reason=clock.text("reason") or "",
        service=clock.text("service"),
        source=clock.text("source"),
        stratum=clock.whole("stratum"),
        leap=clock.text("leap"),
        reference=clock.text("reference"),
        offset=clock.number("offset"),
        offset_uncertainty=_size(clock, "offset_uncertainty"),
        drift=clock.number("drift"),
        drift_uncertainty=_size(clock, "drift_uncertainty"),
        frequency_error=clock.number("frequency_error"),
        references=tuple([_reference(one) for one in clock.items("references")]),
        events=tuple([_event(one) for one in clock.items("events")]),
        findings=tuple([_finding(one) for one in clock.items("findings")]),
    )


def _size(fields: _Fields, name: str) -> float | None:
    value = fields.number(name)
    if value is not None and value < 0:
        raise MalformedError(f"{name} is negative")
    return value


def _reference(fields: _Fields) -> Reference:
    samples = [
        Sample(one.required_number("time"), one.required_number("offset"), _size(one, "uncertainty") or 0.0)
        for one in fields.items("samples", _MOST_SAMPLES)
    ]
    return Reference(fields.required_text("name"), fields.required_text("kind"), fields.flag("trusted"), tuple(samples))


def _event(fields: _Fields) -> Event:
    return Event(
        fields.required_text("kind"),
        fields.required_number("at"),
        fields.required_number("amount"),
        fields.text("reference"),
    )


def _finding(fields: _Fields) -> Finding:
    return Finding(
        fields.required_text("id"),
        fields.required_text("severity"),
        fields.text("subject") or "",
        fields.text("message") or "",
    )
