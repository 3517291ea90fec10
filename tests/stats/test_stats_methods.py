"""The catalogue of methods is whole: whatever a result can carry as its method is described."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import promptops.stats
from promptops.stats.methods import METHODS, Method, method
from promptops.stats.othermethods import OTHERS
from promptops.stats.results import BadNumbers

ALL = METHODS + OTHERS
FILES = sorted(Path(promptops.stats.__path__[0]).glob("*.py"))
BY_OPTION = {
    "mcnemar-midp",
    "mcnemar-exact",
    "hall",
    "t",
    "wilson",
    "cr2-t",
    "cr1-z",
    "shiryaev-roberts",
    "cusum",
}


def named(tree: ast.AST) -> set[str]:
    """Every text that the code hands on as a result's method, or calls so in passing."""
    found: set[str] = set()
    for node in ast.walk(tree):
        values: list[ast.AST | None] = []
        if isinstance(node, ast.Call) and not _is_interval_call(node):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "method"]
        elif isinstance(node, ast.AnnAssign | ast.Assign) and _is_called_method(node):
            values = [node.value]
        elif isinstance(node, ast.FunctionDef) and node.name.endswith("_name"):
            values = [one.value for one in ast.walk(node) if isinstance(one, ast.Return)]
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            values = [one for one in node.value.elts[-1:] if any("-" in text for text in _texts(one))]
        found |= {text for value in values if value is not None for text in _texts(value)}
    return found


def _is_called_method(node: ast.AnnAssign | ast.Assign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(getattr(one, "id", "") == "method" for one in targets)


def _is_interval_call(node: ast.Call) -> bool:
    """Calls whose `method` chooses among options instead of naming a result's method."""
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    return name[:1].islower()


def _texts(value: ast.AST) -> set[str]:
    if isinstance(value, ast.IfExp):
        return _texts(value.body) | _texts(value.orelse)
    return {value.value} if isinstance(value, ast.Constant) and isinstance(value.value, str) else set()


def test_every_method_that_a_result_can_carry_is_described() -> None:
    known = {one.name for one in ALL}
    found = set().union(*(named(ast.parse(file.read_text(encoding="utf-8"))) for file in FILES)) | BY_OPTION
    assert {"bounded-score", "cr2-t", "log-t", "hall-t", "betting", "exact-unconditional"} <= found
    assert found - known - {""} == set()


def test_no_method_is_described_twice_and_each_says_everything() -> None:
    names = [one.name for one in ALL]
    assert len(names) == len(set(names))
    for one in ALL:
        assert all((one.formula, one.why, one.how, one.assumes, one.source)), one.name
        assert set(one.as_json()) == {"name", "formula", "why", "how", "assumes", "source"}


@pytest.mark.parametrize("one", ALL, ids=[one.name for one in ALL])
def test_a_source_names_a_year_and_a_reason_is_one_sentence(one: Method) -> None:
    assert re.search(r"\b(1[89]|20)\d\d\b", one.source) or one.name in ("none", "binomial-exact")
    assert not one.why.endswith(".")
    assert ". " not in one.why


def test_an_unknown_method_is_an_error() -> None:
    assert method("tango").source.startswith("Tango 1998")
    with pytest.raises(BadNumbers, match="no method is called 'wald'"):
        method("wald")
