# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report on the clocks of a fleet as one page: HTML that is well-formed XML as well, with nothing from outside."""

from __future__ import annotations

import typing as t

from ._clock_drawing import (
    LARGEST_CORRECTION,
    describe_offset,
    drawn_points,
    drift_drawing,
    escape,
    event_words,
    offset_drawing,
    scales,
)
from ._clock_figures import errors
from ._quantity import fixed, ppm, seconds

if t.TYPE_CHECKING:
    from ._clock_drawing import Scale
    from ._clock_figures import History, Moment, Report
    from ._clock_record import Record

LIGHT = {
    "ground": "#ffffff",
    "text": "#1b1f24",
    "quiet": "#57606a",
    "rule": "#d5dae0",
    "main": "#0b5cad",
    "other": "#8f4a00",
    "event": "#a3126b",
    "good": "#17692b",
    "bad": "#b3261e",
}
DARK = {
    "ground": "#14181d",
    "text": "#e6e9ed",
    "quiet": "#a5afba",
    "rule": "#3a424c",
    "main": "#6cb2ff",
    "other": "#f0a85a",
    "event": "#ff8ac6",
    "good": "#6fce84",
    "bad": "#ff8f86",
}
_ARROW = "\N{RIGHTWARDS ARROW} "
_NONE = "\N{EN DASH}"
_WIDE = '<div class="wide" tabindex="0">'  # scrolls by itself, by the keyboard as well

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 86rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .6rem; border-top: 1px solid var(--rule); padding-top: 1.2rem;
  overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
p { margin: .3rem 0; max-width: 60rem; }
a { color: var(--main); }
.quiet { color: var(--quiet); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
caption { text-align: left; color: var(--quiet); padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--rule);
  overflow-wrap: break-word; max-width: 18rem; }
tbody td { min-width: 6rem; }
th { font-weight: 600; }
td.figure, .stamp { white-space: nowrap; }
.moments { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1rem; }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 6px; padding: .7rem; min-width: 0;
  break-inside: avoid; }
figcaption { overflow-wrap: anywhere; font-size: .9rem; }
figcaption strong { font-size: 1rem; }
figure.drift { max-width: 60rem; }
figure ol { margin: .2rem 0; padding-left: 1.4rem; }
.empty { border: 1px dashed var(--rule); padding: 2rem 1rem; text-align: center; color: var(--quiet); }
details { font-size: .9rem; }
ul.findings { padding-left: 1.2rem; max-width: 60rem; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; font-family: system-ui, sans-serif; }
svg text { fill: var(--text); font-size: 12px; }
svg .tick, svg .name { fill: var(--quiet); }
svg .row { font-size: 14px; }
svg .number { fill: var(--ground); font-size: 11px; font-weight: 700; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .axis, svg .zero { stroke: var(--quiet); stroke-width: 1; }
svg .zero { stroke-width: 1.5; }
svg .limit { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 3; }
svg .band { fill: var(--main); fill-opacity: .18; }
svg .course { fill: none; stroke: var(--main); stroke-width: 1.6; }
svg .bar { stroke: var(--main); stroke-width: 1.2; }
svg .main { fill: var(--main); }
svg .confidence { fill: var(--main); fill-opacity: .35; }
svg .other { fill: var(--other); }
svg .itself { fill: var(--ground); stroke: var(--other); stroke-width: 2; }
svg .event { stroke: var(--event); stroke-width: 1.5; stroke-dasharray: 5 3; }
svg .badge { fill: var(--event); }
@media print {
  body { padding: 0; max-width: none; font-size: 11px; }
  .wide { overflow: visible; }
  .moments { grid-template-columns: repeat(2, 1fr); }
  h2, h3, h3 + p { break-after: avoid; }
}
"""


def page(made: Report) -> str:
    """The page of a report. The same report gives the same page, to the byte."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>\n<meta charset="utf-8"/>',
        # whatever a guest may have brought in, nothing is run and nothing is fetched
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>",
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        '<meta name="color-scheme" content="light dark"/>',
        f"<title>{escape(made.title)}</title>\n<style>{_palette()}{_STYLE}</style>\n</head>\n<body>",
        f"<h1>{escape(made.title)}</h1>",
        *_introduction(made),
        *_summary(made),
        *_left_out(made),
    ]
    for number, history in enumerate(made.histories, 1):
        parts.extend(_history(history, f"g{number}"))
    parts.extend(_explanation())
    return "\n".join([*parts, "</body>\n</html>\n"])


