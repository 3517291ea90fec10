"""Small falls that add up: what was released is remembered by its evidence, and a test against the anchor lifts it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_help import ID, PATH, SAMPLES, Project, sample

# Wrong about the messages from one number to another, as its instructions say.
BOT = """\
import re


async def answer(request):
    low, high = map(int, re.search(r"Miss ([0-9]+) to ([0-9]+)", str(request.messages[0].content)).groups())
    message = str(request.messages[-1].content)
    return "sales" if low <= int(message.split()[1]) < high else message.split()[-1]
"""
PROMPT = """\
model: bot/small
messages:
  - {role: system, content: "Answer with one word. Miss 0 to 0"}
  - {role: user, content: "{{ message }}"}
scorers:
  queue: {equals: "{{ expected }}", max_drop: 0.3}
"""
EVIDENCE = f"prompts/releases/{ID}/evidence"


@pytest.fixture
def falling(fresh: Project) -> Project:
    """A prompt that is live as v1 and misses nothing; a fall by 30 points would be allowed."""
    fresh.write("bots.py", BOT)
    fresh.write(PATH, PROMPT)
    fresh.commit("Allow much")
    assert fresh.run("promote", ID, "--first").code == 0
    return fresh


def miss(project: Project, low: int, high: int) -> None:
    text = (project.path / PATH).read_text()
    start = text.index("Miss ")
    end = text.index('"', start)
    project.write(PATH, f"{text[:start]}Miss {low} to {high}{text[end:]}")
    project.commit(f"Miss {low} to {high}")


def have_samples(project: Project, low: int, high: int) -> None:
    project.write(SAMPLES, "".join(json.dumps(sample(number)) + "\n" for number in range(low, high)))
    project.commit("Draw samples")


def evidence(project: Project) -> list[dict[str, Any]]:
    """All evidence, oldest first by what it compares."""
    found = [json.loads(path.read_bytes()) for path in (project.path / EVIDENCE).iterdir()]
    return sorted(found, key=lambda one: one["baseline"]["version"] if one["baseline"] else 0)


def test_the_second_small_fall_is_held_although_it_passes_alone(falling: Project) -> None:
    miss(falling, 0, 24)
    assert falling.run("promote", ID).code == 0
    miss(falling, 0, 48)
    before = falling.git("rev-parse", "HEAD")
    said = falling.run("promote", ID)
    assert said.code == 4
    assert (
        "INCONCLUSIVE   queue fell by 20 points here and by 40 since v1, more than the 30 allowed; "
        f"test against that: promptops test {ID} --against v1"
    ) in said.out
    assert falling.git("rev-parse", "HEAD") == before
    (report,) = falling.run("test", "--json").json["reports"]
    (queue,) = [line for line in report["metrics"] if line["name"] == "queue"]
    assert (queue["status"], queue["reason"], report["verdict"]) == ("PASS", "creep", "inconclusive")


def test_a_test_against_the_anchor_says_what_the_sum_cannot(falling: Project) -> None:
    miss(falling, 0, 24)
    assert falling.run("promote", ID).code == 0
    miss(falling, 0, 48)
    assert falling.run("test").code == 4
    assert falling.run("test", ID, "--against", "v1").code == 3, "40 points are too many"
    assert falling.run("promote", ID).code == 4


def test_a_pass_against_the_anchor_lifts_the_doubt_and_is_committed(falling: Project) -> None:
    miss(falling, 0, 24)
    assert falling.run("promote", ID).code == 0
    # On another sample set v2 is as good as v1, and v3 falls by 20 points against either.
    have_samples(falling, 24, 144)
    miss(falling, 24, 48)
    assert "by 40 since v1" in falling.run("test").out
    assert falling.run("test", ID, "--against", "v1").code == 0
    assert falling.run("test").code == 0
    assert falling.run("promote", ID).code == 0
    last = evidence(falling)[-1]
    (anchor,) = last["anchors"]
    assert (anchor["version"], anchor["differences"]["queue"]) == (1, -0.2)
    assert anchor["digest"] == evidence(falling)[0]["baseline"]["digest"]
    assert falling.run("verify").code == 0
    # From now on the sum starts from that direct difference: -20 and -20 are too many, -20 and -9 are not.
    have_samples(falling, 48, 168)
    miss(falling, 48, 72)
    assert "by 40 since v1" in falling.run("test").out
    miss(falling, 48, 58)
    assert falling.run("test").code == 0


def test_the_doubt_is_lifted_for_these_samples_and_this_policy_only(falling: Project) -> None:
    miss(falling, 0, 24)
    assert falling.run("promote", ID).code == 0
    have_samples(falling, 24, 144)
    miss(falling, 24, 48)
    assert falling.run("test", ID, "--against", "v1").code == 0
    have_samples(falling, 24, 145)
    assert falling.run("test").code == 4


def test_what_a_person_forces_counts_like_any_other(falling: Project) -> None:
    miss(falling, 0, 60)
    assert falling.run("promote", ID, "--force", "-m", "we must").code == 0
    miss(falling, 0, 61)
    said = falling.run("test")
    assert said.code == 4
    assert "queue fell by 0.83 points here and by 50.8 since v1" in said.out


def test_an_anchor_that_the_file_names_forgets_what_was_before(falling: Project) -> None:
    miss(falling, 0, 20)
    assert falling.run("promote", ID).code == 0
    miss(falling, 0, 40)
    assert falling.run("test").code == 4
    falling.write(PATH, (falling.path / PATH).read_text() + "gate: {anchor: v2}\n")
    (report,) = falling.run("test", "--json").json["reports"]
    # 120 answers prove no longer, at this second look, that calls are answered; the fall since v1 is forgotten.
    assert not any("since" in reason or "queue" in reason for reason in report["reasons"])


@pytest.mark.parametrize("name", ["v9", "production", "2"])
def test_an_anchor_that_does_not_exist_is_exit_2_and_says_what_there_is(falling: Project, name: str) -> None:
    miss(falling, 0, 24)
    falling.write(PATH, (falling.path / PATH).read_text() + f'gate: {{anchor: "{name}"}}\n')
    said = falling.run("test")
    assert said.code == 2
    assert f"no version of {ID} called '{name}'" in said.err
    assert f"there is v1 ({PATH}: gate.anchor)" in said.err
    assert not (falling.path.parent / "calls").exists()


def test_what_is_shown_better_is_measured_from_then_on(falling: Project) -> None:
    miss(falling, 0, 24)
    assert falling.run("promote", ID).code == 0
    miss(falling, 0, 4)
    assert falling.run("promote", ID).code == 0, "17 points better than v2: the new anchor"
    miss(falling, 0, 22)
    assert falling.run("promote", ID).code == 0
    miss(falling, 0, 42)
    said = falling.run("test")
    assert said.code == 4
    assert "by 31.7 since v3" in said.out


def test_going_back_goes_on_from_where_that_version_stood(falling: Project) -> None:
    miss(falling, 0, 24)
    assert falling.run("promote", ID).code == 0
    assert falling.run("rollback", ID, "--force", "-m", "back").code == 0
    falling.git("checkout", "-q", "--", ".")
    miss(falling, 0, 25)
    assert falling.run("test").code == 0, "v1 is live again, and nothing fell since"


def test_lost_evidence_ends_the_walk_and_is_said(falling: Project) -> None:
    for high in (10, 20):
        miss(falling, 0, high)
        assert falling.run("promote", ID).code == 0
    for path in sorted((falling.path / EVIDENCE).iterdir()):
        if json.loads(path.read_bytes())["baseline"]["version"] == 1:
            Path(path).unlink()
    falling.commit("Lose evidence")
    miss(falling, 0, 30)
    assert "v2 has no evidence: what was lost before it is not counted" in falling.run("test").out
