"""`promptops test --sequential`: stops at the first decided moment, and goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from cli_help import ID, SAMPLES, Project, sample

from promptops.basis import Basis

BOT = """\
import asyncio
from pathlib import Path

BESIDE = Path(__file__).resolve().parent.parent


async def answer(request):
    rule, message = str(request.messages[0].content), str(request.messages[-1].content)
    number = int(message.split()[1])
    with (BESIDE / "calls").open("a") as file:
        file.write(".")
    with (BESIDE / "asked").open("a") as file:
        file.write(f"{number}\\n")
    if (BESIDE / "down").exists() and (BESIDE / "calls").stat().st_size > int((BESIDE / "down").read_text()):
        from promptops.errors import Refused

        raise Refused("bot: no such key")
    if (BESIDE / "uneven").exists():
        # wrong answers take longest: counted as they finish, they would be missed
        for _ in range(40 if number % 5 == 0 else number % 7):
            await asyncio.sleep(0)
    if "quick" in rule and number % 5 == 0 or "hasty" in rule and number % 25 == 0:
        return "sales"
    return message.split()[-1]
"""


@pytest.fixture
def many(project: Project) -> Project:
    """400 samples, a bot that can be slow, and nothing asked yet."""
    project.write("bots.py", BOT)
    write_samples(project, range(400))
    project.forget()
    return project


def write_samples(
    project: Project, numbers: range, extra: Callable[[int], dict[str, Any]] = lambda number: {}
) -> None:
    rows = [sample(number) | extra(number) for number in numbers]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))


def report(project: Project, *words: str) -> dict[str, Any]:
    said = project.run("test", ID, "--sequential", "--json", *words)
    assert said.code in (0, 3, 4), said
    return said.json["reports"][0] | {"code": said.code}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two reports say the same; what the calls cost is another matter."""
    keys = one.keys() - {"cost", "warnings", "latency", "look", "run", "digests"}
    return not [key for key in sorted(keys) if verdictly(one[key]) != verdictly(other[key])]


def verdictly(value: Any) -> Any:
    if isinstance(value, list):
        return [one for one in (verdictly(part) for part in value) if one is not None]
    if isinstance(value, dict):
        if value.get("unit") == "seconds":
            return None
        return {
            key: verdictly(part)
            for key, part in value.items()
            if key not in ("latency", "time_to_first_token")
        }
    return value


def test_an_equally_good_version_passes_before_all_samples_are_asked(many: Project) -> None:
    many.reword("calm")
    found = report(many)
    assert (found["verdict"], found["code"]) == ("pass", 0)
    stopping = found["sequential"]
    assert stopping["decided"]
    assert 100 < stopping["stopped_at"] < 130
    assert stopping["of"] == 400
    assert found["samples"]["n"] == stopping["stopped_at"]
    assert {line["method"] for line in found["metrics"] if line["status"] == "PASS"} == {"betting"}
    # four calls at once, a window of four times as many pairs
    assert many.calls() <= 2 * (stopping["stopped_at"] + 16)


def test_the_report_says_what_was_saved(many: Project) -> None:
    many.reword("quick")
    said = many.run("test", ID, "--sequential")
    assert " of 400 samples" in said.out
    assert "stopped as soon as it was decided; a test of fixed size would take " in said.out
    assert "calls more" in said.out
    write_samples(many, range(20))
    many.edit("quick", "calm")
    open_yet = many.run("test", ID, "--sequential")
    assert "not decided yet: this test goes on when samples are added" in open_yet.out
    assert "add samples and continue this test" in open_yet.out
    assert "promptops import" not in open_yet.out


def test_a_bad_version_is_stopped_after_a_few(many: Project) -> None:
    many.reword("quick")
    found = report(many)
    assert (found["verdict"], found["code"]) == ("regression", 3)
    stopping = found["sequential"]
    assert stopping["stopped_at"] < 80
    assert stopping["calls_saved"] == 2 * (stopping["planned"] - stopping["stopped_at"])
    assert stopping["calls_saved"] > 200
    assert many.calls() < 200


def test_what_was_decided_is_read_again_without_asking(many: Project) -> None:
    many.reword("calm")
    first = report(many)
    calls = many.calls()
    again = report(many)
    assert many.calls() == calls
    assert same(first, again)
    assert again["cost"]["calls"] <= first["cost"]["calls"] <= calls
    assert again["looks"] == first["looks"]


def test_recorded_answers_alone_decide_as_far_as_they_reach(many: Project) -> None:
    many.reword("calm")
    first = report(many)
    shutil.rmtree(many.path / ".promptops" / "runs")
    again = report(many, "--recorded")
    assert again["verdict"] == "pass"
    assert again["sequential"] == first["sequential"]
    many.edit("calm", "calmer")
    assert many.run("test", ID, "--sequential", "--recorded").code == 7