def summary_lines(made: Report) -> list[str]:
    """A line for each guest, for the terminal."""
    lines = []
    for history in made.histories:
        last = history.moments[-1].record
        label, drift, offset = [" ".join(_change(history, shown)) for shown in (_label, _drift_text, _offset_text)]
        verdict = "NOT synchronised" if not last.synchronised else "synchronised"
        if last.synchronised and last.offset is None:
            verdict += ", its service says"
        lines.append(f"{history.host}: {label}: drift {drift}, offset {offset}; {verdict}")
    lines += [f"{host}: not measured this time: {why}" for host, why in made.missing]
    lines += [f"{file}: skipped: {why}" for file, why in made.skipped]
    return lines


def _palette() -> str:
    light, dark = ("".join(f" --{name}: {colour};" for name, colour in one.items()) for one in (LIGHT, DARK))
    return f"\n:root {{{light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{dark} }} }}"


def _introduction(made: Report) -> t.Iterator[str]:
    taken = sorted(moment.record.taken for history in made.histories for moment in history.moments)
    if not taken:
        yield "<p>No measurement is kept yet.</p>"
        return
    span = taken[0] if taken[0] == taken[-1] else f"{taken[0]} to {taken[-1]}"
    yield (
        f"<p>{len(taken)} measurements of {len(made.histories)} guests, {span} by the controller's "
        'clock (UTC). <a href="#meaning">What the figures mean</a></p>'
    )


def _summary(made: Report) -> t.Iterator[str]:
    kept = {history.host for history in made.histories}
    absent = [host for host, _why in made.missing if host not in kept]
    if not kept and not absent:
        return
    yield f"{_WIDE}\n<table>\n<caption>The fleet: the first measurement kept, and the latest</caption>"
    heads = ("guest", "moment", "drift", "offset", "clocksource", "time service", "verdict")
    yield f"<thead><tr>{''.join(_head(head) for head in heads)}</tr></thead>\n<tbody>"
    for number, history in enumerate(made.histories, 1):
        last = history.moments[-1].record
        cells = (
            _text_cell(*_change(history, _label)),
            _text_cell(*_change(history, _drift_text), kind="figure"),
            _text_cell(*_change(history, _offset_text), kind="figure"),
            _text_cell(*_change(history, _clocksource)),
            _text_cell(*_change(history, _service)),
            f"<td>{_change_verdict(history, last)}</td>",
        )
        yield f'<tr><th scope="row"><a href="#g{number}">{escape(history.host)}</a></th>{"".join(cells)}</tr>'
    for host in absent:
        yield f'<tr><th scope="row">{escape(host)}</th><td colspan="6" class="quiet">no measurement is kept</td></tr>'
    yield "</tbody>\n</table>\n</div>"


def _left_out(made: Report) -> t.Iterator[str]:
    for entries, head in ((made.missing, "Not measured this time"), (made.skipped, "Files that were skipped")):
        if entries:
            yield f"<h3>{head}</h3>\n<ul>"
            yield from (f"<li><strong>{escape(name)}</strong>: {escape(why)}</li>" for name, why in entries)
            yield "</ul>"


