"""Which files a prompt's samples are in, and which part of them is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from promptops.errors import ConfigError, InvalidFile, NothingToDo
from promptops.importers.find import find_samples, read_files
from promptops.importers.select import select
from promptops.samples import Sample

PROMPT = "prompts/triage.prompt.yaml"


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    root = tmp_path / "repo"
    root.mkdir()

    def create(*names: str) -> Path:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"inputs": {"a": 1}}\n' if name.endswith("jsonl") else "a\n1\n")
        return root

    return create


def names(paths: list[Path], root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


@pytest.mark.parametrize(
    ("there", "patterns", "found"),
    [
        (["prompts/triage.samples.jsonl"], None, ["prompts/triage.samples.jsonl"]),
        (["prompts/triage.samples.csv"], None, ["prompts/triage.samples.csv"]),
        (
            ["prompts/triage.samples.csv", "prompts/triage.samples.jsonl", "prompts/other.samples.jsonl"],
            None,
            ["prompts/triage.samples.csv", "prompts/triage.samples.jsonl"],
        ),
        (["logs/triage-2.jsonl", "logs/triage-1.jsonl", "logs/x.jsonl"], ["../logs/triage-*.jsonl"],
         ["logs/triage-1.jsonl", "logs/triage-2.jsonl"]),
        (["prompts/a.jsonl"], ["a.jsonl", "*.jsonl"], ["prompts/a.jsonl"]),
        (["prompts/deep/er/a.csv"], ["**/*.csv"], ["prompts/deep/er/a.csv"]),
        (["prompts/a[1].jsonl"], ["a[[]1].jsonl"], ["prompts/a[1].jsonl"]),
    ],
)  # fmt: skip
def test_samples_are_beside_the_prompt_or_where_it_says(
    files: Callable[..., Path], there: list[str], patterns: list[str] | None, found: list[str]
) -> None:
    root = files(*there)
    assert names(find_samples(patterns, prompt_path=PROMPT, root=root), root) == found


def test_the_id_counts_before_the_name_of_the_file(files: Callable[..., Path]) -> None:
    root = files("prompts/support.samples.jsonl")
    found = find_samples(None, prompt_path=root / PROMPT, root=root, prompt_id="support")
    assert names(found, root) == ["prompts/support.samples.jsonl"]


def test_a_folder_with_glob_characters_is_a_folder(files: Callable[..., Path]) -> None:
    root = files("p[a]/x.jsonl", "pa/x.jsonl")
    found = find_samples(["*.jsonl"], prompt_path="p[a]/x.prompt.yaml", root=root)
    assert names(found, root) == ["p[a]/x.jsonl"]


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (None, "no samples: write prompts/triage.samples.jsonl, one line"),
        (["gone-*.jsonl"], "nothing matches 'gone-*.jsonl' beside the prompt file; there is here.jsonl"),
        (["here.jsonl", "gone.jsonl"], "nothing matches 'gone.jsonl'"),
        (["../nowhere/*.jsonl"], "there is no folder nowhere"),
        (["sub"], "nothing matches 'sub'"),
    ],
)
def test_nothing_there_is_said_with_what_is(
    files: Callable[..., Path], patterns: list[str] | None, said: str
) -> None:
    root = files("prompts/here.jsonl", "prompts/sub/x.txt")
    with pytest.raises(NothingToDo) as caught:
        find_samples(patterns, prompt_path=PROMPT, root=root)
    assert said in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("../../outside/*.jsonl", "leads out of the repository"),
        ("../../repo/../outside/*.jsonl", "leads out of the repository"),
        ("/etc/*.jsonl", "leads out of the repository"),
        ("link.jsonl", "follows a link out of the repository (link.jsonl)"),
        ("linked/*.jsonl", "follows a link out of the repository (secret.jsonl)"),
        ("**/*.jsonl", "follows a link out of the repository"),
        ("notes.txt", "notes.txt is not a file of samples; they end in .jsonl"),
    ],
)
def test_nothing_outside_the_repository_is_read(
    files: Callable[..., Path], tmp_path: Path, pattern: str, said: str
) -> None:
    root = files("prompts/notes.txt")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jsonl").write_text('{"inputs":{}}\n')
    (root / "prompts/link.jsonl").symlink_to(outside / "secret.jsonl")
    (root / "prompts/linked").symlink_to(outside)
    with pytest.raises(ConfigError) as caught:
        find_samples([pattern], prompt_path=PROMPT, root=root)
    assert said in str(caught.value)


def test_a_conventional_file_that_is_a_link_to_elsewhere_is_refused(
    files: Callable[..., Path], tmp_path: Path
) -> None:
    root = files("prompts/x.txt")
    (tmp_path / "s.jsonl").write_text('{"inputs":{}}\n')
    (root / "prompts/triage.samples.jsonl").symlink_to(tmp_path / "s.jsonl")
    with pytest.raises(ConfigError, match="out of the repository"):
        find_samples(None, prompt_path=PROMPT, root=root)


def test_a_prompt_outside_the_repository_is_refused(files: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="not in the repository"):
        find_samples(None, prompt_path="../x.prompt.yaml", root=files())


def test_several_files_are_one_set(files: Callable[..., Path]) -> None:
    root = files("a.jsonl", "b.jsonl", "c.csv")
    found = list(read_files([root / "a.jsonl", root / "b.jsonl", root / "c.csv"], root=root))
    assert [sample.inputs for sample in found] == [{"a": 1}, {"a": 1}, {"a": "1"}]
    assert len({sample.sample_id for sample in found}) == 3


def test_a_repository_behind_a_link_is_the_same_repository(
    files: Callable[..., Path], tmp_path: Path
) -> None:
    root = files("prompts/triage.samples.jsonl")
    (root / "prompts/triage.samples.jsonl").write_text("x\n")
    link = tmp_path / "link"
    link.symlink_to(root)
    for prompt in (PROMPT, link / PROMPT, root / PROMPT):
        found = find_samples(None, prompt_path=prompt, root=link)
        with pytest.raises(InvalidFile, match=r"^prompts/triage\.samples\.jsonl:1:1: not JSON"):
            list(read_files(found, root=link))


def test_an_id_written_in_two_files_names_both(files: Callable[..., Path]) -> None:
    root = files()
    for name in ("a.jsonl", "b.jsonl"):
        (root / name).write_text('\n{"sample_id": "s", "inputs": {}}\n')
    with pytest.raises(InvalidFile) as caught:
        list(read_files([root / "a.jsonl", root / "b.jsonl"], root=root))
    assert str(caught.value) == "b.jsonl:2:1: sample_id 's' is already at a.jsonl:2"


SAMPLES = [
    Sample(inputs={}, sample_id="smp_0be1aaaa", slices={"language": "de", "vip": True}, tags=["new"]),
    Sample(inputs={}, sample_id="smp_0be2bbbb", slices={"language": "fr", "n": 1}),
    Sample(inputs={}, sample_id="mine", slices={"language": "de"}),
]


@pytest.mark.parametrize(
    ("ids", "where", "found"),
    [
        ([], [], [0, 1, 2]),
        (["mine"], [], [2]),
        (["smp_0be1"], [], [0]),
        (["smp_0be1aaaa", "mine"], [], [0, 2]),
        ([], ["language=de"], [0, 2]),
        ([], ["language=de", "language=fr"], [0, 1, 2]),
        ([], ["language=de", "vip=true"], [0]),
        ([], ["n=1"], [1]),
        ([], [" new "], [0]),
        (["mine"], ["language=de"], [2]),
    ],
)
def test_a_part_of_the_samples_is_selected(ids: list[str], where: list[str], found: list[int]) -> None:
    assert list(select(SAMPLES, ids=ids, where=where)) == [SAMPLES[index] for index in found]


@pytest.mark.parametrize(
    ("ids", "where", "said"),
    [
        (["mime"], [], "no sample 'mime' among 3; did you mean mine?"),
        (["smp_0be"], [], "no sample 'smp_0be' among 3"),
        (["mine", "gone"], [], "no sample 'gone' among 3"),
        ([], ["language=ed"], "none of 3 samples fits language=ed; did you mean language=de?"),
        ([], ["language=fr", "new"], "none of 3 samples fits language=fr new"),
        (["mine"], ["language=fr"], "none of 3 samples fits mine language=fr"),
    ],
)
def test_a_filter_that_matches_nothing_is_said(ids: list[str], where: list[str], said: str) -> None:
    with pytest.raises(NothingToDo) as caught:
        list(select(SAMPLES, ids=ids, where=where))
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "=de", "language="])
def test_a_filter_is_a_slice_or_a_tag(text: str) -> None:
    with pytest.raises(ConfigError, match="neither NAME=VALUE nor a tag"):
        list(select(SAMPLES, where=[text]))