def test_a_slice_that_is_critical_is_watched_and_the_others_are_a_hint(many: Project) -> None:
    many.edit("scorers:", "gate: {slices: {by: [language], critical: [language=de]}}\nscorers:")
    many.reword("calm")
    found = report(many)
    assert found["verdict"] == "pass"
    assert found["sequential"]["stopped_at"] > 180, "half of the samples are German"
    critical = [line for line in found["slices"] if line["critical"]]
    assert [(line["slice"], line["status"]) for line in critical] == [("language=de", "pass")]
    assert any("take what is flagged as a hint" in text for text in found["warnings"])


def test_the_order_in_which_answers_come_changes_nothing(many: Project) -> None:
    many.reword("quick")
    quick = report(many)
    many.forget()
    (many.path.parent / "uneven").touch()
    slow = report(many)
    assert same(quick, slow)
    many.forget()
    many.edit("concurrency: 4", "concurrency: 1", name="promptops.yaml")
    assert same(quick, report(many))


def test_samples_that_come_later_continue_the_same_test(many: Project) -> None:
    write_samples(many, range(60))
    many.reword("calm")
    begun = report(many)
    assert (begun["verdict"], begun["code"]) == ("inconclusive", 4)
    assert begun["sequential"]["stopped_at"] == 60
    assert begun["sequential"]["calls_saved"] == 0
    order = kept_order(many)
    write_samples(many, range(300))
    many.write("calls.before", str(many.calls()))
    ended = report(many)
    assert ended["verdict"] == "pass"
    assert (ended["run"], ended["look"]["number"]) == (begun["run"], 1)
    assert kept_order(many)[:60] == order
    assert 100 < ended["sequential"]["stopped_at"] < 130
    assert asked_twice(many) == set()


def kept_order(project: Project) -> list[str]:
    (path,) = (project.path / ".promptops" / "runs").glob("*/order.json")
    return [row[0] for row in json.loads(path.read_text())["samples"]]


def asked_twice(project: Project) -> set[str]:
    numbers = (project.path.parent / "asked").read_text().split()
    return {number for number in numbers if numbers.count(number) > 2}


def test_answers_drawn_anew_are_another_look_at_its_own_level(many: Project) -> None:
    many.reword("calm")
    first = report(many)
    shutil.rmtree(many.path / ".promptops" / "runs")
    (many.path / ".promptops" / "cache.db").unlink()
    again = report(many)
    assert (first["look"]["number"], again["look"]["number"]) == (1, 2)
    assert again["alpha"] < first["alpha"]
    assert again["verdict"] == "pass"
    assert again["sequential"]["stopped_at"] > first["sequential"]["stopped_at"]


def test_what_was_counted_can_not_be_taken_away_or_changed(many: Project) -> None:
    write_samples(many, range(60))
    many.reword("calm")
    report(many)
    write_samples(many, range(1, 200))
    said = many.run("test", ID, "--sequential")
    assert said.code == 2
    assert "already counted samples that are gone or were changed" in said.err
    assert "put them back to go on" in said.err
    write_samples(many, range(200), lambda number: {"expected": "sales"} if number == 7 else {})
    assert many.run("test", ID, "--sequential").code == 2
    write_samples(many, range(200))
    assert report(many)["verdict"] == "pass"


def test_a_run_that_ended_in_the_middle_goes_on_to_the_same_verdict(many: Project) -> None:
    many.reword("hasty")
    whole = report(many)
    many.forget()
    (many.path.parent / "asked").unlink()
    for limit in (50, 100, 120):
        (many.path.parent / "calls").unlink()
        (many.path.parent / "down").write_text(str(limit))
        assert many.run("test", ID, "--sequential").code == 7
    (many.path.parent / "down").unlink()
    assert same(whole, report(many))


def test_a_hanging_answer_holds_up_a_window_and_not_the_whole_budget(many: Project) -> None:
    many.write(
        "bots.py",
        BOT.replace(
            'if "quick" in rule',
            'if number == 13:\n        await asyncio.sleep(0.3)\n    if "quick" in rule',
        ),
    )
    many.reword("quick")
    found = report(many)
    assert found["verdict"] == "regression"
    assert many.calls() <= 2 * (found["sequential"]["stopped_at"] + 16)


