# Copyright: (c) 2026, rehost.hyperv contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference/findings.md describes the findings that the planners make, all of them and no others."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "reference" / "findings.md"
PLANNERS = CHECKOUT / "plugins" / "module_utils" / "_plan"
PARAMETERS = ("id", "severity", "subject", "message", "remedy", "blocks")
SECTION = re.compile(r"^### (\S+)\n\nSeverity: ([a-z ]+)\. Blocks: (yes|no|when it is an error)\.$", re.MULTILINE)


class Description(t.NamedTuple):
    """severities: every one that a finding of this id can have. blocks: "yes", "no" or "when it is an error"."""

    severities: t.FrozenSet[str]
    blocks: str


def made_by(source: str) -> t.Dict[str, Description]:
    """What a module's calls of Finding() say, by id."""
    found: t.Dict[str, t.Set[str]] = {}
    blocks: t.Dict[str, t.Set[str]] = {}
    for function in functions(ast.parse(source)):
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Finding":
                arguments = {**dict(zip(PARAMETERS, call.args)), **{word.arg: word.value for word in call.keywords}}
                name = ast.literal_eval(arguments["id"])
                found.setdefault(name, set()).update(texts(arguments["severity"], function))
                blocks.setdefault(name, set()).add(whether(arguments.get("blocks")))
    return {name: Description(frozenset(found[name]), "/".join(sorted(blocks[name]))) for name in found}


def functions(tree: ast.Module) -> t.List[ast.FunctionDef]:
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def texts(expression: ast.expr, function: ast.FunctionDef) -> t.Set[str]:
    """The texts that an expression can be: a literal, a choice between two, or a local variable that is one of them."""
    if isinstance(expression, ast.IfExp):
        return texts(expression.body, function) | texts(expression.orelse, function)
    if isinstance(expression, ast.Name):
        values = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == expression.id for target in node.targets)
        ]
        assert values, "%s comes from outside %s" % (expression.id, function.name)
        return set().union(*(texts(value, function) for value in values))
    return {ast.literal_eval(expression)}


def whether(blocks: t.Optional[ast.expr]) -> str:
    if isinstance(blocks, ast.Name):
        return "when it is an error"
    return "yes" if blocks is not None and ast.literal_eval(blocks) else "no"


def described(page: str) -> t.Dict[str, Description]:
    headings = re.findall(r"^### (\S+)", page, re.MULTILINE)
    sections = {
        name: Description(frozenset(severities.split(" or ")), blocks)
        for name, severities, blocks in SECTION.findall(page)
    }
    assert sorted(headings) == sorted(sections), "a section has no line of severity, or there are two of one name"
    return sections


@pytest.fixture(scope="module")
def made() -> t.Dict[str, Description]:
    all_made: t.Dict[str, Description] = {}
    for path in sorted(PLANNERS.glob("*.py")):
        for name, description in made_by(path.read_text()).items():
            assert name not in all_made, "two modules make %s" % name
            all_made[name] = description
    return all_made


def test_every_finding_is_described_and_no_other(made: t.Dict[str, Description]) -> None:
    assert sorted(described(PAGE.read_text())) == sorted(made)


def test_severity_and_blocking_are_described_as_they_are(made: t.Dict[str, Description]) -> None:
    assert described(PAGE.read_text()) == made


def test_all_calls_are_seen(made: t.Dict[str, Description]) -> None:
    """Also those outside a function, by another name or with a computed id, which the reading of syntax would miss."""
    sources = "".join(path.read_text() for path in PLANNERS.glob("*.py"))
    calls = len(re.findall(r"(?<!class )\bFinding\($", sources, re.MULTILINE))
    assert calls == sum(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
        for path in PLANNERS.glob("*.py")
        for function in functions(ast.parse(path.read_text()))
        for node in ast.walk(function)
    )
    assert len(made) > 20


def test_choices_and_variables_are_followed() -> None:
    source = (
        "def one(is_x, blocks):\n"
        "    level = 'warning' if is_x else 'info'\n"
        "    yield Finding('a.b', level, 's', 'm', 'r')\n"
        "    yield Finding(id='a.b', severity='error', subject='s', message='m', remedy='r')\n"
        "    yield Finding('a.c', 'error' if blocks else 'warning', 's', 'm', 'r', blocks=blocks)\n"
        "    yield Finding('a.d', 'error', 's', 'm', 'r', True)\n"
    )
    assert made_by(source) == {
        "a.b": Description(frozenset({"error", "warning", "info"}), "no"),
        "a.c": Description(frozenset({"error", "warning"}), "when it is an error"),
        "a.d": Description(frozenset({"error"}), "yes"),
    }


def test_a_section_without_its_line_is_seen() -> None:
    with pytest.raises(AssertionError):
        described("### a.b\n\nSeverity: error. Blocks: yes.\n\n### a.c\n\nSome text.\n")
