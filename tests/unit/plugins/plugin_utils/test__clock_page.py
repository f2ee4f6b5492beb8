# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html.parser
import json
import re
import typing as t
import xml.etree.ElementTree

import pytest
from ansible_collections.rehost.hyperv.plugins.plugin_utils import _clock_figures, _clock_page
from ansible_collections.rehost.hyperv.tests.unit import clock_measurements as measured

HOSTILE = (
    "</title></style>\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{ 1 }}\x00\u202e\ud800\x1b[31m"
)
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "a", "strong", "em", "code", "br"),
    *("div", "section", "figure", "figcaption", "details", "summary", "ul", "ol", "li", "span"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "desc", "line", "text", "circle", "polygon", "polyline", "rect"),
}
VOID = ("meta", "br")


class Reader(html.parser.HTMLParser):
    """What a browser sees: elements with their attributes, text, and that each element is closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)
        self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs)

    def _add(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data


def report(*files: t.Mapping[str, t.Any], missing: t.Mapping[str, str] | None = None, title: str = "Clocks") -> str:
    return _clock_page.page(_clock_figures.report(files, title, missing or {}))


def before_and_after() -> list[dict[str, str]]:
    worse = measured.proof(
        [0.062, 0.082, 0.102, 0.122],
        synchronised=False,
        service="ntpsec",
        drift=1998.2,
        drift_uncertainty=8.1,
        findings=[{"id": "time.frequency-error", "severity": "error", "subject": "acpi_pm", "message": "2000 ppm"}],
    )
    return [
        measured.file(worse, day=1, where=measured.guest(clocksource="acpi_pm", nics=["legacy"])),
        measured.file(measured.proof(), day=2),
        measured.file(measured.proof(), "db1", day=2),
    ]


def hostile(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {name: hostile(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def hostile_page() -> str:
    proof = measured.proof(
        references=[measured.reference(name, [0.0, 0.1, 0.2]) for name in (measured.NTP, "another")],
        events=[{"kind": "odd", "at": measured.BEGIN, "amount": 1.0, "reference": "x"}],
        findings=[{"id": "a", "severity": "error", "subject": "b", "message": "c"}],
    )
    # the severity decides whether a finding is shown
    made = dict(hostile(proof), findings=[{**hostile(proof["findings"][0]), "severity": "error"}])
    file = measured.file(made, HOSTILE, HOSTILE, where=hostile(measured.guest()))
    return report(file, {"name": HOSTILE, "text": HOSTILE}, missing={HOSTILE: HOSTILE}, title=HOSTILE)


@pytest.mark.parametrize(
    "page", [report(), report(*before_and_after()), hostile_page()], ids=["empty", "two guests", "hostile"]
)
def test_the_page_is_wellformed_and_needs_nothing_from_outside(page: str) -> None:
    xml.etree.ElementTree.fromstring(page.partition("\n")[2])
    reader = Reader(page)

    assert {tag for tag, _attributes in reader.elements} <= ELEMENTS
    for _tag, attributes in reader.elements:
        assert not {"src", "style", "srcset", "data", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page
    links = {attributes["href"][1:] for _tag, attributes in reader.elements if "href" in attributes}
    names = [attributes["id"] for _tag, attributes in reader.elements if "id" in attributes]
    assert links <= set(names)
    assert len(set(names)) == len(names)


def test_what_a_guest_says_is_text_and_nothing_else() -> None:
    page = hostile_page()
    reader = Reader(page)

    assert "script" not in {tag for tag, _attributes in reader.elements}
    assert reader.text.count("<script>alert(1)</script>") >= 12
    # and the text is as printable as it is in a kept record
    assert [char for char in page if not char.isprintable() and char != "\n"] == []


def test_each_drawing_has_a_title_and_a_description() -> None:
    root = xml.etree.ElementTree.fromstring(report(*before_and_after()).partition("\n")[2])
    drawings = list(root.iter("{http://www.w3.org/2000/svg}svg"))
    named = {element.get("id"): element.text for element in root.iter() if element.get("id")}

    assert len(drawings) == 5  # for two guests the drift, and three measurements
    for drawing in drawings:
        assert drawing.get("role") == "img"
        title, description = (drawing.get("aria-labelledby") or "").split()
        assert "web1" in (named[title] or "") or "db1" in (named[title] or "")
        assert named[description]


def test_the_summary_tells_before_and_after() -> None:
    root = xml.etree.ElementTree.fromstring(report(*before_and_after()).partition("\n")[2])
    tables = root.iter("{http://www.w3.org/1999/xhtml}table")
    rows = [
        "|".join("".join(cell.itertext()) for cell in row) for row in next(tables).iter() if row.tag.endswith("}tr")
    ]

    assert rows[1].startswith("db1|hyperv|+0.02 ± 0.05 ppm|+2.0 ± 0.3 ms|hyperv_clocksource_tsc_page|chrony")
    assert rows[2].startswith("web1|hyperv-emulated → hyperv|+1998 ± 8 ppm → +0.02 ± 0.05 ppm|+122.0 ± 0.3 ms → +2.0")
    assert "acpi_pm → hyperv_clocksource_tsc_page" in rows[2]
    assert rows[2].endswith("× not synchronised → ✓ synchronised")


def test_the_figures_of_a_drawing_are_told_as_a_table_too() -> None:
    text = Reader(report(*before_and_after())).text
    for figure in ("+62.0 ± 1.0 ms", "+82.0 ± 1.0 ms", "30.000", "time.frequency-error", "−12.40 ± 0.05 ppm"):
        assert figure in text, figure


def test_the_clock_of_the_time_axis_is_named() -> None:
    page = report(*before_and_after())
    assert f"seconds by the clock of {measured.NTP}" in page
    assert "by the controller's clock (UTC)" in page


def test_who_was_not_measured_is_named_and_nobody_is_forgotten() -> None:
    page = report(
        *before_and_after(), {"name": "notes.txt", "text": "x"}, missing={"old1": "not reached", "web1": "no"}
    )
    text = Reader(page).text

    assert "old1: not reached" in text
    assert "web1: no" in text
    assert text.count("no measurement is kept") == 1
    assert "notes.txt: it is no JSON" in text


def test_nothing_measured_is_not_called_proof() -> None:
    nothing = measured.proof(references=[], reference=None, offset=None, drift=None, frequency_error=None)
    text = Reader(report(measured.file(nothing))).text
    assert "nothing was measured" in text
    assert "synchronised, its service says; not measured" in text
    assert "✓" not in text


def test_the_same_measurements_give_the_same_page() -> None:
    files = before_and_after()
    again = [json.loads(json.dumps(file)) for file in reversed(files)]
    assert report(*files) == report(*again)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", [_clock_page.LIGHT, _clock_page.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", sorted(set(_clock_page.LIGHT) - {"ground", "rule"}))
def test_everything_that_tells_something_stands_out_from_the_ground(palette: dict[str, str], name: str) -> None:
    one, two = sorted((luminance(palette[name]), luminance(palette["ground"])))
    assert (two + 0.05) / (one + 0.05) >= 4.5


def test_every_colour_is_one_of_the_palette() -> None:
    page = report(*before_and_after())
    used = set(re.findall(r"var\(--(\w+)\)", page))
    assert used == set(_clock_page.LIGHT) == set(_clock_page.DARK)


def test_the_terminal_is_told_in_a_line_for_each_guest() -> None:
    made = _clock_figures.report(before_and_after(), "title", {"old1": "not reached"})
    web, figures = "web1: hyperv-emulated → hyperv", "drift +1998 ± 8 ppm → +0.02 ± 0.05 ppm, offset +122.0 ± 0.3 ms"
    assert _clock_page.summary_lines(made) == [
        "db1: hyperv: drift +0.02 ± 0.05 ppm, offset +2.0 ± 0.3 ms; synchronised",
        f"{web}: {figures} → +2.0 ± 0.3 ms; synchronised",
        "old1: not measured this time: not reached",
    ]