def test_the_prompt_file_can_ask_for_it_and_say_where_it_ends(many: Project) -> None:
    many.edit("scorers:", "gate: {sequential: {max_samples: 40}}\nscorers:")
    many.reword("calm")
    said = many.run("test", ID, "--json")
    found = said.json["reports"][0]
    assert said.code == 4
    assert (found["sequential"]["stopped_at"], found["sequential"]["of"]) == (40, 40)
    assert found["samples"]["n"] == 40
    assert many.calls() == 80
    assert not found["sequential"]["open_end"]
    assert "max_samples" in found["next_steps"][0]["text"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("limits: {latency: {max_rise: 20%}}\n", "latency: tested once, at the end"),
        ("gate: {slices: {by: [language], policy: block}}\n", "gate.slices: policy: block"),
    ],
)
def test_what_a_test_that_stops_early_cannot_promise_is_refused(
    many: Project, text: str, sentence: str
) -> None:
    many.edit("scorers:", f"{text}scorers:")
    many.reword("calm")
    said = many.run("test", ID, "--sequential")
    assert said.code == 2
    assert sentence in said.err
    assert many.calls() == 0


def test_latency_is_decided_at_the_end_that_was_declared(many: Project) -> None:
    many.edit(
        "scorers:",
        "limits: {latency: {max_rise: 400%}}\ngate: {sequential: {max_samples: 150}}\nscorers:",
    )
    many.reword("calm")
    write_samples(many, range(120))
    found = many.run("test", ID, "--json").json["reports"][0]
    assert found["verdict"] == "inconclusive"
    assert found["reasons"] == ["latency is tested once, when all samples that were declared are in; 120 are"]
    write_samples(many, range(300))
    ended = many.run("test", ID, "--json").json["reports"][0]
    assert ended["samples"]["n"] == 150
    assert "tested once" not in " ".join(ended["reasons"])
    assert next(line for line in ended["metrics"] if line["name"] == "latency")["method"] == "log-t"


def test_conversations_are_taken_whole(many: Project) -> None:
    write_samples(many, range(400), lambda number: {"cluster": {"conversation_id": f"c{number // 3}"}})
    many.reword("quick")
    found = report(many)
    assert found["verdict"] == "regression"
    assert found["sequential"]["largest_unit"] == 3
    assert found["samples"]["n"] % 3 == 0 or found["samples"]["n"] % 3 == 1
    numbers = [int(name) for name in (many.path.parent / "asked").read_text().split()]
    counted = numbers[: 2 * found["samples"]["n"]]
    assert len({number // 3 for number in counted}) <= found["samples"]["clusters"] + 16


def test_a_conversation_that_goes_on_later_is_counted_as_it_was(many: Project) -> None:
    def conversation(number: int) -> dict[str, Any]:
        return {"cluster": {"conversation_id": f"c{number % 30}"}}

    write_samples(many, range(60), conversation)
    many.reword("calm")
    assert report(many)["verdict"] == "inconclusive"
    write_samples(many, range(70), conversation)
    found = report(many)
    assert found["sequential"]["of"] == 60
    assert any("10 samples belong to conversations that were counted" in text for text in found["warnings"])


def test_a_promotion_reads_what_was_decided(many: Project) -> None:
    many.reword("calm")
    found = report(many)
    many.commit()
    calls = many.calls()
    assert many.run("promote", ID, "--sequential").code == 0
    assert many.calls() == calls
    files = (many.path / f"prompts/releases/{ID}/evidence").glob("*.json")
    evidences = [json.loads(one.read_text()) for one in files]
    evidence = next(one for one in evidences if one["run"] == found["run"])
    assert evidence["samples"]["n"] == found["samples"]["n"]
    again = Basis.from_json(evidence["basis"]).verdict()
    assert (again.outcome.value, list(again.reasons)) == ("pass", evidence["reasons"])


def test_a_first_release_stops_when_its_floor_is_shown(fresh: Project) -> None:
    fresh.write("bots.py", BOT)
    write_samples(fresh, range(400))
    found = report(fresh)
    assert found["verdict"] == "pass"
    assert found["sequential"]["stopped_at"] < 60


def test_an_order_that_is_damaged_is_said_and_one_that_is_gone_is_made_again(many: Project) -> None:
    write_samples(many, range(60))
    many.reword("calm")
    begun = report(many)
    (path,) = (many.path / ".promptops" / "runs").glob("*/order.json")
    text = path.read_text()
    path.write_text(text[:50])
    said = many.run("test", ID, "--sequential")
    assert said.code == 6
    assert "is no order of samples" in said.err
    path.unlink()
    assert same(begun, report(many))
    assert path.read_text() == text


def test_a_dry_run_says_how_many_calls_at_most(many: Project) -> None:
    many.edit("scorers:", "gate: {sequential: {max_samples: 40}}\nscorers:")
    many.reword("calm")
    said = many.run("test", ID, "--dry-run")
    assert said.code == 0
    assert "80 calls" in said.out
    assert "it stops as soon as it is decided, after about " in said.out
    (plan,) = many.run("test", ID, "--dry-run", "--json").json["plans"]
    assert (plan["samples"], plan["sequential"]) == (40, True)
    assert plan["stops"] > 100
