"""An open verdict ends with the cheapest honest ways on: calls, money, and a person's decision last."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_help import CONFIG, ID, SAMPLES, N, Project, sample

PRICED = CONFIG.replace('answer"}', 'answer", prices: {small: {input: 0.5, output: 2}}}')


def ways(project: Project, *options: str) -> list[dict[str, Any]]:
    (report,) = project.run("test", "--json", *options).json["reports"]
    return report["next_steps"]


def test_thirty_ties_name_the_samples_that_a_second_look_takes(project: Project) -> None:
    project.reword("thorough")
    project.keep_samples(30)
    said = project.run("test")
    assert said.code == 4
    assert (
        f"Next:   promptops import FILE --prompt {ID}   "
        "(add about 165 samples, 195 in all, and test again; 330 calls)"
    ) in said.out
    assert f"   or   promptops test {ID} --sequential   (" in said.out
    assert f'   or   promptops promote {ID} --accept -m "why"   (a person decides' in said.out


def test_identical_pairs_are_said_to_prove_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI")  # where looks are counted
    project.reword("thorough")
    project.keep_samples(30)
    assert (
        "queue: 30 identical pairs do not prove that nothing changed; 63 are needed for a 5-point margin "
        "at the first look"
    ) in project.run("test").out


def test_the_number_that_was_promised_is_enough(project: Project) -> None:
    project.reword("thorough")
    project.keep_samples(30)
    assert project.run("test").code == 4
    project.write(SAMPLES, "".join(json.dumps(sample(number)) + "\n" for number in range(195)))
    said = project.run("test", "--json")
    assert said.json["reports"][0]["verdict"] == "pass"
    assert said.json["reports"][0]["look"]["number"] == 2


def test_calls_have_a_price_where_it_is_known(project: Project) -> None:
    project.reword("thorough")
    project.write("promptops.yaml", PRICED)
    rows = [sample(number) | {"usage": {"input_tokens": 1000, "output_tokens": 100}} for number in range(30)]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    first, *_ = ways(project)
    assert (first["calls"], round(first["usd"], 4)) == (330, 0.231)
    assert "330 calls, about $0.23" in project.run("report").out


def test_without_a_scorer_no_sample_is_asked_for(project: Project) -> None:
    project.edit('scorers:\n  queue: {equals: "{{ expected }}", min: 0.8}\n', "scorers: {}\n")
    project.reword("thorough")
    first, last = ways(project)
    assert first["text"].startswith("declare a scorer")
    assert project.run(*first["command"].split()[1:]).code == 0
    assert "--accept" in last["command"]


def test_a_scorer_that_is_wrong_everywhere_is_looked_at_first(project: Project) -> None:
    project.edit('queue: {equals: "{{ expected }}", min: 0.8}', "queue: {equals: nonsense}")
    project.reword("thorough")
    first, last = ways(project)
    assert first["text"] == "see why queue is at its worst everywhere: its path, or what it expects"
    assert "--accept" in last["command"]


def test_what_looks_worse_is_mended_before_more_is_paid(project: Project) -> None:
    project.edit(", min: 0.8", "")
    project.reword("hasty")
    project.keep_samples(41)
    said = project.run("test")
    assert said.code == 4
    project.keep_samples(N)
    steps = ways(project)
    assert steps[-1]["command"].endswith('--accept -m "why"')
    project.edit("equals", "max_drop: 1%, equals")
    first, *_ = ways(project)
    assert first["text"] == "mend queue first: more samples are likelier to confirm a regression"
    assert first["command"] == f"promptops try {ID} --failed"


def test_what_was_never_answered_is_asked_again(project: Project) -> None:
    project.reword("silent")
    project.keep_samples(30)
    said = project.run("test")
    assert said.code == 7
    assert f"Next:   promptops test {ID}   (ask again for what was not answered; 3 calls)" in said.out


def test_a_blocking_gate_offers_force_and_markdown_lists_the_ways(project: Project) -> None:
    project.edit("scorers:", "gate: {inconclusive: block}\nscorers:")
    project.reword("thorough")
    project.keep_samples(30)
    assert ways(project)[-1]["command"].endswith('--force -m "why"')
    shown = project.run("report", "--markdown").out
    assert "Next:\n\n1. `promptops import FILE" in shown


def test_a_target_that_did_not_improve_asks_for_another_prompt(project: Project) -> None:
    project.edit("min: 0.8", "must: improve")
    project.reword("thorough")
    first, *_ = ways(project)
    assert first["text"] == "change the prompt: queue must improve, and did not"


def test_a_release_that_is_left_open_ends_with_the_ways_on(project: Project) -> None:
    project.reword("thorough")
    project.keep_samples(30)
    project.commit("Be thorough")
    said = project.run("promote", ID)
    assert said.code == 4
    assert f"Next:   promptops import FILE --prompt {ID}   (add about 165 samples" in said.out
    assert said.out.endswith("not promoted: the samples cannot tell\n")


def test_a_clear_verdict_has_one_way_on(project: Project) -> None:
    project.reword("thorough")
    assert [step["command"] for step in ways(project)] == [f"promptops promote {ID}"]
    project.edit("thorough", "quick")
    assert [step["command"] for step in ways(project)] == [f"promptops try {ID} --failed"]


def test_a_first_release_that_its_floor_leaves_open_says_how_many_answers_it_takes(fresh: Project) -> None:
    fresh.reword("hasty")
    fresh.keep_samples(14)
    first, *_ = ways(fresh)
    assert first["text"].startswith("add about ")
    assert fresh.run("test").code == 4
