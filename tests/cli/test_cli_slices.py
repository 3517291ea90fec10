"""Slices on the command line: looked at, blocking, critical, missing, misspelt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_help import CONFIG, ID, PATH, PROMPT, SAMPLES, Project, sample

# Its answers about an even message are wrong where its instructions say so; odd ones are German.
BOT = """\
def answer(request):
    rule, message = str(request.messages[0].content), str(request.messages[-1].content)
    number = int(message.split()[1])
    right = message.split()[-1]
    if "hurried" in rule and number % 2 and number % 12 == 1:
        return "sales"
    if "sloppy" in rule and number % 2 and number % 4 == 1:
        return "sales"
    return right
"""
WRITTEN = PROMPT.replace("min: 0.8", "max_drop: 20%")


def gate(text: str) -> str:
    return f"{WRITTEN}gate: {{slices: {text}}}\n"


def rows(count: int, **changes: Any) -> str:
    found = []
    for number in range(count):
        row = sample(number)
        row["slices"] = {"language": "de" if number % 2 else "en", "size": "all"} | changes
        found.append({**row, "slices": {key: value for key, value in row["slices"].items() if value != ...}})
    return "".join(json.dumps(row) + "\n" for row in found)


@pytest.fixture
def live(fresh: Project) -> Project:
    """A prompt that is live, with 240 samples in two languages."""
    fresh.write("bots.py", BOT)
    fresh.write("promptops.yaml", CONFIG)
    fresh.write(PATH, WRITTEN)
    fresh.write(SAMPLES, rows(240))
    fresh.commit("Begin")
    assert fresh.run("promote", ID, "--first").code == 0
    return fresh


def report(project: Project, code: int, *options: str) -> dict[str, Any]:
    said = project.run("test", "--json", *options)
    assert said.code == code, said
    found: dict[str, Any] = said.json["reports"][0]
    return found


def begin(project: Project, slices: str, word: str) -> None:
    project.write(PATH, gate(slices).replace("careful", word))


def test_a_slice_that_looks_worse_is_a_warning(live: Project) -> None:
    begin(live, "{by: [language, size]}", "hurried")
    found = report(live, 0)
    worst, *others = found["slices"]
    assert (worst["slice"], worst["metric"], worst["status"], worst["n"]) == (
        "language=de",
        "queue",
        "flagged",
        120,
    )
    assert (worst["broken"], worst["fixed"]) == (20, 0)
    assert worst["lower"] < worst["difference"] < worst["upper"] < 0
    assert worst["p_harm"] <= worst["p_adjusted"] <= 0.1
    assert [(one["slice"], one["status"]) for one in others] == [("language=en", "too_small")]
    assert others[0]["difference"] is None
    assert any(
        text.startswith("queue looks worse in language=de; slices are only") for text in found["warnings"]
    )
    shown = live.run("test")
    assert "language=de" in shown.out
    assert "1 is too small to judge" in shown.out


def test_a_slice_that_may_block_does(live: Project) -> None:
    begin(live, "{by: [language], policy: block}", "hurried")
    found = report(live, 3)
    assert found["reasons"][0].startswith("queue [language=de] fell by 16.7 points, shown to be worse")
    assert found["slices"][0]["status"] == "regression"
    assert found["slices"][0]["p_harm_adjusted"] <= 0.05
    assert set(found["basis"]["findings"]) >= {"queue", "queue [language=de]"}


def test_a_critical_slice_is_a_guardrail_of_its_own(live: Project) -> None:
    begin(live, "{by: [language], critical: ['language = de']}", "hurried")
    found = report(live, 3)
    lines = {line["name"]: line["status"] for line in found["metrics"]}
    assert lines["queue"] == "PASS"
    assert lines["queue [language=de]"] == "REGRESSION"
    critical = [one for one in found["slices"] if one["critical"]]
    assert [(one["slice"], one["status"]) for one in critical] == [("language=de", "regression")]
    assert "queue [language=de]" in live.run("test").out


def test_a_prompt_whose_critical_slices_hold_is_released_with_them_in_its_evidence(live: Project) -> None:
    begin(live, "{critical: ['language=de']}", "steady")
    live.commit("Steady")
    assert live.run("promote", ID).code == 0
    (evidence,) = [
        path
        for path in (live.path / f"prompts/releases/{ID}/evidence").glob("*.json")
        if json.loads(path.read_text())["baseline"]
    ]
    kept = json.loads(evidence.read_text())
    assert "queue [language=de]" in {row["name"] for row in kept["metrics"]}
    assert "queue [language=de]" in kept["basis"]["findings"]
    assert live.run("verify").code == 0


def test_a_sample_without_the_key_is_in_a_slice_of_its_own(live: Project) -> None:
    live.write(SAMPLES, rows(120) + rows(100, language=...).replace("message ", "message 1"))
    begin(live, "{by: [language]}", "steady")
    found = report(live, 0)
    assert {(one["slice"], one["n"]) for one in found["slices"]} == {
        ("language=(none)", 100),
        ("language=de", 60),
        ("language=en", 60),
    }
    assert "100 of 220 samples have no language; they are the slice language=(none)" in found["warnings"]


def test_a_slice_that_no_sample_has_is_refused_where_it_is_written(live: Project) -> None:
    text = "{by: [language, langauge], critical: ['language=dee', 'language=de', 'language=fr']}"
    begin(live, text, "steady")
    for command in (["test"], ["test", "--dry-run"]):
        said = live.run(*command)
        assert said.code == 2
        assert said.out == ""
        assert (
            f"{PATH}:9:32: gate.slices.by[1]: no sample has a slice langauge; did you mean language?"
            in said.err
        )
        assert (
            f"{PATH}:9:54: gate.slices.critical[0]: no sample has language=dee; did you mean language=de?; there are "
            "language=de, language=en" in said.err
        )
        assert f"{PATH}:9:85: gate.slices.critical[2]: no sample has language=fr" in said.err


def test_slices_of_samples_that_have_none_are_refused(live: Project) -> None:
    live.write(SAMPLES, rows(60, language=..., size=...))
    begin(live, "{by: [language]}", "steady")
    said = live.run("test")
    assert said.code == 2
    assert "gate.slices.by[0]: no sample has a slice language; the samples have no slices" in said.err


def test_a_test_of_some_samples_may_be_without_a_critical_slice(live: Project) -> None:
    begin(live, "{critical: ['language=de']}", "steady")
    found = report(live, 4, "--where", "language=en")
    assert "queue [language=de] was measured on no pair, so nothing is shown" in found["reasons"]
    assert live.run("test", "--dry-run", "--where", "language=en").code == 0


def test_more_values_than_anyone_can_look_at_are_put_together(live: Project) -> None:
    content = [json.loads(line) for line in rows(240).splitlines()]
    for number, row in enumerate(content):
        row["slices"]["user"] = f"u{number}"
    live.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in content))
    begin(live, "{by: [user]}", "steady")
    found = report(live, 0)
    assert len(found["slices"]) == 201
    assert any(
        "user has 240 values: the 200 most frequent are looked at" in text for text in found["warnings"]
    )
    assert len(live.run("test").out.splitlines()) < 30


def test_slices_that_no_metric_is_compared_in_are_said_to_be_idle(live: Project) -> None:
    begin(live, "{by: [language], critical: ['language=de']}", "steady")
    live.edit("max_drop: 20%", "never: true")
    found = report(live, 0)
    assert found["slices"] == []
    assert any(text.endswith("so slices are not judged") for text in found["warnings"])


def test_slices_of_a_test_that_stops_early_are_called_hints(live: Project) -> None:
    begin(live, "{by: [language], critical: ['language=de']}", "sloppy")
    found = report(live, 3, "--sequential")
    assert any("take them for hints" in text for text in found["warnings"])
    assert any(one["critical"] for one in found["slices"])


def test_hostile_names_of_slices_are_shown_harmless(live: Project) -> None:
    evil = "\x1b[31m::error::\u202e|`<b>"
    live.write(SAMPLES, rows(120) + rows(120, language=evil).replace("message ", "message 1"))
    begin(live, "{by: [language]}", "sloppy")
    markdown = live.path / "report.md"
    shown = live.run("test", "--markdown", str(markdown))
    assert shown.code == 3
    for text in (shown.out, markdown.read_text()):
        assert "\x1b[31m" not in text
        assert "\u202e" not in text
    assert "<b>" not in markdown.read_text()
