"""`promptops test --dry-run`: what the samples can show, how many more it takes and what they cost, before paying."""

from __future__ import annotations

import json
import re

import pytest
from cli_help import CONFIG, ID, SAMPLES, N, Project, sample

PRICED = CONFIG.replace('answer"}', 'answer", prices: {small: {input: 0.5, output: 2}}}')


@pytest.fixture(autouse=True)
def at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where looks are counted; in a CI clone they are not known."""
    monkeypatch.delenv("CI")


def write_samples(project: Project, **more: object) -> None:
    rows = [
        sample(number) | {name: value(number) if callable(value) else value for name, value in more.items()}
        for number in range(N)
    ]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))


def test_before_the_first_test_the_usual_is_assumed_and_said(project: Project) -> None:
    project.reword("thorough")
    said = project.run("test", "--dry-run")
    assert said.code == 0
    assert f"{ID}: 120 samples, up to 240 calls, cost unknown (no price of bot/small" in said.out
    assert "a first look at this change: judged at 4 %, with intervals of 92 %" in said.out
    assert "queue, which may fall by 5 points: an unchanged prompt passes about 45 % of the time" in said.out
    assert "289 samples give it 80 %, 169 more (338 calls)" in said.out
    assert "falls smaller than 8.1 points are invisible" in said.out
    assert "without a single difference 63 samples are needed" in said.out
    assert "assumed, for nothing was measured yet: 10 % of the pairs differ" in said.out
    assert (
        "its floor of 80 % is shown from 86.7 % on (104 of 120 right); as good as before (100 %)" in said.out
    )
    assert project.calls() == 0


def test_an_earlier_test_of_the_prompt_says_how_much_it_varies(project: Project) -> None:
    project.reword("hasty")
    project.run("test")
    project.edit("hasty", "thorough")
    said = project.run("test", "--dry-run")
    assert "as in 1 earlier test of 120 pairs: 2.9 % of the pairs differ" in said.out
    assert "assumed" not in said.out
    found = project.run("test", "--dry-run", "--json").json
    (plan,) = found["plans"]
    assert plan["prospects"][0]["spread"]["pairs"] == 120
    project.forget()
    assert "assumed" in project.run("test", "--dry-run").out


def test_committed_evidence_says_it_too(project: Project) -> None:
    project.reword("hasty")
    project.commit("Be hasty")
    assert project.run("promote", ID, "--accept", "-m", "a known trade").code == 0
    project.forget()
    project.edit("hasty", "thorough")
    assert (
        "as in 1 earlier test of 120 pairs: 2.9 % of the pairs differ" in project.run("test", "--dry-run").out
    )


def test_ten_samples_cannot_pass_and_say_how_many_could(project: Project) -> None:
    project.reword("thorough")
    project.keep_samples(10)
    said = project.run("test", "--dry-run")
    assert (
        "an unchanged prompt hardly ever passes; 289 samples give it 80 %, 279 more (558 calls)" in said.out
    )
    assert "answered: 63 samples are needed to pass, even if every call is answered" in said.out
    assert "its floor of 80 % cannot be shown by 10 samples; 15 are the least" in said.out


def test_conversations_count_for_less_than_their_samples(project: Project) -> None:
    project.reword("thorough")
    write_samples(project, cluster=lambda number: {"conversation_id": f"c{number % 12}"})
    said = project.run("test", "--dry-run")
    assert "they count like about 32 independent samples: they come from 12 conversations" in said.out
    assert "(correlation within one: assumed 0.3)" in said.out
    assert "without a single difference 630 samples are needed" in said.out
    write_samples(project, cluster=lambda number: {"conversation_id": f"c{number % 3}"})
    assert "they come from 3 conversations or traces; with fewer than 5 nothing passes" in (
        project.run("test", "--dry-run").out
    )


def test_weights_cost_samples(project: Project) -> None:
    project.reword("thorough")
    write_samples(project, inclusion_prob=lambda number: 0.1 if number % 2 else 0.9)
    said = project.run("test", "--dry-run")
    assert (
        "they count like about 73 independent samples: they stand for different numbers of calls" in said.out
    )


def test_money_comes_from_prices_and_recorded_tokens_and_is_held_against_the_budget(project: Project) -> None:
    project.reword("thorough")
    project.write("promptops.yaml", PRICED)
    write_samples(project, usage={"input_tokens": 1000, "output_tokens": 100})
    said = project.run("test", "--dry-run")
    assert "up to 240 calls, about $0.17 (by the prices in promptops.yaml)" in said.out
    assert "169 more (338 calls, about $0.24)" in said.out
    assert "budget" not in said.out
    project.write("promptops.yaml", PRICED.replace("deadline: 20", "deadline: 20, budget_usd: 0.1"))
    assert "that may be more than the budget of $0.10: the run would stop there" in (
        project.run("test", "--dry-run").out
    )


def test_what_tokens_nobody_could_have_used_are_not_counted(project: Project) -> None:
    project.reword("thorough")
    project.write("promptops.yaml", PRICED)
    write_samples(project, usage={"input_tokens": "many", "output_tokens": -1})
    assert "estimated by length" in project.run("test", "--dry-run").out


def test_where_nobody_counted_tokens_the_length_of_the_texts_is_an_estimate_and_says_so(
    project: Project,
) -> None:
    project.reword("thorough")
    project.write("promptops.yaml", PRICED.replace("input: 0.5", "input: 500"))
    said = project.run("test", "--dry-run")
    found = re.search(
        r"up to 240 calls, ~\$([\d.]+) for what is sent, and more for answers of unknown length", said.out
    )
    assert found is not None, said.out
    assert "(estimated by length, ~4 characters a token, by the prices in promptops.yaml)" in said.out
    assert 240 * 80 / 4 * 500e-6 < float(found[1]) < 240 * 400 / 4 * 500e-6, "100 to 200 characters a call"
    plan = project.run("test", "--dry-run", "--json").json["plans"][0]
    assert plan["usd"] is None, "an estimate is no cost"
    assert (plan["price"]["guess"]["most"], plan["price"]["usd"]) == (None, None)
    assert project.run("test", "--json").json["reports"][0]["cost"]["lines"][0]["input_tokens"] is None


def test_where_answers_are_bounded_the_estimate_is_a_ceiling(fresh: Project) -> None:
    fresh.edit("bot/small", "bot/small\nparameters: {max_tokens: 1000}")
    fresh.write("promptops.yaml", PRICED)
    said = fresh.run("test", "--dry-run")
    words = (
        "(estimated by length, ~4 characters a token, the longest answers, by the prices in promptops.yaml)"
    )
    assert f"up to 120 calls, at most ~$0.24 {words}" in said.out
    asked = fresh.run("test")
    assert f"at most ~$0.24 {words}" in asked.err


def test_an_image_has_no_length(fresh: Project) -> None:
    rows = [sample(n) for n in range(N)]
    for row in rows:
        message = row.pop("inputs")["message"]
        image = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}
        row["messages"] = [{"role": "user", "content": [{"type": "text", "text": message}, image]}]
    fresh.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    fresh.write("promptops.yaml", PRICED)
    said = fresh.run("test", "--dry-run")
    assert (
        "cost unknown (no earlier test and no recorded usage says how many tokens a call takes)" in said.out
    )


def test_limits_targets_and_nevers_have_their_own_words(project: Project) -> None:
    project.reword("thorough")
    project.edit(
        "min: 0.8}",
        "must: improve}\n  short: {length: {max: 80}, never: true}\nlimits: {latency: {max_rise: 20%}}",
    )
    said = project.run("test", "--dry-run")
    assert "queue must improve: rises smaller than 7.3 points are invisible" in said.out
    assert "short: one violation refuses; none in 120 answers shows a rate below 2.65%" in said.out
    assert "latency, which may rise by 20 %: an unchanged prompt passes about" in said.out
    assert "a pair's log ratio has a standard deviation of 0.5" in said.out
    assert "all of it together" not in said.out, "an unchanged prompt is no improvement"


def test_a_first_release_is_foreseen_by_its_floor(fresh: Project) -> None:
    said = fresh.run("test", "--dry-run")
    assert said.code == 0
    assert "120 samples, up to 120 calls" in said.out
    assert "its floor of 80 % is shown from 86.7 % on (104 of 120 right)" in said.out
    assert "unchanged" not in said.out
    assert fresh.calls() == 0


def test_the_outlook_is_one_document_with_a_schema(project: Project) -> None:
    project.reword("thorough")
    found = project.run("test", "--dry-run", "--json").json
    assert found["schema"] == "promptops.outlook/1"
    (plan,) = found["plans"]
    assert (plan["prompt"], plan["samples"], plan["calls"], plan["usd"]) == (ID, 120, 240, None)
    assert (plan["look"], plan["alpha"], plan["needed"]) == (1, 0.04, 289)
    assert [one["metric"] for one in plan["prospects"]] == ["queue", "answered"]
    assert found["said"][0].startswith(ID)


def test_nothing_to_test_is_said_as_without_a_dry_run(project: Project) -> None:
    said = project.run("test", "--dry-run")
    assert (said.code, said.out) == (0, f"{ID}: nothing differs from production\n")


def test_a_second_look_is_planned_at_the_level_that_is_left(project: Project) -> None:
    project.reword("thorough")
    project.keep_samples(100)
    project.run("test")
    project.keep_samples(99)
    said = project.run("test", "--dry-run")
    assert "look 2 at this change: judged at 0.5 % instead of 4 %" in said.out
    assert "without a single difference 129 samples are needed" in said.out
    project.write(SAMPLES, "".join(json.dumps(sample(number)) + "\n" for number in range(110)))
    assert "look 2 at this change" in project.run("test", "--dry-run").out, "a dry run is no look"


def test_a_critical_slice_is_foreseen_with_its_own_samples(project: Project) -> None:
    project.reword("thorough")
    project.edit("min: 0.8}", 'min: 0.8}\ngate: {slices: {critical: ["language=de"]}}')
    said = project.run("test", "--dry-run")
    assert "queue [language=de], which may fall by 5 points" in said.out
    found = project.run("test", "--dry-run", "--json").json["plans"][0]
    of_slice = next(one for one in found["prospects"] if one["metric"] == "queue [language=de]")
    assert of_slice["n"] == 60
    assert found["needed"] == 2 * of_slice["needed"]
