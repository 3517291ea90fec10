"""`--explain` on the command line: the same verdict, and how it was reached."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest
from cli_help import ID, PATH, PROMPT, SAMPLES, Project, sample


def test_a_test_explains_itself_and_a_report_again(project: Project) -> None:
    project.reword("quick")
    said = project.run("test", ID, "--explain")
    assert said.code == 3
    assert "REGRESSION" in said.out
    assert "H0: D >= 0   p = " in said.out
    assert "by mcnemar-midp (McNemar's test, mid-p): " in said.out
    assert "source   Fagerland, Lydersen & Laake 2013" in said.out
    again = project.run("report", ID, "--explain")
    assert again.code == 0
    assert again.out == said.out
    assert len(project.run("report", ID).out) < len(again.out)


def test_programs_get_it_beside_the_report(project: Project) -> None:
    project.reword("quick")
    tested = project.run("test", ID, "--explain", "--json").json["reports"][0]
    assert tested["explain"]["verdict"] == tested["verdict"] == "regression"
    assert tested["explain"]["metrics"][0]["claims"][0]["null"].startswith("D <= ")
    assert project.run("report", "--json", "--explain").json == tested
    assert "explain" not in project.run("report", "--json").json


def test_the_p_values_of_the_table_are_those_that_are_explained(project: Project) -> None:
    project.reword("quick")
    report = project.run("test", ID, "--explain", "--json").json["reports"][0]
    claims = {one["name"]: one["claims"] for one in report["explain"]["metrics"]}
    for line in report["metrics"]:
        found = {claim["null"][:4]: claim for claim in claims[line["name"]]}
        if "D <=" in found and line["p_noninferior"] is not None:
            assert found["D <="]["p"] == line["p_noninferior"]
        if "D >=" in found:
            assert found["D >="]["p"] == line["p_harm"]
            assert found["D >="]["adjusted"] == line["p_harm_adjusted"]


def test_a_first_release_explains_its_floor(fresh: Project) -> None:
    said = fresh.run("test", ID, "--explain")
    assert re.search(r"H0: mean <= \S+   limit = ", said.out)
    assert "by clopper-pearson (Clopper & Pearson's exact limit of a proportion)" in said.out


@pytest.fixture
def conversations(project: Project) -> Project:
    """Sixty samples in conversations of two and in two languages; slices are looked at."""
    rows = []
    for number in range(60):
        row = sample(number)
        row |= {
            "cluster": {"conversation_id": f"c{number // 2}"},
            "slices": {"language": "de" if number % 2 else "en"},
        }
        rows.append(json.dumps(row))
    project.write(SAMPLES, "\n".join(rows) + "\n")
    project.write(PATH, f"{PROMPT}gate: {{slices: {{by: [language]}}}}\n")
    project.reword("quick")
    return project


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ([], "mcnemar-midp"),
        (["--sequential"], "betting"),
        (["--repeats", "2"], "hall-t"),
    ],
)
def test_what_the_command_prints_can_be_computed_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, options: list[str], method: str
) -> None:
    project.reword("quick")
    assert method in computed_again(project, monkeypatch, options)


def test_conversations_and_slices_can_be_computed_again(
    conversations: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cr2-hall-t" in computed_again(conversations, monkeypatch, [])


def computed_again(project: Project, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> set[str]:
    """Check every p-value and limit that a test prints; return the methods it used."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "reports")
    again = importlib.import_module("again")
    lines = project.run("test", ID, "--explain", *options).out.split("\n")
    start = next(place for place, line in enumerate(lines) if line.startswith("How this was reached"))
    text = again.read(lines[start:])
    compared = [
        claim
        for claim in text.claims
        if claim.null.split()[-1] != "0.8" and "violations" not in claim.numbers
    ]
    assert {claim.metric for claim in compared} >= {"queue", "answered"}
    for claim in compared:
        assert again.p_again(claim) == pytest.approx(claim.results["p"], rel=1e-6, abs=1e-12)
        if claim.method != "betting":
            assert again.limit_again(claim, text.level) == pytest.approx(claim.results["limit"], abs=1e-7)
    return {claim.method for claim in compared}
