"""Records have one spelling, survive every text, and notice what was changed."""

from __future__ import annotations

import json
import math
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops import records, succession
from promptops.errors import IntegrityError, InvalidFile, InvalidInput
from promptops.nodes import plain_data, read_nodes
from promptops.records import Arm, Evidence, Previous, Release, SampleSet, Version
from promptops.yamltext import write_yaml

BODY = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi {{ name }}"}]}
AT = "2026-01-05T10:00:00Z"


def version(**more: object) -> Version:
    values = {
        "id": "greet",
        "version": 1,
        "digest": records.body_digest(BODY),
        "path": "prompts/greet.prompt.yaml",
        "source": "model: openai/gpt-4o-mini\nmessages:\n  - {role: user, content: 'Hi {{ name }}'}\n",
        "partials": {"b.md": "two\nlines\n", "a.md": "trailing  \nspace"},
        "body": BODY,
    }
    return Version.model_validate({**values, **more})


def release(**more: object) -> Release:
    values = {
        "id": "greet",
        "environment": "production",
        "sequence": 1,
        "version": 1,
        "digest": records.body_digest(BODY),
        "kind": "first",
        "reason": "start",
        "by": "Ada <ada@example.org>",
        "at": AT,
    }
    return Release.model_validate({**values, **more})


def evidence(**more: object) -> Evidence:
    digest = records.sha256(b"x")
    values = {
        "prompt": "greet",
        "baseline": Arm(version=1, digest=digest),
        "candidate": digest,
        "samples": SampleSet(digest=digest, n=300),
        "policy": digest,
        "verdict": "pass",
        "metrics": [{"name": "queue", "lower": -0.01, "n": 300}],
        "alpha": 0.05,
        "tool_version": "0.1.0",
        "model": "gpt-4o-mini",
        "provider": "openai",
        "run": "r1",
        "at": AT,
    }
    return Evidence.model_validate({**values, **more})


STRINGS = [
    "",
    " ",
    "\n",
    "\n\n",
    "no",
    "Null",
    "1.10",
    "2024-01-01",
    "12:30:45",
    "0x1f",
    "1e5",
    "<<",
    "=",
    "~",
    "- a",
    "a: b",
    "a #b",
    "a ",
    "a\n",
    "a\nb",
    "a\n\n",
    "a \nb",
    " a\nb",
    "a\n b\n",
    "a\n\tb",
    "\ta\nb",
    "a\r\nb",
    "a\rb",
    "a\x85b\nc",
    "a\u2028b\nc",
    "\ufeffa\nb",
    "a\x7fb",
    "\x1b[31m",
    "tab\there",
    "é ü 日本 😀",
    "日本\n😀\n",
    "'",
    '"\\',
    "{{ x }}\n{% if y %}",
    "%TAG\n---\n...",
    "# not a comment\nb",
    "*a\n&b",
    "k" * 5000,
    "a\n" + "  " * 40 + "deep\nend",
    "sha256:" + "0" * 64,
    "openai/gpt-4o-mini",
    "a:",
    "http://x",
]


@pytest.mark.parametrize("text", STRINGS)
def test_every_text_comes_back_from_every_reader(text: str) -> None:
    document = {"plain": text, "list": [text, [text], {"in": text}], f"key {text}": text, "last": None}
    written = write_yaml(document)
    assert plain_data(read_nodes(written, path="x")) == document  # type: ignore[arg-type]
    assert yaml.safe_load(written) == document
    assert "\r" not in written


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_any_json_value_comes_back_or_is_refused(document: dict[str, object]) -> None:
    try:
        written = write_yaml(document)
    except InvalidInput:
        assert "\\u0000" in json.dumps(document) or "\\ud" in json.dumps(document)
        return
    assert yaml.safe_load(written) == document
    assert plain_data(read_nodes(written, path="x")) == document  # type: ignore[arg-type]


def test_blocks_are_used_where_they_are_exact_and_quotes_where_they_are_not() -> None:
    assert write_yaml(
        {"a": "x\ny\n", "b": "x \ny", "c": [{"d": 1.0, "h": [2]}], "e": [], "f": {}, "g": 1e-7}
    ) == ('a: |\n  x\n  y\nb: "x \\ny"\nc:\n  - d: 1.0\n    h:\n      - 2\ne: []\nf: {}\ng: 1.0e-07\n')


