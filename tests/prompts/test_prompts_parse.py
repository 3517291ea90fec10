from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prompt_texts import FULL, GITHUB, SMALL, TONE, complaints, read

from promptops.errors import InvalidFile
from promptops.prompts.parse import check_id, is_prompt_path, parse_prompt
from promptops.prompts.paths import places
from promptops.risks import Approval, Risk


def test_the_smallest_prompt_is_whole():
    prompt = read(SMALL)
    assert (prompt.id, prompt.dialect, prompt.partials, prompt.rows) == ("a", "native", {}, ())
    assert prompt.spec.messages[1].content == "{{ message }}"
    assert prompt.digest.startswith("sha256:")


def test_everything_of_the_documentation_is_read():
    prompt = read(FULL)
    assert prompt.id == "support-triage"
    assert prompt.partials == {"partials/tone.md": "Be kind."}
    assert (prompt.spec.tools[0].risk, prompt.spec.tools[0].approval) == (
        Risk.IRREVERSIBLE,
        Approval.REQUIRED,
    )
    assert prompt.spec.scorers is not None
    assert [spec.kind for spec in prompt.spec.scorers.values()] == [
        "equals",
        "json_schema",
        "judge",
        "tool_calls",
        "length",
    ]
    assert prompt.spec.limits["latency"].max_rise == 0.2
    assert prompt.source == FULL


def test_text_places_keep_what_was_written():
    prompt = read(
        SMALL.replace(
            "openai/gpt-4o-mini", "openai/gpt-4o-mini\ndescription: 1.10\nowners: [no, on, 2024-01-01]"
        )
    )
    assert prompt.spec.description == "1.10"
    assert prompt.spec.owners == ["no", "on", "2024-01-01"]


CASES = (Path(__file__).parent / "problems.txt").read_text(encoding="utf-8").split("=====\n")


@pytest.mark.parametrize("case", CASES)
def test_every_mistake_is_named_at_its_place(case: str):
    text, _, expected = case.partition("-----\n")
    assert complaints(text) == expected.splitlines()


def test_all_mistakes_of_a_file_are_shown_at_once():
    text = (
        "modle: openai/x\nmessages:\n  - {role: user, content: '{{ x'}\nscorers: {a: {}}\nlimits: {b: {}}\n"
    )
    assert [line.split(": ")[0] for line in complaints(text)] == ["1:1", "1:1", "3:28", "4:11", "5:10"]


# ids and paths


@pytest.mark.parametrize(
    "path", ["prompts/Support.prompt.yaml", "nul.prompt.yml", "com1.prompt.yaml", "a b.prompt.yaml"]
)
def test_a_file_name_that_gives_no_id_asks_for_one(path: str):
    (line,) = complaints(SMALL, path=path)
    assert line.startswith(f"{path}:1:1: the file's name gives no id")
    assert line.endswith("rename the file or write id: in it")
    assert read("id: fine\n" + SMALL, path=path).id == "fine"


def test_ids_and_prompt_files_are_known_by_their_names():
    assert [check_id(name) for name in ("a", "support-triage", "3-words")] == ["", "", ""]
    assert all(check_id(name) for name in ("", "A", "-a", "a_b", "con", "lpt9", "a\n", "x" * 101, "a/b"))
    assert is_prompt_path("x/a.prompt.yaml")
    assert is_prompt_path("a.prompt.yml")
    assert not any(map(is_prompt_path, ("a.yaml", ".prompt.yaml", "a.prompt.yaml/b", "a.prompt.json")))


# partials


def including(name: str) -> str:
    head = "model: openai/x\nmessages:\n  - role: user\n    content: |\n      one\n"
    return f"{head}      {{% include '{name}' %}}\n"


def test_a_partial_is_looked_for_beside_the_file_then_under_the_root():
    files = {"prompts/team/x.md": "beside", "prompts/x.md": "root", "shared/tone.md": "shared"}
    path = "prompts/team/a.prompt.yaml"
    assert read(including("x.md"), path=path, files=files).partials == {"x.md": "beside"}
    assert read(including("../x.md"), path=path, files=files).partials == {"../x.md": "root"}
    assert (
        read(including("../../shared/tone.md"), path=path, files=files).partials["../../shared/tone.md"]
        == "shared"
    )
    del files["prompts/team/x.md"]
    assert read(including("x.md"), path=path, files=files).partials == {"x.md": "root"}


