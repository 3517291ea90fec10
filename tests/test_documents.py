from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from promptops import nodes
from promptops.documents import MAX_PROBLEMS, compose, decode, read_model, validate
from promptops.errors import InvalidFile
from promptops.prompts.model import PromptSpec


class Written(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Inner(Written):
    path: str
    exists: bool = True


class Example(Written):
    name: str | None = None
    count: int | None = None
    ratio: float | None = None
    names: list[str] = []
    rule: str | Inner | None = None
    either: str | list[str] | None = None
    deep: dict[str, Inner] = {}
    anything: Any = None
    api_key: int | None = None


def complaints(text: str, model: type[BaseModel] = Example) -> list[str]:
    with pytest.raises(InvalidFile) as caught:
        read_model(text, model, path="p.yaml")
    return [str(problem) for problem in caught.value.problems]


def decode_complaint(raw: bytes) -> str:
    with pytest.raises(InvalidFile) as caught:
        decode(raw, path="p.yaml")
    return str(caught.value)


# decode


def test_text_is_read_without_a_mark_with_line_feeds_in_nfc():
    assert decode(b"\xef\xbb\xbfa\r\nb\rc\n" + "e\u0301".encode(), path="p") == "a\nb\nc\n\u00e9"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"ab\ncd\xff", "p.yaml:2:3: not UTF-8 (byte 0xff); save the file as UTF-8"),
        (b"\xef\xbb\xbfab\n\xc3c", "p.yaml:2:1: not UTF-8 (byte 0xc3); save the file as UTF-8"),
        ("ü\n".encode() + b"\xfc", "p.yaml:2:1: not UTF-8 (byte 0xfc); save the file as UTF-8"),
        (b"a\n\0", "p.yaml:2:1: a NUL character; this is not a text file"),
        ("x".encode("utf-16"), "p.yaml:1:1: UTF-16 text; save it as UTF-8"),
        (b"x" * 10_000_000, "p.yaml: 10,000,000 bytes; at most 1,048,576 are read"),
    ],
)
def test_bytes_that_are_no_text_are_named_with_their_line(raw: bytes, expected: str):
    assert decode_complaint(raw) == expected


# YAML that is refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "p.yaml: the file is empty"),
        ("# only a comment\n", "p.yaml: the file is empty"),
        ("name: a\nname: b\n", "p.yaml:2:1: name: written twice, first in line 1"),
        ("base: &b {name: a}\n<<: *b\n", "p.yaml:2:1: merge keys (<<) are not read; write the keys out"),
        (
            "name: !!python/object/apply:os.system [x]\n",
            "p.yaml:1:7: tags (!name) are not read; put text that begins with ! in quotes",
        ),
        ("name: !ENV x\n", "p.yaml:1:7: tags (!name) are not read; put text that begins with ! in quotes"),
        ("a: &x [*x]\n", "p.yaml:1:8: the alias x stands inside its own anchor"),
        ("a: *x\n", "p.yaml:1:4: no anchor called x before this place"),
        (
            "name: {{ message }}\n",
            "p.yaml:1:8: a key must be text, not a mapping; put text that begins with {{ in quotes",
        ),
        ("? [a]\n: b\n", "p.yaml:1:3: a key must be text, not a list"),
        ("a: &x b\n*x : c\n", "p.yaml:2:1: a key must be written out, not an alias"),
        ("a: b\n---\nc: d\n", "p.yaml:2:1: a second document begins here; one file holds one document"),
        ("a: b: c\n", "p.yaml:1:5: not YAML: mapping values are not allowed"),
        (
            "a:\n\tb: c\n",
            "p.yaml:2:1: not YAML: found character that cannot start any token; indent with spaces",
        ),
        ("a: 'b\n", "a quote that was opened is never closed"),
        ('a: "\a"\n', "p.yaml:1:5: a character that YAML does not allow (U+0007)"),
        ('a: "\\ud800"\n', "p.yaml:1:7: not YAML: found invalid Unicode character escape code"),
    ],
)
def test_yaml_of_a_refused_kind_is_named_with_its_place(text: str, expected: str):
    (line,) = complaints(text)
    assert expected in line


