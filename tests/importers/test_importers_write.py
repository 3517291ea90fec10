"""Samples to lines and into files, and what a sample set's digest notices."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import InvalidFile
from promptops.importers.digest import content_hash, samples_digest
from promptops.importers.jsonl import read
from promptops.importers.write import Added, add_samples, to_line
from promptops.samples import Cluster, Sample, Source

FULL = Sample.model_validate(
    {
        "sample_id": "smp_1",
        "inputs": {"b": None, "a": "ü"},
        "expected": [],
        "source": {"adapter": "x", "uri": "a.json", "trace_id": None, "imported_at": "2026-01-01"},
        "output": {"content": "hi", "finish_reason": "stop"},
        "tags": [],
        "latency_ms": 12,
        "reviewer": "ann",
    }
)


def test_a_line_holds_what_is_set_in_one_order() -> None:
    assert to_line(FULL) == (
        '{"expected":[],"extra":{"reviewer":"ann"},"inputs":{"a":"ü","b":null},"latency_ms":12.0,'
        '"output":{"content":"hi","finish_reason":"stop"},"sample_id":"smp_1","schema":"promptops.sample/1",'
        '"source":{"adapter":"x","imported_at":"2026-01-01","uri":"a.json"}}\n'
    )


@pytest.mark.parametrize(
    "sample",
    [
        FULL,
        Sample(inputs={}, sample_id="a"),
        Sample(messages=[], sample_id="b", cluster=Cluster(trial=1)),
        Sample(inputs={"a": "\u2028\n"}, sample_id="c", source=Source(adapter="y")),
    ],
)
def test_a_line_comes_back_as_it_was(write: Any, sample: Sample) -> None:
    (back,) = read(write(to_line(sample)))
    assert to_line(back) == to_line(sample)
    assert content_hash(back) == content_hash(sample)


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.samples.jsonl"
    samples = [Sample(inputs={"n": number}, sample_id=f"s{number}") for number in range(3)]
    assert add_samples(path, samples) == Added(added=3, skipped=0)
    before = path.read_bytes()
    assert add_samples(path, samples) == Added(added=0, skipped=3)
    assert path.read_bytes() == before
    assert add_samples(path, [*samples, Sample(inputs={}, sample_id="s9")]) == Added(added=1, skipped=3)
    assert path.read_bytes().startswith(before)
    assert [found.name for found in tmp_path.iterdir()] == ["a.samples.jsonl"]


def test_what_is_there_keeps_its_bytes_and_its_last_line_gets_an_end(write: Any) -> None:
    old = b'\xef\xbb\xbf{ "inputs":  {"a":1} }\r\n{"inputs":{"a":2}}'
    path = write(old)
    path.chmod(0o600)
    rows = list(read(path))
    assert add_samples(path, [*rows, Sample(inputs={"a": 3})]) == Added(added=1, skipped=2)
    assert path.read_bytes().startswith(old + b"\n{")
    assert len(list(read(path))) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_samples_without_ids_get_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    add_samples(path, [Sample(inputs={"a": 1}), Sample(inputs={"a": 1})])
    written = [json.loads(line)["sample_id"] for line in path.read_text().splitlines()]
    assert len(set(written)) == 2


def test_a_file_with_problems_is_left_as_it_is(write: Any) -> None:
    path = write('{"inputs":{}}\n{"inputs"')
    before = path.read_bytes()
    with pytest.raises(InvalidFile, match="the last line is cut off"):
        add_samples(path, [FULL])
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_a_crash_in_the_middle_leaves_the_old_file(write: Any) -> None:
    path = write('{"inputs":{}}\n')

    def breaks() -> Any:
        yield FULL
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_samples(path, breaks())
    assert path.read_text() == '{"inputs":{}}\n'
    assert len(list(path.parent.iterdir())) == 1


def test_a_link_stays_a_link(write: Any, tmp_path: Path) -> None:
    real = write('{"inputs":{}}\n', "real/a.jsonl")
    link = tmp_path / "link.jsonl"
    link.symlink_to(real)
    add_samples(link, [FULL])
    assert link.is_symlink()
    assert len(list(read(real))) == 2


def test_the_digest_notices_content_and_not_order_spelling_or_import() -> None:
    samples = [Sample(inputs={"n": number}, sample_id=f"s{number}") for number in range(5)]
    hashes = [content_hash(sample) for sample in samples]
    digest = samples_digest(hashes)
    assert digest.startswith("sha256:")
    assert len(digest) == 71
    assert digest == samples_digest(random.Random(1).sample(hashes, 5))
    assert digest != samples_digest(hashes[:-1])
    assert digest != samples_digest([*hashes, hashes[0]])
    edited = Sample(inputs={"n": 0}, expected="x", sample_id="s0")
    assert digest != samples_digest([content_hash(edited), *hashes[1:]])
    again = FULL.model_copy(update={"source": Source(adapter="x", uri="b", imported_at="2027-01-01")})
    assert content_hash(again) == content_hash(FULL)
    assert content_hash(Sample(inputs={"n": 10**30})) != content_hash(Sample(inputs={"n": 10**30 + 1}))