def _history(history: History, anchor: str) -> t.Iterator[str]:
    yield f'<section>\n<h2 id="{anchor}">{escape(history.host)}</h2>'
    if any(moment.record.drift is not None for moment in history.moments):
        yield '<figure class="drift">\n' + drift_drawing(history, f"{anchor}-drift")
        yield (
            "<figcaption>Drift of the clock as it is kept (dot, with its 95 % confidence), and of the clocksource by "
            f"itself (diamond). Dotted, where in sight: {LARGEST_CORRECTION:.0f} ppm, the most that NTP can correct."
            "</figcaption>\n</figure>"
        )
    found = scales(history.moments)
    is_common = len({scale for scale in found if scale is not None}) == 1
    how = "all on one scale" if is_common else "each on a scale of its own, so mind the units"
    yield f'<h3>Offset over time</h3>\n<p class="quiet">{how if len(found) > 1 else ""}</p>\n<div class="moments">'
    for number, (moment, scale) in enumerate(zip(history.moments, found), 1):
        yield _panel(moment, scale, number, f"{anchor}-{number}")
    yield "</div>"
    yield from _table(history)
    yield from _findings(history)
    yield "</section>"


def _panel(moment: Moment, scale: Scale | None, number: int, name: str) -> str:
    record = moment.record
    parts = ["<figure>"]
    if scale is None:
        parts.append('<div class="empty">nothing was measured: no clock of the host, and no server that answered</div>')
    else:
        parts.append(offset_drawing(moment, scale, name))
    against = ", ".join([course.reference for course in moment.courses]) or "nothing"
    parts.append(
        f"<figcaption><strong>{number} \N{MIDDLE DOT} {escape(record.label)}</strong>, {escape(record.taken)}<br/>"
        f"clocksource {escape(record.clocksource or 'not known')}, "
        f"{escape(_service(record))}; measured against {escape(against)}"
    )
    if moment.courses and moment.axis is None:
        parts.append("<br/>The references contradict each other, and nobody knows which is right.")
    if moment.marks:
        items = "".join(
            f"<li>{escape(event_words(mark.event.kind, mark.event.amount))}, at {fixed(mark.at, 1)} s</li>"
            for mark in moment.marks
        )
        parts.append(f"<ol>{items}</ol>")
    parts.append("</figcaption>")
    if moment.courses:
        parts.append(_points(moment))
    return "\n".join([*parts, "</figure>"])


def _points(moment: Moment) -> str:
    rows = []
    for course in moment.courses:
        for point in drawn_points(course):
            cells = (f"{point.at:.3f}", seconds(point.offset, point.uncertainty))
            rows.append(
                f"<tr><td>{escape(course.reference)}</td>"
                + "".join(f'<td class="figure">{escape(cell)}</td>' for cell in cells)
                + "</tr>"
            )
    heads = "".join(_head(head) for head in ("reference", "seconds", "offset"))
    return (
        f"<details><summary>As figures</summary>\n<p>{escape(describe_offset(moment))}</p>\n"
        f"{_WIDE}<table><thead><tr>{heads}</tr></thead>\n<tbody>{''.join(rows)}</tbody></table></div>"
        "</details>"
    )


def _table(history: History) -> t.Iterator[str]:
    heads = (
        *("", "moment", "verdict", "offset", "drift", "clocksource by itself"),
        *("clocksource", "time service", "network adapters", "runs on"),
    )
    yield f"{_WIDE}\n<table>\n<caption>The measurements</caption>"
    yield f"<thead><tr>{''.join(_head(head) for head in heads)}</tr></thead>\n<tbody>"
    for number, moment in enumerate(history.moments, 1):
        record = moment.record
        generation = f", generation {record.generation}" if record.generation else ""
        stratum = "" if record.stratum is None else f", stratum {record.stratum}"
        cells = (
            (record.clocksource or _NONE,),
            (_service(record) + stratum,),
            (", ".join(record.nics) or _NONE,),
            ((record.hypervisor or "not known") + generation, record.system or "", record.kernel or ""),
        )
        itself = _NONE if record.frequency_error is None else ppm(record.frequency_error, record.drift_uncertainty)
        figures = (_offset_text(record), _drift_text(record), itself)
        yield (
            f'<tr><th scope="row">{number}</th>'
            f'<td>{escape(record.label)}<br/><span class="stamp">{escape(record.taken)}</span></td>'
            f"<td>{_verdict(record)}</td>"
            + "".join(_text_cell(text, kind="figure") for text in figures)
            + "".join(_text_cell(*lines) for lines in cells)
            + "</tr>"
        )
    yield "</tbody>\n</table>\n</div>"


