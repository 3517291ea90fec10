"""Columns of any length are read through a small window, and say the same as in one piece."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.stats import facts as facts_module
from promptops.stats.blocks import BLOCK, blocks, joined, mean_of
from promptops.stats.facts import Facts, facts_of
from promptops.stats.question import ask
from promptops.stats.results import BadNumbers, Kind
from promptops.stats.summary import Summary, summarise

NAN = float("nan")
FIELDS = ("mean", "sd", "skew", "gain", "loss", "ups", "downs", "telling", "largest")


def same(found: Summary | None, expected: Summary | None) -> None:
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.n == expected.n
        for name in FIELDS:
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-9), name


@given(
    st.lists(
        st.lists(st.floats(-4, 4).map(lambda x: round(x, 3)), min_size=1, max_size=9), min_size=1, max_size=6
    )
)
def test_joined_parts_are_the_whole(parts: list[list[float]]) -> None:
    found = joined([summarise(np.array(part), edge=1e-9, margin=0.5) for part in parts])
    whole = np.concatenate([np.array(part) for part in parts])
    expected = summarise(whole, edge=1e-9, margin=0.5)
    if np.ptp(whole) == 0:
        return  # the skewness of a constant is noise, and nothing uses it
    same(found, expected)


def test_blocks_cover_every_place_once() -> None:
    for n in (1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK):
        parts = list(blocks(n))
        assert [place for part in parts for place in (part.start, part.stop)][::2] == list(range(0, n, BLOCK))
        assert sum(part.stop - part.start for part in parts) == n
    assert list(blocks(0)) == []


def columns(kind: Kind, n: int, holes: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    if kind == "binary":
        before, after = (rng.random(n) < 0.9).astype(float), (rng.random(n) < 0.85).astype(float)
    elif kind == "bounded":
        before, after = rng.integers(1, 6, n).astype(float), rng.integers(1, 6, n).astype(float)
    else:
        before, after = rng.lognormal(0, 1, n), rng.lognormal(0.1, 1, n)
    for hole in holes:
        (before if hole % 2 else after)[hole] = NAN
    return before, after


def in_parts(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, *arms: np.ndarray, **options: float | None
) -> Facts:
    question = ask(kind, margin=0.1, value_range=(1, 5) if kind == "bounded" else None)
    with monkeypatch.context() as here:
        here.setattr(facts_module, "blocks", lambda n: blocks(n, 7))
        return facts_of(question, *arms, **options)


@pytest.mark.parametrize("holes", [(), (3,), (0, 1, 2, 3, 4, 5, 6, 11, 38)])
@pytest.mark.parametrize("kind", ["binary", "bounded", "ratio"])
def test_columns_in_parts_say_what_they_say_whole(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, holes: Sequence[int]
) -> None:
    options = {"worst": 60.0, "best": 0.01} if kind == "ratio" else {}
    arms = columns(kind, 40, holes)
    found = in_parts(monkeypatch, kind, *arms, **options)
    expected = facts_of(
        ask(kind, margin=0.1, value_range=(1, 5) if kind == "bounded" else None), *arms, **options
    )
    for name in ("n", "baseline_missing", "candidate_missing", "touched", "all_fail", "all_pass"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.baseline_mean == pytest.approx(expected.baseline_mean)
    assert found.candidate_mean == pytest.approx(expected.candidate_mean)
    same(found.seen, expected.seen)
    same(found.against, expected.against)


def test_a_ratio_whose_worst_is_unknown_has_nothing_to_count_against_in_any_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = in_parts(monkeypatch, "ratio", *columns("ratio", 40, (20,)))
    assert found.touched == 1
    assert found.against is None
    assert found.seen is not None


def test_a_bad_value_is_found_in_whatever_part(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = columns("ratio", 40)
    before[33] = -1.0
    with pytest.raises(BadNumbers, match="above 0"):
        in_parts(monkeypatch, "ratio", before, after, best=0.1)


def test_nothing_seen_at_all_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = in_parts(monkeypatch, "binary", np.full(20, NAN), np.ones(20))
    assert (found.seen, found.baseline_mean, found.all_fail, found.n_complete) == (None, None, False, 0)
    assert found.against is not None
    assert mean_of([(None, 3)], geometric=False) is None


def test_a_column_longer_than_the_window_is_close_to_one_piece() -> None:
    before, after = columns("bounded", 2 * BLOCK + 5)
    found = facts_of(ask("bounded", margin=0.1, value_range=(1, 5)), before, after).seen
    same(found, summarise(after - before, edge=1e-9 * 4, margin=0.1))
