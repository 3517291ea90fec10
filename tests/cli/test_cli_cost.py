"""What a test cost: billed and listed, by arm and model, also of a run that was stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_help import BOT, CONFIG, N, Project

PRICED = CONFIG.replace('answer"}', 'answer", prices: {small: {input: 10, output: 20}}}')
COUNTING = BOT.replace(
    "    return right\n",
    '    return {"text": right, "model": "small-2026-01-05", "usage": {"input_tokens": 100, "output_tokens": 10}}\n',
)
EACH = (100 * 10 + 10 * 20) / 1_000_000


@pytest.fixture
def paid(project: Project) -> Project:
    project.write("promptops.yaml", PRICED)
    project.write("bots.py", COUNTING)
    project.forget()
    project.reword("thorough")
    return project


def ledger(project: Project) -> dict[str, Any]:
    (path,) = Path(project.path).glob(".promptops/runs/*/spend.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_run_keeps_a_ledger_of_what_each_arm_asked_of_each_model(paid: Project) -> None:
    said = paid.run("test")
    assert "240 calls   $0.29" in said.out
    found = ledger(paid)
    assert (found["schema"], found["calls"], found["unpriced"]) == ("promptops.spend/1", 2 * N, 0)
    assert found["usd"] == found["list_usd"] == pytest.approx(2 * N * EACH)
    assert found["prices"]["taken"] >= "2026"
    assert [(line["arm"], line["model"]) for line in found["lines"]] == [
        ("baseline", "small-2026-01-05"),
        ("candidate", "small-2026-01-05"),
    ]
    assert [(line["input_tokens"], line["output_tokens"]) for line in found["lines"]] == [(12000, 1200)] * 2
    assert found["lines"][0]["cached_tokens"] is None, "what nobody counted is not 0"


def test_answers_from_the_cache_are_billed_at_nothing_and_listed_at_their_price(paid: Project) -> None:
    paid.run("test")
    shutil.rmtree(paid.path / ".promptops" / "runs")
    said = paid.run("test")
    assert "0 calls, 240 from cache   $0.00 billed ($0.29 without the cache)" in said.out
    found = ledger(paid)
    assert (found["usd"], found["lines"][0]["cached"]) == (0.0, N)
    assert found["list_usd"] == pytest.approx(2 * N * EACH)


def test_a_run_that_the_budget_stopped_has_its_ledger_too(paid: Project) -> None:
    paid.write("promptops.yaml", PRICED.replace("limits: {", "limits: {budget_usd: 0.1, "))
    assert paid.run("test").code == 7
    found = ledger(paid)
    assert 0 < found["calls"] <= 0.1 / EACH
    assert found["usd"] == pytest.approx(found["calls"] * EACH)


def test_a_price_that_nobody_knows_is_unknown_in_the_ledger(project: Project) -> None:
    project.write("bots.py", COUNTING)
    project.forget()
    project.reword("thorough")
    assert "cost unknown" in project.run("test").out
    found = ledger(project)
    assert (found["usd"], found["list_usd"], found["unpriced"]) == (None, None, 2 * N)
    assert found["lines"][0]["input_tokens"] == 12000


def test_calls_that_failed_and_were_asked_again_stay_in_the_ledger(project: Project) -> None:
    project.forget()
    project.reword("silent")
    project.run("test")
    assert (ledger(project)["calls"], ledger(project)["failures"]) == (2 * N, N // 10)
    project.run("test")
    assert (ledger(project)["calls"], ledger(project)["failures"]) == (project.calls(), N // 10)
    assert project.calls() == 2 * N + N // 10


def test_half_a_pair_is_paid_for_also_where_the_run_ended_before_the_other_half(paid: Project) -> None:
    refuse = (
        '    if "thorough" in rule:\n'
        "        from promptops.errors import Refused\n\n"
        '        raise Refused("no key")\n'
    )
    paid.edit("    right = message", refuse + "    right = message", name="bots.py")
    assert paid.run("test").code == 7
    (journal,) = paid.path.glob(".promptops/runs/*/pairs.jsonl")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    halves = [line for line in lines if "answer" in line]
    assert {half["role"] for half in halves} == {"baseline"}
    found = ledger(paid)
    assert (found["calls"], found["usd"]) == (paid.calls(), pytest.approx(len(halves) * EACH))


def test_a_budget_holds_for_the_whole_run_also_where_it_is_resumed(paid: Project) -> None:
    paid.write("promptops.yaml", PRICED.replace("limits: {", "limits: {budget_usd: 0.1, "))
    assert paid.run("test").code == 7
    calls = paid.calls()
    again = paid.run("test")
    assert (again.code, paid.calls()) == (7, calls)
    assert "the budget of $0.10 is reached: $0.0" in again.err