def _findings(history: History) -> t.Iterator[str]:
    for number, moment in enumerate(history.moments, 1):
        found = errors(moment.record)
        if found:
            yield f"<h3>{number} \N{MIDDLE DOT} {escape(moment.record.label)}: what was found</h3>"
            yield '<ul class="findings">'
            yield from (
                f"<li>{escape(one.severity)} <code>{escape(one.id)}</code>: {escape(one.message)}</li>" for one in found
            )
            yield "</ul>"


def _explanation() -> t.Iterator[str]:
    yield (
        '<section>\n<h2 id="meaning">What the figures mean</h2>\n'
        "<p><strong>Offset</strong>: how far the guest's clock is ahead of the reference, "
        "at the end of the measurement; negative, when it is behind. What follows \N{PLUS-MINUS SIGN} holds if the "
        "reference tells the truth about itself. The band in the drawings is the same for each comparison.</p>\n"
        "<p><strong>Drift</strong>: what the clock gains, in millionths (ppm; 11.6 ppm are a second a day), as the "
        "time service keeps it, with 95 % confidence. The <strong>clocksource by itself</strong> is what it would gain "
        "without one.</p>\n"
        "<p><strong>Time axis</strong>: seconds by the clock of the reference, from the first comparison on. Not the "
        "guest's clock, which is what is measured and may be set meanwhile, and not the "
        "controller's, which only says when a measurement was <em>taken</em>.</p>\n"
        "<p>Dots and line: the reference of the figures. Triangles: other references that are trusted. Dashed and "
        "numbered: what happened to the clock meanwhile; the line is broken there. Where there were more comparisons "
        "than can be drawn, neighbours are one dot, and its bar covers all of them.</p>\n</section>"
    )


def _change(history: History, shown: t.Callable[[Record], str]) -> tuple[str, ...]:
    """Of the first measurement and, behind an arrow, of the last; once, when it is the same."""
    first, last = shown(history.moments[0].record), shown(history.moments[-1].record)
    return (last,) if first == last else (first, _ARROW + last)


def _change_verdict(history: History, last: Record) -> str:
    first = history.moments[0].record
    shown = _verdict(last)
    return shown if _verdict(first) == shown else f"{_verdict(first)} <br/>{_ARROW}{shown}"


def _label(record: Record) -> str:
    return record.label


def _clocksource(record: Record) -> str:
    return record.clocksource or _NONE


def _service(record: Record) -> str:
    if record.service is None:
        return "no time service that answers"
    return record.service + (f", following {record.source}" if record.source else "")


def _drift_text(record: Record) -> str:
    return "not measured" if record.drift is None else ppm(record.drift, record.drift_uncertainty)


def _offset_text(record: Record) -> str:
    return "not measured" if record.offset is None else seconds(record.offset, record.offset_uncertainty)


def _verdict(record: Record) -> str:
    if record.synchronised and record.offset is None:
        return '<span class="quiet">synchronised, its service says; not measured</span>'
    if record.synchronised:
        return '<span class="good">\N{CHECK MARK} synchronised</span>'
    return '<span class="bad">\N{MULTIPLICATION SIGN} not synchronised</span>'


def _head(text: str) -> str:
    return f'<th scope="col">{escape(text)}</th>'


def _text_cell(*lines: str, kind: str = "text") -> str:
    return f'<td class="{kind}">{" <br/>".join([escape(line) for line in lines if line])}</td>'