def test_partials_of_partials_are_all_there_and_their_last_newline_is_not():
    files = {"prompts/a.md": "A {% include 'b.md' %}\n\n", "prompts/b.md": "B\r\n"}
    assert read(including("a.md"), files=files).partials == {"a.md": "A {% include 'b.md' %}\n", "b.md": "B"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../../secret.md", "is outside of the repository"),
        ("../../../../etc/passwd", "is outside of the repository"),
        ("../.git/config", "is outside of the repository"),
        ("x/../../../.GIT/config", "is outside of the repository"),
        ("/etc/passwd", "is named relative to the prompt file"),
        ("~/x.md", "is named relative to the prompt file"),
        ("C:/x.md", "is named relative to the prompt file"),
        ("file:///etc/passwd", "is named relative to the prompt file"),
        ("a\\\\b.md", "write forward slashes"),
        ("..\\\\..\\\\x.md", "write forward slashes"),
        ("", "needs the name of a file"),
        ("gone.md", "not found; looked for prompts/gone.md"),
    ],
)
def test_a_partial_outside_of_the_repository_is_never_read(name: str, words: str):
    asked = []

    def read_partial(place: str) -> str | None:
        asked.append(place)
        return None

    with pytest.raises(InvalidFile) as caught:
        parse_prompt(including(name), path="prompts/a.prompt.yaml", read_partial=read_partial, root="prompts")
    (problem,) = caught.value.problems
    assert (problem.path, problem.line, problem.column) == ("prompts/a.prompt.yaml", 6, 7)
    assert words in problem.message
    assert all(
        ".." not in place and ".git" not in place.lower() and not place.startswith("/") for place in asked
    )


def test_partials_that_include_one_another_are_a_problem_where_they_do():
    files = {"prompts/a.md": "\n{% include 'b.md' %}", "prompts/b.md": "{% include 'a.md' %}"}
    assert complaints(including("a.md"), files=files) == [
        "prompts/b.md:1:1: partials include one another: a.md → b.md → a.md"
    ]


def test_mistakes_in_partials_are_named_in_the_partial():
    files = {"prompts/a.md": "x\n{{ y"}
    (line,) = complaints(including("a.md"), files=files)
    assert line.startswith("prompts/a.md:2:1: ")
    (line,) = complaints(including("a.md"), files={"prompts/a.md": "x\n{{ y|nosuch }}"})
    assert line == "prompts/a.md:2:1: No filter named 'nosuch'."
    (line,) = complaints("model: openai/x\nmessages: [{role: user, content: '{% include x %}'}]\n")
    assert line.endswith("name one partial in quotes, so that it is known what is sent")


def test_places_are_inside_the_repository():
    assert places("x.md", path="a.prompt.yaml", root=".") == ("x.md",)
    assert places("../x.md", path="p/t/a.prompt.yaml", root="p") == ("p/x.md", "x.md")
    with pytest.raises(ValueError, match="outside of the repository"):
        places("../x.md", path="a.prompt.yaml", root=".")


def test_simple_templates_include_nothing():
    text = including("../../secret.md").replace("model:", "template: simple\nmodel:")
    assert read(text, files={}).partials == {}


# keys and sizes