@pytest.mark.parametrize("value", ["a\0b", "\ud800", math.nan, math.inf, object(), {1: "a"}])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        write_yaml({"a": value})


def test_a_value_that_no_reader_would_take_back_is_refused_when_written() -> None:
    deep: object = "x"
    for _ in range(150):
        deep = [deep]
    with pytest.raises(InvalidInput, match="levels deep"):
        write_yaml({"a": deep})


@pytest.mark.parametrize("record", [version(), release()])
def test_a_yaml_record_has_one_spelling(record: Version | Release) -> None:
    data = records.canonical(record)
    parse = records.parse_version if isinstance(record, Version) else records.parse_release
    again = parse(data, path="x")
    assert again == record
    assert records.as_written(type(again), data) == again
    for other in (
        data + b"\n",
        b"# note\n" + data,
        data.replace(b"\n", b"\r\n"),
        data.replace(b": 1\n", b": +1\n"),
    ):
        assert records.as_written(type(parse(other, path="x")), other) is None


def test_a_crlf_checkout_reads_the_same_version() -> None:
    data = records.canonical(version()).replace(b"\n", b"\r\n")
    assert records.parse_version(data, path="x") == version()


def test_the_digest_is_that_of_the_body() -> None:
    wrong = records.canonical(version()).replace(b"Hi {{ name }}", b"Ho {{ name }}")
    with pytest.raises(IntegrityError, match="the digest says"):
        records.parse_version(wrong, path="v1.yaml")


def test_the_order_of_a_bodys_keys_is_kept_and_does_not_change_the_digest() -> None:
    turned = dict(reversed(BODY.items()))
    assert records.body_digest(turned) == records.body_digest(BODY)
    kept = records.parse_version(records.canonical(version(body=turned)), path="x")
    assert list(kept.body) == list(turned)


def test_evidence_is_named_by_its_bytes() -> None:
    data = records.canonical(evidence())
    digest = records.sha256(data)
    assert records.parse_evidence(data, path="x", digest=digest) == evidence()
    assert records.evidence_name(digest) == digest[7:23] + ".json"
    with pytest.raises(IntegrityError, match="the pointer says"):
        records.parse_evidence(data.replace(b"300", b"301"), path="x", digest=digest)


def test_evidence_without_a_number_where_one_belongs_is_refused() -> None:
    with pytest.raises(InvalidInput):
        records.canonical(evidence(metrics=[{"lower": math.nan}]))


def test_a_release_follows_the_one_before_it() -> None:
    first = release()
    second = release(sequence=2, kind="promote", previous=succession.link(first))
    assert second.previous is not None
    assert "sha256:" + second.previous.sha256 == records.sha256(records.canonical(first))


def test_following_builds_a_chain_that_knows_what_to_fall_back_to() -> None:
    rows: list[Release] = []
    for number, kind in (
        (1, "first"),
        (2, "promote"),
        (3, "promote"),
        (2, "rollback"),
        (1, "rollback"),
        (4, "promote"),
    ):
        rows.append(step(rows[-1] if rows else None, number, kind))
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    backs = [[old.version for old in row.fallbacks] for row in rows]
    assert backs == [[], [1], [2, 1], [1], [], [1]]
    assert all(
        succession.illegal_step(old, new) is None for old, new in zip([None, *rows], rows, strict=False)
    )


def step(previous: Release | None, number: int, kind: str, **more: object) -> Release:
    body = {**BODY, "n": number}
    frozen = version(version=number, body=body, digest=records.body_digest(body))
    values = {"environment": "production", "evidence": None, "reason": "", "by": "Ada <a@b>", "at": AT}
    return succession.following(previous, version=frozen, kind=kind, **{**values, **more})  # type: ignore[arg-type]


def test_a_rollback_beyond_what_is_listed_keeps_the_list_without_it() -> None:
    row = step(step(None, 1, "first"), 2, "promote")
    assert [old.version for old in step(row, 7, "rollback").fallbacks] == [1]


def test_the_list_of_fallbacks_has_an_end() -> None:
    row = step(None, 1, "first")
    for number in range(2, 30):
        row = step(row, number, "promote")
    assert len(row.fallbacks) == records.MAX_FALLBACKS


