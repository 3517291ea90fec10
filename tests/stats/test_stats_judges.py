"""Judges beside people: prediction-powered means, agreement, and the pull of the first slot."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from promptops.stats.agreement import rater_agreement
from promptops.stats.judges import position_bias_test, ppi_mean_difference
from promptops.stats.kappa import krippendorff_alpha
from promptops.stats.results import BadNumbers

NAN = float("nan")


def kappa_by_hand(judge: Sequence[float], human: Sequence[float], *, weighted: bool) -> float:
    scale = sorted({*judge, *human})
    place = {rating: index for index, rating in enumerate(scale)}

    def distance(a: float, b: float) -> float:
        return (place[a] - place[b]) ** 2 if weighted else float(a != b)

    observed = sum(distance(a, b) for a, b in zip(judge, human, strict=True)) / len(judge)
    expected = sum(distance(a, b) for a in judge for b in human) / len(judge) ** 2
    return 1 - observed / expected


def alpha_by_hand(ratings: Sequence[Sequence[float]]) -> float:
    """Krippendorff (2011), section 'ordinal', from all ordered pairs of ratings of one unit."""
    units = [[rating for rating in unit if rating == rating] for unit in zip(*ratings, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    pool = [rating for unit in units for rating in unit]
    scale = sorted(set(pool))
    count = {rating: pool.count(rating) for rating in scale}

    def distance(a: float, b: float) -> float:
        low, high = sorted((a, b))
        between = sum(count[rating] for rating in scale if low <= rating <= high)
        return (between - (count[low] + count[high]) / 2) ** 2

    observed = sum(
        distance(a, b) / (len(unit) - 1) for unit in units for a, b in itertools.permutations(unit, 2)
    ) / len(pool)
    expected = sum(distance(a, b) for a, b in itertools.permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return 1 - observed / expected


ratings = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=12).filter(
    lambda pairs: len({rating for pair in pairs for rating in pair}) > 1
)


@settings(max_examples=60, deadline=None)
@given(ratings)
def test_the_coefficients_are_what_their_definitions_say(pairs: list[tuple[int, int]]) -> None:
    judge, human = zip(*pairs, strict=True)
    found = rater_agreement(judge, human, resamples=10)
    assert found.agreement == pytest.approx(np.mean(np.equal(judge, human)))
    assert found.alpha_ordinal == pytest.approx(alpha_by_hand([judge, human]))
    assert found.kappa == pytest.approx(kappa_by_hand(judge, human, weighted=False))
    assert found.weighted_kappa == pytest.approx(kappa_by_hand(judge, human, weighted=True))


@settings(max_examples=30, deadline=None)
@given(ratings)
def test_two_raters_are_a_table_of_two_rows_and_none_comes_first(pairs: list[tuple[int, int]]) -> None:
    judge, human = zip(*pairs, strict=True)
    found, turned = rater_agreement(judge, human, resamples=10), rater_agreement(human, judge, resamples=10)
    assert krippendorff_alpha([judge, human]) == pytest.approx(found.alpha_ordinal)
    assert turned.kappa == pytest.approx(found.kappa)
    assert turned.weighted_kappa == pytest.approx(found.weighted_kappa)


def test_krippendorffs_own_example_of_four_raters_with_missing_ratings() -> None:
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    found = krippendorff_alpha(table)
    assert found == pytest.approx(0.815, abs=5e-4)  # Krippendorff 2011, "Computing Krippendorff's alpha"
    assert found == pytest.approx(alpha_by_hand(table))


def test_a_missing_rating_leaves_its_item_out_and_is_counted() -> None:
    whole = rater_agreement([1, 2, 3, 3, 1, 2], [1, 2, 3, 2, 1, 1])
    holed = rater_agreement([1, None, 2, 3, 3, 1, 2, 5], [1, 4, 2, 3, 2, 1, 1, NAN])
    assert holed.missing == 2
    assert (holed.n, holed.kappa, holed.alpha_ordinal) == (whole.n, whole.kappa, whole.alpha_ordinal)


def test_a_step_of_the_scale_that_nobody_gave_counts_when_it_is_declared() -> None:
    judge, human = [1, 1, 2, 2, 4, 4, 4, 2], [1, 1, 2, 4, 4, 4, 2, 2]
    used = rater_agreement(judge, human)
    declared = rater_agreement(judge, human, categories=[1, 2, 3, 4])
    assert declared.kappa == used.kappa
    assert declared.alpha_ordinal == pytest.approx(used.alpha_ordinal)
    distance = {(1, 2): 1, (2, 4): 4, (1, 4): 9}
    expected = sum(distance.get((min(a, b), max(a, b)), 0) for a in judge for b in human) / 64
    assert declared.weighted_kappa == pytest.approx(1 - (4 + 4) / 8 / expected)
    with pytest.raises(BadNumbers, match="7 is not on the declared scale"):
        rater_agreement([7, 1], [1, 1], categories=[1, 2])


def test_one_rating_alone_leaves_every_coefficient_undefined() -> None:
    found = rater_agreement([1] * 6, [1] * 6)
    assert found.agreement == 1.0
    assert (found.kappa, found.weighted_kappa, found.alpha_ordinal) == (None, None, None)
    assert found.kappa_interval is None
    assert "one_category" in found.warnings
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["kappa"] is None


def test_a_judge_that_always_says_the_same_agrees_by_chance_alone() -> None:
    found = rater_agreement([1] * 40, [1, 0] * 20)
    assert found.agreement == 0.5
    assert found.kappa == 0.0
    assert "weak_judge" in found.warnings


def test_perfect_agreement_on_six_items_proves_little_and_on_two_hundred_much() -> None:
    few, many = (rater_agreement([0, 1] * half, [0, 1] * half) for half in (3, 100))
    assert few.kappa == many.kappa == 1.0
    assert few.kappa_interval == pytest.approx((1 - 2 * (1 - 0.05 ** (1 / 6)), 1.0))
    assert set(few.warnings) == {"no_disagreement", "weak_judge"}
    assert many.kappa_interval is not None
    assert many.kappa_interval[0] > 0.95
    assert many.warnings == ("no_disagreement",)


def test_ten_answers_of_one_conversation_are_not_ten_items() -> None:
    rng = np.random.default_rng(4)
    right = np.repeat(rng.random(20) < 0.7, 10)
    human = rng.integers(0, 2, 200)
    judge = np.where(right, human, 1 - human)
    conversations = np.repeat(np.arange(20), 10).tolist()
    alone = rater_agreement(judge, human)
    together = rater_agreement(judge, human, clusters=conversations)
    assert alone.kappa == together.kappa
    assert alone.kappa_interval is not None
    assert together.kappa_interval is not None
    assert width(together.kappa_interval) > 2 * width(alone.kappa_interval)
    assert together.n_clusters == 20


def width(interval: tuple[float, float]) -> float:
    return interval[1] - interval[0]


def test_too_few_clusters_have_no_interval_and_none_at_all_no_coefficient() -> None:
    found = rater_agreement([0, 1] * 20, [0, 1, 1, 0] * 10, clusters=["a", "b", "c", "d"] * 10)
    assert found.kappa_interval is None
    assert found.warnings == ("too_few_clusters",)
    empty = rater_agreement([None], [1])
    assert (empty.n, empty.agreement, empty.warnings) == (0, None, ("no_pairs",))


def test_a_seed_repeats_the_interval_and_clusters_may_have_any_names() -> None:
    rng = np.random.default_rng(1)
    judge, human = rng.integers(1, 6, 60), rng.integers(1, 6, 60)
    first = rater_agreement(judge, human, seed=3)
    assert first == rater_agreement(judge, human, seed=3)
    assert first.weighted_kappa_interval != rater_agreement(judge, human, seed=4).weighted_kappa_interval
    names = [f"c{index % 12}" for index in range(60)]
    assert rater_agreement(judge, human, clusters=names).n_clusters == 12


@pytest.mark.parametrize(
    ("judge", "human", "code"),
    [([1, 2], [1], "length_mismatch"), ([1, float("inf")], [1, 2], "infinite_value")],
)
def test_ratings_that_do_not_pair_up_are_an_error(judge: list[float], human: list[float], code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        rater_agreement(judge, human)
    assert caught.value.code == code


@pytest.mark.slow
def test_the_bootstrap_interval_covers_the_true_kappa() -> None:
    # Pass/fail with even margins and 85 % agreement: the true kappa is .7. 600 replicates of 100 items, seed 11.
    rng, covered = np.random.default_rng(11), 0
    for replicate in range(600):
        human = rng.integers(0, 2, 100)
        judge = np.where(rng.random(100) < 0.85, human, 1 - human)
        interval = rater_agreement(judge, human, resamples=400, seed=replicate).kappa_interval
        assert interval is not None
        covered += interval[0] <= 0.7 <= interval[1]
    assert covered / 600 == pytest.approx(0.90, abs=0.04)


def labelled(seed: int, n: int = 40, others: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0.1, 0.3, n + others)
    judge = truth + rng.normal(0.05, 0.15, n + others)
    return truth[:n], judge[:n], judge[n:]


def test_a_judge_that_is_not_listened_to_leaves_the_ordinary_t_interval() -> None:
    human, judge, others = labelled(1)
    found = ppi_mean_difference(human, judge, others, lam=0.0)
    se = human.std() / human.size**0.5  # as ppi_py: the population's standard deviation
    low, high = scipy_stats.t.interval(0.90, human.size - 1, loc=human.mean(), scale=se)
    assert (found.lower, found.upper) == pytest.approx((low, high))
    assert found.estimate == pytest.approx(human.mean())


def test_a_good_judge_narrows_the_interval_and_its_bias_does_not_shift_it() -> None:
    human, judge, others = labelled(2)
    found, alone = (ppi_mean_difference(human, judge, others, lam=lam) for lam in (None, 0.0))
    assert found.se < 0.75 * alone.se
    biased = ppi_mean_difference(human, judge + 5, others + 5)
    assert biased.estimate == pytest.approx(found.estimate)
    assert biased.se == pytest.approx(found.se)


def test_the_weight_is_about_the_one_with_the_least_variance() -> None:
    human, judge, others = labelled(3, n=400, others=4000)
    best = ppi_mean_difference(human, judge, others)
    for lam in np.linspace(0, 1, 21):
        assert (
            ppi_mean_difference(human, judge, others, lam=float(lam)).se >= best.se * 0.99
        )  # pooled variance: near the least


def test_a_judge_that_contradicts_people_is_not_listened_to() -> None:
    human, judge, others = labelled(4)
    assert ppi_mean_difference(human, -judge, -others).lam == 0.0
    assert ppi_mean_difference(human, np.ones(40), np.ones(300)).lam == 0.0


def test_swapping_the_arms_mirrors_the_answer() -> None:
    human, judge, others = labelled(5)
    found, turned = ppi_mean_difference(human, judge, others), ppi_mean_difference(-human, -judge, -others)
    assert found.upper is not None
    assert found.lower is not None
    assert (turned.lower, turned.upper) == pytest.approx((-found.upper, -found.lower))


def test_fewer_than_thirty_labels_are_for_reading_not_for_gating() -> None:
    few = ppi_mean_difference(*labelled(6, n=29))
    assert few.lower is not None
    assert not few.gates
    assert few.warnings == ("few_labels",)
    assert ppi_mean_difference(*labelled(6, n=30)).gates


@pytest.mark.parametrize(("human", "warning"), [([0.1], "too_few_pairs"), ([0.0] * 40, "zero_variance")])
def test_labels_that_do_not_vary_have_no_interval(human: list[float], warning: str) -> None:
    found = ppi_mean_difference(human, [0.2] * len(human), [0.1, 0.3])
    assert (found.lower, found.upper, found.z_lower, found.z_upper) == (None,) * 4
    assert found.warnings[0] == warning
    assert not found.gates
    assert json.dumps(found.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: ppi_mean_difference([], [], [1.0]), "no_pairs"),
        (lambda: ppi_mean_difference([1.0], [1.0], []), "no_pairs"),
        (lambda: ppi_mean_difference([1.0, 2.0], [1.0], [1.0]), "length_mismatch"),
        (lambda: ppi_mean_difference([NAN], [1.0], [1.0]), "not_finite"),
        (lambda: ppi_mean_difference([1.0], [1.0], [1.0], lam=1.5), "bad_weight"),
        (lambda: position_bias_test(5, 4), "bad_counts"),
        (lambda: position_bias_test(-1, 4), "bad_counts"),
        (lambda: position_bias_test(2, 4, n_pairs=3), "bad_counts"),
        (lambda: krippendorff_alpha([1, 2]), "not_a_table"),
    ],
)
def test_numbers_that_cannot_be_are_errors(call: object, code: str) -> None:
    with pytest.raises(BadNumbers) as caught:
        call()  # type: ignore[operator]
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("draw", "n", "least"),
    [
        ("normal", 30, 0.87),
        ("normal", 50, 0.87),
        ("ordinal", 30, 0.87),
        ("skewed", 30, 0.84),
        ("skewed", 200, 0.87),
    ],
)
def test_the_t_interval_covers_about_what_it_says_from_thirty_labels_on(
    draw: str, n: int, least: float
) -> None:
    # Nominal 90 %; 1,500 replicates, seed n; a judge that correlates .8 and has a bias of more than one sd.
    rng, covered = np.random.default_rng(n), 0
    for _ in range(1500):
        truth = {
            "normal": lambda: rng.normal(0, 0.3, n + 300),
            "ordinal": lambda: rng.choice([-0.5, 0, 0.5], n + 300, p=[0.2, 0.6, 0.2]),
            "skewed": lambda: rng.exponential(0.3, n + 300) - 0.3,
        }[draw]()
        judge = truth + rng.normal(0.4, 0.22, n + 300)
        found = ppi_mean_difference(truth[:n], judge[:n], judge[n:])
        assert found.lower is not None
        assert found.upper is not None
        covered += found.lower <= 0 <= found.upper
    assert least <= covered / 1500 <= 0.93


@pytest.mark.parametrize(("first", "inconsistent"), [(0, 0), (3, 6), (14, 18), (0, 9), (7, 8), (1, 1)])
def test_the_pull_of_the_first_slot_is_an_exact_binomial_test(first: int, inconsistent: int) -> None:
    expected = scipy_stats.binomtest(first, inconsistent).pvalue if inconsistent else 1.0
    found = position_bias_test(first, inconsistent)
    assert found.pvalue == pytest.approx(expected, abs=1e-12)
    assert position_bias_test(inconsistent - first, inconsistent).pvalue == pytest.approx(expected)


def test_the_rate_of_inconsistency_needs_the_number_of_pairs() -> None:
    assert position_bias_test(14, 18).inconsistency_rate is None
    found = position_bias_test(14, 18, n_pairs=90)
    assert (found.inconsistency_rate, found.first_share) == (0.2, pytest.approx(14 / 18))
    assert json.loads(json.dumps(position_bias_test(0, 0, n_pairs=5).as_json()))["first_share"] is None