KEYS = {
    "OpenAI": "sk-" + "proj-" + "aB3" * 12,
    "Anthropic": "sk-" + "ant-" + "aB3" * 12,
    "AWS": "AKIA" + "ABCDEFGH12345678",
    "GitHub": "ghp_" + "aB3" * 12,
    "Slack": "xox" + "b-" + "123456789012-abcdef",
    "Google": "AIza" + "aB3" * 12,
    "private": "-----BEGIN RSA " + "PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_literal_key_is_a_problem_that_does_not_print_it(kind: str):
    key = KEYS[kind]
    for text in (
        SMALL.replace("Answer", key),
        SMALL + f"# {key}\n",
        SMALL + f"description: {key}\nunknown: 1\n",
        SMALL + f"parameters: {{api_key: '{key}'}}\n",
        SMALL + f"'{key}': 1\n",
        SMALL + f"template: '{key}'\n",
        SMALL + f"response_format: {{type: '{key}'}}\n",
        f"a: [\n# {key}\n",
    ):
        lines = complaints(text)
        assert any("this looks like a" in line for line in lines), lines
        assert key not in "".join(lines)
        assert key[6:] not in "".join(lines)
    (line,) = complaints(including("a.md"), files={"prompts/a.md": f"\nx {key}"})
    assert line.startswith("prompts/a.md:2:3: this looks like a")
    assert key not in line


def test_a_prompt_of_more_than_a_megabyte_is_not_read():
    assert complaints(SMALL + "#" * 1_100_000) == [
        f" {len(SMALL) + 1_100_000:,} bytes; at most 1,048,576 are read"
    ]


def test_both_dialects_in_one_file_are_a_problem_with_the_lines():
    (line,) = complaints(GITHUB + "scorers: {}\n")
    assert line == (
        "25:1: two kinds of keys in one file: modelParameters (line 4), testData (line 16), evaluators (line "
        "21) of GitHub's format and scorers (line 25) of promptops; keep one kind"
    )


# what must never happen


def mutated(text: str, chance: random.Random) -> str:
    pieces = [
        ": ",
        "- ",
        "\n",
        "  ",
        "{{",
        "}}",
        "{% include '../x' %}",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "&a ",
        "*a",
        "null",
    ]
    pieces += [
        "!t",
        "<<",
        "|",
        ">",
        "#",
        "é",
        "\t",
        "1e999",
        "\x07",
        "~",
        "---",
        "?",
        "$ref",
        "type",
        "object",
        "\\",
        "%",
    ]
    lines = text.split("\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        action = chance.randrange(5)
        if action == 0:
            text = text[:at] + chance.choice(pieces) + text[at:]
        elif action == 1:
            text = text[:at] + text[at + chance.randint(1, 20) :]
        elif action == 2:
            text = text.replace(*(chance.choice(text.split() or ["x"]) for _ in range(2)), 1)
        elif action == 3:
            chance.shuffle(lines)
            text = "\n".join(lines[: chance.randint(1, len(lines))]) if chance.random() < 0.2 else text
        else:
            text = text[:at] + text[at : at + 30] * 2 + text[at + 30 :]
    return text


@pytest.mark.parametrize("seed", range(8))
def test_a_mutated_prompt_is_read_or_has_problems(seed: int):
    chance, lines = random.Random(seed), list[str]()
    for _ in range(60):
        text = mutated(chance.choice([SMALL, FULL, GITHUB]), chance)
        try:
            read(text)
        except InvalidFile as error:
            lines += str(error).splitlines()
    assert all(re.match(r"prompts/a\.prompt\.yaml(:\d+:\d+)?: .", line) for line in lines)


def test_a_key_written_twice_does_not_hide_the_other_problems():
    with pytest.raises(InvalidFile) as caught:
        read("modle: a/b\nmessages: [{role: system, content: x}]\nmessages: []\n")
    said = [problem.message for problem in caught.value.problems]
    assert any("messages: written twice, first in line 2" in message for message in said)
    assert any("modle: unknown key; did you mean model?" in message for message in said)


def test_reading_a_prompt_loads_neither_numbers_nor_network():
    code = f"""
import sys
from promptops.prompts.parse import parse_prompt
where = dict(path="a.prompt.yaml", read_partial=lambda _: None, root=".")
parse_prompt({SMALL!r}, **where)
late = [name for name in ("jinja2", "jsonschema", "scipy", "numpy", "httpx", "git") if name in sys.modules]
parse_prompt({SMALL.replace("{{ message }}", "{{ message|trim }}")!r}, **where)
print(late, "jinja2" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] True\n"


def test_partials_given_are_those_of_the_documentation():
    assert read(FULL, files=TONE).partials == {"partials/tone.md": "Be kind."}
