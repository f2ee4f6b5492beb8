# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import re
import subprocess
import typing as t

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def pages() -> list[pathlib.Path]:
    tracked = subprocess.run(
        ("git", "ls-files", "-z", "--", "*.md"), cwd=CHECKOUT, stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    return [path for path in (CHECKOUT / name for name in tracked.split("\0") if name) if path.exists()]


def anchors(page: pathlib.Path) -> set[str]:
    """The names that headings are given: lower case, no punctuation, blanks as hyphens."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: pathlib.Path) -> t.Iterator[str]:
    for link in LINK.findall(page.read_text()):
        target, _hash, anchor = link.partition("#")
        if ":" in target:  # another site
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            yield link


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_of_a_page_leads_somewhere(page: pathlib.Path) -> None:
    assert not list(broken_links(page))


def test_a_link_that_leads_nowhere_is_seen(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Two words, here\n[a](page.md#two-words-here) [b](#two-words-here) [c](https://example.org/x)\n")
    assert not list(broken_links(page))
    page.write_text("# One\n[a](no.md) [b](#two) [c](page.md#two)\n")
    assert list(broken_links(page)) == ["no.md", "#two", "page.md#two"]
