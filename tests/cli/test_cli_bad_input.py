"""What a person can have wrong is one clear line and exit code 2, never a success and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_help import CONFIG, ID, PATH, POINTER, PROMPT, SAMPLES, Project, Run, Said, sample


def refused(said: Said, *words: str) -> None:
    assert said.code == 2, said
    assert said.out == ""
    for word in words:
        assert word in said.err, said.err


def test_outside_of_a_repository(run_in: Run, tmp_path: Path) -> None:
    for command in (["status"], ["test"], ["promote", ID], ["log"], ["init"], ["new", "a"], ["verify"]):
        refused(run_in(tmp_path, *command), "error:", "repository")


def test_an_unknown_prompt_suggests_the_nearest(project: Project) -> None:
    for command in (
        ["test", "suport-triage"],
        ["try", "suport-triage"],
        ["promote", "suport-triage"],
        ["rollback", "suport-triage"],
        ["status", "suport-triage"],
        ["log", "suport-triage"],
        ["log", "suport-triage", "--since", "12h"],
        ["log", "suport-triage", "-e", "production"],
        ["diff", "suport-triage"],
        ["render", "suport-triage"],
        ["show", "suport-triage"],
        ["lint", "suport-triage"],
        ["import", "README.md", "--prompt", "suport-triage"],
    ):
        refused(project.run(*command), "suport-triage", f"did you mean {ID}")


def test_an_unknown_version_environment_or_commit(project: Project) -> None:
    refused(project.run("test", f"{ID}@v9"), "v9")
    refused(project.run("test", ID, "--against", "v9"), "v9")
    refused(project.run("diff", ID, "--against", "nowhere"), "nowhere")
    refused(project.run("promote", ID, "-e", "prod"), "no environment called 'prod'")
    refused(project.run("rollback", ID, "-e", "produktion"), "did you mean production")
    refused(project.run("rollback", ID, "--to", "v9"), "v9")
    refused(project.run("rollback", ID, "--to", "yesterday"), "versions are called v11")
    refused(project.run("log", "-e", "prod"), "no environment")
    refused(project.run("export", "-e", "prod"), "no environment")
    refused(project.run("log", "--since", "soon"), "'soon' is no time")
    refused(project.run("log", "--since", "999999w"), "999999w")


def test_no_samples_is_never_a_success(project: Project) -> None:
    (project.path / SAMPLES).unlink()
    project.reword("quick")
    for command in (["test"], ["test", ID], ["try"], ["try", ID], ["render", ID], ["diff", ID, "--rendered"]):
        said = project.run(*command)
        assert said.code == 2, said
        assert f"no samples: write {SAMPLES}" in said.err or "has no samples" in said.err
    project.write(SAMPLES, "")
    refused(project.run("test"), "no samples in support-triage.samples.jsonl")
    assert project.calls() == 0


def test_a_pattern_or_a_filter_that_matches_nothing(project: Project) -> None:
    project.reword("quick")
    refused(project.run("test", "--where", "language=dee"), "none of 120 samples", "did you mean language=de")
    refused(project.run("test", "--where", "tagless"), "none of 120 samples")
    refused(project.run("test", "--where", "language="), "neither NAME=VALUE nor a tag")
    refused(project.run("test", "--sample", "smp_0000000000000000"), "no sample 'smp_0000000000000000'")
    assert project.run("try", "--sample", "smp_0000000000000000").code == 2
    refused(project.run("render", ID, "--sample", "nosuch"), "no sample 'nosuch'")
    project.edit("scorers:", 'samples: ["logs/*.jsonl"]\nscorers:')
    refused(project.run("test"), "nothing matches 'logs/*.jsonl'")
    assert project.calls() == 0


def test_a_repository_without_prompts_is_not_tested(project: Project) -> None:
    project.git("rm", "-rq", "prompts")
    for command in (["test"], ["try"], ["lint"]):
        refused(project.run(*command), "promptops new ID")
    status = project.run("status")
    assert status.code == 0
    assert "promptops new ID" in status.out or ID in status.out


def test_an_input_that_samples_lack_is_named_before_anything_is_asked(project: Project) -> None:
    project.edit("{{ message }}", "{{ message }} from {{ customer }}")
    said = project.run("test")
    refused(said, "smp_", "customer", "(and 117 more samples)")
    refused(project.run("try"), "customer")
    refused(project.run("render", ID), "customer")
    refused(project.run("promote", ID), "is not as committed")
    assert project.calls() == 0


def scorer(text: str) -> str:
    return PROMPT.replace('  queue: {equals: "{{ expected }}", min: 0.8}', f"  {text}")


def worded(words: str) -> str:
    return scorer(f"queue: {{equals: x, {words}}}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (worded("max_drop: 100%"), [f"{PATH}:8:32", "allows everything", "write less than 1, got '100%'"]),
        (worded("max_drop: -0.1"), [f"{PATH}:8:32", "expected a number above 0, got -0.1"]),
        (worded("min: 150%"), [f"{PATH}:8:27", "expected a number above 0 and below 1"]),
        (worded("never: true, max_drop: 5%"), [f"{PATH}:8:35", "must never happen has no margin"]),
        (worded("observe: true, must: improve"), [f"{PATH}:8:22", "only observed has no must"]),
        (worded("max_rise: 5%"), [f"{PATH}:8:22", "a scorer takes max_drop"]),
        (PROMPT + "limits: {latency: {max_rise: 0%}}\n", [f"{PATH}:9:30", "above 0, got '0%'"]),
        (PROMPT + "limits: {cost: {max_drop: 5%}}\n", [f"{PATH}:9:17", "does nothing with cost"]),
        (PROMPT + "gate: {alpha: 0.5}\n", [f"{PATH}:9:15", "expected a number below 0.5"]),
        (PROMPT + "gate: {alpha: 0}\n", [f"{PATH}:9:15", "expected a number above 0"]),
        (PROMPT + "gate: {slices: {bye: [a]}}\n", [f"{PATH}:9:17", "did you mean by"]),
        (PROMPT + "gate: {slices: {critical: [de]}}\n", [f"{PATH}:9:28", "expected name=value"]),
        (PROMPT.replace("model:", "modle:"), [f"{PATH}:3:1", "did you mean model"]),
        (PROMPT + "model: bot/other\n", [f"{PATH}:9:1", "model"]),
        (PROMPT + "limits: {latencie: {max_rise: 10%}}\n", [f"{PATH}:9:10", "did you mean latency"]),
        (PROMPT + "limits: {queue: {max_drop: 0.1}}\n", [f"{PATH}:9", "beside the scorer"]),
        (scorer("queue: {max_drop: 0.1}"), [f"{PATH}:8", "queue"]),
        (PROMPT[: PROMPT.index("messages")] + "messages: []\n", [f"{PATH}:4:", "messages"]),
        (scorer('queue: {equals: "{{ expected }}", max_drop: 0}'), [f"{PATH}:8", "max_drop", "above 0"]),
        (scorer('queue: {equals: "{{ expected }}", max_drop: -1%}'), [f"{PATH}:8", "max_drop"]),
        (scorer('queue: {equals: "{{ expected }}", max_drob: 0.1}'), [f"{PATH}:8", "did you mean max_drop"]),
        ("model: [\n", [f"{PATH}:2:1"]),
        ("", [PATH]),
        ("- a\n- b\n", [PATH]),
        (b"model: \xff\xfe\n", [f"{PATH}:1", "UTF-8"]),
        ("[" * 200_000, [PATH]),
        ("a: " * 200_000, [PATH]),
        (PROMPT + "#" + "x" * 10_000_000 + "\n", [PATH]),
        (PROMPT.replace("Be careful.", "Be {{ careful."), [f"{PATH}:5"]),
        (PROMPT.replace("Be careful.", "{% include 'partials/none.md' %}"), [f"{PATH}:5", "none.md"]),
        (PROMPT.replace("bot/small", "gpt-4o"), [f"{PATH}:3:8", "PROVIDER/MODEL"]),
    ],
    ids=lambda value: None if isinstance(value, list) else "x",
)
def test_a_prompt_file_with_a_problem(project: Project, content: str | bytes, words: list[str]) -> None:
    project.write(PATH, content)
    refused(project.run("test"), *words)
    refused(project.run("promote", ID), PATH)
    linted = project.run("lint")
    assert linted.code == 2
    assert words[0] in linted.out
    status = project.run("status")
    assert status.code == 2
    assert words[0] in status.out
    assert "prompt file has problems" in status.out
    assert "no prompt file here" not in status.out
    assert project.calls() == 0


def test_a_prompt_that_was_never_released_and_cannot_be_read_is_not_called_unknown(fresh: Project) -> None:
    fresh.write(PATH, "model: [\n")
    refused(fresh.run("status", ID), f"{PATH}:2:1")


def test_a_directory_with_the_name_of_a_prompt(project: Project) -> None:
    project.write("prompts/x.prompt.yaml/inside.txt", "a")
    assert project.run("status").code in (0, 2)
    assert project.run("lint").code in (0, 2)
    project.reword("quick")
    assert project.run("test").code in (2, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ("bot/small", "boot/small"),
            [f"{PATH}:3:8: model: no provider called 'boot'", "did you mean bot"],
        ),
        (("bot/small", "anthropic/claude"), [f"{PATH}:3:8: model: anthropic needs max_tokens for claude"]),
        (
            ("bot/small", "anthropic/claude\nparameters: {max_tokens: 9}"),
            ["ANTHROPIC_API_KEY is not set"],
        ),
        (('equals: "{{ expected }}"', "judge: rubrics/tone.md"), ["queue", "judge", "not available yet"]),
        (('equals: "{{ expected }}"', 'python: "checks:queue"'), ["checks"]),
        (('equals: "{{ expected }}"', 'python: "bots:nothing"'), ["nothing"]),
        (('equals: "{{ expected }}"', "json_schema: response_format"), ["response_format"]),
        (("bot/small", "openai/gpt-4o-mini"), ["OPENAI_API_KEY is not set"]),
    ],
    ids=["provider", "vendor", "vendor key", "judge", "module", "function", "schema", "key"],
)
def test_what_a_prompt_names_and_is_not_there(
    project: Project, change: tuple[str, str], words: list[str]
) -> None:
    project.edit(*change)
    project.reword("quick")
    refused(project.run("test"), *words)
    refused(project.run("try"), *words)
    assert project.calls() == 0


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CONFIG.replace("bots:answer", "robots:answer"), ["robots"]),
        (CONFIG.replace("bots:answer", "bots:reply"), ["bots has no reply"]),
        (CONFIG.replace("limits", "limmits"), ["promptops.yaml:5:1", "did you mean limits"]),
        (CONFIG + "environments: []\n", ["promptops.yaml:6", "environments"]),
        (
            CONFIG + "defaults: {alpha: 0.5}\n",
            ["promptops.yaml:6:19", "expected a number below 0.5, got 0.5"],
        ),
        (CONFIG + "defaults: {alpha: 0}\n", ["promptops.yaml:6:19", "expected a number above 0, got 0"]),
        (CONFIG + "defaults: {max_drop: 100%}\n", ["promptops.yaml:6:22", "expected a number below 1"]),
        (CONFIG.replace("concurrency: 4", "concurrency: 0"), ["promptops.yaml:5", "concurrency"]),
        (CONFIG + "limits: {}\n", ["promptops.yaml:6"]),
        (
            CONFIG.replace("small", "x").replace("deadline: 20", "models: [openai/*]"),
            [f"{PATH}:3:8: model: ", "not allowed"],
        ),
        ("[" * 200_000, ["promptops.yaml"]),
        (b"\xff", ["promptops.yaml", "UTF-8"]),
    ],
    ids=[
        "module",
        "function",
        "key",
        "environments",
        "high alpha",
        "no alpha",
        "margin",
        "concurrency",
        "twice",
        "models",
        "deep",
        "bytes",
    ],
)
def test_a_configuration_with_a_problem(project: Project, config: str | bytes, words: list[str]) -> None:
    project.write("promptops.yaml", config)
    project.reword("quick")
    refused(project.run("test"), *words)
    assert project.calls() == 0


SCORES = """\
import math


