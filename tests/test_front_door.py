"""What a user's code may import, what `--help` shows, and what a start does not pay for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import promptops
from promptops.cli.app import app

PUBLIC = {
    "Completion",
    "Loaded",
    "Message",
    "PromptopsError",
    "Request",
    "Sample",
    "Score",
    "ToolCall",
    "Usage",
    "load",
}
SHOWN = [
    "init",
    "new",
    "import",
    "demo",
    "try",
    "test",
    "diff",
    "render",
    "lint",
    "promote",
    "rollback",
    "status",
    "log",
]
HIDDEN = {"show", "report", "cache", "export", "verify"}
HEAVY = ("scipy", "numpy", "httpx", "httpx_aiohttp", "aiohttp", "git", "rich", "sqlite3")


def commands() -> dict[str, typer.core.TyperCommand]:
    return typer.main.get_command(app).commands


def program(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "promptops", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_public_names_are_those_that_are_promised() -> None:
    assert set(promptops.__all__) == PUBLIC
    assert list(promptops.__all__) == sorted(promptops.__all__)
    for name in PUBLIC:
        assert getattr(promptops, name).__module__.startswith("promptops.")


def test_anything_else_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'evaluate'"):
        promptops.evaluate  # noqa: B018


def test_help_lists_the_commands_in_the_order_of_work(tmp_path: Path) -> None:
    said = program(tmp_path, "--help")
    assert said.returncode == 0
    listed = [line.split()[0] for line in said.stdout.split("Commands:")[1].splitlines() if line.strip()]
    assert [name for name in listed if name in SHOWN] == SHOWN
    assert not HIDDEN & set(listed)
    assert set(SHOWN) | HIDDEN <= set(commands())


@pytest.mark.parametrize("name", sorted({*SHOWN, *HIDDEN} - {"cache"}))
def test_every_command_and_every_option_has_help(name: str) -> None:
    command = commands()[name]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", "") or parameter.name == "help", parameter.name


def test_the_parts_of_cache_have_help() -> None:
    cache = commands()["cache"]
    assert set(cache.commands) == {"stats", "export", "import", "clear"}
    assert all(command.help for command in cache.commands.values())


def test_no_arguments_show_the_help_and_are_2(tmp_path: Path) -> None:
    said = program(tmp_path)
    assert said.returncode == 2
    assert "Usage:" in said.stdout + said.stderr
    assert "promptops demo" in said.stdout + said.stderr


def test_the_version_is_a_version(tmp_path: Path) -> None:
    said = program(tmp_path, "--version")
    assert said.returncode == 0
    assert said.stdout.startswith("promptops 0.")


@pytest.mark.parametrize("arguments", [["--help"], ["status"], ["log"], ["verify"]])
def test_a_small_command_does_not_pay_for_large_imports(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/a.prompt.yaml").write_text(
        "model: openai/x\nmessages:\n  - {role: user, content: 'Hello {{ name }}'}\n"
    )
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    code = (
        "import sys, json, contextlib, io\n"
        f"sys.argv = ['promptops', *{arguments!r}]\n"
        "from promptops.cli.app import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main()\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(json.loads(done.stdout))


ASKED = """
import json, pathlib, sys

def answer(request):
    seen = pathlib.Path("modules.json")  # the code is run where the base is, and the program where it was started
    if not seen.exists():
        seen.write_text(json.dumps(sorted({name.split(".")[0] for name, one in sys.modules.items() if one})))
    return "yes"
"""


def test_the_gates_first_question_does_not_wait_for_the_statistics_or_for_what_shows_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "bots.py").write_text(ASKED)
    (tmp_path / "promptops.yaml").write_text('providers: {bot: {kind: python, target: "bots:answer"}}\n')
    (tmp_path / "prompts/p.prompt.yaml").write_text(
        "model: bot/small\nmessages: [{role: user, content: '{{ message }}'}]\n"
        "scorers: {right: {equals: 'yes', min: 0.5}}\n"
    )
    (tmp_path / "prompts/p.samples.jsonl").write_text('{"inputs": {"message": "well?"}}\n')
    prompt = tmp_path / "prompts/p.prompt.yaml"
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["commit", "-qm", "a"],
        ["switch", "-qc", "b"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    prompt.write_text(prompt.read_text().replace("{{ message }}", "Say: {{ message }}"))
    subprocess.run(["git", "commit", "-qam", "b"], cwd=tmp_path, check=True)
    said = program(tmp_path, "gate", "--base", "main")
    assert "Traceback" not in said.stderr
    loaded = set(json.loads((tmp_path / "modules.json").read_text()))
    assert not {"numpy", "scipy", "git", "rich", "click", "pygments", "jsonschema"} & loaded


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -P -m promptops --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 141)
