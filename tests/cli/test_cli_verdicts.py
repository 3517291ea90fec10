"""`promptops test`: pass, regression, inconclusive; and an interrupted run asks only what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cli_help import ID, SAMPLES, N, Project, Said, sample

Program = Callable[..., Said]


def first_id(project: Project) -> str:
    """The id of sample 0, which a quick bot gets wrong."""
    return str(project.run("try", "-n", "1", "--json").json["samples"][0]["sample_id"])


def metric(report: dict, name: str) -> dict:
    return next(line for line in report["metrics"] if line["name"] == name)


def test_wording_that_changes_no_answer_passes_with_exit_0(project: Project) -> None:
    project.reword("thorough")
    before = project.snapshot()
    said = project.run("test")
    assert said.code == 0
    assert "PASS   nothing fell by more than is allowed" in said.out
    assert "v1 → work tree   120 samples" in said.out
    assert f"Next:   promptops promote {ID}" in said.out
    assert project.snapshot() == before
    assert project.calls() == N, "what is live was answered when it was released"


def test_a_regression_has_exit_3_its_p_value_and_its_broken_samples(project: Project) -> None:
    project.reword("quick")
    said = project.run("test")
    assert said.code == 3
    assert "REGRESSION   queue fell by 20 points (allowed 5)" in said.out
    assert "24 broken, 0 fixed; p = 3.0e-8 if nothing got worse" in said.out
    assert '"message 0 about billing"   before billing ✓   after sales ✗' in said.out
    assert first_id(project) in said.out
    assert "and 21 more" in said.out
    assert "promptops try support-triage --failed" in said.out


def test_thirty_samples_cannot_tell_and_say_how_many_could(project: Project) -> None:
    project.reword("thorough")
    project.keep_samples(30)
    said = project.run("test")
    assert said.code == 4
    assert "INCONCLUSIVE" in said.out
    assert "add about 165 samples, 195 in all, and test again; 330 calls" in said.out
    assert '--accept -m "why"' in said.out


def test_json_is_one_document_with_a_schema_and_the_same_exit_code(project: Project) -> None:
    project.reword("quick")
    said = project.run("test", "--json")
    assert said.code == 3
    assert said.json["schema"] == "promptops.test/1"
    (report,) = said.json["reports"]
    assert report["schema"] == "promptops.report/1"
    assert report["verdict"] == "regression"
    assert report["prompt"]["baseline"]["version"] == 1
    assert report["samples"]["n"] == N
    assert metric(report, "queue")["broken"] == 24
    assert len([change for change in report["changes"] if change["change"] == "broken"]) == 24
    again = project.run("test", "--json")
    assert again.json["reports"][0]["metrics"] == report["metrics"], "the same test, the same numbers"
    assert project.run("report", "--json").json["verdict"] == "regression"
    assert "REGRESSION" in project.run("report").out
    assert project.run("report", "--markdown").out.startswith("### ❌ support&#45;triage: regression")


def test_nothing_different_from_live_is_0_and_says_so(project: Project) -> None:
    for command in (["test"], ["test", ID]):
        said = project.run(*command)
        assert (said.code, said.out) == (0, f"{ID}: nothing differs from production\n")
    project.edit("description: Sends", "description: Brings")
    assert project.run("test").out == f"{ID}: nothing differs from production\n"
    assert project.calls() == 0


def test_a_prompt_that_is_not_live_is_judged_by_its_floor(fresh: Project) -> None:
    for command in (["test"], ["test", ID]):
        said = fresh.run(*command)
        assert said.code == 0
        assert "PASS   every floor holds" in said.out
    fresh.reword("quick")
    assert fresh.run("test", ID).code == 4, "80 % is not shown to be above a floor of 80 %"


def test_a_dry_run_asks_nobody_and_says_what_the_samples_can_show(project: Project) -> None:
    project.reword("thorough")
    said = project.run("test", "--dry-run")
    assert said.code == 0
    assert "120 samples, up to 240 calls" in said.out
    assert "63 samples are needed" in said.out
    assert project.calls() == 0
    assert not list((project.path / ".promptops/runs").glob("*thorough*"))
    assert project.run("test", "--dry-run", "--json").json["schema"] == "promptops.outlook/1"


def test_against_a_commit_or_a_version(project: Project) -> None:
    project.reword("quick")
    project.commit("Be quick")
    said = project.run("test", ID, "--against", "HEAD")
    assert said.out == f"{ID}: nothing differs from HEAD ({project.git('rev-parse', '--short=7', 'HEAD')})\n"
    assert project.run("test", ID, "--against", "HEAD~1").code == 3
    assert project.run("test", ID, "--against", "v1").code == 3
    assert project.run("test", f"{ID}@v1", "--against", "worktree").code in (0, 2)


def test_a_provider_that_goes_down_ends_with_7_and_a_rerun_asks_only_what_is_missing(
    project: Project,
) -> None:
    project.reword("thorough")
    down = project.path.parent / "down"
    down.write_text("60")
    said = project.run("test")
    assert said.code == 7
    assert said.out == ""
    assert "bot is down" in said.err
    assert "run again to resume" in said.err
    (run,) = (
        path
        for path in (project.path / ".promptops/runs").iterdir()
        if "report.json" not in {one.name for one in path.iterdir()}
    )
    kept = len((run / "pairs.jsonl").read_text().splitlines())
    assert kept >= 56
    answered = project.calls()
    down.unlink()
    said = project.run("test")
    assert said.code == 0
    assert project.calls() - answered == N - 60
    answered = project.calls()
    assert project.run("test", "--json").json["reports"][0]["cost"]["failures"] == 0
    assert project.calls() == answered


def test_the_verdict_of_a_resumed_run_is_that_of_a_whole_one(project: Project) -> None:
    project.reword("quick")
    whole = project.run("test", "--json").json["reports"][0]
    project.forget()
    (project.path.parent / "down").write_text("40")
    assert project.run("test").code == 7
    (project.path.parent / "down").unlink()
    resumed = project.run("test", "--json").json["reports"][0]
    judged = [line for line in resumed["metrics"] if line["name"] in ("queue", "answered")]
    assert judged == [line for line in whole["metrics"] if line["name"] in ("queue", "answered")]
    assert resumed["changes"] == whole["changes"]


def test_answers_that_never_came_count_against_the_candidate(project: Project) -> None:
    project.reword("silent")
    said = project.run("test")
    assert said.code in (3, 7), said
    assert "12 of 120 pairs lack an answer; each counts against the candidate" in said.out
    report = project.run("test", "--json").json["reports"][0]
    assert report["unscored"] == {"baseline": 0, "candidate": 12, "by_kind": {"error": 12}}
    assert metric(report, "answered")["status"] == "REGRESSION"


def test_a_scorer_that_breaks_changes_the_verdict(project: Project) -> None:
    project.write(
        "checks.py", "def queue(output, sample) -> bool:\n    return output == sample['expected']\n"
    )
    project.edit('equals: "{{ expected }}"', 'python: "checks:queue"')
    project.reword("quick")
    assert project.run("test").code == 3
    project.write("checks.py", "def queue(output, sample) -> bool:\n    return True\n")
    said = project.run("test", "--json")
    assert said.code == 4, "a scorer that is always content sees nothing, but asking again is a second look"
    assert metric(said.json["reports"][0], "queue")["difference"] == 0
    assert project.calls() == N, "another scorer judges the same answers"
    project.write("checks.py", "def queue(output, sample) -> bool:\n    return 1 / 0\n")
    said = project.run("test")
    assert said.code == 4
    assert "INCONCLUSIVE" in said.out
    project.write("checks.py", "def queue(output, sample) -> bool:\n    return False\n")
    said = project.run("test")
    assert said.code in (3, 4)
    assert "both versions fail on every sample" in said.out
    project.write("checks.py", "def queue(output, sample) -> bool:\n")
    said = project.run("test")
    assert said.code == 2
    assert "checks.py does not import" in said.err


def test_samples_without_anything_that_says_what_is_right_are_inconclusive(project: Project) -> None:
    project.edit('scorers:\n  queue: {equals: "{{ expected }}", min: 0.8}\n', "")
    rows = [{"inputs": sample(number)["inputs"]} for number in range(N)]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.reword("thorough")
    said = project.run("test")
    assert said.code == 4
    assert "nothing here says what is right" in said.out
    assert 'right: {equals: "{{ expected }}"}' in said.out


def test_the_scorer_that_is_chosen_by_default_is_said(project: Project) -> None:
    project.edit('scorers:\n  queue: {equals: "{{ expected }}", min: 0.8}\n', "")
    project.reword("quick")
    said = project.run("test")
    assert said.code == 3
    assert "no scorers are written, so: the answer equals expected" in said.out


def test_the_worst_verdict_speaks_for_all_prompts(project: Project) -> None:
    text = (project.path / f"prompts/{ID}.prompt.yaml").read_text()
    project.write("prompts/other.prompt.yaml", text.replace("careful", "quick"))
    project.write("prompts/other.samples.jsonl", (project.path / SAMPLES).read_text())
    project.commit("Add another")
    assert project.run("promote", "other", "--first", "--force", "-m", "known to be quick").code == 0
    project.reword("thorough")
    assert project.run("test").code == 0
    project.edit("quick", "thorough", name="prompts/other.prompt.yaml")
    project.edit("thorough", "quick")
    said = project.run("test", "--json")
    assert said.code == 3
    assert [one["verdict"] for one in said.json["reports"]] == ["pass", "regression"]
    said = project.run("test", "other", ID)
    assert said.code == 3
    assert said.out.index("other   v1") < said.out.index(f"{ID}   v1")


def test_markdown_is_appended_for_a_pull_request(project: Project) -> None:
    project.write("summary.md", "before\n")
    project.reword("quick")
    assert project.run("test", "--markdown", "summary.md").code == 3
    text = (project.path / "summary.md").read_text()
    assert text.startswith("before\n### ❌")
    assert "<details><summary>What broke (24)</summary>" in text


@pytest.mark.parametrize(
    ("words", "version", "code", "said"),
    [
        ("never: true", "hasty", 3, "queue"),
        ("never: true", "thorough", 0, "none in 120 answers; the true rate is below"),
        ("min: 0.99", "hasty", 4, "its floor is 99 %"),
        ("min: 0.9", "thorough", 0, "≥ 90%"),
        ("min: 0.9", "quick", 3, "floor"),
        ("must: improve", "thorough", 4, "queue"),
        ("must: improve", "quick", 3, "queue"),
        ("observe: true", "quick", 4, "nothing here says what is right"),
        ("max_drop: 40%", "quick", 0, "−40"),
        ("max_drop: 10%", "hasty", 0, "−10"),
    ],
)
def test_the_words_of_the_gate_decide(
    project: Project, words: str, version: str, code: int, said: str
) -> None:
    project.edit("min: 0.8", words)
    project.reword(version)
    found = project.run("test")
    assert found.code == code, found.out
    assert said in found.out


def test_a_target_that_is_met_passes(project: Project) -> None:
    project.reword("quick")
    project.commit("Be quick")
    assert project.run("promote", ID, "--force", "-m", "for the test").code == 0
    project.edit("min: 0.8", "must: improve")
    project.edit("quick", "careful")
    said = project.run("test")
    assert said.code == 0, said.out
    assert "BETTER" in said.out
    assert "if it were no better" in said.out


def test_what_is_only_observed_is_shown_and_does_not_gate(project: Project) -> None:
    project.edit("scorers:\n", "scorers:\n  short: {length: {max: 1, unit: words}, observe: true}\n")
    project.reword("verbose")
    project.edit('queue: {equals: "{{ expected }}", min: 0.8}', 'queue: {starts_with: "{{ expected }}"}')
    said = project.run("test")
    assert said.code == 0, said.out
    assert "short" in said.out
    assert "observed" in said.out


def test_a_limit_of_latency_gates_on_fresh_answers_only(project: Project) -> None:
    project.edit("scorers:\n", "limits: {latency: {max_rise: 2000%}}\nscorers:\n")
    project.reword("thorough")
    said = project.run("test", "--json")
    line = metric(said.json["reports"][0], "latency")
    assert (line["role"], line["margin"], line["n"]) == ("guardrail", 20, N)
    assert said.code == 0, line
    assert project.calls() == 2 * N, "an answer from the cache tells no time"
    assert project.run("test", "--json").json["reports"][0]["metrics"] == said.json["reports"][0]["metrics"]
    assert project.calls() == 2 * N, "the same test again reads its journal"
    recorded = project.run("test", "--recorded", "--where", "language=de")
    assert recorded.code == 4, "recorded answers cannot say how fast anything is"


def test_conversations_count_as_one_each_and_are_shown(project: Project) -> None:
    rows = [sample(number) | {"cluster": {"conversation_id": f"c{number // 4}"}} for number in range(N)]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.reword("thorough")
    said = project.run("test")
    assert "120 samples in 30 conversations" in said.out
    assert said.code == 4, "30 conversations without a difference do not prove a margin of 5 points"
    answered = next(
        line
        for line in project.run("test", "--json").json["reports"][0]["metrics"]
        if line["name"] == "answered"
    )
    assert (answered["n_clusters"], answered["method"]) == (30, "bounded-score")


def test_a_conversations_key_that_nobody_reads_is_pointed_out(project: Project) -> None:
    rows = [sample(number) | {"conversation_id": f"c{number // 4}"} for number in range(N)]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.reword("thorough")
    said = project.run("test")
    assert "conversation_id has 30 values in 120 samples, which are judged as independent" in said.out


def test_answers_can_be_taken_along_and_tested_without_any_provider(
    project: Project, program: Program
) -> None:
    project.reword("quick")
    assert project.run("test").code == 3
    exported = project.path.parent / "answers.jsonl"
    assert project.run("cache", "export", str(exported)).code == 0
    first = exported.read_bytes()
    assert project.run("cache", "export", str(exported)).code == 0
    assert exported.read_bytes() == first
    project.forget()
    (project.path / "bots.py").unlink()
    said = project.run("test", "--recorded")
    assert said.code == 7
    assert "not among the recorded ones" in said.err
    imported = program(project.path, "cache", "import", str(exported))
    assert imported.code == 0
    assert "240 answers taken from" in imported.err
    assert "0 answers taken from" in project.run("cache", "import", str(exported)).err
    assert project.run("cache", "stats").out.startswith("240 answers")
    assert project.run("cache", "stats", "--json").json["answers"] == 240
    assert project.run("test").code == 2, "the provider's module is gone"
    said = project.run("test", "--recorded")
    assert said.code == 3
    assert "24 broken, 0 fixed" in said.out
    assert project.run("try", "--recorded").code == 0
    assert project.run("cache", "clear").code == 0
    assert project.run("cache", "stats").out.startswith("0 answers")


def test_the_program_itself_ends_with_the_verdicts_code(project: Project, program: Program) -> None:
    project.reword("quick")
    said = program(project.path, "test")
    assert said.code == 3
    assert "REGRESSION   queue fell by 20 points" in said.out
    assert "\x1b" not in said.out + said.err
    assert said.err.startswith(f"{ID}: 120 samples, up to 240 calls to bot/small (run {ID}-")


def test_samples_that_are_edited_while_they_are_replayed_end_the_run(project: Project) -> None:
    project.edit(
        "def answer(request):\n",
        "def answer(request):\n"
        f'    with Path("{SAMPLES}").open("r+b") as file:\n'
        '        file.seek(file.read().rfind(b"message 119"))\n'
        '        file.write(b"Message 119")\n',
        name="bots.py",
    )
    project.reword("quick")
    said = project.run("test")
    assert said.code == 7, said.out
    assert "the samples of support-triage changed while the test ran; run it again" in said.err


def test_a_name_that_is_two_things_warns_in_the_report(project: Project) -> None:
    project.git("branch", "production")
    project.reword("quick")
    said = project.run("test", "--against", "production")
    assert said.code == 3
    assert "'production' is an environment and a name in git" in said.out
    assert (
        "'production' is an environment and a name in git"
        in project.run("diff", ID, "--against", "production").err
    )


def test_a_change_that_brings_its_own_rules_along_says_so(project: Project) -> None:
    project.reword("hasty")
    assert "brings its own scorers" not in project.run("test").out
    project.edit('{equals: "{{ expected }}", min: 0.8}', '{equals: "{{ expected }}", max_drop: 40%}')
    said = project.run("test")
    assert "this change brings its own scorers, limits or gate along" in said.out


def answered_by_another(project: Project, condition: str) -> None:
    """Have another model answer behind the same name, under a condition."""
    project.edit(
        "    return right\n",
        f'    model = "small-2027" if {condition} else "small-2026"\n'
        '    return {"role": "assistant", "content": right, "model": model}\n',
        name="bots.py",
    )
    project.forget()


def test_another_model_behind_the_same_name_ends_the_run(project: Project) -> None:
    answered_by_another(project, '"polite" in rule')
    project.reword("polite")
    said = project.run("test")
    assert said.code == 7
    assert (
        "bot/small was asked, and others answered: small-2026 for live, small-2027 for new; the difference"
        " between them is not the prompt's" in said.err
    )
    assert project.run("test").code == 7, "its answers are kept"


def test_a_model_that_changed_in_the_middle_is_named_when_all_have_answered(project: Project) -> None:
    answered_by_another(project, '"polite" in rule and "message 7" in message')
    project.reword("polite")
    said = project.run("test")
    assert said.code == 7
    assert "others answered: small-2026 for live, small-2026, small-2027 for new" in said.err
    header = json.loads(next((project.path / ".promptops/runs").glob("*/run.json")).read_text())
    assert header["answered_by"] == {"baseline": ["small-2026"], "candidate": ["small-2026", "small-2027"]}


def test_two_models_that_both_answered_both_versions_are_no_change_between_them(project: Project) -> None:
    answered_by_another(project, '"message 7" in message')
    project.reword("polite")
    assert project.run("test").code != 7