def test_two_faults_of_the_yaml_itself_are_shown_together():
    assert len(complaints("a: 1\na: 2\nb: !x 3\n")) == 2


BRACKETS = """
import sys
from promptops.documents import compose
from promptops.errors import InvalidFile
for text in ("[" * 200_000, "{a: " * 200_000, "- " * 200_000, "? " * 200_000, "[[\\n" * 100_000):
    try:
        compose(text, path="p")
    except InvalidFile as error:
        print(error)
"""


def test_two_hundred_thousand_brackets_end_in_a_problem_and_not_in_a_crash():
    done = subprocess.run([sys.executable, "-c", BRACKETS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("more than 100 levels deep") == 4
    assert "a key must be text" in done.stdout


def test_a_hundred_levels_are_read_and_one_more_is_not():
    assert compose("[" * 100 + "]" * 100, path="p").data is not None
    with pytest.raises(InvalidFile, match="more than 100 levels"):
        compose("[" * 101 + "]" * 101, path="p")


def test_aliases_count_as_if_written_out():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )
    assert "more than 100,000 values once aliases are written out" in complaints(bomb)[0]
    tower = "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 120))
    assert "levels deep once aliases are written out" in complaints(tower)[0]


def test_an_alias_is_a_fresh_copy():
    data = compose("a: &x [1]\nb: *x\n", path="p").data
    data["a"].append(2)
    assert data["b"] == [1]


# reading


def test_text_places_keep_what_was_written():
    names = ["no", "on", "yes", "1.10", "2024-01-01", "0o17", "1e3", "true", "0x10", "1_000", "12:30", ".inf"]
    made = read_model(f"name: 1.10\neither: on\nrule: 0o17\nnames: [{', '.join(names)}]\n", Example, path="p")
    assert (made.name, made.either, made.rule, made.names) == ("1.10", "on", "0o17", names)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("true", True),
        ("~", None),
        ("", None),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("0o17", 15),
        ("017", 17),
        ("-3", -3),
        ("'1'", "1"),
        ("!!str 1", "1"),
    ],
)
def test_other_places_are_read_by_the_core_schema(written: str, read: object):
    value = read_model(f"anything: {written}\n", Example, path="p").anything
    assert (value, type(value)) == (read, type(read))


def test_keys_are_always_text():
    assert compose("{1: a, true: b, null: c}", path="p").data == {"1": "a", "true": "b", "null": "c"}


def test_one_anchor_may_be_text_here_and_a_number_there():
    made = read_model("name: &x 12\ncount: *x\n", Example, path="p")
    assert (made.name, made.count) == ("12", 12)


def test_the_document_holds_what_the_model_was_made_of():
    made, document = validate(compose("name: 1.10\nanything: 1.10\n", path="p"), Example)
    assert (made.name, document.data) == ("1.10", {"name": "1.10", "anything": 1.1})


# problems of the model


def test_all_problems_are_shown_at_once_and_sorted():
    text = "nmae: x\ncount: hot\ndeep:\n  a: {exists: maybe, pth: 1}\n  b: {path: [x]}\nratio: .nan\n"
    assert complaints(text) == [
        "p.yaml:1:1: nmae: unknown key; did you mean name?",
        "p.yaml:2:8: count: expected a whole number, got 'hot'",
        "p.yaml:4:6: deep.a.path: missing",
        "p.yaml:4:15: deep.a.exists: expected true or false, got 'maybe'",
        "p.yaml:4:22: deep.a.pth: unknown key; did you mean path?",
        "p.yaml:5:13: deep.b.path: expected text, got a list",
        "p.yaml:6:8: ratio: not a finite number; put it in quotes if it is text",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("either: {a: b}", ["p.yaml:1:9: either: expected text or a list, got a mapping"]),
        ("rule: [a]", ["p.yaml:1:7: rule: expected text or a mapping, got a list"]),
        (
            "rule: {pth: $.a}",
            ["p.yaml:1:7: rule.path: missing", "p.yaml:1:8: rule.pth: unknown key; did you mean path?"],
        ),
        ("name: [x]", ["p.yaml:1:7: name: expected text, got a list"]),
        ("names: [null]", ["p.yaml:1:9: names[0]: expected text, got null"]),
        ("names:\n  -\n", ["p.yaml:2:4: names[0]: expected text, got nothing"]),
        ("[x]", ["p.yaml:1:1: expected a mapping, got a list"]),
        ("count: 1.5", ["p.yaml:1:8: count: expected a whole number, got 1.5"]),
    ],
)
def test_unions_and_missing_keys_have_one_clear_place(text: str, expected: list[str]):
    assert complaints(text) == expected


