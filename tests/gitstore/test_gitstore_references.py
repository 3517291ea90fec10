"""Every form of reference, in every kind of repository, means what formats.md says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from gitstore_help import copy_of, freeze, release, write

from promptops.errors import IntegrityError, InvalidFile, InvalidInput, NotFound, PromptopsError, RepoError
from promptops.gitstore.references import known_ids, resolve, thaw
from promptops.gitstore.repo import Repo
from promptops.gitstore.trees import prompts
from promptops.records import body_digest

PLACES = ["work tree", "bare", "depth-1 clone", "linked work tree", "detached HEAD"]


def text(words: str, model: str = "openai/gpt-4o-mini", head: str = "") -> str:
    return f'{head}model: {model}\nmessages:\n  - {{role: user, content: "{words} {{{{ name }}}}"}}\n'


@pytest.fixture
def story(work, git, kept_repositories):
    """greet: One is v1, Two is v2 and live, Three is committed, Four is being edited."""

    def build(top: Path) -> None:
        shutil.copytree(work, top)
        for number, words in enumerate(["One", "Two"], 1):
            write(top, "prompts/greet.prompt.yaml", text(words))
            git("commit", "-q", "-a", "-m", words, cwd=top)
            release(top, freeze(top, number))
        write(top, "prompts/greet.prompt.yaml", text("Three"))
        git("commit", "-q", "-a", "-m", "Three", cwd=top)
        git("tag", "old", "HEAD~1", cwd=top)
        write(top, "prompts/greet.prompt.yaml", text("Four"))

    return copy_of(kept_repositories, "story", build, work)


def place(kind: str, story: Path, tmp_path: Path, git) -> Repo:
    if kind == "bare":
        git("clone", "-q", "--bare", str(story), "bare.git", cwd=tmp_path)
        return Repo.open(tmp_path / "bare.git")
    if kind == "depth-1 clone":
        git("clone", "-q", "--depth", "1", f"file://{story}", "shallow", cwd=tmp_path)
        return Repo.open(tmp_path / "shallow")
    if kind == "linked work tree":
        git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"), cwd=story)
        return Repo.open(tmp_path / "linked")
    if kind == "detached HEAD":
        git("checkout", "-q", "--detach", cwd=story)
    return Repo.open(story)


@pytest.mark.parametrize("kind", PLACES)
def test_every_reference_in_every_kind_of_repository(kind, story, tmp_path, git):
    repo = place(kind, story, tmp_path, git)
    edited = kind in ("work tree", "detached HEAD")
    one = resolve(repo, "greet@v1").prompt.digest
    commit = git("rev-parse", "HEAD", cwd=story)
    plain = ("git", "Three", None) if kind == "bare" else ("worktree", "Four" if edited else "Three", None)
    expected = {
        "greet": plain,
        "greet@production": ("environment", "Two", 2),
        "greet@v1": ("version", "One", 1),
        "greet@v2": ("version", "Two", 2),
        "greet@HEAD": ("git", "Three", None),
        "greet@main": ("git", "Three", None),
        "greet@git:main": ("git", "Three", None),
        f"greet@{commit}": ("git", "Three", None),
        f"greet@{commit[:7]}": ("git", "Three", None),
        f"greet@{one}": ("digest", "One", 1),
        f"greet@{one[:19]}": ("digest", "One", 1),
        "greet@HEAD~1": ("git", "Two", 2),
        "greet@HEAD~3": ("git", "One", 1),
        "greet@old": ("git", "Two", 2),
    }
    for reference, (what, words, number) in expected.items():
        if kind == "depth-1 clone" and ("~" in reference or reference.endswith("old")):
            with pytest.raises(NotFound):
                resolve(repo, reference)
            continue
        found = resolve(repo, reference)
        content = found.prompt.spec.messages[0].content
        assert (found.kind, content.split()[0], found.version) == (what, words, number), reference
        assert body_digest(found.prompt.body) == found.prompt.digest
        assert found.warnings == ()


def test_an_environment_carries_its_release_and_its_label(story):
    found = resolve(Repo.open(story), "greet@production")
    assert (found.label, found.environment, found.release.sequence) == ("production v2", "production", 2)
    assert resolve(Repo.open(story), "greet").label == "work tree"
    assert resolve(Repo.open(story), "greet@old").label.startswith("old (")


def test_the_release_branch_decides_and_not_what_is_checked_out(story, git):
    git("checkout", "-q", "-b", "side", "HEAD~2", "-f", cwd=story)
    assert resolve(Repo.open(story), "greet@production").version == 1
    assert resolve(Repo.open(story), "greet@production", release_ref="main").version == 2
    assert resolve(Repo.open(story), "greet@v2", release_ref="main").version == 2


@pytest.mark.parametrize(("name", "kind"), [("production", "environment"), ("v1", "version")])
def test_a_name_that_is_two_things_warns_and_git_can_be_forced(story, git, name, kind):
    git("branch", name, cwd=story)
    found = resolve(Repo.open(story), f"greet@{name}")
    assert found.kind == kind
    assert f"greet@git:{name}" in found.warnings[0]
    assert resolve(Repo.open(story), f"greet@git:{name}").kind == "git"


def test_a_tag_called_like_a_version_that_does_not_exist_is_the_tag(story, git):
    git("tag", "v9", cwd=story)
    assert resolve(Repo.open(story), "greet@v9").kind == "git"


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("gret", "did you mean greet"),
        ("gret@production", "did you mean greet"),
        ("gret@v1", "did you mean greet"),
        ("greet@prodction", "did you mean production"),
        ("greet@mian", "did you mean main"),
        ("greet@v3", "there is v1, v2"),
        ("greet@staging", "never released there"),
        ("greet@", "called ''"),
        ("greet@sha256:00000000", "no released version"),
        ("greet@HEAD~99", "no environment, version or git name"),
        ("greet@-x", "no environment"),
        ("greet@--all", "no environment"),
        ("greet@HEAD:app.py", "no environment"),
        ("greet@a..b", "no environment"),
        ("greet@a\nb", "no environment"),
        ("greet@a\0b", "no environment"),
    ],
)
def test_what_is_unknown_is_said_with_the_nearest_name(story, reference, words):
    with pytest.raises(NotFound, match=words):
        resolve(Repo.open(story), reference, environments=("staging", "production"))


def test_a_digest_too_short_is_refused(story):
    with pytest.raises(InvalidInput, match="8 hex digits"):
        resolve(Repo.open(story), "greet@sha256:12")


def test_a_file_may_be_named_by_its_path(story):
    assert resolve(Repo.open(story), "prompts/greet.prompt.yaml").id == "greet"
    assert resolve(Repo.open(story), "prompts/greet.prompt.yaml@v1").version == 1
    with pytest.raises(InvalidFile, match="is no prompt file"):
        resolve(Repo.open(story), "../greet.prompt.yaml")


def test_a_changed_frozen_version_is_never_believed(story, git):
    path = story / "prompts/releases/greet/v1.yaml"
    path.write_bytes(path.read_bytes().replace(b"One", b"Ona"))
    git("add", str(path), cwd=story)
    git("commit", "-q", "-m", "Spoil", cwd=story)
    with pytest.raises(IntegrityError):
        resolve(Repo.open(story), "greet@v1")


def test_a_prompt_without_releases_or_commits_can_be_read(tmp_path, git):
    git("init", "-q", "fresh", cwd=tmp_path)
    write(tmp_path / "fresh", "prompts/a.prompt.yaml", text("New"))
    found = resolve(Repo.open(tmp_path / "fresh"), "a")
    assert (found.kind, found.version) == ("worktree", None)
    with pytest.raises(NotFound):
        resolve(Repo.open(tmp_path / "fresh"), "a@production")


def test_a_broken_prompt_is_its_own_problem_and_no_others(story):
    write(story, "prompts/bad.prompt.yaml", "model: [\n")
    write(story, "prompts/worse.prompt.yaml", b"\xff\xfe\x00")
    (story / "prompts/out.prompt.yaml").symlink_to("/etc/passwd")
    assert resolve(Repo.open(story), "greet").id == "greet"
    for name in ("bad", "worse", "out"):
        with pytest.raises(InvalidFile):
            resolve(Repo.open(story), name)
    found = prompts(Repo.open(story))
    assert [prompt.id for prompt in found.prompts] == ["greet"]
    assert {problem.path.split("/")[1].split(".")[0] for problem in found.problems} == {"bad", "worse", "out"}
    assert "leaves the repository" in next(str(one) for one in found.problems if "out." in one.path)


def test_two_files_with_one_id_are_both_refused(story):
    write(story, "prompts/other.prompt.yaml", text("Other", head="id: greet\n"))
    with pytest.raises(InvalidFile, match="is also that of"):
        resolve(Repo.open(story), "greet")


def test_the_id_in_the_file_counts_and_not_its_name(story):
    write(story, "prompts/deep/er/x.prompt.yml", text("Deep", head="id: named\n"))
    assert resolve(Repo.open(story), "named").prompt.path == "prompts/deep/er/x.prompt.yml"
    assert known_ids(Repo.open(story), None) == ["named", "greet"]
    with pytest.raises(NotFound):
        resolve(Repo.open(story), "x")


def test_hidden_folders_and_releases_hold_no_prompts(story):
    for folder in (".cache", "releases/greet", "node_modules/x"):
        write(story, f"prompts/{folder}/h.prompt.yaml", text("Hidden"))
    assert [prompt.id for prompt in prompts(Repo.open(story)).prompts] == ["greet"]


PARTIAL = "model: openai/gpt-4o-mini\nmessages:\n  - {role: user, content: \"{% include 'NAME' %}\"}\n"


@pytest.mark.parametrize("name", ["tone.md", "../shared/tone.md", "parts/tone.md"])
def test_partials_give_the_same_digest_from_work_tree_commit_and_frozen_version(story, git, name):
    write(story, f"prompts/{name}", "Be kind.\n\n")
    write(story, "prompts/p.prompt.yaml", PARTIAL.replace("NAME", name))
    git("add", ".", cwd=story)
    git("commit", "-q", "-m", "Partial", cwd=story)
    repo = Repo.open(story)
    digests = {resolve(repo, reference).prompt.digest for reference in ("p", "p@HEAD")}
    version = freeze(story, 1, "p")
    release(story, version)
    prompt, warnings = thaw(version)
    assert digests | {prompt.digest, resolve(repo, "p@production").prompt.digest} == {version.digest}
    assert warnings == ()


def test_a_symbolic_link_inside_the_repository_reads_the_same_everywhere(story, git):
    write(story, "shared/tone.md", "Be kind.\n")
    (story / "prompts/tone.md").symlink_to("../shared/tone.md")
    write(story, "prompts/p.prompt.yaml", PARTIAL.replace("NAME", "tone.md"))
    git("add", ".", cwd=story)
    git("commit", "-q", "-m", "Link", cwd=story)
    here, there = (resolve(Repo.open(story), reference).prompt for reference in ("p", "p@HEAD"))
    assert here.digest == there.digest
    assert here.partials == {"tone.md": "Be kind."}


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret.md"])
def test_a_partial_that_links_out_of_the_repository_is_refused_everywhere(story, git, target):
    write(story.parent, "secret.md", "secret")
    (story / "prompts/tone.md").symlink_to(target)
    write(story, "prompts/p.prompt.yaml", PARTIAL.replace("NAME", "tone.md"))
    git("add", ".", cwd=story)
    git("commit", "-q", "-m", "Link", cwd=story)
    for reference in ("p", "p@HEAD"):
        with pytest.raises(PromptopsError, match="leaves the repository"):
            resolve(Repo.open(story), reference)


def test_a_crlf_checkout_and_another_unicode_form_keep_the_digest(story, git):
    write(story, "prompts/greet.prompt.yaml", text("Grüße\\nan"))
    git("commit", "-q", "-a", "-m", "Umlauts", cwd=story)
    digest = resolve(Repo.open(story), "greet@HEAD").prompt.digest
    git("config", "core.autocrlf", "true", cwd=story)
    (story / "prompts/greet.prompt.yaml").unlink()
    git("checkout", "-q", ".", cwd=story)
    assert b"\r\n" in (story / "prompts/greet.prompt.yaml").read_bytes()
    assert resolve(Repo.open(story), "greet").prompt.digest == digest
    write(story, "prompts/greet.prompt.yaml", text("Gru\u0308ße\\nan"))
    assert resolve(Repo.open(story), "greet").prompt.digest == digest


def test_a_version_that_todays_parser_cannot_read_is_used_by_its_body(story):
    version = freeze(story, 7).model_copy(update={"source": "of: another time\n"})
    prompt, warnings = thaw(version)
    assert prompt.digest == version.digest
    assert prompt.spec.messages[0].content == "Four {{ name }}"
    assert "frozen by another promptops" in warnings[0]


def test_a_root_of_its_own_and_the_top_of_the_repository_can_hold_prompts(story):
    write(story, "services/bot/prompts/b.prompt.yaml", text("Bot"))
    write(story, "top.prompt.yaml", text("Top"))
    repo = Repo.open(story)
    assert resolve(repo, "b", root="services/bot/prompts").id == "b"
    assert [prompt.id for prompt in prompts(repo, root=".").prompts] == ["b", "greet", "top"]


def test_a_submodule_is_a_repository_of_its_own(story, git, tmp_path):
    git("init", "-q", "outer", cwd=tmp_path)
    git("submodule", "--quiet", "add", f"file://{story}", "inner", cwd=tmp_path / "outer")
    git("commit", "-q", "-m", "Submodule", cwd=tmp_path / "outer")
    repo = Repo.open(tmp_path / "outer/inner/prompts")
    assert repo.work_tree == tmp_path / "outer/inner"
    assert resolve(repo, "greet@production").version == 2
    assert prompts(Repo.open(tmp_path / "outer"), root=".").prompts[0].id == "greet"


def test_a_name_git_does_not_know_is_a_repo_error_for_whole_trees(story):
    with pytest.raises(RepoError, match="no commit called"):
        prompts(Repo.open(story), "no-such")
