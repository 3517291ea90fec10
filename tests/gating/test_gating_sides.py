"""What of the base is written out for a change: all that somebody may look for, and not the thousand other prompts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from promptops.config import parse_config
from promptops.gating.sides import Ends, concern, unneeded
from promptops.gating.world import base_world
from promptops.gitstore.commitrange import CommitRange
from promptops.gitstore.repo import Repo
from promptops.workspace import committed_workspace

PROMPT = "model: openai/x\nmessages:\n  - {role: user, content: 'Hello {{ name }}'}\n"
CONFIG = "prompts: [prompts]\n"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    for name in ("a", "b", "c"):
        write(tmp_path, f"prompts/{name}.prompt.yaml", PROMPT)
        write(tmp_path, f"prompts/{name}.samples.jsonl", "{}\n")
    write(tmp_path, "prompts/tone.md", "Be kind.\n")
    write(tmp_path, "prompts/releases/a/production.yaml", "x\n")
    write(tmp_path, "prompts/releases/a/evidence/1.json", "{}\n")
    write(tmp_path, "code/score.py", "\n")
    commit(tmp_path)
    return tmp_path


def git(top: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=top, check=True, capture_output=True, text=True).stdout.strip()


def write(top: Path, name: str, text: str) -> None:
    (top / name).parent.mkdir(parents=True, exist_ok=True)
    (top / name).write_text(text)


def commit(top: Path) -> str:
    git(top, "add", "-A")
    git(top, "commit", "-qm", "a step", "--allow-empty")
    return git(top, "rev-parse", "HEAD")


def left_out(top: Path, changed: dict[str, str], config: str = CONFIG) -> frozenset[str]:
    base = git(top, "rev-parse", "HEAD")
    for name, text in changed.items():
        write(top, name, text)
    change = CommitRange(base=base, fork=base, head=commit(top))
    repo = Repo.open(top)
    ends = Ends.of(repo, change, ["prompts"])
    found = [concern(repo, change, changed, ends, root="prompts")]
    return unneeded(found, parse_config(config, path="promptops.yaml"), changed)


def test_files_of_a_commit_are_all_but_those_in_the_folders_that_are_left_out(top: Path) -> None:
    repo, head = Repo.open(top), git(top, "rev-parse", "HEAD")
    whole = repo.tree(head, ".")
    kept = {path: one for path, one in whole.items() if not path.startswith("prompts/releases/")}
    assert repo.files(head, without={"prompts/releases"}) == kept
    assert repo.files(head, without=frozenset()) == whole
    assert repo.files(head, without={"prompts/release", "elsewhere"}) == whole


def test_the_head_is_the_base_with_what_differs(top: Path) -> None:
    base = git(top, "rev-parse", "HEAD")
    write(top, "prompts/a.prompt.yaml", f"{PROMPT}# more\n")
    write(top, "prompts/ä ö.md", "new\n")
    (top / "prompts/b.prompt.yaml").unlink()
    (top / "prompts/c.prompt.yaml").unlink()
    (top / "prompts/c.prompt.yaml").symlink_to("a.prompt.yaml")
    write(top, "prompts/releases/a/v2.yaml", "x\n")
    head, repo = commit(top), Repo.open(top)
    ends = Ends.of(repo, CommitRange(base=base, fork=base, head=head), ["prompts"])
    assert ends.head == repo.files(head, without={"prompts/releases"})
    assert ends.base == repo.files(base, without={"prompts/releases"})


def test_other_prompts_and_their_samples_are_left_out(top: Path) -> None:
    others = {f"prompts/{name}.prompt.yaml" for name in "abc"}
    said = left_out(top, {"prompts/a.prompt.yaml": f"{PROMPT}# more\n"})
    assert said & {path for path in said if path.endswith(".yaml")} == others
    assert {"prompts/b.samples.jsonl", "prompts/c.samples.jsonl"} <= said
    assert "prompts/a.samples.jsonl" not in said
    assert "prompts/tone.md" not in said


def test_samples_that_a_pattern_may_mean_are_kept(top: Path) -> None:
    write(top, "prompts/a.prompt.yaml", f'{PROMPT}samples: ["[ab].samples.*"]\n')
    commit(top)
    said = left_out(top, {"prompts/a.prompt.yaml": f'{PROMPT}samples: ["[ab].samples.*"]\n# more\n'})
    assert {"prompts/a.samples.jsonl", "prompts/b.samples.jsonl"}.isdisjoint(said)
    assert "prompts/c.samples.jsonl" in said


def test_samples_that_the_change_touches_are_kept(top: Path) -> None:
    said = left_out(
        top, {"prompts/a.prompt.yaml": f"{PROMPT}# more\n", "prompts/b.samples.jsonl": "{}\n{}\n"}
    )
    assert "prompts/b.samples.jsonl" not in said


def test_all_samples_are_kept_for_a_prompt_that_the_base_has_not_got(top: Path) -> None:
    said = left_out(top, {"prompts/d.prompt.yaml": PROMPT})
    assert not [path for path in said if ".samples." in path]


@pytest.mark.parametrize("where", ["scorer", "provider", "command"])
def test_nothing_is_left_out_where_code_of_the_base_could_read_it(top: Path, where: str) -> None:
    prompt, config = PROMPT, CONFIG
    if where == "scorer":
        prompt = f'{PROMPT}scorers:\n  own: {{python: "code.score:score"}}\n'
    else:
        words = 'python, target: "code.score:answer"' if where == "provider" else "command, command: [cat]"
        config = f"{CONFIG}providers:\n  own: {{kind: {words}}}\n"
    write(top, "prompts/a.prompt.yaml", prompt)
    commit(top)
    assert left_out(top, {"prompts/a.prompt.yaml": f"{prompt}# more\n"}, config) == frozenset()


def test_the_base_is_where_it_was_also_with_no_file_in_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, "service/prompts/a.prompt.yaml", PROMPT)
    base = commit(tmp_path)
    here = committed_workspace(Repo.open(tmp_path), base, tmp_path / "service", {})
    with base_world(here, CommitRange(base=base, fork=base, head=base), {}, here.state) as world:
        assert (world.base, world.roots, world.repo.head()) == ("service", here.roots, base)
        assert world.state.resolve() == here.state.resolve()
