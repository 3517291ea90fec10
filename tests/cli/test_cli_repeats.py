"""`promptops test --repeats`: each sample is answered several times, its mean counts, and no answer is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_help import ID, SAMPLES, N, Project, sample

# Forgetful: of three answers to every fifth message the first is wrong. Every answer is counted by what was asked.
BOT = """\
import hashlib
from itertools import count
from pathlib import Path

BESIDE = Path(__file__).resolve().parent.parent


async def answer(request):
    rule, message = str(request.messages[0].content), str(request.messages[-1].content)
    number, right = int(message.split()[1]), message.split()[-1]
    question = hashlib.sha256(f"{rule} {message}".encode()).hexdigest()[:12]
    for time in count():
        try:
            (BESIDE / f"asked-{question}-{time}").touch(exist_ok=False)
            break
        except FileExistsError:
            continue
    if (BESIDE / "down").exists() and number >= int((BESIDE / "down").read_text()):
        from promptops.errors import Unreachable

        raise Unreachable("bot: connection refused")
    if "forgetful" in rule and number % 5 == 0 and time % 3 == 0:
        return "sales"
    return right
"""


@pytest.fixture
def forgetful(project: Project) -> Project:
    project.write("bots.py", BOT)
    project.reword("forgetful")
    project.forget()
    return project


def asked(project: Project) -> int:
    return sum(1 for _ in project.path.parent.glob("asked-*"))


def report(project: Project, *words: str) -> dict[str, Any]:
    said = project.run("test", ID, "--json", *words)
    assert said.code in (0, 3, 4), said
    return said.json["reports"][0]


def metric(found: dict[str, Any], name: str = "queue") -> dict[str, Any]:
    return next(line for line in found["metrics"] if line["name"] == name)


def test_each_sample_is_asked_so_often_and_its_mean_counts(forgetful: Project) -> None:
    found = report(forgetful, "--repeats", "3")
    assert asked(forgetful) == found["cost"]["calls"] == 2 * 3 * N
    assert found["samples"]["n"] == N
    assert found["samples"]["repeats"] == metric(found)["repeats"] == 3
    line = metric(found)
    assert (line["n"], line["candidate_mean"]) == (N, pytest.approx(1 - 24 / N / 3))
    # Samples are the units: as many as there are, not three times as many.
    assert line["method"] == "hall-t"
    assert (line["fixed"], line["broken"]) == (0, 24)


def test_the_report_says_how_much_answers_vary_and_how_many_of_them_are_worth_their_price(
    forgetful: Project,
) -> None:
    line = metric(report(forgetful, "--repeats", "3"))
    assert line["within_baseline"] == 0.0
    assert line["within_candidate"] == pytest.approx(24 / N / 3)  # (1, 1, 0) has variance 1/3
    assert line["between"] == pytest.approx(0.0, abs=0.01)
    assert line["best_repeats"] == 10
    said = forgetful.run("test", ID, "--repeats", "3")
    assert f"{N} samples, 3 times each, up to {6 * N} calls" in said.err
    assert f"{3 * N}/{3 * N} pairs" in said.err or "earlier run" in said.err
    said = forgetful.run("report", ID)
    assert "120 samples, 3 answers each" in said.out
    explained = forgetful.run("report", ID, "--explain").out
    assert "mean of 3 repeats each" in explained
    assert "10 answers each are best where a further sample costs ten" in explained


def test_one_answer_a_sample_says_nothing_about_how_answers_vary(forgetful: Project) -> None:
    found = report(forgetful)
    assert (found["samples"]["repeats"], metric(found)["within_candidate"]) == (1, None)
    assert "answers each" not in forgetful.run("report", ID).out
    assert "repeats" not in found["digests"]


def test_more_repeats_keep_the_answers_that_are_there(forgetful: Project) -> None:
    report(forgetful)
    assert asked(forgetful) == 2 * N
    report(forgetful, "--repeats", "2")
    assert asked(forgetful) == 4 * N
    report(forgetful, "--repeats", "3")
    assert asked(forgetful) == 6 * N
    again = report(forgetful, "--repeats", "3")
    assert (asked(forgetful), again["cost"]["calls"]) == (6 * N, 2 * N)


def test_samples_that_ask_the_same_draw_answers_of_their_own_in_every_repeat(forgetful: Project) -> None:
    rows = [{"sample_id": f"s{number}", **sample(number // 2)} for number in range(20)]
    forgetful.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    report(forgetful, "--repeats", "2")
    assert asked(forgetful) == 2 * 2 * 20
    report(forgetful, "--repeats", "3")
    assert asked(forgetful) == 2 * 3 * 20


def test_an_interrupted_run_asks_only_for_what_is_missing(forgetful: Project) -> None:
    down = forgetful.path.parent / "down"
    down.write_text("60")
    stopped = forgetful.run("test", ID, "--repeats", "3")
    assert stopped.code == 7
    refused = asked(forgetful)
    down.unlink()
    for path in forgetful.path.parent.glob("asked-*"):
        path.unlink()
    found = report(forgetful, "--repeats", "3")
    assert 0 < refused < 6 * N
    assert asked(forgetful) <= 6 * N - 2 * 3 * 50, "the first 50 samples were answered before it stopped"
    assert metric(found)["n"] == N


def test_another_number_of_repeats_is_another_look(forgetful: Project) -> None:
    assert report(forgetful, "--repeats", "2")["look"]["number"] == 1
    assert report(forgetful, "--repeats", "3")["look"]["number"] == 2
    assert report(forgetful, "--repeats", "3")["look"]["number"] == 2


def test_a_change_is_told_once_a_sample_and_shown_by_the_answer_that_differs(forgetful: Project) -> None:
    changes = [one for one in report(forgetful, "--repeats", "3")["changes"] if one["metric"] == "queue"]
    assert len(changes) == 24
    assert len({one["sample_id"] for one in changes}) == 24
    assert {(one["change"], one["baseline"]["value"], one["candidate"]["value"]) for one in changes} == {
        ("broken", 1.0, 0.0)
    }
    assert {one["candidate"]["text"] for one in changes} == {"sales"}


def test_a_dry_run_counts_every_answer(forgetful: Project) -> None:
    said = forgetful.run("test", ID, "--repeats", "3", "--dry-run")
    assert said.code == 0
    assert "720 calls" in said.out
    assert asked(forgetful) == 0


def test_a_first_release_is_held_to_its_floor_by_means_too(fresh: Project) -> None:
    fresh.write("bots.py", BOT)
    fresh.reword("forgetful")
    found = report(fresh, "--repeats", "3")
    assert asked(fresh) == 3 * N
    assert metric(found)["candidate_mean"] == pytest.approx(1 - 24 / N / 3)
    assert found["verdict"] == "pass"


def test_what_passed_with_repeats_is_released_by_that_test_and_not_by_another(project: Project) -> None:
    project.write("bots.py", BOT)
    project.reword("thorough")
    project.commit("Thorough")
    said = project.run("test", ID, "--repeats", "2")
    assert said.code == 0, said
    assert f"Next:   promptops promote {ID} --repeats 2" in said.out
    before = asked(project)
    released = project.run("promote", ID, "--repeats", "2")
    assert (released.code, asked(project)) == (0, before), released


def test_what_was_open_with_repeats_is_accepted_by_that_test(forgetful: Project) -> None:
    forgetful.keep_samples(20)
    forgetful.commit("Forgetful")
    said = forgetful.run("test", ID, "--repeats", "2")
    assert said.code == 4
    assert f'promptops promote {ID} --repeats 2 --accept -m "why"' in said.out
    refused = forgetful.run("promote", ID, "--repeats", "2")
    assert refused.code == 4


@pytest.mark.parametrize("count", ["0", "101", "many"])
def test_other_numbers_of_repeats_are_refused(project: Project, count: str) -> None:
    assert project.run("test", ID, "--repeats", count).code == 2


def test_a_test_that_stops_early_does_not_repeat(forgetful: Project) -> None:
    said = forgetful.run("test", ID, "--repeats", "3", "--sequential")
    assert said.code == 2
    assert "a sequential test asks each sample once" in said.err
    assert asked(forgetful) == 0