def words(output, sample):
    return len(output) * 1.5


def endless(output, sample):
    return math.inf
"""


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('python: "scores:words"', "the scorer returned "),
        ('python: "scores:words", range: [0, 2]', ", outside 0 to 2; declare the whole range"),
        ('python: "scores:endless", range: [0, 1000]', "the scorer returned inf, outside 0 to 1000"),
    ],
)
def test_a_value_outside_of_the_declared_range_names_scorer_sample_and_place(
    project: Project, written: str, said: str
) -> None:
    project.write("scores.py", SCORES)
    project.write(PATH, scorer(f"queue: {{{written}}}"))
    project.reword("quick")
    for command in (["test"], ["try"]):
        refused(project.run(*command), f"{PATH}:8:3: scorers.queue: sample smp_", said)


SECRET = "sk-proj-4fXq81kZpLmN0aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"


def test_a_literal_key_is_refused_and_never_printed(project: Project) -> None:
    project.write(
        "promptops.yaml",
        CONFIG.replace(
            "  bot:",
            f'  openai: {{kind: openai, base_url: "http://127.0.0.1:1/v1", api_key: {SECRET}}}\n  bot:',
        ),
    )
    said = project.run("test", ID)
    refused(said, "promptops.yaml:4")
    assert SECRET not in said.err
    project.write("promptops.yaml", CONFIG)
    project.edit("Be careful.", f"Be careful. Key {SECRET}")
    for command in (["test"], ["lint"], ["status"], ["try"], ["promote", ID]):
        said = project.run(*command)
        assert said.code == 2, (command, said)
        assert SECRET not in said.out + said.err


def test_a_key_with_a_newline_is_named_and_not_printed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very secret\nvalue")
    project.edit("bot/small", "openai/gpt-4o-mini")
    said = project.run("test")
    refused(said, "OPENAI_API_KEY")
    assert "secret" not in said.err


def test_a_folder_that_does_not_exist(project: Project) -> None:
    refused(project.run("-C", "nowhere", "status"), "-C nowhere: No such file or directory")
    refused(project.run("status", "-C", "nowhere"), "-C nowhere")
    refused(project.run("-C", "README.md", "status"), "-C README.md: Not a directory")
    assert project.run("-C", "prompts", "status").code == 0
    assert project.run("status", "-C", "prompts").code == 0


def test_before_the_first_commit(run_in: Run, tmp_path: Path, fresh: Project) -> None:
    fresh.git("update-ref", "-d", "HEAD")
    refused(fresh.run("promote", ID), "commit")
    refused(fresh.run("promote", ID, "--first"), "commit")
    refused(fresh.run("rollback", ID))
    refused(fresh.run("diff", ID), "not live yet")
    refused(fresh.run("export"), "nothing is live")
    for command in (["status"], ["lint"], ["test"], ["log"], ["verify"], ["render", ID]):
        assert fresh.run(*command).code in (0, 2), command
    assert fresh.run("try").code == 0
    refused(fresh.run("log", ID), "not committed yet")


def test_options_that_contradict_one_another(project: Project) -> None:
    project.reword("quick")
    project.commit()
    refused(project.run("promote", ID, "--force"), '--force needs a reason: -m "why"')
    refused(project.run("promote", ID, "--accept"), '--accept needs a reason: -m "why"')
    refused(project.run("promote", ID, "--accept", "--force", "-m", "x"), "exclude one another")
    refused(project.run("promote", ID, "--force", "-m", "  "), "needs a reason")
    refused(project.run("test", "--against", "recorded"), "not available yet")
    refused(project.run("try", "-i", "message"), "expected NAME=VALUE")
    refused(project.run("render", ID, "-i", "=x"), "expected NAME=VALUE")
    assert project.run("try", "-n", "0").code == 2
    assert project.run("nonsense").code == 2
    assert project.run("test", "--nonsense").code == 2
    assert project.calls() == 0


def test_a_damaged_pointer_is_an_integrity_error(project: Project) -> None:
    for damage in ("", "[", "version: 1\n", "[" * 200_000, "\x00", "version: 9\n" + project.pointer()):
        project.write(POINTER, damage)
        project.commit("Damage")
        for command in (["status"], ["test", ID], ["promote", ID], ["rollback", ID], ["export"], ["verify"]):
            said = project.run(*command)
            assert said.code in (2, 6), (damage[:20], command, said)
    assert project.run("verify").code == 6


def test_a_damaged_cache_is_named(project: Project) -> None:
    project.reword("quick")
    project.write(".promptops/cache.db", b"this is not SQLite, and long enough to be looked at" * 100)
    for suffix in ("-wal", "-shm"):
        (project.path / f".promptops/cache.db{suffix}").unlink(missing_ok=True)
    refused(project.run("test"), "cache.db", "delete it")
    refused(project.run("cache", "stats"), "cache.db", "delete it")


def test_a_damaged_journal_is_an_integrity_error(project: Project) -> None:
    project.reword("quick")
    assert project.run("test").code == 3
    run = project.run("test", "--json").json["reports"][0]["run"]
    journal = project.path / ".promptops/runs" / run / "pairs.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b'"index":3,', b'"index":"x",', 1))
    said = project.run("test")
    assert said.code == 6
    assert "pairs.jsonl" in said.err
    journal.write_bytes(whole[:-20])
    assert project.run("test").code == 3
    (project.path / ".promptops/runs" / run / "run.json").write_text("[]")
    said = project.run("test")
    assert said.code == 6
    assert "run.json" in said.err


def test_files_that_cannot_be_written_or_read(project: Project) -> None:
    refused(project.run("cache", "export", "no/such/folder/x.jsonl"), "no/such/folder")
    refused(project.run("cache", "import", "nowhere.jsonl"), "nowhere.jsonl")
    refused(project.run("cache", "import", "README.md"), "README.md:1")
    refused(project.run("cache", "import", "prompts"), "prompts")
    refused(project.run("export", "-o", "no/such/folder/x.json"), "no/such/folder")
    refused(project.run("import", "nowhere.jsonl", "--prompt", ID), "nowhere.jsonl")
    refused(project.run("import", "README.md", "--prompt", ID), "README.md")
    project.reword("quick")
    said = project.run("test", "--markdown", "no/such/folder/x.md")
    assert said.code == 2
    assert "no/such/folder" in said.err


def test_bad_samples_are_named_by_line(project: Project) -> None:
    lines = [json.dumps(sample(number)) for number in range(5)]
    project.write(SAMPLES, "\n".join([*lines, "{", '{"expected": 1}', '"text"']) + "\n")
    project.reword("quick")
    refused(project.run("test"), f"{SAMPLES}:6", f"{SAMPLES}:7", f"{SAMPLES}:8")
    linted = project.run("lint")
    assert linted.code == 2
    assert f"{SAMPLES}:6" in linted.out
    assert project.calls() == 0


@pytest.mark.parametrize("chance", [0, -0.5, 1.5, 1e-320, "often"])
def test_a_chance_that_is_none_is_named_by_its_line(project: Project, chance: object) -> None:
    lines = [json.dumps(sample(number) | {"inclusion_prob": 0.5}) for number in range(5)]
    lines[2] = json.dumps(sample(2) | {"inclusion_prob": chance})
    project.write(SAMPLES, "\n".join(lines) + "\n")
    project.reword("quick")
    refused(project.run("test"), f"{SAMPLES}:3:1: inclusion_prob:")


def test_a_provider_that_is_down_is_exit_7_and_one_line(project: Project) -> None:
    project.write(
        "promptops.yaml",
        CONFIG.replace("  bot:", '  shut: {kind: openai, base_url: "http://127.0.0.1:9/v1"}\n  bot:'),
    )
    project.edit("bot/small", "shut/small")
    said = project.run("test")
    assert said.code == 7, said
    assert "Traceback" not in said.err
    errors = [line for line in said.err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "shut" in errors[0]
    assert "run again to resume" in errors[0]
    assert project.run("try", "-n", "2").code in (0, 7)