def test_a_problem_inside_an_alias_stands_where_it_is_written():
    text = "anything: &x {path: [1]}\ndeep:\n  a: *x\n"
    assert complaints(text) == ["p.yaml:1:21: deep.a.path: expected text, got a list"]
    assert complaints("anything: &x [1]\nname: *x\n") == ["p.yaml:2:7: name: expected text, got a list"]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999", "9007199254740993"])
def test_numbers_that_json_cannot_carry_are_problems_except_as_text(number: str):
    assert "put it in quotes if it is text" in complaints(f"anything: {number}\n")[0]
    assert read_model(f"name: {number}\n", Example, path="p").name == number


def test_long_values_are_cut_and_control_characters_replaced():
    (line,) = complaints('count: "\\e[31m' + "x" * 500 + '"\n')
    assert len(line) < 120
    assert "\x1b" not in line


def test_secrets_are_not_printed():
    key = "sk-" + "a1B2" * 8
    for text in (
        f"api_key: {key}\n",
        f"count: {key}\n",
        f"{key}: 1\n",
        f"name: *{key}\n",
        f"{key}: 1\n{key}: 2\n",
    ):
        assert "a1B2" not in "\n".join(complaints(text))
    assert "hunter2" not in complaints("api_key: hunter2\n")[0]


def test_thirty_thousand_unknown_keys_end_soon_and_say_how_many():
    begin = time.process_time()
    lines = complaints("".join(f"key{n}: 1\n" for n in range(30_000)))
    assert len(lines) == MAX_PROBLEMS + 1
    assert "29,500 more problems" in lines[-1]
    assert time.process_time() - begin < 10


def test_positions_in_a_block_of_text_are_exact():
    source = "messages:\n  - role: user\n    content: |\n      one\n\n      two three\n"
    source += "  - role: user\n    content: 'x two'\n"
    document = compose(source, path="p")
    assert document.locate_text(("messages", 0, "content"), len("one\n\ntwo ")) == (6, 11)
    assert document.locate_text(("messages", 1, "content"), 2) == (8, 17)
    assert document.locate(("messages", 1, "content")) == (8, 14)
    assert document.locate_key(("messages", 1, "content")) == (8, 5)
    assert document.locate(("messages", 1, "nothing")) == (7, 5)


def test_the_pure_parser_says_the_same(monkeypatch: pytest.MonkeyPatch):
    texts = ["count: hot\nnmae: x\n", "a: 1\na: 2\n", "[" * 300, "a: &x [*x]\n", "a: !x b\n", ""]
    with_libyaml = [complaints(text) for text in texts]
    monkeypatch.setattr(nodes, "_LOADER", nodes.yaml.SafeLoader)
    assert [complaints(text) for text in texts] == with_libyaml


PIECES = [
    "a",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "|",
    ">",
    "&x ",
    "*x",
    "!t ",
    "#",
    "<<",
    "1",
    "\t",
]
PIECES += [
    "name",
    "names",
    "rule",
    "path",
    "deep",
    "~",
    "%",
    "@",
    "`",
    "\u2028",
    "\ud800",
    "\x07",
    "é",
    "---\n",
    "?",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@settings(deadline=None)
def test_any_text_is_a_model_or_an_invalid_file(text: str):
    for model in (Example, PromptSpec):
        try:
            read_model(text, model, path="p")
        except InvalidFile:
            continue


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_text_or_an_invalid_file(raw: bytes):
    try:
        text = decode(raw, path="p")
    except InvalidFile:
        return
    assert "\r" not in text
    assert "\0" not in text