def test_steps_that_are_none_are_refused_with_the_reason() -> None:
    first = step(None, 1, "first")
    second = step(first, 2, "promote")
    third = step(second, 3, "promote")
    with pytest.raises(InvalidInput, match="live already"):
        step(second, 2, "promote")
    with pytest.raises(InvalidInput, match="not of greet in production"):
        step(second, 3, "promote", environment="staging")
    with pytest.raises(InvalidInput, match="versions are called that"):
        step(None, 1, "first", environment="v1")
    for previous, new, words in (
        (None, second, "starts at sequence 2"),
        (first, third, "from sequence 1 to 3"),
        (first.model_copy(update={"reason": "edited"}), second, "does not name the hash"),
        (second, third.model_copy(update={"fallbacks": []}), "other fallbacks"),
    ):
        assert words in (succession.illegal_step(previous, new) or "")


@settings(deadline=None)  # a busy machine is no defect
@given(st.randoms(use_true_random=False), st.sampled_from(["version", "release", "evidence"]))
def test_a_mutated_record_is_read_or_refused_and_never_a_traceback(random: Random, kind: str) -> None:
    record = {"version": version(), "release": release(), "evidence": evidence()}[kind]
    data = bytearray(records.canonical(record))
    for _ in range(random.randrange(1, 6)):
        at = random.randrange(len(data))
        data[at : at + random.randrange(3)] = random.randbytes(random.randrange(3))
    parse = {
        "version": records.parse_version,
        "release": records.parse_release,
        "evidence": records.parse_evidence,
    }
    try:
        again = parse[kind](bytes(data), path="x")
    except (InvalidFile, IntegrityError):
        return
    assert (records.as_written(type(again), bytes(data)) is not None) == (
        records.canonical(again) == bytes(data)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"sequence": 2},
        {"sequence": 2, "kind": "promote"},
        {"kind": "promote"},
        {"sequence": 3, "kind": "promote", "previous": Previous(sequence=1, sha256="0" * 64)},
        {"environment": "v12"},
        {"environment": "../x"},
        {"at": "yesterday"},
        {"digest": "sha256:0"},
        {"surprise": 1},
    ],
)
def test_a_release_that_is_no_step_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's own, turned into InvalidFile where files are read
        release(**wrong)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[1]",
        b"a: b",
        b"[" * 300_000,
        b"a: &x [*x]",
        b"\x00",
        b"{}",
        b"x" * 9_000_000,
        b"a: !!python/x 1",
    ],
)
def test_hostile_files_are_problems_with_a_place(data: bytes) -> None:
    for parse in (records.parse_version, records.parse_release, records.parse_evidence):
        with pytest.raises(InvalidFile, match="file"):
            parse(data, path="file")


def test_a_body_without_a_canonical_form_is_an_integrity_error() -> None:
    data = records.canonical(version()).replace(
        b"model: openai/gpt-4o-mini\n  messages", b"model: .nan\n  messages"
    )
    with pytest.raises(IntegrityError, match="no canonical form"):
        records.parse_version(data, path="x")


def test_what_can_be_read_and_never_written_is_not_canonical() -> None:
    data = records.canonical(release()).replace(b"reason: start", b'reason: "a\\0b"')
    assert records.as_written(Release, data) is None
    data = records.canonical(evidence()).replace(b"-0.01", b"NaN")
    assert records.as_written(Evidence, data) is None


def test_a_problem_names_the_line() -> None:
    data = records.canonical(release()).replace(b"kind: first", b"kind: fist")
    with pytest.raises(InvalidFile) as caught:
        records.parse_release(data, path="production.yaml")
    assert caught.value.problems[0].line == data[: data.index(b"kind")].count(b"\n") + 1


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_evidence_is_written_as_the_standard_library_writes_json(values) -> None:
    found = evidence(metrics=[values])
    plain = found.model_dump(mode="python", by_alias=True)
    kept = {name: value for name, value in plain.items() if value is not None or name not in records.ADDED}
    text = json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    assert records.canonical(found) == f"{text}\n".encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": math.nan}, {"a": [math.inf]}, {"a": "\ud800"}])
def test_evidence_that_json_cannot_hold_is_refused(value) -> None:
    with pytest.raises(InvalidInput):
        records.canonical(evidence(metrics=[{"x": [value], "y": value}]))
