"""Where a command works: the nearest configuration, the folders of prompts, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.config import Config
from promptops.errors import ConfigError, InvalidFile, NotFound, RepoError
from promptops.workspace import Workspace, open_workspace

Git = Callable[..., str]


@pytest.fixture
def top(tmp_path: Path, git: Git) -> Path:
    git("init", "-q", cwd=tmp_path)
    return tmp_path


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_configuration_the_top_is_the_place_and_the_defaults_hold(top: Path) -> None:
    found = open_workspace(top, {})
    assert (found.base, found.roots, found.config) == ("", ("prompts",), Config())
    assert found.state == found.folder / ".promptops"


def test_the_nearest_configuration_upwards_holds(top: Path) -> None:
    write(top / "promptops.yaml", "environments: [staging, production]\n")
    write(top / "teams/one/promptops.yaml", "prompts: [texts, more]\n")
    (top / "teams/one/deep/down").mkdir(parents=True)
    found = open_workspace(top / "teams/one/deep/down", {})
    assert found.base == "teams/one"
    assert found.roots == ("teams/one/texts", "teams/one/more")
    assert open_workspace(top / "teams", {}).config.environments == ["staging", "production"]


def test_a_folder_called_prompts_is_a_place_when_nothing_is_configured(top: Path) -> None:
    (top / "service/prompts/deep").mkdir(parents=True)
    assert open_workspace(top / "service/prompts/deep", {}).base == "service"


def test_a_link_to_the_repository_is_the_repository(
    top: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(top)
    (top / "teams").mkdir()
    write(top / "teams/promptops.yaml", "promptops: 1\n")
    assert open_workspace(link / "teams", {}).base == "teams"


@pytest.mark.parametrize(
    ("written", "roots"),
    [
        ("[./prompts]", ("prompts",)),
        ("[prompts/]", ("prompts",)),
        ("[prompts, ./prompts]", ("prompts",)),
        ("[a//b]", ("a/b",)),
        ("[.]", (".",)),
    ],
)
def test_folders_are_spelled_as_git_does(top: Path, written: str, roots: tuple[str, ...]) -> None:
    write(top / "promptops.yaml", f"prompts: {written}\n")
    assert open_workspace(top, {}).roots == roots


def test_a_prompt_belongs_to_the_folder_that_it_stands_in(top: Path) -> None:
    write(top / "promptops.yaml", "prompts: [prompts, prompts-old]\n")
    found = open_workspace(top, {})
    assert found.root_of("prompts-old/a.prompt.yaml") == "prompts-old"
    assert found.root_of("prompts/a.prompt.yaml") == "prompts"


def test_a_folder_outside_of_the_repository_is_refused(top: Path) -> None:
    for written in ("[../prompts]", "[/etc]"):
        write(top / "promptops.yaml", f"prompts: {written}\n")
        with pytest.raises(InvalidFile, match="leads out of the repository"):
            open_workspace(top, {})


def test_the_environment_is_the_last_one_unless_named(top: Path) -> None:
    write(top / "promptops.yaml", "environments: [staging, production]\n")
    found = open_workspace(top, {})
    assert found.environment(None) == "production"
    assert found.environment("staging") == "staging"
    with pytest.raises(NotFound, match="no environment called 'stage'; did you mean staging"):
        found.environment("stage")


def test_a_configuration_that_cannot_be_read_is_named(top: Path) -> None:
    (top / "promptops.yaml").mkdir()
    with pytest.raises(InvalidFile, match=r"promptops\.yaml: Is a directory"):
        open_workspace(top, {})
    (top / "promptops.yaml").rmdir()
    (top / "promptops.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidFile, match=r"promptops\.yaml.*UTF-8"):
        open_workspace(top, {})


def test_outside_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(RepoError, match="repository"):
        open_workspace(tmp_path, {})


def bare(top: Path, git: Git, text: str) -> Workspace:
    write(top / "promptops.yaml", text)
    git("add", "-A", cwd=top)
    git("commit", "-qm", "a", cwd=top)
    git("clone", "-q", "--bare", str(top), str(top / "bare.git"), cwd=top)
    return open_workspace(top / "bare.git", {})


def test_a_bare_repository_has_its_configuration_in_head(top: Path, git: Git) -> None:
    found = bare(top, git, "environments: [staging, production]\n")
    assert found.config.environments == ["staging", "production"]
    with pytest.raises(ConfigError, match="clone it first"):
        _ = found.top
