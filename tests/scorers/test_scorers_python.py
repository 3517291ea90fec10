"""A function of the repository as a scorer: what it may return, and where it is imported from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import ConfigError
from promptops.prompts.model import ScorerSpec
from promptops.samples import Sample
from promptops.scorers.build import build_scorer
from promptops.scorers.code import OutsideRange
from promptops.scorers.target import load_target

ANSWERS = """
import math
from po_checks_helper import LIMIT

def yes(output, sample): return sample["expected"] in output
def flag(output, sample) -> bool: return output == "a"
def why(output, sample) -> tuple[bool, str]: return False, "too\\nloud"
def liar(output, sample) -> bool: return 0.5
def half(output, sample): return 0.5
def high(output, sample): return LIMIT
def over(output, sample): return 1.0000000000000002
def endless(output, sample): return -math.inf, "why"
def huge(output, sample): return 10**400
def nan(output, sample): return math.nan
def text(output, sample): return "good"
def nothing(output, sample): return None
def raises(output, sample): raise KeyError("queue")
def length(output, sample): return len(output)
def spoils(output, sample):
    sample["inputs"].clear()
    return True
async def later(output, sample): return True
"""


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    (tmp_path / "po_checks.py").write_text(ANSWERS)
    (tmp_path / "po_checks_helper.py").write_text("LIMIT = 5\n")
    return tmp_path


@pytest.mark.parametrize(
    ("function", "options", "answer", "value", "why"),
    [
        ("yes", {}, "x billing", 1.0, ""),
        ("yes", {}, "x", 0.0, ""),
        ("yes", {"range": [1, 5]}, "x", 1.0, ""),
        ("yes", {"range": [1, 5]}, "billing", 5.0, ""),
        ("flag", {}, "a", 1.0, ""),
        ("flag", {"path": "$.a"}, '{"a": "a"}', 1.0, ""),
        ("flag", {"path": "$.a"}, "{}", 0.0, "$.a is missing"),
        ("flag", {"path": "$.a"}, "hi", 0.0, "not JSON: Expecting value at 1:1"),
        ("flag", {}, None, 0.0, ""),
        ("why", {}, "a", 0.0, "too loud"),
        ("half", {}, "a", 0.5, ""),
        ("high", {"range": [1, 5]}, "a", 5.0, ""),
        ("over", {}, "a", 1.0, ""),
        ("liar", {}, "a", None, "the scorer returned 0.5, although it says that it returns a bool"),
        ("nan", {}, "a", None, "the scorer returned 'nan', not a bool or a number"),
        ("text", {}, "a", None, "the scorer returned 'good', not a bool or a number"),
        ("nothing", {}, "a", None, "the scorer returned 'None', not a bool or a number"),
        ("raises", {}, "a", None, "the scorer raised KeyError: 'queue'"),
        ("length", {}, None, 0.0, ""),
    ],
)
def test_what_a_function_returns_is_a_score_or_a_reason(
    ask: Any, checks: Path, function: str, options: dict[str, Any], answer: str | None, value: Any, why: str
) -> None:
    score = ask({"python": f"po_checks:{function}", **options}, answer, expected="billing")
    assert (score.value, score.reason) == (value, why)


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        ("high", {}, "the scorer returned 5, outside 0 to 1; declare the whole range"),
        ("high", {"range": [1, 4]}, "the scorer returned 5, outside 1 to 4"),
        ("endless", {}, "the scorer returned -inf, outside 0 to 1"),
        ("huge", {"range": [0, 1e300]}, "the scorer returned inf, outside 0 to 1e+300"),
    ],
)
def test_a_number_outside_the_declared_range_is_no_score(
    ask: Any, checks: Path, function: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(OutsideRange) as caught:
        ask({"python": f"po_checks:{function}", **options}, "a")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(("function", "binary"), [("flag", True), ("why", True), ("half", False)])
def test_a_function_that_says_bool_is_binary(checks: Path, function: str, binary: bool) -> None:
    spec = ScorerSpec(python=f"po_checks:{function}")
    assert build_scorer("it", spec, response_format=None, root=checks).binary is binary


def test_a_function_cannot_change_the_sample(checks: Path) -> None:
    sample = Sample(inputs={"a": 1})
    load_target("po_checks:spoils", checks)("", sample.model_dump())
    assert sample.inputs == {"a": 1}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("po_checks", "is not module:function"),
        ("po_checks:", "is not module:function"),
        ("../po_checks:yes", "is not module:function"),
        ("po_checks:__import__('os')", "is not module:function"),
        ("po_gone.sub:yes", "there is no po_gone/sub.py in the repository"),
        ("po_checks:gone", "po_checks.py has no function 'gone'"),
        ("po_checks:LIMIT", "po_checks.py has no function 'LIMIT'"),
        ("po_checks:later", "an async function cannot be a scorer"),
        ("po_broken:yes", "po_broken.py does not import: ModuleNotFoundError: No module named 'po_nowhere'"),
        ("po_exits:yes", "po_exits.py does not import: SystemExit: 3"),
        ("json:loads", "the name 'json' belongs to another module"),
        ("promptops.errors:did_you_mean", "there is no promptops/errors.py in the repository"),
        ("po_link:yes", "po_link.py points outside the repository"),
    ],
)
def test_a_target_that_cannot_be_loaded_is_a_mistake_in_the_prompt(
    ask: Any, checks: Path, tmp_path_factory: pytest.TempPathFactory, target: str, said: str
) -> None:
    (checks / "po_broken.py").write_text("import po_nowhere\n")
    (checks / "po_exits.py").write_text("raise SystemExit(3)\n")
    (checks / "json.py").write_text("def loads(output, sample): return True\n")
    outside = tmp_path_factory.mktemp("outside") / "secret.py"
    outside.write_text("def yes(output, sample): return True\n")
    (checks / "po_link.py").symlink_to(outside)
    with pytest.raises(ConfigError) as caught:
        ask({"python": target}, "a")
    assert said in str(caught.value)


def test_a_range_goes_upwards(ask: Any, checks: Path) -> None:
    with pytest.raises(ConfigError, match="range goes from the worst"):
        ask({"python": "po_checks:half", "range": [1, 1]}, "a")


def test_the_current_directory_does_not_matter(
    checks: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "po_only_here.py").write_text("def yes(output, sample): return True\n")
    monkeypatch.chdir(elsewhere)
    before = list(sys.path)
    with pytest.raises(ValueError, match=r"there is no po_only_here\.py"):
        load_target("po_only_here:yes", checks)
    load_target("po_checks:yes", checks)
    assert sys.path == before


def test_two_repositories_with_a_module_of_one_name_do_not_mix(tmp_path: Path) -> None:
    for name in ("one", "two"):
        package = tmp_path / name / "po_scorers"
        package.mkdir(parents=True)
        (package / "inner.py").write_text(f"NAME = {name!r}\n")
        (package / "tone.py").write_text("from po_scorers.inner import NAME\ndef f(o, s): return NAME, 1\n")
    one = load_target("po_scorers.tone:f", tmp_path / "one")
    two = load_target("po_scorers.tone:f", tmp_path / "two")
    assert (one("", {})[0], two("", {})[0]) == ("one", "two")


def test_an_edited_scorer_is_never_an_old_one_and_no_byte_code_is_left(checks: Path) -> None:
    first = load_target("po_checks:half", checks)
    (checks / "po_checks.py").write_text(ANSWERS.replace("0.5", "0.7"))
    assert (first("", {}), load_target("po_checks:half", checks)("", {})) == (0.5, 0.7)
    assert not list(checks.rglob("__pycache__"))
