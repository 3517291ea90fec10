"""What programs load: what is live, by the release files of their checkout alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import promptops
from promptops.errors import ConfigError, IntegrityError, InvalidFile, InvalidInput, NotFound
from promptops.prompts.parse import parse_prompt
from promptops.records import Release, Version, canonical
from promptops.succession import following

TEXT = """\
model: openai/gpt-4o-mini
parameters: {temperature: 0, stop: ["no", "1_000"]}
messages:
  - {role: system, content: "Be kind. {% include 'partials/tone.md' %}"}
  - {role: user, content: "{{ message }}"}
"""
RICH = """\
response_format: {type: json_object}
tools:
  - name: look_up
    description: Look an order up
    parameters: {type: object, properties: {order: {type: string}}}
    risk: read
"""
PARTIALS = {"prompts/partials/tone.md": "Never shout.\n"}


def publish(
    text: str = TEXT, *, number: int = 1, environment: str = "production", previous: Release | None = None
) -> Release:
    """Write the release files of one prompt below the current folder, as promote does."""
    prompt = parse_prompt(text, path="prompts/greet.prompt.yaml", read_partial=PARTIALS.get, root="prompts")
    version = Version(
        id="greet",
        version=number,
        digest=prompt.digest,
        path=prompt.path,
        source=text,
        partials=dict(prompt.partials),
        body=dict(prompt.body),
    )
    release = following(
        previous,
        version=version,
        environment=environment,
        kind="promote" if previous else "first",
        evidence=None,
        reason="",
        by="Ada",
        at="2026-01-05T10:00:00Z",
    )
    folder = Path("prompts/releases/greet")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"v{number}.yaml").write_bytes(canonical(version))
    (folder / f"{environment}.yaml").write_bytes(canonical(release))
    return release


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def work_tree(text: str = TEXT) -> None:
    Path("prompts/partials").mkdir(parents=True, exist_ok=True)
    Path("prompts/greet.prompt.yaml").write_text(text)
    Path("prompts/partials/tone.md").write_text(PARTIALS["prompts/partials/tone.md"])


def test_what_is_live_is_ready_to_be_sent() -> None:
    publish(TEXT + RICH)
    found = promptops.load("greet")
    assert found.version == 1
    assert found.openai(message="hello") == {
        "model": "gpt-4o-mini",
        "temperature": 0,
        "stop": ["no", "1_000"],
        "messages": [
            {"role": "system", "content": "Be kind. Never shout."},
            {"role": "user", "content": "hello"},
        ],
        "response_format": {"type": "json_object"},
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look_up",
                    "description": "Look an order up",
                    "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
                },
            }
        ],
    }
    assert found.metadata == {
        "prompt_id": "greet",
        "prompt_version": "v1",
        "prompt_digest": found.digest,
    }
    assert found.digest.startswith("sha256:")


def test_what_is_not_written_is_not_sent() -> None:
    publish()
    assert promptops.load("greet").openai(message="x").keys() == {"model", "temperature", "stop", "messages"}


def test_a_missing_input_is_named() -> None:
    publish(TEXT + "inputs: {type: object, required: [message], properties: {message: {type: string}}}\n")
    with pytest.raises(InvalidInput, match="greet: missing input: message"):
        promptops.load("greet").openai()


def test_a_missing_input_of_an_undeclared_template_is_an_error_too() -> None:
    publish()
    with pytest.raises(InvalidInput, match="message"):
        promptops.load("greet").messages()


def test_the_environment_is_an_argument_then_a_variable_then_production(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish()
    publish(TEXT.replace("kind", "quick"), number=2, environment="staging")
    assert promptops.load("greet").version == 1
    monkeypatch.setenv("PROMPTOPS_ENV", "staging")
    assert promptops.load("greet").version == 2
    assert promptops.load("greet").environment == "staging"
    assert promptops.load("greet", environment="production").version == 1


def test_a_reload_sees_what_went_live_meanwhile() -> None:
    first = publish()
    assert promptops.load("greet").version == 1
    publish(TEXT.replace("kind", "quick"), number=2, previous=first)
    assert promptops.load("greet").version == 2


def test_the_work_tree_is_read_while_editing(monkeypatch: pytest.MonkeyPatch) -> None:
    publish()
    work_tree(TEXT.replace("kind", "quick"))
    monkeypatch.setenv("PROMPTOPS_ENV", "worktree")
    found = promptops.load("greet")
    assert (found.version, found.environment) == (None, "worktree")
    assert found.messages(message="x")[0]["content"] == "Be quick. Never shout."
    assert found.metadata["prompt_version"] == "worktree"
    assert found.digest != promptops.load("greet", environment="production").digest


def test_the_same_prompt_has_one_digest_live_and_in_the_work_tree() -> None:
    publish()
    work_tree()
    assert promptops.load("greet", environment="worktree").digest == promptops.load("greet").digest


def test_the_work_tree_may_be_elsewhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work_tree()
    (here / "service").mkdir()
    monkeypatch.chdir(here / "service")
    for root in (here / "prompts", Path("../prompts")):
        found = promptops.load("greet", environment="worktree", root=root)
        assert found.messages(message="x")[0]["content"] == "Be kind. Never shout."


def test_a_half_written_neighbour_does_not_keep_a_prompt_from_loading() -> None:
    work_tree()
    Path("prompts/a.prompt.yaml").write_text("model: [")
    Path("prompts/directory.prompt.yaml").mkdir()
    assert promptops.load("greet", environment="worktree").version is None
    Path("prompts/greet.prompt.yaml").write_text("model: [")
    with pytest.raises(InvalidFile, match=r"greet\.prompt\.yaml:2:1"):
        promptops.load("greet", environment="worktree")


def test_what_is_not_there_is_named_with_the_nearest() -> None:
    publish()
    with pytest.raises(NotFound, match="no released prompt called 'gret'; did you mean greet"):
        promptops.load("gret")
    with pytest.raises(NotFound, match="no release called 'greet in staging'"):
        promptops.load("greet", environment="staging")
    with pytest.raises(NotFound, match="no prompt called 'greet'; looked in prompts"):
        promptops.load("greet", environment="worktree")


@pytest.mark.parametrize("name", ["../greet", "greet/../greet", "", "a b", "/etc"])
def test_names_never_become_paths(name: str) -> None:
    publish()
    with pytest.raises(ConfigError):
        promptops.load(name)
    if name:
        with pytest.raises(ConfigError):
            promptops.load("greet", environment=name)


@pytest.mark.parametrize("name", ["production.yaml", "v1.yaml"])
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"[" * 200_000,
        b"a: *b\n",
        b"- 1\n",
        b"digest: x\n",
        b"version: '../../x'\ndigest: x\n",
        b"\x00",
    ],
    ids=["empty", "bytes", "deep", "alias", "list", "short", "path", "nul"],
)
def test_a_damaged_release_file_is_an_integrity_error(name: str, damage: bytes) -> None:
    publish()
    Path("prompts/releases/greet", name).write_bytes(damage)
    with pytest.raises(IntegrityError, match="promptops verify"):
        promptops.load("greet")


def test_a_version_that_is_not_the_one_that_was_released_is_refused() -> None:
    publish()
    publish(TEXT.replace("kind", "quick"), number=1, environment="staging")
    with pytest.raises(IntegrityError, match="the pointer names another v1"):
        promptops.load("greet")


def test_a_body_that_lacks_something_is_refused() -> None:
    publish()
    path = Path("prompts/releases/greet/v1.yaml")
    path.write_text(path.read_text().replace("  inputs:", "  inputz:"))
    with pytest.raises(IntegrityError, match="its body lacks inputs"):
        promptops.load("greet")


def test_loading_and_rendering_imports_yaml_and_jinja2_and_nothing_else() -> None:
    publish(TEXT + RICH)
    code = (
        "import sys; before = set(sys.modules)\n"
        "import promptops\n"
        "promptops.load('greet').openai(message='x')\n"
        "import json; print(json.dumps(sorted({name.split('.')[0] for name in set(sys.modules) - before})))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    names = {name for name in json.loads(done.stdout) if "cython" not in name}  # of PyYAML's C part
    foreign = names - set(sys.stdlib_module_names) - {"promptops"}
    assert {"yaml", "jinja2"} <= foreign
    assert foreign <= {"yaml", "_yaml", "jinja2", "markupsafe"}
